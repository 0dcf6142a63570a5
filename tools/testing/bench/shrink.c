// SPDX-License-Identifier: GPL-2.0
/*
 * A guest with a live working set, mapped in 4 KiB pages, gives back memslots
 * one by one. KVM zaps all mappings of the VM with every memslot that is
 * deleted, so that the working set is faulted in again.
 *
 *   eager: every memslot is deleted when its last block is unplugged, as other
 *          VMMs do (user backing)
 *   group: idle memslots are retired together (protected backing)
 */
#include <errno.h>
#include <sys/mman.h>

#include "bench.h"

#define NB_MEMSLOTS 12
#define BLOCK (2 * MiB)
#define MEMSLOT (1 * GiB)
#define PAGE 4096
#define NB_PAGES 32768
#define NB_RUNS 3
/* Below the region, above the VM's own memory. */
#define WORKING_SET (1 * GiB)
#define WORKING_SET_SLOT 1

static void *map_working_set(struct vm *vm)
{
	size_t size = (size_t)NB_PAGES * PAGE;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	bench_check(memory == MAP_FAILED ? -ENOMEM : 0, "the working set");
	madvise(memory, size, MADV_NOHUGEPAGE);
	bench_check(vm_set_memslot(vm->fd, WORKING_SET_SLOT, WORKING_SET, size,
				   memory),
		    "its memslot");
	return memory;
}

static void touch_working_set(struct vm *vm)
{
	bench_check(guest_fill(&vm->vcpus[0], WORKING_SET, NB_PAGES, PAGE, 1),
		    "the guest");
}

/*
 * The guest's page tables, its code and what it shares with the VMM are as live as
 * the rest: everything that it maps when it has all been zapped.
 */
static uint64_t count_working_set(struct vm *vm)
{
	uint64_t faults;

	bench_check(vm_set_memslot(vm->fd, WORKING_SET_SLOT + 1,
				   2 * WORKING_SET, PAGE, vm->ram),
		    "a memslot");
	bench_check(vm_set_memslot(vm->fd, WORKING_SET_SLOT + 1,
				   2 * WORKING_SET, 0, vm->ram),
		    "its deletion");
	faults = bench_pf_fixed(vm);
	touch_working_set(vm);
	return bench_pf_fixed(vm) - faults;
}

static void plug_one_block_each(int dev)
{
	unsigned int i;

	for (i = 0; i < NB_MEMSLOTS; i++)
		bench_ack(vmem_plug(dev, BENCH_ADDR + i * MEMSLOT, 1), "PLUG");
}

static void shrink(struct vm *vm, int dev)
{
	unsigned int i;

	for (i = 0; i < NB_MEMSLOTS; i++) {
		bench_ack(vmem_unplug(dev, BENCH_ADDR + i * MEMSLOT, 1),
			  "UNPLUG");
		touch_working_set(vm);
	}
}

static void retire(int dev)
{
	struct kvm_vmem_get_info info;

	bench_check(vmem_get_info(dev, &info), "GET_INFO");
	bench_check(sysfs_write(info.out_id, "retire", "1"), "retire");
}

struct shrink_run {
	double working_set;
	double refaults;
	double refaults_before_retirement;
	double wall_ms;
};

static struct shrink_run run(struct vm *vm, int dev)
{
	void *memory = map_working_set(vm);
	struct shrink_run result;
	uint64_t faults, start;

	plug_one_block_each(dev);
	touch_working_set(vm);
	result.working_set = count_working_set(vm);

	faults = bench_pf_fixed(vm);
	start = bench_ns();
	shrink(vm, dev);
	result.refaults_before_retirement = bench_pf_fixed(vm) - faults;
	retire(dev);
	touch_working_set(vm);
	result.wall_ms = bench_ms_since(start);
	result.refaults = bench_pf_fixed(vm) - faults;

	munmap(memory, (size_t)NB_PAGES * PAGE);
	return result;
}

static struct shrink_run run_group(void)
{
	struct shrink_run result;
	struct bench_device device;

	bench_create(&device, NB_MEMSLOTS * MEMSLOT, BLOCK);
	result = run(&device.vm, device.dev);
	bench_destroy(&device);
	return result;
}

static struct shrink_run run_eager(void)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.nr_vcpus = 1,
		.addr = BENCH_ADDR,
		.region_size = NB_MEMSLOTS * MEMSLOT,
		.block_size = BLOCK,
	};
	struct shrink_run result;
	struct rig rig;

	bench_check(rig_create(&rig, &options), "user backing");
	result = run(&rig.vm, rig.dev);
	rig_destroy(&rig);
	return result;
}

static void report(const char *mode, const struct shrink_run *runs)
{
	double working_set[NB_RUNS], refaults[NB_RUNS], before[NB_RUNS];
	double wall_ms[NB_RUNS];
	unsigned int i;

	for (i = 0; i < NB_RUNS; i++) {
		working_set[i] = runs[i].working_set;
		refaults[i] = runs[i].refaults;
		before[i] = runs[i].refaults_before_retirement;
		wall_ms[i] = runs[i].wall_ms;
	}
	bench_report("shrink_working_set", mode, NULL, working_set, NB_RUNS, "pages");
	bench_report("shrink_refaults", mode, NULL, refaults, NB_RUNS, "faults");
	bench_report("shrink_refaults_before_retirement", mode, NULL, before, NB_RUNS, "faults");
	bench_report("shrink_wall_ms", mode, NULL, wall_ms, NB_RUNS, "ms");
}

void bench_shrink(void)
{
	struct shrink_run group[NB_RUNS], eager[NB_RUNS];
	unsigned int i;

	for (i = 0; i < NB_RUNS; i++) {
		group[i] = run_group();
		eager[i] = run_eager();
	}
	report("group", group);
	report("eager", eager);
}
