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
#define STOCK_MIGRATION_TIME (600 * SLOWNESS)
/* For the guest to write to that much, or to read it. */
#define STOCK_MEMORY_TIME (300 * SLOWNESS)

/**
 * struct stock - a guest that moves between two sides
 * @guests: The vmem-vmm of each side; that which does not run is all zeros
 * @at: Where the guest is
 * @nr_moves: How often it has moved
 * @nr_intact: How often it found all of its memory as it had left it
 * @most_ratio: Bytes on the wire in one move, to those that there were to be sent; the most
 * @said: What was said last
 */
struct stock {
	struct linux_guest guests[2];
	unsigned int at;
	unsigned int nr_moves;
	unsigned int nr_intact;
	double most_ratio;
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

/* Says what there was, whether the test passed or not. */
static inline void stock_end(struct stock *stock)
{
	if (stock->nr_moves)
		printf("# migrations: %u of %u corrupted, wire at most %.3f of what there was\n",
		       stock->nr_moves - stock->nr_intact, stock->nr_moves, stock->most_ratio);
	fflush(stdout);
	linux_stop(&stock->guests[0]);
	linux_stop(&stock->guests[1]);
	unlink(MIGRATION_SOURCE);
	unlink(MIGRATION_TARGET);
	unlink(MIGRATION_SOCKET);
}

/* Something takes the guest as long as its memory is large. */
#define stock_runs(vm, command) \
	guest_eq(stock_guest(vm), 0, \
		 linux_run(stock_guest(vm), command, (vm)->said, sizeof((vm)->said), \
			   STOCK_MEMORY_TIME))

/* Starts to write all the time, in the background, and to check what was written. */
#define stock_works(vm, size) do { \
	char command_[128]; \
\
	snprintf(command_, sizeof(command_), \
		 "rm -f /tmp/churn.end; memory churn %s /tmp/churn 20", size); \
	stock_runs(vm, command_); \
} while (0)

/* And ends; all that was written was there until it was written anew. */
#define stock_worked(vm) do { \
	stock_runs(vm, "memory churned /tmp/churn"); \
	ASSERT_NE(NULL, strstr((vm)->said, " 0 bad pages")) \
		TH_LOG("%s", (vm)->said); \
	TH_LOG("%s", (vm)->said); \
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
	moved_->nr_moves++; \
} while (0)

/*
 * Bytes on the wire are at most 1.1 of boot memory, what is plugged, and what was dirtied
 * again; and few of them are anything but pages.
 */
#define stock_wire_is_bounded(vm) do { \
	struct stock *sent_ = vm; \
	uint64_t memory_ = number_in(sent_->said, "memory_bytes"); \
	uint64_t dirtied_ = number_in(sent_->said, "dirtied_bytes"); \
	uint64_t wire_ = number_in(sent_->said, "wire_bytes"); \
	uint64_t pages_ = number_in(sent_->said, "page_bytes"); \
	double ratio_ = (double)wire_ / (memory_ + dirtied_); \
\
	TH_LOG("wire %llu MiB, %.3f of memory %llu and dirtied %llu; zeros %llu", wire_ / MiB, \
	       ratio_, memory_ / MiB, dirtied_ / MiB, \
	       number_in(sent_->said, "zero_bytes") / MiB); \
	TH_LOG("%lu rounds, %lu ms, downtime %lu ms", number_in(sent_->said, "rounds"), \
	       number_in(sent_->said, "elapsed_ms"), number_in(sent_->said, "downtime_ms")); \
	if (ratio_ > sent_->most_ratio) \
		sent_->most_ratio = ratio_; \
	ASSERT_LE(wire_, (memory_ + dirtied_) / 10 * 11); \
	ASSERT_LE(wire_ - pages_, pages_ / 50 + 4 * MiB); \
} while (0)

/* Its clocks and CPUs have nothing to complain of. */
#define stock_is_content(vm) \
	guest_runs(stock_guest(vm), \
		   "! dmesg | grep -E 'BUG:|WARNING:|detected stall|blocked for|Marking clock'")

#endif /* KVM_VMEM_TEST_LINUX_MIGRATE_H */
