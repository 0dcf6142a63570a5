// SPDX-License-Identifier: GPL-2.0
/*
 * What finds differences, and makes them short: with devices that make mistakes, and
 * need no kernel.
 */
#define _GNU_SOURCE
#include "minimise.h"
#include "threads.h"

#include <kselftest_harness.h>

/* Some waits for what takes its time, and machines are busy. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

#define MOST_EPISODES	200
#define SEED		1
/* That are left of a thousand. */
#define MOST_OPS	10

static struct episode one_thread(struct target *target)
{
	return (struct episode){
		.target = target,
		.nr_threads = 1,
		.nr_slots = 4,
		.nr_ops = 1000,
		.seed = SEED,
	};
}

/* Random episodes until there is a difference. Returns how many there were. */
static unsigned int find(struct target *target, struct episode *episode)
{
	unsigned int i;

	for (i = 1; i <= MOST_EPISODES; i++, episode->seed++)
		if (episode_run(episode) == RUN_DIFFERS)
			return i;
	return 0;
}

/* As it is printed and read again. */
static void reread(const struct script *script, struct script *again)
{
	char text[8192], line[1024];
	unsigned int nr;
	size_t i, len = 0;

	for (i = 0; i < script->nr; i++)
		len += snprintf(text + len, sizeof(text) - len, "%s\n",
				op_print(&script->ops[i], line, sizeof(line)));
	if (script_parse(again, text, &nr))
		again->nr = 0;
}

FIXTURE(mistake) {
	struct target target;
	struct episode episode;
};

FIXTURE_VARIANT(mistake) {
	enum mistake mistake;
	const char *name;
};

#define MISTAKE(variant_name, ...) FIXTURE_VARIANT_ADD(mistake, variant_name) { __VA_ARGS__ }

MISTAKE(usable_size_not_shrunk_by_UNPLUG_ALL, MISTAKE_USABLE, "usable_region_size");
MISTAKE(NACK_given_as_ERROR, MISTAKE_NACK, "response");
MISTAKE(BUSY_counted_as_ACK, MISTAKE_COUNTER, "acks");
MISTAKE(idle_memslots_not_retired, MISTAKE_IDLE, "late");
MISTAKE(idle_memslots_retired_at_once, MISTAKE_EARLY, "nb_idle");
MISTAKE(memory_that_is_not_what_was_written, MISTAKE_WORD, "word");
MISTAKE(no_event_of_a_RESET, MISTAKE_EVENT, "count");
MISTAKE(unplugged_memory_not_given_back, MISTAKE_LEAK, "resident");

FIXTURE_SETUP(mistake)
{
	fake_open(&self->target, variant->mistake);
	self->episode = one_thread(&self->target);
}

FIXTURE_TEARDOWN(mistake)
{
	script_free(&self->episode.script);
	fake_close(&self->target);
}

TEST_F(mistake, is_found_made_short_and_seen_again)
{
	struct failure failure, *found = &self->episode.failure;
	struct script *script = &self->episode.script, again = {};
	struct target good;
	unsigned int nr_runs;
	size_t before, position;

	ASSERT_LT(0, find(&self->target, &self->episode));
	before = script->nr;
	ASSERT_TRUE(minimise(&self->target, script, found, &nr_runs));
	TH_LOG("%zu operations, then %zu, after %u runs", before, script->nr, nr_runs);
	ASSERT_GE(MOST_OPS, script->nr);
	ASSERT_STREQ(variant->name, found->difference.name);

	reread(script, &again);
	ASSERT_EQ(script->nr, again.nr);
	ASSERT_EQ(0, memcmp(script->ops, again.ops, again.nr * sizeof(*again.ops)));
	ASSERT_EQ(RUN_DIFFERS, run_script(&self->target, again.ops, again.nr, &failure, &position));
	ASSERT_TRUE(failure_is_same(found, &failure));

	fake_open(&good, MISTAKE_NONE);
	ASSERT_EQ(RUN_SAME, run_script(&good, again.ops, again.nr, &failure, &position));
	fake_close(&good);
	script_free(&again);
}

TEST_F(mistake, needs_each_operation_that_is_left)
{
	struct script *script = &self->episode.script, rest = {};
	struct failure failure;
	unsigned int nr_runs;
	size_t i, j, position;

	ASSERT_LT(0, find(&self->target, &self->episode));
	ASSERT_TRUE(minimise(&self->target, script, &self->episode.failure, &nr_runs));
	for (i = 0; i < script->nr; i++) {
		rest.nr = 0;
		for (j = 0; j < script->nr; j++)
			if (j != i)
				script_add(&rest, &script->ops[j]);
		if (run_script(&self->target, rest.ops, rest.nr, &failure, &position) ==
		    RUN_DIFFERS)
			ASSERT_FALSE(failure_is_same(&self->episode.failure, &failure));
	}
	script_free(&rest);
}

FIXTURE(good) {
	struct target target;
	struct episode episode;
};

FIXTURE_SETUP(good)
{
	fake_open(&self->target, MISTAKE_NONE);
	self->episode = one_thread(&self->target);
}

FIXTURE_TEARDOWN(good)
{
	script_free(&self->episode.script);
	fake_close(&self->target);
}

TEST_F(good, a_device_without_mistakes_makes_no_difference)
{
	unsigned int i;

	for (i = 0; i < 20; i++, self->episode.seed++)
		ASSERT_EQ(RUN_SAME, episode_run(&self->episode)) {
			TH_LOG("%s", self->episode.failure.difference.text);
		}
}

TEST_F(good, nor_do_several_threads)
{
	unsigned int i;

	self->episode.nr_threads = 3;
	self->episode.nr_slots = 6;
	for (i = 0; i < 10; i++, self->episode.seed++)
		ASSERT_EQ(RUN_SAME, episode_run(&self->episode)) {
			TH_LOG("%s", self->episode.failure.difference.text);
		}
}

/* What several threads did, one after another shows the same difference. */
TEST(a_difference_that_threads_make_is_made_short)
{
	struct target target;
	struct episode episode = {
		.target = &target,
		.nr_threads = 3,
		.nr_slots = 6,
		.nr_ops = 3000,
		.seed = SEED,
	};
	unsigned int nr_runs;

	fake_open(&target, MISTAKE_LEAK);
	ASSERT_LT(0, find(&target, &episode));
	ASSERT_TRUE(minimise(&target, &episode.script, &episode.failure, &nr_runs));
	ASSERT_GE(MOST_OPS, episode.script.nr);
	script_free(&episode.script);
	fake_close(&target);
}

TEST_F(good, the_same_seed_gives_the_same_operations)
{
	struct script first;

	ASSERT_EQ(RUN_SAME, episode_run(&self->episode));
	first = self->episode.script;
	memset(&self->episode.script, 0, sizeof(self->episode.script));
	ASSERT_EQ(RUN_SAME, episode_run(&self->episode));
	ASSERT_EQ(first.nr, self->episode.script.nr);
	ASSERT_EQ(0, memcmp(first.ops, self->episode.script.ops, first.nr * sizeof(*first.ops)));
	script_free(&first);
}

TEST_HARNESS_MAIN
