// SPDX-License-Identifier: GPL-2.0
/*
 * What the devices of a VM share: its memslot ids, its addresses, and the limit
 * of the host.
 */
#include "harness.h"

#define MEMSLOT_LIMIT VMEM_MODULE "/parameters/memslot_limit"

/* x86: KVM_CAP_NR_MEMSLOTS */
#define NR_IDS 32764

/* A device that only has to be attached: 4 GiB at 4 GiB. */
FIXTURE(sharing) {
	struct rig rig;
	struct kvm_vmem_attach good;
};

FIXTURE_SETUP(sharing)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.nr_vcpus = 1,
	};

	test_ok(rig_prepare(&self->rig, &options));
	self->good = self->rig.attach;
}

FIXTURE_TEARDOWN(sharing)
{
	rig_destroy(&self->rig);
}

TEST_F(sharing, ids_beyond_those_of_the_vm_are_EINVAL)
{
	self->rig.attach.first_memslot_id = NR_IDS;
	test_attach_refused(EINVAL);
}

TEST_F(sharing, ids_that_run_beyond_those_of_the_vm_are_EINVAL)
{
	self->rig.attach.first_memslot_id = NR_IDS - 3;
	test_attach_refused(EINVAL);
}

TEST_F(sharing, the_last_ids_of_the_vm_are_taken)
{
	self->rig.attach.first_memslot_id = NR_IDS - 4;
	test_ok(rig_attach(&self->rig));
	ASSERT_EQ(NR_IDS - 4, self->rig.attach.out_first_memslot_id);
	test_ack(vmem_plug(self->rig.dev, self->rig.addr + 3 * GiB, 1));
}

TEST_F(sharing, an_id_that_overflows_is_EINVAL)
{
	self->rig.attach.first_memslot_id = ~0U - 1;
	test_attach_refused(EINVAL);
}

TEST_F(sharing, explicit_ids_are_used)
{
	struct kvm_vmem_memslot_info memslot;

	self->rig.attach.first_memslot_id = 100;
	test_ok(rig_attach(&self->rig));
	ASSERT_EQ(100, self->rig.attach.out_first_memslot_id);
	test_ack(vmem_plug(self->rig.dev, self->rig.addr + 2 * GiB, 1));
	ASSERT_EQ(1, vmem_get_memslots(self->rig.dev, &memslot, 1));
	ASSERT_EQ(102, memslot.id);
}

/* The VMM's own: memslot 0 is the VM's low memory. */
TEST_F(sharing, an_id_of_the_vmm_is_EINVAL_and_stays_the_vmms)
{
	self->rig.attach.first_memslot_id = VM_RAM_SLOT;
	test_attach_refused(EINVAL);
	test_ok(guest_write(&self->rig.vm.vcpus[0], self->rig.addr, 1));
	ASSERT_EQ(0, self->rig.vm.vcpus[0].nr_mmio);
}

TEST_F(sharing, an_id_that_the_vmm_takes_later_is_BUSY)
{
	char *memory = self->rig.backing.addr;

	self->rig.attach.first_memslot_id = 100;
	test_ok(rig_attach(&self->rig));
	test_ok(vm_set_memslot(self->rig.vm.fd, 101, 64 * GiB, 4096, memory));
	test_busy(vmem_plug(self->rig.dev, self->rig.addr + GiB, 1));
	test_group(self->rig.dev, 0, 0);
	test_ok(vm_set_memslot(self->rig.vm.fd, 101, 64 * GiB, 0, memory));
	test_ack(vmem_plug(self->rig.dev, self->rig.addr + GiB, 1));
}

/* A second device for the VM of the fixture's. */
static int open_second(const struct rig *rig, struct backing *backing,
		       const struct rig_options *options,
		       struct kvm_vmem_attach *attach)
{
	struct kvm_vmem_setup setup;
	int dev = vmem_open();

	if (dev < 0)
		return dev;
	if (backing_create(backing, BACKING_ANON, options->region_size, 0))
		return -ENOMEM;
	fill_setup(&setup, backing, options);
	fill_attach(attach, &rig->vm, backing);
	if (vmem_setup(dev, &setup))
		return -EINVAL;
	return dev;
}

static int second_device(const struct rig *rig,
			 const struct rig_options *options,
			 struct kvm_vmem_attach *attach)
{
	struct backing backing;

	return open_second(rig, &backing, options, attach);
}

TEST_F(sharing, a_region_that_overlaps_another_device_is_EEXIST)
{
	const struct rig_options after = {
		.addr = 8 * GiB - 2 * MiB, .region_size = 4 * GiB,
	};
	const struct rig_options before = {
		.addr = 2 * GiB, .region_size = 2 * GiB + 2 * MiB,
	};
	const struct rig_options within = {
		.addr = 6 * GiB, .region_size = 2 * MiB,
	};
	const struct rig_options *all[] = { &after, &before, &within };
	struct kvm_vmem_attach attach;
	unsigned int i;
	int dev;

	test_ok(rig_attach(&self->rig));
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		dev = second_device(&self->rig, all[i], &attach);
		ASSERT_LE(0, dev);
		test_err_unchanged(EEXIST, dev, vmem_attach(dev, &attach));
		ASSERT_EQ(0, close(dev));
	}
}

TEST_F(sharing, a_region_next_to_another_device_is_taken)
{
	const struct rig_options options = {
		.addr = 8 * GiB, .region_size = 4 * GiB,
	};
	struct kvm_vmem_attach attach;
	int dev;

	test_ok(rig_attach(&self->rig));
	dev = second_device(&self->rig, &options, &attach);
	ASSERT_LE(0, dev);
	test_ok(vmem_attach(dev, &attach));
	test_ack(vmem_plug(dev, 8 * GiB, 1));
	test_ack(vmem_plug(self->rig.dev, 8 * GiB - 2 * MiB, 1));
}

TEST_F(sharing, ids_of_another_device_are_EEXIST)
{
	const struct rig_options options = {
		.addr = 8 * GiB, .region_size = 4 * GiB,
	};
	struct kvm_vmem_attach attach;
	int dev;

	self->rig.attach.first_memslot_id = 100;
	test_ok(rig_attach(&self->rig));
	dev = second_device(&self->rig, &options, &attach);
	ASSERT_LE(0, dev);
	attach.first_memslot_id = 100;
	test_err_unchanged(EEXIST, dev, vmem_attach(dev, &attach));
	attach.first_memslot_id = 103;
	test_err_unchanged(EEXIST, dev, vmem_attach(dev, &attach));
	attach.first_memslot_id = 97;
	test_err_unchanged(EEXIST, dev, vmem_attach(dev, &attach));
	attach.first_memslot_id = 104;
	test_ok(vmem_attach(dev, &attach));
}

TEST_F(sharing, automatic_ids_come_from_the_top)
{
	const struct rig_options options = {
		.addr = 8 * GiB, .region_size = 2 * GiB,
	};
	const struct rig_options third_options = {
		.addr = 10 * GiB, .region_size = 3 * GiB,
	};
	struct kvm_vmem_attach attach;
	int second, third;

	test_ok(rig_attach(&self->rig));
	ASSERT_EQ(NR_IDS - 4, self->rig.attach.out_first_memslot_id);

	second = second_device(&self->rig, &options, &attach);
	ASSERT_LE(0, second);
	test_ok(vmem_attach(second, &attach));
	ASSERT_EQ(NR_IDS - 6, attach.out_first_memslot_id);

	/* What a device leaves is used again. */
	ASSERT_EQ(0, close(self->rig.dev));
	self->rig.dev = -1;
	third = second_device(&self->rig, &third_options, &attach);
	ASSERT_LE(0, third);
	test_ok(vmem_attach(third, &attach));
	ASSERT_EQ(NR_IDS - 3, attach.out_first_memslot_id);
}

FIXTURE(limit) {
	struct rig rig;
};

/* Of 8 memslots, the first device takes 5. */
FIXTURE_SETUP(limit)
{
	const struct rig_options options = { .region_size = 5 * GiB };

	ASSERT_EQ(0, write_file(MEMSLOT_LIMIT, "8"));
	test_ok(rig_create(&self->rig, &options));
	ASSERT_EQ(5, self->rig.attach.out_nb_memslots);
}

FIXTURE_TEARDOWN(limit)
{
	rig_destroy(&self->rig);
	write_file(MEMSLOT_LIMIT, "4096");
}

TEST_F(limit, is_shared_by_the_devices_of_a_vm)
{
	const struct rig_options options = {
		.addr = 16 * GiB, .region_size = 6 * GiB,
	};
	struct kvm_vmem_attach attach;
	struct kvm_vmem_get_info info;
	int dev;

	dev = second_device(&self->rig, &options, &attach);
	ASSERT_LE(0, dev);
	test_ok(vmem_get_info(dev, &info));
	ASSERT_EQ(6, info.out_nb_memslots);
	test_ok(vmem_attach(dev, &attach));
	ASSERT_EQ(2 * GiB, attach.out_memslot_size);
	ASSERT_EQ(3, attach.out_nb_memslots);
	test_ok(vmem_get_info(dev, &info));
	ASSERT_EQ(2 * GiB, info.out_memslot_size);
	ASSERT_EQ(3, info.out_nb_memslots);

	/* A block of the last memslot is where it should be. */
	test_ack(vmem_plug(dev, 21 * GiB, 1));
	test_group(dev, 1, 0);
}

TEST_F(limit, does_not_change_a_device_whose_attach_fails)
{
	const struct rig_options options = {
		.addr = 8 * GiB, .region_size = 6 * GiB,
	};
	struct kvm_vmem_attach attach;
	int dev;

	dev = second_device(&self->rig, &options, &attach);
	ASSERT_LE(0, dev);
	test_err_unchanged(EEXIST, dev, vmem_attach(dev, &attach));
	ASSERT_EQ(0, close(self->rig.dev));
	self->rig.dev = -1;
	test_ok(vmem_attach(dev, &attach));
	ASSERT_EQ(6, attach.out_nb_memslots);
}

TEST_F(limit, always_leaves_one_memslot)
{
	const struct rig_options options = {
		.addr = 16 * GiB, .region_size = 3 * GiB,
	};
	const struct rig_options last = {
		.addr = 32 * GiB, .region_size = 6 * GiB,
	};
	struct kvm_vmem_attach attach;
	int dev;

	dev = second_device(&self->rig, &options, &attach);
	ASSERT_LE(0, dev);
	test_ok(vmem_attach(dev, &attach));
	ASSERT_EQ(3, attach.out_nb_memslots);

	dev = second_device(&self->rig, &last, &attach);
	ASSERT_LE(0, dev);
	test_ok(vmem_attach(dev, &attach));
	ASSERT_EQ(1, attach.out_nb_memslots);
	ASSERT_LE(6 * GiB, attach.out_memslot_size);
}

TEST_F(limit, is_ENOSPC_for_an_explicit_size)
{
	const struct rig_options options = {
		.addr = 16 * GiB, .region_size = 4 * GiB, .memslot_size = GiB,
	};
	struct kvm_vmem_attach attach;
	int dev;

	dev = second_device(&self->rig, &options, &attach);
	ASSERT_LE(0, dev);
	test_err_unchanged(ENOSPC, dev, vmem_attach(dev, &attach));
	/* When the first device is gone, there is room. */
	ASSERT_EQ(0, close(self->rig.dev));
	self->rig.dev = -1;
	test_ok(vmem_attach(dev, &attach));
	ASSERT_EQ(4, attach.out_nb_memslots);
}

TEST_F(limit, that_is_raised_after_setup_divides_into_smaller_memslots)
{
	const struct rig_options options = {
		.addr = 16 * GiB, .region_size = 8 * GiB,
	};
	struct kvm_vmem_attach attach;
	struct kvm_vmem_get_info info;
	int dev;

	ASSERT_EQ(0, write_file(MEMSLOT_LIMIT, "2"));
	dev = second_device(&self->rig, &options, &attach);
	ASSERT_LE(0, dev);
	test_ok(vmem_get_info(dev, &info));
	ASSERT_EQ(4 * GiB, info.out_memslot_size);
	ASSERT_EQ(0, write_file(MEMSLOT_LIMIT, "4096"));
	test_ok(vmem_attach(dev, &attach));
	ASSERT_EQ(GiB, attach.out_memslot_size);
	ASSERT_EQ(8, attach.out_nb_memslots);
}

TEST_F(limit, is_not_shared_by_vms)
{
	const struct rig_options options = { .region_size = 6 * GiB };
	struct rig other;

	test_ok(rig_create(&other, &options));
	ASSERT_EQ(6, other.attach.out_nb_memslots);
	rig_destroy(&other);
}

TEST_F(sharing, says_how_large_pages_can_be)
{
	const struct rig_options options = {
		.addr = 16 * GiB + 2 * MiB, .region_size = GiB,
	};
	struct kvm_vmem_get_info info;
	struct kvm_vmem_attach attach;
	int dev;

	dev = second_device(&self->rig, &options, &attach);
	ASSERT_LE(0, dev);
	test_ok(vmem_attach(dev, &attach));
	test_ok(vmem_get_info(dev, &info));
	ASSERT_EQ(2 * MiB, info.out_alignment);
}

TEST_HARNESS_MAIN
