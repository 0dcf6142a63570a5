// SPDX-License-Identifier: GPL-2.0
/*
 * Migrations that fail: whatever becomes of the target, the guest goes on at the source
 * as if nothing had been, and can be migrated afterwards. Never do both run it. Here the
 * targets are of the test's own making; migrate_hostile_test has the sources.
 */
#include "harness.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "migration.h"
#include "stream.h"

#define ENDED 0
#define FAILED 1
/* For the source's patience of half a minute to end. */
#define PATIENCE_TIME (90 * SLOWNESS)
#define SMALL_DISK "/tmp/kvm_vmem.disk"

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
	ASSERT_EQ(0, take_until(self, STREAM_END));
	end_connection();
	test_failed("no answer of the destination");
	test_migrates();
}

TEST_F(failure, target_refuses_and_says_why)
{
	begin_migration();
	ASSERT_EQ(0, take_until(self, STREAM_END));
	ASSERT_EQ(0, answer(self, STREAM_REFUSED, "no \033[31mroom\n"));
	test_failed("the destination says: no ?[31mroom?");
	end_connection();

	/* While memory is sent, and without waiting for the rest of it. */
	self->reader->nb_sections = 0;
	self->answers->nb_sections = 0;
	begin_migration();
	ASSERT_EQ(0, take_until(self, STREAM_PAGES));
	ASSERT_EQ(0, answer(self, STREAM_REFUSED, "enough"));
	end_connection();
	test_failed("the destination says: enough");
	test_migrates();
}

TEST_F(failure, target_answers_something_else)
{
	static const char garbage[64] = "HTTP/1.1 200 OK";

	begin_migration();
	ASSERT_EQ(0, take_until(self, STREAM_END));
	ASSERT_EQ(0, send_all(self->fd, garbage, sizeof(garbage)));
	test_failed("no answer of the destination");
	end_connection();

	self->reader->nb_sections = 0;
	begin_migration();
	ASSERT_EQ(0, take_until(self, STREAM_END));
	ASSERT_EQ(0, answer(self, STREAM_RUNNING, NULL));
	test_failed("the destination answers with a section of type 65");
	test_migrates();
}

/* Downtime has an end. */
TEST_F(failure, target_never_answers)
{
	begin_migration();
	ASSERT_EQ(0, take_until(self, STREAM_END));
	wait_state("failed", PATIENCE_TIME);
	ASSERT_NE(NULL, strstr(self->said, "no answer of the destination: Connection timed out"))
		TH_LOG("%s", self->said);
	test_goes_on();
	/* What it says now is too late: nobody tells it to go. */
	ASSERT_NE(0, take_until(self, STREAM_GO));
	test_migrates();
}

/* While the guest runs, slow is no failure. */
TEST_F(failure, target_reads_nothing_until_cancelled)
{
	begin_migration();
	sleep(2);
	test_command("migrate-status", "\"state\":\"active\"");
	test_command("migrate unix:" MIGRATION_SOCKET, "there is a migration already");
	test_command("save /tmp/kvm_vmem.saved", "there is a migration already");
	test_command("resume", "not in doubt");
	test_command("migrate-cancel", "\"state\":\"cancelled\"");
	test_command("migrate-status", "\"error\":\"cancelled\"");
	test_goes_on();
	ASSERT_LT(0, self->busies);
	/* And it learns of it. */
	ASSERT_LT(0, swallow(self->fd, UINT64_MAX));
	test_migrates();
}

/*
 * Told to go, it may run: the source does not, until the operator says so. Which is the
 * one moment at which nobody runs the guest.
 */
TEST_F(failure, target_is_told_to_go_and_silent)
{
	uint64_t rounds;
	size_t length;

	begin_migration();
	ASSERT_EQ(0, take_until(self, STREAM_END));
	ASSERT_EQ(0, answer(self, STREAM_READY, NULL));
	ASSERT_EQ(0, stream_read(self->reader));
	ASSERT_EQ(STREAM_GO, self->reader->section.type);
	end_connection();
	wait_state("undecided", MIGRATION_TIME);
	test_command("migrate-cancel", "no migration to be cancelled");
	test_command("migrate unix:" MIGRATION_SOCKET, "there is a migration already");

	/* It does not run. */
	guest_eq(&self->source, -ETIMEDOUT, linux_wait_said(&self->source, "never", 1));
	length = self->source.console.length;
	ASSERT_EQ(0, linux_send(&self->source, "c"));
	guest_eq(&self->source, -ETIMEDOUT, linux_wait_said(&self->source, "rounds", 2));
	ASSERT_EQ(length, self->source.console.length);

	test_command("resume", "\"state\":\"failed\"");
	/* What was typed meanwhile is not lost. */
	guest_eq(&self->source, 0, linux_wait_said(&self->source, "mini: work: ok rounds=",
						   MIGRATION_TIME));
	guest_eq(&self->source, 0, work_check(&self->source, &rounds, NULL));
	test_goes_on();
	test_migrates();
}

TEST_F(failure, target_is_told_to_go_and_runs)
{
	begin_migration();
	ASSERT_EQ(0, take_until(self, STREAM_END));
	ASSERT_EQ(0, answer(self, STREAM_READY, NULL));
	ASSERT_EQ(0, stream_read(self->reader));
	ASSERT_EQ(STREAM_GO, self->reader->section.type);
	ASSERT_EQ(0, answer(self, STREAM_RUNNING, NULL));
	guest_eq(&self->source, ENDED, linux_wait_exit(&self->source, MIGRATION_TIME));
	ASSERT_EQ(-ENOENT, linux_device("moved"));
	ASSERT_NE(NULL, strstr(self->source.messages.text ?: "", "\"state\":\"completed\""))
		linux_explain(&self->source);
}

/* A reset unplugs all that was sent: it is the migration that fails, not the reset. */
TEST_F(failure, guest_reboots_meanwhile)
{
	begin_migration();
	guest_eq(&self->source, 0, linux_send(&self->source, "r"));
	guest_eq(&self->source, 0, linux_wait_ready(&self->source, MIGRATION_TIME));
	test_failed("the guest reboots");
	test_migrates();
}

TEST_F(failure, guest_powers_off_meanwhile)
{
	begin_migration();
	guest_eq(&self->source, 0, linux_send(&self->source, "p"));
	guest_eq(&self->source, ENDED, linux_wait_exit(&self->source, MIGRATION_TIME));
	ASSERT_NE(NULL, strstr(self->source.messages.text ?: "", "the guest ends here"))
		linux_explain(&self->source);
	ASSERT_LE(0, swallow(self->fd, UINT64_MAX));
	ASSERT_EQ(-ENOENT, linux_device("moved"));
}

TEST_F(failure, source_is_ended_meanwhile)
{
	begin_migration();
	guest_eq(&self->source, ENDED, linux_end(&self->source, SIGTERM, MIGRATION_TIME));
	ASSERT_LE(0, swallow(self->fd, UINT64_MAX));
	ASSERT_EQ(-ENOENT, linux_device("moved"));
}

/* The operator may do what an operator does. */
TEST_F(failure, requested_size_is_changed_meanwhile)
{
	begin_migration();
	test_command("resize 3G", "\"requested_size\":3221225472");
	test_command("info", "\"usable_region_size\":3489660928");
	test_command("migrate-cancel", "\"state\":\"cancelled\"");
	test_command("resize 2G", "\"requested_size\":2147483648");
	test_goes_on();
	test_migrates();
	ASSERT_EQ(0, linux_control(MIGRATION_TARGET, "info", self->said, sizeof(self->said)));
	/* As the guest knows it. */
	ASSERT_EQ(3 * GiB + 256 * MiB, number_in(self->said, "usable_region_size"));
	ASSERT_EQ(2 * GiB, number_in(self->said, "requested_size"));
}

TEST_F(failure, file_is_there_already)
{
	struct stat status;
	int fd = open("/tmp/kvm_vmem.saved", O_CREAT | O_WRONLY, 0600);

	ASSERT_LE(0, fd);
	close(fd);
	test_command("save /tmp/kvm_vmem.saved", "File exists");
	test_command("save /nonexistent/file", "No such file or directory");
	test_command("save", "save takes the name of a file");
	ASSERT_EQ(0, stat("/tmp/kvm_vmem.saved", &status));
	ASSERT_EQ(0, status.st_size);
	ASSERT_EQ(0, unlink("/tmp/kvm_vmem.saved"));
	test_goes_on();
	test_migrates();
}

TEST_F(failure, disk_is_full)
{
	struct stat status;

	mkdir(SMALL_DISK, 0700);
	ASSERT_EQ(0, mount("disk", SMALL_DISK, "tmpfs", 0, "size=64K"));
	test_command("save " SMALL_DISK "/file", "\"state\":\"active\"");
	test_failed("No space left on device");
	ASSERT_EQ(-1, stat(SMALL_DISK "/file", &status));
	ASSERT_EQ(0, umount(SMALL_DISK));
	test_migrates();
}

TEST_HARNESS_MAIN
