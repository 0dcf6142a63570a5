/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel keeps for each CPU, a process has to be there for. */
#ifndef KVM_VMEM_TEST_CPUS_H
#define KVM_VMEM_TEST_CPUS_H

/**
 * visit_cpus() - run on each CPU that the calling thread may run on, one after the other
 * @there: Called on each; may be NULL
 *
 * A CPU that has gone offline is left out. The thread may run on all of them again afterwards.
 *
 * Return: 0 or -errno.
 */
int visit_cpus(void (*there)(void));

#endif /* KVM_VMEM_TEST_CPUS_H */
