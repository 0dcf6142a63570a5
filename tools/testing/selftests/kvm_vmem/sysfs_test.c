// SPDX-License-Identifier: GPL-2.0
/* What the operator sees and may do: sysfs, debugfs. */
#include "harness.h"

#include <fcntl.h>
#include <sys/stat.h>

#define BLOCK (2 * MiB)

FIXTURE(sysfs) {
	struct rig rig;
	int dev;
	uint32_t id;
	uint64_t addr;
	char buf[256];
};

FIXTURE_SETUP(sysfs)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.requested_size = GiB,
		.region_size = 5 * GiB,
	};

	test_ok(rig_create(&self->rig, &options));
	self->dev = self->rig.dev;
	self->id = self->rig.setup.out_id;
	self->addr = self->rig.addr;
}

FIXTURE_TEARDOWN(sysfs)
{
	rig_destroy(&self->rig);
}

#define test_file(name, expected) do { \
	ASSERT_LE(0, sysfs_read(self->id, name, self->buf, \
				sizeof(self->buf))); \
	ASSERT_STREQ(expected, self->buf) \
		TH_LOG("%s", name); \
} while (0)

#define test_number(name, expected) do { \
	uint64_t value_ = ~0ULL; \
\
	ASSERT_EQ(0, sysfs_read_u64(self->id, name, &value_)); \
	ASSERT_EQ(expected, value_) \
		TH_LOG("%s", name); \
} while (0)

TEST_F(sysfs, says_what_setup_said)
{
	test_file("label", "test");
	test_file("addr", "0x100000000");
	test_file("region_size", "5368709120");
	test_file("block_size", "2097152");
	test_file("memslot_size", "1073741824");
	test_file("memslots_total", "5");
	test_file("node_id", "0");
}

TEST_F(sysfs, says_the_pid_of_the_vmm)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	test_file("pid", pid);
}

TEST_F(sysfs, says_pid_0_before_attach)
{
	const struct rig_options options = {};
	struct rig other;

	test_ok(rig_prepare(&other, &options));
	ASSERT_LE(0, sysfs_read(other.setup.out_id, "pid", self->buf,
				sizeof(self->buf)));
	ASSERT_STREQ("0", self->buf);
	rig_destroy(&other);
}

TEST_F(sysfs, follows_requests)
{
	test_file("size", "0");
	test_file("requested_size", "1073741824");
	test_number("usable_region_size", GiB + 256 * MiB);
	test_file("memslots_active", "0");
	test_file("memslots_idle", "0");

	test_ack(vmem_plug(self->dev, self->addr + BLOCK, 511));
	test_ack(vmem_plug(self->dev, self->addr + GiB, 1));
	test_nack(vmem_plug(self->dev, self->addr, 1));
	test_number("size", GiB);
	test_file("memslots_active", "2");

	test_ok(vmem_set_requested_size(self->dev, 2 * GiB));
	test_number("requested_size", 2 * GiB);
	test_number("usable_region_size", 2 * GiB + 256 * MiB);
	test_ack(vmem_unplug_all(self->dev));
	test_file("size", "0");
	test_file("memslots_active", "0");
}

TEST_F(sysfs, counts_responses_and_calls_of_kvm)
{
	uint64_t before;

	test_ok(sysfs_read_u64(self->id, "counters/kvm_calls", &before));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_ack(vmem_unplug(self->dev, self->addr, 1));
	test_nack(vmem_plug(self->dev, self->addr, 513));
	test_error(vmem_unplug(self->dev, self->addr, 1));
	test_error(vmem_plug(self->dev, self->addr, 0));
	test_error(vmem_plug(self->dev, 0, 1));
	test_number("counters/acks", 2);
	test_number("counters/nacks", 1);
	test_number("counters/busies", 0);
	test_number("counters/errors", 3);
	test_number("counters/kvm_calls", before + 2);
}

TEST_F(sysfs, shows_the_larger_memslots_of_attach)
{
	const struct rig_options options = {
		.addr = 16 * GiB, .region_size = 4 * GiB,
	};
	struct kvm_vmem_attach attach;
	struct kvm_vmem_setup setup;
	struct backing backing;
	uint64_t memslot_size = 0;
	int dev = vmem_open();

	test_ok(backing_create(&backing, BACKING_ANON, 4 * GiB, 0));
	fill_setup(&setup, &backing, &options);
	test_ok(vmem_setup(dev, &setup));
	fill_attach(&attach, &self->rig.vm, &backing);
	ASSERT_EQ(0, write_file(VMEM_MODULE "/parameters/memslot_limit", "7"));
	ASSERT_EQ(0, vmem_attach(dev, &attach));
	ASSERT_EQ(0, write_file(VMEM_MODULE "/parameters/memslot_limit",
				"4096"));
	test_ok(sysfs_read_u64(setup.out_id, "memslot_size", &memslot_size));
	ASSERT_EQ(2 * GiB, memslot_size);
	test_ok(sysfs_read_u64(setup.out_id, "memslots_total", &memslot_size));
	ASSERT_EQ(2, memslot_size);
	ASSERT_EQ(0, close(dev));
}

FIXTURE(write) {
	struct rig rig;
};

FIXTURE_VARIANT(write) {
	const char *text;
	int error;
	uint64_t size;
};

#define WRITING(name, ...) FIXTURE_VARIANT_ADD(write, name) { __VA_ARGS__ }

WRITING(bytes, "2097152", 0, 2 * MiB);
WRITING(bytes_with_newline, "4194304\n", 0, 4 * MiB);
WRITING(zero, "0", 0, 0);
WRITING(kilo, "2048k", 0, 2 * MiB);
WRITING(kilo_upper, "2048K\n", 0, 2 * MiB);
WRITING(mega, "64M", 0, 64 * MiB);
WRITING(mega_lower, "64m", 0, 64 * MiB);
WRITING(giga, "5G", 0, 5 * GiB);
WRITING(giga_lower, "2g\n", 0, 2 * GiB);
WRITING(tera_of_nothing, "0T", 0, 0);
WRITING(tera_beyond_the_region, "1T", EINVAL);
WRITING(more_than_the_region, "5370806272", EINVAL);
WRITING(misaligned, "2097153", EINVAL);
WRITING(half_a_block, "1M", EINVAL);
WRITING(negative, "-2097152", EINVAL);
WRITING(negative_mega, "-2M", EINVAL);
WRITING(positive_sign, "+2M", EINVAL);
WRITING(words, "much", EINVAL);
WRITING(suffix_alone, "G", EINVAL);
WRITING(two_suffixes, "1GG", EINVAL);
WRITING(unknown_suffix, "1P", EINVAL);
WRITING(trailing_garbage, "2M please", EINVAL);
WRITING(two_numbers, "2M 4M", EINVAL);
WRITING(fraction, "1.5G", EINVAL);
WRITING(blank, " ", EINVAL);
WRITING(newline_alone, "\n", EINVAL);
WRITING(overflow_of_64_bits, "18446744073709551616", EINVAL);
WRITING(overflow_to_0_by_the_suffix, "16777216T", EINVAL);
WRITING(overflow_to_a_block_by_the_suffix, "18014398509484032k", EINVAL);
WRITING(long_number, "0000000000000000000000000000000000000000002097152",
	EINVAL);

FIXTURE_SETUP(write)
{
	const struct rig_options options = {
		.requested_size = GiB,
		.region_size = 5 * GiB,
	};

	test_ok(rig_prepare(&self->rig, &options));
}

FIXTURE_TEARDOWN(write)
{
	rig_destroy(&self->rig);
}

TEST_F(write, of_the_requested_size)
{
	uint32_t id = self->rig.setup.out_id;
	struct kvm_vmem_get_info info;
	uint64_t shown;

	if (variant->error) {
		test_err_unchanged(variant->error, self->rig.dev,
				   sysfs_write(id, "requested_size",
					       variant->text));
		return;
	}
	test_ok(sysfs_write(id, "requested_size", variant->text));
	test_ok(vmem_get_info(self->rig.dev, &info));
	ASSERT_EQ(variant->size, info.out_requested_size);
	test_ok(sysfs_read_u64(id, "requested_size", &shown));
	ASSERT_EQ(variant->size, shown);
}

/* As nobody: read all, write nothing. */
static bool nobody_reads_and_does_not_write(uint32_t id)
{
	char buf[64];

	if (setgid(65534) || setuid(65534))
		return false;
	return sysfs_read(id, "size", buf, sizeof(buf)) > 0 &&
	       sysfs_read(id, "requested_size", buf, sizeof(buf)) > 0 &&
	       sysfs_write(id, "requested_size", "0") == -EACCES &&
	       vmem_open() == -EACCES;
}

TEST_F(sysfs, can_be_read_by_all_and_written_by_root)
{
	test_child(nobody_reads_and_does_not_write(self->id));
	test_file("requested_size", "1073741824");
}

TEST_F(sysfs, lets_nobody_write_what_is_a_fact)
{
	static const char * const names[] = {
		"label", "pid", "addr", "region_size", "block_size", "size",
		"usable_region_size", "memslot_size", "memslots_total",
		"memslots_active", "memslots_idle", "plugged_blocks",
		"violations", "counters/acks",
	};
	struct stat st;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		sysfs_path(self->buf, sizeof(self->buf), self->id, names[i]);
		ASSERT_EQ(0, stat(self->buf, &st));
		ASSERT_EQ(0444, st.st_mode & 0777)
			TH_LOG("%s", names[i]);
	}
}

TEST_F(sysfs, an_open_file_of_a_device_that_is_gone_is_an_error)
{
	char path[128];
	int fd;

	sysfs_path(path, sizeof(path), self->id, "requested_size");
	fd = open(path, O_RDWR);
	ASSERT_LE(0, fd);
	rig_destroy(&self->rig);
	ASSERT_EQ(-1, write(fd, "0", 1));
	ASSERT_EQ(ENODEV, errno);
	ASSERT_EQ(-1, read(fd, path, sizeof(path)));
	ASSERT_EQ(ENODEV, errno);
	ASSERT_EQ(0, close(fd));
}

static int debugfs_read(uint32_t id, const char *name, char *buf, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), VMEM_DEBUGFS "/vmem%u/%s", id, name);
	return read_file(path, buf, size);
}

static unsigned int lines(const char *text)
{
	unsigned int nb = *text != 0;

	for (; *text; text++)
		nb += *text == '\n';
	return nb;
}

TEST_F(sysfs, debugfs_shows_memslots_and_blocks)
{
	char text[4096];

	ASSERT_EQ(0, debugfs_read(self->id, "memslots", text, sizeof(text)));
	ASSERT_EQ(0, debugfs_read(self->id, "blocks", text, sizeof(text)));

	test_ack(vmem_plug(self->dev, self->addr + BLOCK, 2));
	test_ack(vmem_plug(self->dev, self->addr + 7 * BLOCK, 1));
	test_ack(vmem_plug(self->dev, self->addr + GiB, 1));
	ASSERT_LT(0, debugfs_read(self->id, "memslots", text, sizeof(text)));
	ASSERT_EQ(2, lines(text));
	ASSERT_NE(NULL, strstr(text, "0x000100000000-0x00013fffffff"));
	ASSERT_NE(NULL, strstr(text, "0x000140000000-0x00017fffffff"));
	ASSERT_NE(NULL, strstr(text, "active"));

	ASSERT_LT(0, debugfs_read(self->id, "blocks", text, sizeof(text)));
	ASSERT_EQ(3, lines(text));
	ASSERT_NE(NULL, strstr(text, "0x000100200000-0x0001005fffff"));
	ASSERT_NE(NULL, strstr(text, "0x000100e00000-0x000100ffffff"));
	ASSERT_NE(NULL, strstr(text, "0x000140000000-0x0001401fffff"));
}

TEST_F(sysfs, debugfs_forgets_a_device_that_is_gone)
{
	char text[64];

	rig_destroy(&self->rig);
	test_err(ENOENT, debugfs_read(self->id, "memslots", text,
				      sizeof(text)));
}

TEST_HARNESS_MAIN
