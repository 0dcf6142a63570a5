/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Failures to order: the kernel's fault injection. In a task of its own a test has the
 * n-th allocation or copy of whatever it calls next fail; in workers the n-th below a
 * function.
 *
 * Functions return 0 or -errno, unless said otherwise.
 */
#ifndef KVM_VMEM_TEST_FAIL_H
#define KVM_VMEM_TEST_FAIL_H

#include <stdbool.h>

/* What is made to fail: a mask. */
enum fail_kind {
	FAIL_SLAB = 1 << 0,
	FAIL_PAGES = 1 << 1,
	/* Copies from and to user space. */
	FAIL_COPIES = 1 << 2,
	FAIL_MEMORY = FAIL_SLAB | FAIL_PAGES,
};

/*
 * Only these, and only below a function of the kernel or a module, or anywhere if that is
 * NULL.
 */
int fail_choose(unsigned int kinds, const char *below);

/*
 * From the one to the other the n-th (from 1) in the calling task fails, then none any
 * more. fail_disarm() returns whether one failed.
 */
int fail_arm(unsigned int nth);
int fail_disarm(void);

/*
 * The same in whatever task, with one kind at a time and below a function. No other thread
 * of the test may allocate anything meanwhile.
 */
int fail_arm_elsewhere(unsigned int kind, unsigned int nth);
int fail_disarm_elsewhere(unsigned int kind);

#endif /* KVM_VMEM_TEST_FAIL_H */
