/* SPDX-License-Identifier: GPL-2.0 */
/* What this process has mapped, to find what a call has added to it. */
#ifndef KVM_VMEM_TEST_MAPPINGS_H
#define KVM_VMEM_TEST_MAPPINGS_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_MAPPINGS 128

/**
 * struct mappings - the mappings of a process at one moment
 * @nb: How many there are
 * @list: They, in ascending order of address
 */
struct mappings {
	unsigned int nb;
	struct {
		uintptr_t start, end;
	} list[MAX_MAPPINGS];
};

bool read_mappings(struct mappings *mappings);

/* The page that came: a mapping of its own, or an end of one. NULL if none did. */
void *new_page(const struct mappings *before, const struct mappings *after);

#endif /* KVM_VMEM_TEST_MAPPINGS_H */
