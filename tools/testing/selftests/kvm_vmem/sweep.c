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

#include "access.h"

#define REGION_SIZE	(64 * MiB)
#define MEMSLOT_SIZE	(16 * MiB)
#define MAX_MEMSLOTS	8
/* The first memslot of the device. */
#define FIRST_ID	100
/* Far more than any call allocates. */
#define MAX_NTH		5000

/**
 * struct state - what a call that fails must not change
 * @facts: What the device says of itself
 * @nb_memslots: How many memslots it lists, or why it does not
 * @memslots: Those
 * @plugged: Its bitmap
 * @resident: Memory that it has
 * @kvm_knows: Which memslots KVM has: a bit for each of the device's ids and for each
 *	address space
 * @devices: Devices that the operator sees
 * @references: References to the module
 * @lowest_fd: The lowest file descriptor that is free
 * @vm_pages: Size of the process' address space
 */
struct state {
	struct kvm_vmem_get_info facts;
	int nb_memslots;
	struct kvm_vmem_memslot_info memslots[MAX_MEMSLOTS];
	unsigned char plugged[16];
	uint64_t resident;
	uint64_t kvm_knows;
	int devices;
	int references;
	int lowest_fd;
	unsigned long vm_pages;
};

/**
 * struct sweep - a sweep
 * @step: What is swept
 * @options: @step's, with the defaults of sweeps
 * @kinds: What fails, a mask of enum fail_kind
 * @bench: What the step works with
 * @before: How everything is before the call
 * @after: And after it
 * @injected: Failures so far
 * @refused: Those by which the call failed, with nothing done
 * @unanswered: Those by which it failed with everything done, but for the answer
 */
struct sweep {
	const struct sweep_step *step;
	struct rig_options options;
	unsigned int kinds;
	struct sweep_bench bench;
	struct state before;
	struct state after;
	unsigned int injected;
	unsigned int refused;
	unsigned int unanswered;
};

static void sweep_say(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static void sweep_say(const char *format, ...)
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
	const struct rig_options options = { .memslot_size = MEMSLOT_SIZE };
	struct rig *first = &bench->first;
	int ret;

	backing_create(&first->backing, BACKING_PROTECTED, REGION_SIZE, 0);
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
	rig->attach.first_memslot_id = FIRST_ID;
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
		options->region_size = REGION_SIZE;
	if (!options->memslot_size && !options->is_static)
		options->memslot_size = MEMSLOT_SIZE;
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

/*
 * Ask for a memslot where the VM's own RAM is. If there is one of that id, KVM finds that
 * it would get another address, and if there is none, that it would overlap.
 */
static bool kvm_has_memslot(struct vm *vm, unsigned int address_space,
			    unsigned int id)
{
	return vm_set_memslot(vm->fd, address_space << 16 | id, 0, 4 * KiB,
			      vm->ram) != -EEXIST;
}

static uint64_t look_at_kvm(struct sweep *sweep)
{
	struct vm *vm = &sweep->bench.rig.vm;
	unsigned int as_id, i;
	uint64_t knows = 0;

	for (as_id = 0; sweep->options.address_spaces >> as_id; as_id++)
		for (i = 0; i < REGION_SIZE / MEMSLOT_SIZE; i++)
			knows = knows << 1 |
				kvm_has_memslot(vm, as_id, FIRST_ID + i);
	return knows;
}

static void look_at_device(struct sweep *sweep, struct state *state)
{
	int dev = sweep->bench.rig.dev;
	char path[128];
	uint32_t id;
	int fd;

	state->facts = vmem_facts(dev);
	state->nb_memslots = vmem_get_memslots(dev, state->memslots,
					       MAX_MEMSLOTS);
	if (sweep->step->violates) {
		state->facts.out_nb_violations = 0;
		state->facts.out_last_violation = 0;
	}
	if (!state->facts.out_block_size)
		return;

	id = state->facts.out_id;
	while (device_value(id, "discard_pending"))
		usleep(1000);
	if (!sweep->step->touches)
		state->resident = device_value(id, "resident");
	sysfs_path(path, sizeof(path), id, "plugged_blocks");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (read(fd, state->plugged, sizeof(state->plugged)) < 0)
		state->plugged[0] = ~0;
	close(fd);
}

static unsigned long vm_pages(void)
{
	char buf[128];

	return read_file("/proc/self/statm", buf, sizeof(buf)) < 0 ?
	       0 : strtoul(buf, NULL, 10);
}

static void look(struct sweep *sweep, struct state *state)
{
	memset(state, 0, sizeof(*state));
	look_at_device(sweep, state);
	state->kvm_knows = look_at_kvm(sweep);
	state->devices = count_devices();
	state->references = module_refcount();
	state->lowest_fd = dup(sweep->bench.spare);
	close(state->lowest_fd);
	state->vm_pages = vm_pages();
}

#define differs(member) do { \
	if (memcmp(&now->member, &wanted->member, sizeof(now->member))) \
		sweep_say("  %s is %#lx instead of %#lx", #member, \
			  (unsigned long)now->member, \
			  (unsigned long)wanted->member); \
} while (0)

static void say_difference(const struct state *now, const struct state *wanted)
{
	differs(facts.out_state);
	differs(facts.out_id);
	differs(facts.out_size);
	differs(facts.out_requested_size);
	differs(facts.out_usable_region_size);
	differs(facts.out_userspace_addr);
	differs(facts.out_nb_active);
	differs(facts.out_nb_idle);
	differs(facts.out_nb_violations);
	differs(nb_memslots);
	differs(plugged[0]);
	differs(resident);
	differs(kvm_knows);
	differs(devices);
	differs(references);
	differs(lowest_fd);
	differs(vm_pages);
}

/* What other tasks are left to do may take a moment. */
static bool is_now(struct sweep *sweep, const struct state *wanted,
		   struct state *now)
{
	int tries = 20;

	do {
		look(sweep, now);
		if (!memcmp(now, wanted, sizeof(*now)))
			return true;
		usleep(50000);
	} while (--tries);
	return false;
}

static bool expect(struct sweep *sweep, const struct state *wanted,
		   const char *when)
{
	struct state now;

	if (is_now(sweep, wanted, &now))
		return true;
	sweep_say("%s, after %u failures that did no harm:", when,
		  sweep->injected - 1);
	say_difference(&now, wanted);
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
	struct state now;

	look(sweep, &now);
	return memcmp(&now, &sweep->before, sizeof(now)) &&
	       is_now(sweep, &sweep->after, &now);
}

static bool check_failed(struct sweep *sweep, int ret)
{
	if (!may_fail_by(sweep, ret)) {
		sweep_say("it failed with %d", ret);
		return false;
	}
	/* The answer is a copy, too, and the last one. */
	if (sweep->kinds & FAIL_COPIES && ret == -EFAULT && was_done(sweep)) {
		sweep->unanswered++;
		return true;
	}
	sweep->refused++;
	if (!expect(sweep, &sweep->before, "the call failed"))
		return false;
	ret = sweep->step->call(&sweep->bench);
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
		ret = sweep->step->call(&sweep->bench);
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
	sweep_say("%u %s failed: nothing was done %u times, all %u times, and %u times unanswered",
		  sweep->injected, what, sweep->refused,
		  sweep->injected - sweep->refused - sweep->unanswered,
		  sweep->unanswered);
	if (least == SWEEP_NONE)
		return !sweep->injected;
	return sweep->injected >= (least ?: 1);
}

/* All of one kind, of which there are at least so many. */
static bool fail_all(struct sweep *sweep, unsigned int kinds, const char *what,
		     int least)
{
	int failed, ret = fail_choose(kinds, sweep->step->below);
	unsigned int nth = 0;

	if (ret) {
		sweep_say("%s cannot be made to fail: %d", what, ret);
		return false;
	}
	sweep->kinds = kinds;
	sweep->injected = 0;
	sweep->refused = 0;
	sweep->unanswered = 0;
	do {
		if (!fail_once(sweep, ++nth, &failed))
			return false;
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
	ret = sweep->step->call(&sweep->bench);
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
