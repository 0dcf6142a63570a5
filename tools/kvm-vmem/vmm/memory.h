/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory: where the guest's physical addresses are in this process.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#define MEMORY_MAX_RANGES 16

/**
 * struct memory_range - guest memory that is contiguous here and there
 * @gpa: Guest physical address
 * @size: In bytes
 * @hva: Where it is in this process
 * @accessible: Whether @size bytes from @gpa on may be touched; NULL: always
 * @owner: What @accessible gets
 */
struct memory_range {
	uint64_t gpa;
	uint64_t size;
	char *hva;
	bool (*accessible)(void *owner, uint64_t gpa, uint64_t size);
	void *owner;
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
 * memory_reserve() - find room for a mapping
 * @size: In bytes
 * @alignment: Power of two, at least a page. Guest memory is best aligned to 1
 *	GiB, so that KVM may map it by pages as large as that
 *
 * Return: an inaccessible mapping to be replaced with MAP_FIXED, or NULL
 */
void *memory_reserve(uint64_t size, uint64_t alignment);

#endif /* MEMORY_H */
