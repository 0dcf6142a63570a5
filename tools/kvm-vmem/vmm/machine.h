/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtual machine: memory, devices, and what becomes of it.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "memory.h"
#include "options.h"
#include "vcpu.h"
#include "virtio.h"
#include "vmem.h"
#include "vmm.h"

/* Below is the hole for devices: virtio-mmio, the IOAPIC, the local APICs. */
#define RAM_LOW_END (3 * GIB)
#define RAM_HIGH_START (4 * GIB)

/**
 * struct machine - the machine
 * @options: What the user wants
 * @kvm: /dev/kvm
 * @vm: The VM
 * @memory: All guest memory. The first range is boot RAM from address 0 on
 * @ram_size: Size of boot RAM below the hole
 * @high_ram_size: Size of boot RAM above the hole
 * @devices: virtio devices, by slot
 * @nb_devices: How many
 * @vmems: virtio-mem devices, which are the first of @devices
 * @nb_vmems: How many
 * @vcpus: The vCPUs
 * @exit_status: What the program will end with
 *
 * There is one. All of it is fixed before the vCPUs start.
 */
struct machine {
	const struct options *options;
	int kvm;
	int vm;
	struct guest_memory memory;
	uint64_t ram_size;
	uint64_t high_ram_size;
	struct virtio_device *devices[VIRTIO_MAX_DEVICES];
	unsigned int nb_devices;
	struct vmem *vmems[OPTIONS_MAX_VMEMS];
	unsigned int nb_vmems;
	struct vcpu *vcpus;
	enum vmm_exit exit_status;
};

extern struct machine machine;

/* Makes all of it, or ends the program. The vCPUs do not run yet. */
void machine_create(const struct options *options);

/* Loads the kernel, and sets the first vCPU to its first instruction. */
void machine_boot(void);

/**
 * machine_run() - run it until it ends
 * @restored: It is not booted, but goes on
 *
 * Return: the exit status
 */
enum vmm_exit machine_run(bool restored);

/* Whether it is about to be reset, or to end. From the event loop, when no vCPU runs. */
bool machine_is_changing(void);

/**
 * machine_stop() - end the machine
 * @status: Exit status of the program
 * @format: What to say, or NULL
 *
 * From any thread; the first call counts.
 */
void machine_stop(enum vmm_exit status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The guest accessed unplugged memory at @gpa. From any thread. */
void machine_violation(uint64_t gpa);

/* KVM could not access guest memory. From a vCPU, which then waits. */
void machine_memory_failed(void);

/* The guest wants to reboot. From a vCPU, which then waits. */
void machine_request_reset(void);

/* The vmem that has an address in its region, or NULL. */
struct vmem *machine_vmem_at(uint64_t gpa);

#endif /* MACHINE_H */
