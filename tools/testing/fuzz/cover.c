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
#include "run.h"

#define KCOV_PATH	"/sys/kernel/debug/kcov"
#define TEXT_PATH	"/sys/module/kvm_vmem/sections/.text"

/* In words. A program that comes by more places is cut off. */
#define TRACE_WORDS	(64 << 10)

/* Marks of ours in a trace; the places of a kernel have the upper bits set. */
#define MARK		(1ULL << 62)
#define MARK_RESULT	(1ULL << 61)

/* The upper bits of a feature say what it is. */
#define FEATURE_PLACE	(1ULL << 62)
#define FEATURE_STEP	(2ULL << 62)
#define FEATURE_RESULT	(3ULL << 62)
#define FEATURE_MASK	(3ULL << 62)

static struct {
	int fd;
	uint64_t *trace;
} traces[NB_THREADS];

/* Of the calling thread. */
static __thread uint64_t *trace;

bool cover_open(void)
{
	int fd = open(KCOV_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	for (unsigned int i = 0; i < NB_THREADS; i++) {
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
	for (unsigned int i = 0; i < NB_THREADS && traces[i].trace; i++)
		traces[i].trace[0] = 0;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	a = (a ^ (b << 1) ^ (b >> 63)) * 0x9e3779b97f4a7c15ULL;
	return a ^ a >> 29;
}

static bool is_mark(uint64_t word)
{
	return !(word >> 63) && (word & MARK);
}

static void add(struct features *features, uint64_t feature)
{
	features->features[features->nb++] = feature;
}

static void add_trace(struct features *features, const uint64_t *words)
{
	uint64_t nb = at_most(words[0], TRACE_WORDS - 1), before = 0;

	for (uint64_t i = 1; i <= nb; i++) {
		uint64_t word = words[i];

		if (is_mark(word) && (word & MARK_RESULT)) {
			add(features, FEATURE_RESULT | (word & 0xfffff));
		} else if (!is_mark(word)) {
			add(features, FEATURE_PLACE | (word & ~FEATURE_MASK));
			add(features, FEATURE_STEP | (mix(before, word) & ~FEATURE_MASK));
		}
		before = word;
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

	return first < second ? -1 : first > second;
}

static struct features allocate(size_t most)
{
	struct features features = { calloc(most + 1, sizeof(uint64_t)), 0 };

	if (!features.features)
		abort();
	return features;
}

struct features cover_end(void)
{
	struct features features;
	size_t most = 0, nb = 0;

	for (unsigned int i = 0; i < NB_THREADS && traces[i].trace; i++)
		most += 2 * at_most(traces[i].trace[0], TRACE_WORDS);
	features = allocate(most);
	for (unsigned int i = 0; i < NB_THREADS && traces[i].trace; i++)
		add_trace(&features, traces[i].trace);
	qsort(features.features, features.nb, sizeof(uint64_t), compare);
	for (size_t i = 0; i < features.nb; i++)
		if (!i || features.features[i] != features.features[i - 1])
			features.features[nb++] = features.features[i];
	features.nb = nb;
	return features;
}

void features_free(struct features *features)
{
	free(features->features);
	*features = (struct features){ 0 };
}

bool features_include(const struct features *a, const struct features *b)
{
	size_t i = 0;

	for (size_t j = 0; j < b->nb; j++) {
		while (i < a->nb && a->features[i] < b->features[j])
			i++;
		if (i == a->nb || a->features[i] != b->features[j])
			return false;
	}
	return true;
}

struct features features_common(const struct features *a, const struct features *b)
{
	struct features common = allocate(a->nb);
	size_t i = 0;

	for (size_t j = 0; j < b->nb; j++) {
		while (i < a->nb && a->features[i] < b->features[j])
			i++;
		if (i < a->nb && a->features[i] == b->features[j])
			add(&common, b->features[j]);
	}
	return common;
}

size_t features_places(const struct features *features)
{
	size_t nb = 0;

	for (size_t i = 0; i < features->nb; i++)
		nb += (features->features[i] & FEATURE_MASK) == FEATURE_PLACE;
	return nb;
}

/* A hash table with room for far more than the module can have. */
#define KNOWN_SIZE (1U << 18)

static uint64_t known[KNOWN_SIZE];
static size_t nb_known, nb_places, nb_steps;

/* Where it is, or would be. */
static uint64_t *find(uint64_t feature)
{
	size_t i = mix(feature, 0) % KNOWN_SIZE;

	while (known[i] && known[i] != feature)
		i = (i + 1) % KNOWN_SIZE;
	return &known[i];
}

struct features features_unknown(const struct features *features)
{
	struct features unknown = allocate(features->nb);

	for (size_t i = 0; i < features->nb; i++)
		if (!*find(features->features[i]))
			add(&unknown, features->features[i]);
	return unknown;
}

void features_learn(const struct features *features)
{
	for (size_t i = 0; i < features->nb; i++) {
		uint64_t feature = features->features[i];

		if (*find(feature) || nb_known == KNOWN_SIZE / 2)
			continue;
		*find(feature) = feature;
		nb_known++;
		nb_places += (feature & FEATURE_MASK) == FEATURE_PLACE;
		nb_steps += (feature & FEATURE_MASK) == FEATURE_STEP;
	}
}

void features_forget(void)
{
	memset(known, 0, sizeof(known));
	nb_known = nb_places = nb_steps = 0;
}

size_t cover_nb_places(void)
{
	return nb_places;
}

size_t cover_nb_steps(void)
{
	return nb_steps;
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

struct features cover_known_places(void)
{
	struct features places = allocate(nb_places);

	for (size_t i = 0; i < KNOWN_SIZE; i++)
		if ((known[i] & FEATURE_MASK) == FEATURE_PLACE && places.nb < nb_places)
			add(&places, known[i]);
	return places;
}
