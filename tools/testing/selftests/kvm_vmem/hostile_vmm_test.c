// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-vmm with a guest that does what no driver does: the miniature kernel of
 * tools/testing/guest/mini, whose own tests say what they expect of the device.
 * Here it is that all were run and none failed, and what became of the VMM.
 */
#include "harness.h"
#include "linux.h"

#define MINI "/lab/guest/mini"
#define APPEND_SIZE 128

/* For the slowest of the groups of tests, emulated and on a busy machine. */
#define HOSTILE_TIME (100 * SLOWNESS)
#define TOUCH_TIME (20 * SLOWNESS)

/* What vmem-vmm ends with. */
#define ENDED 0
#define VIOLATION 3

struct mode {
	const char *name, *vmem, *append;
	bool is_protected;
};

/* Several memslots, so that buffers can be in two of them. */
static const struct mode group = {
	.name = "group",
	.vmem = "4G,requested=1G,block=2M,memslot=128M",
	.append = "",
	.is_protected = true,
};

static const struct mode dynamic_user = {
	.name = "dynamic-user",
	.vmem = "4G,requested=1G,block=2M",
	.append = "",
};

/* There unplugged memory may be accessed, and the driver need not promise. */
static const struct mode single = {
	.name = "static",
	.vmem = "4G,requested=1G,block=2M",
	.append = " accessible",
};

static int start(struct linux_guest *guest, const struct mode *mode, const char *append)
{
	char words[APPEND_SIZE];
	const char *const argv[] = {
		"vmem-vmm", "--kernel", MINI, "--memory", "256M", "--vmem", mode->vmem,
		"--vmem-mode", mode->name, "--append", words, NULL,
	};

	snprintf(words, sizeof(words), "%s%s", append, mode->append);
	return linux_start(guest, argv);
}

/* Returns what vmem-vmm ended with. */
static int run(struct linux_guest *guest, const struct mode *mode, const char *append,
	       int seconds)
{
	int ret = start(guest, mode, append);

	return ret ?: linux_wait_exit(guest, seconds);
}

static const char *said(const struct linux_guest *guest)
{
	return guest->console.text ?: "";
}

static const char *complaints(const struct linux_guest *guest)
{
	return guest->messages.text ?: "";
}

/* Of the last line but one; 0 if it is not there. */
static unsigned int nr_passed(const struct linux_guest *guest)
{
	const char *line = strstr(said(guest), "mini: hostile: ");
	unsigned int ok, failed;

	if (!line || sscanf(line, "mini: hostile: %u ok, %u failed", &ok, &failed) != 2)
		return 0;
	return failed ? 0 : ok;
}

FIXTURE(hostile) {
	struct linux_guest guest;
};

FIXTURE_VARIANT(hostile) {
	const struct mode *mode;
};

FIXTURE_VARIANT_ADD(hostile, group) {
	.mode = &group,
};

FIXTURE_VARIANT_ADD(hostile, dynamic_user) {
	.mode = &dynamic_user,
};

FIXTURE_VARIANT_ADD(hostile, static) {
	.mode = &single,
};

FIXTURE_SETUP(hostile)
{
}

FIXTURE_TEARDOWN(hostile)
{
	linux_stop(&self->guest);
}

#define test_hostile(group, at_least) do { \
	struct linux_guest *guest_ = &self->guest; \
\
	ASSERT_EQ(ENDED, run(guest_, variant->mode, "hostile=" group, HOSTILE_TIME)) \
		linux_explain(guest_); \
	ASSERT_EQ(NULL, strstr(said(guest_), "FAILED")) \
		TH_LOG("%s", said(guest_)); \
	ASSERT_LE(at_least, nr_passed(guest_)) \
		linux_explain(guest_); \
	ASSERT_NE(NULL, strstr(said(guest_), "mini: end")); \
	ASSERT_STREQ("", complaints(guest_)); \
} while (0)

TEST_F(hostile, registers)
{
	test_hostile("registers", 15);
}

TEST_F(hostile, features)
{
	test_hostile("features", 8);
}

TEST_F(hostile, setup_of_a_queue)
{
	test_hostile("setup", 52);
}

TEST_F(hostile, ring)
{
	test_hostile("ring", 13);
}

TEST_F(hostile, chains)
{
	test_hostile("chains", 78);
}

TEST_F(hostile, requests)
{
	test_hostile("requests", 34);
}

TEST_F(hostile, memory_unplugged_under_the_device)
{
	test_hostile("memory", 10);
}

TEST_F(hostile, random_rings)
{
	test_hostile("fuzz", 1);
}

TEST_F(hostile, guest_that_reboots_finds_nothing_plugged)
{
	const char *line;
	int i, boots = 0;

	test_ok(start(&self->guest, variant->mode, "reboot"));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, linux_wait_ready(&self->guest, TOUCH_TIME))
			linux_explain(&self->guest);
	ASSERT_EQ(ENDED, linux_end(&self->guest, SIGTERM, TOUCH_TIME));
	ASSERT_STREQ("", complaints(&self->guest));
	for (line = said(&self->guest); (line = strstr(line, "mini: reboot: ")); line++) {
		ASSERT_EQ(line, strstr(line, "mini: reboot: plugged=0 plug=0\n"));
		boots++;
	}
	ASSERT_LE(5, boots);
}

#define TOUCH "mini: touch: "

/*
 * What a guest gets that accesses an unplugged block: its VM is ended, and the
 * operator told where.
 */
#define test_touch(mode, how, is_violation) do { \
	struct linux_guest *guest_ = &self->guest; \
	char expected_[128]; \
	const char *line_; \
	int ret_ = run(guest_, mode, "touch=" how, TOUCH_TIME); \
\
	line_ = strstr(said(guest_), TOUCH how " 0x"); \
	ASSERT_NE(NULL, line_) \
		linux_explain(guest_); \
	line_ += strlen(TOUCH how " "); \
	ASSERT_EQ((is_violation) ? VIOLATION : ENDED, ret_) \
		linux_explain(guest_); \
	ASSERT_EQ(is_violation, !strstr(said(guest_), "goes on")); \
	snprintf(expected_, sizeof(expected_), \
		 "vmem-vmm: violation: guest accessed unplugged memory at %.*s\n", \
		 (int)strcspn(line_, "\n"), line_); \
	ASSERT_STREQ((is_violation) ? expected_ : "", complaints(guest_)); \
} while (0)

/* Next to a plugged block, in the same memslot. */
TEST_F(hostile, read_of_unplugged_memory)
{
	test_touch(variant->mode, "read", variant->mode->is_protected);
}

TEST_F(hostile, write_to_unplugged_memory)
{
	test_touch(variant->mode, "write", variant->mode->is_protected);
}

TEST_F(hostile, emulated_read_of_unplugged_memory)
{
	test_touch(variant->mode, "string", variant->mode->is_protected);
}

TEST_F(hostile, access_where_no_memslot_is_needed)
{
	test_touch(variant->mode, "far", variant->mode != &single);
}

/* What would do harm to the guest alone, were it not ended. */
FIXTURE(violation) {
	struct linux_guest guest;
};

FIXTURE_SETUP(violation)
{
}

FIXTURE_TEARDOWN(violation)
{
	linux_stop(&self->guest);
}

TEST_F(violation, of_code_in_unplugged_memory)
{
	test_touch(&group, "execute", true);
}

TEST_F(violation, of_a_stack_in_unplugged_memory)
{
	test_touch(&group, "stack", true);
}

TEST_F(violation, of_page_tables_in_unplugged_memory)
{
	test_touch(&group, "tables", true);
}

TEST_HARNESS_MAIN
