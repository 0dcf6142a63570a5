// SPDX-License-Identifier: GPL-2.0
/*
 * The rules of vmem-vmm's split virtqueue, built so that an access beyond the
 * guest's memory stops the program. What a guest sees of them, hostile_vmm_test.c
 * tests.
 */
#include "rig.h"

#include <kselftest_harness.h>

FIXTURE(queue) {
	struct rig rig;
};

FIXTURE_SETUP(queue)
{
	ASSERT_TRUE(rig_create(&self->rig));
}

FIXTURE_TEARDOWN(queue)
{
	rig_destroy(&self->rig);
}

TEST_F(queue, without_chains_has_none)
{
	ASSERT_EQ(0, pop(&self->rig));
	ASSERT_EQ(0, pop(&self->rig));
}

TEST_F(queue, gives_a_chain_as_it_was_made)
{
	self->rig.desc[5] = (struct vring_desc){ BUFFERS, 8, N, 2 };
	self->rig.desc[2] = (struct vring_desc){ HIGH, 16, N, 7 };
	self->rig.desc[7] = (struct vring_desc){ PLUGGABLE, 4, W, 1234 };
	offer(&self->rig, 5);
	ASSERT_EQ(1, pop(&self->rig));
	ASSERT_EQ(5, self->rig.chain.head);
	ASSERT_EQ(2, self->rig.chain.nb_readable);
	ASSERT_EQ(1, self->rig.chain.nb_writable);
	ASSERT_EQ(BUFFERS, self->rig.chain.buffers[0].gpa);
	ASSERT_EQ(8, self->rig.chain.buffers[0].size);
	ASSERT_EQ(HIGH, self->rig.chain.buffers[1].gpa);
	ASSERT_EQ(PLUGGABLE, self->rig.chain.buffers[2].gpa);
	ASSERT_EQ(4, self->rig.chain.buffers[2].size);
	ASSERT_EQ(0, pop(&self->rig));
}

TEST_F(queue, takes_chains_in_order_across_the_end_of_the_ring)
{
	int i, head = 0;

	for (i = 0; i < SIZE; i++)
		self->rig.desc[i] = (struct vring_desc){ BUFFERS, 16, 0, 0 };
	for (i = 0; i < 3 * 65536; i++) {
		offer(&self->rig, i % SIZE);
		if (i % 5)
			continue;
		while (pop(&self->rig) == 1) {
			ASSERT_EQ(head++ % SIZE, self->rig.chain.head);
			ASSERT_EQ(1, push(&self->rig, head));
			ASSERT_EQ((head - 1) % SIZE, self->rig.used->ring[(head - 1) % SIZE].id);
			ASSERT_EQ(head, self->rig.used->ring[(head - 1) % SIZE].len);
			ASSERT_EQ((uint16_t)head, self->rig.used->idx);
		}
		ASSERT_EQ(i + 1, head);
	}
}

TEST_F(queue, has_a_size_that_is_a_power_of_two_up_to_the_most)
{
	uint32_t size;

	for (size = 0; size <= 4 * VIRTQUEUE_MAX_SIZE; size++) {
		set_up(&self->rig);
		self->rig.queue.size = size;
		ASSERT_EQ(size && size <= VIRTQUEUE_MAX_SIZE && !(size & (size - 1)),
			  virtqueue_set_ready(&self->rig.queue));
	}
	for (size = 1 << 15; size; size <<= 1) {
		set_up(&self->rig);
		self->rig.queue.size = size;
		ASSERT_FALSE(virtqueue_set_ready(&self->rig.queue));
	}
}

TEST_F(queue, is_aligned)
{
	uint64_t offset;

	for (offset = 1; offset <= 16; offset++) {
		set_up(&self->rig);
		self->rig.queue.desc += offset;
		ASSERT_EQ(!(offset % 16), virtqueue_set_ready(&self->rig.queue));
		set_up(&self->rig);
		self->rig.queue.avail += offset;
		ASSERT_EQ(!(offset % 2), virtqueue_set_ready(&self->rig.queue));
		set_up(&self->rig);
		self->rig.queue.used += offset;
		ASSERT_EQ(!(offset % 4), virtqueue_set_ready(&self->rig.queue));
	}
}

TEST_F(queue, is_forgotten_by_a_reset)
{
	offer(&self->rig, 0);
	self->rig.desc[0] = (struct vring_desc){ BUFFERS, 16, 0, 0 };
	ASSERT_EQ(1, pop(&self->rig));
	virtqueue_reset(&self->rig.queue);
	ASSERT_FALSE(self->rig.queue.ready);
	ASSERT_EQ(0, self->rig.queue.next_avail);
	ASSERT_EQ(0, self->rig.queue.next_used);
	ASSERT_EQ(0, self->rig.queue.size);
}

/* As the driver sets it up; it is checked as it is used. */
static const uint64_t nowhere[] = {
	RAM + RAM_SIZE - 16, RAM + RAM_SIZE, HIGH - 16, HIGH + HIGH_SIZE - 16, HIGH + HIGH_SIZE,
	PLUGGABLE + PLUGGED_SIZE - 16, PLUGGABLE + PLUGGED_SIZE,
	PLUGGABLE + PLUGGABLE_SIZE - 16, PLUGGABLE + PLUGGABLE_SIZE, GIB, -16ULL, 1ULL << 63,
};

TEST_F(queue, is_in_memory)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
		set_up(&self->rig);
		self->rig.avail->idx = 1;
		self->rig.queue.desc = nowhere[i];
		ASSERT_TRUE(virtqueue_set_ready(&self->rig.queue));
		ASSERT_EQ(-EPROTO, pop(&self->rig));
		set_up(&self->rig);
		self->rig.queue.avail = nowhere[i];
		ASSERT_TRUE(virtqueue_set_ready(&self->rig.queue));
		ASSERT_EQ(-EPROTO, pop(&self->rig));
		set_up(&self->rig);
		self->rig.queue.used = nowhere[i];
		ASSERT_TRUE(virtqueue_set_ready(&self->rig.queue));
		ASSERT_EQ(1, pop(&self->rig));
		ASSERT_EQ(-EPROTO, push(&self->rig, 0));
	}
}

TEST_F(queue, may_go_away_meanwhile)
{
	self->rig.queue.avail = PLUGGABLE;
	((struct vring_avail *)self->rig.pluggable)->idx = 1;
	ASSERT_EQ(1, pop(&self->rig));
	self->rig.memory.nb_ranges--;
	ASSERT_EQ(-EPROTO, push(&self->rig, 0));
	ASSERT_EQ(-EPROTO, pop(&self->rig));
}

TEST_F(queue, may_end_where_memory_ends)
{
	uint64_t avail = sizeof(struct vring_avail) + SIZE * sizeof(uint16_t);
	uint64_t used = sizeof(struct vring_used) + SIZE * sizeof(struct vring_used_elem);
	struct vring_avail *ring = (struct vring_avail *)(self->rig.high + HIGH_SIZE - avail);

	self->rig.queue.desc = PLUGGABLE + PLUGGED_SIZE - SIZE * sizeof(struct vring_desc);
	self->rig.queue.avail = HIGH + HIGH_SIZE - avail;
	self->rig.queue.used = RAM + RAM_SIZE - used;
	ASSERT_TRUE(virtqueue_set_ready(&self->rig.queue));
	self->rig.desc = (struct vring_desc *)(self->rig.pluggable + PLUGGED_SIZE) - SIZE;
	self->rig.desc[SIZE - 1] = (struct vring_desc){ BUFFERS, 16, 0, 0 };
	ring->ring[0] = SIZE - 1;
	ring->idx = 1;
	ASSERT_EQ(1, pop(&self->rig));
	ASSERT_EQ(1, push(&self->rig, 0));
}

TEST_F(queue, has_no_more_chains_than_entries)
{
	int i;

	for (i = 0; i < SIZE; i++)
		self->rig.desc[i] = (struct vring_desc){ BUFFERS, 16, 0, 0 };
	self->rig.avail->idx = SIZE + 1;
	ASSERT_EQ(-EPROTO, pop(&self->rig));
	self->rig.avail->idx = SIZE;
	ASSERT_EQ(1, pop(&self->rig));
	self->rig.avail->idx = 0;
	ASSERT_EQ(-EPROTO, pop(&self->rig));
	self->rig.avail->idx = 0x8000;
	ASSERT_EQ(-EPROTO, pop(&self->rig));
}

TEST_F(queue, has_no_head_beyond_its_table)
{
	int head;

	for (head = SIZE; head <= 0xffff; head++) {
		set_up(&self->rig);
		self->rig.avail->idx = 0;
		offer(&self->rig, head);
		ASSERT_EQ(-EPROTO, pop(&self->rig));
	}
}

TEST_F(queue, has_no_next_beyond_its_table)
{
	int next;

	for (next = SIZE; next <= 0xffff; next++) {
		set_up(&self->rig);
		self->rig.avail->idx = 0;
		self->rig.desc[0] = (struct vring_desc){ BUFFERS, 16, N, next };
		offer(&self->rig, 0);
		ASSERT_EQ(-EPROTO, pop(&self->rig));
	}
}

TEST_F(queue, has_no_loops)
{
	int i, to;

	for (to = 0; to < SIZE; to++) {
		for (i = 0; i < SIZE; i++)
			self->rig.desc[i] = (struct vring_desc){ BUFFERS, 16, N, i + 1 };
		self->rig.desc[SIZE - 1].next = to;
		set_up(&self->rig);
		self->rig.avail->idx = 0;
		offer(&self->rig, 0);
		ASSERT_EQ(-EPROTO, pop(&self->rig));
	}
}

TEST_F(queue, has_no_loops_in_the_largest_table)
{
	int i;

	for (i = 0; i < VIRTQUEUE_MAX_SIZE; i++)
		self->rig.desc[i] = (struct vring_desc){ BUFFERS, 16, N, i + 1 };
	self->rig.desc[i - 1].next = 0;
	self->rig.queue.size = VIRTQUEUE_MAX_SIZE;
	ASSERT_TRUE(virtqueue_set_ready(&self->rig.queue));
	offer(&self->rig, 0);
	ASSERT_EQ(-EPROTO, pop(&self->rig));
}

TEST_F(queue, has_chains_as_long_as_its_table)
{
	int i;

	for (i = 0; i < SIZE; i++)
		self->rig.desc[i] = (struct vring_desc){ BUFFERS, 16, N, i + 1 };
	self->rig.desc[SIZE - 1].flags = W;
	test_accepted({ BUFFERS, 16, N, 1 });
	ASSERT_EQ(SIZE - 1, self->rig.chain.nb_readable);
	ASSERT_EQ(1, self->rig.chain.nb_writable);
}

TEST_F(queue, has_no_tables_of_descriptors)
{
	test_refused({ BUFFERS, 32, VRING_DESC_F_INDIRECT, 0 });
	test_refused({ BUFFERS, 32, VRING_DESC_F_INDIRECT | W, 0 });
	test_refused({ BUFFERS, 32, VRING_DESC_F_INDIRECT | N, 1 });
}

TEST_F(queue, has_writable_buffers_last)
{
	self->rig.desc[1] = (struct vring_desc){ BUFFERS, 16, 0, 0 };
	test_refused({ BUFFERS, 16, N | W, 1 });
	self->rig.desc[1].flags = W;
	test_accepted({ BUFFERS, 16, N | W, 1 });
	ASSERT_EQ(0, self->rig.chain.nb_readable);
	ASSERT_EQ(2, self->rig.chain.nb_writable);
}

TEST_F(queue, has_buffers_in_memory)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
		test_refused({ nowhere[i], 32, 0, 0 });
		test_refused({ nowhere[i], 32, W, 0 });
		test_refused({ nowhere[i], ~0U, 0, 0 });
		self->rig.desc[1] = (struct vring_desc){ nowhere[i], 32, W, 0 };
		test_refused({ BUFFERS, 16, N, 1 });
	}
	test_refused({ BUFFERS, ~0U, 0, 0 });
	test_refused({ BUFFERS, 1U << 31, W, 0 });
	test_refused({ BUFFERS, RAM_SIZE - BUFFERS + 1, 0, 0 });
	test_accepted({ BUFFERS, RAM_SIZE - BUFFERS, 0, 0 });
	test_accepted({ HIGH + HIGH_SIZE - 1, 1, W, 0 });
	test_accepted({ PLUGGABLE, PLUGGED_SIZE, W, 0 });
	test_refused({ PLUGGABLE, PLUGGED_SIZE + 1, W, 0 });
}

TEST_F(queue, memory_has_no_piece_that_is_too_large)
{
	ASSERT_EQ(self->rig.high + 16, memory_at(&self->rig.memory, HIGH + 16, HIGH_SIZE - 16));
	ASSERT_EQ(NULL, memory_at(&self->rig.memory, HIGH + 16, HIGH_SIZE - 15));
	ASSERT_EQ(NULL, memory_at(&self->rig.memory, HIGH + 16, -16ULL));
	ASSERT_EQ(NULL, memory_at(&self->rig.memory, HIGH + 16, -HIGH));
	ASSERT_EQ(NULL, memory_at(&self->rig.memory, HIGH + 16, ~0ULL));
}

TEST_F(queue, has_no_empty_buffers)
{
	test_refused({ BUFFERS, 0, 0, 0 });
	test_refused({ BUFFERS, 0, W, 0 });
	test_refused({ -1ULL, 0, 0, 0 });
}

TEST_F(queue, interrupts_unless_the_driver_wants_none)
{
	test_accepted({ BUFFERS, 16, 0, 0 });
	self->rig.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	ASSERT_EQ(0, push(&self->rig, 0));
	self->rig.avail->flags = ~VRING_AVAIL_F_NO_INTERRUPT;
	ASSERT_EQ(1, push(&self->rig, 0));
}

TEST_F(queue, buffers_are_read_and_written_in_their_order)
{
	char data[32] = { 0 };
	int i;

	for (i = 0; i < 4; i++) {
		self->rig.desc[i] = (struct vring_desc){
			BUFFERS + (3 - i) * 64, 3 + i, (i < 3 ? N : 0) | (i < 2 ? 0 : W), i + 1,
		};
	}
	memcpy(self->rig.ram + BUFFERS + 3 * 64, "abcX", 4);
	memcpy(self->rig.ram + BUFFERS + 2 * 64, "defgX", 5);
	test_accepted({ BUFFERS + 3 * 64, 3, N, 1 });
	ASSERT_EQ(11, chain_writable_size(&self->rig.chain));

	ASSERT_EQ(7, chain_read(&self->rig.chain, &self->rig.memory, data, sizeof(data)));
	ASSERT_STREQ("abcdefg", data);
	ASSERT_EQ(5, chain_read(&self->rig.chain, &self->rig.memory, data, 5));
	ASSERT_EQ(11, chain_write(&self->rig.chain, &self->rig.memory, "0123456789!?", 12));
	ASSERT_EQ(0, memcmp(self->rig.ram + BUFFERS + 64, "01234\0", 6));
	ASSERT_EQ(0, memcmp(self->rig.ram + BUFFERS, "56789!\0", 7));
	ASSERT_EQ(6, chain_write(&self->rig.chain, &self->rig.memory, "ABCDEF", 6));
	ASSERT_EQ(0, memcmp(self->rig.ram + BUFFERS, "F6789!\0", 7));
	/* What is readable was left alone. */
	ASSERT_EQ(0, memcmp(self->rig.ram + BUFFERS + 3 * 64, "abcX", 4));
}

TEST_F(queue, buffers_may_go_away_meanwhile)
{
	char data[16];

	self->rig.desc[1] = (struct vring_desc){ PLUGGABLE, 16, W, 0 };
	test_accepted({ PLUGGABLE, 16, N, 1 });
	self->rig.memory.nb_ranges--;
	ASSERT_EQ(-EPROTO, chain_read(&self->rig.chain, &self->rig.memory, data, 16));
	ASSERT_EQ(-EPROTO, chain_write(&self->rig.chain, &self->rig.memory, data, 16));
}

TEST_HARNESS_MAIN
