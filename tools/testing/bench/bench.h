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
void bench_fail(int error, const char *what) __attribute__((noreturn));
void bench_check(int ret, const char *what);
void bench_ack(int response, const char *what);
void bench_create(struct bench_device *device, uint64_t size, uint64_t block);
/* The same, with memslots of a size of their own; 0: the module decides. */
void bench_create_grid(struct bench_device *device, uint64_t size, uint64_t block,
		       uint64_t memslot);
void bench_destroy(struct bench_device *device);
uint64_t bench_pf_fixed(struct vm *vm);
uint64_t bench_kvm_calls(struct bench_device *device);

/* Plugs so much from the region's start on, by requests as large as @request. */
void bench_plug(struct bench_device *device, uint64_t size, uint64_t request);
/* What a VMM would do without the module: memslots for so much of the memory. */
void bench_map(struct vm *vm, const struct backing *backing, uint64_t size, uint64_t memslot);

uint64_t bench_ns(void);
double bench_ms_since(uint64_t start);
/*
 * One line of results: how many there were, and the median, least and most of them.
 * @of says of what, if the name does not, or is NULL; @values are sorted.
 */
void bench_report(const char *name, const char *mode, const char *of, double *values,
		  unsigned int nb, const char *unit);
/* Of a single one. */
void bench_result(const char *name, const char *mode, const char *of, double value,
		  const char *unit);
/* What goes on, for who waits. */
void bench_say(const char *format, ...);

void bench_shrink(void);
void bench_unplug(void);
void bench_fault(void);
void bench_hostile(void);
void bench_request(void);
void bench_metadata(void);
void bench_memslots(void);
void bench_sweep(void);
void bench_together(void);
void bench_resize(void);
void bench_guest(void);
void bench_busy(void);

#endif /* KVM_VMEM_BENCH_H */
