// SPDX-License-Identifier: GPL-2.0
/* The guest's virtio_mem driver comes and goes. */
#include "linux_harness.h"

FIXTURE(driver) {
	struct linux_guest guest;
	char said[1024];
	int id;
};

FIXTURE_SETUP(driver)
{
	guest_eq(&self->guest, 0, linux_vmm_boot(&self->guest, LINUX_APPEND LINUX_NO_DRIVER,
						 "--vmem", "64G,requested=128M,label=late",
						 NULL));
	self->id = linux_device("late");
	guest_le(&self->guest, 0, self->id);
}

FIXTURE_TEARDOWN(driver)
{
	linux_stop(&self->guest);
}

TEST_F(driver, that_is_loaded_later_finds_what_was_requested)
{
	struct linux_guest *guest = &self->guest;
	int64_t before = linux_memtotal(guest);

	guest_stalls(guest, self->said, "late", "256M");
	ASSERT_NE(NULL, strstr(self->said, "made no request"))
		TH_LOG("vmemctl: %s", self->said);
	guest_eq(guest, 0, linux_number(self->id, "size"));

	guest_runs(guest, "modprobe virtio_mem");
	guest_file(guest, self->id, "size", 256 * MiB);
	guest_memtotal(guest, before + 256 * (int64_t)MiB);
	guest_runs(guest, "memory fill /memory/a 200M 1");
	guest_runs(guest, "memory verify /memory/a 200M 1 && rm /memory/a");

	guest_resize(guest, self->said, "late", "0");
	guest_runs(guest, "rmmod virtio_mem");
	guest_stalls(guest, self->said, "late", "384M");
	guest_eq(guest, 0, linux_number(self->id, "size"));
	guest_runs(guest, "modprobe virtio_mem");
	guest_file(guest, self->id, "size", 384 * MiB);
	guest_eq(guest, 0, linux_number(self->id, "counters/errors"));

	/* Ctrl-A x, which is the VMM's. */
	guest_eq(guest, 0, linux_send(guest, "\001x"));
	guest_eq(guest, 0, linux_wait_exit(guest, LINUX_END_TIME));
	ASSERT_EQ(-ENOENT, linux_device("late"));
}

TEST_HARNESS_MAIN
