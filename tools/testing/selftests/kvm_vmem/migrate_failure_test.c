// SPDX-License-Identifier: GPL-2.0
/*
 * Migrations that fail by their target: whatever becomes of it, the guest goes on at the
 * source as if nothing had been, and can be migrated afterwards. Never do both run it. See
 * migrate_hostile_test for the sources, migrate_operator_test for who else has a say.
 */
#include "migrate_target.h"

TEST_F(failure, nobody_is_there)
{
	test_command("migrate-status", "\"state\":\"none\"");
	test_command("migrate unix:/tmp/kvm_vmem.nobody", "\"state\":\"active\"");
	test_failed("No such file or directory");
	test_command("migrate tcp:somewhere:1", "an address is unix:PATH or tcp:HOST:PORT");
	test_command("migrate tcp:127.0.0.1:0", "an address is unix:PATH or tcp:HOST:PORT");
	test_command("migrate", "migrate takes an address");
	test_command("migrate unix:/tmp/kvm_vmem.nobody max-downtime=soon", "max-downtime=MS");
	test_command("migrate-cancel", "no migration to be cancelled");
	test_command("resume", "not in doubt");
	test_migrates();
}

TEST_F(failure, target_ends_at_once)
{
	begin_migration();
	end_connection();
	test_failed("cannot be written");
	test_migrates();
}

TEST_F(failure, target_ends_in_the_middle)
{
	begin_migration();
	ASSERT_EQ(300000, swallow(self->fd, 300000));
	end_connection();
	test_failed("cannot be written");
	test_migrates();
}

TEST_F(failure, target_ends_before_it_is_ready)
{
	begin_migration();
	guest_eq(&self->source, 0, take_until(self, STREAM_END));
	end_connection();
	test_failed("no answer of the destination");
	test_migrates();
}

TEST_F(failure, target_refuses_and_says_why)
{
	begin_migration();
	guest_eq(&self->source, 0, take_until(self, STREAM_END));
	ASSERT_EQ(0, answer(self, STREAM_REFUSED, "no \033[31mroom\n"));
	test_failed("the destination says: no ?[31mroom?");
	end_connection();

	/* While memory is sent, and without waiting for the rest of it. */
	self->reader->nb_sections = 0;
	self->answers->nb_sections = 0;
	begin_migration();
	guest_eq(&self->source, 0, take_until(self, STREAM_PAGES));
	ASSERT_EQ(0, answer(self, STREAM_REFUSED, "enough"));
	end_connection();
	test_failed("the destination says: enough");
	test_migrates();
}

TEST_F(failure, target_answers_something_else)
{
	static const char garbage[64] = "HTTP/1.1 200 OK";

	begin_migration();
	guest_eq(&self->source, 0, take_until(self, STREAM_END));
	ASSERT_EQ(0, send_all(self->fd, garbage, sizeof(garbage)));
	test_failed("no answer of the destination");
	end_connection();

	self->reader->nb_sections = 0;
	begin_migration();
	guest_eq(&self->source, 0, take_until(self, STREAM_END));
	ASSERT_EQ(0, answer(self, STREAM_RUNNING, NULL));
	test_failed("the destination answers with a section of type 65");
	test_migrates();
}

/* Downtime has an end. */
TEST_F(failure, target_never_answers)
{
	begin_migration();
	guest_eq(&self->source, 0, take_until(self, STREAM_END));
	wait_state("failed", PATIENCE_TIME);
	ASSERT_NE(NULL, strstr(self->said, "no answer of the destination: Connection timed out"))
		TH_LOG("%s", self->said);
	test_goes_on();
	/* What it says now is too late: nobody tells it to go. */
	ASSERT_NE(0, take_until(self, STREAM_GO));
	test_migrates();
}

/*
 * Told to go, it may run: the source does not, until the operator says so. Which is the
 * one moment at which nobody runs the guest.
 */
TEST_F(failure, target_is_told_to_go_and_silent)
{
	begin_migration();
	guest_eq(&self->source, 0, take_until(self, STREAM_END));
	ASSERT_EQ(0, answer(self, STREAM_READY, NULL));
	guest_eq(&self->source, 0, stream_read(self->reader));
	ASSERT_EQ(STREAM_GO, self->reader->section.type);
	end_connection();
	wait_state("undecided", MIGRATION_TIME);
	test_command("migrate-cancel", "no migration to be cancelled");
	test_command("migrate unix:" MIGRATION_SOCKET, "there is a migration already");

	test_stands_still();
	test_command("resume", "\"state\":\"failed\"");
	test_heard_meanwhile();
	test_goes_on();
	test_migrates();
}

TEST_F(failure, target_is_told_to_go_and_runs)
{
	begin_migration();
	guest_eq(&self->source, 0, take_until(self, STREAM_END));
	ASSERT_EQ(0, answer(self, STREAM_READY, NULL));
	guest_eq(&self->source, 0, stream_read(self->reader));
	ASSERT_EQ(STREAM_GO, self->reader->section.type);
	ASSERT_EQ(0, answer(self, STREAM_RUNNING, NULL));
	guest_eq(&self->source, ENDED, linux_wait_exit(&self->source, MIGRATION_TIME));
	ASSERT_EQ(-ENOENT, linux_device("moved"));
	ASSERT_NE(NULL, strstr(self->source.messages.text ?: "", "\"state\":\"completed\""))
		linux_explain(&self->source);
}

TEST_HARNESS_MAIN
