/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_VMEM_TEST_SLOWNESS_H
#define KVM_VMEM_TEST_SLOWNESS_H

/*
 * How much longer than on a stock kernel's host a test may wait for what has to come, and
 * in how many fewer rounds it races. The Makefile's SLOWNESS says so for a debug kernel.
 */
#ifndef SLOWNESS
#define SLOWNESS 1
#endif

#endif /* KVM_VMEM_TEST_SLOWNESS_H */
