// SPDX-License-Identifier: GPL-2.0
/*
 * A device that needs no kernel, for tests of what finds mistakes: another model, which
 * makes one.
 */
#include "target.h"

#include <stdlib.h>
#include <string.h>

#include "patience.h"

/**
 * struct fake - a device of sorts
 * @model: What it does
 * @mistake: What it does wrong
 * @since: When the last operation was, in milliseconds
 */
struct fake {
	struct model model;
	enum mistake mistake;
	uint64_t since[NR_SLOTS];
};

const struct model_config fake_host = {
	.thp_size = 2 * MIB,
	.nr_memslot_ids = 32764,
	.nr_address_spaces = 2,
	.max_gpa = 1ULL << 52,
	.memslot_limit = 4096,
	.backlog = 1024,
	.retire_delay = 600000,
};

static int fake_reset(void *self)
{
	struct fake *fake = self;

	model_destroy(&fake->model);
	model_init(&fake->model, &fake_host);
	return 0;
}

static void retire_in_time(struct fake *fake, unsigned int slot)
{
	uint64_t ms;

	if (!model_retires(&fake->model, slot, &ms) || fake->mistake == MISTAKE_IDLE)
		return;
	if (fake->mistake == MISTAKE_EARLY || now_ms() - fake->since[slot] >= ms)
		model_retire(&fake->model, slot);
}

/* Of all that is allowed, the least. */
static void decide(const struct fake *fake, const struct op *op, struct answer *answer)
{
	const struct model_mapping *mappings = fake->model.slots[op->slot].mappings;
	unsigned int i;

	if (answer->nr_errors)
		answer->nr_errors = 1;
	for (i = 0; i < answer->nr_values; i++)
		answer->values[i].max = answer->values[i].min;
	for (i = 0; answer->has_masks && i < answer->nr_rows; i++)
		answer->cells[i] = answer->cells[2 * i];
	if (answer->has_masks)
		answer->nr_columns = 1;
	answer->has_masks = false;
	/* Where nothing else is. */
	if ((op->kind == OP_MAP || op->kind == OP_MEMORY) && !answer->nr_errors) {
		answer->values[0].min = (op->slot * 2 + 1 + (op->kind == OP_MAP)) * 16 * TIB;
		if (op->kind == OP_MAP)
			answer->values[0].min += fake->model.slots[op->slot].device.addr %
						 GIB + mappings[op->args[MAP_WHICH]].offset;
		answer->values[0].max = answer->values[0].min;
	}
}

static void set_value(struct answer *answer, const char *name, uint64_t value)
{
	unsigned int i;

	for (i = 0; i < answer->nr_values; i++)
		if (!strcmp(answer->values[i].name, name))
			answer->values[i].min = value;
}

static void after(struct fake *fake, const struct op *op, const struct model_device *old,
		  struct answer *answer)
{
	struct model_device *device = &fake->model.slots[op->slot].device;
	uint64_t response = answer->nr_errors ? UINT64_MAX : answer_get(answer, "response");

	switch (fake->mistake) {
	case MISTAKE_USABLE:
		if (op->kind == OP_UNPLUG_ALL)
			device->usable = old->usable;
		break;
	case MISTAKE_NACK:
		if (op->kind == OP_PLUG && response == VIRTIO_MEM_RESP_NACK)
			set_value(answer, "response", VIRTIO_MEM_RESP_ERROR);
		break;
	case MISTAKE_COUNTER:
		if (op->kind == OP_PLUG && response == VIRTIO_MEM_RESP_BUSY)
			device->counters.responses[VIRTIO_MEM_RESP_ACK]++;
		break;
	case MISTAKE_WORD:
		if (op->kind == OP_READ_WORDS)
			set_value(answer, "word", answer_get(answer, "word") + 1);
		break;
	case MISTAKE_EVENT:
		if (op->kind == OP_RESET)
			device->nr_listeners = old->nr_listeners;
		break;
	case MISTAKE_LEAK:
		if (op->kind == OP_UNPLUG && response == VIRTIO_MEM_RESP_ACK)
			memory_read(&device->memory, op->args[REQUEST_ADDR] - device->addr);
		break;
	default:
		break;
	}
}

static void fake_run(void *self, const struct op *op, struct answer *answer)
{
	struct fake *fake = self;
	struct model_device *device = &fake->model.slots[op->slot].device;
	struct model_device old = *device;

	retire_in_time(fake, op->slot);
	if (op->kind != OP_INFO)
		fake->since[op->slot] = now_ms();
	if (fake->mistake == MISTAKE_EVENT && op->kind == OP_RESET)
		device->nr_listeners = 0;
	model_run(&fake->model, op, answer);
	after(fake, op, &old, answer);
	decide(fake, op, answer);
	model_learn(&fake->model, op, answer);
}

void fake_open(struct target *target, enum mistake mistake)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	if (!fake)
		abort();
	fake->mistake = mistake;
	model_init(&fake->model, &fake_host);
	*target = (struct target){
		.config = fake_host,
		.patience_ms = 100,
		.self = fake,
		.reset = fake_reset,
		.run = fake_run,
	};
}

void fake_close(struct target *target)
{
	struct fake *fake = target->self;

	model_destroy(&fake->model);
	free(fake);
}
