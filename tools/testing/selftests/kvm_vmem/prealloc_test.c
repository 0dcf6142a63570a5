// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is there when the guest is told that it may use it, or is not to be had.
 * At the limit of a memory cgroup, see memcg_test.c.
 */
#include "harness.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "access.h"

#define PAGE 4096

FIXTURE(prealloc) {
	struct rig rig;
	uint32_t id;
	int dev;
	char *memory;
	uint64_t addr;
	uint64_t block;
};

FIXTURE_VARIANT(prealloc) {
	uint64_t block_size;
};

/* With huge pages, and without. */
FIXTURE_VARIANT_ADD(prealloc, blocks_of_2_mib) {
	2 * MiB
};

FIXTURE_VARIANT_ADD(prealloc, blocks_of_1_mib) {
	MiB
};

FIXTURE_SETUP(prealloc)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
		.block_size = variant->block_size,
		.prealloc = true,
	};

	test_ok(rig_create(&self->rig, &options));
	self->id = self->rig.setup.out_id;
	self->dev = self->rig.dev;
	self->memory = self->rig.backing.addr;
	self->addr = self->rig.addr;
	self->block = self->rig.block;
}

FIXTURE_TEARDOWN(prealloc)
{
	rig_destroy(&self->rig);
}

static uint64_t resident(uint32_t id)
{
	return device_value(id, "resident");
}

TEST_F(prealloc, plugged_blocks_have_their_memory)
{
	uint64_t block = self->block;

	ASSERT_EQ(0, resident(self->id));
	test_ack(vmem_plug(self->dev, self->addr + block, 1));
	ASSERT_EQ(block, resident(self->id));
	/* Across memslots, and more than what a worker takes at a time. */
	test_ack(vmem_plug(self->dev, self->addr + GiB - 20 * block, 40));
	ASSERT_EQ(41 * block, resident(self->id));
	ASSERT_EQ(block, cached_bytes(self->memory + block, block));
	ASSERT_EQ(40 * block, cached_bytes(self->memory + GiB - 20 * block,
					   40 * block));
	ASSERT_EQ(-SIGBUS, try_touch(self->memory));
	test_ack(vmem_unplug_sync(self->dev, self->addr + block, 1));
	ASSERT_EQ(40 * block, resident(self->id));
}

TEST_F(prealloc, blocks_that_kvm_refuses_are_given_no_memory)
{
	uint64_t block = self->block, in_the_way = self->addr + GiB + 512 * MiB;
	struct vm *vm = &self->rig.vm;

	test_ok(vm_set_memslot(vm->fd, 1000, in_the_way, PAGE, vm->ram));
	test_busy(vmem_plug(self->dev, self->addr + GiB - block, 2));
	ASSERT_EQ(0, resident(self->id));
	test_group(self->dev, 0, 0);
	test_ok(vm_set_memslot(vm->fd, 1000, in_the_way, 0, vm->ram));
	test_ack(vmem_plug(self->dev, self->addr + GiB - block, 2));
	ASSERT_EQ(2 * block, resident(self->id));
}

TEST_F(prealloc, plugged_blocks_are_zero)
{
	uint64_t block = self->block, nb = 4, n, i;
	const uint64_t *words = (const uint64_t *)self->memory;

	for (n = 0; n < 4; n++) {
		test_ack(vmem_plug(self->dev, self->addr, nb));
		ASSERT_EQ(nb * block, resident(self->id));
		for (i = 0; i < nb * block / 8; i++)
			if (words[i])
				break;
		ASSERT_EQ(nb * block / 8, i);
		memset(self->memory, 0xff, nb * block);
		test_ack(vmem_unplug(self->dev, self->addr, nb));
	}
}

TEST_F(prealloc, a_refused_plug_allocates_nothing)
{
	test_ack(vmem_plug(self->dev, self->addr + self->block, 1));
	test_error(vmem_plug(self->dev, self->addr, 2));
	test_ok(vmem_set_requested_size(self->dev, 2 * self->block));
	test_nack(vmem_plug(self->dev, self->addr + 2 * self->block, 2));
	ASSERT_EQ(self->block, resident(self->id));
}

/*
 * A VMM that wants more than there is time for. Another process may ask for it, which is
 * to die instead.
 */
static int die_preallocating(int sock, uint64_t size, bool other)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.block_size = MiB,
		.prealloc = true,
	};
	pid_t pid = getpid();
	struct rig rig;

	if (rig_create(&rig, &options))
		return 1;
	if (other)
		pid = fork();
	if (pid && (write(sock, &rig.setup.out_id, 4) != 4 ||
		    write(sock, &pid, 4) != 4))
		return 1;
	if (pid && other)
		return waitpid(pid, NULL, 0) != pid ||
		       device_value(rig.setup.out_id, "resident");
	return vmem_plug(rig.dev, rig.addr, size / MiB) ? 1 : 0;
}

TEST(a_fatal_signal_ends_preallocation)
{
	uint64_t size = 2 * GiB, seen = 0, now, shmem = host_shmem();
	int socks[2], status;
	uint32_t id;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(die_preallocating(socks[1], size, false));
	close(socks[1]);
	ASSERT_EQ(4, read(socks[0], &id, 4));
	while (resident(id) < 16 * MiB)
		usleep(1000);
	kill(pid, SIGKILL);
	for (;;) {
		now = resident(id);
		/* ~0: the device is gone. */
		if (now == ~0ULL)
			break;
		seen = now > seen ? now : seen;
	}
	ASSERT_GT(size, seen);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	test_becomes(0, count_devices());
	test_at_most(shmem + 8 * MiB, host_shmem());
	close(socks[0]);
}

/* It works in a kernel thread, which is sent no signal. */
TEST(a_fatal_signal_ends_preallocation_for_another_process)
{
	uint64_t size = 4 * GiB;
	int socks[2], status;
	uint32_t id;
	pid_t vmm, pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	vmm = fork();
	ASSERT_LE(0, vmm);
	if (!vmm)
		_exit(die_preallocating(socks[1], size, true));
	close(socks[1]);
	ASSERT_EQ(4, read(socks[0], &id, 4));
	ASSERT_EQ(4, read(socks[0], &pid, 4));
	while (resident(id) < 16 * MiB)
		usleep(1000);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	/* Nothing is left to the VMM when the other process is gone. */
	ASSERT_EQ(vmm, waitpid(vmm, &status, 0));
	ASSERT_EQ(0, status);
	test_becomes(0, count_devices());
	close(socks[0]);
}

TEST_HARNESS_MAIN
