// SPDX-License-Identifier: GPL-2.0
/*
 * Says what frequency this machine's time stamp counter has, in kHz: that of all CPUs which
 * QEMU emulates.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define NS_PER_SECOND 1000000000ULL

struct reading {
	uint64_t ns, ticks;
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * NS_PER_SECOND + time.tv_nsec;
}

/* Of many that which took the shortest time: it was not interrupted. */
static struct reading take_reading(void)
{
	struct reading best = { 0 };
	uint64_t ticks, before, took, shortest = UINT64_MAX;

	for (unsigned int i = 0; i < 1000; i++) {
		before = now();
		ticks = __rdtsc();
		took = now() - before;
		if (took < shortest) {
			shortest = took;
			best = (struct reading){ .ns = before + took / 2, .ticks = ticks };
		}
	}
	return best;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 200000000 };
	struct reading first, last;

	first = take_reading();
	nanosleep(&pause, NULL);
	last = take_reading();
	printf("%.0f\n", (last.ticks - first.ticks) * 1e6 / (last.ns - first.ns));
	return 0;
}
