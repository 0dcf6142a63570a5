/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How tests move a stock Linux guest from one vmem-vmm to another while it writes to its
 * memory, and back.
 */
#ifndef KVM_VMEM_TEST_LINUX_MIGRATE_H
#define KVM_VMEM_TEST_LINUX_MIGRATE_H

#include "linux_harness.h"

#include "migration.h"

/* For 2 GiB to be sent, emulated, with the guest on the same CPU. */
#define STOCK_MIGRATION_TIME (200 * SLOWNESS)

/**
 * struct stock - a guest that moves between two sides
 * @guests: The vmem-vmm of each side; that which does not run is all zeros
 * @at: Where the guest is
 * @said: What was said last
 */
struct stock {
	struct linux_guest guests[2];
	unsigned int at;
	char said[4096];
};

static inline const char *stock_control(unsigned int side)
{
	return side ? MIGRATION_TARGET : MIGRATION_SOURCE;
}

static inline struct linux_guest *stock_guest(struct stock *stock)
{
	return &stock->guests[stock->at];
}

static inline int stock_boot(struct stock *stock, const struct vmm_kind *kind)
{
	return linux_vmm_boot(stock_guest(stock), LINUX_APPEND, "--vmem", kind->vmem,
			      "--vmem-mode", kind->mode, "--control", stock_control(stock->at),
			      NULL);
}

/* Where the guest moves to. */
static inline int stock_start_target(struct stock *stock, const struct vmm_kind *kind)
{
	unsigned int side = !stock->at;
	int ret;

	ret = linux_vmm_start(&stock->guests[side], LINUX_APPEND, "--vmem", kind->vmem,
			      "--vmem-mode", kind->mode, "--control", stock_control(side),
			      "--incoming", "unix:" MIGRATION_SOCKET, NULL);
	return ret ?: wait_for_socket(MIGRATION_SOCKET, LINUX_BOOT_TIME);
}

static inline void stock_end(struct stock *stock)
{
	linux_stop(&stock->guests[0]);
	linux_stop(&stock->guests[1]);
	unlink(MIGRATION_SOURCE);
	unlink(MIGRATION_TARGET);
	unlink(MIGRATION_SOCKET);
}

/* Starts to write all the time, in the background, and to check what was written. */
#define stock_works(vm, size) \
	guest_runs(stock_guest(vm), \
		   "rm -f /tmp/churn.end; memory churn " size " /tmp/churn 20")

/* And ends; all that was written was there until it was written anew. */
#define stock_worked(vm) do { \
	struct stock *stock_ = vm; \
\
	guest_eq(stock_guest(stock_), 0, \
		 linux_run(stock_guest(stock_), "memory churned /tmp/churn", stock_->said, \
			   sizeof(stock_->said), LINUX_COMMAND_TIME)); \
	ASSERT_NE(NULL, strstr(stock_->said, " 0 bad pages")) \
		TH_LOG("%s", stock_->said); \
	TH_LOG("%s", stock_->said); \
} while (0)

/* The guest moves. What the source said last of it is in @said. */
#define stock_moves(vm, kind) do { \
	struct stock *moved_ = vm; \
	struct linux_guest *source_ = stock_guest(moved_); \
\
	guest_eq(source_, 0, stock_start_target(moved_, kind)); \
	guest_eq(source_, 0, linux_control(stock_control(moved_->at), \
					   "migrate unix:" MIGRATION_SOCKET, moved_->said, \
					   sizeof(moved_->said))); \
	guest_eq(source_, 0, linux_wait_exit(source_, STOCK_MIGRATION_TIME)); \
	snprintf(moved_->said, sizeof(moved_->said), "%s", source_->messages.text ?: ""); \
	ASSERT_NE(NULL, strstr(moved_->said, "\"state\":\"completed\"")) \
		TH_LOG("%s", moved_->said); \
	linux_stop(source_); \
	moved_->at = !moved_->at; \
} while (0)

/*
 * Bytes on the wire, beside what they may be: 1.1 of boot RAM, what is plugged, and what
 * was dirtied again.
 */
#define stock_wire_is_bounded(vm) do { \
	const char *said_ = (vm)->said; \
	uint64_t memory_ = number_in(said_, "memory_bytes"); \
	uint64_t dirtied_ = number_in(said_, "dirtied_bytes"); \
	uint64_t wire_ = number_in(said_, "wire_bytes"); \
	uint64_t bound_ = (memory_ + dirtied_) / 10 * 11; \
\
	TH_LOG("wire %llu MiB, may be %llu: memory %llu, dirtied %llu", wire_ / MiB, \
	       bound_ / MiB, memory_ / MiB, dirtied_ / MiB); \
	TH_LOG("%lu rounds, %lu ms, downtime %lu ms", number_in(said_, "rounds"), \
	       number_in(said_, "elapsed_ms"), number_in(said_, "downtime_ms")); \
	ASSERT_LE(wire_, bound_); \
} while (0)

/* Its clocks and CPUs have nothing to complain of. */
#define stock_is_content(vm) \
	guest_runs(stock_guest(vm), \
		   "! dmesg | grep -E 'lockup|stall|hung|watchdog:|BUG|WARNING'")

#endif /* KVM_VMEM_TEST_LINUX_MIGRATE_H */
