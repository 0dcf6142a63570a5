// SPDX-License-Identifier: GPL-2.0
/*
 * Protected backing until a VM has it: SETUP, the first mapping, ATTACH. Regions
 * have 4 GiB and blocks of 2 MiB.
 */
#include "harness.h"

#include <sys/mman.h>

#include "access.h"

#define BLOCK (2 * MiB)
#define PAGE 4096
#define REGION (4 * GiB)
#define RW (PROT_READ | PROT_WRITE)

static int map_error(int dev, int prot, int flags, uint64_t offset,
		     uint64_t size)
{
	void *addr = mmap(NULL, size, prot, flags, dev, offset);

	if (addr == MAP_FAILED)
		return -errno;
	munmap(addr, size);
	return 0;
}

TEST(before_setup_there_is_nothing_to_map)
{
	int dev = vmem_open();

	ASSERT_LE(0, dev);
	test_err(ENODEV, map_error(dev, RW, MAP_SHARED, 0, PAGE));
	close(dev);
}

TEST(user_backing_is_not_mapped_through_the_device)
{
	const struct rig_options options = { .backing = BACKING_MEMFD };
	struct rig rig;

	test_ok(rig_create(&rig, &options));
	test_err(ENODEV, map_error(rig.dev, RW, MAP_SHARED, 0, PAGE));
	ASSERT_EQ(0, device_value(rig.setup.out_id, "resident"));
	rig_destroy(&rig);
}

TEST(setup_refuses_what_does_not_go_with_protected_backing)
{
	struct backing backing = {
		.kind = BACKING_PROTECTED,
		.fd = -1,
		.size = REGION,
	};
	const struct rig_options options = {};
	struct kvm_vmem_setup setup;
	int dev = vmem_open();

	ASSERT_LE(0, dev);
	fill_setup(&setup, &backing, &options);
	setup.flags = 0;
	test_err(EINVAL, vmem_setup(dev, &setup));
	fill_setup(&setup, &backing, &options);
	setup.backing_fd = 0;
	test_err(EINVAL, vmem_setup(dev, &setup));
	fill_setup(&setup, &backing, &options);
	setup.backing_offset = BLOCK;
	test_err(EINVAL, vmem_setup(dev, &setup));
	fill_setup(&setup, &backing, &options);
	setup.flags |= KVM_VMEM_SETUP_USER_BACKING | KVM_VMEM_SETUP_PREALLOC;
	test_err(EOPNOTSUPP, vmem_setup(dev, &setup));
	test_err(ENODEV, map_error(dev, RW, MAP_SHARED, 0, PAGE));
	fill_setup(&setup, &backing, &options);
	test_ok(vmem_setup(dev, &setup));
	test_ok(map_error(dev, RW, MAP_SHARED, 0, REGION));
	close(dev);
}

TEST(a_region_that_begins_within_a_gigabyte_is_mapped_to_suit_it)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.addr = 4 * GiB + 302 * MiB,
		.region_size = GiB,
	};
	struct kvm_vmem_get_info info;
	struct rig rig;

	test_ok(rig_create(&rig, &options));
	ASSERT_EQ(302 * MiB, (uintptr_t)rig.backing.addr % GiB);
	test_ok(vmem_get_info(rig.dev, &info));
	ASSERT_EQ(GiB, info.out_alignment);
	rig_destroy(&rig);
}

FIXTURE(attach) {
	struct rig rig;
	struct kvm_vmem_attach attach;
	int dev;
	char *memory;
};

FIXTURE_SETUP(attach)
{
	const struct rig_options options = { .backing = BACKING_PROTECTED };

	test_ok(rig_prepare(&self->rig, &options));
	self->dev = self->rig.dev;
	self->memory = self->rig.backing.addr;
	self->attach = self->rig.attach;
}

FIXTURE_TEARDOWN(attach)
{
	rig_destroy(&self->rig);
}

TEST_F(attach, another_mapping_is_refused)
{
	struct backing anon, memfd;

	test_ok(backing_create(&anon, BACKING_ANON, REGION, 0));
	test_ok(backing_create(&memfd, BACKING_MEMFD, REGION, 0));
	self->attach.userspace_addr = (uintptr_t)anon.addr;
	test_err_unchanged(EINVAL, self->dev,
			   vmem_attach(self->dev, &self->attach));
	self->attach.userspace_addr = (uintptr_t)memfd.addr;
	test_err_unchanged(EINVAL, self->dev,
			   vmem_attach(self->dev, &self->attach));
	backing_destroy(&anon);
	backing_destroy(&memfd);
	test_ok(rig_attach(&self->rig));
}

TEST_F(attach, the_mapping_of_another_device_is_refused)
{
	const struct rig_options options = { .backing = BACKING_PROTECTED };
	struct rig other;

	test_ok(rig_prepare(&other, &options));
	self->attach.userspace_addr = (uintptr_t)other.backing.addr;
	test_err_unchanged(EINVAL, self->dev,
			   vmem_attach(self->dev, &self->attach));
	rig_destroy(&other);
	test_ok(rig_attach(&self->rig));
}

TEST_F(attach, a_shifted_mapping_is_refused)
{
	self->attach.userspace_addr = (uintptr_t)self->memory + BLOCK;
	test_err_unchanged(EINVAL, self->dev,
			   vmem_attach(self->dev, &self->attach));
	self->attach.userspace_addr = (uintptr_t)self->memory - BLOCK;
	ASSERT_GT(0, vmem_attach(self->dev, &self->attach));
	test_ok(rig_attach(&self->rig));
}

TEST_F(attach, a_part_of_the_mapping_is_refused)
{
	ASSERT_EQ(0, munmap(self->memory + 2 * GiB, PAGE));
	test_err_unchanged(EFAULT, self->dev, rig_attach(&self->rig));
	ASSERT_EQ(self->memory + 2 * GiB,
		  mmap(self->memory + 2 * GiB, PAGE, PROT_READ,
		       MAP_SHARED | MAP_FIXED, self->dev, 2 * GiB));
	test_err_unchanged(EACCES, self->dev, rig_attach(&self->rig));
	/* In two parts it is all there. */
	ASSERT_EQ(self->memory + 2 * GiB,
		  mmap(self->memory + 2 * GiB, PAGE, RW,
		       MAP_SHARED | MAP_FIXED, self->dev, 2 * GiB));
	test_ok(rig_attach(&self->rig));
}

TEST_F(attach, before_it_every_block_is_unplugged)
{
	ASSERT_EQ(-SIGBUS, try_touch(self->memory));
	ASSERT_EQ(-SIGBUS, try_write(self->memory + REGION - 8, 1));
	ASSERT_EQ(0, device_value(self->rig.setup.out_id, "resident"));
	ASSERT_EQ(2, device_value(self->rig.setup.out_id, "violations"));
}

TEST_HARNESS_MAIN
