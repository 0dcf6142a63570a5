// SPDX-License-Identifier: GPL-2.0
/* The model, by the examples and rules of the documentation. */
#define _GNU_SOURCE
#include <errno.h>

#include "target.h"

#include <kselftest_harness.h>

FIXTURE(a_model) {
	struct model model;
	struct answer answer;
};

FIXTURE_SETUP(a_model)
{
	model_init(&self->model, &fake_host);
}

FIXTURE_TEARDOWN(a_model)
{
	model_destroy(&self->model);
	answer_free(&self->answer);
}

/* Returns whether the model takes the line; then its answer is that. */
static bool say(struct model *model, struct answer *answer, const char *line)
{
	struct op op;

	if (op_parse(&op, line) || !model_accepts(model, &op))
		return false;
	model_run(model, &op, answer);
	/* Where mappings are is the host's to say. */
	if (!answer->nr_errors && (op.kind == OP_MAP || op.kind == OP_MEMORY)) {
		answer->values[0].min = (op.slot + 1) * TIB;
		model_learn(model, &op, answer);
	}
	return true;
}

#define test_says(line) do { \
	ASSERT_TRUE(say(&self->model, &self->answer, line)); \
	ASSERT_EQ(0, self->answer.nr_errors) { \
		TH_LOG("%s: %s", line, strerrorname_np(self->answer.errors[0])); \
	} \
} while (0)

#define test_value(expected, name, line) do { \
	test_says(line); \
	ASSERT_EQ(expected, answer_get(&self->answer, name)); \
} while (0)

#define test_error(error, line) do { \
	ASSERT_TRUE(say(&self->model, &self->answer, line)); \
	ASSERT_EQ(1, self->answer.nr_errors); \
	ASSERT_EQ(error, self->answer.errors[0]); \
} while (0)

#define test_response(expected, line) \
	test_value(VIRTIO_MEM_RESP_##expected, "response", line)

#define test_not_accepted(line) ASSERT_FALSE(say(&self->model, &self->answer, line))

/* A device with protected backing in slot 0: 1 GiB at 4 GiB, all of it asked for. */
#define test_device() do { \
	test_says("open 0"); \
	test_says("setup 0 flags=3 addr=0x100000000 region=0x40000000 memslot=0x8000000"); \
	test_says("requested 0 size=0x40000000"); \
	test_says("map 0 size=0x40000000"); \
	test_says("attach 0 id=0xffffffff spaces=1"); \
} while (0)

/* The table of "The size of memslots" in userspace-api/kvm_vmem.rst. */
TEST_F(a_model, chooses_memslots_as_the_table_says)
{
	test_says("open 0");
	test_value(GIB, "memslot", "setup 0 flags=3 region=0x10000000000");
	ASSERT_EQ(1024, answer_get(&self->answer, "nr_memslots"));
	test_says("open 1");
	test_value(2 * GIB, "memslot", "setup 1 flags=3 region=0x80000000000 block=0x200000");
	ASSERT_EQ(4096, answer_get(&self->answer, "nr_memslots"));
	test_says("open 2");
	test_value(GIB, "memslot", "setup 2 flags=3 region=0x2a0000000");
	ASSERT_EQ(11, answer_get(&self->answer, "nr_memslots"));
	test_says("open 3");
	test_value(4 * GIB, "memslot", "setup 3 flags=3 region=0x2a0000000 limit=4");
	ASSERT_EQ(3, answer_get(&self->answer, "nr_memslots"));
}

TEST_F(a_model, shares_the_limit_among_the_devices_of_a_vm)
{
	static const char *const setups[] = {
		"setup 0 flags=11 addr=0x10000000000 region=0x30000000000",
		"setup 1 flags=11 addr=0x40000000000 region=0x20000000000",
		"setup 2 flags=11 addr=0x60000000000 region=0x10000000000",
		"setup 3 flags=11 addr=0x70000000000 region=0x10000000000 memslot=0x40000000",
	};
	char line[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(setups); i++) {
		snprintf(line, sizeof(line), "open %u", i);
		test_says(line);
		snprintf(line, sizeof(line), "memory %u size=0x30000000000", i);
		test_says(line);
		test_says(setups[i]);
	}
	test_value(3072, "nr_memslots", "attach 0 id=0xffffffff spaces=1 from=0");
	ASSERT_EQ(32764 - 3072, answer_get(&self->answer, "first_id"));
	test_value(2 * GIB, "memslot", "attach 1 id=0xffffffff spaces=1 from=1");
	ASSERT_EQ(32764 - 4096, answer_get(&self->answer, "first_id"));
	test_value(1, "nr_memslots", "attach 2 id=0xffffffff spaces=1 from=2");
	test_error(ENOSPC, "attach 3 id=0xffffffff spaces=1 from=3");
	/* Another VM has a limit of its own. */
	test_value(1024, "nr_memslots", "attach 3 vm=1 id=0xffffffff spaces=1 from=3");
}

TEST_F(a_model, divides_anew_at_attach_for_a_limit_that_was_raised)
{
	test_says("open 0");
	test_says("limit 0 limit=2");
	test_says("memory 0 size=0x200000000");
	test_says("setup 0 flags=11 addr=0x10000000000 region=0x200000000");
	ASSERT_EQ(4 * GIB, answer_get(&self->answer, "memslot"));
	test_says("limit 0 limit=0x1000");
	test_value(GIB, "memslot", "attach 0 id=0xffffffff spaces=1 from=0");
}

/* That of "The usable region". */
TEST_F(a_model, has_the_usable_region_of_the_table)
{
	test_says("open 0");
	test_says("memory 0 size=0x10000000000");
	test_says("setup 0 flags=11 addr=0x10000000000 region=0x10000000000 requested=0x40000000");
	test_says("attach 0 id=0xffffffff spaces=1");
	test_value(GIB + 256 * MIB, "usable_region_size", "config 0");
	test_says("requested 0 size=0x100000000");
	test_value(4 * GIB + 256 * MIB, "usable_region_size", "config 0");
	test_says("requested_text 0 text=\"2G\"");
	test_value(4 * GIB + 256 * MIB, "usable_region_size", "config 0");
	test_response(ACK, "unplug_all 0");
	test_value(2 * GIB + 256 * MIB, "usable_region_size", "config 0");
	test_says("requested 0");
	test_says("reset 0");
	test_value(0, "usable_region_size", "config 0");
}

TEST_F(a_model, answers_requests_in_the_order_of_the_header)
{
	test_device();
	test_says("requested 0 size=0x400000");
	test_response(ERROR, "plug 0 addr=0x100100000 nb=1");
	test_response(ERROR, "plug 0 addr=0x100000000");
	test_response(ERROR, "plug 0 addr=0x140000000 nb=1");
	test_response(NACK, "plug 0 addr=0x100000000 nb=3");
	test_response(ACK, "plug 0 addr=0x100000000 nb=1");
	/* More than is asked for comes before what is plugged. */
	test_response(NACK, "plug 0 addr=0x100000000 nb=2");
	test_response(ERROR, "plug 0 addr=0x100000000 nb=1");
	test_says("own 0 id=7 offset=0x8000000");
	test_response(BUSY, "plug 0 addr=0x108000000 nb=1");
	test_response(ERROR, "unplug 0 addr=0x100000000 nb=2");
	test_value(VIRTIO_MEM_STATE_MIXED, "state", "state 0 addr=0x100000000 nb=2");
	test_error(EINVAL, "unplug_all 0 nb=1");
	test_error(EOPNOTSUPP, "plug 0 addr=0x100200000 nb=1 flags=1");
	test_value(2, "acks", "info 0");
	ASSERT_EQ(2, answer_get(&self->answer, "nacks"));
	ASSERT_EQ(1, answer_get(&self->answer, "busies"));
	ASSERT_EQ(5, answer_get(&self->answer, "errors"));
	ASSERT_EQ(2 * MIB, answer_get(&self->answer, "size"));
}

TEST_F(a_model, needs_the_steps_in_their_order)
{
	test_error(EBADF, "info 0");
	test_error(ENOENT, "sysfs 0");
	test_says("open 0");
	test_error(ENODEV, "info 0");
	test_error(ENODEV, "map 0 size=0x1000");
	test_says("setup 0 flags=3 region=0x40000000");
	test_error(EBUSY, "setup 0 flags=3 region=0x40000000");
	test_error(ENODEV, "plug 0 nb=1");
	test_not_accepted("open 0");
	test_says("close 0");
	test_error(EBADF, "info 0");
}

TEST_F(a_model, does_not_say_where_addresses_of_the_host_end)
{
	test_says("open 0");
	test_says("setup 0 flags=10 addr=0x100014d200000 region=0x7000000");
	test_not_accepted("own 0 id=34");
	test_not_accepted("attach 0");
}

TEST_F(a_model, allows_each_errno_of_a_call_with_several_faults)
{
	test_says("open 0");
	ASSERT_TRUE(say(&self->model, &self->answer,
			"setup 0 flags=19 addr=0x4000000000000000 region=0x40000001"));
	ASSERT_EQ(3, self->answer.nr_errors);
	ASSERT_EQ(EOPNOTSUPP, self->answer.errors[0]);
	ASSERT_EQ(EOVERFLOW, self->answer.errors[1]);
	ASSERT_EQ(EINVAL, self->answer.errors[2]);
}

TEST_F(a_model, keeps_idle_memslots_until_they_retire)
{
	uint64_t ms;

	test_device();
	test_response(ACK, "plug 0 addr=0x100000000 nb=128");
	test_value(2, "nb_active", "info 0");
	test_response(ACK, "unplug 0 addr=0x100000000 nb=64");
	test_value(1, "nb_idle", "info 0");
	ASSERT_TRUE(model_retires(&self->model, 0, &ms));
	ASSERT_EQ(600000, ms);
	test_says("requested 0");
	ASSERT_TRUE(model_retires(&self->model, 0, &ms));
	ASSERT_EQ(60 * 600000, ms);
	model_retire(&self->model, 0);
	test_value(0, "nb_idle", "info 0");
	ASSERT_FALSE(model_retires(&self->model, 0, &ms));
}

TEST_F(a_model, deletes_memslots_of_user_backing_at_once)
{
	test_says("open 0");
	test_says("memory 0 kind=memfd size=0x40000000");
	test_says("setup 0 flags=11 addr=0x100000000 region=0x40000000 memslot=0x8000000 fd=own");
	test_says("requested 0 size=0x40000000");
	test_says("attach 0 id=0xffffffff spaces=3");
	test_response(ACK, "plug 0 addr=0x100000000 nb=65");
	test_says("write_words 0 via=guest offset=0x8200000 count=2 stride=0x1000 value=7");
	test_value(7, "word", "read_words 0 offset=0x8200000 count=1");
	test_value(8192, "file", "settle 0");
	test_response(ACK, "unplug 0 addr=0x108000000 nb=1");
	test_value(0, "nb_idle", "info 0");
	test_value(0, "file", "settle 0");
	test_value(MODEL_MMIO_VALUE, "word", "read_words 0 via=guest offset=0x8000000 count=1");
	test_says("memslots 0 room=2");
	ASSERT_EQ(2, self->answer.nr_rows);
	test_error(EMSGSIZE, "memslots 0 room=1");
}

TEST_F(a_model, knows_what_is_in_memory)
{
	test_device();
	ASSERT_TRUE(say(&self->model, &self->answer, "read_words 0 count=1"));
	ASSERT_EQ(SIGBUS, answer_get(&self->answer, "signal"));
	test_response(ACK, "plug 0 addr=0x100000000 nb=1");
	test_says("write_words 0 via=guest offset=0x1ffff8 count=1 value=5");
	test_value(5, "word", "read_words 0 via=pipe offset=0x1ffff8 count=1");
	test_value(0, "word", "read_words 0 offset=0x1000 count=1");
	test_value(8192, "resident", "settle 0");
	/* The first word beyond is out of reach. */
	test_error(EFAULT, "read_words 0 via=guest offset=0x1ffff8 count=2 stride=8");
	test_response(ACK, "unplug 0 addr=0x100000000 nb=1");
	test_response(ACK, "plug 0 addr=0x100000000 nb=1");
	test_value(0, "word", "read_words 0 offset=0x1ffff8 count=1");
	test_says("close 0");
	ASSERT_TRUE(say(&self->model, &self->answer, "read_words 0 count=1"));
	ASSERT_EQ(SIGBUS, answer_get(&self->answer, "signal"));
}

TEST_F(a_model, learns_how_many_violations_an_access_was)
{
	const struct op info = { .kind = OP_INFO };
	struct answer actual = {};

	test_device();
	test_response(ACK, "plug 0 addr=0x107e00000 nb=1");
	test_says("eventfd 0 event=3 fd=4");
	test_error(EFAULT, "write_words 0 via=guest offset=0x3008 count=1");
	test_says("info 0");
	ASSERT_EQ(1, answer_get(&self->answer, "violations"));
	ASSERT_EQ(0x3000, answer_get(&self->answer, "last_violation"));
	answer_value(&actual, "violations", 3);
	answer_value(&actual, "kvm_calls", 4);
	model_learn(&self->model, &info, &actual);
	test_value(3, "violations", "info 0");
	test_says("events 0");
	ASSERT_EQ(3, self->answer.cells[4]);
}

TEST_F(a_model, counts_events)
{
	test_device();
	test_says("eventfd 0 event=0 fd=0");
	test_says("eventfd 0 event=1 fd=1");
	test_says("eventfd 0 event=2 fd=1");
	test_error(EEXIST, "eventfd 0 event=2 fd=1");
	test_error(ENOENT, "eventfd 0 event=2 fd=0 flags=1");
	test_response(ACK, "plug 0 addr=0x100000000 nb=128");
	test_says("requested 0 size=0x40000000");
	test_says("reset 0");
	test_says("events 0");
	ASSERT_EQ(2, self->answer.cells[0]);
	ASSERT_EQ(3, self->answer.cells[1]);
	test_value(2, "changes", "read 0 size=8");
	test_error(EAGAIN, "read 0 size=8");
	test_value(0, "readable", "poll 0");
}

TEST_F(a_model, has_room_for_64_listeners)
{
	char line[64];
	unsigned int i;

	test_device();
	for (i = 0; i < 64; i++) {
		snprintf(line, sizeof(line), "eventfd 0 event=%u fd=%u", i % 4, i / 4);
		test_says(line);
	}
	test_error(ENOSPC, "eventfd 0 fd=16");
}

TEST_F(a_model, takes_numbers_as_the_operator_writes_them)
{
	test_device();
	test_says("requested_text 0 text=\"512m\"");
	test_value(512 * MIB, "requested_size", "config 0");
	test_error(EINVAL, "requested_text 0 text=\"1.5G\"");
	test_error(EINVAL, "requested_text 0 text=\"17179869184G\"");
	test_error(EINVAL, "requested_text 0 text=\"2T\"");
	test_says("retire_delay 0 text=\"4294967295\"");
	test_error(ERANGE, "retire_delay 0 text=\"4294967296\"");
	test_error(EINVAL, "retire_delay 0 text=\"-1\"");
	test_error(EINVAL, "retire 0 text=\"10\"");
}

TEST_F(a_model, locks_the_requested_size_of_what_is_to_be_removed)
{
	test_device();
	test_error(EALREADY, "prepare_remove 0 flags=1");
	test_response(ACK, "plug 0 addr=0x100000000 nb=1");
	test_error(ENOTEMPTY, "prepare_remove 0");
	test_response(ACK, "unplug 0 addr=0x100000000 nb=1");
	test_error(EBUSY, "prepare_remove 0");
	test_says("requested 0");
	test_says("prepare_remove 0");
	test_error(EBUSY, "requested 0 size=0x200000");
	test_says("prepare_remove 0 flags=1");
	test_says("requested 0 size=0x200000");
}

TEST_F(a_model, answers_BUSY_while_it_is_frozen)
{
	test_device();
	test_says("eventfd 0 event=1 fd=0");
	test_error(EALREADY, "thaw 0");
	test_response(ACK, "plug 0 addr=0x100000000 nb=1");
	test_says("freeze 0");
	test_error(EALREADY, "freeze 0");
	test_response(ERROR, "plug 0 addr=0x100000000 nb=1");
	test_response(BUSY, "plug 0 addr=0x100200000 nb=1");
	test_response(BUSY, "unplug 0 addr=0x100000000 nb=1");
	test_response(BUSY, "unplug_all 0");
	test_error(EBUSY, "reset 0");
	test_says("thaw 0");
	test_response(ACK, "unplug_all 0");
	test_says("freeze 0");
	test_response(ACK, "unplug_all 0");
	test_says("events 0");
	ASSERT_EQ(1, self->answer.cells[0]);
}

#define RESTORE "set_bitmap 0 addr=0x100000000 region=0x40000000 block=0x200000 nb=512 "

TEST_F(a_model, restores_in_the_order_of_the_header)
{
	test_device();
	test_error(EADDRNOTAVAIL, "set_bitmap 0");
	test_error(ERANGE, "set_bitmap 0 addr=0x100000000");
	test_error(EDOM, "set_bitmap 0 addr=0x100000000 region=0x40000000");
	test_error(EMSGSIZE, "set_bitmap 0 addr=0x100000000 region=0x40000000 block=0x200000");
	test_error(ENXIO, RESTORE "node=1");
	test_error(EINVAL, RESTORE "usable=0x3fe00000");
	test_says("requested 0 size=0x200000");
	test_error(EDQUOT, RESTORE "usable=0x40000000 first=4 set=1 first2=510 set2=1");
	test_error(EINVAL, RESTORE "usable=0x1fe00000 first=255 set=1");
	test_says(RESTORE "usable=0x20000000 first=255 set=1");
	test_value(0x20000000, "usable_region_size", "info 0");
	ASSERT_EQ(2 * MIB, answer_get(&self->answer, "size"));
	test_says("get_bitmap 0 first=191 nb=65");
	ASSERT_EQ(2, self->answer.nr_rows);
	ASSERT_EQ(0, self->answer.cells[0]);
	ASSERT_EQ(1, self->answer.cells[1]);
	test_response(ACK, "unplug_all 0");
	test_error(EBUSY, RESTORE "usable=0x20000000");
}

TEST_F(a_model, logs_what_guests_write_and_what_is_plugged)
{
	test_device();
	test_response(ACK, "plug 0 addr=0x100000000 nb=1");
	test_error(ENOENT, "get_dirty_log 0 nb=1");
	test_says("dirty_log 0 flags=1");
	test_error(EALREADY, "dirty_log 0 flags=1");
	test_error(EINVAL, "dirty_log 0 flags=2");
	test_says("write_words 0 via=guest offset=0x1000 count=1");
	test_says("read_words 0 via=guest offset=0x3000 count=1");
	test_says("write_words 0 offset=0x4000 count=1");
	test_says("get_dirty_log 0 nb=64");
	ASSERT_EQ(1, self->answer.nr_rows);
	ASSERT_EQ(2, self->answer.cells[0]);
	ASSERT_EQ(10, self->answer.cells[1]);
	test_response(ACK, "plug 0 addr=0x100200000 nb=1");
	test_says("get_dirty_log 0 first=510 nb=4");
	ASSERT_EQ(12, self->answer.cells[0]);
	test_says("get_dirty_log 0 nb=514");
	ASSERT_EQ(0, self->answer.cells[0]);
	ASSERT_EQ(0, self->answer.cells[16]);
	test_says("dirty_log 0");
	test_error(ENOENT, "get_dirty_log 0 nb=1");
}

TEST_F(a_model, finds_data_and_holes)
{
	test_device();
	test_error(ENXIO, "lseek 0 whence=3");
	test_value(5, "found", "lseek 0 whence=4 offset=5");
	test_response(ACK, "plug 0 addr=0x100000000 nb=1");
	test_says("write_words 0 offset=0x1000 count=2 stride=0x1000");
	test_value(0x1000, "found", "lseek 0 whence=3");
	test_value(0x1008, "found", "lseek 0 whence=3 offset=0x1008");
	test_value(0x3000, "found", "lseek 0 whence=4 offset=0x1008");
	test_error(ENXIO, "lseek 0 whence=4 offset=0x40000000");
	test_error(EINVAL, "lseek 0 whence=1");
}

TEST_F(a_model, gives_the_lowest_number_that_is_free)
{
	test_says("open 0");
	test_says("open 1");
	test_value(0, "id", "setup 1 flags=3 region=0x200000");
	test_value(1, "id", "setup 0 flags=3 region=0x200000");
	test_says("close 1");
	test_says("open 1");
	test_value(0, "id", "setup 1 flags=3 region=0x200000");
}

TEST_HARNESS_MAIN
