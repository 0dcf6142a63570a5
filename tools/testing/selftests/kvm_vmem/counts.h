/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel has of everything that VMs and devices are made of, counted by
 * the kernel itself: to see that nothing is left of them.
 */
#ifndef KVM_VMEM_TEST_COUNTS_H
#define KVM_VMEM_TEST_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#define COUNT_NAME_SIZE	40
#define MAX_COUNTS	512

/**
 * struct count - how much there is of something
 * @name: What: a slab cache, or what counts_read() calls it
 * @value: How many, or bytes
 * @exact: Nobody else makes any, so that it comes back to what it was
 * @room: By how much it may grow with nothing left of anything
 */
struct count {
	char name[COUNT_NAME_SIZE];
	uint64_t value;
	bool exact;
	uint64_t room;
};

/**
 * struct counts - a census
 * @nb: Number of entries in @list
 * @list: The counts
 */
struct counts {
	unsigned int nb;
	struct count list[MAX_COUNTS];
};

/* Before the first of the others, and after the last. Returns 0 or -errno. */
int counts_open(void);
void counts_close(void);

/* The exact ones, which are soon counted; or all. Returns 0 or -errno. */
int counts_read(struct counts *counts, bool all);

/*
 * Waits until nothing of @before has grown; what is not exact, by more than @slack.
 * Returns how many have, with a line on each.
 */
int counts_grown(const struct counts *before, bool all, uint64_t slack);

/* VMs that KVM has. */
int count_vms(void);

#endif /* KVM_VMEM_TEST_COUNTS_H */
