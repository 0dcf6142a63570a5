/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counts what KVM is really asked to do: a kprobe on the function by which KVM
 * sets a memory region. The module's own counter is not asked.
 */
#ifndef KVM_VMEM_TEST_TRACE_H
#define KVM_VMEM_TEST_TRACE_H

/* All return 0 or -errno; trace_count() how often KVM was called since start. */
int trace_start(void);
long trace_count(void);
void trace_stop(void);

#endif /* KVM_VMEM_TEST_TRACE_H */
