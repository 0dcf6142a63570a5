// SPDX-License-Identifier: GPL-2.0
/*
 * What the stock guest does with its memory.
 *
 *   memory fill FILE SIZE SEED     fill FILE with a pattern
 *   memory verify FILE SIZE SEED   is the pattern still there, in every byte?
 *   memory busy SIZE FILE [MS]     write to SIZE of memory, page by page, until
 *                                  killed; FILE says how many rounds were done; MS
 *                                  milliseconds between rounds
 *   memory churn SIZE FILE MS      look at pages of SIZE of memory and change them, 64
 *                                  in MS milliseconds, until told to end
 *   memory churned FILE            have it end: was each page as it had been left?
 *
 * A file on a tmpfs is memory that stays when the program has ended, and that the
 * kernel takes from what was plugged first (ZONE_MOVABLE). SIZE may end in K, M or G.
 * Exit status: 0 done; 1 the pattern is not there; 2 it could not be done.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
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
	close(fd);
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
	close(fd);
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
	close(done[0]);
	close(fd);
	return 0;
}

/* A page that is changed now and then, and is zero every eighth time. */
static void churn_page(uint64_t *page, uint64_t number, uint32_t generation)
{
	if (generation % 8)
		fill_page(page, number, generation);
	else
		memset(page, 0, PAGE_SIZE);
}

struct churn {
	uint64_t *memory;
	uint32_t *generations;
	uint64_t nr_pages, nr_changes, nr_bad;
};

static void check_page(struct churn *churn, uint64_t number)
{
	uint64_t expected[WORDS];

	churn_page(expected, number, churn->generations[number]);
	churn->nr_bad += !!memcmp(expected, churn->memory + number * WORDS, PAGE_SIZE);
}

static void change_page(struct churn *churn, uint64_t number)
{
	churn_page(churn->memory + number * WORDS, number, ++churn->generations[number]);
	churn->nr_changes++;
}

static void say_churned(const struct churn *churn, const char *file)
{
	FILE *out = fopen(file, "w");

	if (!out || fprintf(out, "%llu changes, %llu bad pages\n",
			    (unsigned long long)churn->nr_changes,
			    (unsigned long long)churn->nr_bad) < 0 || fclose(out))
		err(2, "%s", file);
}

/* Ends when FILE is gone, and says what there was in FILE.end. */
static void churn_until_told(struct churn *churn, const char *file, uint64_t pause_ms)
{
	uint64_t state = 88172645463325252ULL, number, i;
	char end[4096];

	snprintf(end, sizeof(end), "%s.end", file);
	while (!access(file, F_OK)) {
		for (i = 0; i < 64; i++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			number = state % churn->nr_pages;
			check_page(churn, number);
			change_page(churn, number);
		}
		usleep(pause_ms * 1000);
	}
	for (number = 0; number < churn->nr_pages; number++)
		check_page(churn, number);
	say_churned(churn, end);
}

/* Returns when every page was written to once; a child goes on. */
static int churn(uint64_t size, const char *file, uint64_t pause_ms)
{
	struct churn churn = { .nr_pages = size / PAGE_SIZE };
	uint64_t number;

	churn.memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	churn.generations = calloc(churn.nr_pages, sizeof(*churn.generations));
	if (churn.memory == MAP_FAILED || !churn.generations)
		err(2, "no memory");
	for (number = 0; number < churn.nr_pages; number++)
		change_page(&churn, number);
	say_churned(&churn, file);
	switch (fork()) {
	case -1:
		err(2, "fork");
	case 0:
		setsid();
		churn_until_told(&churn, file, pause_ms);
		exit(0);
	}
	free(churn.generations);
	return 0;
}

static int churned(const char *file)
{
	unsigned long long nr_changes, nr_bad;
	char end[4096];
	bool is_complete;
	FILE *in;

	snprintf(end, sizeof(end), "%s.end", file);
	if (unlink(file))
		err(2, "%s", file);
	while (access(end, F_OK))
		usleep(10000);
	/* It is there before it is complete. */
	do {
		in = fopen(end, "r");
		if (!in)
			err(2, "%s", end);
		is_complete = fscanf(in, "%llu changes, %llu bad pages", &nr_changes, &nr_bad) == 2;
		fclose(in);
		if (!is_complete)
			usleep(10000);
	} while (!is_complete);
	printf("%llu changes, %llu bad pages\n", nr_changes, nr_bad);
	return !!nr_bad;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "fill"))
		return fill(argv[2], parse_size(argv[3]), parse(argv[4]));
	if (argc == 5 && !strcmp(argv[1], "verify"))
		return verify(argv[2], parse_size(argv[3]), parse(argv[4]));
	if ((argc == 4 || argc == 5) && !strcmp(argv[1], "busy"))
		return busy(parse_size(argv[2]), argv[3], argc == 5 ? parse(argv[4]) : 0);
	if (argc == 5 && !strcmp(argv[1], "churn"))
		return churn(parse_size(argv[2]), argv[3], parse(argv[4]));
	if (argc == 3 && !strcmp(argv[1], "churned"))
		return churned(argv[2]);
	errx(2, "usage: memory fill|verify FILE SIZE SEED | busy SIZE FILE [MS]\n"
	     "              churn SIZE FILE MS | churned FILE");
}
