// SPDX-License-Identifier: GPL-2.0
/*
 * What a migration needs, with each allocation and each copy made to fail in turn: the
 * bitmap of plugged blocks and the dirty log.
 */
#include "harness.h"
#include "sweep_fixture.h"

#define NB_BLOCKS	32
#define NB_PAGES	(64 * MiB / (4 * KiB))

/* The last blocks of the second memslot, and the first ones of the third. */
static const uint64_t plugged = 0xff << 12;

static int plug(struct sweep_bench *bench)
{
	return vmem_plug(bench->rig.dev,
			 bench->rig.addr + 12 * bench->rig.block, 8);
}

static int get_bitmap(struct sweep_bench *bench)
{
	uint64_t bitmap = 0;
	int ret = vmem_get_bitmap(bench->rig.dev, 0, NB_BLOCKS, &bitmap);

	return ret || bitmap == plugged ? ret : -EPROTO;
}

FIXTURE_VARIANT_ADD(sweep, get_bitmap) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = plug, .call = get_bitmap, .stays = true },
};

static int set_bitmap(struct sweep_bench *bench)
{
	const uint64_t bitmap = plugged | 1;
	struct kvm_vmem_get_config config;
	struct kvm_vmem_set_bitmap set;
	int ret = vmem_get_config(bench->rig.dev, &config);

	if (ret)
		return ret;
	fill_set_bitmap(&set, &config, &bitmap);
	return vmem_set_bitmap(bench->rig.dev, &set);
}

FIXTURE_VARIANT_ADD(sweep, set_bitmap) {
	.step = { .options.backing = BACKING_PROTECTED, .call = set_bitmap },
};

FIXTURE_VARIANT_ADD(sweep, set_bitmap_with_preallocation) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.prealloc = true, .call = set_bitmap },
};

FIXTURE_VARIANT_ADD(sweep, set_bitmap_of_a_memfd) {
	.step = { .options.backing = BACKING_MEMFD, .call = set_bitmap },
};

FIXTURE_VARIANT_ADD(sweep, set_bitmap_of_a_static_device) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.is_static = true, .call = set_bitmap },
};

static int start_log(struct sweep_bench *bench)
{
	return vmem_action(bench->rig.dev, KVM_VMEM_SET_DIRTY_LOG,
			   KVM_VMEM_DIRTY_LOG_ENABLE);
}

static int stop_log(struct sweep_bench *bench)
{
	return vmem_action(bench->rig.dev, KVM_VMEM_SET_DIRTY_LOG, 0);
}

FIXTURE_VARIANT_ADD(sweep, start_of_the_dirty_log) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.address_spaces = 3,
		  .prepare = plug, .call = start_log, .undo = stop_log },
};

static int plug_and_log(struct sweep_bench *bench)
{
	int ret = plug(bench);

	return ret ? ret : start_log(bench);
}

FIXTURE_VARIANT_ADD(sweep, stop_of_the_dirty_log) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = plug_and_log, .call = stop_log,
		  .undo = start_log },
};

static int log_and_plug(struct sweep_bench *bench)
{
	int ret = start_log(bench);

	return ret ? ret : plug(bench);
}

/* A call that fails loses none: the next one tells of them. */
static int get_log(struct sweep_bench *bench,
		   bool (*has_all)(const uint64_t *bitmap))
{
	static uint64_t bitmap[NB_PAGES / 64];
	int64_t nb_dirty;

	nb_dirty = vmem_get_dirty_log(bench->rig.dev, 0, NB_PAGES, bitmap);
	if (nb_dirty < 0)
		return nb_dirty;
	return has_all(bitmap) ? 0 : -EPROTO;
}

/* A block is dirty as a whole when it was plugged. */
static bool has_dirty_blocks(const uint64_t *bitmap)
{
	unsigned int i;

	for (i = 12 * 8; i < 20 * 8; i++)
		if (~bitmap[i])
			return false;
	return true;
}

static int get_log_of_blocks(struct sweep_bench *bench)
{
	return get_log(bench, has_dirty_blocks);
}

static int unplug(struct sweep_bench *bench)
{
	return vmem_unplug(bench->rig.dev,
			   bench->rig.addr + 12 * bench->rig.block, 8);
}

static int unplug_and_plug(struct sweep_bench *bench)
{
	int ret = unplug(bench);

	return ret ? ret : plug(bench);
}

FIXTURE_VARIANT_ADD(sweep, get_dirty_log_of_blocks) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = log_and_plug, .call = get_log_of_blocks,
		  .undo = unplug_and_plug, .also = -ENOMEM },
};

/* Only KVM knows of this one, and forgets it as soon as it was asked. */
static bool has_dirty_page(const uint64_t *bitmap)
{
	return bitmap[12 * 8] & 1;
}

static int get_log_of_guest(struct sweep_bench *bench)
{
	return get_log(bench, has_dirty_page);
}

static int guest_writes(struct sweep_bench *bench)
{
	return guest_write(&bench->rig.vm.vcpus[0],
			   bench->rig.addr + 12 * bench->rig.block, 1);
}

static int plug_log_and_write(struct sweep_bench *bench)
{
	int ret = plug_and_log(bench);

	return ret ? ret : guest_writes(bench);
}

FIXTURE_VARIANT_ADD(sweep, get_dirty_log_of_the_guest) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.nr_vcpus = 1, .touches = true,
		  .prepare = plug_log_and_write, .call = get_log_of_guest,
		  .undo = guest_writes, .also = -ENOMEM },
};

static int unplug_and_retire(struct sweep_bench *bench)
{
	int ret = unplug(bench);

	return ret ? ret : sysfs_write(bench->rig.setup.out_id, "retire", "1");
}

FIXTURE_VARIANT_ADD(sweep, plug_that_is_logged) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.address_spaces = 3,
		  .prepare = start_log, .call = plug,
		  .undo = unplug_and_retire, .unanswered = true },
};

TEST_HARNESS_MAIN
