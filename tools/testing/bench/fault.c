// SPDX-License-Identifier: GPL-2.0
/*
 * What a process pays for the first touch of a page: of protected backing, and
 * of a plain memfd. Runs in turn, so that what else the machine does meets both.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define SIZE (128 * MiB)
#define NB_RUNS 21
#define SHMEM_ENABLED "/sys/kernel/mm/transparent_hugepage/shmem_enabled"

/* ns per page. */
static double touch(char *memory, size_t page)
{
	uint64_t start = bench_ns();
	size_t offset;

	for (offset = 0; offset < SIZE; offset += page)
		*(volatile char *)(memory + offset) = 1;
	return (double)(bench_ns() - start) * page / SIZE;
}

/* Aligned, so that huge pages fit. */
static char *map_memfd(int fd, size_t page)
{
	char *reserved = mmap(NULL, SIZE + page, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			      0);
	char *memory;

	bench_check(reserved == MAP_FAILED ? -ENOMEM : 0, "address space");
	memory = (char *)(((uintptr_t)reserved + page - 1) & ~(page - 1));
	memory = mmap(memory, SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED, fd, 0);
	bench_check(memory == MAP_FAILED ? -ENOMEM : 0, "a memfd's mapping");
	if (page > 4096)
		madvise(memory, SIZE, MADV_HUGEPAGE);
	return memory;
}

static double touch_memfd(size_t page)
{
	int fd = memfd_create("bench", MFD_CLOEXEC);
	char *memory;
	double ns;

	bench_check(fd < 0 ? -errno : ftruncate(fd, SIZE), "a memfd");
	memory = map_memfd(fd, page);
	ns = touch(memory, page);
	munmap(memory, SIZE);
	close(fd);
	return ns;
}

static double touch_protected(struct bench_device *device, size_t page)
{
	double ns;

	bench_ack(vmem_plug(device->dev, BENCH_ADDR, SIZE / device->block),
		  "PLUG");
	ns = touch(device->memory, page);
	bench_ack(vmem_unplug_all(device->dev), "UNPLUG_ALL");
	/* The next run is not to meet the freeing of this one's pages. */
	bench_ack(vmem_plug(device->dev, BENCH_ADDR, SIZE / device->block),
		  "PLUG");
	bench_ack(vmem_unplug_all(device->dev), "UNPLUG_ALL");
	return ns;
}

static void measure(const char *name, size_t page, uint64_t block)
{
	double memfd[NB_RUNS], protected[NB_RUNS];
	struct bench_device device;
	unsigned int i;

	bench_create(&device, 1 * GiB, block);
	for (i = 0; i < NB_RUNS; i++) {
		memfd[i] = touch_memfd(page);
		protected[i] = touch_protected(&device, page);
	}
	bench_destroy(&device);
	bench_report("fault_ns", "memfd", name, memfd, NB_RUNS, "ns");
	bench_report("fault_ns", "protected", name, protected, NB_RUNS, "ns");
}

void bench_fault(void)
{
	bench_check(write_file(SHMEM_ENABLED, "advise"), SHMEM_ENABLED);
	measure("4k", 4096, 1 * MiB);
	measure("2m", 2 * MiB, 2 * MiB);
}
