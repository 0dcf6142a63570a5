// SPDX-License-Identifier: GPL-2.0
/*
 * FREEZE and THAW: while a migration runs, what is plugged stays as it is, and the
 * guest is told BUSY where QEMU tells it so.
 */
#include "harness.h"

#include <sys/eventfd.h>

#include "access.h"

FIXTURE(freeze) {
	struct rig rig;
	int dev;
	uint64_t addr;
};

FIXTURE_VARIANT(freeze) {
	enum backing_kind backing;
};

FIXTURE_VARIANT_ADD(freeze, protected) { .backing = BACKING_PROTECTED };
FIXTURE_VARIANT_ADD(freeze, user) { .backing = BACKING_MEMFD };

FIXTURE_SETUP(freeze)
{
	const struct rig_options options = {
		.backing = variant->backing,
		.nr_vcpus = 1,
		.requested_size = GiB,
	};

	test_ok(rig_create(&self->rig, &options));
	self->dev = self->rig.dev;
	self->addr = self->rig.addr;
	test_ack(vmem_plug(self->dev, self->addr, 4));
}

FIXTURE_TEARDOWN(freeze)
{
	rig_destroy(&self->rig);
}

static int freeze(int dev)
{
	return vmem_action(dev, KVM_VMEM_FREEZE, 0);
}

static int thaw(int dev)
{
	return vmem_action(dev, KVM_VMEM_THAW, 0);
}

static bool is_frozen(int dev)
{
	struct kvm_vmem_get_info info;

	return !vmem_get_info(dev, &info) &&
	       info.out_state & KVM_VMEM_INFO_FROZEN;
}

TEST_F(freeze, a_frozen_device_is_BUSY)
{
	struct kvm_vmem_get_info before, after;

	test_ok(freeze(self->dev));
	before = vmem_facts(self->dev);
	test_busy(vmem_plug(self->dev, self->addr + 8 * self->rig.block, 1));
	test_busy(vmem_unplug(self->dev, self->addr, 1));
	test_busy(vmem_unplug_all(self->dev));
	test_err(EBUSY, vmem_action(self->dev, KVM_VMEM_RESET, 0));
	after = vmem_facts(self->dev);
	ASSERT_TRUE(vmem_same(&before, &after));

	test_ok(thaw(self->dev));
	test_ack(vmem_unplug(self->dev, self->addr, 1));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_ok(vmem_action(self->dev, KVM_VMEM_RESET, 0));
}

/* Which of the answers a guest gets decides what it does: QEMU's order. */
TEST_F(freeze, what_is_wrong_is_wrong_when_frozen_too)
{
	test_ok(freeze(self->dev));
	test_error(vmem_plug(self->dev, self->addr, 1));
	test_error(vmem_plug(self->dev, self->addr + 1, 1));
	test_error(vmem_unplug(self->dev, self->addr + 4 * self->rig.block,
			       1));
	test_nack(vmem_plug(self->dev, self->addr + 4 * self->rig.block, 509));
	test_busy(vmem_plug(self->dev, self->addr + 4 * self->rig.block, 508));
}

TEST_F(freeze, what_changes_nothing_is_not_BUSY)
{
	uint64_t value;

	test_ok(freeze(self->dev));
	test_state(VIRTIO_MEM_STATE_PLUGGED, self->dev, self->addr, 4);
	test_ok(guest_write(&self->rig.vm.vcpus[0], self->addr, 7));
	test_ok(guest_read(&self->rig.vm.vcpus[0], self->addr, &value));
	ASSERT_EQ(7, value);
	test_ok(vmem_set_requested_size(self->dev, 2 * GiB));

	test_ok(thaw(self->dev));
	test_ack(vmem_unplug_all(self->dev));
	test_ok(freeze(self->dev));
	/* A guest that boots meanwhile unplugs all of nothing. */
	test_ack(vmem_unplug_all(self->dev));
	test_ok(vmem_action(self->dev, KVM_VMEM_RESET, 0));
}

TEST_F(freeze, twice_is_EALREADY)
{
	test_err_unchanged(EALREADY, self->dev, thaw(self->dev));
	test_ok(freeze(self->dev));
	test_err_unchanged(EALREADY, self->dev, freeze(self->dev));
	ASSERT_TRUE(is_frozen(self->dev));
	test_ok(thaw(self->dev));
	test_err_unchanged(EALREADY, self->dev, thaw(self->dev));
	ASSERT_FALSE(is_frozen(self->dev));
}

TEST_F(freeze, is_seen_by_the_operator)
{
	uint32_t id = self->rig.setup.out_id;

	ASSERT_EQ(0, device_value(id, "frozen"));
	test_ok(freeze(self->dev));
	ASSERT_EQ(1, device_value(id, "frozen"));
	test_ok(thaw(self->dev));
	ASSERT_EQ(0, device_value(id, "frozen"));
}

TEST_F(freeze, needs_setup_only)
{
	const struct rig_options options = { .backing = variant->backing };
	int dev = vmem_open();
	struct rig rig;

	test_err(ENODEV, freeze(dev));
	test_err(ENODEV, thaw(dev));
	ASSERT_EQ(0, close(dev));
	test_ok(rig_prepare(&rig, &options));
	test_ok(freeze(rig.dev));
	test_ok(rig_attach(&rig));
	test_busy(vmem_plug(rig.dev, rig.addr, 1));
	rig_destroy(&rig);
}

/* A guest that was told BUSY waits for minutes, unless it is told of something. */
TEST_F(freeze, thaw_has_the_guest_try_again)
{
	int listener = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t value;

	ASSERT_LE(0, listener);
	test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_CONFIG, listener));
	test_ok(freeze(self->dev));
	ASSERT_EQ(-1, read(listener, &value, 8));
	test_ok(thaw(self->dev));
	ASSERT_EQ(8, read(listener, &value, 8));

	/* It has what it is asked to have: there is nothing to try. */
	test_ok(vmem_set_requested_size(self->dev, 4 * self->rig.block));
	ASSERT_EQ(8, read(listener, &value, 8));
	test_ok(freeze(self->dev));
	test_ok(thaw(self->dev));
	ASSERT_EQ(-1, read(listener, &value, 8));
	ASSERT_EQ(0, close(listener));
}

TEST_F(freeze, a_frozen_device_can_be_closed)
{
	test_ok(freeze(self->dev));
}

TEST_HARNESS_MAIN
