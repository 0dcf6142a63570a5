/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Coverage, by KCOV: which instructions of the module each thread came by, in which call.
 * The module is all that the debug kernel counts (LAB_COVERAGE=kcov).
 *
 * What a program is worth are its features: places of the module, steps from one to the
 * next, and results of calls.
 */
#ifndef FUZZ_COVER_H
#define FUZZ_COVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In place of the number of a call: the end of a program. */
#define COVER_END 0xff

/**
 * struct features - a set of features
 * @features: In ascending order
 * @nb: How many
 */
struct features {
	uint64_t *features;
	size_t nb;
};

/* Once, before processes are forked. Without KCOV it returns false, and nothing is covered. */
bool cover_open(void);

/* In a process that runs a program: of thread @number, from here on. */
void cover_thread(unsigned int number);
/* Around a call in a thread. */
void cover_call(unsigned int number);
void cover_result(unsigned int number, long result);

/* In the one that watches: before and after a program. */
void cover_begin(void);
struct features cover_end(void);

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

/* How much is known. */
size_t cover_nb_places(void);
size_t cover_nb_steps(void);
/* Prints the known places as offsets in the module's text. */
void cover_print_places(const char *prefix, const struct features *features);
struct features cover_known_places(void);

#endif /* FUZZ_COVER_H */
