// SPDX-License-Identifier: GPL-2.0
/*
 * The TSC, KVM's clock and the local APIC's timer, none of which may go back; nor may the
 * first two part.
 *
 * But for one thing: KVM's clock is the host's, plus what the TSC has counted since KVM
 * last looked there. Where the host does not trust its own TSC, the two drift apart until
 * KVM looks again, as it does whenever the vCPU was elsewhere; by how much, depends on
 * what the host takes the TSC's frequency for. Such a clock does not say that it is
 * stable, and any guest has to expect that it goes back. What KVM saw last does not.
 */
#include <linux/types.h>

#include "pvclock.h"
#include "work.h"

#define APIC		0xfee00000ULL
#define APIC_SVR	(APIC + 0xf0)
#define APIC_LVT_TIMER	(APIC + 0x320)
#define APIC_INITIAL	(APIC + 0x380)
#define APIC_CURRENT	(APIC + 0x390)
#define APIC_DIVIDE	(APIC + 0x3e0)
#define SVR_ENABLE	0x1ff
#define LVT_MASKED	(1 << 16)
#define DIVIDE_BY_128	0xa

#define PVCLOCK_TSC_STABLE	1
#define MOST_SKEW_NS		100000

static struct pvclock_vcpu_time_info clock;
static uint64_t last_tsc, last_time;
/* The counter that went with the clock, if that was stable. */
static uint64_t last_pair;
static uint32_t last_count;

static uint64_t read_clock(uint64_t *pair)
{
	uint64_t tsc, delta, time;
	uint32_t version;

	do {
		version = READ_ONCE(clock.version) & ~1U;
		fence();
		tsc = ticks();
		delta = tsc - clock.tsc_timestamp;
		delta = clock.tsc_shift < 0 ? delta >> -clock.tsc_shift : delta << clock.tsc_shift;
		time = clock.system_time;
		*pair = clock.flags & PVCLOCK_TSC_STABLE ? tsc : 0;
		if (*pair)
			time += (__uint128_t)delta * clock.tsc_to_system_mul >> 32;
		fence();
	} while (version != READ_ONCE(clock.version));
	return time;
}

void clocks_set(void)
{
	write_msr(MSR_KVM_SYSTEM_TIME_NEW, (uint64_t)&clock | 1);
	mmio_write32(APIC_SVR, SVR_ENABLE);
	mmio_write32(APIC_LVT_TIMER, LVT_MASKED | 0x31);
	/* It takes minutes to get to zero. */
	mmio_write32(APIC_DIVIDE, DIVIDE_BY_128);
	mmio_write32(APIC_INITIAL, 0xffffffff);
	last_count = mmio_read32(APIC_CURRENT);
	clocks_check();
}

/* Who compares the two, as Linux does, finds that they go on together. */
static void check_skew(uint64_t time, uint64_t pair)
{
	int64_t skew = time - last_time - ticks_to_ns(pair - last_pair);

	if (pair && last_pair && (skew > MOST_SKEW_NS || skew < -MOST_SKEW_NS))
		work_failed("skew of clock and TSC", skew < 0 ? -skew : skew);
}

void clocks_check(void)
{
	uint64_t pair, tsc = ticks(), time = read_clock(&pair);
	uint32_t count = mmio_read32(APIC_CURRENT);

	if (tsc < last_tsc)
		work_failed("TSC", last_tsc - tsc);
	if (time < last_time)
		work_failed("clock", last_time - time);
	if (!count || count > last_count)
		work_failed("timer", count);
	check_skew(time, pair);
	last_pair = pair;
	last_tsc = tsc;
	last_time = time;
	last_count = count;
}
