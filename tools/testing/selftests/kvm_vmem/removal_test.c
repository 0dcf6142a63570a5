// SPDX-License-Identifier: GPL-2.0
/* PREPARE_REMOVE: when a device may go, and what that locks. */
#include "harness.h"

#include <sys/eventfd.h>

#define BLOCK (2 * MiB)
#define CANCEL KVM_VMEM_PREPARE_REMOVE_CANCEL

FIXTURE(removal) {
	struct rig rig;
	int dev;
};

FIXTURE_SETUP(removal)
{
	const struct rig_options options = { .request_nothing = true };

	test_ok(rig_create(&self->rig, &options));
	self->dev = self->rig.dev;
}

FIXTURE_TEARDOWN(removal)
{
	rig_destroy(&self->rig);
}

static int prepare_remove(int dev, uint32_t flags)
{
	return vmem_action(dev, KVM_VMEM_PREPARE_REMOVE, flags);
}

static uint32_t state(int dev)
{
	struct kvm_vmem_get_info info;

	return vmem_get_info(dev, &info) ? ~0U : info.out_state;
}

TEST_F(removal, of_a_device_without_plugged_blocks_is_allowed)
{
	test_ok(prepare_remove(self->dev, 0));
	ASSERT_EQ(KVM_VMEM_INFO_ATTACHED | KVM_VMEM_INFO_REMOVAL_PENDING,
		  state(self->dev));
}

TEST_F(removal, needs_a_size_of_0_first)
{
	test_ok(vmem_set_requested_size(self->dev, BLOCK));
	test_ack(vmem_plug(self->dev, self->rig.addr, 1));
	test_err_unchanged(ENOTEMPTY, self->dev, prepare_remove(self->dev, 0));
	test_ok(vmem_set_requested_size(self->dev, 0));
	test_err_unchanged(ENOTEMPTY, self->dev, prepare_remove(self->dev, 0));
	test_ack(vmem_unplug(self->dev, self->rig.addr, 1));
	test_ok(prepare_remove(self->dev, 0));
}

TEST_F(removal, needs_a_requested_size_of_0_then)
{
	test_ok(vmem_set_requested_size(self->dev, BLOCK));
	test_err_unchanged(EBUSY, self->dev, prepare_remove(self->dev, 0));
	test_ok(vmem_set_requested_size(self->dev, 0));
	test_ok(prepare_remove(self->dev, 0));
}

TEST_F(removal, needs_unplugged_inaccessible_before_all)
{
	const struct rig_options options = {};
	struct kvm_vmem_setup setup;
	struct backing backing;
	int dev = vmem_open();

	test_ok(backing_create(&backing, BACKING_ANON, GiB, 0));
	fill_setup(&setup, &backing, &options);
	setup.flags = KVM_VMEM_SETUP_USER_BACKING;
	test_ok(vmem_setup(dev, &setup));
	test_err_unchanged(EOPNOTSUPP, dev, prepare_remove(dev, 0));
	test_ok(vmem_set_requested_size(dev, 0));
	test_err_unchanged(EOPNOTSUPP, dev, prepare_remove(dev, 0));
}

TEST_F(removal, twice_is_EALREADY)
{
	test_ok(prepare_remove(self->dev, 0));
	test_err_unchanged(EALREADY, self->dev, prepare_remove(self->dev, 0));
}

TEST_F(removal, cannot_be_cancelled_if_not_pending)
{
	test_err_unchanged(EALREADY, self->dev,
			   prepare_remove(self->dev, CANCEL));
	test_ok(prepare_remove(self->dev, 0));
	test_ok(prepare_remove(self->dev, CANCEL));
	test_err_unchanged(EALREADY, self->dev,
			   prepare_remove(self->dev, CANCEL));
}

TEST_F(removal, locks_the_requested_size_until_cancelled)
{
	int event = eventfd(0, EFD_NONBLOCK);
	uint64_t count;

	test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_CONFIG, event));
	test_ok(prepare_remove(self->dev, 0));
	test_err_unchanged(EBUSY, self->dev,
			   vmem_set_requested_size(self->dev, BLOCK));
	test_err_unchanged(EBUSY, self->dev,
			   vmem_set_requested_size(self->dev, 0));
	ASSERT_EQ(-1, read(event, &count, sizeof(count)));

	test_ok(prepare_remove(self->dev, CANCEL));
	ASSERT_EQ(KVM_VMEM_INFO_ATTACHED, state(self->dev));
	test_ok(vmem_set_requested_size(self->dev, BLOCK));
	test_ack(vmem_plug(self->dev, self->rig.addr, 1));
}

TEST_F(removal, locks_the_requested_size_for_the_operator_too)
{
	uint32_t id = self->rig.setup.out_id;

	test_ok(prepare_remove(self->dev, 0));
	test_err_unchanged(EBUSY, self->dev,
			   sysfs_write(id, "requested_size", "2M"));
	test_ok(prepare_remove(self->dev, CANCEL));
	test_ok(sysfs_write(id, "requested_size", "2M"));
}

/* The guest may still ask, and gets what it would get with 0 requested. */
TEST_F(removal, answers_a_plug_by_NACK_or_ERROR)
{
	test_ok(vmem_set_requested_size(self->dev, BLOCK));
	test_ok(vmem_set_requested_size(self->dev, 0));
	test_ok(prepare_remove(self->dev, 0));
	test_nack(vmem_plug(self->dev, self->rig.addr, 1));
	test_ack(vmem_unplug_all(self->dev));
	test_error(vmem_plug(self->dev, self->rig.addr, 1));
}

TEST_F(removal, can_be_prepared_before_attach)
{
	const struct rig_options options = { .request_nothing = true };
	struct rig other;

	test_ok(rig_prepare(&other, &options));
	test_ok(prepare_remove(other.dev, 0));
	ASSERT_EQ(KVM_VMEM_INFO_REMOVAL_PENDING, state(other.dev));
	rig_destroy(&other);
}

TEST_F(removal, is_done_by_close)
{
	test_ok(prepare_remove(self->dev, 0));
	ASSERT_EQ(1, count_devices());
	ASSERT_EQ(0, close(self->dev));
	self->rig.dev = -1;
	ASSERT_EQ(0, count_devices());
}

TEST_HARNESS_MAIN
