/* SPDX-License-Identifier: GPL-2.0 */
/*
 * x86: what a CPU says it can do, and how it begins. cpu_state.h has its state.
 */
#ifndef CPU_H
#define CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/kvm.h>

struct vcpu;

#define CPU_MAX_CPUID 256

/* What a CPU says that it can do, and is: struct kvm_cpuid2, with room. */
struct cpuid {
	uint32_t nent;
	uint32_t padding;
	struct kvm_cpuid_entry2 entries[CPU_MAX_CPUID];
};

/**
 * cpu_set_cpuid() - have a new vCPU say what KVM supports
 * @kvm: /dev/kvm
 * @vcpu: The vCPU; its @cpuid is made
 * @nb_cpus: How many there will be
 *
 * Return: 0, or -errno
 */
int cpu_set_cpuid(int kvm, struct vcpu *vcpu, unsigned int nb_cpus);

/**
 * cpu_lacks() - find what another machine's vCPU can do, and this one's cannot
 * @vcpu: A vCPU of this machine
 * @cpuid: What the other said, from anywhere
 * @what: What it lacks
 * @size: Of @what
 *
 * Return: whether there is something
 */
bool cpu_lacks(const struct vcpu *vcpu, const struct cpuid *cpuid, char *what, size_t size);

/**
 * cpu_enter_64bit() - set a vCPU to the first instruction of a 64-bit kernel
 * @vcpu: A vCPU that was reset, and does not run
 * @rip: Guest physical address of the instruction
 * @boot_params: Guest physical address of struct boot_params
 * @page_tables: Guest physical address of page tables that map at least the
 *	kernel, and what it is given, to themselves
 *
 * Return: 0, or -errno
 */
int cpu_enter_64bit(const struct vcpu *vcpu, uint64_t rip, uint64_t boot_params,
		    uint64_t page_tables);

/* Bits of a physical address, as the CPU says. */
unsigned int cpu_physical_bits(int kvm);

#endif /* CPU_H */
