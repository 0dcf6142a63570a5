// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-vmm's split virtqueue and a driver that makes any rings, and one that
 * changes them whenever the device has checked something.
 */
#include "rig.h"

#include <kselftest_harness.h>

FIXTURE(driver) {
	struct rig rig;
};

FIXTURE_SETUP(driver)
{
	ASSERT_TRUE(rig_create(&self->rig));
}

FIXTURE_TEARDOWN(driver)
{
	rig_destroy(&self->rig);
}

static uint64_t xorshift(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static struct vring_desc random_desc(uint64_t *state)
{
	static const uint64_t starts[] = {
		RAM, BUFFERS, BUFFERS, BUFFERS, RAM + RAM_SIZE, HIGH, HIGH + HIGH_SIZE, PLUGGABLE,
		PLUGGABLE + PLUGGED_SIZE, PLUGGABLE + PLUGGABLE_SIZE, 0, 1ULL << 63, GIB,
	};
	static const uint32_t sizes[] = { 0, 1, 10, 16, 24, 4096, 16384, 1U << 31, ~0U };

	return (struct vring_desc){
		.addr = starts[xorshift(state) % ARRAY_SIZE(starts)] + xorshift(state) % 65 - 32,
		.len = sizes[xorshift(state) % ARRAY_SIZE(sizes)],
		.flags = xorshift(state) % 16 ? xorshift(state) % 4 : xorshift(state),
		.next = xorshift(state) % 16 ? xorshift(state) % SIZE : xorshift(state),
	};
}

/* Nothing that a device is given is elsewhere than in memory that there is. */
static bool is_sound(struct rig *rig)
{
	const struct virtqueue_chain *chain = &rig->chain;
	unsigned int i, nb = chain->nb_readable + chain->nb_writable;

	for (i = 0; i < nb; i++) {
		if (!chain->buffers[i].size ||
		    !memory_at(&rig->memory, chain->buffers[i].gpa, chain->buffers[i].size))
			return false;
	}
	return nb && nb <= SIZE && chain->head < SIZE;
}

TEST_F(driver, random_chains_are_sound_or_refused)
{
	uint64_t state = 0x9e3779b97f4a7c15;
	unsigned int i, j, nb_sound = 0;
	char data[64];
	int ret;

	for (i = 0; i < 200000; i++) {
		for (j = 0; j < SIZE; j++)
			self->rig.desc[j] = random_desc(&state);
		set_up(&self->rig);
		self->rig.avail->idx = 0;
		offer(&self->rig, xorshift(&state) % (SIZE + 1));
		ret = pop(&self->rig);
		ASSERT_TRUE(ret == 1 || ret == -EPROTO);
		if (ret != 1)
			continue;
		nb_sound++;
		ASSERT_TRUE(is_sound(&self->rig));
		ASSERT_LE(0, chain_read(&self->rig.chain, &self->rig.memory, data, sizeof(data)));
		/* Into the rings, too: the driver's own doing. */
		ASSERT_LE(0, chain_write(&self->rig.chain, &self->rig.memory, data, sizeof(data)));
		ASSERT_LE(0, push(&self->rig, 0));
	}
	/* Else the generator is not worth its name. */
	ASSERT_LT(1000, nb_sound);
	ASSERT_GT(100000, nb_sound);
}

/* A driver that changes all that it can, whenever the device has checked something. */
static bool change_everything(void *owner, uint64_t gpa, uint64_t size)
{
	struct rig *rig = owner;
	int i;

	for (i = 0; i < 2; i++)
		rig->desc[i] = (struct vring_desc){ HIGH + HIGH_SIZE, ~0U, N | W, 0xffff };
	for (i = 0; i < SIZE; i++)
		rig->avail->ring[i] = 0xffff;
	return gpa + size <= PLUGGABLE + PLUGGED_SIZE;
}

static void change_when_checked(struct rig *rig)
{
	rig->memory.ranges[2].accessible = change_everything;
	rig->memory.ranges[2].owner = rig;
}

TEST_F(driver, what_was_checked_of_a_descriptor_is_used)
{
	change_when_checked(&self->rig);
	test_accepted({ PLUGGABLE + 64, 16, 0, 0 });
	ASSERT_EQ(1, self->rig.chain.nb_readable);
	ASSERT_EQ(0, self->rig.chain.nb_writable);
	ASSERT_EQ(PLUGGABLE + 64, self->rig.chain.buffers[0].gpa);
	ASSERT_EQ(16, self->rig.chain.buffers[0].size);
}

TEST_F(driver, what_was_checked_of_a_link_is_followed)
{
	self->rig.desc[2] = (struct vring_desc){ BUFFERS, 16, W, 0 };
	change_when_checked(&self->rig);
	test_accepted({ PLUGGABLE + 64, 16, N, 2 });
	ASSERT_EQ(1, self->rig.chain.nb_readable);
	ASSERT_EQ(1, self->rig.chain.nb_writable);
	ASSERT_EQ(BUFFERS, self->rig.chain.buffers[1].gpa);
}

TEST_F(driver, what_was_checked_of_a_head_is_given_back)
{
	struct vring_desc *table = (struct vring_desc *)self->rig.pluggable;

	self->rig.queue.desc = PLUGGABLE;
	change_when_checked(&self->rig);
	table[3] = (struct vring_desc){ BUFFERS, 16, 0, 0 };
	offer(&self->rig, 3);
	ASSERT_EQ(1, pop(&self->rig));
	ASSERT_EQ(3, self->rig.chain.head);
	ASSERT_EQ(1, push(&self->rig, 16));
	ASSERT_EQ(3, self->rig.used->ring[0].id);
}

TEST_HARNESS_MAIN
