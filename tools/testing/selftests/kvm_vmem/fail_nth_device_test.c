// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a device, with each allocation and each copy made to fail in turn: open(),
 * SETUP, mmap(), ATTACH, close(), and the calls by which a VMM asks and sets something.
 */
#include "harness.h"
#include "sweep_fixture.h"

static int open_device(struct sweep_bench *bench)
{
	bench->rig.dev = vmem_open();
	return bench->rig.dev < 0 ? bench->rig.dev : 0;
}

FIXTURE_VARIANT_ADD(sweep, open) {
	.step = { .stage = SWEEP_NO_DEVICE, .call = open_device },
};

static int setup(struct sweep_bench *bench)
{
	return vmem_setup(bench->rig.dev, &bench->rig.setup);
}

FIXTURE_VARIANT_ADD(sweep, setup) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .stage = SWEEP_OPEN, .call = setup, .allocations = 50,
		  .unanswered = true },
};

/* What differs: it has a look at the pages that it would get. */
FIXTURE_VARIANT_ADD(sweep, setup_with_small_blocks) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.block_size = MiB, .options.prealloc = true,
		  .stage = SWEEP_OPEN, .call = setup,
		  .below = "kvm_vmem_protected_create",
		  .allocations = 5, .copies = SWEEP_NONE },
};

/* It lets go of the file. */
FIXTURE_VARIANT_ADD(sweep, setup_with_a_memfd) {
	.step = { .options.backing = BACKING_MEMFD, .options.is_static = true,
		  .stage = SWEEP_OPEN, .call = setup,
		  .below = "kobject_set_name_vargs", .copies = SWEEP_NONE },
};

static int map(struct sweep_bench *bench)
{
	return backing_map_device(&bench->rig.backing, bench->rig.dev);
}

static int unmap(struct sweep_bench *bench)
{
	struct backing *backing = &bench->rig.backing;

	if (munmap(backing->addr, backing->size))
		return -errno;
	backing->reserved_size = 0;
	return 0;
}

FIXTURE_VARIANT_ADD(sweep, mmap) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .stage = SWEEP_SET_UP, .call = map, .undo = unmap,
		  .copies = SWEEP_NONE },
};

FIXTURE_VARIANT_ADD(sweep, munmap) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .stage = SWEEP_MAPPED, .call = unmap, .undo = map,
		  .copies = SWEEP_NONE },
};

static int attach(struct sweep_bench *bench)
{
	return rig_attach(&bench->rig);
}

FIXTURE_VARIANT_ADD(sweep, attach) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .stage = SWEEP_MAPPED, .call = attach,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, attach_to_two_address_spaces) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.address_spaces = 3,
		  .stage = SWEEP_MAPPED, .call = attach,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, attach_of_a_memfd) {
	.step = { .options.backing = BACKING_MEMFD,
		  .stage = SWEEP_MAPPED, .call = attach,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, attach_of_a_static_device) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.is_static = true,
		  .stage = SWEEP_MAPPED, .call = attach,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, attach_of_a_static_device_to_two_address_spaces) {
	.step = { .options.backing = BACKING_ANON,
		  .options.is_static = true, .options.address_spaces = 3,
		  .stage = SWEEP_MAPPED, .call = attach,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, attach_of_a_second_device) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.addr = 8 * GiB, .two_devices = true,
		  .stage = SWEEP_MAPPED, .call = attach,
		  .unanswered = true },
};

static int close_device(struct sweep_bench *bench)
{
	int dev = bench->rig.dev;

	bench->rig.dev = -1;
	return close(dev) ? -errno : 0;
}

FIXTURE_VARIANT_ADD(sweep, close) {
	.step = { .stage = SWEEP_OPEN, .call = close_device,
		  .copies = SWEEP_NONE },
};

FIXTURE_VARIANT_ADD(sweep, close_after_setup) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .stage = SWEEP_SET_UP, .call = close_device,
		  .copies = SWEEP_NONE },
};

/* One active memslot, and one that is idle. */
static int plug_and_unplug(struct sweep_bench *bench)
{
	uint64_t addr = bench->rig.addr;
	int ret = vmem_plug(bench->rig.dev, addr, 9);

	return ret ? ret : vmem_unplug(bench->rig.dev, addr, 8);
}

FIXTURE_VARIANT_ADD(sweep, close_of_an_attached_device) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.address_spaces = 3,
		  .prepare = plug_and_unplug, .call = close_device },
};

FIXTURE_VARIANT_ADD(sweep, close_of_an_attached_memfd) {
	.step = { .options.backing = BACKING_MEMFD,
		  .prepare = plug_and_unplug, .call = close_device },
};

FIXTURE_VARIANT_ADD(sweep, close_of_a_second_device) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.addr = 8 * GiB, .two_devices = true,
		  .prepare = plug_and_unplug, .call = close_device },
};

TEST_HARNESS_MAIN
