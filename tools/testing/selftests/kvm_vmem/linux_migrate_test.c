// SPDX-License-Identifier: GPL-2.0
/*
 * A stock Linux guest with 2 GiB plugged of 1 TiB is migrated while it writes to its
 * memory: what it wrote is there, no more was sent than had to be, and it grows and
 * shrinks again. Once, or as often as KVM_VMEM_MIGRATIONS says, to and fro.
 */
#include "linux_migrate.h"

#include <stdlib.h>

#define BOOT_RAM_SIZE (256 * MiB)
#define ONE_TIME (900 * SLOWNESS)
#define MOST_TIME (20 * ONE_TIME)

static const struct vmm_kind kinds[] = {
	{ "group", "1T,label=one" },
	{ "group", "1T,label=two,memslot=256M" },
};

static const char *const labels[] = { "one", "two" };

FIXTURE(stock) {
	struct stock stock;
	int64_t memtotal;
};

FIXTURE_SETUP(stock)
{
	struct linux_guest *guest = stock_guest(&self->stock);

	guest_eq(guest, 0, stock_boot(&self->stock, &kinds[0]));
	self->memtotal = linux_memtotal(guest);
	guest_resize(guest, self->stock.said, "one", "2G");
	guest_runs(guest, "memory fill /memory/a 1536M 1");
}

FIXTURE_TEARDOWN(stock)
{
	stock_end(&self->stock);
}

static unsigned int nr_migrations(void)
{
	const char *wanted = getenv("KVM_VMEM_MIGRATIONS");

	return wanted ? strtoul(wanted, NULL, 10) : 1;
}

TEST_F_TIMEOUT(stock, guest_moves, MOST_TIME)
{
	unsigned int i, nr = nr_migrations();
	struct linux_guest *guest = stock_guest(&self->stock);
	int id = linux_device("one");

	for (i = 1; i <= nr; i++) {
		stock_works(&self->stock, "64M");
		stock_moves(&self->stock, &kinds[self->stock.at ? 0 : 1]);
		ASSERT_EQ(BOOT_RAM_SIZE + 2 * GiB, number_in(self->stock.said, "memory_bytes"));
		ASSERT_LT(1536 * MiB, number_in(self->stock.said, "wire_bytes"));
		/* It did write meanwhile. */
		ASSERT_LT(MiB, number_in(self->stock.said, "dirtied_bytes"));
		TH_LOG("migration %u of %u", i, nr);
		stock_wire_is_bounded(&self->stock);

		guest = stock_guest(&self->stock);
		ASSERT_EQ(-ENOENT, linux_device(labels[!self->stock.at]));
		id = linux_device(labels[self->stock.at]);
		guest_le(guest, 0, id);
		guest_eq(guest, 2 * GiB, linux_number(id, "size"));
		stock_worked(&self->stock);
		guest_runs(guest, "memory verify /memory/a 1536M 1");
		stock_is_content(&self->stock);
	}

	guest_resize(guest, self->stock.said, labels[self->stock.at], "3G");
	guest_eq(guest, self->memtotal + 3 * (int64_t)GiB, linux_memtotal(guest));
	guest_runs(guest, "memory fill /memory/b 900M 2");
	guest_runs(guest, "memory verify /memory/b 900M 2");
	guest_runs(guest, "rm /memory/a /memory/b");
	guest_resize(guest, self->stock.said, labels[self->stock.at], "2G");
	guest_eq(guest, 0, linux_number(id, "violations"));
	guest_eq(guest, 0, linux_number(id, "counters/errors"));
	guest_eq(guest, 0, linux_send(guest, "poweroff -f\n"));
	guest_eq(guest, 0, linux_wait_exit(guest, LINUX_END_TIME));
}

TEST_HARNESS_MAIN
