/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A memory cgroup (version 2) of the test's own. Functions return 0 or -errno, unless
 * said otherwise.
 */
#ifndef KVM_VMEM_TEST_CGROUP_H
#define KVM_VMEM_TEST_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CGROUP_ROOT "/sys/fs/cgroup"

/**
 * struct cgroup - a cgroup
 * @path: Its directory
 * @max: Its limit; open, as a process at its limit may be unable to open it
 */
struct cgroup {
	char path[64];
	int max;
};

bool has_memory_cgroups(void);

int cgroup_create(struct cgroup *cgroup, const char *name);
/*
 * Waits for what is left of its processes; fails while there is one in it. No CPU refers to
 * it afterwards: if it is still dying later, something is charged to it.
 */
int cgroup_destroy(struct cgroup *cgroup);

/* The calling process, and its children to come. */
int cgroup_enter(const struct cgroup *cgroup);
int cgroup_leave(void);

int cgroup_set_limit(const struct cgroup *cgroup, uint64_t limit);

/* What is charged to it. */
uint64_t cgroup_charged(const struct cgroup *cgroup);
/* A number after its name in one of its files; ~0 if it is not there. */
uint64_t cgroup_value(const struct cgroup *cgroup, const char *file,
		      const char *name);
uint64_t cgroup_nr_oom_kills(const struct cgroup *cgroup);

/*
 * The kernel tells of a cgroup out of memory with a stack trace, which is what is looked
 * for on the console. Where it is no news the console is silent, until it is restored.
 */
void console_silence(char *saved, size_t size);
void console_restore(const char *saved);

/* Cgroups of the host that are gone but for what is still charged to them. */
uint64_t nr_dying_cgroups(void);

#endif /* KVM_VMEM_TEST_CGROUP_H */
