/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waiting for what takes its time, as hosts may be emulated and busy. No test expects
 * anything to be fast.
 */
#ifndef KVM_VMEM_TEST_PATIENCE_H
#define KVM_VMEM_TEST_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "slowness.h"

static inline int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static inline int64_t now_ms(void)
{
	return now_us() / 1000;
}

/*
 * Whether @expr becomes true within @seconds. It is evaluated again and again until it is,
 * and at least once.
 */
#define becomes(expr, seconds) ({ \
	int64_t end_ = now_ms() + (seconds) * 1000LL; \
	bool is_so_; \
\
	while (!(is_so_ = (expr)) && now_ms() < end_) \
		usleep(10000); \
	is_so_; \
})

#define test_becomes(expected, expr) do { \
	becomes((expr) == (expected), 60 * SLOWNESS); \
	ASSERT_EQ(expected, (expr)); \
} while (0)

#define test_at_most(limit, expr) do { \
	becomes((expr) <= (limit), 60 * SLOWNESS); \
	ASSERT_GE(limit, (expr)); \
} while (0)

#endif /* KVM_VMEM_TEST_PATIENCE_H */
