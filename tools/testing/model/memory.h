/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory as it should be: which words were written, and which pages are there.
 */
#ifndef VMEM_MODEL_MEMORY_H
#define VMEM_MODEL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_PAGE	4096ULL
#define MEMORY_CHUNK	(2ULL << 20)	/* a huge page */

/**
 * enum memory_pages - how the host may back it
 * @PAGES_SMALL: A page for each that is touched
 * @PAGES_EITHER: Or a huge page around it, as the host likes
 * @PAGES_HUGE: Always a huge page
 */
enum memory_pages {
	PAGES_SMALL,
	PAGES_EITHER,
	PAGES_HUGE,
};

struct memory_chunk;

/**
 * struct memory - some memory
 * @pages: How it is backed
 * @nr: How many chunks have something in them
 * @room: How many fit into @chunks
 * @chunks: Those chunks, in ascending order
 */
struct memory {
	enum memory_pages pages;
	size_t nr;
	size_t room;
	struct memory_chunk **chunks;
};

/* Touches the page; @offset is a multiple of 8. */
uint64_t memory_read(struct memory *memory, uint64_t offset);
void memory_write(struct memory *memory, uint64_t offset, uint64_t value);
/* Touches all pages of a range. */
void memory_populate(struct memory *memory, uint64_t offset, uint64_t size);
/* Whole pages are gone and read as zero; of huge pages, whole ones. */
void memory_discard(struct memory *memory, uint64_t offset, uint64_t size);
bool memory_has_page(const struct memory *memory, uint64_t offset);
/* Whether any page of a range may be there. */
bool memory_is_there(const struct memory *memory, uint64_t offset, uint64_t size);
/* How much the host has given, in bytes: at least and at most. */
void memory_resident(const struct memory *memory, uint64_t *min, uint64_t *max);
/* All is gone. */
void memory_free(struct memory *memory);

#endif /* VMEM_MODEL_MEMORY_H */
