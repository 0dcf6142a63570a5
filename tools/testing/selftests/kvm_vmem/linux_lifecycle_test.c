// SPDX-License-Identifier: GPL-2.0
/* VMs with a stock Linux guest begin anew, and end. */
#include "linux_harness.h"

FIXTURE(vms) {
	struct linux_guest guest;
	struct linux_guest other;
	char said[1024];
	int id;
	int other_id;
};

FIXTURE_SETUP(vms)
{
}

FIXTURE_TEARDOWN(vms)
{
	linux_stop(&self->guest);
	linux_stop(&self->other);
}

TEST_F(vms, reboot_with_all_unplugged_and_plug_again)
{
	struct linux_guest *guest = &self->guest;

	guest_eq(guest, 0, linux_vmm_boot(guest, LINUX_APPEND, "--cpus", "2", "--vmem",
					  "64G,requested=512M,label=again", NULL));
	self->id = linux_device("again");
	guest_le(guest, 0, self->id);
	guest_file(guest, self->id, "size", 512 * MiB);
	guest_runs(guest, "memory fill /memory/a 400M 1");
	guest_le(guest, 400 * MiB, linux_number(self->id, "resident"));

	guest_eq(guest, -ECONNRESET, linux_run(guest, "reboot -f", NULL, 0, LINUX_BOOT_TIME));
	guest_eq(guest, 0, linux_wait_ready(guest, LINUX_BOOT_TIME));
	guest_eq(guest, self->id, linux_device("again"));
	guest_file(guest, self->id, "size", 512 * MiB);
	guest_runs(guest, "[ $(nproc) = 2 ]");
	/* It is not the memory of before. */
	guest_le(guest, linux_number(self->id, "resident"), 128 * MiB);
	guest_runs(guest, "memory fill /memory/a 400M 2");
	guest_runs(guest, "memory verify /memory/a 400M 2");
	guest_eq(guest, 0, linux_number(self->id, "counters/errors"));
	guest_eq(guest, 0, linux_number(self->id, "violations"));

	guest_eq(guest, 0, linux_end(guest, SIGTERM, LINUX_END_TIME));
	ASSERT_EQ(-ENOENT, linux_device("again"));
}

TEST_F(vms, have_nothing_to_do_with_each_other)
{
	struct linux_guest *one = &self->guest, *two = &self->other;

	guest_eq(one, 0, linux_vmm_start(one, LINUX_APPEND, "--vmem", "1T,label=one", NULL));
	guest_eq(two, 0, linux_vmm_start(two, LINUX_APPEND, "--vmem", "64G,label=two", NULL));
	guest_eq(one, 0, linux_wait_ready(one, LINUX_BOOT_TIME));
	guest_eq(two, 0, linux_wait_ready(two, LINUX_BOOT_TIME));
	self->id = linux_device("one");
	self->other_id = linux_device("two");
	guest_le(one, 0, self->id);
	guest_le(two, 0, self->other_id);

	guest_resize(one, self->said, "one", "256M");
	guest_eq(two, 0, linux_number(self->other_id, "size"));
	guest_resize(two, self->said, "two", "512M");
	guest_eq(one, 256 * MiB, linux_number(self->id, "size"));
	guest_runs(one, "memory fill /memory/a 200M 1");
	guest_runs(two, "memory fill /memory/a 400M 2");
	guest_runs(one, "memory verify /memory/a 200M 1");

	ASSERT_EQ(0, linux_tool(self->said, sizeof(self->said), LINUX_END_TIME, "vmemctl",
				"list", NULL));
	ASSERT_TRUE(strstr(self->said, "one") && strstr(self->said, "two"))
		TH_LOG("vmemctl: %s", self->said);

	/* One is killed: nothing of it is left, and nothing of the other is lost. */
	guest_eq(one, 128 + SIGKILL, linux_end(one, SIGKILL, LINUX_END_TIME));
	ASSERT_EQ(-ENOENT, linux_device("one"));
	guest_runs(two, "memory verify /memory/a 400M 2 && rm /memory/a");
	guest_resize(two, self->said, "two", "0");

	guest_eq(two, 0, linux_send(two, "poweroff -f\n"));
	guest_eq(two, 0, linux_wait_exit(two, LINUX_END_TIME));
	ASSERT_EQ(-ENOENT, linux_device("two"));
	ASSERT_EQ(0, count_devices());
}

TEST_HARNESS_MAIN
