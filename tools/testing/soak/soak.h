/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A soak: actors that use devices in every way there is, all at once, for as long as is
 * wanted; and what the host has before and after.
 *
 * An actor lives in a process of its own, until it is through, told to end (SIGTERM), or
 * killed. It returns 0, or what it should never have seen, after soak_wrong().
 */
#ifndef KVM_VMEM_SOAK_H
#define KVM_VMEM_SOAK_H

#include <stdbool.h>
#include <stdint.h>

/* What all actors count, in memory that they share. */
enum soak_tally {
	SOAK_VMMS,	/* that were started */
	SOAK_KILLED,	/* actors, by SIGKILL */
	SOAK_REQUESTS,
	SOAK_BUSY,	/* requests that were answered so */
	SOAK_DENIED,	/* accesses */
	SOAK_PAGES,	/* that guests wrote to and found as they were */
	SOAK_RESIZES,	/* by the operator */
	SOAK_READS,	/* of files in sysfs and debugfs */
	SOAK_NR_TALLIES
};

void soak_count(enum soak_tally tally, uint64_t nr);

/* Says what is wrong, and ends the actor. */
__attribute__((format(printf, 1, 2), noreturn))
void soak_wrong(const char *format, ...);

/* SIGTERM came. Waits that are long are made of short ones. */
bool soak_ends(void);
void soak_pause_ms(unsigned int ms);

/* Random numbers of the actor. */
unsigned int soak_random(unsigned int below);
bool soak_chance(unsigned int percent);

/* And a process' number: the cgroup of an actor; its to make, not to remove. */
#define SOAK_CGROUP "/sys/fs/cgroup/soak."

/* rig.c: VMMs that have a vCPU or two, and a device */
int rig_live(void);
int rig_live_in_cgroup(void);

/* guests.c: vmem-vmm */
int mini_live(void);
int stock_live(void);

/* operator.c: who looks at devices, and turns their knobs */
int reader_live(void);
int writer_live(void);
int vmemctl_live(void);
int tracer_live(void);

/* slabs.c */

/**
 * struct slab - a slab cache
 * @name: Its name
 * @used: How many objects are in use
 * @object_size: Bytes of each
 * @size: Bytes of all its slabs
 */
struct slab {
	char name[32];
	uint64_t used;
	uint64_t object_size;
	uint64_t size;
};

#define SLABS_NR 512

struct slabs {
	struct slab slabs[SLABS_NR];
	unsigned int nr;
};

void slabs_read(struct slabs *slabs);
/* Bytes of the objects that are in use. */
uint64_t slabs_in_use(const struct slabs *slabs);
/* Prints those that have grown. */
void slabs_compare(const struct slabs *before, const struct slabs *after);

/* host.c */

/**
 * struct host_figure - something that the host has
 * @name: As in the table
 * @unit: Likewise
 * @value: How much of it
 * @slack: What it may differ by, if that is more than 1 %
 */
struct host_figure {
	const char *name;
	const char *unit;
	uint64_t value;
	uint64_t slack;
};

#define HOST_NR_FIGURES 17

/**
 * struct host - what the host has
 * @figures: By what it is used for
 * @nr: How many of these there are
 * @slabs: Its slab caches
 */
struct host {
	struct host_figure figures[HOST_NR_FIGURES];
	unsigned int nr;
	struct slabs slabs;
};

/* Frees what can be freed, and waits until nothing is on its way any more. */
void host_settle(void);
void host_read(struct host *host);
/* Prints what has changed. Returns whether nothing differs by more than 1 % or its slack. */
bool host_compare(const struct host *before, const struct host *after);

#endif /* KVM_VMEM_SOAK_H */
