/* SPDX-License-Identifier: GPL-2.0 */
/* Programs in processes of their own, watched. */
#ifndef FUZZ_EXECUTE_H
#define FUZZ_EXECUTE_H

#include <stdint.h>

#include "cover.h"
#include "program.h"

/**
 * execute_program() - run a program to its end, or until it takes too long
 * @program: The program
 *
 * It is printed first, so that the log has it whatever becomes of the host. If something
 * is found, that and the last programs are printed, and this program ends.
 *
 * Return: what it came by, for features_free()
 */
struct features execute_program(const struct program *program);

/* How many there were, and how many of them took too long. */
extern uint64_t nb_executed, nb_ended;

#endif /* FUZZ_EXECUTE_H */
