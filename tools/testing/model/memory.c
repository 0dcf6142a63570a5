// SPDX-License-Identifier: GPL-2.0
#include "memory.h"

#include <stdlib.h>
#include <string.h>

#define PAGES	(MEMORY_CHUNK / MEMORY_PAGE)

/**
 * struct memory_chunk - memory of the size of a huge page
 * @index: Its position
 * @nr: How many pages are touched
 * @pages: The words of a page; &zeroes if it was touched and never written, NULL if it
 *	was not touched
 */
struct memory_chunk {
	uint64_t index;
	unsigned int nr;
	uint64_t *pages[PAGES];
};

static uint64_t zeroes[MEMORY_PAGE / sizeof(uint64_t)];

/* Of the first chunk that is not before @index. */
static size_t find(const struct memory *memory, uint64_t index)
{
	size_t low = 0, high = memory->nr, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (memory->chunks[middle]->index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void *checked(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static struct memory_chunk *get_chunk(struct memory *memory, uint64_t index)
{
	size_t i = find(memory, index);

	if (i < memory->nr && memory->chunks[i]->index == index)
		return memory->chunks[i];
	if (memory->nr == memory->room) {
		memory->room = memory->room ? memory->room * 2 : 16;
		memory->chunks = checked(realloc(memory->chunks,
						 memory->room * sizeof(*memory->chunks)));
	}
	memmove(&memory->chunks[i + 1], &memory->chunks[i],
		(memory->nr - i) * sizeof(*memory->chunks));
	memory->nr++;
	memory->chunks[i] = checked(calloc(1, sizeof(struct memory_chunk)));
	memory->chunks[i]->index = index;
	return memory->chunks[i];
}

static uint64_t **touch(struct memory *memory, uint64_t offset)
{
	struct memory_chunk *chunk = get_chunk(memory, offset / MEMORY_CHUNK);
	uint64_t **page = &chunk->pages[offset % MEMORY_CHUNK / MEMORY_PAGE];

	if (!*page) {
		*page = zeroes;
		chunk->nr++;
	}
	return page;
}

uint64_t memory_read(struct memory *memory, uint64_t offset)
{
	return (*touch(memory, offset))[offset % MEMORY_PAGE / sizeof(uint64_t)];
}

/* gcc's analyzer loses a page in the table that touch() returns a place of. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
void memory_write(struct memory *memory, uint64_t offset, uint64_t value)
{
	uint64_t **page = touch(memory, offset), *words = *page;

	if (words == zeroes) {
		words = checked(calloc(1, MEMORY_PAGE));
		*page = words;
	}
	words[offset % MEMORY_PAGE / sizeof(uint64_t)] = value;
}

#pragma GCC diagnostic pop

void memory_populate(struct memory *memory, uint64_t offset, uint64_t size)
{
	uint64_t page = offset / MEMORY_PAGE, end = (offset + size) / MEMORY_PAGE;
	struct memory_chunk *chunk = NULL;

	for (; page < end; page++) {
		if (!chunk || page % PAGES == 0)
			chunk = get_chunk(memory, page / PAGES);
		if (chunk->pages[page % PAGES])
			continue;
		chunk->pages[page % PAGES] = zeroes;
		chunk->nr++;
	}
}

bool memory_has_page(const struct memory *memory, uint64_t offset)
{
	size_t i = find(memory, offset / MEMORY_CHUNK);

	return i < memory->nr && memory->chunks[i]->index == offset / MEMORY_CHUNK &&
	       memory->chunks[i]->pages[offset % MEMORY_CHUNK / MEMORY_PAGE];
}

static void drop_page(struct memory_chunk *chunk, unsigned int page)
{
	if (!chunk->pages[page])
		return;
	if (chunk->pages[page] != zeroes)
		free(chunk->pages[page]);
	chunk->pages[page] = NULL;
	chunk->nr--;
}

/*
 * Whether nothing of the chunk can be resident any more. What is left of a huge page of
 * which some was discarded is the host's business: it stays for as long as not all of it
 * was discarded at once.
 */
static bool discard_from(const struct memory *memory, struct memory_chunk *chunk, uint64_t first,
			 uint64_t end)
{
	bool whole = first == 0 && end == PAGES;

	if (memory->pages == PAGES_HUGE && !whole)
		return false;
	for (; first < end; first++)
		drop_page(chunk, first);
	return whole || (memory->pages == PAGES_SMALL && !chunk->nr);
}

void memory_discard(struct memory *memory, uint64_t offset, uint64_t size)
{
	uint64_t first = (offset + MEMORY_PAGE - 1) / MEMORY_PAGE;
	uint64_t end = (offset + size) / MEMORY_PAGE;
	struct memory_chunk *chunk;
	size_t i, kept;
	uint64_t base;

	kept = find(memory, first / PAGES);
	for (i = kept; i < memory->nr; i++) {
		chunk = memory->chunks[i];
		base = chunk->index * PAGES;
		if (base < end &&
		    discard_from(memory, chunk, first > base ? first - base : 0,
				 end - base < PAGES ? end - base : PAGES))
			free(chunk);
		else
			memory->chunks[kept++] = chunk;
	}
	memory->nr = kept;
}

bool memory_is_there(const struct memory *memory, uint64_t offset, uint64_t size)
{
	size_t i = find(memory, offset / MEMORY_CHUNK);

	return i < memory->nr && memory->chunks[i]->index * MEMORY_CHUNK < offset + size;
}

void memory_resident(const struct memory *memory, uint64_t *min, uint64_t *max)
{
	size_t i;

	*min = 0;
	for (i = 0; i < memory->nr; i++)
		*min += memory->chunks[i]->nr * MEMORY_PAGE;
	*max = memory->pages == PAGES_SMALL ? *min : memory->nr * MEMORY_CHUNK;
	if (memory->pages == PAGES_HUGE)
		*min = *max;
}

void memory_free(struct memory *memory)
{
	memory_discard(memory, 0, UINT64_MAX - MEMORY_PAGE);
	free(memory->chunks);
	memset(memory, 0, sizeof(*memory));
}
