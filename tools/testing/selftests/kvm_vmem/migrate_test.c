// SPDX-License-Identifier: GPL-2.0
/*
 * A guest at work is moved from one vmem-vmm to another, or to a file and back: between
 * all modes, and between memslots of other sizes. The guest itself says whether anything
 * of it was lost.
 */
#include "harness.h"

#include <sys/stat.h>

#include "migration.h"

#define FILE_PATH "/tmp/kvm_vmem.saved"

#define VMEM "4G,requested=2G,block=2M,label=moved"

#define GROUP		{ "group", VMEM }
#define GROUP_128M	{ "group", VMEM ",memslot=128M" }
#define GROUP_PREALLOC	{ "group", VMEM ",prealloc" }
#define STATIC		{ "static", VMEM }
#define DYNAMIC_USER	{ "dynamic-user", VMEM }
/* It may be anywhere, also where it is moved to, when it does. */
#define STATIC_STRAYS	{ "static", VMEM, .strays = true }
#define DYNAMIC_USER_STRAYS { "dynamic-user", VMEM, .strays = true }

FIXTURE(migrate) {
	struct linux_guest source, target;
	char said[4096];
};

FIXTURE_VARIANT(migrate) {
	struct vmm_kind source, target;
};

#define PAIR(name, ...) FIXTURE_VARIANT_ADD(migrate, name) { __VA_ARGS__ }

PAIR(group_to_group, GROUP, GROUP);
PAIR(group_to_static, GROUP, STATIC);
PAIR(group_to_dynamic_user, GROUP, DYNAMIC_USER);
PAIR(static_to_group, STATIC, GROUP);
PAIR(static_to_static, STATIC_STRAYS, STATIC);
PAIR(static_to_dynamic_user, STATIC_STRAYS, DYNAMIC_USER);
PAIR(dynamic_user_to_group, DYNAMIC_USER, GROUP);
PAIR(dynamic_user_to_static, DYNAMIC_USER_STRAYS, STATIC);
PAIR(dynamic_user_to_dynamic_user, DYNAMIC_USER_STRAYS, DYNAMIC_USER);
PAIR(small_memslots_to_large, GROUP_128M, GROUP);
PAIR(large_memslots_to_small, GROUP, GROUP_128M);
PAIR(static_to_small_memslots, STATIC, GROUP_128M);
PAIR(group_to_preallocated, GROUP_128M, GROUP_PREALLOC);

FIXTURE_SETUP(migrate)
{
	unlink(FILE_PATH);
	guest_eq(&self->source, 0, vmm_start(&self->source, &variant->source, MIGRATION_SOURCE,
					     NULL));
	guest_eq(&self->source, 0, linux_wait_ready(&self->source, MIGRATION_TIME));
}

FIXTURE_TEARDOWN(migrate)
{
	linux_stop(&self->source);
	linux_stop(&self->target);
	unlink(MIGRATION_SOURCE);
	unlink(MIGRATION_TARGET);
	unlink(MIGRATION_SOCKET);
	unlink(FILE_PATH);
}

#define is_group(kind) (!strcmp((kind).mode, "group"))

/* What the operator of the other side sees. */
#define test_arrived(kind) do { \
	int id_ = linux_device("moved"); \
\
	if (!is_group(kind)) { \
		ASSERT_EQ(-ENOENT, id_); \
		break; \
	} \
	ASSERT_LE(0, id_); \
	ASSERT_EQ(0, linux_number(id_, "frozen")); \
	ASSERT_EQ(0, linux_number(id_, "dirty_log")); \
	ASSERT_EQ(0, linux_number(id_, "violations")); \
	ASSERT_EQ(0, linux_number(id_, "counters/errors")); \
	ASSERT_EQ(2 * GiB, linux_number(id_, "requested_size")); \
	ASSERT_EQ(2 * GiB + 256 * MiB, linux_number(id_, "usable_region_size")); \
	/* The guest plugs and unplugs one more meanwhile. */ \
	ASSERT_LE(linux_number(id_, "resident"), (MIGRATION_NR_BLOCKS + 1) * MIGRATION_BLOCK); \
} while (0)

/* What the report says: each byte of memory once, and again what was dirtied. */
#define test_report(said) do { \
	const char *said_ = said; \
	uint64_t memory_ = MIGRATION_RAM_SIZE + MIGRATION_NR_BLOCKS * MIGRATION_BLOCK; \
	uint64_t dirtied_ = number_in(said_, "dirtied_bytes"); \
	uint64_t wire_ = number_in(said_, "wire_bytes"); \
\
	ASSERT_LE(memory_, number_in(said_, "memory_bytes")); \
	ASSERT_LE(number_in(said_, "memory_bytes"), memory_ + MIGRATION_BLOCK); \
	ASSERT_LE(wire_, (memory_ + dirtied_) / 10 * 11); \
	ASSERT_LE(number_in(said_, "page_bytes"), wire_); \
	/* Most of it is zero, and not sent. */ \
	ASSERT_LE(wire_, MIGRATION_RAM_SIZE / 2 + dirtied_ / 10 * 11); \
	ASSERT_LE(2, number_in(said_, "rounds")); \
	ASSERT_GE(1000 * MIGRATION_TIME, number_in(said_, "downtime_ms")); \
} while (0)

TEST_F(migrate, guest_goes_on_elsewhere)
{
	struct linux_guest *source = &self->source, *target = &self->target;
	uint64_t before, after, busies;

	guest_eq(source, 0, work_check(source, &before, NULL));
	guest_eq(target, 0, vmm_start(target, &variant->target, MIGRATION_TARGET, "--incoming",
				      "unix:" MIGRATION_SOCKET, NULL));
	guest_eq(target, 0, wait_for_socket(MIGRATION_SOCKET, MIGRATION_TIME));
	guest_eq(source, 0, linux_control(MIGRATION_SOURCE, "migrate unix:" MIGRATION_SOCKET,
					  self->said, sizeof(self->said)));
	ASSERT_NE(NULL, strstr(self->said, "\"state\":\"active\""))
		TH_LOG("%s", self->said);
	guest_eq(source, 0, linux_wait_exit(source, MIGRATION_TIME));
	ASSERT_NE(NULL, source->messages.text);
	ASSERT_NE(NULL, strstr(source->messages.text, "\"state\":\"completed\""))
		linux_explain(source);
	test_report(source->messages.text);

	guest_eq(target, 0, work_check(target, &after, &busies));
	ASSERT_LT(before, after);
	/* That is what it was told while it was sent. */
	ASSERT_LT(0, busies);
	test_arrived(variant->target);
	guest_eq(target, 0, work_grow(target));
	guest_eq(target, 0, work_check(target, &before, &after));
	ASSERT_EQ(busies, after);
	guest_eq(target, 0, linux_send(target, "p"));
	guest_eq(target, 0, linux_wait_exit(target, MIGRATION_TIME));
	ASSERT_EQ(NULL, target->messages.text)
		linux_explain(target);
	ASSERT_EQ(-ENOENT, linux_device("moved"));
}

TEST_F(migrate, guest_goes_on_from_a_file)
{
	struct linux_guest *source = &self->source, *target = &self->target;
	uint64_t before, after;
	struct stat status;

	guest_eq(source, 0, work_check(source, &before, NULL));
	guest_eq(source, 0, linux_control(MIGRATION_SOURCE, "save " FILE_PATH, self->said,
					  sizeof(self->said)));
	ASSERT_NE(NULL, strstr(self->said, "\"state\":\"active\""))
		TH_LOG("%s", self->said);
	guest_eq(source, 0, linux_wait_exit(source, MIGRATION_TIME));
	test_report(source->messages.text);
	ASSERT_EQ(0, stat(FILE_PATH, &status));
	ASSERT_EQ(0600, status.st_mode & 07777);
	ASSERT_EQ(number_in(source->messages.text, "wire_bytes"), status.st_size);
	ASSERT_EQ(-ENOENT, linux_device("moved"));

	guest_eq(target, 0, vmm_start(target, &variant->target, MIGRATION_TARGET, "--restore",
				      FILE_PATH, NULL));
	guest_eq(target, 0, work_check(target, &after, NULL));
	ASSERT_LT(before, after);
	test_arrived(variant->target);
	guest_eq(target, 0, work_grow(target));
	guest_eq(target, 0, linux_send(target, "p"));
	guest_eq(target, 0, linux_wait_exit(target, MIGRATION_TIME));
	ASSERT_EQ(NULL, target->messages.text)
		linux_explain(target);
}

/* By a network, if only to itself; with a second vCPU that was never started, and device. */
FIXTURE(tcp) {
	struct linux_guest source, target;
	char said[4096];
};

FIXTURE_VARIANT(tcp) {
	const char *address;
	unsigned int port;
};

FIXTURE_VARIANT_ADD(tcp, ipv4) { "tcp:127.0.0.1:4711", 4711 };
FIXTURE_VARIANT_ADD(tcp, ipv6) { "tcp:[::1]:4712", 4712 };

FIXTURE_SETUP(tcp)
{
	const struct vmm_kind kind = GROUP;

	ASSERT_EQ(0, linux_tool(self->said, sizeof(self->said), MIGRATION_TIME, "ip", "link",
				"set", "lo", "up", NULL))
		TH_LOG("%s", self->said);
	guest_eq(&self->source, 0, vmm_start(&self->source, &kind, MIGRATION_SOURCE, "--cpus",
					     "2", "--vmem", "8G,label=further", NULL));
	guest_eq(&self->source, 0, linux_wait_ready(&self->source, MIGRATION_TIME));
}

FIXTURE_TEARDOWN(tcp)
{
	linux_stop(&self->source);
	linux_stop(&self->target);
	unlink(MIGRATION_SOURCE);
	unlink(MIGRATION_TARGET);
}

TEST_F(tcp, guest_goes_on_elsewhere)
{
	const struct vmm_kind kind = GROUP;
	char command[64];
	uint64_t rounds;

	guest_eq(&self->target, 0, vmm_start(&self->target, &kind, MIGRATION_TARGET, "--cpus",
					     "2", "--vmem", "8G,label=further", "--incoming",
					     variant->address, NULL));
	snprintf(command, sizeof(command), "migrate %s", variant->address);
	guest_eq(&self->target, 0, wait_for_port(variant->port, MIGRATION_TIME));
	guest_eq(&self->source, 0, linux_control(MIGRATION_SOURCE, command, self->said,
						 sizeof(self->said)));
	guest_eq(&self->source, 0, linux_wait_exit(&self->source, MIGRATION_TIME));
	guest_eq(&self->target, 0, work_check(&self->target, &rounds, NULL));
}

TEST_HARNESS_MAIN
