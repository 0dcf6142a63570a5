// SPDX-License-Identifier: GPL-2.0
/* The bitmap of plugged blocks in sysfs, read in every way a file can be. */
#include "harness.h"

#include <fcntl.h>
#include <limits.h>

#include "access.h"

#define BLOCK (2 * MiB)
#define PAGE 4096
#define ROUNDS (400 / SLOWNESS)

FIXTURE(blocks) {
	struct rig rig;
	int dev;
	uint32_t id;
	uint64_t addr;
	int fd;
	uint64_t nb_blocks;
	size_t size;
	uint8_t *expected;
	uint8_t *shown;
};

FIXTURE_VARIANT(blocks) {
	struct rig_options options;
};

FIXTURE_VARIANT_ADD(blocks, protected) {
	{ .backing = BACKING_PROTECTED, .region_size = 5 * GiB }
};

FIXTURE_VARIANT_ADD(blocks, user) {
	{ .backing = BACKING_MEMFD, .region_size = 5 * GiB }
};

/* Memslots of one block, and a last byte that is not full. */
FIXTURE_VARIANT_ADD(blocks, tiny_memslots) {
	{
		.backing = BACKING_PROTECTED,
		.region_size = 301 * BLOCK,
		.memslot_size = BLOCK,
	}
};

/* 16 pages of bits. */
FIXTURE_VARIANT_ADD(blocks, of_a_large_region) {
	{ .backing = BACKING_PROTECTED, .region_size = TiB }
};

FIXTURE_VARIANT_ADD(blocks, small_and_one_memslot) {
	{
		.backing = BACKING_PROTECTED,
		.region_size = GiB,
		.block_size = MiB,
		.is_static = true,
	}
};

FIXTURE_SETUP(blocks)
{
	char path[128];

	test_ok(rig_create(&self->rig, &variant->options));
	self->dev = self->rig.dev;
	self->id = self->rig.setup.out_id;
	self->addr = self->rig.addr;
	sysfs_path(path, sizeof(path), self->id, "plugged_blocks");
	self->fd = open(path, O_RDONLY);
	ASSERT_LE(0, self->fd);
	self->nb_blocks = self->rig.setup.region_size / self->rig.block;
	self->size = (self->nb_blocks + 7) / 8;
	self->expected = calloc(1, self->size + PAGE);
	self->shown = calloc(1, self->size + PAGE);
}

FIXTURE_TEARDOWN(blocks)
{
	close(self->fd);
	free(self->expected);
	free(self->shown);
	rig_destroy(&self->rig);
}

#define blocks_data FIXTURE_DATA(blocks)

static int change(blocks_data *self, uint64_t first, uint32_t nb, bool plug)
{
	uint64_t addr = self->addr + first * self->rig.block, i;

	for (i = first; i < first + nb; i++) {
		self->expected[i / 8] &= ~(1 << i % 8);
		self->expected[i / 8] |= plug << i % 8;
	}
	return plug ? vmem_plug(self->dev, addr, nb) :
		      vmem_unplug(self->dev, addr, nb);
}

/* Some here and there, in many memslots, and the very last. */
static int plug_some(blocks_data *self)
{
	uint64_t i;
	int ret = 0;

	for (i = 0; i + 20 < self->nb_blocks && !ret; i += 2 + i / 2)
		ret = change(self, i, 1 + i % 2, true);
	return ret ? ret : change(self, self->nb_blocks - 1, 1, true);
}

static bool reads_as_expected(blocks_data *self, size_t pos, size_t count)
{
	size_t left = pos < self->size ? self->size - pos : 0;
	size_t max = count < PAGE ? count : PAGE;
	ssize_t len = pread(self->fd, self->shown, count, pos);

	return len == (ssize_t)(left < max ? left : max) &&
	       !memcmp(self->shown, self->expected + pos, len);
}

static bool whole_is_as_expected(blocks_data *self)
{
	size_t pos;

	for (pos = 0; pos < self->size; pos += PAGE)
		if (!reads_as_expected(self, pos, self->size + PAGE))
			return false;
	return reads_as_expected(self, pos, PAGE);
}

TEST_F(blocks, are_as_the_guest_plugged_them)
{
	ASSERT_TRUE(whole_is_as_expected(self));
	test_ack(plug_some(self));
	ASSERT_TRUE(whole_is_as_expected(self));
	test_ack(change(self, 0, 1, false));
	test_ack(change(self, self->nb_blocks - 1, 1, false));
	test_ack(change(self, self->nb_blocks - 17, 17, true));
	ASSERT_TRUE(whole_is_as_expected(self));
	test_ack(vmem_unplug_all(self->dev));
	memset(self->expected, 0, self->size);
	ASSERT_TRUE(whole_is_as_expected(self));
}

TEST_F(blocks, can_be_read_in_any_pieces)
{
	static const size_t counts[] = { 1, 2, 3, 7, 8, 9, 64, 4095, 4096 };
	unsigned int i;
	size_t pos;

	test_ack(plug_some(self));
	for (i = 0; i < ARRAY_SIZE(counts); i++)
		for (pos = 0; pos < self->size; pos += 1 + pos / 4)
			ASSERT_TRUE(reads_as_expected(self, pos, counts[i]))
				TH_LOG("%zu at %zu", counts[i], pos);
	for (i = 1; i < 20; i++)
		ASSERT_TRUE(reads_as_expected(self, self->size - i, i + 1));
}

TEST_F(blocks, can_be_read_to_the_end_and_sought)
{
	size_t len = 0;
	ssize_t ret;

	test_ack(plug_some(self));
	while ((ret = read(self->fd, self->shown + len, 100)) > 0)
		len += ret;
	ASSERT_EQ(0, ret);
	ASSERT_EQ(self->size, len);
	ASSERT_EQ(0, memcmp(self->shown, self->expected, len));
	ASSERT_EQ(self->size - 2, lseek(self->fd, self->size - 2, SEEK_SET));
	ASSERT_EQ(2, read(self->fd, self->shown, PAGE));
	ASSERT_EQ(0, memcmp(self->shown, self->expected + self->size - 2, 2));
	ASSERT_EQ(0, read(self->fd, self->shown, PAGE));
}

TEST_F(blocks, end_where_they_end)
{
	static const off_t positions[] = {
		1LL << 31, 1LL << 32, 1LL << 40, 1LL << 60, 1LL << 61,
		1LL << 62, LLONG_MAX - PAGE,
	};
	unsigned int i;

	test_ack(plug_some(self));
	ASSERT_EQ(0, pread(self->fd, self->shown, PAGE, self->size));
	for (i = 0; i < ARRAY_SIZE(positions); i++)
		ASSERT_EQ(0, pread(self->fd, self->shown, PAGE, positions[i]));
}

TEST_F(blocks, are_none_before_attach)
{
	struct rig_options options = variant->options;
	struct rig other;
	char path[128];
	int fd;

	options.region_size = 100 * BLOCK;
	test_ok(rig_prepare(&other, &options));
	sysfs_path(path, sizeof(path), other.setup.out_id, "plugged_blocks");
	fd = open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	memset(self->shown, 1, 64);
	ASSERT_EQ((100 * BLOCK / other.block + 7) / 8,
		  pread(fd, self->shown, PAGE, 0));
	ASSERT_EQ(0, memcmp(self->shown, self->expected, 13));
	ASSERT_EQ(0, close(fd));
	rig_destroy(&other);
}

TEST_F(blocks, are_gone_with_the_device)
{
	test_ack(plug_some(self));
	ASSERT_EQ(0, close(self->dev));
	self->rig.dev = -1;
	ASSERT_EQ(-1, pread(self->fd, self->shown, PAGE, 0));
	ASSERT_EQ(ENODEV, errno);
}

static bool nobody_reads(uint32_t id)
{
	char path[128], buf[16];
	int fd;

	if (setgid(65534) || setuid(65534))
		return false;
	sysfs_path(path, sizeof(path), id, "plugged_blocks");
	fd = open(path, O_RDONLY);
	return fd >= 0 && read(fd, buf, sizeof(buf)) == sizeof(buf) &&
	       open(path, O_RDWR) < 0 && errno == EACCES;
}

TEST_F(blocks, can_be_read_by_all)
{
	test_child(nobody_reads(self->id));
}

struct flipper {
	pthread_t thread;
	blocks_data *self;
	bool stop;
	int wrong;
};

/* One request for blocks of two bytes, and of two memslots if these are small. */
static void *flip(void *arg)
{
	struct flipper *flipper = arg;
	blocks_data *self = flipper->self;
	uint64_t addr = self->addr + 4 * self->rig.block;

	while (!__atomic_load_n(&flipper->stop, __ATOMIC_RELAXED)) {
		flipper->wrong |= vmem_plug(self->dev, addr, 8);
		flipper->wrong |= vmem_unplug(self->dev, addr, 8);
	}
	return NULL;
}

TEST_F(blocks, of_one_page_are_of_one_moment)
{
	struct flipper flipper = { .self = self };
	unsigned int i, nr_plugged = 0;
	uint8_t bits[2];

	ASSERT_EQ(0, pthread_create(&flipper.thread, NULL, flip, &flipper));
	/* Both states have to be seen, or nothing was. */
	for (i = 0; i < ROUNDS || !nr_plugged || nr_plugged == i; i++) {
		usleep(100);
		ASSERT_EQ(2, pread(self->fd, bits, 2, 0));
		if (bits[0] || bits[1]) {
			ASSERT_EQ(0xf0, bits[0]);
			ASSERT_EQ(0x0f, bits[1]);
			nr_plugged++;
		}
	}
	__atomic_store_n(&flipper.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(flipper.thread, NULL));
	ASSERT_EQ(VIRTIO_MEM_RESP_ACK, flipper.wrong);
}

TEST_HARNESS_MAIN
