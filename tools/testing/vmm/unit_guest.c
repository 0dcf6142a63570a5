// SPDX-License-Identifier: GPL-2.0
/*
 * How long the miniature guest waits for a device: its clock goes on while the VMM has it
 * stopped, and the device does not. Registers, the used ring and the clock are this test's.
 */
#include "../guest/mini/virtio.h"

/* kselftest.h has its own. */
#undef __printf
#include <kselftest_harness.h>

#define MS		1000000ULL
#define HOUR		(3600000 * MS)
/* As long as reading the clock takes. */
#define STEP		1000

static uint32_t registers[0x200 / 4] __aligned(8);
static struct vring_used used;
static uint64_t now, stopped_at, answers_at, resets_at;

/* What happens, does so while the guest looks at the clock. */
uint64_t ticks(void)
{
	now += STEP;
	if (stopped_at && now >= stopped_at) {
		now += HOUR;
		stopped_at = 0;
	}
	if (answers_at && now >= answers_at)
		used.idx = 1;
	if (resets_at && now >= resets_at)
		registers[VIRTIO_MMIO_STATUS / 4] |= VIRTIO_CONFIG_S_NEEDS_RESET;
	return now;
}

uint64_t ticks_to_ns(uint64_t ticks)
{
	return ticks;
}

uint64_t boot_number(const char *name, uint64_t otherwise)
{
	return otherwise;
}

FIXTURE(device) {
	struct virtio_device dev;
};

FIXTURE_SETUP(device)
{
	self->dev = (struct virtio_device){ .base = (uint64_t)registers, .used = &used };
}

FIXTURE_TEARDOWN(device)
{
}

TEST_F(device, answers)
{
	answers_at = 5 * MS;
	ASSERT_TRUE(virtio_await(&self->dev, 1));
	ASSERT_GE(6 * MS, now);
}

TEST_F(device, answers_when_the_guest_was_stopped_for_long)
{
	stopped_at = 5 * MS;
	answers_at = HOUR + 50 * MS;
	ASSERT_TRUE(virtio_await(&self->dev, 1));
	ASSERT_LE(answers_at, now);
}

TEST_F(device, that_does_not_answer_is_given_up)
{
	ASSERT_FALSE(virtio_await(&self->dev, 1));
	ASSERT_LE(PATIENCE_MS * MS, now);
	ASSERT_GE(PATIENCE_MS * MS * 11 / 10, now);
}

TEST_F(device, that_needs_a_reset_is_not_waited_for)
{
	resets_at = 5 * MS;
	ASSERT_FALSE(virtio_await(&self->dev, 1));
	ASSERT_GE(7 * MS, now);
}

TEST_F(device, needs_a_reset)
{
	resets_at = 5 * MS;
	ASSERT_TRUE(virtio_await_reset(&self->dev));
	ASSERT_GE(7 * MS, now);
}

TEST_F(device, needs_a_reset_when_the_guest_was_stopped_for_long)
{
	stopped_at = 5 * MS;
	resets_at = HOUR + 50 * MS;
	ASSERT_TRUE(virtio_await_reset(&self->dev));
	ASSERT_LE(resets_at, now);
}

TEST_F(device, that_needs_no_reset_is_given_up)
{
	ASSERT_FALSE(virtio_await_reset(&self->dev));
	ASSERT_LE(PATIENCE_MS * MS, now);
	ASSERT_GE(PATIENCE_MS * MS * 11 / 10, now);
}

TEST_HARNESS_MAIN
