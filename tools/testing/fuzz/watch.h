/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What becomes of the host: whether the kernel complains of something, and whether all
 * that a program had is gone after it.
 */
#ifndef FUZZ_WATCH_H
#define FUZZ_WATCH_H

#include <stdbool.h>

/* From here on. Returns false if this host cannot be watched. */
bool watch_begin(void);

/* After a program, all of whose processes are gone. Returns NULL, or what is wrong. */
const char *watch_finding(void);

/* Whether a line of the kernel's log is a complaint. */
bool watch_is_complaint(const char *line);

/* What operators and programs may have changed is as it was. */
void watch_restore(void);

/* Has the kernel trace all that the module does. */
void watch_trace(void);

/* Says where processes of this program are stuck. */
void watch_print_stacks(void);

#endif /* FUZZ_WATCH_H */
