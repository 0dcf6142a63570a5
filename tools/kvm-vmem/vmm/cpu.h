/* SPDX-License-Identifier: GPL-2.0 */
/*
 * x86: the state of a CPU, and what it says it can do.
 */
#ifndef CPU_H
#define CPU_H

#include "vcpu.h"

/* Sets the CPUID of a new vCPU to what KVM supports. Return: 0, or -errno. */
int cpu_set_cpuid(int kvm, const struct vcpu *vcpu, unsigned int nb_cpus);

/* Reads all state of a vCPU. Return: NULL, with errno, if that fails. */
struct vcpu_state *cpu_save(int kvm, const struct vcpu *vcpu);

/* Writes it back. Return: 0, or -errno. */
int cpu_restore(const struct vcpu *vcpu, const struct vcpu_state *state);

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
