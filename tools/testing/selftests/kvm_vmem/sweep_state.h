/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state of everything that a sweep's call may change: the device's, KVM's, the
 * operator's view, and the process'.
 */
#ifndef KVM_VMEM_TEST_SWEEP_STATE_H
#define KVM_VMEM_TEST_SWEEP_STATE_H

#include "sweep.h"

#define SWEEP_REGION_SIZE	(64 * MiB)
#define SWEEP_MEMSLOT_SIZE	(16 * MiB)
#define SWEEP_MAX_MEMSLOTS	8
/* The first memslot of the device. */
#define SWEEP_FIRST_ID		100

/**
 * struct sweep_state - what a call that fails must not change
 * @facts: What the device says of itself
 * @nb_memslots: How many memslots it lists, or why it does not
 * @memslots: Those
 * @plugged: Its bitmap
 * @resident: Memory that it has
 * @kvm_knows: Which memslots KVM has: a bit for each of the device's ids and for each
 *	address space
 * @devices: Devices that the operator sees
 * @references: References to the module
 * @lowest_fd: The lowest file descriptor that is free
 * @vm_pages: Size of the process' address space
 */
struct sweep_state {
	struct kvm_vmem_get_info facts;
	int nb_memslots;
	struct kvm_vmem_memslot_info memslots[SWEEP_MAX_MEMSLOTS];
	unsigned char plugged[16];
	uint64_t resident;
	uint64_t kvm_knows;
	int devices;
	int references;
	int lowest_fd;
	unsigned long vm_pages;
};

/* Waits for discards. Two states are the same if their bytes are. */
void sweep_look(const struct sweep_step *step, struct sweep_bench *bench,
		struct sweep_state *state);

/* Says in what they differ. */
void sweep_say_difference(const struct sweep_state *now,
			  const struct sweep_state *wanted);

#endif /* KVM_VMEM_TEST_SWEEP_STATE_H */
