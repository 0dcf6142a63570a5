// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of protected backing: large ones in the guest where blocks allow them,
 * and never one that reaches into another block.
 */
#include "harness.h"

#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"

#define BLOCK (2 * MiB)
#define PAGE 4096
#define SHMEM_ENABLED "/sys/kernel/mm/transparent_hugepage/shmem_enabled"

FIXTURE(pages) {
	struct rig rig;
};

FIXTURE_SETUP(pages)
{
}

FIXTURE_TEARDOWN(pages)
{
	write_file(SHMEM_ENABLED, "never");
	rig_destroy(&self->rig);
}

static int create(struct rig *rig, uint64_t block_size)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
		.block_size = block_size,
	};

	return rig_create(rig, &options);
}

/*
 * Those of the region. The VM's own memory may be one, too: the guest runs in it
 * already when it is first asked.
 */
static long nr_2m_pages(struct rig *rig)
{
	uint64_t value;

	return kvm_stat(rig->vm.fd, "pages_2m", &value) ? -EIO : (long)value;
}

static int bind_to(const struct rig *rig, unsigned long nodes)
{
	return syscall(SYS_mbind, rig->backing.addr, BLOCK, MPOL_BIND, &nodes,
		       8 * sizeof(nodes) + 1, 0) ? -errno : 0;
}

TEST_F(pages, come_from_the_node_that_mbind_names)
{
	struct rig *rig = &self->rig;

	test_ok(create(rig, BLOCK));
	test_ok(bind_to(rig, 1));
	test_ack(vmem_plug(rig->dev, rig->addr, 1));
	test_ok(try_write(rig->backing.addr, 1));
	/* A node that is not there. */
	ASSERT_EQ(-EINVAL, bind_to(rig, 1UL << 63));
}

TEST_F(pages, of_2_mib_are_mapped_into_the_guest)
{
	struct rig *rig = &self->rig;
	uint64_t i, nb = 8;
	long before;

	test_ok(create(rig, 2 * MiB));
	test_ok(guest_write(&rig->vm.vcpus[0], rig->addr - 8, 1));
	before = nr_2m_pages(rig);
	test_ack(vmem_plug(rig->dev, rig->addr, nb));
	for (i = 0; i < nb; i++)
		test_ok(guest_write(&rig->vm.vcpus[0],
				    rig->addr + i * BLOCK + PAGE, i));
	ASSERT_EQ(before + nb, nr_2m_pages(rig));
	ASSERT_EQ(nb * BLOCK, device_value(rig->setup.out_id, "resident"));
	/* Unplugging one leaves the others as they are. */
	test_ack(vmem_unplug_sync(rig->dev, rig->addr + BLOCK, 1));
	ASSERT_EQ(before + nb - 1, nr_2m_pages(rig));
}

TEST_F(pages, of_2_mib_serve_larger_blocks)
{
	struct rig *rig = &self->rig;
	long before;

	test_ok(create(rig, 16 * MiB));
	test_ok(guest_write(&rig->vm.vcpus[0], rig->addr - 8, 1));
	before = nr_2m_pages(rig);
	test_ack(vmem_plug(rig->dev, rig->addr, 1));
	test_ok(guest_write(&rig->vm.vcpus[0], rig->addr + 5 * PAGE, 1));
	ASSERT_EQ(before + 1, nr_2m_pages(rig));
	ASSERT_EQ(2 * MiB, device_value(rig->setup.out_id, "resident"));
}

TEST_F(pages, of_small_blocks_bring_no_memory_to_their_neighbours)
{
	struct rig *rig = &self->rig;
	char *memory;
	long before;

	test_ok(create(rig, MiB));
	test_ok(guest_write(&rig->vm.vcpus[0], rig->addr - 8, 1));
	before = nr_2m_pages(rig);
	memory = rig->backing.addr;
	test_ack(vmem_plug(rig->dev, rig->addr + MiB, 1));
	test_ok(try_write(memory + MiB, 1));
	ASSERT_EQ(PAGE, device_value(rig->setup.out_id, "resident"));
	test_ok(guest_write(&rig->vm.vcpus[0], rig->addr + MiB + PAGE, 1));
	ASSERT_EQ(2 * PAGE, device_value(rig->setup.out_id, "resident"));
	ASSERT_EQ(0, madvise(memory + MiB, MiB, MADV_POPULATE_WRITE));
	ASSERT_EQ(MiB, device_value(rig->setup.out_id, "resident"));
	ASSERT_EQ(0, cached_bytes(memory, MiB));
	ASSERT_EQ(0, cached_bytes(memory + 2 * MiB, MiB));

	ASSERT_EQ(-SIGBUS, try_touch(memory));
	ASSERT_EQ(-SIGBUS, try_touch(memory + 2 * MiB));
	test_err(EFAULT, guest_write(&rig->vm.vcpus[0], rig->addr, 1));
	test_err(EFAULT, guest_write(&rig->vm.vcpus[0], rig->addr + 2 * MiB,
				     1));
	ASSERT_EQ(before, nr_2m_pages(rig));
	ASSERT_EQ(MiB, device_value(rig->setup.out_id, "resident"));
}

/* What is there to test tmpfs overrules the module's own mounts. */
TEST_F(pages, of_small_blocks_are_refused_where_large_ones_are_forced)
{
	struct rig *rig = &self->rig;

	test_ok(write_file(SHMEM_ENABLED, "force"));
	test_err(EOPNOTSUPP, create(rig, MiB));
	test_ok(create(rig, 2 * MiB));
}

TEST_F(pages, of_small_blocks_do_not_become_large_when_that_is_forced)
{
	struct rig *rig = &self->rig;
	char *memory;

	test_ok(create(rig, MiB));
	memory = rig->backing.addr;
	test_ok(write_file(SHMEM_ENABLED, "force"));
	test_ack(vmem_plug(rig->dev, rig->addr, 1));
	ASSERT_EQ(-SIGBUS, try_touch(memory));
	ASSERT_EQ(-SIGBUS, try_touch(memory + MiB));
	test_err(EFAULT, guest_write(&rig->vm.vcpus[0], rig->addr + MiB, 1));
	test_ack(vmem_unplug_sync(rig->dev, rig->addr, 1));
	ASSERT_EQ(0, device_value(rig->setup.out_id, "resident"));
}

TEST_F(pages, of_a_static_device_are_one_memslot)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
		.is_static = true,
	};
	struct rig *rig = &self->rig;
	struct kvm_vmem_get_info info;
	uint64_t nr_calls;

	test_ok(rig_create(rig, &options));
	test_ok(vmem_get_info(rig->dev, &info));
	ASSERT_EQ(1, info.out_nb_memslots);
	nr_calls = info.out_nb_kvm_calls;
	test_ack(vmem_plug(rig->dev, rig->addr + GiB, 1));
	test_ok(guest_write(&rig->vm.vcpus[0], rig->addr + GiB, 1));
	test_ack(vmem_unplug_sync(rig->dev, rig->addr + GiB, 1));
	test_err(EFAULT, guest_write(&rig->vm.vcpus[0], rig->addr + GiB, 1));
	test_ack(vmem_unplug_all(rig->dev));
	test_ok(sysfs_write(rig->setup.out_id, "retire", "1"));
	test_ok(vmem_get_info(rig->dev, &info));
	ASSERT_EQ(nr_calls, info.out_nb_kvm_calls);
	ASSERT_EQ(1, info.out_nb_idle);
	ASSERT_EQ(0, device_value(rig->setup.out_id, "resident"));
}

TEST_HARNESS_MAIN
