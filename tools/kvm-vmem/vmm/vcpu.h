/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vCPUs, a thread each.
 */
#ifndef VCPU_H
#define VCPU_H

#include <stdbool.h>
#include <stdint.h>

struct cpuid;
struct kvm_run;

/*
 * All that makes up a vCPU, as far as KVM has it. A reset puts back what KVM made; so
 * nobody needs to know what that is.
 */
struct vcpu_state;

/**
 * struct vcpu - one vCPU
 * @fd: The vCPU
 * @id: Its number, which is its APIC id
 * @run: What it shares with KVM
 * @cpuid: What it says that it can do
 * @reset_state: Its state after it was made
 */
struct vcpu {
	int fd;
	unsigned int id;
	struct kvm_run *run;
	struct cpuid *cpuid;
	struct vcpu_state *reset_state;
};

/* Makes a vCPU, or ends the program. */
void vcpu_create(struct vcpu *vcpu, unsigned int id);

/* Makes the threads, which wait for vcpus_resume(). */
void vcpus_start(void);

/* Lets all vCPUs run. */
void vcpus_resume(void);

/* Likewise, after a pause of which the guest's watchdogs should not complain. */
void vcpus_go_on(void);

/* Returns when no vCPU runs. Not from a vCPU. */
void vcpus_pause(void);

/* Has all vCPUs pause soon. From anywhere. */
void vcpus_ask_to_pause(void);

#endif /* VCPU_H */
