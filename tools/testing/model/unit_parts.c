// SPDX-License-Identifier: GPL-2.0
/* What the model is made of: operations as text, memory, answers that are compared. */
#define _GNU_SOURCE
#include <errno.h>

#include "model.h"

#include <kselftest_harness.h>

TEST(an_operation_is_what_it_was_after_it_was_written)
{
	const struct op op = {
		.kind = OP_SETUP,
		.slot = 11,
		.args = { 3, [SETUP_REGION] = 4096, [SETUP_FD] = FD_NULL },
		.text = "a \"label\"\n\\\xff=",
	};
	const char *text = "text=\"a \\x22label\\x22\\x0a\\x5c\\xff=\"";
	struct op again;
	char line[512];

	op_print(&op, line, sizeof(line));
	ASSERT_EQ(0, strncmp(line, "setup 11 flags=3 region=0x1000 fd=null text=", 44));
	ASSERT_STREQ(text, strstr(line, "text="));
	ASSERT_EQ(NULL, op_parse(&again, line));
	ASSERT_EQ(0, memcmp(&op, &again, sizeof(op)));
}

TEST(what_is_no_operation_is_refused)
{
	static const char *const wrong[] = {
		"", "plug", "plug x", "plug 12", "plug -1", "plugs 0", "plug 0 addr",
		"plug 0 addr=",
		"plug 0 addr=x", "plug 0 addr=1x", "plug 0 size=1", "setup 0 fd=any",
		"retire 0 text=\"1", "retire 0 text=\"\\x\"", "retire 0 text=\"1\" x=1",
	};
	struct op op;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		ASSERT_NE(NULL, op_parse(&op, wrong[i])) {
			TH_LOG("line %u", i);
		}
}

TEST(a_script_says_where_it_is_wrong)
{
	struct script script = {};
	unsigned int line;

	ASSERT_EQ(NULL, script_parse(&script, "# a comment\n\nopen 0\nclose 0\n", &line));
	ASSERT_EQ(2, script.nr);
	ASSERT_EQ(OP_CLOSE, script.ops[1].kind);
	ASSERT_NE(NULL, script_parse(&script, "open 0\n# more\nclse 0\n", &line));
	ASSERT_EQ(3, line);
	script_free(&script);
}

TEST(small_pages_are_there_when_they_were_touched)
{
	struct memory memory = {};
	uint64_t min, max;

	ASSERT_EQ(0, memory_read(&memory, 8));
	memory_write(&memory, 4 * MIB, 1);
	memory_resident(&memory, &min, &max);
	ASSERT_EQ(8192, min);
	ASSERT_EQ(8192, max);
	memory_discard(&memory, 4 * MIB, 4096);
	ASSERT_FALSE(memory_is_there(&memory, 4 * MIB, 4096));
	ASSERT_TRUE(memory_is_there(&memory, 0, 4096));
	ASSERT_EQ(0, memory_read(&memory, 4 * MIB));
	memory_free(&memory);
}

TEST(huge_pages_may_be_there_for_small_ones)
{
	struct memory memory = { .pages = PAGES_EITHER };
	uint64_t min, max;

	memory_write(&memory, 4096, 1);
	memory_resident(&memory, &min, &max);
	ASSERT_EQ(4096, min);
	ASSERT_EQ(2 * MIB, max);
	memory_populate(&memory, 0, 2 * MIB);
	memory_resident(&memory, &min, &max);
	ASSERT_EQ(2 * MIB, min);
	/* What is left of a huge page may be there still. */
	memory_discard(&memory, 0, 2 * MIB - 4096);
	memory_resident(&memory, &min, &max);
	ASSERT_EQ(4096, min);
	ASSERT_EQ(2 * MIB, max);
	memory_discard(&memory, 0, 2 * MIB);
	memory_resident(&memory, &min, &max);
	ASSERT_EQ(0, max);
	memory_free(&memory);
}

TEST(pages_of_hugetlbfs_come_and_go_whole)
{
	struct memory memory = { .pages = PAGES_HUGE };
	uint64_t min, max;

	memory_write(&memory, 2 * MIB + 8, 1);
	memory_resident(&memory, &min, &max);
	ASSERT_EQ(2 * MIB, min);
	ASSERT_EQ(2 * MIB, max);
	memory_discard(&memory, 0, 6 * MIB);
	memory_resident(&memory, &min, &max);
	ASSERT_EQ(0, max);
	memory_free(&memory);
}

static const char *const columns[1] = { "column" };

FIXTURE(answers) {
	struct answer expected, actual;
	struct difference difference;
};

/* A number that may be 1 to 3, a text, and a row. */
FIXTURE_SETUP(answers)
{
	const uint64_t cell = 5;

	answer_range(&self->expected, "number", 1, 3);
	answer_text(&self->expected, "text");
	answer_table(&self->expected, columns, 1);
	answer_row(&self->expected, &cell);
	answer_value(&self->actual, "number", 2);
	answer_text(&self->actual, "text");
	answer_table(&self->actual, columns, 1);
	answer_row(&self->actual, &cell);
}

FIXTURE_TEARDOWN(answers)
{
	answer_free(&self->expected);
	answer_free(&self->actual);
}

#define test_differs(expected_name) do { \
	ASSERT_FALSE(answer_matches(&self->expected, &self->actual, &self->difference)); \
	ASSERT_STREQ(expected_name, self->difference.name); \
} while (0)

TEST_F(answers, that_are_allowed_match)
{
	ASSERT_TRUE(answer_matches(&self->expected, &self->actual, &self->difference));
}

TEST_F(answers, differ_by_a_number)
{
	self->actual.values[0].min = 4;
	test_differs("number");
	ASSERT_STREQ("number: expected 0x1 to 0x3, is 0x4", self->difference.text);
	self->actual.values[0].min = 0;
	test_differs("number");
}

TEST_F(answers, differ_by_an_errno)
{
	answer_error(&self->actual, EINVAL);
	test_differs("error");
	answer_error(&self->expected, EBUSY);
	test_differs("error");
	answer_error(&self->expected, EINVAL);
	ASSERT_TRUE(answer_matches(&self->expected, &self->actual, &self->difference));
	self->actual.nr_errors = 0;
	test_differs("error");
	ASSERT_STREQ("expected EBUSY or EINVAL, happened success", self->difference.text);
}

TEST_F(answers, differ_by_a_text)
{
	answer_text(&self->actual, "texts");
	test_differs("text");
	self->actual.has_text = false;
	test_differs("text");
}

TEST_F(answers, differ_by_a_cell_or_a_row)
{
	self->actual.cells[0] = 6;
	test_differs("column");
	self->actual.cells[0] = 5;
	answer_row(&self->actual, &self->actual.cells[0]);
	test_differs("rows");
	self->actual.nr_rows = 0;
	test_differs("rows");
}

TEST_F(answers, differ_by_what_is_missing)
{
	self->actual.nr_values = 0;
	test_differs("values");
	answer_value(&self->actual, "other", 2);
	test_differs("number");
}

TEST_HARNESS_MAIN
