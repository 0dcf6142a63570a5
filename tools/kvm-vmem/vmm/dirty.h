/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which pages of guest memory have yet to be sent: what KVM, the module and the devices
 * say was written to. Unplugged memory is never among them.
 */
#ifndef DIRTY_H
#define DIRTY_H

#include "memory.h"
#include "vmem.h"

/**
 * struct dirty_range - a range of guest memory
 * @range: The range
 * @vmem: The device that it is of; NULL: boot memory
 * @memslot: The memslot of boot memory
 * @log: Where KVM puts what was written to in that
 * @pages: A bit a page: what is to be sent. Of unplugged memory it means nothing
 */
struct dirty_range {
	struct memory_range *range;
	struct vmem *vmem;
	uint32_t memslot;
	uint64_t *log;
	uint64_t *pages;
};

/**
 * struct dirty - all guest memory
 * @ranges: As in machine.memory
 * @nb_ranges: How many
 */
struct dirty {
	struct dirty_range ranges[MEMORY_MAX_RANGES];
	unsigned int nb_ranges;
};

/**
 * dirty_start() - begin to log what is written to
 * @dirty: Filled in
 *
 * From the event loop. All virtio-mem devices are frozen, and stay so.
 *
 * Return: 0, or -errno: then nothing is logged
 */
int dirty_start(struct dirty *dirty);

/* From the event loop, when no thread uses it. */
void dirty_stop(struct dirty *dirty);

/* Adds all that may be anything but zero. Return: 0, or -errno. */
int dirty_add_all(struct dirty *dirty);

/* Adds what was written to since the last time. Return: 0, or -errno. */
int dirty_fetch(struct dirty *dirty);

/* How many pages there are to be sent. Return: -errno if that is not known. */
int64_t dirty_count(const struct dirty *dirty);

/**
 * dirty_next_memory() - find memory that is there
 * @range: The range
 * @offset: Where in it to begin
 * @start: Where the next begins at or after @offset
 * @end: Where it ends
 *
 * Return: 1, 0 (there is none), or -errno
 */
int dirty_next_memory(const struct dirty_range *range, uint64_t offset, uint64_t *start,
		      uint64_t *end);

/**
 * dirty_take() - take pages that follow each other off those to be sent
 * @range: The range
 * @page: Where in it to look, and then the first of them
 * @end: Where to stop
 * @most: How many at most
 *
 * Return: how many; 0 if there are none
 */
uint64_t dirty_take(struct dirty_range *range, uint64_t *page, uint64_t end, uint64_t most);

#endif /* DIRTY_H */
