// SPDX-License-Identifier: GPL-2.0
/* A stock Linux guest grows and shrinks, as its operator asks for by vmemctl. */
#include "linux_harness.h"

FIXTURE(stock) {
	struct linux_guest guest;
	char said[1024];
	int id;
};

FIXTURE_SETUP(stock)
{
	guest_eq(&self->guest, 0, linux_vmm_boot(&self->guest, LINUX_APPEND,
						 "--vmem", "1T,label=web1", NULL));
	self->id = linux_device("web1");
	guest_le(&self->guest, 0, self->id);
}

FIXTURE_TEARDOWN(stock)
{
	linux_stop(&self->guest);
}

TEST_F(stock, guest_gets_memory_that_works_and_gives_it_back)
{
	struct linux_guest *guest = &self->guest;
	int64_t before = linux_memtotal(guest);

	guest_le(guest, 64 * (int64_t)MiB, before);
	guest_resize(guest, self->said, "web1", "2G");
	guest_memtotal(guest, before + 2 * (int64_t)GiB);
	guest_eq(guest, 2 * GiB, linux_number(self->id, "size"));
	guest_eq(guest, 2, linux_number(self->id, "memslots_active"));
	guest_runs(guest, "memory fill /memory/a 1792M 1");
	guest_runs(guest, "memory verify /memory/a 1792M 1");
	guest_le(guest, 1792 * MiB, linux_number(self->id, "resident"));

	guest_runs(guest, "rm /memory/a");
	guest_resize(guest, self->said, "web1", "0");
	guest_memtotal(guest, before);
	guest_eq(guest, 0, linux_number(self->id, "size"));
	guest_file(guest, self->id, "resident", 0);
	guest_file(guest, self->id, "memslots_idle", 0);
	guest_eq(guest, 0, linux_number(self->id, "memslots_active"));

	guest_resize(guest, self->said, "web1", "512M");
	guest_runs(guest, "memory fill /memory/a 400M 2");
	guest_runs(guest, "memory verify /memory/a 400M 2");
	guest_eq(guest, 0, linux_number(self->id, "violations"));

	guest_eq(guest, 0, linux_end(guest, SIGTERM, LINUX_END_TIME));
	ASSERT_EQ(-ENOENT, linux_device("web1"));
}

/* What it uses has nowhere else to go. */
TEST_F(stock, guest_keeps_what_it_uses)
{
	struct linux_guest *guest = &self->guest;
	uint64_t size;

	guest_resize(guest, self->said, "web1", "1G");
	guest_runs(guest, "memory fill /memory/a 768M 3");
	guest_stalls(guest, self->said, "web1", "0");
	size = linux_number(self->id, "size");
	guest_le(guest, 512 * MiB, size);
	guest_le(guest, size, GiB);
	ASSERT_NE(NULL, strstr(self->said, "stalled at "))
		TH_LOG("vmemctl: %s", self->said);
	guest_runs(guest, "memory verify /memory/a 768M 3");

	guest_runs(guest, "rm /memory/a");
	guest_resize(guest, self->said, "web1", "0");
	guest_eq(guest, 0, linux_number(self->id, "violations"));

	guest_eq(guest, 0, linux_send(guest, "poweroff -f\n"));
	guest_eq(guest, 0, linux_wait_exit(guest, LINUX_END_TIME));
	ASSERT_EQ(-ENOENT, linux_device("web1"));
}

TEST_HARNESS_MAIN
