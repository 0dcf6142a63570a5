// SPDX-License-Identifier: GPL-2.0
/*
 * Two vmem-vmm, and somebody between them who counts what they say, or cuts them apart:
 * the guest runs on one side, or on none until somebody decides, and never on both.
 */
#include "harness.h"

#include "migration.h"
#include "patience.h"
#include "stream.h"

#define ENDED 0
#define FAILED 1

static const struct vmm_kind group = { "group", "4G,requested=2G,block=2M,label=moved" };

FIXTURE(pair) {
	struct linux_guest source, target;
	struct relay relay;
	char said[4096];
	uint64_t before, after;
};

FIXTURE_SETUP(pair)
{
	guest_eq(&self->source, 0, vmm_start(&self->source, &group, MIGRATION_SOURCE, NULL));
	guest_eq(&self->source, 0, linux_wait_ready(&self->source, MIGRATION_TIME));
}

FIXTURE_TEARDOWN(pair)
{
	linux_stop(&self->source);
	linux_stop(&self->target);
	unlink(MIGRATION_SOURCE);
	unlink(MIGRATION_TARGET);
	unlink(MIGRATION_SOCKET);
	unlink(MIGRATION_RELAY);
}

#define migrate_by_relay(target_kind) do { \
	guest_eq(&self->target, 0, vmm_start(&self->target, target_kind, MIGRATION_TARGET, \
					     "--incoming", "unix:" MIGRATION_SOCKET, NULL)); \
	ASSERT_EQ(0, wait_for_socket(MIGRATION_SOCKET, MIGRATION_TIME)); \
	ASSERT_EQ(0, relay_start(&self->relay, MIGRATION_RELAY, MIGRATION_SOCKET)); \
	ASSERT_EQ(0, linux_control(MIGRATION_SOURCE, "migrate unix:" MIGRATION_RELAY, \
				   self->said, sizeof(self->said))); \
	relay_join(&self->relay); \
} while (0)

/* The target has ended without ever running the guest, and the source goes on. */
#define test_only_source_runs(why) do { \
	guest_eq(&self->target, FAILED, linux_wait_exit(&self->target, MIGRATION_TIME)); \
	ASSERT_NE(NULL, strstr(self->target.messages.text ?: "", why)) \
		TH_LOG("'%s'", self->target.messages.text); \
	ASSERT_EQ(NULL, self->target.console.text); \
	guest_eq(&self->source, 0, work_check(&self->source, &self->before, NULL)); \
	ASSERT_EQ(1, count_devices()); \
	linux_stop(&self->target); \
} while (0)

TEST_F(pair, bytes_on_the_wire_are_those_that_are_said)
{
	migrate_by_relay(&group);
	guest_eq(&self->source, ENDED, linux_wait_exit(&self->source, MIGRATION_TIME));
	ASSERT_EQ(self->relay.forward, number_in(self->source.messages.text, "wire_bytes"));
	ASSERT_EQ(2 * sizeof(struct stream_section), self->relay.backward);
	guest_eq(&self->target, 0, work_check(&self->target, &self->after, NULL));
}

TEST_F(pair, cut_apart_at_any_moment_the_guest_stays)
{
	const uint64_t cuts[] = { 1, 16, 40, 5000, 300000, 1000000 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		self->relay.cut_after = cuts[i];
		migrate_by_relay(&group);
		ASSERT_EQ(cuts[i], self->relay.forward);
		ASSERT_EQ(0, wait_migrate_state(MIGRATION_SOURCE, "failed", self->said,
						sizeof(self->said), MIGRATION_TIME));
		test_only_source_runs(": the stream ");
	}
}

TEST_F(pair, without_the_answer_the_guest_stays)
{
	self->relay.cut_answers = 1;
	migrate_by_relay(&group);
	ASSERT_EQ(0, wait_migrate_state(MIGRATION_SOURCE, "failed", self->said,
					sizeof(self->said), MIGRATION_TIME));
	test_only_source_runs(": the stream ");
}

/* The source has the answer; that it goes is not known to arrive. */
TEST_F(pair, cut_apart_at_the_handover_nobody_runs_until_somebody_decides)
{
	self->relay.cut_answers = sizeof(struct stream_section);
	migrate_by_relay(&group);
	guest_eq(&self->target, FAILED, linux_wait_exit(&self->target, MIGRATION_TIME));
	ASSERT_TRUE(becomes(linux_control(MIGRATION_SOURCE, "migrate-status", self->said,
					  sizeof(self->said)) ||
			    !strstr(self->said, "\"state\":\"handover\""), MIGRATION_TIME));
	/* Unless it could not even be told. */
	if (strstr(self->said, "\"state\":\"undecided\""))
		ASSERT_EQ(0, linux_control(MIGRATION_SOURCE, "resume", self->said,
					   sizeof(self->said)));
	ASSERT_NE(NULL, strstr(self->said, "\"state\":\"failed\""))
		TH_LOG("%s", self->said);
	test_only_source_runs(": the stream ");
}

TEST_F(pair, target_that_is_another_machine_says_so_to_both)
{
	static const struct vmm_kind other = { "group", "8G,requested=2G,block=2M,label=other" };
	static const char text[] =
		"region size of virtio-mem is 4294967296 there and 8589934592 here";

	migrate_by_relay(&other);
	ASSERT_EQ(0, wait_migrate_state(MIGRATION_SOURCE, "failed", self->said,
					sizeof(self->said), MIGRATION_TIME));
	ASSERT_NE(NULL, strstr(self->said, text))
		TH_LOG("%s", self->said);
	test_only_source_runs(text);
}

TEST_HARNESS_MAIN
