/* SPDX-License-Identifier: GPL-2.0 */
/* A guest that runs a guest of its own. */
#ifndef KVM_VMEM_BENCH_NESTED_H
#define KVM_VMEM_BENCH_NESTED_H

#include "vm.h"

/**
 * nested_run() - have a guest run a guest of its own, for a moment
 * @vm: The VM; its vCPU is of no use afterwards
 *
 * With AMD's SVM and nested paging. What the nested guest does first, to fetch an
 * instruction, is a page fault of its host's page tables: then it has been there.
 *
 * Return: 0; -EOPNOTSUPP if KVM offers the guest no SVM; or another -errno.
 */
int nested_run(struct vm *vm);

#endif /* KVM_VMEM_BENCH_NESTED_H */
