// SPDX-License-Identifier: GPL-2.0
/*
 * A stock Linux guest moves through all modes of vmem-vmm while it writes to its memory,
 * then through a file, reboots, and has its memory anew.
 */
#include "linux_migrate.h"

#define FILE_PATH "/tmp/kvm_vmem.saved"
/* Of each: KVM has no idea of the others' memslots. */
#define TIME (600 * SLOWNESS)

static const struct vmm_kind kinds[] = {
	{ "group", "16G,label=a" },
	{ "static", "16G,label=b" },
	{ "dynamic-user", "16G,label=c" },
	{ "group", "16G,label=d,memslot=128M" },
};

FIXTURE(stock) {
	struct stock stock;
};

FIXTURE_SETUP(stock)
{
}

FIXTURE_TEARDOWN(stock)
{
	stock_end(&self->stock);
	unlink(FILE_PATH);
}

/* The guest plugs that much, sooner or later. */
#define grows_to(size, bytes) do { \
	struct linux_guest *grown_ = stock_guest(&self->stock); \
	int64_t tries_ = 10 * LINUX_RESIZE_TIME; \
\
	guest_eq(grown_, 0, linux_control(stock_control(self->stock.at), "resize " size, \
					  self->stock.said, sizeof(self->stock.said))); \
	do { \
		guest_eq(grown_, 0, linux_control(stock_control(self->stock.at), "info", \
						  self->stock.said, sizeof(self->stock.said))); \
		usleep(100000); \
	} while (number_in(self->stock.said, "size") != (bytes) && --tries_); \
	guest_eq(grown_, bytes, number_in(self->stock.said, "size")); \
} while (0)

TEST_F_TIMEOUT(stock, guest_moves_through_all_modes, TIME)
{
	struct linux_guest *guest = stock_guest(&self->stock);
	unsigned int i;

	guest_eq(guest, 0, stock_boot(&self->stock, &kinds[0]));
	grows_to("512M", 512 * MiB);
	guest_runs(guest, "memory fill /memory/a 256M 1");
	for (i = 1; i <= ARRAY_SIZE(kinds); i++) {
		stock_works(&self->stock, "32M");
		stock_moves(&self->stock, &kinds[i % ARRAY_SIZE(kinds)]);
		TH_LOG("to %s", kinds[i % ARRAY_SIZE(kinds)].mode);
		stock_wire_is_bounded(&self->stock);
		guest = stock_guest(&self->stock);
		stock_worked(&self->stock);
		guest_runs(guest, "memory verify /memory/a 256M 1");
	}
	grows_to("1G", GiB);
	stock_is_content(&self->stock);
	guest_eq(guest, 0, linux_send(guest, "poweroff -f\n"));
	guest_eq(guest, 0, linux_wait_exit(guest, LINUX_END_TIME));
}

TEST_F_TIMEOUT(stock, guest_is_saved_with_two_CPUs_and_reboots_where_it_is_restored, TIME)
{
	struct linux_guest *guest = &self->stock.guests[0];

	guest_eq(guest, 0, linux_vmm_boot(guest, LINUX_APPEND, "--cpus", "2", "--vmem",
					  kinds[0].vmem, "--control", MIGRATION_SOURCE, NULL));
	grows_to("512M", 512 * MiB);
	guest_runs(guest, "memory fill /memory/a 256M 1");
	stock_works(&self->stock, "32M");
	guest_eq(guest, 0, linux_control(MIGRATION_SOURCE, "save " FILE_PATH, self->stock.said,
					 sizeof(self->stock.said)));
	guest_eq(guest, 0, linux_wait_exit(guest, STOCK_MIGRATION_TIME));
	linux_stop(guest);

	guest_eq(guest, 0, linux_vmm_start(guest, LINUX_APPEND, "--cpus", "2", "--vmem",
					   kinds[3].vmem, "--control", MIGRATION_SOURCE,
					   "--restore", FILE_PATH, NULL));
	stock_worked(&self->stock);
	guest_runs(guest, "memory verify /memory/a 256M 1");
	guest_runs(guest, "[ $(nproc) = 2 ]");
	stock_is_content(&self->stock);

	guest_eq(guest, -ECONNRESET, linux_run(guest, "reboot -f", NULL, 0, LINUX_BOOT_TIME));
	guest_eq(guest, 0, linux_wait_ready(guest, LINUX_BOOT_TIME));
	grows_to("256M", 256 * MiB);
	guest_runs(guest, "memory fill /memory/a 128M 2");
	guest_runs(guest, "memory verify /memory/a 128M 2");
	guest_eq(guest, 0, linux_send(guest, "poweroff -f\n"));
	guest_eq(guest, 0, linux_wait_exit(guest, LINUX_END_TIME));
}

TEST_HARNESS_MAIN
