// SPDX-License-Identifier: GPL-2.0
/*
 * A device belongs to one thread, so that its answers are determined; what the devices
 * of a VM share (ids, addresses, the limit, KVM itself) is used by all. The operations
 * that decide about that (model_is_shared()) run one at a time, beside all others.
 */
#define _GNU_SOURCE
#include "threads.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "generate.h"

/**
 * struct common - what the threads share
 * @episode: The episode
 * @runner: Target and model
 * @lock: Protects @episode's script and failure
 * @stop: There is a difference, or all is done
 * @differs: There is a difference
 */
struct common {
	struct episode *episode;
	struct runner runner;
	pthread_mutex_t lock;
	atomic_bool stop;
	bool differs;
};

struct thread {
	struct common *common;
	unsigned int nr;
	pthread_t thread;
	struct run run;
	struct generator generator;
};

static void note_op(struct common *common, const struct op *op)
{
	pthread_mutex_lock(&common->lock);
	script_add(&common->episode->script, op);
	pthread_mutex_unlock(&common->lock);
}

static void note_failure(struct common *common, const struct failure *failure)
{
	pthread_mutex_lock(&common->lock);
	if (!common->differs)
		common->episode->failure = *failure;
	common->differs = true;
	pthread_mutex_unlock(&common->lock);
	common->stop = true;
}

/* Returns whether there is another operation for the thread. */
static bool next_op(struct thread *thread, size_t *position, struct op *op)
{
	const struct episode *episode = thread->common->episode;

	if (!episode->replay) {
		if (++*position > (episode->nr_ops - 1) / episode->nr_threads + 1)
			return false;
		generate(&thread->generator, &thread->common->runner.model, op);
		return true;
	}
	while (*position < episode->replay->nr) {
		*op = episode->replay->ops[(*position)++];
		if (op->slot % episode->nr_threads == thread->nr)
			return true;
	}
	return false;
}

static void *run_thread(void *arg)
{
	struct thread *thread = arg;
	struct common *common = thread->common;
	enum run_result result = RUN_SAME;
	struct failure failure = {};
	unsigned int slot;
	size_t position = 0;
	struct op op;

	while (!common->stop && result != RUN_DIFFERS && next_op(thread, &position, &op)) {
		note_op(common, &op);
		result = run_op(&thread->run, &op, &failure);
	}
	for (slot = thread->nr; slot < NR_SLOTS && !common->stop && result != RUN_DIFFERS;
	     slot += common->episode->nr_threads)
		result = run_look(&thread->run, slot, &failure);
	if (result == RUN_DIFFERS)
		note_failure(common, &failure);
	return NULL;
}

static void *watch(void *arg)
{
	struct common *common = arg;
	struct target *target = common->runner.target;
	struct failure failure = { .seen_by = OP_INFO };
	unsigned int slot;

	while (!common->stop) {
		for (slot = 0; slot < NR_SLOTS && !common->stop; slot++) {
			failure.op.slot = slot;
			if (!target->watch(target->self, slot, &failure.difference))
				note_failure(common, &failure);
		}
		/* It is not what is tested: leave the CPUs to the others. */
		usleep(2000);
	}
	return NULL;
}

static void create(pthread_t *thread, void *(*function)(void *arg), void *arg)
{
	if (pthread_create(thread, NULL, function, arg))
		abort();
}

static void start(struct common *common, struct thread *threads)
{
	const struct episode *episode = common->episode;
	unsigned int i, slot;

	for (i = 0; i < episode->nr_threads; i++) {
		threads[i].common = common;
		threads[i].nr = i;
		run_init(&threads[i].run, &common->runner);
		/* No thread's numbers are another's of the next episode. */
		generator_init(&threads[i].generator, episode->seed + ((uint64_t)i << 32),
			       episode->nr_threads == 1);
		for (slot = i; slot < episode->nr_slots; slot += episode->nr_threads)
			generator_add_slot(&threads[i].generator, slot);
	}
	for (i = 0; i < episode->nr_threads; i++)
		create(&threads[i].thread, run_thread, &threads[i]);
}

static void finish(struct common *common, struct thread *threads)
{
	unsigned int i;

	for (i = 0; i < common->episode->nr_threads; i++) {
		pthread_join(threads[i].thread, NULL);
		counts_add(&common->episode->counts, &threads[i].run.counts);
		run_free(&threads[i].run);
	}
	common->stop = true;
}

int episode_run(struct episode *episode)
{
	struct common common = { .episode = episode, .lock = PTHREAD_MUTEX_INITIALIZER };
	struct thread threads[MAX_THREADS] = {};
	bool watched = episode->nr_threads > 1 && episode->target->watch;
	pthread_t watcher;
	int ret = runner_start(&common.runner, episode->target);

	if (ret)
		return ret;
	episode->script.nr = 0;
	start(&common, threads);
	if (watched)
		create(&watcher, watch, &common);
	finish(&common, threads);
	if (watched)
		pthread_join(watcher, NULL);
	runner_stop(&common.runner);
	return common.differs ? RUN_DIFFERS : RUN_SAME;
}
