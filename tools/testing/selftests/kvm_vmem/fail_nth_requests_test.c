// SPDX-License-Identifier: GPL-2.0
/*
 * The requests of a guest, with each allocation and each copy made to fail in turn.
 */
#include "harness.h"
#include "sweep_fixture.h"

static int retire(struct sweep_bench *bench)
{
	return sysfs_write(bench->rig.setup.out_id, "retire", "1");
}

static int plug(struct sweep_bench *bench, unsigned int first, unsigned int nb)
{
	return vmem_plug(bench->rig.dev,
			 bench->rig.addr + first * bench->rig.block, nb);
}

static int unplug(struct sweep_bench *bench, unsigned int first,
		  unsigned int nb)
{
	return vmem_unplug(bench->rig.dev,
			   bench->rig.addr + first * bench->rig.block, nb);
}

/* Of the eight blocks of the first memslot. */
static int plug_two(struct sweep_bench *bench)
{
	return plug(bench, 1, 2);
}

static int unplug_two(struct sweep_bench *bench)
{
	return unplug(bench, 1, 2);
}

static int unplug_two_synchronously(struct sweep_bench *bench)
{
	return vmem_unplug_sync(bench->rig.dev,
				bench->rig.addr + bench->rig.block, 2);
}

static int unplug_two_and_retire(struct sweep_bench *bench)
{
	int ret = unplug_two(bench);

	return ret ? ret : retire(bench);
}

FIXTURE_VARIANT_ADD(sweep, plug_that_needs_a_memslot) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .call = plug_two, .undo = unplug_two_and_retire,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, plug_that_needs_a_memslot_in_two_address_spaces) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.address_spaces = 3,
		  .call = plug_two, .undo = unplug_two_and_retire,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, plug_that_needs_a_memslot_of_a_memfd) {
	.step = { .options.backing = BACKING_MEMFD,
		  .call = plug_two, .undo = unplug_two,
		  .unanswered = true },
};

static int plug_first(struct sweep_bench *bench)
{
	return plug(bench, 0, 1);
}

FIXTURE_VARIANT_ADD(sweep, plug_in_an_active_memslot) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = plug_first, .call = plug_two, .undo = unplug_two,
		  .allocations = SWEEP_NONE,
		  .unanswered = true },
};

static int become_idle(struct sweep_bench *bench)
{
	int ret = plug_two(bench);

	return ret ? ret : unplug_two(bench);
}

FIXTURE_VARIANT_ADD(sweep, plug_in_an_idle_memslot) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = become_idle, .call = plug_two, .undo = unplug_two,
		  .allocations = SWEEP_NONE,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, plug_of_a_static_device) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.is_static = true,
		  .call = plug_two, .undo = unplug_two,
		  .allocations = SWEEP_NONE,
		  .unanswered = true },
};

/* Of four memslots the second is there, but not the third and fourth. */
static int plug_ninth(struct sweep_bench *bench)
{
	return plug(bench, 8, 1);
}

static int plug_across(struct sweep_bench *bench)
{
	return plug(bench, 9, 16);
}

static int unplug_across(struct sweep_bench *bench)
{
	return unplug(bench, 9, 16);
}

static int unplug_across_and_retire(struct sweep_bench *bench)
{
	int ret = unplug_across(bench);

	return ret ? ret : retire(bench);
}

FIXTURE_VARIANT_ADD(sweep, plug_across_memslots) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = plug_ninth, .call = plug_across,
		  .undo = unplug_across_and_retire,
		  .unanswered = true },
};

/* The second memslot is idle, and stays so if the others cannot be had. */
static int have_an_idle_one(struct sweep_bench *bench)
{
	int ret = plug_ninth(bench);

	return ret ? ret : unplug(bench, 8, 1);
}

static int plug_across_an_idle_one(struct sweep_bench *bench)
{
	return plug(bench, 6, 18);
}

static int unplug_to_an_idle_one(struct sweep_bench *bench)
{
	int ret = unplug(bench, 6, 18);

	if (!ret)
		ret = retire(bench);
	return ret ? ret : have_an_idle_one(bench);
}

FIXTURE_VARIANT_ADD(sweep, plug_across_memslots_one_of_them_idle) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = have_an_idle_one,
		  .call = plug_across_an_idle_one,
		  .undo = unplug_to_an_idle_one,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, plug_across_memslots_of_a_memfd) {
	.step = { .options.backing = BACKING_MEMFD,
		  .prepare = plug_ninth, .call = plug_across,
		  .undo = unplug_across,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, plug_with_preallocation) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.prealloc = true,
		  .call = plug_two, .undo = unplug_two_and_retire,
		  .unanswered = true },
};

/* It may have to free the memory itself. */
FIXTURE_VARIANT_ADD(sweep, unplug) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.prealloc = true,
		  .prepare = plug_two, .call = unplug_two, .undo = plug_two,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, unplug_synchronously) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.prealloc = true,
		  .prepare = plug_two, .call = unplug_two_synchronously,
		  .undo = plug_two, .allocations = SWEEP_NONE,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, unplug_of_a_memfd) {
	.step = { .options.backing = BACKING_MEMFD,
		  .prepare = plug_two, .call = unplug_two, .undo = plug_two,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, unplug_of_memory_of_the_process) {
	.step = { .options.backing = BACKING_ANON,
		  .prepare = plug_two, .call = unplug_two, .undo = plug_two,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, unplug_across_memslots) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = plug_across, .call = unplug_across,
		  .undo = plug_across,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, unplug_across_memslots_of_a_memfd) {
	.step = { .options.backing = BACKING_MEMFD,
		  .options.address_spaces = 3,
		  .prepare = plug_across, .call = unplug_across,
		  .undo = plug_across,
		  .unanswered = true },
};

static int unplug_all(struct sweep_bench *bench)
{
	return vmem_unplug_all(bench->rig.dev);
}

static int unplug_all_synchronously(struct sweep_bench *bench)
{
	return vmem_unplug_sync(bench->rig.dev, 0, 0);
}

FIXTURE_VARIANT_ADD(sweep, unplug_all) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.address_spaces = 3,
		  .prepare = plug_across, .call = unplug_all,
		  .undo = plug_across,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, unplug_all_synchronously) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = plug_across, .call = unplug_all_synchronously,
		  .undo = plug_across,
		  .unanswered = true },
};

FIXTURE_VARIANT_ADD(sweep, unplug_all_of_a_memfd) {
	.step = { .options.backing = BACKING_MEMFD,
		  .prepare = plug_across, .call = unplug_all,
		  .undo = plug_across,
		  .unanswered = true },
};

static int reset(struct sweep_bench *bench)
{
	return vmem_action(bench->rig.dev, KVM_VMEM_RESET, 0);
}

FIXTURE_VARIANT_ADD(sweep, reset) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = plug_across, .call = reset, .undo = plug_across },
};

FIXTURE_VARIANT_ADD(sweep, reset_of_a_memfd) {
	.step = { .options.backing = BACKING_MEMFD,
		  .prepare = plug_across, .call = reset, .undo = plug_across },
};

static int ask_state(struct sweep_bench *bench)
{
	uint16_t state = 0xffff;
	int ret = vmem_state(bench->rig.dev, bench->rig.addr, 2, &state);

	return ret || state == VIRTIO_MEM_STATE_MIXED ? ret : -EPROTO;
}

FIXTURE_VARIANT_ADD(sweep, state) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = plug_two, .call = ask_state, .stays = true,
		  .allocations = SWEEP_NONE },
};

TEST_HARNESS_MAIN
