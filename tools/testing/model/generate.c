// SPDX-License-Identifier: GPL-2.0
#include "generate.h"

#include <stdio.h>
#include <string.h>

void generator_init(struct generator *generator, uint64_t seed, bool alone)
{
	memset(generator, 0, sizeof(*generator));
	generator->state = seed;
	generator->alone = alone;
}

void generator_add_slot(struct generator *generator, unsigned int slot)
{
	generator->slots[generator->nr_slots++] = slot;
}

/* splitmix64, which takes any seed. */
uint64_t random_number(struct generator *generator)
{
	uint64_t z = (generator->state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

uint64_t random_below(struct generator *generator, uint64_t end)
{
	return random_number(generator) % end;
}

bool one_in(struct generator *generator, unsigned int n)
{
	return !random_below(generator, n);
}

void plan(struct generator *generator, const struct op *op)
{
	if (generator->nr_planned < PLAN_ROOM)
		generator->plan[generator->nr_planned++] = *op;
}

static void make_vm(struct generator *generator, const struct model *model, struct op *op)
{
	(void)model;
	op->args[VM_VM] = random_below(generator, NR_VMS);
}

/* A memslot of the VMM's own, where the device wants one: PLUG is refused then. */
static void make_own(struct generator *generator, const struct model *model, struct op *op)
{
	const struct model_device *device = &model->slots[op->slot].device;
	unsigned int i;

	for (i = 0; i < NR_VMS; i++)
		if (device->vm == model->vms[i])
			op->args[OWN_VM] = i;
	if (!device->is_setup)
		return;
	op->args[OWN_ID] = 1 + random_below(generator, 100);
	op->args[OWN_OFFSET] = random_below(generator, device->region) / MEMORY_PAGE * MEMORY_PAGE;
	if (device->attached && one_in(generator, 2))
		op->args[OWN_ID] = device->first_id + random_below(generator,
								   device->nr_memslots);
	if (one_in(generator, 4))
		op->args[OWN_OFFSET] = one_in(generator, 2) ? 0 : device->region - MEMORY_PAGE;
}

static void make_disown(struct generator *generator, const struct model *model, struct op *op)
{
	unsigned int vm = random_below(generator, NR_VMS);
	unsigned int nr = model->vms[vm]->nr_own;

	op->args[DISOWN_VM] = vm;
	if (nr)
		op->args[DISOWN_ID] = model->vms[vm]->own[random_below(generator, nr)].id;
}

static void make_limit(struct generator *generator, const struct model *model, struct op *op)
{
	(void)model;
	op->args[LIMIT_LIMIT] = one_in(generator, 2) ? 4096 : 1 + random_below(generator, 16);
}

static void make_backlog(struct generator *generator, const struct model *model, struct op *op)
{
	(void)model;
	op->args[BACKLOG_MIB] = one_in(generator, 2) ? 1024 : random_below(generator, 64);
}

/* As many as a device takes, but for a few. */
static void plan_listeners(struct generator *generator, unsigned int slot)
{
	struct op op = { .kind = OP_EVENTFD, .slot = slot };
	unsigned int i;

	for (i = 0; i < MODEL_MAX_LISTENERS - 2; i++) {
		op.args[EVENTFD_EVENT] = i % MODEL_NR_EVENTS;
		op.args[EVENTFD_FD] = i / MODEL_NR_EVENTS;
		plan(generator, &op);
	}
}

static void make_eventfd(struct generator *generator, const struct model *model, struct op *op)
{
	(void)model;
	if (one_in(generator, 200))
		plan_listeners(generator, op->slot);
	op->args[EVENTFD_EVENT] = random_below(generator, one_in(generator, 16) ? 6 : 4);
	op->args[EVENTFD_FD] = one_in(generator, 8) ? random_below(generator, EVENTFD_OTHER + 1) :
						      random_below(generator, 3);
	op->args[EVENTFD_FLAGS] = one_in(generator, 3) ? KVM_VMEM_EVENTFD_DEASSIGN : 0;
	if (one_in(generator, 40))
		op->args[EVENTFD_FLAGS] = 1ULL << random_below(generator, 32);
}

static void make_action(struct generator *generator, const struct model *model, struct op *op)
{
	(void)model;
	if (op->kind == OP_PREPARE_REMOVE)
		op->args[ACTION_FLAGS] = one_in(generator, 2) ? KVM_VMEM_PREPARE_REMOVE_CANCEL : 0;
	if (one_in(generator, 40))
		op->args[ACTION_FLAGS] = 1ULL << random_below(generator, 32);
}

static void make_read(struct generator *generator, const struct model *model, struct op *op)
{
	(void)model;
	op->args[READ_SIZE] = one_in(generator, 8) ? random_below(generator, 17) : 8;
}

static void make_memslots(struct generator *generator, const struct model *model, struct op *op)
{
	(void)model;
	op->args[MEMSLOTS_ROOM] = random_below(generator, 8);
}

static void make_text(struct generator *generator, const struct model *model, struct op *op)
{
	static const char *const delays[] = { "0", "0", "1", "3", "600000", "4294967295" };
	static const char *const wrong_delays[] = {
		"4294967296", "99999999999999999999", " ", "-1", "soon", "1 2", "0 ms",
	};
	static const char *const retires[] = { "0", "1", "1", "1" };
	static const char *const wrong_retires[] = { "2", " ", "x", "-1", "10", "1x" };
	bool wrong = one_in(generator, 8);
	const char *text;

	(void)model;
	if (op->kind == OP_RETIRE)
		text = wrong ? wrong_retires[random_below(generator, ARRAY_SIZE(wrong_retires))] :
			       retires[random_below(generator, ARRAY_SIZE(retires))];
	else
		text = wrong ? wrong_delays[random_below(generator, ARRAY_SIZE(wrong_delays))] :
			       delays[random_below(generator, ARRAY_SIZE(delays))];
	snprintf(op->text, sizeof(op->text), "%s", text);
}

/**
 * struct weight - how often an operation of a device that works is made
 * @kind: The operation
 * @weight: So often
 * @make: Fills in arguments; NULL: there are none
 * @alone: Only where nothing else uses the VM
 */
struct weight {
	enum op_kind kind;
	unsigned int weight;
	void (*make)(struct generator *generator, const struct model *model, struct op *op);
	bool alone;
};

static const struct weight weights[] = {
	{ OP_PLUG, 220, generate_request, false },
	{ OP_UNPLUG, 150, generate_request, false },
	{ OP_UNPLUG_ALL, 15, generate_request, false },
	{ OP_REPLUG, 40, generate_request, false },
	{ OP_STATE, 60, generate_request, false },
	{ OP_RESET, 8, make_action, false },
	{ OP_REQUESTED, 40, generate_requested, false },
	{ OP_REQUESTED_TEXT, 20, generate_requested_text, false },
	{ OP_PREPARE_REMOVE, 12, make_action, false },
	{ OP_RETIRE_DELAY, 10, make_text, false },
	{ OP_RETIRE, 15, make_text, false },
	{ OP_EVENTFD, 40, make_eventfd, false },
	{ OP_EVENTS, 60, NULL, false },
	{ OP_READ, 20, make_read, false },
	{ OP_POLL, 15, NULL, false },
	{ OP_CONFIG, 20, NULL, false },
	{ OP_INFO, 5, NULL, false },
	{ OP_MEMSLOTS, 15, make_memslots, false },
	{ OP_BITMAP, 10, NULL, false },
	{ OP_SYSFS, 15, NULL, false },
	{ OP_SETTLE, 25, NULL, false },
	{ OP_WRITE_WORDS, 130, generate_words, false },
	{ OP_READ_WORDS, 160, generate_words, false },
	{ OP_DISCARD, 10, generate_discard, false },
	{ OP_LSEEK, 20, generate_lseek, false },
	{ OP_FREEZE, 3, make_action, false },
	{ OP_THAW, 12, make_action, false },
	{ OP_GET_BITMAP, 15, generate_get_bitmap, false },
	{ OP_SET_BITMAP, 4, generate_set_bitmap, false },
	{ OP_DIRTY_LOG, 12, generate_dirty_log, false },
	{ OP_GET_DIRTY_LOG, 40, generate_get_dirty_log, false },
	{ OP_SEAL, 1, NULL, false },
	{ OP_MAP, 10, generate_map, false },
	{ OP_UNMAP, 3, generate_map, false },
	{ OP_ATTACH, 4, generate_attach, false },
	{ OP_CLOSE, 12, NULL, false },
	{ OP_OPEN, 2, NULL, false },
	{ OP_OWN, 12, make_own, true },
	{ OP_DISOWN, 12, make_disown, true },
	{ OP_LIMIT, 8, make_limit, true },
	{ OP_BACKLOG, 3, make_backlog, true },
	{ OP_VM, 1, make_vm, true },
};

static const struct weight *choose(struct generator *generator)
{
	unsigned int i, sum = 0, position;

	for (i = 0; i < ARRAY_SIZE(weights); i++)
		sum += weights[i].alone && !generator->alone ? 0 : weights[i].weight;
	position = random_below(generator, sum);
	for (i = 0;; i++) {
		sum = weights[i].alone && !generator->alone ? 0 : weights[i].weight;
		if (position < sum)
			return &weights[i];
		position -= sum;
	}
}

static void make_any(struct generator *generator, const struct model *model, struct op *op)
{
	const struct weight *weight = choose(generator);

	op->kind = weight->kind;
	if (weight->make)
		weight->make(generator, model, op);
}

void generate(struct generator *generator, const struct model *model, struct op *op)
{
	unsigned int slot, tries;

	for (tries = 0; tries < 1000; tries++) {
		if (generator->nr_planned) {
			*op = generator->plan[--generator->nr_planned];
		} else {
			slot = generator->slots[random_below(generator, generator->nr_slots)];
			memset(op, 0, sizeof(*op));
			op->slot = slot;
			if (!model->slots[slot].device.attached && !one_in(generator, 8))
				generate_life(generator, model, slot);
			if (generator->nr_planned)
				continue;
			make_any(generator, model, op);
		}
		if (model_accepts(model, op))
			return;
	}
	memset(op, 0, sizeof(*op));
	op->kind = OP_EVENTS;
	op->slot = generator->slots[0];
}
