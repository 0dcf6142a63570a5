/* SPDX-License-Identifier: GPL-2.0 */
/* KVM's paravirtual clock: the ABI of Documentation/virt/kvm/x86/msr.rst */
#ifndef MINI_PVCLOCK_H
#define MINI_PVCLOCK_H

#include "mini.h"

#define MSR_KVM_SYSTEM_TIME_NEW	0x4b564d01

struct pvclock_vcpu_time_info {
	uint32_t version, pad0;
	uint64_t tsc_timestamp, system_time;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags, pad[2];
} __aligned(32);

#endif /* MINI_PVCLOCK_H */
