// SPDX-License-Identifier: GPL-2.0
/*
 * The TSC, and from KVM's paravirtual clock what its ticks mean. Without that
 * clock a tick is taken for a nanosecond, which is only good for timeouts.
 */
#include <linux/types.h>

#include "pvclock.h"

#define KVM_CPUID		0x40000000
#define KVM_CPUID_FEATURES	0x40000001
#define KVM_FEATURE_CLOCKSOURCE2	(1 << 3)

static struct pvclock_vcpu_time_info clock;

static void cpuid(uint32_t leaf, uint32_t regs[4])
{
	asm volatile("cpuid" : "=a"(regs[0]), "=b"(regs[1]), "=c"(regs[2]), "=d"(regs[3])
		     : "a"(leaf), "c"(0));
}

/* Its numbers are kept; the page is the VMM's to write no longer. */
void clock_init(void)
{
	uint32_t regs[4];

	cpuid(KVM_CPUID, regs);
	if (memcmp(&regs[1], "KVMKVMKVM\0\0\0", 12))
		return;
	cpuid(KVM_CPUID_FEATURES, regs);
	if (!(regs[0] & KVM_FEATURE_CLOCKSOURCE2))
		return;
	write_msr(MSR_KVM_SYSTEM_TIME_NEW, (uint64_t)&clock | 1);
	fence();
	write_msr(MSR_KVM_SYSTEM_TIME_NEW, 0);
}

bool clock_is_known(void)
{
	return clock.tsc_to_system_mul;
}

uint64_t ticks(void)
{
	uint32_t low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

uint64_t ticks_to_ns(uint64_t ticks)
{
	if (!clock_is_known())
		return ticks;
	if (clock.tsc_shift < 0)
		ticks >>= -clock.tsc_shift;
	else
		ticks <<= clock.tsc_shift;
	return (__uint128_t)ticks * clock.tsc_to_system_mul >> 32;
}

void wait_us(uint64_t us)
{
	uint64_t start = ticks();

	while (ticks_to_ns(ticks() - start) < us * 1000)
		relax();
}
