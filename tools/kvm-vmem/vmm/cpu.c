// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "cpu.h"
#include "vcpu.h"
#include "vmm.h"

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

static struct cpuid *supported_cpuid(int kvm)
{
	struct cpuid *cpuid = calloc(1, sizeof(*cpuid));

	if (!cpuid)
		return NULL;
	cpuid->nent = CPU_MAX_CPUID;
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

int cpu_set_cpuid(int kvm, struct vcpu *vcpu, unsigned int nb_cpus)
{
	vcpu->cpuid = supported_cpuid(kvm);
	if (!vcpu->cpuid)
		return -errno;
	for (unsigned int i = 0; i < vcpu->cpuid->nent; i++)
		set_apic_id(&vcpu->cpuid->entries[i], vcpu->id, nb_cpus);
	return ioctl(vcpu->fd, KVM_SET_CPUID2, vcpu->cpuid) < 0 ? -errno : 0;
}

/* Registers whose bits are features, one each. */
#define EAX 1
#define EBX 2
#define ECX 4
#define EDX 8

static const struct {
	uint32_t function;
	uint32_t index;
	unsigned int registers;
} features[] = {
	{ CPUID_FEATURES, 0, ECX | EDX },
	{ 0x7, 0, EBX | ECX | EDX },
	{ 0x7, 1, EAX | EDX },
	{ 0xd, 0, EAX | EDX },
	{ 0xd, 1, EAX },
	{ 0x40000001, 0, EAX },
	{ 0x80000001, 0, ECX | EDX },
	{ 0x80000007, 0, EDX },
	{ CPUID_ADDRESS_SIZES, 0, EBX },
	{ 0x8000000a, 0, EDX },
	{ 0x80000021, 0, EAX },
};

static const struct kvm_cpuid_entry2 *find_cpuid(const struct cpuid *cpuid, uint32_t function,
						 uint32_t index)
{
	static const struct kvm_cpuid_entry2 none;

	for (unsigned int i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == function && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	return &none;
}

struct registers {
	uint32_t value[4];
};

static struct registers registers_of(const struct kvm_cpuid_entry2 *entry)
{
	return (struct registers){ { entry->eax, entry->ebx, entry->ecx, entry->edx } };
}

bool cpu_lacks(const struct vcpu *vcpu, const struct cpuid *cpuid, char *what, size_t size)
{
	static const char *const names[] = { "EAX", "EBX", "ECX", "EDX" };

	for (unsigned int i = 0; i < ARRAY_SIZE(features); i++) {
		const uint32_t function = features[i].function, index = features[i].index;
		struct registers theirs = registers_of(find_cpuid(cpuid, function, index));
		struct registers ours = registers_of(find_cpuid(vcpu->cpuid, function, index));

		for (unsigned int j = 0; j < ARRAY_SIZE(names); j++) {
			uint32_t lacks = theirs.value[j] & ~ours.value[j];

			if (!(features[i].registers & 1 << j) || !lacks)
				continue;
			snprintf(what, size, "CPUID 0x%x.%u %s 0x%x", function, index, names[j],
				 lacks);
			return true;
		}
	}
	return false;
}

unsigned int cpu_physical_bits(int kvm)
{
	struct cpuid *cpuid = supported_cpuid(kvm);
	unsigned int bits = 36;

	for (unsigned int i = 0; cpuid && i < cpuid->nent; i++)
		if (cpuid->entries[i].function == CPUID_ADDRESS_SIZES)
			bits = cpuid->entries[i].eax & 0xff;
	free(cpuid);
	return bits;
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
