/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The corpus: programs that reached something first. It lies in files, as text, with one
 * program or more in each.
 */
#ifndef FUZZ_CORPUS_H
#define FUZZ_CORPUS_H

#include "cover.h"
#include "program.h"

/* All files of a directory. Ends the program if one is wrong. Returns how many programs. */
unsigned int corpus_read(const char *directory);

/* Runs all of them, and learns what they reach. */
void corpus_replay(void);

/*
 * Runs a program. If it reaches something new, and does so again, it is printed and kept;
 * if it reaches new places, made as small as it may be for that.
 */
void corpus_try(const struct program *program);

/* One of the corpus, or a new one if there is none. */
const struct program *corpus_pick(void);

unsigned int corpus_size(void);

/*
 * Of the programs from number @first on, prints as few as reach all new places that they all
 * do, each made as small as it may be, with the places that it is there for.
 */
void corpus_distill(unsigned int first);

/* The programs of one file. Ends the program if it is wrong. Returns how many. */
unsigned int corpus_read_file(const char *path);

#endif /* FUZZ_CORPUS_H */
