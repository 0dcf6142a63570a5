/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tests of the end have in common: to remove the module and load it again, and to
 * wait for processes and for what they leave.
 */
#ifndef KVM_VMEM_TEST_ENDING_H
#define KVM_VMEM_TEST_ENDING_H

#include <stdbool.h>

/* Without waiting: 0, -EAGAIN while it is in use, or -errno. */
int module_remove(void);
int module_load(void);

/* Until it is removed, for a minute at most. 0, or the last error. */
int module_remove_soon(void);

/*
 * All children are dead, and their orphans, if adopt_orphans() was called before.
 * Forgets them.
 */
int adopt_orphans(void);
bool all_dead(void);

/* A number in the environment. */
unsigned int environment(const char *name, unsigned int otherwise);

/* The next of the random numbers that @seed begins, below @nr. */
unsigned int pick(unsigned int *seed, unsigned int nr);

/* No device is left, nor anybody who uses the module; which may take its time. */
bool all_gone(void);

#endif /* KVM_VMEM_TEST_ENDING_H */
