// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "cpu.h"
#include "vmm.h"

#define MAX_CPUID_ENTRIES 256
#define MAX_MSRS 1024

#define MSR_IA32_TSC 0x10
#define MSR_IA32_TSC_ADJUST 0x3b

#define CPUID_FEATURES 0x1
#define CPUID_TOPOLOGY 0xb
#define CPUID_TOPOLOGY_V2 0x1f
#define CPUID_ADDRESS_SIZES 0x80000008
#define CPUID_AMD_TOPOLOGY 0x8000001e

#define CR0_PE (1UL << 0)
#define CR0_ET (1UL << 4)
#define CR0_PG (1UL << 31)
#define CR4_PAE (1UL << 5)
#define EFER_LME (1UL << 8)
#define EFER_LMA (1UL << 10)

/* Of the boot protocol; the kernel loads a GDT of its own soon. */
#define BOOT_CS 0x10
#define BOOT_DS 0x18
#define SEGMENT_CODE 0xb
#define SEGMENT_DATA 0x3
#define RFLAGS_RESERVED 0x2

#define FEATURES_ECX_TSC_DEADLINE (1U << 24)
#define FEATURES_ECX_HYPERVISOR (1U << 31)
#define FEATURES_EDX_HTT (1U << 28)

struct vcpu_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_lapic_state lapic;
	struct kvm_mp_state mp_state;
	struct kvm_vcpu_events events;
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entries[MAX_MSRS];
	} msrs;
};

static struct kvm_cpuid2 *supported_cpuid(int kvm)
{
	struct kvm_cpuid2 *cpuid;

	cpuid = calloc(1, sizeof(*cpuid) + MAX_CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return NULL;
	cpuid->nent = MAX_CPUID_ENTRIES;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) < 0) {
		free(cpuid);
		return NULL;
	}
	return cpuid;
}

static void set_apic_id(struct kvm_cpuid_entry2 *entry, unsigned int id, unsigned int nb_cpus)
{
	switch (entry->function) {
	case CPUID_FEATURES:
		entry->ebx = (entry->ebx & 0xffff) | nb_cpus << 16 | id << 24;
		entry->ecx |= FEATURES_ECX_TSC_DEADLINE | FEATURES_ECX_HYPERVISOR;
		if (nb_cpus > 1)
			entry->edx |= FEATURES_EDX_HTT;
		break;
	case CPUID_TOPOLOGY:
	case CPUID_TOPOLOGY_V2:
		/* Every vCPU is a core; all are in one package. */
		entry->edx = id;
		entry->eax = entry->index == 1 ? 8 : 0;
		entry->ebx = entry->index == 0 ? 1 : entry->index == 1 ? nb_cpus : 0;
		entry->ecx = entry->index |
			     (entry->index == 0 ? 1 << 8 : entry->index == 1 ? 2 << 8 : 0);
		break;
	case CPUID_AMD_TOPOLOGY:
		entry->eax = id;
		entry->ebx = id & 0xff;
		entry->ecx = 0;
		break;
	}
}

int cpu_set_cpuid(int kvm, const struct vcpu *vcpu, unsigned int nb_cpus)
{
	struct kvm_cpuid2 *cpuid = supported_cpuid(kvm);
	int ret = 0;

	if (!cpuid)
		return -errno;
	for (unsigned int i = 0; i < cpuid->nent; i++)
		set_apic_id(&cpuid->entries[i], vcpu->id, nb_cpus);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		ret = -errno;
	free(cpuid);
	return ret;
}

unsigned int cpu_physical_bits(int kvm)
{
	struct kvm_cpuid2 *cpuid = supported_cpuid(kvm);
	unsigned int bits = 36;

	for (unsigned int i = 0; cpuid && i < cpuid->nent; i++)
		if (cpuid->entries[i].function == CPUID_ADDRESS_SIZES)
			bits = cpuid->entries[i].eax & 0xff;
	free(cpuid);
	return bits;
}

/* The MSRs that can be read and written, but the time, which goes on. */
static int save_msrs(int kvm, const struct vcpu *vcpu, struct vcpu_state *state)
{
	struct {
		struct kvm_msr_list header;
		uint32_t indices[MAX_MSRS];
	} list = { .header.nmsrs = MAX_MSRS };
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entry;
	} one;

	if (ioctl(kvm, KVM_GET_MSR_INDEX_LIST, &list) < 0)
		return -errno;
	for (uint32_t i = 0; i < list.header.nmsrs; i++) {
		one.header.nmsrs = 1;
		one.entry = (struct kvm_msr_entry){ .index = list.header.indices[i] };
		if (one.entry.index == MSR_IA32_TSC || one.entry.index == MSR_IA32_TSC_ADJUST)
			continue;
		/* Some are listed for CPUs that this one is not. */
		if (ioctl(vcpu->fd, KVM_GET_MSRS, &one) != 1 ||
		    ioctl(vcpu->fd, KVM_SET_MSRS, &one) != 1)
			continue;
		state->msrs.entries[state->msrs.header.nmsrs++] = one.entry;
	}
	return 0;
}

struct vcpu_state *cpu_save(int kvm, const struct vcpu *vcpu)
{
	struct vcpu_state *state = calloc(1, sizeof(*state));

	if (!state)
		return NULL;
	if (ioctl(vcpu->fd, KVM_GET_REGS, &state->regs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_SREGS, &state->sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_XSAVE, &state->xsave) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_XCRS, &state->xcrs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_DEBUGREGS, &state->debugregs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_LAPIC, &state->lapic) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_MP_STATE, &state->mp_state) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &state->events) < 0 ||
	    save_msrs(kvm, vcpu, state) < 0) {
		free(state);
		return NULL;
	}
	return state;
}

/* The local APIC after the address of it (in sregs), the deadline MSR after its timer. */
int cpu_restore(const struct vcpu *vcpu, const struct vcpu_state *state)
{
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &state->sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_REGS, &state->regs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_XSAVE, &state->xsave) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_XCRS, &state->xcrs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_DEBUGREGS, &state->debugregs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_LAPIC, &state->lapic) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_MP_STATE, &state->mp_state) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &state->events) < 0)
		return -errno;
	/* How many were written; fewer than all if one was refused. */
	return ioctl(vcpu->fd, KVM_SET_MSRS, &state->msrs) == (int)state->msrs.header.nmsrs ?
		0 : -EIO;
}

int cpu_enter_64bit(const struct vcpu *vcpu, uint64_t rip, uint64_t boot_params,
		    uint64_t page_tables)
{
	const struct kvm_segment code = {
		.limit = 0xffffffff, .selector = BOOT_CS, .type = SEGMENT_CODE,
		.present = 1, .s = 1, .l = 1, .g = 1,
	};
	const struct kvm_segment data = {
		.limit = 0xffffffff, .selector = BOOT_DS, .type = SEGMENT_DATA,
		.present = 1, .s = 1, .db = 1, .g = 1,
	};
	const struct kvm_regs regs = {
		.rip = rip,
		.rsi = boot_params,
		.rflags = RFLAGS_RESERVED,
	};
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	sregs.cs = code;
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.cr0 = CR0_PE | CR0_ET | CR0_PG;
	sregs.cr3 = page_tables;
	sregs.cr4 = CR4_PAE;
	sregs.efer = EFER_LME | EFER_LMA;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}
