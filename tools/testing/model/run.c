// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "patience.h"

/* Up to which retirement is waited for; what takes longer does not come in a test. */
#define RETIRES_SOON_MS	1000
/* How much early it may seem: a tick. */
#define TICK_MS		11
/* After each operation the blocks are compared if they fit into a page. */
#define FEW_BLOCKS	(8 * MEMORY_PAGE)

int runner_start(struct runner *runner, struct target *target)
{
	int ret = target->reset(target->self);

	if (ret)
		return ret;
	runner->target = target;
	model_init(&runner->model, &target->config);
	pthread_mutex_init(&runner->lock, NULL);
	return 0;
}

void runner_stop(struct runner *runner)
{
	model_destroy(&runner->model);
	pthread_mutex_destroy(&runner->lock);
}

void run_init(struct run *run, struct runner *runner)
{
	memset(run, 0, sizeof(*run));
	run->runner = runner;
}

void run_free(struct run *run)
{
	answer_free(&run->expected);
	answer_free(&run->actual);
}

static void count(struct run *run, const struct op *op, const char *name)
{
	unsigned int i, *nr = &run->counts.by_kind[op->kind].nr;

	for (i = 0; i < *nr; i++)
		if (run->counts.by_kind[op->kind].outcomes[i].name == name)
			break;
	if (i == MAX_OUTCOMES)
		return;
	if (i == *nr)
		++*nr;
	run->counts.by_kind[op->kind].outcomes[i].name = name;
	run->counts.by_kind[op->kind].outcomes[i].count++;
}

/* Every value of "response" counts; an operation may have several. */
static void count_answer(struct run *run, const struct op *op)
{
	static const char *const responses[] = {
		[VIRTIO_MEM_RESP_ACK] = "ACK",
		[VIRTIO_MEM_RESP_NACK] = "NACK",
		[VIRTIO_MEM_RESP_BUSY] = "BUSY",
		[VIRTIO_MEM_RESP_ERROR] = "ERROR",
	};
	const struct answer *answer = &run->actual;
	bool has_response = false;
	unsigned int i;

	run->counts.nr_run++;
	for (i = 0; i < answer->nr_values; i++) {
		if (!strcmp(answer->values[i].name, "signal"))
			count(run, op, sigabbrev_np(answer->values[i].min));
		else if (strcmp(answer->values[i].name, "response"))
			continue;
		else if (answer->values[i].min < ARRAY_SIZE(responses))
			count(run, op, responses[answer->values[i].min]);
		has_response = true;
	}
	if (answer->nr_errors)
		count(run, op, strerrorname_np(answer->errors[0]));
	else if (!has_response)
		count(run, op, "ok");
}

/* The operation on both sides. Returns whether the answer is as it should be. */
static bool ask(struct run *run, const struct op *op, const struct op *cause,
		struct failure *failure)
{
	struct runner *runner = run->runner;
	struct difference *difference = &failure->difference;

	runner->target->run(runner->target->self, op, &run->actual);
	model_run(&runner->model, op, &run->expected);
	if (answer_matches(&run->expected, &run->actual, difference)) {
		model_learn(&runner->model, op, &run->actual);
		return true;
	}
	failure->op = *cause;
	failure->seen_by = op->kind;
	return false;
}

static uint64_t count_idle(struct run *run, unsigned int slot)
{
	const struct op info = { .kind = OP_INFO, .slot = slot };

	run->runner->target->run(run->runner->target->self, &info, &run->actual);
	return answer_get(&run->actual, "nb_idle");
}

static bool retirement_fails(struct failure *failure, const struct op *cause, const char *name,
			     uint64_t due, uint64_t waited)
{
	failure->op = *cause;
	failure->seen_by = OP_RETIRE;
	snprintf(failure->difference.name, sizeof(failure->difference.name), "%s", name);
	snprintf(failure->difference.text, sizeof(failure->difference.text),
		 "idle memslots that are to be retired after %" PRIu64 " ms are %s after %" PRIu64
		 " ms", due, !strcmp(name, "early") ? "gone" : "there", waited);
	return false;
}

/*
 * If idle memslots are to be retired soon, waits until they are: not before their time,
 * which begins anew with @cause. Returns whether they were.
 */
static bool wait_for_retirement(struct run *run, const struct op *cause, uint64_t start,
				struct failure *failure)
{
	unsigned int patience = run->runner->target->patience_ms;
	uint64_t due, waited;

	if (!model_retires(&run->runner->model, cause->slot, &due) || due > RETIRES_SOON_MS)
		return true;
	for (;;) {
		/* Before it is asked: what it says is not older than that. */
		waited = now_ms() - start;
		if (!count_idle(run, cause->slot))
			break;
		if (waited > due + patience)
			return retirement_fails(failure, cause, "late", due, waited);
		usleep(due > 10 ? 5000 : 500);
	}
	waited = now_ms() - start;
	/* A requested size may have them wait no longer. */
	if (waited + TICK_MS < due && cause->kind != OP_REQUESTED &&
	    cause->kind != OP_REQUESTED_TEXT)
		return retirement_fails(failure, cause, "early", due, waited);
	model_retire(&run->runner->model, cause->slot);
	return true;
}

/* What changes only by other operations than these is not looked at after each. */
static bool changes_blocks(enum op_kind kind)
{
	switch (kind) {
	case OP_WRITE_WORDS:
	case OP_READ_WORDS:
	case OP_DISCARD:
	case OP_EVENTS:
	case OP_READ:
	case OP_POLL:
	case OP_CONFIG:
	case OP_SYSFS:
	case OP_SETTLE:
	case OP_LSEEK:
	case OP_GET_BITMAP:
	case OP_GET_DIRTY_LOG:
		return false;
	default:
		return true;
	}
}

/* For all of them and some that should not be there. */
static uint64_t room_for_memslots(const struct model_device *device)
{
	return 2 * (count_memslots(device, true) + count_memslots(device, false)) + 8;
}

static bool look(struct run *run, const struct op *cause, bool at_all, struct failure *failure)
{
	const struct model_device *device = &run->runner->model.slots[cause->slot].device;
	static const enum op_kind quick[] = { OP_INFO, OP_MEMSLOTS, OP_BITMAP };
	static const enum op_kind all[] = {
		OP_INFO, OP_MEMSLOTS, OP_BITMAP, OP_CONFIG, OP_EVENTS, OP_POLL, OP_SETTLE, OP_SYSFS,
	};
	const enum op_kind *kinds = at_all ? all : quick;
	unsigned int i, nr = at_all ? ARRAY_SIZE(all) : ARRAY_SIZE(quick);
	struct op op = { .slot = cause->slot };

	if (!at_all && !changes_blocks(cause->kind))
		nr = 1;
	for (i = 0; i < nr; i++) {
		if (kinds[i] == OP_BITMAP && !at_all &&
		    (!device->is_setup || device->region / device->block > FEW_BLOCKS))
			continue;
		op.kind = kinds[i];
		op.args[MEMSLOTS_ROOM] = kinds[i] == OP_MEMSLOTS ? room_for_memslots(device) : 0;
		if (!ask(run, &op, cause, failure))
			return false;
	}
	return true;
}

enum run_result run_op(struct run *run, const struct op *op, struct failure *failure)
{
	struct runner *runner = run->runner;
	bool shared = model_is_shared(op->kind), same;
	uint64_t start = now_ms();

	if (shared)
		pthread_mutex_lock(&runner->lock);
	if (!model_accepts(&runner->model, op)) {
		run->counts.nr_skipped++;
		if (shared)
			pthread_mutex_unlock(&runner->lock);
		return RUN_SKIPPED;
	}
	same = ask(run, op, op, failure);
	count_answer(run, op);
	if (shared)
		pthread_mutex_unlock(&runner->lock);
	if (!same || !wait_for_retirement(run, op, start, failure) ||
	    !look(run, op, false, failure))
		return RUN_DIFFERS;
	return RUN_SAME;
}

enum run_result run_look(struct run *run, unsigned int slot, struct failure *failure)
{
	const struct op cause = { .kind = OP_INFO, .slot = slot };

	return look(run, &cause, true, failure) ? RUN_SAME : RUN_DIFFERS;
}

bool failure_is_same(const struct failure *a, const struct failure *b)
{
	return a->op.kind == b->op.kind && a->seen_by == b->seen_by &&
	       !strcmp(a->difference.name, b->difference.name);
}

int run_script(struct target *target, const struct op *ops, size_t nr, struct failure *failure,
	       size_t *position)
{
	enum run_result result = RUN_SAME;
	struct runner runner;
	unsigned int slot;
	struct run run;
	size_t i;
	int ret = runner_start(&runner, target);

	if (ret)
		return ret;
	run_init(&run, &runner);
	for (i = 0; i < nr && result != RUN_DIFFERS; i++)
		result = run_op(&run, &ops[i], failure);
	for (slot = 0; slot < NR_SLOTS && result != RUN_DIFFERS; slot++)
		result = run_look(&run, slot, failure);
	*position = i;
	run_free(&run);
	runner_stop(&runner);
	return result == RUN_DIFFERS ? RUN_DIFFERS : RUN_SAME;
}

void counts_add(struct counts *sum, const struct counts *counts)
{
	unsigned int i, j, k, *nr;

	sum->nr_run += counts->nr_run;
	sum->nr_skipped += counts->nr_skipped;
	for (i = 0; i < NR_OPS; i++) {
		nr = &sum->by_kind[i].nr;
		for (j = 0; j < counts->by_kind[i].nr; j++) {
			for (k = 0; k < *nr; k++)
				if (sum->by_kind[i].outcomes[k].name ==
				    counts->by_kind[i].outcomes[j].name)
					break;
			if (k == *nr)
				++*nr;
			sum->by_kind[i].outcomes[k].name = counts->by_kind[i].outcomes[j].name;
			sum->by_kind[i].outcomes[k].count +=
				counts->by_kind[i].outcomes[j].count;
		}
	}
}
