/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A vmem-vmm with a guest at work (tools/testing/guest/mini/work.c), and another one that
 * it is moved to.
 *
 * Functions return -errno, as in linux.h. Times are seconds.
 */
#ifndef KVM_VMEM_TEST_MIGRATION_H
#define KVM_VMEM_TEST_MIGRATION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "linux_vmm.h"

#define MIGRATION_MINI "/lab/guest/mini"
/* Blocks in many memslots, and holes between them. */
#define MIGRATION_NR_BLOCKS 24
#define MIGRATION_STRIDE 23
#define MIGRATION_WORK "work nr=24 stride=23"
/* It also writes to what is not plugged. */
#define MIGRATION_STRAY MIGRATION_WORK " stray=1"
#define MIGRATION_BLOCK (2 * MiB)
#define MIGRATION_RAM "64M"
#define MIGRATION_RAM_SIZE (64 * MiB)
/* For what the guest is told, and a whole migration, emulated. */
#define MIGRATION_TIME (60 * SLOWNESS)

/* Where the source takes commands, and where the target does. */
#define MIGRATION_SOURCE "/tmp/kvm_vmem.source"
#define MIGRATION_TARGET "/tmp/kvm_vmem.target"
/* Where a target waits. */
#define MIGRATION_SOCKET "/tmp/kvm_vmem.incoming"
/* And where somebody between them does. */
#define MIGRATION_RELAY "/tmp/kvm_vmem.relay"

/**
 * struct vmm_kind - how a vmem-vmm is started
 * @mode: Its --vmem-mode
 * @vmem: Its --vmem
 * @strays: The guest also writes to what is not plugged, from which a group would keep it
 */
struct vmm_kind {
	const char *mode;
	const char *vmem;
	bool strays;
};

/**
 * vmm_start() - start a vmem-vmm with the guest
 * @guest: The guest
 * @kind: How
 * @control: Path of its control socket
 * @...: Further options, up to NULL
 *
 * Return: 0 or -errno.
 */
int vmm_start(struct linux_guest *guest, const struct vmm_kind *kind, const char *control, ...)
	__attribute__((sentinel));

/* Wait until somebody listens at a Unix socket there, or at a TCP port of any address. */
int wait_for_socket(const char *path, int seconds);
int wait_for_port(unsigned int port, int seconds);

/**
 * work_check() - have the guest check all that it has
 * @guest: The guest
 * @rounds: How many rounds it has worked
 * @busies: How often it was told BUSY; may be NULL
 *
 * Return: 0, or -errno: -EPIPE if it found something wrong, and ended
 */
int work_check(struct linux_guest *guest, uint64_t *rounds, uint64_t *busies);

/* Has it plug and use a further block. */
int work_grow(struct linux_guest *guest);

/* A socket of ours, at which a source finds a target that is none. */
int listen_at(const char *path);
/* The connection; or -errno. */
int accept_one(int listener, int seconds);
/* Up to @size bytes that are thrown away; stops where there are no more. */
int64_t swallow(int fd, uint64_t size);
int connect_to(const char *path);
int send_all(int fd, const void *data, size_t size);

/**
 * struct relay - passes on what two vmem-vmm say to each other
 * @listener: Where the source connects
 * @target: Path of the socket where the target waits
 * @cut_after: Bytes of the source's after which it cuts the connection; 0: never
 * @cut_answers: Bytes of the target's after which it passes on nothing of either; 0: never
 * @forward: Bytes that were passed on, of the source's
 * @backward: Likewise of the target's
 * @thread: What passes them on
 */
struct relay {
	int listener;
	const char *target;
	uint64_t cut_after;
	uint64_t cut_answers;
	uint64_t forward;
	uint64_t backward;
	pthread_t thread;
};

int relay_start(struct relay *relay, const char *path, const char *target);
/* Waits until both sides are gone, or it has cut them off. */
void relay_join(struct relay *relay);

/* The number after "NAME": in JSON; all ones if there is none. */
uint64_t number_in(const char *json, const char *name);

/* Waits until migrate-status of the control socket has this state. */
int wait_migrate_state(const char *control, const char *state, char *said, size_t size,
		       int seconds);

#endif /* KVM_VMEM_TEST_MIGRATION_H */
