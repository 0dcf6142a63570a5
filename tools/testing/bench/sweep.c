// SPDX-License-Identifier: GPL-2.0
/*
 * A guest plugs 64 GiB of 1 TiB in one go, by requests of 128 MiB as Linux makes them, or
 * by one. Beside it what KVM takes for its memslots alone, as a VMM would make them:
 * of 1 GiB, or as QEMU has them.
 */
#include "bench.h"

#define SIZE (64 * GiB)
#define REGION TiB
#define BLOCK (2 * MiB)
#define REQUEST (128 * MiB)
#define QEMU_MEMSLOT (REGION / 256)
#define NB_RUNS 5

static double plug(uint64_t request, uint64_t *kvm_calls)
{
	struct bench_device device;
	uint64_t start;
	double ms;

	bench_create(&device, REGION, BLOCK);
	*kvm_calls = bench_kvm_calls(&device);
	start = bench_ns();
	bench_plug(&device, SIZE, request);
	ms = bench_ms_since(start);
	*kvm_calls = bench_kvm_calls(&device) - *kvm_calls;
	bench_destroy(&device);
	return ms;
}

static double map(uint64_t memslot, uint64_t *kvm_calls)
{
	struct backing backing;
	uint64_t start;
	struct vm vm;
	double ms;

	bench_check(vm_create(&vm, 1), "a VM");
	bench_check(backing_create(&backing, BACKING_MEMFD, SIZE, 0), "memory");
	start = bench_ns();
	bench_map(&vm, &backing, SIZE, memslot);
	ms = bench_ms_since(start);
	*kvm_calls = SIZE / memslot;
	vm_destroy(&vm);
	backing_destroy(&backing);
	return ms;
}

static const struct {
	const char *name;
	const char *of;
	double (*run)(uint64_t unit, uint64_t *kvm_calls);
	uint64_t unit;
} modes[] = {
	{ "group", "requests of 128 MiB", plug, REQUEST },
	{ "group", "one request", plug, SIZE },
	{ "kvm", "memslots of 1 GiB", map, GiB },
	{ "qemu-grid", "memslots of 4 GiB", map, QEMU_MEMSLOT },
};

#define NB_MODES (sizeof(modes) / sizeof(*modes))

void bench_sweep(void)
{
	double ms[NB_MODES][NB_RUNS];
	uint64_t kvm_calls[NB_MODES];
	unsigned int mode, run;

	for (run = 0; run < NB_RUNS; run++)
		for (mode = 0; mode < NB_MODES; mode++)
			ms[mode][run] = modes[mode].run(modes[mode].unit, &kvm_calls[mode]);
	for (mode = 0; mode < NB_MODES; mode++) {
		bench_report("sweep_ms", modes[mode].name, modes[mode].of, ms[mode], NB_RUNS,
			     "ms");
		bench_result("sweep_kvm_calls", modes[mode].name, modes[mode].of,
			     kvm_calls[mode], "calls");
	}
}
