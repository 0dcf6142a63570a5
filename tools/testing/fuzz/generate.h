/* SPDX-License-Identifier: GPL-2.0 */
/* Programs at random, and random changes to programs. */
#ifndef FUZZ_GENERATE_H
#define FUZZ_GENERATE_H

#include "program.h"

/* A new program. */
void generate(struct program *program);

/* A new call for the place @at of a program. */
void generate_call(struct call *call, const struct program *program, unsigned int at);

/* A new value for argument @i of a call at place @at. */
void generate_arg(struct call *call, unsigned int i, const struct program *program,
		  unsigned int at);

/* Changes a program a little; @other is one to take parts from. */
void mutate(struct program *program, const struct program *other);

/* Takes a call out, or puts one in if there is room. */
void program_remove(struct program *program, unsigned int at);
struct call *program_insert(struct program *program, unsigned int at);

#endif /* FUZZ_GENERATE_H */
