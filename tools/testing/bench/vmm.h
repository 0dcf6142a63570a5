/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMMs that are compared: each runs the stock guest with one virtio-mem device,
 * which is resized as its operator does.
 *
 * All functions end the program if anything fails, and tell what the guest and the
 * VMM said.
 */
#ifndef KVM_VMEM_BENCH_VMM_H
#define KVM_VMEM_BENCH_VMM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

#include "linux.h"

struct vmm;

/**
 * struct vmm_program - a VMM
 * @path: The program; with a slash, it need not be there
 * @start: Starts it; the options are vmm->mode and vmm->machine
 * @connect: Makes the connection ready for commands, or NULL
 * @set_requested_size: Asks the guest to plug or unplug
 * @get_size: How much is plugged
 */
struct vmm_program {
	const char *path;
	int (*start)(struct vmm *vmm);
	void (*connect)(struct vmm *vmm);
	void (*set_requested_size)(struct vmm *vmm, uint64_t size);
	uint64_t (*get_size)(struct vmm *vmm);
};

extern const struct vmm_program vmm_vmem;
extern const struct vmm_program vmm_qemu;

/**
 * struct vmm_mode - a way to have memory behind the device
 * @name: In the results
 * @program: The VMM
 * @memory: What the VMM calls it
 * @dynamic: QEMU's dynamic-memslots
 */
struct vmm_mode {
	const char *name;
	const struct vmm_program *program;
	const char *memory;
	const char *dynamic;
};

/**
 * struct vmm_machine - what is the same for all VMMs
 * @memory: Boot RAM, as a size with a suffix
 * @small_pages: Whether it is in 4 KiB pages on the host
 * @region: Size of the device's region, likewise
 * @append: More of the guest's command line
 */
struct vmm_machine {
	const char *memory;
	bool small_pages;
	const char *region;
	const char *append;
};

/**
 * struct vmm - a VMM that runs
 * @mode: What it was started as
 * @machine: What it was started with
 * @guest: Its guest
 * @control: The connection to its control socket
 */
struct vmm {
	const struct vmm_mode *mode;
	const struct vmm_machine *machine;
	struct linux_guest guest;
	FILE *control;
};

#define VMM_APPEND_SIZE 512

/* What the guest's kernel is told. */
void vmm_append(const struct vmm *vmm, char append[VMM_APPEND_SIZE]);

/* Where either VMM has its control socket. */
#define VMM_CONTROL "/tmp/bench.control"

/* Whether the VMM is there to be run. */
bool vmm_is_here(const struct vmm_mode *mode);

void vmm_boot(struct vmm *vmm, const struct vmm_mode *mode, const struct vmm_machine *machine);
void vmm_end(struct vmm *vmm);

/* @ret is that of one of linux.h's functions. */
void vmm_check(struct vmm *vmm, int ret, const char *what);

/* Runs a command in the guest that has to succeed. */
void vmm_run(struct vmm *vmm, const char *command, int seconds);

/**
 * struct vmm_resized - what it took
 * @ms: Until the guest had followed
 * @faults: Page faults until it was quiet again, idle memslots retired
 * @kvm_calls: How often KVM was asked to change a memslot, until then
 */
struct vmm_resized {
	double ms;
	double faults;
	double kvm_calls;
};

struct vmm_resized vmm_resize(struct vmm *vmm, uint64_t size);

/* Sends lines; the answer is a line of JSON, to be put. */
struct json_object *vmm_ask(struct vmm *vmm, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A line of JSON that was not asked for. */
struct json_object *vmm_listen(struct vmm *vmm);

#endif /* KVM_VMEM_BENCH_VMM_H */
