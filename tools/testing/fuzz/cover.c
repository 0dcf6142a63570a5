// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kcov.h>

#include "cover.h"
#include "features.h"
#include "run.h"

#define KCOV_PATH	"/sys/kernel/debug/kcov"
#define TEXT_PATH	"/sys/module/kvm_vmem/sections/.text"

/* In words. A program that comes by more places is cut off. */
#define TRACE_WORDS	(64 << 10)

/* Marks of ours in a trace; the places of a kernel have the upper bits set. */
#define MARK		(1ULL << 62)
#define MARK_RESULT	(1ULL << 61)

/* Of the threads, and of a fork of the process. */
#define NB_TRACES	(NB_THREADS + 1)

static struct {
	int fd;
	uint64_t *trace;
} traces[NB_TRACES];

/* Of the calling thread. */
static __thread uint64_t *trace;

bool cover_open(void)
{
	int fd = open(KCOV_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	for (unsigned int i = 0; i < NB_TRACES; i++) {
		void *memory;

		traces[i].fd = open(KCOV_PATH, O_RDWR | O_CLOEXEC);
		if (traces[i].fd < 0 || ioctl(traces[i].fd, KCOV_INIT_TRACE, TRACE_WORDS))
			err(2, KCOV_PATH);
		memory = mmap(NULL, TRACE_WORDS * sizeof(uint64_t), PROT_READ | PROT_WRITE,
			      MAP_SHARED, traces[i].fd, 0);
		if (memory == MAP_FAILED)
			err(2, KCOV_PATH);
		traces[i].trace = memory;
	}
	return true;
}

void cover_thread(unsigned int number)
{
	trace = NULL;
	if (traces[number].trace && !ioctl(traces[number].fd, KCOV_ENABLE, KCOV_TRACE_PC))
		trace = traces[number].trace;
}

/* The kernel appends to it only while this thread is in the kernel. */
static void append(uint64_t word)
{
	uint64_t used;

	if (!trace)
		return;
	used = trace[0] + 1;
	if (used < TRACE_WORDS) {
		trace[used] = word;
		trace[0] = used;
	}
}

void cover_call(unsigned int number)
{
	append(MARK | number);
}

void cover_result(unsigned int number, long result)
{
	/* Files and sizes are as good as any other. */
	append(MARK | MARK_RESULT | number | (result < 0 ? -result & 0xfff : 0) << 8);
}

void cover_begin(void)
{
	for (unsigned int i = 0; i < NB_TRACES && traces[i].trace; i++)
		traces[i].trace[0] = 0;
}

static bool is_mark(uint64_t word)
{
	return !(word >> 63) && (word & MARK);
}

static void add_trace(struct features *features, const uint64_t *words)
{
	uint64_t nb = at_most(words[0], TRACE_WORDS - 1), before = 0;

	for (uint64_t i = 1; i <= nb; i++) {
		uint64_t word = words[i];

		if (is_mark(word) && (word & MARK_RESULT)) {
			features_add(features, FEATURE_RESULT | (word & 0xfffff));
		} else if (!is_mark(word)) {
			features_add(features, FEATURE_PLACE | (word & ~FEATURE_MASK));
			features_add(features, FEATURE_STEP |
					       (features_mix(before, word) & ~FEATURE_MASK));
		}
		before = word;
	}
}

struct features cover_end(void)
{
	struct features features;
	size_t most = 0;

	for (unsigned int i = 0; i < NB_TRACES && traces[i].trace; i++)
		most += 2 * at_most(traces[i].trace[0], TRACE_WORDS);
	features = features_allocate(most);
	for (unsigned int i = 0; i < NB_TRACES && traces[i].trace; i++)
		add_trace(&features, traces[i].trace);
	features_sort(&features);
	return features;
}

static uint64_t module_text(void)
{
	unsigned long long text = 0;
	FILE *file = fopen(TEXT_PATH, "re");

	if (file && fscanf(file, "%llx", &text) != 1)
		text = 0;
	if (file)
		fclose(file);
	return text;
}

void cover_print_places(const char *prefix, const struct features *features)
{
	static uint64_t text;

	if (!text)
		text = module_text() & ~FEATURE_MASK;
	printf("%s", prefix);
	for (size_t i = 0; i < features->nb; i++)
		if ((features->features[i] & FEATURE_MASK) == FEATURE_PLACE)
			printf(" 0x%llx", (unsigned long long)
			       ((features->features[i] & ~FEATURE_MASK) - text));
	printf("\n");
}
