// SPDX-License-Identifier: GPL-2.0
/*
 * What operators and guests do while a migration is under way, and what disks do: it ends,
 * or goes on, and the operator is answered all the time.
 */
#include "migrate_target.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define SMALL_DISK "/tmp/kvm_vmem.disk"

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

/* Its operator is answered all the time, but for what would change the guest. */
TEST_F(failure, operator_is_answered_while_the_guest_is_stopped)
{
	uint64_t downtime, wire;

	begin_handover();
	downtime = number_in(self->said, "downtime_ms");
	wire = number_in(self->said, "wire_bytes");
	ASSERT_GT(1000 * PATIENCE_TIME, downtime);
	ASSERT_LT(0, wire);
	usleep(50000);
	test_command("migrate-status", "\"state\":\"handover\"");
	ASSERT_LT(downtime, number_in(self->said, "downtime_ms"));
	ASSERT_LE(wire, number_in(self->said, "wire_bytes"));
	test_command("info", "\"requested_size\":2147483648");
	test_command("resize 3G", "the guest is on its way");
	test_command("migrate unix:" MIGRATION_SOCKET, "there is a migration already");
	test_command("save /tmp/kvm_vmem.saved", "there is a migration already");
	test_command("resume", "not in doubt");
	test_stands_still();

	test_command("migrate-cancel", "\"state\":\"cancelled\"");
	test_heard_meanwhile();
	test_command("resize 2G", "\"requested_size\":2147483648");
	test_goes_on();
	/* A target that is ready now is not told to go. */
	answer(self, STREAM_READY, NULL);
	ASSERT_NE(0, take_until(self, STREAM_GO));
	test_migrates();
}

TEST_F(failure, source_is_ended_while_the_guest_is_stopped)
{
	begin_handover();
	guest_eq(&self->source, ENDED, linux_end(&self->source, SIGTERM, MIGRATION_TIME));
	ASSERT_NE(NULL, strstr(self->source.messages.text ?: "", "the guest ends here"))
		linux_explain(&self->source);
	ASSERT_NE(0, take_until(self, STREAM_GO));
	ASSERT_EQ(-ENOENT, linux_device("moved"));
}

/* It is the target's from the moment at which it was told to go. */
TEST_F(failure, told_to_go_is_too_late_to_cancel)
{
	begin_handover();
	ASSERT_EQ(0, answer(self, STREAM_READY, NULL));
	guest_eq(&self->source, 0, stream_read(self->reader));
	ASSERT_EQ(STREAM_GO, self->reader->section.type);
	test_command("migrate-cancel", "it is too late");
	test_command("migrate-status", "\"state\":\"handover\"");
	test_command("quit", "{");
	usleep(200000);
	ASSERT_EQ(0, answer(self, STREAM_RUNNING, NULL));
	guest_eq(&self->source, ENDED, linux_wait_exit(&self->source, MIGRATION_TIME));
	ASSERT_NE(NULL, strstr(self->source.messages.text ?: "", "\"state\":\"completed\""))
		linux_explain(&self->source);
	ASSERT_EQ(-ENOENT, linux_device("moved"));
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
