/* SPDX-License-Identifier: GPL-2.0 */
/* Several threads use their own devices in common VMs, and one watches. */
#ifndef VMEM_MODEL_THREADS_H
#define VMEM_MODEL_THREADS_H

#include "run.h"

#define MAX_THREADS 4

/**
 * struct episode - a sequence of operations from a fresh start
 * @target: What is compared with the model
 * @nr_threads: How many threads there are; slots are given to them in turn
 * @nr_slots: How many slots are used
 * @nr_ops: How many operations there are
 * @seed: Where they come from
 * @replay: Those to run instead of random ones, or NULL
 * @script: Result: what was run, in the order in which it began
 * @counts: Result: what was done
 * @failure: Result: the difference, if there was one
 */
struct episode {
	struct target *target;
	unsigned int nr_threads;
	unsigned int nr_slots;
	uint64_t nr_ops;
	uint64_t seed;
	const struct script *replay;
	struct script script;
	struct counts counts;
	struct failure failure;
};

/* Returns RUN_SAME, RUN_DIFFERS, or -errno. */
int episode_run(struct episode *episode);

#endif /* VMEM_MODEL_THREADS_H */
