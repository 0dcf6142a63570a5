/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that makes up a vCPU, as far as KVM has it. A reset puts back what KVM made, so
 * that nobody needs to know what that is; a migration takes it elsewhere.
 */
#ifndef CPU_STATE_H
#define CPU_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/kvm.h>

#include "cpu.h"

#define CPU_MAX_MSRS 1024
/* What KVM has on x86: 4 KiB and headers on AMD, twice that on Intel. */
#define CPU_MAX_NESTED (2 * 4096 + 256)

/**
 * struct vcpu_tsc - a time stamp counter
 * @value: Its value, when it was read
 * @offset: What KVM adds to the host's; between vCPUs it is this that counts
 * @khz: Its frequency
 * @reserved: 0
 */
struct vcpu_tsc {
	uint64_t value;
	uint64_t offset;
	uint32_t khz;
	uint32_t reserved;
};

/**
 * struct vcpu_state - the state of a vCPU
 * @cpuid: What the CPU says it can do
 * @tsc: Its time stamp counter, which goes on by itself
 * @nested_size: Bytes of @nested; 0: KVM has none
 * @nested: What it has of a guest of the guest: struct kvm_nested_state, with room
 * @sregs: System registers
 * @regs: General registers
 * @xsave: The FPU: struct kvm_xsave; no vCPU here has more
 * @xcrs: Extended control registers
 * @debugregs: Debug registers
 * @lapic: The local APIC
 * @mp_state: Whether it runs, halts, or waits to be started
 * @events: Exceptions, interrupts and NMIs that are on their way
 * @msrs: All others that can be read and written: struct kvm_msrs, with room
 */
struct vcpu_state {
	struct cpuid cpuid;
	struct vcpu_tsc tsc;
	uint32_t nested_size;
	struct vcpu_nested {
		uint16_t flags;
		uint16_t format;
		uint32_t size;
		uint8_t rest[CPU_MAX_NESTED - 8];
	} nested;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	uint32_t xsave[1024];
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_lapic_state lapic;
	struct kvm_mp_state mp_state;
	struct kvm_vcpu_events events;
	struct vcpu_msrs {
		uint32_t nmsrs;
		uint32_t pad;
		struct kvm_msr_entry entries[CPU_MAX_MSRS];
	} msrs;
};

/* What KVM refused, for a message. */
struct cpu_failure {
	const char *what;
	uint32_t msr;
	int error;
};

/**
 * cpu_find_msrs() - find the MSRs that can be read and written
 * @kvm: /dev/kvm
 * @vcpu: A new vCPU, which is like the others
 *
 * Return: 0, or -errno
 */
int cpu_find_msrs(int kvm, const struct vcpu *vcpu);

/**
 * cpu_save() - read the state of a vCPU
 * @vcpu: A vCPU that does not run
 * @state: Filled in
 * @failure: Filled in if it fails
 *
 * Return: 0, or -errno
 */
int cpu_save(const struct vcpu *vcpu, struct vcpu_state *state, struct cpu_failure *failure);

/* Writes it back, but for CPUID and the counter. Likewise. */
int cpu_restore(const struct vcpu *vcpu, const struct vcpu_state *state,
		struct cpu_failure *failure);

/* The counter's frequency; 0 if KVM does not say. */
uint32_t cpu_tsc_khz(const struct vcpu *vcpu);

/* Whether it is another one than the host's. */
bool cpu_tsc_is_scaled(void);

/**
 * cpu_tsc_shift() - find by how much the offsets of another machine's counters differ
 * @vcpu: The first vCPU, which has not run
 * @tsc: The other's
 * @shift: What to add to all of them, so that the counters go on now
 * @failure: Filled in if it fails
 *
 * Return: 0, or -errno
 */
int cpu_tsc_shift(const struct vcpu *vcpu, const struct vcpu_tsc *tsc, uint64_t *shift,
		  struct cpu_failure *failure);

/**
 * cpu_adopt() - write the state of a vCPU of another machine
 * @vcpu: A new vCPU, which has not run
 * @state: From anywhere; what it says that it can do, cpu_lacks() did not miss
 * @tsc_shift: Of cpu_tsc_shift()
 * @failure: Filled in if it fails
 *
 * Return: 0, or -errno
 */
int cpu_adopt(const struct vcpu *vcpu, const struct vcpu_state *state, uint64_t tsc_shift,
	      struct cpu_failure *failure);

/* The guest's watchdogs need not bark: it was not its fault. */
void cpu_was_paused(const struct vcpu *vcpu);

#endif /* CPU_STATE_H */
