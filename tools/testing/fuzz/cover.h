/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Coverage, by KCOV: which instructions of the module each thread came by, in which call.
 * The module is all that the debug kernel counts (LAB_COVERAGE=kcov).
 */
#ifndef FUZZ_COVER_H
#define FUZZ_COVER_H

#include <stdbool.h>

#include "features.h"

/* In place of the number of a call: the end of a program. */
#define COVER_END 0xff

/* Once, before processes are forked. Without KCOV it returns false, and nothing is covered. */
bool cover_open(void);

/*
 * In a process that runs a program: of thread @number, from here on. NB_THREADS is a fork of
 * the process; of several only one is recorded.
 */
void cover_thread(unsigned int number);
/* Around a call in a thread. */
void cover_call(unsigned int number);
void cover_result(unsigned int number, long result);

/* In the one that watches: before and after a program. */
void cover_begin(void);
struct features cover_end(void);

/* Prints places as offsets in the module's text. */
void cover_print_places(const char *prefix, const struct features *features);

#endif /* FUZZ_COVER_H */
