// SPDX-License-Identifier: GPL-2.0
/*
 * A stock Linux guest with a part plugged of 1 TiB is migrated while it writes to its
 * memory: what it wrote is there, no more was sent than had to be, and it grows and
 * shrinks again. Once and with 256 MiB; or to and fro as often as KVM_VMEM_MIGRATIONS
 * says, with 2 GiB.
 */
#include "linux_migrate.h"

#include <stdlib.h>

#define BOOT_RAM_SIZE (256 * MiB)
/* Of the test: the lab ends what takes too long. */
#define MOST_TIME (30000 * SLOWNESS)

static const struct vmm_kind kinds[] = {
	{ "group", "1T,label=one" },
	{ "group", "1T,label=two,memslot=256M" },
};

static const char *const labels[] = { "one", "two" };

/*
 * What the guest has, and has more of in the end; what it keeps in that, and writes to all
 * the time.
 */
struct amount {
	uint64_t plugged, more;
	const char *size, *larger, *fill, *verify, *churn;
};

static const struct amount few = {
	256 * MiB, 512 * MiB, "256M", "512M",
	"memory fill /memory/a 160M 1", "memory verify /memory/a 160M 1", "16M",
};

static const struct amount all = {
	2 * GiB, 3 * GiB, "2G", "3G",
	"memory fill /memory/a 1792M 1", "memory verify /memory/a 1792M 1", "64M",
};

FIXTURE(stock) {
	struct stock stock;
	unsigned int nr;
	const struct amount *amount;
	int64_t memtotal;
};

FIXTURE_SETUP(stock)
{
	struct linux_guest *guest = stock_guest(&self->stock);
	const char *wanted = getenv("KVM_VMEM_MIGRATIONS");

	self->nr = wanted ? strtoul(wanted, NULL, 10) : 1;
	self->amount = wanted ? &all : &few;
	guest_eq(guest, 0, stock_boot(&self->stock, &kinds[0]));
	self->memtotal = linux_memtotal(guest);
	guest_resize(guest, self->stock.said, "one", self->amount->size);
	stock_runs(&self->stock, self->amount->fill);
}

FIXTURE_TEARDOWN(stock)
{
	stock_end(&self->stock);
}

#define test_grows_again() do { \
	struct linux_guest *guest_ = stock_guest(&self->stock); \
	const char *label_ = labels[self->stock.at]; \
	int id_ = linux_device(label_); \
\
	guest_resize(guest_, self->stock.said, label_, self->amount->larger); \
	guest_eq(guest_, self->memtotal + (int64_t)self->amount->more, linux_memtotal(guest_)); \
	stock_runs(&self->stock, "memory fill /memory/b 240M 2"); \
	stock_runs(&self->stock, "memory verify /memory/b 240M 2"); \
	stock_runs(&self->stock, self->amount->verify); \
	guest_runs(guest_, "rm /memory/a /memory/b"); \
	guest_resize(guest_, self->stock.said, label_, self->amount->size); \
	guest_eq(guest_, 0, linux_number(id_, "violations")); \
	guest_eq(guest_, 0, linux_number(id_, "counters/errors")); \
} while (0)

TEST_F_TIMEOUT(stock, guest_moves, MOST_TIME)
{
	const struct amount *amount = self->amount;
	struct linux_guest *guest;
	unsigned int i;
	int id;

	for (i = 1; i <= self->nr; i++) {
		stock_works(&self->stock, amount->churn);
		stock_moves(&self->stock, &kinds[!self->stock.at]);
		TH_LOG("migration %u of %u", i, self->nr);
		ASSERT_EQ(BOOT_RAM_SIZE + amount->plugged,
			  number_in(self->stock.said, "memory_bytes"));
		/* It did write meanwhile. */
		ASSERT_LT(MiB, number_in(self->stock.said, "dirtied_bytes"));
		stock_wire_is_bounded(&self->stock);

		guest = stock_guest(&self->stock);
		ASSERT_EQ(-ENOENT, linux_device(labels[!self->stock.at]));
		id = linux_device(labels[self->stock.at]);
		guest_le(guest, 0, id);
		guest_eq(guest, amount->plugged, linux_number(id, "size"));
		stock_worked(&self->stock);
		stock_runs(&self->stock, amount->verify);
		self->stock.nr_intact++;
		stock_is_content(&self->stock);
	}
	test_grows_again();
	guest = stock_guest(&self->stock);
	guest_eq(guest, 0, linux_send(guest, "poweroff -f\n"));
	guest_eq(guest, 0, linux_wait_exit(guest, LINUX_END_TIME));
}

TEST_HARNESS_MAIN
