// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the benchmarks in the lab's emulated host. A result is a line behind "bench: ",
 * with fields between tabs: benchmark, kernel, name, mode, of what, how many runs, their
 * median, least and most, unit. What else is said is for who waits.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/* vm.c has the one before. */
#define FIRST_SLOT 1

/* A VMM of its own has all CPUs. */
static const struct {
	const char *name;
	void (*run)(void);
	bool all_cpus;
} benchmarks[] = {
	{ "fault", bench_fault, false },
	{ "unplug", bench_unplug, false },
	{ "hostile", bench_hostile, false },
	{ "shrink", bench_shrink, false },
	{ "request", bench_request, true },
	{ "metadata", bench_metadata, false },
	{ "memslots", bench_memslots, false },
	{ "sweep", bench_sweep, false },
	{ "together", bench_together, true },
	{ "resize", bench_resize, true },
	{ "guest", bench_guest, true },
	{ "busy", bench_busy, true },
};

/* Its name. */
static const char *running;

void bench_say(const char *format, ...)
{
	va_list args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

void bench_fail(int error, const char *what)
{
	bench_say("%s: %s", what, strerror(-error));
	exit(1);
}

void bench_check(int ret, const char *what)
{
	if (ret < 0)
		bench_fail(ret, what);
}

void bench_ack(int response, const char *what)
{
	bench_check(response, what);
	if (response == VIRTIO_MEM_RESP_ACK)
		return;
	bench_say("%s: response %d", what, response);
	exit(1);
}

uint64_t bench_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

double bench_ms_since(uint64_t start)
{
	return (bench_ns() - start) / 1e6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *values, unsigned int nb)
{
	return nb % 2 ? values[nb / 2] :
			(values[nb / 2 - 1] + values[nb / 2]) / 2;
}

void bench_report(const char *name, const char *mode, const char *of, double *values,
		  unsigned int nb, const char *unit)
{
	struct utsname system;

	uname(&system);
	qsort(values, nb, sizeof(*values), compare);
	printf("bench: %s\t%s\t%s\t%s\t%s\t%u\t%.10g\t%.10g\t%.10g\t%s\n", running,
	       system.release, name, mode, of ? of : "-", nb, median(values, nb), values[0],
	       values[nb - 1], unit);
	fflush(stdout);
}

void bench_result(const char *name, const char *mode, const char *of, double value,
		  const char *unit)
{
	bench_report(name, mode, of, &value, 1, unit);
}

uint64_t bench_pf_fixed(struct vm *vm)
{
	uint64_t value = 0;

	bench_check(kvm_stat(vm->vcpus[0].fd, "pf_fixed", &value), "pf_fixed");
	return value;
}

uint64_t bench_kvm_calls(struct bench_device *device)
{
	struct kvm_vmem_get_info info;

	bench_check(vmem_get_info(device->dev, &info), "GET_INFO");
	return info.out_nb_kvm_calls;
}

void bench_create_grid(struct bench_device *device, uint64_t size, uint64_t block,
		       uint64_t memslot)
{
	struct kvm_vmem_setup setup = {
		.size = sizeof(setup),
		.flags = KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS |
			 KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE,
		.addr = BENCH_ADDR,
		.region_size = size,
		.block_size = block,
		.memslot_size = memslot,
		.requested_size = size,
		.backing_fd = -1,
		.label = "bench",
	};
	struct kvm_vmem_attach attach = {
		.size = sizeof(attach),
		.first_memslot_id = KVM_VMEM_MEMSLOT_ID_AUTO,
		.address_spaces = 1,
	};

	device->size = size;
	device->block = block;
	bench_check(vm_create(&device->vm, 1), "a VM");
	device->dev = vmem_open();
	bench_check(device->dev, VMEM_PATH);
	bench_check(vmem_setup(device->dev, &setup), "SETUP");
	device->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			      device->dev, 0);
	bench_check(device->memory == MAP_FAILED ? -ENOMEM : 0, "mmap");
	attach.vm_fd = device->vm.fd;
	attach.userspace_addr = (uintptr_t)device->memory;
	bench_check(vmem_attach(device->dev, &attach), "ATTACH");
}

void bench_create(struct bench_device *device, uint64_t size, uint64_t block)
{
	bench_create_grid(device, size, block, 0);
}

void bench_destroy(struct bench_device *device)
{
	close(device->dev);
	munmap(device->memory, device->size);
	vm_destroy(&device->vm);
}

void bench_plug(struct bench_device *device, uint64_t size, uint64_t request)
{
	uint64_t offset;

	for (offset = 0; offset < size; offset += request)
		bench_ack(vmem_plug(device->dev, BENCH_ADDR + offset, request / device->block),
			  "PLUG");
}

void bench_map(struct vm *vm, const struct backing *backing, uint64_t size, uint64_t memslot)
{
	uint64_t offset;

	for (offset = 0; offset < size; offset += memslot)
		bench_check(vm_set_memslot(vm->fd, FIRST_SLOT + offset / memslot,
					   BENCH_ADDR + offset, memslot, backing->addr + offset),
			    "a memslot");
}

/* A process that moves between CPUs pays for interrupts to the one it left. */
static void choose_cpus(bool all)
{
	cpu_set_t cpus;
	int i;

	CPU_ZERO(&cpus);
	for (i = 0; i < (all ? get_nprocs() : 1); i++)
		CPU_SET(i, &cpus);
	bench_check(sched_setaffinity(0, sizeof(cpus), &cpus) ? -errno : 0, "CPUs");
}

static bool is_wanted(const char *name, char **names)
{
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

/* Runs those that are named. */
int main(int argc, char **argv)
{
	unsigned int i;

	(void)argc;
	for (i = 0; i < sizeof(benchmarks) / sizeof(*benchmarks); i++) {
		if (!is_wanted(benchmarks[i].name, argv + 1))
			continue;
		running = benchmarks[i].name;
		bench_say("%s", running);
		choose_cpus(benchmarks[i].all_cpus);
		benchmarks[i].run();
	}
	return 0;
}
