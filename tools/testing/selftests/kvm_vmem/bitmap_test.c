// SPDX-License-Identifier: GPL-2.0
/*
 * GET_BITMAP and SET_BITMAP: which blocks are plugged, on the one side of a
 * migration and on the other.
 */
#include "harness.h"

#include <sys/eventfd.h>
#include <sys/mman.h>

#include "access.h"

#define BLOCK (2 * MiB)
#define REGION (4 * GiB)
#define NB_BLOCKS (REGION / BLOCK)
#define NB_WORDS (NB_BLOCKS / 64)

/* Blocks of several memslots, at both ends of words, and the last one. */
static const uint64_t some_blocks[] = {
	0, 1, 63, 64, 100, 511, 512, 1023, 1500, NB_BLOCKS - 1
};

FIXTURE(bitmap) {
	struct rig source, rig;
	int dev;
	struct kvm_vmem_get_config config;
	struct kvm_vmem_set_bitmap set;
	uint64_t bitmap[NB_WORDS + 1];
};

FIXTURE_VARIANT(bitmap) {
	struct rig_options source, destination;
};

FIXTURE_VARIANT_ADD(bitmap, protected)
{
	.source = { .backing = BACKING_PROTECTED },
	.destination = { .backing = BACKING_PROTECTED },
};

FIXTURE_VARIANT_ADD(bitmap, other_memslots)
{
	.source = { .backing = BACKING_PROTECTED },
	.destination = {
		.backing = BACKING_PROTECTED,
		.memslot_size = 64 * MiB,
	},
};

FIXTURE_VARIANT_ADD(bitmap, preallocated)
{
	.source = { .backing = BACKING_PROTECTED },
	.destination = { .backing = BACKING_PROTECTED, .prealloc = true },
};

FIXTURE_VARIANT_ADD(bitmap, user_to_static)
{
	.source = { .backing = BACKING_MEMFD },
	.destination = { .backing = BACKING_PROTECTED, .is_static = true },
};

FIXTURE_VARIANT_ADD(bitmap, static_to_user)
{
	.source = { .backing = BACKING_PROTECTED, .is_static = true },
	.destination = { .backing = BACKING_MEMFD },
};

static int create(struct rig *rig, struct rig_options options)
{
	options.region_size = REGION;
	options.nr_vcpus = 1;
	return rig_create(rig, &options);
}

FIXTURE_SETUP(bitmap)
{
	unsigned int i;

	test_ok(create(&self->source, variant->source));
	test_ok(create(&self->rig, variant->destination));
	self->dev = self->rig.dev;
	for (i = 0; i < ARRAY_SIZE(some_blocks); i++)
		test_ack(vmem_plug(self->source.dev, self->source.addr +
				   some_blocks[i] * BLOCK, 1));
	test_ok(vmem_get_config(self->source.dev, &self->config));
	memset(self->bitmap, 0xff, sizeof(self->bitmap));
	test_ok(vmem_get_bitmap(self->source.dev, 0, NB_BLOCKS, self->bitmap));
	fill_set_bitmap(&self->set, &self->config, self->bitmap);
}

FIXTURE_TEARDOWN(bitmap)
{
	rig_destroy(&self->rig);
	rig_destroy(&self->source);
}

static bool bit(const uint64_t *bitmap, uint64_t i)
{
	return bitmap[i / 64] >> i % 64 & 1;
}

static bool is_some_block(uint64_t block)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(some_blocks); i++)
		if (some_blocks[i] == block)
			return true;
	return false;
}

TEST_F(bitmap, has_the_plugged_blocks)
{
	uint64_t block;

	for (block = 0; block < NB_BLOCKS; block++)
		ASSERT_EQ(is_some_block(block), bit(self->bitmap, block));
	/* And no more of the caller's memory. */
	ASSERT_EQ(~0ULL, self->bitmap[NB_WORDS]);
}

TEST_F(bitmap, of_a_part_begins_with_its_first_block)
{
	uint64_t part[2];

	test_ok(vmem_get_bitmap(self->source.dev, 63, 38, part));
	ASSERT_EQ(1 | 1 << 1 | 1ULL << 37, part[0]);
	test_ok(vmem_get_bitmap(self->source.dev, 1, 64, part));
	ASSERT_EQ(1 | 1ULL << 62 | 1ULL << 63, part[0]);
	test_ok(vmem_get_bitmap(self->source.dev, NB_BLOCKS - 65, 65, part));
	ASSERT_EQ(0, part[0]);
	ASSERT_EQ(1, part[1]);
}

TEST_F(bitmap, of_what_is_not_in_the_region_is_EINVAL)
{
	int dev = self->source.dev;

	test_err(EINVAL, vmem_get_bitmap(dev, 0, 0, self->bitmap));
	test_err(EINVAL, vmem_get_bitmap(dev, 0, NB_BLOCKS + 1, self->bitmap));
	test_err(EINVAL, vmem_get_bitmap(dev, 1, NB_BLOCKS, self->bitmap));
	test_err(EINVAL, vmem_get_bitmap(dev, NB_BLOCKS, 1, self->bitmap));
	test_err(EINVAL, vmem_get_bitmap(dev, ~0ULL, 2, self->bitmap));
	test_err(EINVAL, vmem_get_bitmap(dev, 2, ~0ULL, self->bitmap));
	test_err(EFAULT, vmem_get_bitmap(dev, 0, 1, NULL));
}

TEST_F(bitmap, of_a_device_without_vm_is_ENODEV)
{
	const struct rig_options options = { .backing = BACKING_PROTECTED };
	int dev = vmem_open();
	struct rig rig;
	uint64_t word;

	test_err(ENODEV, vmem_get_bitmap(dev, 0, 1, &word));
	ASSERT_EQ(0, close(dev));
	test_ok(rig_prepare(&rig, &options));
	test_err(ENODEV, vmem_get_bitmap(rig.dev, 0, 64, &word));
	test_err(ENODEV, vmem_set_bitmap(rig.dev, &self->set));
	rig_destroy(&rig);
}

TEST_F(bitmap, restored_is_the_same)
{
	uint64_t restored[NB_WORDS];
	struct kvm_vmem_get_config config;

	test_ok(vmem_set_bitmap(self->dev, &self->set));
	test_ok(vmem_get_bitmap(self->dev, 0, NB_BLOCKS, restored));
	ASSERT_EQ(0, memcmp(self->bitmap, restored, sizeof(restored)));
	test_ok(vmem_get_config(self->dev, &config));
	ASSERT_EQ(ARRAY_SIZE(some_blocks) * BLOCK, config.out_plugged_size);
	ASSERT_EQ(self->config.out_usable_region_size,
		  config.out_usable_region_size);
}

TEST_F(bitmap, restored_blocks_are_memory_and_others_are_not)
{
	struct vcpu *vcpu = &self->rig.vm.vcpus[0];
	uint64_t addr = self->rig.addr, value;
	unsigned int i;

	test_ok(vmem_set_bitmap(self->dev, &self->set));
	for (i = 0; i < ARRAY_SIZE(some_blocks); i++) {
		test_ok(guest_read(vcpu, addr + some_blocks[i] * BLOCK,
				   &value));
		ASSERT_EQ(0, value);
		test_ok(guest_write(vcpu, addr + some_blocks[i] * BLOCK, i));
	}
	if (variant->destination.backing == BACKING_PROTECTED)
		ASSERT_EQ(-SIGBUS, try_touch(self->rig.backing.addr +
					     2 * BLOCK));
	test_ack(vmem_unplug(self->dev, addr + 63 * BLOCK, 2));
	test_error(vmem_plug(self->dev, addr, 1));
	test_ack(vmem_plug(self->dev, addr + 2 * BLOCK, 60));
	test_ack(vmem_unplug_all(self->dev));
}

static unsigned int nr_memslots(struct rig *rig)
{
	uint64_t size = rig->attach.out_memslot_size;
	uint64_t last = ~0ULL;
	unsigned int i, nb = 0;

	for (i = 0; i < ARRAY_SIZE(some_blocks); i++) {
		nb += some_blocks[i] * BLOCK / size != last;
		last = some_blocks[i] * BLOCK / size;
	}
	return nb;
}

TEST_F(bitmap, restored_maps_the_memslots_that_it_needs)
{
	test_ok(vmem_set_bitmap(self->dev, &self->set));
	test_group(self->dev, nr_memslots(&self->rig), 0);
}

TEST_F(bitmap, restored_is_one_change_of_the_size)
{
	int listener = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t value = 0;

	ASSERT_LE(0, listener);
	test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_SIZE, listener));
	test_ok(vmem_set_bitmap(self->dev, &self->set));
	ASSERT_EQ(8, read(listener, &value, 8));
	ASSERT_EQ(1, value);
	ASSERT_EQ(0, close(listener));
}

TEST_F(bitmap, restored_tells_of_its_memslots_once_and_refused_not_at_all)
{
	int listener = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t gpa = self->rig.addr + REGION - BLOCK, value = 0;
	void *page = self->rig.vm.ram;

	if (variant->destination.is_static)
		return;
	ASSERT_LE(0, listener);
	test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_MEMSLOTS, listener));
	test_ok(vm_set_memslot(self->rig.vm.fd, 7, gpa, 4096, page));
	test_err(EEXIST, vmem_set_bitmap(self->dev, &self->set));
	ASSERT_EQ(-1, read(listener, &value, 8));
	test_ok(vm_set_memslot(self->rig.vm.fd, 7, gpa, 0, page));
	test_ok(vmem_set_bitmap(self->dev, &self->set));
	ASSERT_EQ(8, read(listener, &value, 8));
	ASSERT_EQ(1, value);
	ASSERT_EQ(0, close(listener));
}

TEST_F(bitmap, preallocated_has_its_memory_before_it_arrives)
{
	test_ok(vmem_set_bitmap(self->dev, &self->set));
	ASSERT_EQ(variant->destination.prealloc ?
			  ARRAY_SIZE(some_blocks) * BLOCK : 0,
		  device_value(self->rig.setup.out_id, "resident"));
}

TEST_F(bitmap, can_be_restored_into_a_frozen_device)
{
	test_ok(vmem_action(self->dev, KVM_VMEM_FREEZE, 0));
	test_ok(vmem_set_bitmap(self->dev, &self->set));
	test_busy(vmem_unplug(self->dev, self->rig.addr, 1));
	test_ok(vmem_action(self->dev, KVM_VMEM_THAW, 0));
	test_ack(vmem_unplug(self->dev, self->rig.addr, 1));
}

/* The source's guest was asked for less, and has not given it yet. */
TEST_F(bitmap, with_more_than_is_requested_is_restored_in_two_steps)
{
	uint64_t size = 2 * BLOCK;

	test_ok(vmem_set_requested_size(self->dev, size));
	test_err_unchanged(EDQUOT, self->dev,
			   vmem_set_bitmap(self->dev, &self->set));
	test_ok(vmem_set_requested_size(self->dev,
					ARRAY_SIZE(some_blocks) * BLOCK));
	test_ok(vmem_set_bitmap(self->dev, &self->set));
	test_ok(vmem_set_requested_size(self->dev, size));
	test_ok(vmem_get_config(self->dev, &self->config));
	ASSERT_EQ(REGION, self->config.out_usable_region_size);
	test_nack(vmem_plug(self->dev, self->rig.addr + 2 * BLOCK, 1));
	test_ack(vmem_unplug(self->dev, self->rig.addr, 1));
}

TEST_F(bitmap, of_nothing_can_be_restored)
{
	memset(self->bitmap, 0, sizeof(self->bitmap));
	test_ok(vmem_set_bitmap(self->dev, &self->set));
	test_plugged_size(self->dev, 0);
	test_group(self->dev, 0, variant->destination.is_static);
}

#define test_mismatch(error, member, value) do { \
	struct kvm_vmem_set_bitmap set_ = self->set; \
\
	set_.member = (value); \
	test_err_unchanged(error, self->dev, \
			   vmem_set_bitmap(self->dev, &set_)); \
} while (0)

TEST_F(bitmap, of_another_geometry_is_refused_and_says_why)
{
	test_mismatch(EADDRNOTAVAIL, addr, self->set.addr + BLOCK);
	test_mismatch(ERANGE, region_size, REGION * 2);
	test_mismatch(EDOM, block_size, BLOCK * 2);
	test_mismatch(ENXIO, node_id, 1);
	test_mismatch(EOPNOTSUPP, __reserved0, 1);
	test_mismatch(EOPNOTSUPP, __reserved1, 1);
	test_ok(vmem_set_bitmap(self->dev, &self->set));
}

TEST_F(bitmap, that_is_short_or_long_is_EMSGSIZE)
{
	test_mismatch(EMSGSIZE, nb_blocks, 0);
	test_mismatch(EMSGSIZE, nb_blocks, NB_BLOCKS - 1);
	test_mismatch(EMSGSIZE, nb_blocks, NB_BLOCKS + 1);
	test_mismatch(EMSGSIZE, nb_blocks, ~0ULL);
	test_mismatch(EFAULT, bitmap, 0);
	test_ok(vmem_set_bitmap(self->dev, &self->set));
}

/* A guest that is told of less than it was would be given up for it. */
TEST_F(bitmap, with_a_usable_region_that_cannot_be_is_EINVAL)
{
	test_mismatch(EINVAL, usable_region_size, 0);
	test_mismatch(EINVAL, usable_region_size, REGION - BLOCK);
	test_mismatch(EINVAL, usable_region_size, REGION + BLOCK);
	test_mismatch(EINVAL, usable_region_size, REGION - 1);
	test_ok(vmem_set_bitmap(self->dev, &self->set));
}

TEST_F(bitmap, of_a_used_device_is_EBUSY)
{
	test_ack(vmem_plug(self->dev, self->rig.addr, 1));
	test_err_unchanged(EBUSY, self->dev,
			   vmem_set_bitmap(self->dev, &self->set));
	test_ack(vmem_unplug(self->dev, self->rig.addr, 1));
	test_err_unchanged(EBUSY, self->dev,
			   vmem_set_bitmap(self->dev, &self->set));
}

TEST_F(bitmap, cannot_be_restored_twice)
{
	test_ok(vmem_set_bitmap(self->dev, &self->set));
	test_err_unchanged(EBUSY, self->dev,
			   vmem_set_bitmap(self->dev, &self->set));
}

/* One memslot in the way: none comes. */
TEST_F(bitmap, is_restored_as_a_whole_or_not_at_all)
{
	struct rig *rig = &self->rig;
	void *page = rig->vm.ram;
	uint64_t gpa = rig->addr + REGION - BLOCK;

	if (variant->destination.is_static)
		return;
	test_ok(vm_set_memslot(rig->vm.fd, 7, gpa, 4096, page));
	test_err_unchanged(EEXIST, self->dev,
			   vmem_set_bitmap(self->dev, &self->set));
	test_group(self->dev, 0, 0);
	if (variant->destination.backing == BACKING_PROTECTED)
		test_becomes(0, device_value(rig->setup.out_id, "resident"));
	test_ok(vm_set_memslot(rig->vm.fd, 7, gpa, 0, page));
	test_ok(vmem_set_bitmap(self->dev, &self->set));
	test_group(self->dev, nr_memslots(rig), 0);
}

TEST_F(bitmap, can_be_restored_by_another_process)
{
	test_child(!vmem_set_bitmap(self->dev, &self->set));
	test_plugged_size(self->dev, ARRAY_SIZE(some_blocks) * BLOCK);
}

/* 1000 blocks of 1 MiB are no whole number of words. */
TEST(bits_beyond_the_region_are_EINVAL)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.region_size = 1000 * MiB,
		.block_size = MiB,
	};
	struct kvm_vmem_get_config config;
	struct kvm_vmem_set_bitmap set;
	uint64_t bitmap[16] = {};
	struct rig rig;

	test_ok(rig_create(&rig, &options));
	test_ok(vmem_get_config(rig.dev, &config));
	fill_set_bitmap(&set, &config, bitmap);
	bitmap[15] = 1ULL << 40;
	test_err_unchanged(EINVAL, rig.dev, vmem_set_bitmap(rig.dev, &set));
	bitmap[15] = 1ULL << 63;
	test_err_unchanged(EINVAL, rig.dev, vmem_set_bitmap(rig.dev, &set));
	bitmap[15] = 1ULL << 39;
	test_ok(vmem_set_bitmap(rig.dev, &set));
	test_state(VIRTIO_MEM_STATE_PLUGGED, rig.dev, rig.addr + 999 * MiB, 1);

	memset(bitmap, 0xff, sizeof(bitmap));
	test_ok(vmem_get_bitmap(rig.dev, 0, 1000, bitmap));
	ASSERT_EQ(1ULL << 39, bitmap[15]);
	ASSERT_EQ(0, bitmap[0]);
	rig_destroy(&rig);
}

TEST_HARNESS_MAIN
