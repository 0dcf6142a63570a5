/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a region costs before its guest has run: memory and time, as memslots that a VMM
 * makes itself, and as a device of the module's. For the demo and the benchmarks.
 *
 * The memory is what the kernel charges to a memory control group of the VMM's
 * own, from before the device is opened until the plugged part is usable. KVM's metadata
 * is charged there (GFP_KERNEL_ACCOUNT) and so is all that the module allocates
 * for a device. memory.current is exact but for pages that a CPU has charged in
 * advance, up to 64, which would drown the group; lowering memory.high below it
 * makes the kernel give those back first. (memory.stat is no help: its fields are
 * summed up only every so often.) The guest has not run yet, so that neither guest
 * memory nor page tables are part of it.
 *
 * The time is that of the ioctls. Code that runs for the first time is slow under
 * emulation, so all is gone through once before, with a small region.
 *
 * All functions end the process if anything fails that is not said to be returned.
 */
#ifndef KVM_VMEM_DEMO_METADATA_H
#define KVM_VMEM_DEMO_METADATA_H

#include <stdbool.h>
#include <stdint.h>

#include "vmem.h"

#define METADATA_ADDR (4 * GiB)

/**
 * struct metadata_vm - a VM with a region
 * @vm: The VM, of one vCPU
 * @backing: The region's memory
 * @dev: The device, or -1
 */
struct metadata_vm {
	struct vm vm;
	struct backing backing;
	int dev;
};

/**
 * struct metadata - what is measured, and what it was
 * @smm: The guest has SMM: KVM's second address space
 * @region_size: Size of the region
 * @plugged_size: How much of it is plugged, from its start
 * @memslot_size: Of the memslots that cover what is plugged; 0: the module's
 * @backing: Where the memory comes from; for the module alone the device's own
 * @then: What is done afterwards, or NULL; may fill @more_kib
 * @error: 0, or what KVM said, negative, to a memslot, or @then: there are no figures then
 * @kib: The memory
 * @ms: The time
 * @more_kib: Memory that @then took
 */
struct metadata {
	bool smm;
	uint64_t region_size;
	uint64_t plugged_size;
	uint64_t memslot_size;
	enum backing_kind backing;
	void (*then)(struct metadata *what, struct metadata_vm *vm);
	int error;
	uint64_t kib;
	double ms;
	uint64_t more_kib;
};

/* In a process of its own, with a control group of its own. */
void metadata_measure(struct metadata *what);

/* For @then: what is charged and in use, in bytes. */
uint64_t metadata_charge(void);

/* What KVM was loaded for: "tdp" or "shadow". */
const char *metadata_paging(void);

#endif /* KVM_VMEM_DEMO_METADATA_H */
