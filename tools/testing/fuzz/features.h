/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a program is worth are its features: places of the module, steps from one to the
 * next, and results of calls. Sets of them, and those that are known.
 */
#ifndef FUZZ_FEATURES_H
#define FUZZ_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The upper bits of a feature say what it is. */
#define FEATURE_PLACE	(1ULL << 62)
#define FEATURE_STEP	(2ULL << 62)
#define FEATURE_RESULT	(3ULL << 62)
#define FEATURE_MASK	(3ULL << 62)

/**
 * struct features - a set of features
 * @features: In ascending order
 * @nb: How many
 */
struct features {
	uint64_t *features;
	size_t nb;
};

/* An empty set with room for @most, and what is put into it in any order, any number of times. */
struct features features_allocate(size_t most);
void features_add(struct features *features, uint64_t feature);
/* As it has to be from then on. */
void features_sort(struct features *features);
/* A number that stands for two. */
uint64_t features_mix(uint64_t a, uint64_t b);

void features_free(struct features *features);
/* Those that are not yet known. */
struct features features_unknown(const struct features *features);
/* Those that are in both. */
struct features features_common(const struct features *a, const struct features *b);
/* Whether @a has all of @b. */
bool features_include(const struct features *a, const struct features *b);
/* How many are places. */
size_t features_places(const struct features *features);
/* From now on they are known. */
void features_learn(const struct features *features);
/* Forgets what is known. */
void features_forget(void);

/* How much is known, and all places of it. */
size_t features_nb_places(void);
size_t features_nb_steps(void);
struct features features_known_places(void);

#endif /* FUZZ_FEATURES_H */
