/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes that hold something and let go of it when they are told: a VMM with a
 * device that is in the middle of everything, and one that was sent its files.
 */
#ifndef KVM_VMEM_TEST_ACTOR_H
#define KVM_VMEM_TEST_ACTOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "vmem.h"

/**
 * struct actor - a process
 * @pid: Its number
 * @sock: Where it is told what to do
 */
struct actor {
	pid_t pid;
	int sock;
};

enum actor_action {
	ACTOR_CLOSES_VM = 'v',
	ACTOR_CLOSES_DEVICE = 'd',
	ACTOR_UNMAPS = 'm',
	ACTOR_EXITS = 'x',
	ACTOR_EXECS = 'e',
};

/*
 * A VMM with a device of 4 GiB at 4 GiB, idle memslots, memory that was just unplugged,
 * and a dirty log. It sends the device's file, and that of the memory, over @to.
 * Returns 0 or -errno.
 */
int actor_start_vmm(struct actor *actor, enum backing_kind backing, int to);

/* Another process, which receives the files and maps the memory. */
int actor_start_other(struct actor *actor, int from);

/* Until they are ready. */
bool actor_is_ready(struct actor *actor);

/* Until it has done it. */
bool actor_tell(struct actor *actor, enum actor_action action);

/* By itself, by exec(), or by somebody else. */
bool actor_ends(struct actor *actor, unsigned int how);

/* Whether it is still there or not. */
void actor_destroy(struct actor *actor);

#endif /* KVM_VMEM_TEST_ACTOR_H */
