/* SPDX-License-Identifier: GPL-2.0 */
/* Runs operations on the target and the model, and compares what they say. */
#ifndef VMEM_MODEL_RUN_H
#define VMEM_MODEL_RUN_H

#include <pthread.h>

#include "target.h"

/**
 * struct failure - a difference
 * @op: The operation after which it was seen
 * @seen_by: The operation whose answers differ: the same, or one that looks afterwards
 * @difference: What differs
 */
struct failure {
	struct op op;
	enum op_kind seen_by;
	struct difference difference;
};

#define MAX_OUTCOMES	32

/**
 * struct counts - what was done and answered
 * @nr_run: Operations that were run
 * @nr_skipped: Operations that the model did not accept
 * @nr_differences: Sequences of them that made a difference
 * @by_kind: For each kind, the answers by name and how often each was given
 */
struct counts {
	uint64_t nr_run;
	uint64_t nr_skipped;
	uint64_t nr_differences;
	struct {
		unsigned int nr;
		struct {
			const char *name;
			uint64_t count;
		} outcomes[MAX_OUTCOMES];
	} by_kind[NR_OPS];
};

/**
 * struct runner - a target and the model of it
 * @target: The target
 * @model: The model
 * @lock: Held for operations that concern several slots, by the thread that runs one
 */
struct runner {
	struct target *target;
	struct model model;
	pthread_mutex_t lock;
};

/**
 * struct run - a thread's use of a runner
 * @runner: The runner
 * @counts: Counts
 * @expected: What the model answered last
 * @actual: What the target did
 */
struct run {
	struct runner *runner;
	struct counts counts;
	struct answer expected;
	struct answer actual;
};

enum run_result {
	RUN_SAME,
	RUN_SKIPPED,
	RUN_DIFFERS,
};

/* Makes target and model as new, and the runner. Returns 0 or -errno. */
int runner_start(struct runner *runner, struct target *target);
void runner_stop(struct runner *runner);

void run_init(struct run *run, struct runner *runner);
void run_free(struct run *run);
enum run_result run_op(struct run *run, const struct op *op, struct failure *failure);
/* All that can be looked at of a slot, however long it takes. */
enum run_result run_look(struct run *run, unsigned int slot, struct failure *failure);

/* From a fresh start. Returns RUN_SAME, RUN_DIFFERS, or -errno. */
int run_script(struct target *target, const struct op *ops, size_t nr, struct failure *failure,
	       size_t *position);
bool failure_is_same(const struct failure *a, const struct failure *b);

void counts_add(struct counts *sum, const struct counts *counts);

#endif /* VMEM_MODEL_RUN_H */
