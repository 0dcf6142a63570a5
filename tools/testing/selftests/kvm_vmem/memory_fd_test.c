// SPDX-License-Identifier: GPL-2.0
/*
 * GET_MEMORY_FD: a file of the memory for who is to have the memory and no say, a
 * vhost-user back end for example.
 */
#include "harness.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "access.h"

#define BLOCK (2 * MiB)
#define REGION (4 * GiB)

FIXTURE(memory_fd) {
	struct rig rig;
	int dev, fd;
	char *memory;
};

FIXTURE_SETUP(memory_fd)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
	};

	test_ok(rig_create(&self->rig, &options));
	self->dev = self->rig.dev;
	test_ack(vmem_plug(self->dev, self->rig.addr, 2));
	self->fd = vmem_get_memory_fd(self->dev);
	ASSERT_LE(0, self->fd);
	self->memory = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_SHARED,
			    self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
}

FIXTURE_TEARDOWN(memory_fd)
{
	munmap(self->memory, REGION);
	close(self->fd);
	rig_destroy(&self->rig);
	EXPECT_EQ(0, count_devices());
	EXPECT_EQ(0, module_refcount());
}

TEST_F(memory_fd, has_the_memory_of_the_device)
{
	uint64_t value;

	test_ok(guest_write(&self->rig.vm.vcpus[0], self->rig.addr, 5));
	test_ok(try_read(self->memory, &value));
	ASSERT_EQ(5, value);
	test_ok(try_write(self->memory + BLOCK, 6));
	test_ok(try_read(self->rig.backing.addr + BLOCK, &value));
	ASSERT_EQ(6, value);
}

TEST_F(memory_fd, is_held_to_the_plugged_blocks)
{
	ASSERT_EQ(-SIGBUS, try_touch(self->memory + 2 * BLOCK));
	test_ok(try_write(self->memory + BLOCK, 1));
	test_ack(vmem_unplug(self->dev, self->rig.addr + BLOCK, 1));
	ASSERT_EQ(-SIGBUS, try_touch(self->memory + BLOCK));
	ASSERT_EQ(2, device_value(self->rig.setup.out_id, "violations"));
}

/* It cannot plug what the guest was not given, nor take away what it was. */
TEST_F(memory_fd, takes_no_ioctl)
{
	char buf[4096] = {};
	unsigned int nr;

	*(uint32_t *)buf = sizeof(struct kvm_vmem_request);
	for (nr = 0; nr < 256; nr++)
		test_err(ENOTTY, vmem_ioctl(self->fd, _IO(KVM_VMEM_TYPE, nr),
					    buf));
	ASSERT_EQ(-1, read(self->fd, buf, 8));
	ASSERT_EQ(-1, write(self->fd, buf, 8));
	ASSERT_EQ(-1, ftruncate(self->fd, 0));
	ASSERT_EQ(-1, fallocate(self->fd, 0, 0, REGION));
}

TEST_F(memory_fd, finds_what_has_memory)
{
	test_ok(try_write(self->memory + BLOCK, 1));
	ASSERT_EQ(BLOCK, lseek(self->fd, 0, SEEK_DATA));
	ASSERT_EQ(-1, lseek(self->fd, 0, SEEK_END));
}

TEST_F(memory_fd, maps_as_the_device_does)
{
	ASSERT_EQ(self->rig.addr % GiB, (uintptr_t)self->memory % GiB);
	ASSERT_EQ(MAP_FAILED, mmap(NULL, REGION, PROT_READ, MAP_PRIVATE,
				   self->fd, 0));
	ASSERT_EQ(MAP_FAILED, mmap(NULL, REGION, PROT_READ, MAP_SHARED,
				   self->fd, BLOCK));
	ASSERT_EQ(MAP_FAILED, mmap(NULL, BLOCK, PROT_READ | PROT_EXEC,
				   MAP_SHARED, self->fd, 0));
}

TEST_F(memory_fd, can_be_mapped_for_the_vm)
{
	const struct rig_options options = { .backing = BACKING_PROTECTED };
	struct rig rig;
	void *memory;
	int fd;

	test_ok(rig_prepare(&rig, &options));
	fd = vmem_get_memory_fd(rig.dev);
	ASSERT_LE(0, fd);
	memory = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, memory);
	rig.attach.userspace_addr = (uintptr_t)memory;
	test_ok(rig_attach(&rig));
	test_ack(vmem_plug(rig.dev, rig.addr, 1));
	ASSERT_EQ(0, munmap(memory, REGION));
	ASSERT_EQ(0, close(fd));
	rig_destroy(&rig);
}

static bool back_end_writes(int sock)
{
	int fd = recv_fd(sock);
	char *memory = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_SHARED,
			    fd, 0);

	return memory != MAP_FAILED && !try_write(memory, 77) &&
	       try_write(memory + 2 * BLOCK, 77) == -SIGBUS;
}

TEST_F(memory_fd, can_be_passed_to_another_process)
{
	uint64_t value;
	int socks[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				socks));
	test_ok(send_fd(socks[0], self->fd));
	test_child(back_end_writes(socks[1]));
	test_ok(try_read(self->rig.backing.addr, &value));
	ASSERT_EQ(77, value);
	ASSERT_EQ(0, close(socks[0]));
	ASSERT_EQ(0, close(socks[1]));
}

TEST_F(memory_fd, does_not_keep_the_device_or_its_memory)
{
	uint64_t before;

	test_ok(try_write(self->memory, 1));
	before = host_shmem();
	rig_destroy(&self->rig);
	ASSERT_EQ(0, count_devices());
	ASSERT_EQ(-SIGBUS, try_touch(self->memory));
	test_at_most(before - BLOCK / 2, host_shmem());

	/* A mapping of what is no more. */
	ASSERT_EQ(0, munmap(self->memory, REGION));
	self->memory = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_SHARED,
			    self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_EQ(-SIGBUS, try_touch(self->memory));
	ASSERT_LE(1, module_refcount());
}

TEST_F(memory_fd, of_user_backing_is_EOPNOTSUPP)
{
	const struct rig_options options = { .backing = BACKING_MEMFD };
	int dev = vmem_open();
	struct rig rig;

	test_err(ENODEV, vmem_get_memory_fd(dev));
	ASSERT_EQ(0, close(dev));
	test_ok(rig_create(&rig, &options));
	test_err(EOPNOTSUPP, vmem_get_memory_fd(rig.dev));
	rig_destroy(&rig);
}

TEST_HARNESS_MAIN
