// SPDX-License-Identifier: GPL-2.0
/*
 * The requests of a virtio-mem driver and their responses, in QEMU's order of
 * checks. The device has 4 GiB at 4 GiB, blocks of 2 MiB, memslots of 1 GiB.
 */
#include "harness.h"

#include <fcntl.h>

#define BLOCK (2 * MiB)

FIXTURE(requests) {
	struct rig rig;
	int dev;
	uint64_t addr;
	uint64_t end;
};

FIXTURE_SETUP(requests)
{
	const struct rig_options options = { .backing = BACKING_MEMFD };

	test_ok(rig_create(&self->rig, &options));
	self->dev = self->rig.dev;
	self->addr = self->rig.addr;
	self->end = self->addr + 4 * GiB;
}

FIXTURE_TEARDOWN(requests)
{
	rig_destroy(&self->rig);
}

/* Answered so, and nothing else changes. */
#define test_refused(response, call) do { \
	struct kvm_vmem_get_info before_ = vmem_facts(self->dev); \
	struct kvm_vmem_get_info after_; \
\
	ASSERT_EQ(response, (call)); \
	after_ = vmem_facts(self->dev); \
	ASSERT_TRUE(vmem_same(&before_, &after_)); \
} while (0)

#define test_refused_error(call) test_refused(VIRTIO_MEM_RESP_ERROR, call)
#define test_refused_nack(call) test_refused(VIRTIO_MEM_RESP_NACK, call)
#define test_refused_busy(call) test_refused(VIRTIO_MEM_RESP_BUSY, call)

TEST_F(requests, a_plugged_block_is_acknowledged_and_counted)
{
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_plugged_size(self->dev, BLOCK);
	test_state(VIRTIO_MEM_STATE_PLUGGED, self->dev, self->addr, 1);
	test_ack(vmem_plug(self->dev, self->addr + 8 * BLOCK, 7));
	test_plugged_size(self->dev, 8 * BLOCK);
	test_ack(vmem_unplug(self->dev, self->addr, 1));
	test_plugged_size(self->dev, 7 * BLOCK);
	test_state(VIRTIO_MEM_STATE_UNPLUGGED, self->dev, self->addr, 1);
}

TEST_F(requests, the_whole_region_can_be_plugged_at_once)
{
	test_ack(vmem_plug(self->dev, self->addr, 2048));
	test_plugged_size(self->dev, 4 * GiB);
	test_group(self->dev, 4, 0);
	test_ack(vmem_unplug(self->dev, self->addr, 2048));
	test_plugged_size(self->dev, 0);
	test_group(self->dev, 0, 0);
}

TEST_F(requests, a_range_outside_of_the_region_is_ERROR)
{
	uint64_t addr = self->addr, end = self->end;
	int dev = self->dev;

	test_refused_error(vmem_plug(dev, addr - BLOCK, 1));
	test_refused_error(vmem_plug(dev, addr - BLOCK, 2));
	test_refused_error(vmem_plug(dev, end, 1));
	test_refused_error(vmem_plug(dev, end - BLOCK, 2));
	test_refused_error(vmem_plug(dev, 0, 1));
	test_refused_error(vmem_unplug(dev, addr - BLOCK, 1));
	test_refused_error(vmem_unplug(dev, end, 1));
	test_refused_error(vmem_state(dev, addr - BLOCK, 1, NULL));
	test_refused_error(vmem_state(dev, end, 1, NULL));
}

TEST_F(requests, a_misaligned_address_is_ERROR)
{
	test_refused_error(vmem_plug(self->dev, self->addr + MiB, 1));
	test_refused_error(vmem_plug(self->dev, self->addr + 1, 1));
	test_refused_error(vmem_unplug(self->dev, self->addr + MiB, 1));
	test_refused_error(vmem_state(self->dev, self->addr + MiB, 1, NULL));
}

TEST_F(requests, no_block_is_ERROR)
{
	test_refused_error(vmem_plug(self->dev, self->addr, 0));
	test_refused_error(vmem_unplug(self->dev, self->addr, 0));
	test_refused_error(vmem_state(self->dev, self->addr, 0, NULL));
}

TEST_F(requests, a_huge_number_of_blocks_is_ERROR)
{
	test_refused_error(vmem_plug(self->dev, self->addr, 2049));
	test_refused_error(vmem_plug(self->dev, self->addr, ~0U));
	test_refused_error(vmem_unplug(self->dev, self->addr, ~0U));
	test_refused_error(vmem_state(self->dev, self->addr, ~0U, NULL));
}

TEST_F(requests, a_range_that_overflows_is_ERROR)
{
	test_refused_error(vmem_plug(self->dev, -BLOCK, 1));
	test_refused_error(vmem_plug(self->dev, -BLOCK, 2049));
	test_refused_error(vmem_unplug(self->dev, -BLOCK, ~0U));
	test_refused_error(vmem_state(self->dev, -BLOCK, 3, NULL));
}

TEST_F(requests, a_plug_of_a_plugged_block_is_ERROR)
{
	test_ack(vmem_plug(self->dev, self->addr + 4 * BLOCK, 4));
	test_refused_error(vmem_plug(self->dev, self->addr + 4 * BLOCK, 1));
	test_refused_error(vmem_plug(self->dev, self->addr + 7 * BLOCK, 2));
	test_refused_error(vmem_plug(self->dev, self->addr, 5));
	test_refused_error(vmem_plug(self->dev, self->addr, 2048 - 4));
	test_ack(vmem_plug(self->dev, self->addr, 4));
}

TEST_F(requests, an_unplug_of_an_unplugged_block_is_ERROR)
{
	test_refused_error(vmem_unplug(self->dev, self->addr, 1));
	test_ack(vmem_plug(self->dev, self->addr + 4 * BLOCK, 4));
	test_refused_error(vmem_unplug(self->dev, self->addr + 3 * BLOCK, 2));
	test_refused_error(vmem_unplug(self->dev, self->addr + 7 * BLOCK, 2));
	test_refused_error(vmem_unplug(self->dev, self->addr, 2048));
	test_ack(vmem_unplug(self->dev, self->addr + 4 * BLOCK, 4));
	test_refused_error(vmem_unplug(self->dev, self->addr + 4 * BLOCK, 4));
}

TEST_F(requests, an_unplug_into_a_memslot_without_any_is_ERROR)
{
	test_ack(vmem_plug(self->dev, self->addr, 512));
	test_refused_error(vmem_unplug(self->dev, self->addr, 513));
	test_ack(vmem_unplug(self->dev, self->addr, 512));
}

TEST_F(requests, more_than_requested_is_NACK)
{
	test_ok(vmem_set_requested_size(self->dev, 4 * BLOCK));
	test_refused_nack(vmem_plug(self->dev, self->addr, 5));
	test_ack(vmem_plug(self->dev, self->addr, 4));
	test_refused_nack(vmem_plug(self->dev, self->addr + 4 * BLOCK, 1));
	test_ok(vmem_set_requested_size(self->dev, 2 * BLOCK));
	test_refused_nack(vmem_plug(self->dev, self->addr + 4 * BLOCK, 1));
	test_ack(vmem_unplug(self->dev, self->addr, 3));
	test_ack(vmem_plug(self->dev, self->addr, 1));
}

/* Requested size, and blocks to which what comes first applies as well. */
TEST_F(requests, a_bad_range_comes_before_too_much)
{
	test_ok(vmem_set_requested_size(self->dev, 0));
	test_refused_error(vmem_plug(self->dev, self->addr + 1, 1));
	test_refused_error(vmem_plug(self->dev, self->end, 1));
	test_refused_error(vmem_plug(self->dev, self->addr, ~0U));
	test_refused_error(vmem_plug(self->dev, self->addr, 0));
	test_refused_nack(vmem_plug(self->dev, self->addr, 1));
}

TEST_F(requests, too_much_comes_before_a_plugged_block)
{
	test_ok(vmem_set_requested_size(self->dev, 4 * BLOCK));
	test_ack(vmem_plug(self->dev, self->addr, 4));
	test_refused_nack(vmem_plug(self->dev, self->addr, 1));
	test_ok(vmem_set_requested_size(self->dev, 5 * BLOCK));
	test_refused_error(vmem_plug(self->dev, self->addr, 1));
}

/* The VMM's own memslot stands where the module wants to map. */
static int obstruct(struct rig *rig, uint64_t gpa, uint64_t size)
{
	return vm_set_memslot(rig->vm.fd, 1, gpa, size, rig->backing.addr);
}

TEST_F(requests, a_memslot_that_kvm_refuses_is_BUSY)
{
	test_ok(obstruct(&self->rig, self->addr + GiB + 4096, 4096));
	test_refused_busy(vmem_plug(self->dev, self->addr + GiB, 1));
	test_ok(obstruct(&self->rig, self->addr + GiB + 4096, 0));
	test_ack(vmem_plug(self->dev, self->addr + GiB, 1));
}

TEST_F(requests, a_plug_over_memslots_happens_whole_or_not_at_all)
{
	struct kvm_vmem_memslot_info memslots[4];

	test_ok(obstruct(&self->rig, self->addr + GiB + 4096, 4096));
	test_refused_busy(vmem_plug(self->dev, self->addr, 2048));
	ASSERT_EQ(0, vmem_get_memslots(self->dev, memslots, 4));
	test_state(VIRTIO_MEM_STATE_UNPLUGGED, self->dev, self->addr, 2048);

	/* What was there before stays: memslots 0 and 2. */
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_ack(vmem_plug(self->dev, self->addr + 2 * GiB + BLOCK, 1));
	test_refused_busy(vmem_plug(self->dev, self->addr + BLOCK, 1024));
	ASSERT_EQ(2, vmem_get_memslots(self->dev, memslots, 4));
	ASSERT_EQ(self->addr, memslots[0].guest_phys_addr);
	ASSERT_EQ(BLOCK, memslots[0].plugged_size);
	ASSERT_EQ(self->addr + 2 * GiB, memslots[1].guest_phys_addr);
	ASSERT_EQ(BLOCK, memslots[1].plugged_size);

	test_ok(obstruct(&self->rig, self->addr + GiB + 4096, 0));
	test_ack(vmem_plug(self->dev, self->addr + BLOCK, 1024));
	test_group(self->dev, 3, 0);
}

TEST_F(requests, what_a_failed_plug_mapped_is_not_left_in_kvm)
{
	test_ok(obstruct(&self->rig, self->addr + 2 * GiB, 4096));
	test_busy(vmem_plug(self->dev, self->addr, 2048));
	test_ok(obstruct(&self->rig, self->addr + 2 * GiB, 0));
	test_ok(obstruct(&self->rig, self->addr, 4 * GiB));
	test_ok(obstruct(&self->rig, self->addr, 0));
}

TEST_F(requests, a_failed_plug_over_memslots_leaves_no_memory)
{
	*(uint64_t *)self->rig.backing.addr = 1;
	test_ok(obstruct(&self->rig, self->addr + GiB, 4096));
	test_busy(vmem_plug(self->dev, self->addr, 2048));
	ASSERT_EQ(0, backing_resident(&self->rig.backing));
}

/* What is behind a memslot that KVM never had is no guest's. */
TEST_F(requests, a_failed_plug_leaves_the_memory_of_a_memslot_that_kvm_did_not_take)
{
	*(uint64_t *)(self->rig.backing.addr + GiB) = 1;
	test_ok(obstruct(&self->rig, self->addr + GiB, 4096));
	test_busy(vmem_plug(self->dev, self->addr, 2048));
	ASSERT_EQ(1, *(uint64_t *)(self->rig.backing.addr + GiB));
	ASSERT_EQ(4096, backing_resident(&self->rig.backing));
}

TEST_F(requests, ERROR_comes_before_BUSY)
{
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_ok(obstruct(&self->rig, self->addr + GiB + 4096, 4096));
	test_refused_error(vmem_plug(self->dev, self->addr, 1024));
	test_refused_busy(vmem_plug(self->dev, self->addr + BLOCK, 1023));
}

TEST_F(requests, NACK_comes_before_BUSY)
{
	test_ok(vmem_set_requested_size(self->dev, BLOCK));
	test_ok(obstruct(&self->rig, self->addr + 4096, 4096));
	test_refused_nack(vmem_plug(self->dev, self->addr, 2));
	test_refused_busy(vmem_plug(self->dev, self->addr, 1));
}

/* A seal against writing makes holes impossible. */
TEST_F(requests, a_discard_that_fails_is_BUSY)
{
	const struct rig_options options = {};
	struct kvm_vmem_attach attach;
	struct kvm_vmem_setup setup;
	struct backing backing;
	int dev = vmem_open();

	test_ok(backing_create(&backing, BACKING_MEMFD, GiB, 0));
	close(backing.fd);
	backing.fd = memfd_create("sealed", MFD_ALLOW_SEALING);
	ASSERT_EQ(0, ftruncate(backing.fd, GiB));
	ASSERT_NE(MAP_FAILED, mmap(backing.addr, GiB, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, backing.fd, 0));
	fill_setup(&setup, &backing, &options);
	setup.addr = 16 * GiB;
	test_ok(vmem_setup(dev, &setup));
	fill_attach(&attach, &self->rig.vm, &backing);
	test_ok(vmem_attach(dev, &attach));
	test_ack(vmem_plug(dev, 16 * GiB, 4));

	ASSERT_EQ(0, fcntl(backing.fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	test_busy(vmem_unplug(dev, 16 * GiB, 1));
	test_state(VIRTIO_MEM_STATE_PLUGGED, dev, 16 * GiB, 4);
	test_plugged_size(dev, 4 * BLOCK);
	test_busy(vmem_unplug_all(dev));
	test_err(EBUSY, vmem_action(dev, KVM_VMEM_RESET, 0));
	test_state(VIRTIO_MEM_STATE_PLUGGED, dev, 16 * GiB, 4);
	test_group(dev, 1, 0);
}

TEST_F(requests, STATE_tells_plugged_unplugged_and_mixed)
{
	uint64_t addr = self->addr;
	int dev = self->dev;

	test_state(VIRTIO_MEM_STATE_UNPLUGGED, dev, addr, 2048);
	test_ack(vmem_plug(dev, addr + 510 * BLOCK, 4));
	test_state(VIRTIO_MEM_STATE_PLUGGED, dev, addr + 510 * BLOCK, 4);
	test_state(VIRTIO_MEM_STATE_PLUGGED, dev, addr + 511 * BLOCK, 2);
	test_state(VIRTIO_MEM_STATE_UNPLUGGED, dev, addr, 510);
	test_state(VIRTIO_MEM_STATE_UNPLUGGED, dev, addr + 514 * BLOCK, 1534);
	test_state(VIRTIO_MEM_STATE_MIXED, dev, addr, 511);
	test_state(VIRTIO_MEM_STATE_MIXED, dev, addr, 2048);
	test_state(VIRTIO_MEM_STATE_MIXED, dev, addr + 513 * BLOCK, 2);
	test_state(VIRTIO_MEM_STATE_MIXED, dev, addr + 512 * BLOCK, 1536);
}

#define test_usable_size(usable) do { \
	struct kvm_vmem_get_config config_; \
\
	ASSERT_EQ(0, vmem_get_config(self->dev, &config_)); \
	ASSERT_EQ(usable, config_.out_usable_region_size); \
} while (0)

TEST_F(requests, the_usable_region_grows_with_the_requested_size)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.request_nothing = true,
	};

	rig_destroy(&self->rig);
	test_ok(rig_create(&self->rig, &options));
	test_usable_size(0);
	test_refused_error(vmem_plug(self->dev, self->addr, 1));
	test_refused_error(vmem_state(self->dev, self->addr, 1, NULL));

	test_ok(vmem_set_requested_size(self->dev, BLOCK));
	test_usable_size(256 * MiB + BLOCK);
	test_ok(vmem_set_requested_size(self->dev, GiB));
	test_usable_size(GiB + 256 * MiB);
	test_ok(vmem_set_requested_size(self->dev, 4 * GiB - 128 * MiB));
	test_usable_size(4 * GiB);
	test_ok(vmem_set_requested_size(self->dev, 4 * GiB));
	test_usable_size(4 * GiB);
}

TEST_F(requests, the_usable_region_bounds_requests)
{
	test_ok(vmem_set_requested_size(self->dev, GiB));
	test_ack(vmem_unplug_all(self->dev));
	test_usable_size(GiB + 256 * MiB);
	test_refused_error(vmem_plug(self->dev, self->addr + GiB + 256 * MiB,
				     1));
	test_refused_error(vmem_plug(self->dev,
				     self->addr + GiB + 256 * MiB - BLOCK, 2));
	test_ack(vmem_plug(self->dev, self->addr + GiB + 256 * MiB - BLOCK, 1));
}

TEST_F(requests, the_usable_region_does_not_shrink_with_the_requested_size)
{
	test_ok(vmem_set_requested_size(self->dev, 0));
	test_usable_size(4 * GiB);
	test_ok(vmem_set_requested_size(self->dev, BLOCK));
	test_usable_size(4 * GiB);
}

TEST_F(requests, UNPLUG_ALL_unplugs_all_and_shrinks_the_usable_region)
{
	test_ack(vmem_plug(self->dev, self->addr, 3));
	test_ack(vmem_plug(self->dev, self->end - BLOCK, 1));
	test_ok(vmem_set_requested_size(self->dev, GiB));
	test_usable_size(4 * GiB);
	test_ack(vmem_unplug_all(self->dev));
	test_plugged_size(self->dev, 0);
	test_group(self->dev, 0, 0);
	test_usable_size(GiB + 256 * MiB);
	test_state(VIRTIO_MEM_STATE_UNPLUGGED, self->dev, self->addr, 640);
	test_ack(vmem_plug(self->dev, self->addr, 3));
}

TEST_F(requests, UNPLUG_ALL_with_nothing_plugged_shrinks_the_usable_region)
{
	test_ok(vmem_set_requested_size(self->dev, 0));
	test_ack(vmem_unplug_all(self->dev));
	test_usable_size(0);
}

TEST_F(requests, RESET_unplugs_all_and_keeps_the_requested_size)
{
	struct kvm_vmem_get_config config;

	test_ack(vmem_plug(self->dev, self->addr, 3));
	test_ok(vmem_set_requested_size(self->dev, GiB));
	test_ok(vmem_action(self->dev, KVM_VMEM_RESET, 0));
	test_ok(vmem_get_config(self->dev, &config));
	ASSERT_EQ(0, config.out_plugged_size);
	ASSERT_EQ(GiB, config.out_requested_size);
	ASSERT_EQ(GiB + 256 * MiB, config.out_usable_region_size);
	test_group(self->dev, 0, 0);
	test_ok(vmem_action(self->dev, KVM_VMEM_RESET, 0));
}

TEST_F(requests, a_wrong_requested_size_is_EINVAL)
{
	test_err_unchanged(EINVAL, self->dev,
			   vmem_set_requested_size(self->dev, MiB));
	test_err_unchanged(EINVAL, self->dev,
			   vmem_set_requested_size(self->dev, 1));
	test_err_unchanged(EINVAL, self->dev,
			   vmem_set_requested_size(self->dev, 4 * GiB + BLOCK));
	test_err_unchanged(EINVAL, self->dev,
			   vmem_set_requested_size(self->dev, ~0ULL));
	test_err_unchanged(EINVAL, self->dev,
			   vmem_set_requested_size(self->dev, -BLOCK));
}

TEST_F(requests, the_responses_are_counted)
{
	struct kvm_vmem_get_info info;

	test_ok(vmem_set_requested_size(self->dev, 2 * BLOCK));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_ack(vmem_unplug(self->dev, self->addr, 1));
	test_ack(vmem_unplug_all(self->dev));
	test_nack(vmem_plug(self->dev, self->addr, 3));
	test_nack(vmem_plug(self->dev, self->addr, 3));
	test_error(vmem_unplug(self->dev, self->addr, 1));
	test_ok(obstruct(&self->rig, self->addr, 4096));
	test_busy(vmem_plug(self->dev, self->addr, 1));
	test_ok(vmem_get_info(self->dev, &info));
	ASSERT_EQ(3, info.out_nb_acks);
	ASSERT_EQ(2, info.out_nb_nacks);
	ASSERT_EQ(1, info.out_nb_busies);
	ASSERT_EQ(1, info.out_nb_errors);
}

TEST_F(requests, a_static_device_answers_alike)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.is_static = true,
		.requested_size = 2 * GiB,
	};

	rig_destroy(&self->rig);
	test_ok(rig_create(&self->rig, &options));
	test_refused_error(vmem_plug(self->dev, self->addr, 0));
	test_refused_nack(vmem_plug(self->dev, self->addr, 1025));
	test_ack(vmem_plug(self->dev, self->addr, 1024));
	test_refused_error(vmem_unplug(self->dev, self->addr, 1025));
	test_state(VIRTIO_MEM_STATE_MIXED, self->dev, self->addr, 1025);
	test_ack(vmem_unplug(self->dev, self->addr + BLOCK, 1));
	test_plugged_size(self->dev, 2 * GiB - BLOCK);
	test_ack(vmem_unplug_all(self->dev));
	test_plugged_size(self->dev, 0);
}

TEST_HARNESS_MAIN
