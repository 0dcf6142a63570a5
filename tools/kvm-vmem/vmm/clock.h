/* SPDX-License-Identifier: GPL-2.0 */
/* How long something takes. */
#ifndef KVM_VMEM_VMM_CLOCK_H
#define KVM_VMEM_VMM_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static inline uint64_t now_ms(void)
{
	return now_ns() / 1000000;
}

#endif /* KVM_VMEM_VMM_CLOCK_H */
