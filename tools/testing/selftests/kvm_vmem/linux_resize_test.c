// SPDX-License-Identifier: GPL-2.0
/* A stock Linux guest grows and shrinks, as its operator asks for by vmemctl. */
#include "harness.h"

#include "linux_vmm.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 180

#define eq(expected, seen) linux_eq(&self->guest, expected, seen)
#define le(least, seen) linux_le(&self->guest, least, seen)

#define resize(label, size) do { \
	ASSERT_EQ(0, linux_tool(self->output, sizeof(self->output), LINUX_RESIZE_TIME, \
				"vmemctl", "resize", label, size, "--wait", NULL)) { \
		TH_LOG("vmemctl: %s", self->output); \
		linux_explain(&self->guest); \
	} \
} while (0)

#define in_guest(command) \
	eq(0, linux_run(&self->guest, command, NULL, 0, LINUX_RESIZE_TIME))

#define test_file(id, name, value) \
	eq(0, linux_wait_file(id, name, value, LINUX_COMMAND_TIME))

static uint64_t number(int id, const char *name)
{
	uint64_t value = ~0ULL;

	return sysfs_read_u64(id, name, &value) ? ~0ULL : value;
}

FIXTURE(stock) {
	struct linux_guest guest;
	char output[4096];
	int id;
};

FIXTURE_SETUP(stock)
{
}

FIXTURE_TEARDOWN(stock)
{
	linux_stop(&self->guest);
}

TEST_F(stock, gets_memory_that_works_and_gives_it_back)
{
	int64_t before;

	eq(0, linux_vmm_boot(&self->guest, LINUX_APPEND, "--vmem", "1T,label=web1", NULL));
	self->id = linux_device("web1");
	le(0, self->id);
	before = linux_memtotal(&self->guest);
	le(64 * (int64_t)MiB, before);

	resize("web1", "2G");
	eq(before + 2 * (int64_t)GiB, linux_memtotal(&self->guest));
	eq(2 * GiB, number(self->id, "size"));
	in_guest("memory fill /memory/a 1792M 1");
	in_guest("memory verify /memory/a 1792M 1");
	le(1792 * MiB, number(self->id, "resident"));
	eq(2, number(self->id, "memslots_active"));

	in_guest("rm /memory/a");
	resize("web1", "0");
	eq(before, linux_memtotal(&self->guest));
	test_file(self->id, "size", 0);
	test_file(self->id, "resident", 0);
	test_file(self->id, "memslots_idle", 0);
	eq(0, number(self->id, "memslots_active"));

	resize("web1", "512M");
	in_guest("memory fill /memory/a 400M 2");
	in_guest("memory verify /memory/a 400M 2");
	eq(0, number(self->id, "violations"));

	eq(0, linux_end(&self->guest, SIGTERM, LINUX_END_TIME));
	ASSERT_EQ(-ENOENT, linux_device("web1"));
}

TEST_HARNESS_MAIN
