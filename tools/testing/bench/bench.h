/* SPDX-License-Identifier: GPL-2.0 */
/* The benchmarks: each measures in one boot what it compares. */
#ifndef KVM_VMEM_BENCH_H
#define KVM_VMEM_BENCH_H

#include <stdint.h>

#include "vmem.h"

/* Where the benchmarks have their regions. */
#define BENCH_ADDR	(4 * GiB)

/**
 * struct bench_device - a device with protected backing, attached to a VM
 * @vm: The VM
 * @dev: The device
 * @memory: The VMM's mapping of the region
 * @size: Size of the region
 * @block: Block size
 */
struct bench_device {
	struct vm vm;
	int dev;
	char *memory;
	uint64_t size;
	uint64_t block;
};

/* All of these end the program if anything fails: there is nothing to measure. */
void bench_check(int ret, const char *what);
void bench_ack(int response, const char *what);
void bench_create(struct bench_device *device, uint64_t size, uint64_t block);
void bench_destroy(struct bench_device *device);
uint64_t bench_pf_fixed(struct vm *vm);

uint64_t bench_ns(void);
double bench_median(double *values, unsigned int nb);

/* One line of results; @page may be NULL. */
void bench_result(const char *name, const char *mode, const char *page,
		  double value, const char *unit);
/* What goes on, for who waits. */
void bench_say(const char *format, ...);

void bench_shrink(void);
void bench_unplug(void);
void bench_fault(void);
void bench_hostile(void);
void bench_request(void);
void bench_guest(void);
void bench_busy(void);

#endif /* KVM_VMEM_BENCH_H */
