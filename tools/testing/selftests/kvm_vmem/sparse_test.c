// SPDX-License-Identifier: GPL-2.0
/*
 * lseek() of a device: which of its memory the host has given. Who saves or sends
 * a guest's memory would otherwise allocate all of it by reading it.
 */
#include "harness.h"

#include <unistd.h>

#include "access.h"

#define BLOCK (2 * MiB)

FIXTURE(sparse) {
	struct rig rig;
	int dev;
};

FIXTURE_SETUP(sparse)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
	};

	test_ok(rig_create(&self->rig, &options));
	self->dev = self->rig.dev;
	test_ack(vmem_plug(self->dev, self->rig.addr, 64));
}

FIXTURE_TEARDOWN(sparse)
{
	rig_destroy(&self->rig);
}

static int64_t seek(int dev, int64_t offset, int whence)
{
	off_t found = lseek(dev, offset, whence);

	return found < 0 ? -errno : found;
}

TEST_F(sparse, plugged_memory_is_a_hole_until_it_is_touched)
{
	test_err(ENXIO, seek(self->dev, 0, SEEK_DATA));
	ASSERT_EQ(0, seek(self->dev, 0, SEEK_HOLE));
	test_ok(guest_write(&self->rig.vm.vcpus[0],
			    self->rig.addr + 10 * BLOCK, 1));
	ASSERT_EQ(10 * BLOCK, seek(self->dev, 0, SEEK_DATA));
	ASSERT_LE(10 * BLOCK + 4096, seek(self->dev, 10 * BLOCK, SEEK_HOLE));
	ASSERT_GE(11 * BLOCK, seek(self->dev, 10 * BLOCK, SEEK_HOLE));
	test_err(ENXIO, seek(self->dev, 11 * BLOCK, SEEK_DATA));
}

TEST_F(sparse, finding_allocates_nothing)
{
	uint32_t id = self->rig.setup.out_id;

	ASSERT_EQ(0, device_value(id, "resident"));
	test_err(ENXIO, seek(self->dev, 0, SEEK_DATA));
	ASSERT_EQ(0, device_value(id, "resident"));
}

TEST_F(sparse, unplugged_memory_becomes_a_hole)
{
	test_ok(try_write(self->rig.backing.addr, 1));
	ASSERT_EQ(0, seek(self->dev, 0, SEEK_DATA));
	test_ack(vmem_unplug_sync(self->dev, self->rig.addr, 1));
	test_err(ENXIO, seek(self->dev, 0, SEEK_DATA));
}

TEST_F(sparse, beyond_the_region_is_ENXIO)
{
	test_err(ENXIO, seek(self->dev, 4 * GiB, SEEK_DATA));
	test_err(ENXIO, seek(self->dev, 4 * GiB, SEEK_HOLE));
	test_err(ENXIO, seek(self->dev, -1, SEEK_DATA));
}

TEST_F(sparse, there_is_no_position)
{
	test_err(EINVAL, seek(self->dev, 0, SEEK_SET));
	test_err(EINVAL, seek(self->dev, 0, SEEK_CUR));
	test_err(EINVAL, seek(self->dev, 0, SEEK_END));
	test_err(EINVAL, seek(self->dev, 0, 77));
}

TEST_F(sparse, without_memory_of_its_own_is_ESPIPE)
{
	const struct rig_options options = { .backing = BACKING_MEMFD };
	int dev = vmem_open();
	struct rig rig;

	test_err(ESPIPE, seek(dev, 0, SEEK_DATA));
	ASSERT_EQ(0, close(dev));
	test_ok(rig_create(&rig, &options));
	test_err(ESPIPE, seek(rig.dev, 0, SEEK_DATA));
	rig_destroy(&rig);
}

TEST_HARNESS_MAIN
