// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sweep_state.h"

/* Far more than any call allocates. */
#define MAX_NTH		5000

/**
 * struct sweep - a sweep
 * @step: What is swept
 * @options: @step's, with the defaults of sweeps
 * @kinds: What fails, a mask of enum fail_kind
 * @bench: What the step works with
 * @before: How everything is before the call
 * @after: And after it
 * @calls: Calls so far
 * @injected: Failures so far
 * @refused: Those by which the call failed, with nothing done
 * @unanswered: Those by which it failed with everything done, but for the answer
 */
struct sweep {
	const struct sweep_step *step;
	struct rig_options options;
	unsigned int kinds;
	struct sweep_bench bench;
	struct sweep_state before;
	struct sweep_state after;
	unsigned int calls;
	unsigned int injected;
	unsigned int refused;
	unsigned int unanswered;
};

void sweep_say(const char *format, ...)
{
	va_list args;

	fputs("# ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static int build_first(struct sweep_bench *bench)
{
	const struct rig_options options = {
		.memslot_size = SWEEP_MEMSLOT_SIZE,
	};
	struct rig *first = &bench->first;
	int ret;

	backing_create(&first->backing, BACKING_PROTECTED, SWEEP_REGION_SIZE,
		       0);
	first->dev = vmem_open();
	if (first->dev < 0)
		return first->dev;
	fill_setup(&first->setup, &first->backing, &options);
	ret = vmem_setup(first->dev, &first->setup);
	if (!ret)
		ret = backing_map_device(&first->backing, first->dev);
	if (ret)
		return ret;
	fill_attach(&first->attach, &bench->rig.vm, &first->backing);
	return vmem_attach(first->dev, &first->attach);
}

static int set_up(struct rig *rig, const struct rig_options *options)
{
	int ret = vmem_setup(rig->dev, &rig->setup);

	if (ret)
		return ret;
	rig->block = rig->setup.out_block_size;
	/* Idle memslots go when a step says so. */
	return sysfs_write(rig->setup.out_id, "retire_delay_ms", "1000000000");
}

static int build_device(struct sweep *sweep)
{
	const struct rig_options *options = &sweep->options;
	const struct sweep_step *step = sweep->step;
	struct rig *rig = &sweep->bench.rig;
	int ret = 0;

	fill_setup(&rig->setup, &rig->backing, options);
	rig->addr = rig->setup.addr;
	if (step->stage == SWEEP_NO_DEVICE)
		return 0;
	rig->dev = vmem_open();
	if (rig->dev < 0)
		return rig->dev;
	if (step->stage == SWEEP_OPEN)
		return 0;
	ret = set_up(rig, options);
	if (ret || step->stage == SWEEP_SET_UP)
		return ret;
	if (options->backing == BACKING_PROTECTED)
		ret = backing_map_device(&rig->backing, rig->dev);
	fill_attach(&rig->attach, &rig->vm, &rig->backing);
	rig->attach.first_memslot_id = SWEEP_FIRST_ID;
	rig->attach.address_spaces = options->address_spaces;
	if (ret || step->stage == SWEEP_MAPPED)
		return ret;
	return rig_attach(rig);
}

static int build(struct sweep *sweep)
{
	int ret = build_device(sweep);

	if (!ret && sweep->step->prepare)
		ret = sweep->step->prepare(&sweep->bench);
	return ret;
}

static int build_anew(struct sweep *sweep)
{
	struct rig *rig = &sweep->bench.rig;
	uint64_t size = rig->backing.size;

	if (rig->dev >= 0)
		close(rig->dev);
	rig->dev = -1;
	if (rig->backing.kind == BACKING_PROTECTED) {
		backing_destroy(&rig->backing);
		backing_create(&rig->backing, BACKING_PROTECTED, size, 0);
	}
	return build(sweep);
}

static int begin(struct sweep *sweep)
{
	struct rig_options *options = &sweep->options;
	struct sweep_bench *bench = &sweep->bench;
	int ret;

	*options = sweep->step->options;
	if (!options->region_size)
		options->region_size = SWEEP_REGION_SIZE;
	if (!options->memslot_size && !options->is_static)
		options->memslot_size = SWEEP_MEMSLOT_SIZE;
	if (!options->address_spaces)
		options->address_spaces = 1;

	bench->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	bench->spare = open("/dev/zero", O_RDWR | O_CLOEXEC);
	bench->rig.dev = -1;
	bench->first.dev = -1;
	ret = vm_create(&bench->rig.vm, options->nr_vcpus);
	if (!ret && options->address_spaces & 2)
		ret = vm_set_memslot(bench->rig.vm.fd, 1 << 16 | VM_RAM_SLOT, 0,
				     VM_RAM_SIZE, bench->rig.vm.ram);
	if (!ret)
		ret = backing_create(&bench->rig.backing, options->backing,
				     options->region_size, 0);
	if (!ret && sweep->step->two_devices)
		ret = build_first(bench);
	return ret ? ret : build(sweep);
}

static void end(struct sweep *sweep)
{
	struct sweep_bench *bench = &sweep->bench;

	rig_destroy(&bench->rig);
	if (bench->first.dev >= 0) {
		close(bench->first.dev);
		backing_destroy(&bench->first.backing);
	}
	close(bench->eventfd);
	close(bench->spare);
}

static void look(struct sweep *sweep, struct sweep_state *state)
{
	sweep_look(sweep->step, &sweep->bench, state);
}

/*
 * Which of two states it is, or NULL. What other tasks are left to do may take a moment,
 * and half a minute where they are slow.
 */
static const struct sweep_state *
find_state(struct sweep *sweep, const struct sweep_state *one,
	   const struct sweep_state *other, struct sweep_state *now)
{
	unsigned int ms;

	for (ms = 1; ms < 30000; ms *= 2) {
		look(sweep, now);
		if (!memcmp(now, one, sizeof(*now)))
			return one;
		if (!memcmp(now, other, sizeof(*now)))
			return other;
		usleep(ms * 1000);
	}
	return NULL;
}

static int call(struct sweep *sweep)
{
	sweep->calls++;
	return sweep->step->call(&sweep->bench);
}

static bool expect(struct sweep *sweep, const struct sweep_state *wanted,
		   const char *when)
{
	struct sweep_state now;

	if (find_state(sweep, wanted, wanted, &now))
		return true;
	sweep_say("%s, after %u failures that did no harm:", when,
		  sweep->injected - 1);
	sweep_say_difference(&now, wanted);
	return false;
}

static bool may_fail_by(struct sweep *sweep, int ret)
{
	if (ret == VIRTIO_MEM_RESP_BUSY || ret == sweep->step->also)
		return true;
	return ret == (sweep->kinds & FAIL_COPIES ? -EFAULT : -ENOMEM);
}

static bool was_done(struct sweep *sweep)
{
	struct sweep_state now;

	return find_state(sweep, &sweep->before, &sweep->after, &now) ==
	       &sweep->after;
}

static bool check_failed(struct sweep *sweep, int ret)
{
	if (!may_fail_by(sweep, ret)) {
		sweep_say("it failed with %d", ret);
		return false;
	}
	/* The answer is a copy, too, and the last one. */
	if (sweep->step->unanswered && sweep->kinds & FAIL_COPIES &&
	    ret == -EFAULT && was_done(sweep)) {
		sweep->unanswered++;
		return true;
	}
	sweep->refused++;
	if (!expect(sweep, &sweep->before, "the call failed"))
		return false;
	ret = call(sweep);
	if (ret)
		sweep_say("after a failure it fails for good, with %d", ret);
	return !ret && expect(sweep, &sweep->after,
			      "the call failed and then succeeded");
}

static bool undo(struct sweep *sweep)
{
	int ret = 0;

	if (sweep->step->undo)
		ret = sweep->step->undo(&sweep->bench);
	else if (!sweep->step->stays)
		ret = build_anew(sweep);
	if (ret)
		sweep_say("it cannot be undone: %d", ret);
	return !ret && expect(sweep, &sweep->before, "the call was undone");
}

static int arm(struct sweep *sweep, unsigned int nth)
{
	if (sweep->step->elsewhere)
		return fail_arm_elsewhere(sweep->kinds, nth);
	return fail_arm(nth);
}

static int disarm(struct sweep *sweep)
{
	if (sweep->step->elsewhere)
		return fail_disarm_elsewhere(sweep->kinds);
	return fail_disarm();
}

/* Returns whether all is well; sets @failed if there was an n-th one. */
static bool fail_once(struct sweep *sweep, unsigned int nth, int *failed)
{
	int ret = arm(sweep, nth);

	if (!ret) {
		ret = call(sweep);
		*failed = disarm(sweep);
	} else {
		*failed = ret;
	}
	if (*failed < 0 || (ret && !*failed)) {
		sweep_say("it failed by itself: %d, %d", ret, *failed);
		return false;
	}
	sweep->injected += *failed;
	if (ret ? !check_failed(sweep, ret) :
		  !expect(sweep, &sweep->after, "the call succeeded"))
		return false;
	return undo(sweep);
}

static bool check_count(struct sweep *sweep, const char *what, int least)
{
	sweep_say("%u calls, %u %s failed: nothing was done %u times, all %u, unanswered %u",
		  sweep->calls, sweep->injected, what, sweep->refused,
		  sweep->injected - sweep->refused - sweep->unanswered,
		  sweep->unanswered);
	if (sweep->kinds & FAIL_COPIES &&
	    sweep->unanswered != sweep->step->unanswered)
		return false;
	if (least == SWEEP_NONE)
		return !sweep->injected;
	if (least == SWEEP_ANY)
		return true;
	return sweep->injected >= (least ?: 1);
}

/* All of one kind, of which there are at least so many. */
static bool fail_all(struct sweep *sweep, unsigned int kinds, const char *what,
		     int least)
{
	int failed, ret = fail_choose(kinds, sweep->step->below);
	unsigned int nth = 1;

	if (ret) {
		sweep_say("%s cannot be made to fail: %d", what, ret);
		return false;
	}
	sweep->kinds = kinds;
	sweep->calls = 0;
	sweep->injected = 0;
	sweep->refused = 0;
	sweep->unanswered = 0;
	do {
		if (!fail_once(sweep, nth, &failed))
			return false;
		nth += sweep->step->stride ?: 1;
	} while (failed && nth < MAX_NTH);
	return !failed && check_count(sweep, what, least);
}

/* Without a failure, to know what it does. */
static bool call_once(struct sweep *sweep)
{
	int ret;

	/* Once for what the process allocates for good. */
	look(sweep, &sweep->before);
	look(sweep, &sweep->before);
	ret = call(sweep);
	if (ret) {
		sweep_say("it fails by itself, with %d", ret);
		return false;
	}
	look(sweep, &sweep->after);
	return undo(sweep);
}

bool sweep_run(const struct sweep_step *step)
{
	struct sweep sweep = { .step = step };
	/* Opens what it needs before files are counted. */
	int ret = fail_choose(0, NULL);
	bool ok;

	if (!ret)
		ret = begin(&sweep);
	if (ret)
		sweep_say("it cannot begin: %d", ret);
	ok = !ret && call_once(&sweep);
	if (ok && step->elsewhere)
		ok = fail_all(&sweep, FAIL_SLAB, "objects",
			      step->allocations) &&
		     fail_all(&sweep, FAIL_PAGES, "pages", step->pages);
	else if (ok)
		ok = fail_all(&sweep, FAIL_MEMORY, "allocations",
			      step->allocations) &&
		     fail_all(&sweep, FAIL_COPIES, "copies", step->copies);
	end(&sweep);
	return ok;
}
