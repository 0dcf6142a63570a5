// SPDX-License-Identifier: GPL-2.0
/*
 * What KVM and the module allocate for a region of 1 and of 16 TiB with 1 GiB plugged,
 * and how long that takes, beside
 *
 *   static     one memslot over the region, as a VMM has it that knows no better
 *   qemu-grid  the memslots that QEMU has with dynamic-memslots=on: at least 1 GiB each,
 *              and at most 256. QEMU's own time and memory are not in it
 *   limit      what KVM needs for what is plugged, and nothing besides: a memslot of
 *              1 GiB, without the module
 *
 * with the paging that KVM was loaded for, without SMM and with it. Then, with 1 TiB and
 * two-dimensional paging, what comes on top: for the log of dirty pages (dirty_kib), and
 * once the guest has run a guest of its own (nested_kib), when KVM allocates for all
 * memslots what it needs to shadow page tables.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../demo/metadata.h"
#include "bench.h"
#include "nested.h"

#define PLUGGED GiB
#define MUCH_PLUGGED (64 * GiB)
#define NB_RUNS 5
/* What takes longer than that is not repeated any more. */
#define ENOUGH_MS 3000
#define REGION_SLOT 1
#define NB_OF(array) (sizeof(array) / sizeof(*(array)))

static uint64_t static_memslot(uint64_t region)
{
	return region;
}

static uint64_t qemu_memslot(uint64_t region)
{
	return region / 256 > GiB ? region / 256 : GiB;
}

static uint64_t no_memslot(uint64_t region)
{
	(void)region;
	return 0;
}

static uint64_t limit_memslot(uint64_t region)
{
	(void)region;
	return PLUGGED;
}

static const struct {
	const char *name;
	uint64_t (*memslot_size)(uint64_t region);
} modes[] = {
	{ "static", static_memslot },
	{ "qemu-grid", qemu_memslot },
	{ "group", no_memslot },
	{ "limit", limit_memslot },
};

#define NB_MODES NB_OF(modes)

static const struct {
	const char *name;
	uint64_t size;
} regions[] = {
	{ "1T", TiB },
	{ "16T", 16 * TiB },
};

static struct metadata describe(unsigned int mode, uint64_t region, bool smm)
{
	struct metadata what = {
		.smm = smm,
		.region_size = region,
		.plugged_size = PLUGGED,
		.memslot_size = modes[mode].memslot_size(region),
	};

	what.backing = what.memslot_size ? BACKING_MEMFD : BACKING_PROTECTED;
	return what;
}

/* Returns how many runs there were, or -errno. */
static int run(const struct metadata *what, struct metadata *runs)
{
	double ms = 0;
	int i;

	for (i = 0; i < NB_RUNS && ms < ENOUGH_MS; i++) {
		runs[i] = *what;
		metadata_measure(&runs[i]);
		if (runs[i].error)
			return runs[i].error;
		ms += runs[i].ms;
	}
	return i;
}

static void measure(unsigned int mode, const char *name, uint64_t region, bool smm)
{
	struct metadata what = describe(mode, region, smm), runs[NB_RUNS];
	double kib[NB_RUNS], ms[NB_RUNS];
	int nb, i;
	char of[32];

	snprintf(of, sizeof(of), "%s %s%s", name, metadata_paging(), smm ? "+smm" : "");
	nb = run(&what, runs);
	if (nb < 0) {
		bench_say("%s, %s: KVM refuses it: %s", of, modes[mode].name, strerror(-nb));
		return;
	}
	for (i = 0; i < nb; i++) {
		kib[i] = runs[i].kib;
		ms[i] = runs[i].ms;
	}
	bench_report("metadata_kib", modes[mode].name, of, kib, nb, "KiB");
	bench_report("ready_ms", modes[mode].name, of, ms, nb, "ms");
}

static int log_memslot(struct metadata *what, struct metadata_vm *vm)
{
	struct kvm_userspace_memory_region region = {
		.slot = REGION_SLOT,
		.flags = KVM_MEM_LOG_DIRTY_PAGES,
		.guest_phys_addr = METADATA_ADDR,
		.memory_size = what->memslot_size,
		.userspace_addr = (uintptr_t)vm->backing.addr,
	};

	return ioctl(vm->vm.fd, KVM_SET_USER_MEMORY_REGION, &region) ? -errno : 0;
}

static void log_dirty_pages(struct metadata *what, struct metadata_vm *vm)
{
	uint64_t before = metadata_charge();

	if (what->memslot_size)
		bench_check(log_memslot(what, vm), "the log of dirty pages");
	else
		bench_check(vmem_action(vm->dev, KVM_VMEM_SET_DIRTY_LOG,
					KVM_VMEM_DIRTY_LOG_ENABLE), "SET_DIRTY_LOG");
	what->more_kib = (metadata_charge() - before) / KiB;
}

/* It has run before, so that what any guest needs is there. */
static void run_nested(struct metadata *what, struct metadata_vm *vm)
{
	uint64_t before;

	bench_check(guest_write(&vm->vm.vcpus[0], METADATA_ADDR, 1), "the guest");
	before = metadata_charge();
	what->error = nested_run(&vm->vm);
	if (what->error == -EOPNOTSUPP)
		return;
	bench_check(what->error, "a nested guest");
	what->more_kib = (metadata_charge() - before) / KiB;
}

static void measure_more(const char *name, unsigned int mode,
			 void (*then)(struct metadata *what, struct metadata_vm *vm))
{
	struct metadata what = describe(mode, TiB, false), runs[NB_RUNS];
	double kib[NB_RUNS];
	int nb, i;

	what.then = then;
	nb = run(&what, runs);
	if (nb < 0) {
		bench_say("%s: not here: %s", name, strerror(-nb));
		return;
	}
	for (i = 0; i < nb; i++)
		kib[i] = runs[i].more_kib;
	bench_report(name, modes[mode].name, "1T tdp", kib, nb, "KiB");
}

static double kib_of(uint64_t region, uint64_t plugged, uint64_t memslot_size)
{
	struct metadata what = {
		.region_size = region,
		.plugged_size = plugged,
		.memslot_size = memslot_size,
		.backing = memslot_size ? BACKING_MEMFD : BACKING_PROTECTED,
	};

	metadata_measure(&what);
	bench_check(what.error, "KVM_SET_USER_MEMORY_REGION");
	return what.kib;
}

/* What is not KVM's for the same memslots is the module's. */
static void measure_module(void)
{
	double empty = kib_of(TiB, 0, 0), large = kib_of(16 * TiB, 0, 0);
	double one = kib_of(TiB, PLUGGED, 0) - kib_of(TiB, PLUGGED, GiB);
	double much = kib_of(TiB, MUCH_PLUGGED, 0) - kib_of(TiB, MUCH_PLUGGED, GiB);

	bench_result("module_kib", "group", "a device", empty, "KiB");
	bench_result("module_kib", "group", "per TiB of region", (large - empty) / 15, "KiB");
	bench_result("module_kib", "group", "per GiB plugged",
		     (much - one) * GiB / (MUCH_PLUGGED - PLUGGED), "KiB");
}

void bench_metadata(void)
{
	unsigned int i, mode, smm;

	for (i = 0; i < NB_OF(regions); i++)
		for (smm = 0; smm < 2; smm++)
			for (mode = 0; mode < NB_MODES; mode++)
				measure(mode, regions[i].name, regions[i].size, smm);
	if (strcmp(metadata_paging(), "tdp"))
		return;
	for (mode = 0; mode < NB_MODES; mode++) {
		measure_more("dirty_kib", mode, log_dirty_pages);
		measure_more("nested_kib", mode, run_nested);
	}
	measure_module();
}
