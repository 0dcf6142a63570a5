/* SPDX-License-Identifier: GPL-2.0 */
/* A guest at work, which is migrated meanwhile. */
#ifndef MINI_WORK_H
#define MINI_WORK_H

#include "mini.h"

/* What is not as it was ends the machine. */
void __noreturn work_failed(const char *what, uint64_t n);

/* work_cpu.c: a pattern in every register of the CPU that lasts, and in its APIC. */
void registers_set(void);
void registers_check(void);

/* work_clock.c: counters and clocks that may not go back. */
void clocks_set(void);
void clocks_check(void);

#endif /* MINI_WORK_H */
