/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A vmem-vmm with a guest at work, and a target of the test's own making, which does with
 * it what no good target does; in both modes that log dirty pages in their own way.
 */
#ifndef KVM_VMEM_TEST_MIGRATE_TARGET_H
#define KVM_VMEM_TEST_MIGRATE_TARGET_H

#include "harness.h"

#include <sys/socket.h>

#include "migration.h"
#include "stream.h"

#define ENDED 0
#define FAILED 1
/* For the source's patience of half a minute to end. */
#define PATIENCE_TIME (90 * SLOWNESS)

static const struct vmm_kind group = {
	"group", "4G,requested=2G,block=2M,label=moved,memslot=128M",
};

static const struct vmm_kind single = { "static", "4G,requested=2G,block=2M,label=moved" };

FIXTURE(failure) {
	struct linux_guest source, target;
	char said[4096];
	uint64_t rounds, busies;
	int listener, fd;
	struct stream_reader *reader;
	struct stream_writer *answers;
};

FIXTURE_VARIANT(failure) {
	const struct vmm_kind *kind;
};

FIXTURE_VARIANT_ADD(failure, group) { &group };
FIXTURE_VARIANT_ADD(failure, static) { &single };

#define failure_data FIXTURE_DATA(failure)

static int fd_read(void *owner, void *data, size_t size)
{
	/* Of nothing recv() would wait for something. */
	if (!size)
		return 0;
	return recv(*(int *)owner, data, size, MSG_WAITALL) == size ? 0 : -ENODATA;
}

static int fd_write(void *owner, const void *data, size_t size)
{
	return send_all(*(int *)owner, data, size);
}

FIXTURE_SETUP(failure)
{
	self->fd = -1;
	self->reader = calloc(1, sizeof(*self->reader));
	self->answers = calloc(1, sizeof(*self->answers));
	ASSERT_TRUE(self->reader && self->answers);
	self->reader->read = fd_read;
	self->reader->owner = &self->fd;
	self->answers->write = fd_write;
	self->answers->owner = &self->fd;
	guest_eq(&self->source, 0, vmm_start(&self->source, variant->kind, MIGRATION_SOURCE,
					     NULL));
	guest_eq(&self->source, 0, linux_wait_ready(&self->source, MIGRATION_TIME));
	self->listener = listen_at(MIGRATION_SOCKET);
	ASSERT_LE(0, self->listener);
}

FIXTURE_TEARDOWN(failure)
{
	linux_stop(&self->source);
	linux_stop(&self->target);
	close(self->listener);
	close(self->fd);
	unlink(MIGRATION_SOURCE);
	unlink(MIGRATION_TARGET);
	unlink(MIGRATION_SOCKET);
	free(self->reader);
	free(self->answers);
}

#define test_command(words, text) do { \
	guest_eq(&self->source, 0, linux_control(MIGRATION_SOURCE, words, self->said, \
						 sizeof(self->said))); \
	ASSERT_NE(NULL, strstr(self->said, text)) \
		TH_LOG("%s", self->said); \
} while (0)

#define wait_state(state_, seconds) \
	ASSERT_EQ(0, wait_migrate_state(MIGRATION_SOURCE, state_, self->said, \
					sizeof(self->said), seconds)) \
		TH_LOG("%s", self->said)

/* A migration to us; what the source sends is at self->fd. */
#define begin_migration() do { \
	test_command("migrate unix:" MIGRATION_SOCKET, "\"state\":\"active\""); \
	self->fd = accept_one(self->listener, MIGRATION_TIME); \
	ASSERT_LE(0, self->fd); \
} while (0)

#define end_connection() do { \
	close(self->fd); \
	self->fd = -1; \
} while (0)

/* As a target does, up to a section of this type. */
static int take_until(failure_data *self, enum stream_type type)
{
	int ret = stream_read_preface(self->reader);

	while (ret == 0) {
		ret = stream_read(self->reader);
		if (ret == 0 && self->reader->section.type == type)
			return 0;
	}
	return ret;
}

static int answer(failure_data *self, enum stream_type type, const char *text)
{
	return stream_write(self->answers, type, 0, text, text ? strlen(text) + 1 : 0);
}

/* Nothing of it is left: neither for the guest, nor for the operator. */
#define test_goes_on() do { \
	int id_ = linux_device("moved"); \
	uint64_t busies_; \
\
	ASSERT_EQ(variant->kind == &group, id_ >= 0); \
	if (id_ >= 0) { \
		ASSERT_EQ(0, linux_number(id_, "frozen")); \
		ASSERT_EQ(0, linux_number(id_, "dirty_log")); \
		ASSERT_EQ(0, linux_number(id_, "violations")); \
	} \
	guest_eq(&self->source, 0, work_check(&self->source, &self->rounds, &self->busies)); \
	guest_eq(&self->source, 0, work_grow(&self->source)); \
	guest_eq(&self->source, 0, work_check(&self->source, &self->rounds, &busies_)); \
	ASSERT_EQ(self->busies, busies_); \
} while (0)

/* It has failed for that reason. */
#define test_failed(text) do { \
	wait_state("failed", MIGRATION_TIME); \
	ASSERT_NE(NULL, strstr(self->said, text)) \
		TH_LOG("%s", self->said); \
	test_goes_on(); \
} while (0)

/* The next one succeeds. */
#define test_migrates() do { \
	end_connection(); \
	close(self->listener); \
	unlink(MIGRATION_SOCKET); \
	guest_eq(&self->target, 0, vmm_start(&self->target, variant->kind, MIGRATION_TARGET, \
					     "--incoming", "unix:" MIGRATION_SOCKET, NULL)); \
	ASSERT_EQ(0, wait_for_socket(MIGRATION_SOCKET, MIGRATION_TIME)); \
	test_command("migrate unix:" MIGRATION_SOCKET, "\"state\":\"active\""); \
	guest_eq(&self->source, ENDED, linux_wait_exit(&self->source, MIGRATION_TIME)); \
	guest_eq(&self->target, 0, work_check(&self->target, &self->rounds, NULL)); \
} while (0)

/* The guest is stopped: what was said is all that it says. */
#define test_stands_still() do { \
	size_t length_; \
\
	guest_eq(&self->source, -ETIMEDOUT, linux_wait_said(&self->source, "never", 1)); \
	length_ = self->source.console.length; \
	ASSERT_EQ(0, linux_send(&self->source, "c")); \
	guest_eq(&self->source, -ETIMEDOUT, linux_wait_said(&self->source, "rounds", 2)); \
	ASSERT_EQ(length_, self->source.console.length); \
} while (0)

/* And when it runs again, what was typed meanwhile is not lost. */
#define test_heard_meanwhile() \
	guest_eq(&self->source, 0, linux_wait_said(&self->source, "mini: work: ok rounds=", \
						   MIGRATION_TIME))

/* All of the guest was sent, and its target says nothing so far. */
#define begin_handover() do { \
	begin_migration(); \
	guest_eq(&self->source, 0, take_until(self, STREAM_END)); \
	wait_state("handover", MIGRATION_TIME); \
} while (0)

#endif /* KVM_VMEM_TEST_MIGRATE_TARGET_H */
