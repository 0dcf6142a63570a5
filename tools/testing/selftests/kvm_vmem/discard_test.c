// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of unplugged blocks: it goes back to the host behind the guest's
 * back, and whoever plugs the blocks again finds zeroes. The device has 4 GiB at
 * 4 GiB and memslots of 1 GiB.
 */
#include "harness.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "access.h"

#define PAGE 4096
#define REGION (4 * GiB)

FIXTURE(discard) {
	struct rig rig;
	struct vcpu *vcpu;
	uint32_t id;
	int dev;
	char *memory;
	uint64_t addr;
	uint64_t block;
	uint64_t shmem;
	char backlog[32];
};

FIXTURE_VARIANT(discard) {
	uint64_t block_size;
};

/* With huge pages, and without. */
FIXTURE_VARIANT_ADD(discard, blocks_of_2_mib) {
	2 * MiB
};

FIXTURE_VARIANT_ADD(discard, blocks_of_1_mib) {
	MiB
};

FIXTURE_SETUP(discard)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
		.block_size = variant->block_size,
	};

	ASSERT_LT(0, parameter_read("discard_backlog", self->backlog,
				    sizeof(self->backlog)));
	self->shmem = host_shmem();
	test_ok(rig_create(&self->rig, &options));
	self->vcpu = &self->rig.vm.vcpus[0];
	self->id = self->rig.setup.out_id;
	self->dev = self->rig.dev;
	self->memory = self->rig.backing.addr;
	self->addr = self->rig.addr;
	self->block = self->rig.block;
}

FIXTURE_TEARDOWN(discard)
{
	parameter_write("discard_backlog", self->backlog);
	rig_destroy(&self->rig);
}

static uint64_t resident(uint32_t id)
{
	return device_value(id, "resident");
}

static uint64_t pending(uint32_t id)
{
	return device_value(id, "discard_pending");
}

static int populate(char *memory, uint64_t size)
{
	return madvise(memory, size, MADV_POPULATE_WRITE) ? -errno : 0;
}

#define test_plug_and_populate(offset, nb) do { \
	test_ack(vmem_plug(self->dev, self->addr + (offset), nb)); \
	test_ok(populate(self->memory + (offset), (nb) * self->block)); \
} while (0)

TEST_F(discard, unplug_answers_at_once_and_frees_the_memory_then)
{
	uint64_t nb = 32, block = self->block;

	test_plug_and_populate(0, nb);
	ASSERT_EQ(nb * block, resident(self->id));
	ASSERT_EQ(0, pending(self->id));

	test_ack(vmem_unplug(self->dev, self->addr + block, nb / 2));
	test_plugged_size(self->dev, nb / 2 * block);
	test_state(VIRTIO_MEM_STATE_UNPLUGGED, self->dev, self->addr + block,
		   nb / 2);
	ASSERT_EQ(-SIGBUS, try_touch(self->memory + block));
	test_becomes(0, pending(self->id));
	ASSERT_EQ(nb / 2 * block, resident(self->id));
	ASSERT_EQ(nb / 2 * block, cached_bytes(self->memory, nb * block));
	ASSERT_EQ(0, cached_bytes(self->memory + block, nb / 2 * block));
}

TEST_F(discard, a_synchronous_unplug_has_freed_the_memory)
{
	uint64_t i, nb = 32, block = self->block;

	for (i = 1; i <= 4; i++) {
		test_plug_and_populate(0, nb);
		test_ack(vmem_unplug_sync(self->dev, self->addr, nb - i));
		ASSERT_EQ(i * block, resident(self->id));
		ASSERT_EQ(0, pending(self->id));
		test_ack(vmem_unplug_sync(self->dev,
					  self->addr + (nb - i) * block, i));
		ASSERT_EQ(0, resident(self->id));
	}
}

TEST_F(discard, a_synchronous_unplug_all_has_freed_the_memory)
{
	uint64_t block = self->block;

	test_plug_and_populate(0, 8);
	test_plug_and_populate(GiB - block, 2);
	test_plug_and_populate(3 * GiB, 1);
	test_ack(vmem_unplug_sync(self->dev, 0, 0));
	ASSERT_EQ(0, resident(self->id));
	ASSERT_EQ(0, pending(self->id));
	ASSERT_EQ(-SIGBUS, try_touch(self->memory + 3 * GiB));
}

TEST_F(discard, unplug_all_and_reset_free_everything)
{
	int i;

	for (i = 0; i < 2; i++) {
		test_plug_and_populate(0, 8);
		test_plug_and_populate(3 * GiB, 8);
		test_ok(i ? vmem_action(self->dev, KVM_VMEM_RESET, 0) :
			    vmem_unplug_all(self->dev));
		test_plugged_size(self->dev, 0);
		ASSERT_EQ(-SIGBUS, try_touch(self->memory + 3 * GiB));
		test_becomes(0, pending(self->id));
		ASSERT_EQ(0, resident(self->id));
	}
}

TEST_F(discard, without_a_backlog_unplug_waits)
{
	uint64_t i;

	test_ok(parameter_write("discard_backlog", "0"));
	for (i = 0; i < 4; i++) {
		test_plug_and_populate(0, 16);
		test_ack(vmem_unplug(self->dev, self->addr, 16));
		ASSERT_EQ(0, pending(self->id));
		ASSERT_EQ(0, resident(self->id));
	}
	test_plug_and_populate(0, 16);
	test_ack(vmem_unplug_all(self->dev));
	ASSERT_EQ(0, resident(self->id));
}

TEST_F(discard, what_exceeds_the_backlog_waits)
{
	uint64_t nb = 8 * MiB / self->block, i;

	test_ok(parameter_write("discard_backlog", "7"));
	for (i = 0; i < 4; i++) {
		test_plug_and_populate(0, nb);
		test_ack(vmem_unplug(self->dev, self->addr, nb));
		ASSERT_EQ(0, resident(self->id));
	}
}

TEST_F(discard, the_backlog_takes_a_number)
{
	static const char * const bad[] = { "x", "-1", "1M", "4294967296" };
	char buf[32];
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ASSERT_GT(0, parameter_write("discard_backlog", bad[i]));
	ASSERT_LT(0, parameter_read("discard_backlog", buf, sizeof(buf)));
	ASSERT_STREQ(self->backlog, buf);
}

/* The words of a block that a test looks at: its ends, and some between. */
#define NR_WORDS 8

static uint64_t word(uint64_t block, unsigned int i)
{
	return i == NR_WORDS - 1 ? block - 8 : i * (block / NR_WORDS);
}

TEST_F(discard, plugged_again_blocks_are_zero)
{
	uint64_t i, b, nb = 4, value, block = self->block, at;
	unsigned int w;

	for (i = 1; i <= 30; i++) {
		test_ack(vmem_plug(self->dev, self->addr, nb));
		for (b = 0; b < nb; b++) {
			for (w = 0; w < NR_WORDS; w++) {
				at = b * block + word(block, w);
				/* Either may be the first. */
				test_ok((i + w) % 2 ?
					guest_read(self->vcpu, self->addr + at,
						   &value) :
					try_read(self->memory + at, &value));
				ASSERT_EQ(0, value);
			}
		}
		for (b = 0; b < nb; b++) {
			at = b * block;
			if ((i + b) % 2) {
				test_ok(guest_fill(self->vcpu, self->addr + at,
						   block / PAGE, PAGE,
						   i << 32));
				test_ok(guest_write(self->vcpu, self->addr +
						    at + block - 8, i));
			} else {
				memset(self->memory + at, 0x80 | i, block);
			}
		}
		/* In one piece, in several, and all. */
		switch (i % 3) {
		case 0:
			test_ack(vmem_unplug(self->dev, self->addr, nb));
			break;
		case 1:
			for (b = 0; b < nb; b++) {
				test_ack(vmem_unplug(self->dev, self->addr +
						     b * block, 1));
			}
			break;
		case 2:
			test_ack(vmem_unplug_all(self->dev));
			break;
		}
	}
}

TEST_F(discard, every_byte_of_a_block_plugged_again_is_zero)
{
	uint64_t block = self->block, nb = 4, i, n;
	const uint64_t *words = (const uint64_t *)self->memory;

	for (n = 0; n < 4; n++) {
		test_ack(vmem_plug(self->dev, self->addr, nb));
		for (i = 0; i < nb * block / 8; i++)
			if (words[i])
				break;
		ASSERT_EQ(nb * block / 8, i);
		memset(self->memory, 0xff, nb * block);
		test_ack(vmem_unplug(self->dev, self->addr, nb));
	}
}

TEST_F(discard, other_blocks_keep_their_contents)
{
	uint64_t block = self->block, i;

	test_ack(vmem_plug(self->dev, self->addr, 5));
	memset(self->memory, 0x11, 5 * block);
	for (i = 0; i < 20; i++) {
		test_ack(vmem_unplug(self->dev, self->addr + block, 3));
		test_ack(vmem_plug(self->dev, self->addr + block, 3));
		ASSERT_EQ(0x11, self->memory[block - 1]);
		ASSERT_EQ(0, self->memory[block]);
		ASSERT_EQ(0, self->memory[4 * block - 1]);
		ASSERT_EQ(0x11, self->memory[4 * block]);
	}
}

TEST_F(discard, close_frees_what_is_pending)
{
	uint64_t nb = 96 * MiB / self->block;

	/* Untouched blocks among them, and plugged ones too. */
	test_plug_and_populate(0, nb);
	test_ack(vmem_plug(self->dev, self->addr + GiB, nb));
	test_plug_and_populate(2 * GiB, 8);
	ASSERT_LE(self->shmem + 80 * MiB, host_shmem());
	test_ack(vmem_unplug(self->dev, self->addr, nb / 2));
	test_ack(vmem_unplug(self->dev, self->addr + GiB, nb));
	close(self->dev);
	self->rig.dev = -1;
	/* The mapping is still there. */
	ASSERT_EQ(-SIGBUS, try_touch(self->memory));
	ASSERT_EQ(-SIGBUS, try_touch(self->memory + 2 * GiB));
	test_at_most(self->shmem + 8 * MiB, host_shmem());
}

/* A VMM that tells when it has unplugged, and hopes to be killed then. */
static int die_with_discards(int sock, uint64_t block_size)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.block_size = block_size,
	};
	uint64_t nb = 96 * MiB / block_size;
	struct rig rig;

	if (rig_create(&rig, &options) || vmem_plug(rig.dev, rig.addr, nb) ||
	    populate(rig.backing.addr, nb * block_size) ||
	    vmem_unplug(rig.dev, rig.addr, nb) || write(sock, "", 1) != 1)
		return 1;
	pause();
	return 1;
}

TEST_F(discard, a_killed_vmm_leaves_nothing)
{
	int socks[2], status;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(die_with_discards(socks[1], variant->block_size));
	close(socks[1]);
	ASSERT_EQ(1, read(socks[0], &byte, 1));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	/* The fixture's own device is the one. */
	test_becomes(1, count_devices());
	test_at_most(self->shmem + 8 * MiB, host_shmem());
	close(socks[0]);
}

TEST(user_backing_has_nothing_pending)
{
	const struct rig_options options = { .backing = BACKING_MEMFD };
	struct rig rig;

	test_ok(rig_create(&rig, &options));
	test_ack(vmem_plug(rig.dev, rig.addr, 4));
	memset(rig.backing.addr, 1, 8 * MiB);
	test_ack(vmem_unplug(rig.dev, rig.addr, 2));
	ASSERT_EQ(4 * MiB, backing_resident(&rig.backing));
	/* It always is synchronous. */
	test_ack(vmem_unplug_sync(rig.dev, rig.addr + 4 * MiB, 2));
	ASSERT_EQ(0, backing_resident(&rig.backing));
	ASSERT_EQ(0, pending(rig.setup.out_id));
	ASSERT_EQ(0, resident(rig.setup.out_id));
	rig_destroy(&rig);
}

TEST_HARNESS_MAIN
