// SPDX-License-Identifier: GPL-2.0
#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#include "memory.h"
#include "vmm.h"

void memory_add(struct guest_memory *memory, const struct memory_range *range)
{
	assert(memory->nb_ranges < MEMORY_MAX_RANGES);
	memory->ranges[memory->nb_ranges++] = *range;
}

static const struct memory_range *find_range(const struct guest_memory *memory, uint64_t gpa,
					     uint64_t size)
{
	for (unsigned int i = 0; i < memory->nb_ranges; i++) {
		const struct memory_range *range = &memory->ranges[i];

		/* Without a sum that may overflow. */
		if (gpa >= range->gpa && gpa - range->gpa < range->size &&
		    size <= range->size - (gpa - range->gpa))
			return range;
	}
	return NULL;
}

void *memory_at(const struct guest_memory *memory, uint64_t gpa, uint64_t size)
{
	const struct memory_range *range = find_range(memory, gpa, size);

	if (!range || (range->accessible && !range->accessible(range->owner, gpa, size)))
		return NULL;
	return range->hva + (gpa - range->gpa);
}

void memory_written(const struct guest_memory *memory, uint64_t gpa, uint64_t size)
{
	const struct memory_range *range = find_range(memory, gpa, size);
	uint64_t page, last;

	if (!range || !range->written)
		return;
	page = (gpa - range->gpa) / MEMORY_PAGE;
	last = (gpa - range->gpa + size - 1) / MEMORY_PAGE;
	for (; page <= last; page++)
		__atomic_fetch_or(&range->written[page / 64], 1ULL << page % 64, __ATOMIC_RELEASE);
}

static size_t bitmap_size(const struct memory_range *range)
{
	return align_up(range->size / MEMORY_PAGE, 64) / 8;
}

uint64_t *memory_bitmap(const struct memory_range *range)
{
	uint64_t *bitmap = mmap(NULL, bitmap_size(range), PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return bitmap == MAP_FAILED ? NULL : bitmap;
}

void memory_bitmap_free(const struct memory_range *range, uint64_t *bitmap)
{
	if (bitmap)
		munmap(bitmap, bitmap_size(range));
}

static void forget_written(struct guest_memory *memory)
{
	for (unsigned int i = 0; i < memory->nb_ranges; i++) {
		struct memory_range *range = &memory->ranges[i];

		memory_bitmap_free(range, range->written);
		range->written = NULL;
	}
}

int memory_log_written(struct guest_memory *memory, bool enable)
{
	forget_written(memory);
	for (unsigned int i = 0; enable && i < memory->nb_ranges; i++) {
		memory->ranges[i].written = memory_bitmap(&memory->ranges[i]);
		if (!memory->ranges[i].written) {
			forget_written(memory);
			return -ENOMEM;
		}
	}
	return 0;
}

void memory_fetch_written(const struct memory_range *range, uint64_t start, uint64_t end,
			  uint64_t *pages)
{
	uint64_t last = (end - 1) / MEMORY_PAGE / 64;

	for (uint64_t word = start / MEMORY_PAGE / 64; word <= last; word++)
		if (__atomic_load_n(&range->written[word], __ATOMIC_RELAXED))
			pages[word] |= __atomic_exchange_n(&range->written[word], 0,
							   __ATOMIC_ACQUIRE);
}

void *memory_reserve(uint64_t size, uint64_t alignment)
{
	char *start, *aligned;

	start = mmap(NULL, size + alignment, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return NULL;
	aligned = (char *)align_up((uintptr_t)start, alignment);
	if (aligned != start)
		munmap(start, aligned - start);
	munmap(aligned + size, start + alignment - aligned);
	return aligned;
}
