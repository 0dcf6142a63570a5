// SPDX-License-Identifier: GPL-2.0
#include <assert.h>
#include <sys/mman.h>

#include "memory.h"
#include "vmm.h"

void memory_add(struct guest_memory *memory, const struct memory_range *range)
{
	assert(memory->nb_ranges < MEMORY_MAX_RANGES);
	memory->ranges[memory->nb_ranges++] = *range;
}

void *memory_at(const struct guest_memory *memory, uint64_t gpa, uint64_t size)
{
	for (unsigned int i = 0; i < memory->nb_ranges; i++) {
		const struct memory_range *range = &memory->ranges[i];

		/* Without a sum that may overflow. */
		if (gpa < range->gpa || gpa - range->gpa >= range->size ||
		    size > range->size - (gpa - range->gpa))
			continue;
		if (range->accessible && !range->accessible(range->owner, gpa, size))
			return NULL;
		return range->hva + (gpa - range->gpa);
	}
	return NULL;
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
