/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory: where the guest's physical addresses are in this process.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#define MEMORY_MAX_RANGES 16
#define MEMORY_PAGE 4096ULL

/**
 * struct memory_range - guest memory that is contiguous here and there
 * @gpa: Guest physical address
 * @size: In bytes
 * @hva: Where it is in this process
 * @accessible: Whether @size bytes from @gpa on may be touched; NULL: always
 * @owner: What @accessible gets
 * @written: A bit for each page that a device wrote to; NULL: nobody wants to know
 */
struct memory_range {
	uint64_t gpa;
	uint64_t size;
	char *hva;
	bool (*accessible)(void *owner, uint64_t gpa, uint64_t size);
	void *owner;
	uint64_t *written;
};

/**
 * struct guest_memory - all memory that a device may read and write
 * @ranges: In no order, without overlap
 * @nb_ranges: How many
 */
struct guest_memory {
	struct memory_range ranges[MEMORY_MAX_RANGES];
	unsigned int nb_ranges;
};

/**
 * memory_add() - add a range
 * @memory: The memory
 * @range: What to add; copied. There is room, as options.c sees to it
 */
void memory_add(struct guest_memory *memory, const struct memory_range *range);

/**
 * memory_at() - translate an address that the guest gave
 * @memory: The memory
 * @gpa: Any value
 * @size: Bytes from @gpa on, any value but 0
 *
 * What it returns is good until the guest's next request is handled, which may
 * unplug it: addresses are translated anew for each use. All queues are handled
 * by one thread, so that none unplugs the memory under another.
 *
 * Return: the address, or NULL unless all of it is in one range and accessible
 */
void *memory_at(const struct guest_memory *memory, uint64_t gpa, uint64_t size);

/**
 * memory_written() - say that a device wrote to guest memory
 * @memory: The memory
 * @gpa: Where; it was translated by memory_at()
 * @size: How many bytes, not 0
 *
 * Called after the write: who sends the page meanwhile learns that it has to be sent
 * once more. KVM knows what the guest writes, and nobody what a device does.
 */
void memory_written(const struct guest_memory *memory, uint64_t gpa, uint64_t size);

/**
 * memory_log_written() - note what devices write, or stop it
 * @memory: The memory
 * @enable: Whether to
 *
 * From the thread that handles the queues.
 *
 * Return: 0, or -ENOMEM: then nothing is noted
 */
int memory_log_written(struct guest_memory *memory, bool enable);

/**
 * memory_fetch_written() - what devices wrote to since the last time
 * @range: A range of memory whose writes are noted
 * @start: Offset in it, in bytes; a multiple of 64 pages
 * @end: Likewise of the end, which is rounded up
 * @pages: A bit for each page of the range; those of written ones are set
 */
void memory_fetch_written(const struct memory_range *range, uint64_t start, uint64_t end,
			  uint64_t *pages);

/**
 * memory_bitmap() - make a bitmap of the pages of a range
 * @range: The range
 *
 * It takes memory only where it is written to.
 *
 * Return: the bitmap, all zeros; or NULL
 */
uint64_t *memory_bitmap(const struct memory_range *range);

/* Frees it; NULL is none. */
void memory_bitmap_free(const struct memory_range *range, uint64_t *bitmap);

/**
 * memory_reserve() - find room for a mapping
 * @size: In bytes
 * @alignment: Power of two, at least a page. Guest memory is best aligned to 1
 *	GiB, so that KVM may map it by pages as large as that
 *
 * Return: an inaccessible mapping to be replaced with MAP_FIXED, or NULL
 */
void *memory_reserve(uint64_t size, uint64_t alignment);

#endif /* MEMORY_H */
