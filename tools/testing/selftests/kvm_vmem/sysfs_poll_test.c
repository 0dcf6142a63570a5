// SPDX-License-Identifier: GPL-2.0
/*
 * Files in sysfs that can be polled: who waits is told of every change, and not
 * of what it did not ask for, nor of each of thousands.
 */
#include "harness.h"

#include <fcntl.h>
#include <poll.h>

#include "access.h"

#define BLOCK (2 * MiB)

FIXTURE(poll) {
	struct rig rig;
	int dev;
	uint32_t id;
	uint64_t addr;
	char *memory;
};

FIXTURE_SETUP(poll)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.requested_size = GiB,
	};

	test_ok(rig_create(&self->rig, &options));
	self->dev = self->rig.dev;
	self->id = self->rig.setup.out_id;
	self->addr = self->rig.addr;
	self->memory = self->rig.backing.addr;
	test_ok(sysfs_write(self->id, "retire_delay_ms", "600000"));
}

FIXTURE_TEARDOWN(poll)
{
	rig_destroy(&self->rig);
}

/* Opens, and reads once, as one must before poll(). */
static int open_to_poll(uint32_t id, const char *name)
{
	char buf[128];
	int fd;

	sysfs_path(buf, sizeof(buf), id, name);
	fd = open(buf, O_RDONLY);
	if (fd >= 0 && read(fd, buf, sizeof(buf)) <= 0)
		return -1;
	return fd;
}

/* Changes are told a moment after they happened, and together. */
static bool notified_within(int fd, int ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLPRI };
	char buf[64];

	if (poll(&pollfd, 1, ms) != 1 || !(pollfd.revents & POLLPRI))
		return false;
	return !lseek(fd, 0, SEEK_SET) && read(fd, buf, sizeof(buf)) > 0;
}

/* Longer than changes gather. */
#define QUIET_MS 250

/* What happens once may be told in two parts. */
static bool is_told(int fd)
{
	bool told = notified_within(fd, 30000);

	while (notified_within(fd, QUIET_MS))
		;
	return told;
}

#define test_told(fd) ASSERT_TRUE(is_told(fd))
#define test_not_told(fd) ASSERT_FALSE(notified_within(fd, QUIET_MS))

TEST_F(poll, of_size)
{
	int fd = open_to_poll(self->id, "size");

	ASSERT_LE(0, fd);
	test_not_told(fd);
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_told(fd);
	test_ok(vmem_set_requested_size(self->dev, 2 * GiB));
	test_not_told(fd);
	test_ack(vmem_unplug(self->dev, self->addr, 1));
	test_told(fd);
	ASSERT_EQ(0, close(fd));
}

TEST_F(poll, of_requested_size)
{
	int fd = open_to_poll(self->id, "requested_size");

	ASSERT_LE(0, fd);
	test_not_told(fd);
	test_ok(vmem_set_requested_size(self->dev, 2 * GiB));
	test_told(fd);
	test_ok(sysfs_write(self->id, "requested_size", "1G"));
	test_told(fd);
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_not_told(fd);
	ASSERT_EQ(0, close(fd));
}

TEST_F(poll, of_memslots)
{
	int active = open_to_poll(self->id, "memslots_active");
	int idle = open_to_poll(self->id, "memslots_idle");

	ASSERT_LE(0, active);
	ASSERT_LE(0, idle);
	test_not_told(active);
	/* Mapped. */
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_told(active);
	test_told(idle);
	/* Already there. */
	test_ack(vmem_plug(self->dev, self->addr + BLOCK, 1));
	test_not_told(active);
	test_not_told(idle);
	/* Idle, which KVM is not told of. */
	test_ack(vmem_unplug(self->dev, self->addr, 2));
	test_told(idle);
	test_told(active);
	ASSERT_EQ(1, device_value(self->id, "memslots_idle"));
	/* Active again, by the same memslot. */
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_told(active);
	test_told(idle);
	/* Retired. */
	test_ack(vmem_unplug(self->dev, self->addr, 1));
	test_told(idle);
	test_ok(sysfs_write(self->id, "retire", "1"));
	test_told(idle);
	ASSERT_EQ(0, device_value(self->id, "memslots_idle"));
	ASSERT_EQ(0, close(active));
	ASSERT_EQ(0, close(idle));
}

TEST_F(poll, of_violations)
{
	int fd = open_to_poll(self->id, "violations");

	ASSERT_LE(0, fd);
	test_not_told(fd);
	test_ack(vmem_plug(self->dev, self->addr, 1));
	ASSERT_EQ(0, try_touch(self->memory));
	test_not_told(fd);
	ASSERT_EQ(-SIGBUS, try_touch(self->memory + BLOCK));
	test_told(fd);
	ASSERT_LT(0, device_value(self->id, "violations"));
	test_not_told(fd);
	ASSERT_EQ(0, close(fd));
}

struct flood {
	pthread_t thread;
	char *memory;
	bool stop;
};

static void *flood_with_violations(void *arg)
{
	struct flood *flood = arg;

	while (!__atomic_load_n(&flood->stop, __ATOMIC_RELAXED))
		try_touch(flood->memory);
	return NULL;
}

TEST_F(poll, is_not_woken_for_each_of_many_violations)
{
	struct flood flood = { .memory = self->memory };
	uint64_t begin = now_ms(), took, nr_told = 0;
	int fd = open_to_poll(self->id, "violations");

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pthread_create(&flood.thread, NULL, flood_with_violations,
				    &flood));
	/* Many more violations than the kernel may tell of in the time. */
	do {
		nr_told += notified_within(fd, 100);
		took = now_ms() - begin;
	} while (took < 1000 ||
		 device_value(self->id, "violations") < took / 5);
	__atomic_store_n(&flood.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(flood.thread, NULL));
	nr_told += notified_within(fd, 1000);
	ASSERT_LT(0, nr_told);
	/* Every 50 ms, less what the clock is coarse by. */
	ASSERT_LE(nr_told, took / 40 + 3)
		TH_LOG("%lu of %lu in %lu ms", (unsigned long)nr_told,
		       (unsigned long)device_value(self->id, "violations"),
		       (unsigned long)took);
	ASSERT_EQ(0, close(fd));
}

TEST_F(poll, ends_with_the_device)
{
	int fd = open_to_poll(self->id, "violations");
	struct pollfd pollfd = { .fd = fd, .events = POLLPRI };

	ASSERT_LE(0, fd);
	test_ack(vmem_plug(self->dev, self->addr, 1));
	ASSERT_EQ(0, close(self->dev));
	self->rig.dev = -1;
	ASSERT_EQ(1, poll(&pollfd, 1, 30000));
	ASSERT_EQ(POLLERR | POLLPRI, pollfd.revents);
	/* It is still mapped: there are violations, and nobody to be told. */
	ASSERT_EQ(-SIGBUS, try_touch(self->memory));
	ASSERT_EQ(-SIGBUS, try_touch(self->memory + BLOCK));
	/* Longer than changes gather. */
	usleep(200000);
	ASSERT_EQ(0, close(fd));
}

TEST_HARNESS_MAIN
