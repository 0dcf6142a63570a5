// SPDX-License-Identifier: GPL-2.0
/*
 * What the stock guest does with its memory.
 *
 *   memory fill FILE SIZE SEED     fill FILE with a pattern
 *   memory verify FILE SIZE SEED   is the pattern still there, in every byte?
 *   memory busy SIZE FILE [MS]     write to SIZE of memory, page by page, until
 *                                  killed; FILE says how many rounds were done; MS
 *                                  milliseconds between rounds
 *
 * A file on a tmpfs is memory that stays when the program has ended, and that the
 * kernel takes from what was plugged first (ZONE_MOVABLE). SIZE may end in K, M or G.
 * Exit status: 0 done; 1 the pattern is not there; 2 it could not be done.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_SIZE 4096ULL
#define WORDS (PAGE_SIZE / sizeof(uint64_t))
/* Of one write() or read(): a huge page. */
#define CHUNK (512 * PAGE_SIZE)

static uint64_t parse(const char *text)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (*end == 'K')
		value <<= 10;
	else if (*end == 'M')
		value <<= 20;
	else if (*end == 'G')
		value <<= 30;
	if (errno || end == text || (*end && end[1]))
		errx(2, "not a number: %s", text);
	return value;
}

static uint64_t parse_size(const char *text)
{
	uint64_t size = parse(text);

	if (!size || size % PAGE_SIZE)
		errx(2, "not a multiple of %llu bytes: %s", PAGE_SIZE, text);
	return size;
}

/* No two pages, and no two words of a page, are alike. */
static void fill_page(uint64_t *page, uint64_t number, uint64_t seed)
{
	uint64_t first = (number + 1) * 0x9e3779b97f4a7c15 + seed * 0xd1b54a32d192ed03;
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		page[i] = first + i * 0xbf58476d1ce4e5b9;
}

static void fill_chunk(uint64_t *chunk, uint64_t offset, uint64_t seed)
{
	uint64_t i;

	for (i = 0; i < CHUNK / PAGE_SIZE; i++)
		fill_page(chunk + i * WORDS, offset / PAGE_SIZE + i, seed);
}

static uint64_t chunk_at(uint64_t offset, uint64_t size)
{
	return size - offset < CHUNK ? size - offset : CHUNK;
}

static int fill(const char *file, uint64_t size, uint64_t seed)
{
	static uint64_t chunk[CHUNK / sizeof(uint64_t)];
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint64_t offset;

	if (fd < 0)
		err(2, "%s", file);
	for (offset = 0; offset < size; offset += CHUNK) {
		ssize_t length = chunk_at(offset, size);

		fill_chunk(chunk, offset, seed);
		if (write(fd, chunk, length) != length)
			err(2, "%s: writing at %llu", file, (unsigned long long)offset);
	}
	return 0;
}

static int verify(const char *file, uint64_t size, uint64_t seed)
{
	static uint64_t is[CHUNK / sizeof(uint64_t)], expected[CHUNK / sizeof(uint64_t)];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	uint64_t offset, i;

	if (fd < 0)
		err(2, "%s", file);
	for (offset = 0; offset < size; offset += CHUNK) {
		ssize_t length = chunk_at(offset, size);

		if (read(fd, is, length) != length)
			errx(1, "%s: ends before %llu", file,
			     (unsigned long long)(offset + length));
		fill_chunk(expected, offset, seed);
		if (!memcmp(is, expected, length))
			continue;
		for (i = 0; is[i] == expected[i]; i++)
			;
		errx(1, "%s: at %llu is 0x%llx, not 0x%llx", file,
		     (unsigned long long)(offset + i * sizeof(*is)),
		     (unsigned long long)is[i], (unsigned long long)expected[i]);
	}
	return 0;
}

static void say_rounds(int fd, uint64_t rounds)
{
	char text[24];
	int length = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)rounds);

	if (pwrite(fd, text, length, 0) != length)
		err(2, "saying how many rounds were done");
}

static void write_forever(volatile char *memory, uint64_t size, uint64_t pause_ms, int fd,
			  int done)
{
	uint64_t offset, round;

	for (round = 1;; round++) {
		for (offset = 0; offset < size; offset += PAGE_SIZE)
			memory[offset] = round;
		say_rounds(fd, round);
		if (round == 1 && write(done, "", 1) != 1)
			err(2, "saying that it is busy");
		usleep(pause_ms * 1000);
	}
}

/* Returns when every page was written to once; a child goes on. */
static int busy(uint64_t size, const char *file, uint64_t pause_ms)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *memory;
	int done[2];
	char byte;

	if (fd < 0)
		err(2, "%s", file);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		err(2, "mapping %llu bytes", (unsigned long long)size);
	if (madvise(memory, size, MADV_NOHUGEPAGE))
		err(2, "asking for small pages");
	if (pipe(done))
		err(2, "pipe");

	switch (fork()) {
	case -1:
		err(2, "fork");
	case 0:
		setsid();
		write_forever(memory, size, pause_ms, fd, done[1]);
	}
	close(done[1]);
	/* It may be killed for want of memory before. */
	if (read(done[0], &byte, 1) != 1)
		errx(2, "it ended in its first round");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "fill"))
		return fill(argv[2], parse_size(argv[3]), parse(argv[4]));
	if (argc == 5 && !strcmp(argv[1], "verify"))
		return verify(argv[2], parse_size(argv[3]), parse(argv[4]));
	if ((argc == 4 || argc == 5) && !strcmp(argv[1], "busy"))
		return busy(parse_size(argv[2]), argv[3], argc == 5 ? parse(argv[4]) : 0);
	errx(2, "usage: memory fill|verify FILE SIZE SEED | busy SIZE FILE [MS]");
}
