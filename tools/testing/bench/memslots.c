// SPDX-License-Identifier: GPL-2.0
/*
 * What a request costs in a device with 16, 1024 and 16384 active memslots:
 *
 *   inside  PLUG of a block in an active memslot, and its UNPLUG: what there is beside
 *           it is not to matter
 *   new     PLUG of a block that needs a memslot, beside a memslot that is given to KVM
 *           in the same VM without the module (kvm)
 */
#include <stdio.h>

#include "bench.h"

#define BLOCK (2 * MiB)
#define MEMSLOT (2 * BLOCK)
/* The last memslot is for new ones. */
#define NB_DEVICES 3
#define NB_RUNS 41
#define NB_INSIDE 64
#define LIMIT "/sys/module/kvm_vmem/parameters/memslot_limit"
#define OTHER_SLOT 1
#define OTHER_ADDR GiB

static const unsigned int nb_active[NB_DEVICES] = { 16, 1024, 16384 };

struct figures {
	double plug_us[NB_RUNS];
	double unplug_us[NB_RUNS];
	double new_us[NB_RUNS];
	double kvm_us[NB_RUNS];
	uint64_t kvm_calls;
};

static void create(struct bench_device *device, unsigned int nb)
{
	unsigned int i;

	bench_create_grid(device, (nb + 1) * MEMSLOT, BLOCK, MEMSLOT);
	for (i = 0; i < nb; i++)
		bench_ack(vmem_plug(device->dev, BENCH_ADDR + i * MEMSLOT, 1), "PLUG");
}

/* The second block of a memslot: all over the region. */
static uint64_t inside(unsigned int nb, unsigned int i)
{
	return BENCH_ADDR + (uint64_t)nb / 16 * (i % 16) * MEMSLOT + BLOCK;
}

static double us_since(uint64_t start, unsigned int nb)
{
	return (bench_ns() - start) / 1e3 / nb;
}

static void time_inside(struct bench_device *device, unsigned int nb, struct figures *figures,
			unsigned int run)
{
	uint64_t calls = bench_kvm_calls(device), start;
	unsigned int i;

	for (i = 0; i < NB_INSIDE; i++) {
		start = bench_ns();
		bench_ack(vmem_plug(device->dev, inside(nb, i), 1), "PLUG");
		figures->plug_us[run] += us_since(start, NB_INSIDE);
		start = bench_ns();
		bench_ack(vmem_unplug(device->dev, inside(nb, i), 1), "UNPLUG");
		figures->unplug_us[run] += us_since(start, NB_INSIDE);
	}
	figures->kvm_calls += bench_kvm_calls(device) - calls;
}

static void time_new(struct bench_device *device, unsigned int nb, struct figures *figures,
		     unsigned int run)
{
	uint64_t addr = BENCH_ADDR + (uint64_t)nb * MEMSLOT, start = bench_ns();
	struct kvm_vmem_get_info info;

	bench_ack(vmem_plug(device->dev, addr, 1), "PLUG");
	figures->new_us[run] = us_since(start, 1);
	bench_ack(vmem_unplug(device->dev, addr, 1), "UNPLUG");
	bench_check(vmem_get_info(device->dev, &info), "GET_INFO");
	bench_check(sysfs_write(info.out_id, "retire", "1"), "retire");

	start = bench_ns();
	bench_check(vm_set_memslot(device->vm.fd, OTHER_SLOT, OTHER_ADDR, VM_RAM_SIZE,
				   device->vm.ram), "a memslot");
	figures->kvm_us[run] = us_since(start, 1);
	bench_check(vm_set_memslot(device->vm.fd, OTHER_SLOT, OTHER_ADDR, 0, device->vm.ram),
		    "its deletion");
}

static void report(unsigned int nb, struct figures *figures)
{
	char of[32];

	snprintf(of, sizeof(of), "%u active", nb);
	bench_report("inside_plug_us", "group", of, figures->plug_us, NB_RUNS, "us");
	bench_report("inside_unplug_us", "group", of, figures->unplug_us, NB_RUNS, "us");
	bench_result("inside_kvm_calls", "group", of, figures->kvm_calls, "calls");
	bench_report("new_plug_us", "group", of, figures->new_us, NB_RUNS, "us");
	bench_report("new_plug_us", "kvm", of, figures->kvm_us, NB_RUNS, "us");
}

void bench_memslots(void)
{
	static struct figures figures[NB_DEVICES];
	struct bench_device devices[NB_DEVICES];
	unsigned int i, run;

	bench_check(write_file(LIMIT, "16385"), LIMIT);
	for (i = 0; i < NB_DEVICES; i++) {
		bench_say("%u memslots", nb_active[i]);
		create(&devices[i], nb_active[i]);
	}
	/* In turn, so that what else the machine does meets all. */
	for (run = 0; run < NB_RUNS; run++)
		for (i = 0; i < NB_DEVICES; i++)
			time_inside(&devices[i], nb_active[i], &figures[i], run);
	for (run = 0; run < NB_RUNS; run++)
		for (i = 0; i < NB_DEVICES; i++)
			time_new(&devices[i], nb_active[i], &figures[i], run);
	for (i = 0; i < NB_DEVICES; i++) {
		report(nb_active[i], &figures[i]);
		bench_destroy(&devices[i]);
	}
}
