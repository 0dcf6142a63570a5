// SPDX-License-Identifier: GPL-2.0
/*
 * How long UNPLUG of 128 MiB takes that guest and VMM have mapped, if it waits
 * for the memory to be free (sync) and if it does not (async). Blocks of 1 MiB
 * have 4 KiB pages, blocks of 2 MiB huge ones.
 */
#include <string.h>

#include "bench.h"

#define SIZE (128 * MiB)
#define NB_RUNS 7

static void populate(struct bench_device *device)
{
	memset(device->memory, 1, SIZE);
	bench_check(guest_fill(&device->vm.vcpus[0], BENCH_ADDR, SIZE / 4096,
			       4096, 1),
		    "the guest");
}

static double unplug(struct bench_device *device, uint32_t flags)
{
	struct kvm_vmem_request request = {
		.size = sizeof(request),
		.flags = flags,
		.addr = BENCH_ADDR,
		.nb_blocks = SIZE / device->block,
	};
	uint64_t start, end;

	bench_ack(vmem_plug(device->dev, BENCH_ADDR, SIZE / device->block),
		  "PLUG");
	populate(device);
	start = bench_ns();
	bench_check(vmem_ioctl(device->dev, KVM_VMEM_UNPLUG, &request),
		    "UNPLUG");
	end = bench_ns();
	bench_ack(request.out_response, "UNPLUG");
	return (end - start) / 1e3;
}

static void measure(const char *page, uint64_t block)
{
	double sync[NB_RUNS], async[NB_RUNS];
	struct bench_device device;
	unsigned int i;

	bench_create(&device, 1 * GiB, block);
	for (i = 0; i < NB_RUNS; i++) {
		sync[i] = unplug(&device, KVM_VMEM_UNPLUG_SYNC);
		async[i] = unplug(&device, 0);
	}
	bench_destroy(&device);
	bench_report("unplug_call_us", "sync", page, sync, NB_RUNS, "us");
	bench_report("unplug_call_us", "async", page, async, NB_RUNS, "us");
}

void bench_unplug(void)
{
	measure("4k", 1 * MiB);
	measure("2m", 2 * MiB);
}
