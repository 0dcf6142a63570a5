// SPDX-License-Identifier: GPL-2.0
/* Random calls of a migration. */
#define _GNU_SOURCE
#include "generate.h"

#include <unistd.h>

#define MOST_PAGES (1ULL << 15)

/* A range within @end, mostly. */
static void choose_range(struct generator *generator, uint64_t end, uint64_t most, struct op *op)
{
	op->args[BITMAP_FIRST] = random_below(generator, end);
	op->args[BITMAP_NB] = 1 + random_below(generator, end - op->args[BITMAP_FIRST]);
	if (one_in(generator, 4)) {
		op->args[BITMAP_FIRST] = 0;
		op->args[BITMAP_NB] = end;
	}
	if (op->args[BITMAP_NB] > most)
		op->args[BITMAP_NB] = most;
	if (one_in(generator, 16))
		op->args[random_below(generator, 2)] = one_in(generator, 2) ? 0 : end + 1;
	if (one_in(generator, 40))
		op->args[BITMAP_FLAGS] = 1ULL << random_below(generator, 32);
}

void generate_get_bitmap(struct generator *generator, const struct model *model, struct op *op)
{
	const struct model_device *device = &model->slots[op->slot].device;

	if (device->is_setup)
		choose_range(generator, device->region / device->block, UINT64_MAX, op);
}

/* Around a block, as all of a region may be a lot. */
void generate_get_dirty_log(struct generator *generator, const struct model *model, struct op *op)
{
	const struct model_device *device = &model->slots[op->slot].device;
	uint64_t pages, first;

	if (!device->is_setup)
		return;
	pages = device->region / MEMORY_PAGE;
	first = pages > MOST_PAGES && one_in(generator, 2) ?
		random_below(generator, pages - MOST_PAGES) : 0;
	choose_range(generator, pages - first, MOST_PAGES, op);
	op->args[BITMAP_FIRST] += first;
}

void generate_dirty_log(struct generator *generator, const struct model *model, struct op *op)
{
	const struct model_device *device = &model->slots[op->slot].device;

	/* It costs, and stays on for a while. */
	op->args[ACTION_FLAGS] = !device->logging && !one_in(generator, 8) ?
				 KVM_VMEM_DIRTY_LOG_ENABLE : 0;
	if (one_in(generator, 20))
		op->args[ACTION_FLAGS] = 1ULL << random_below(generator, 32);
}

void generate_lseek(struct generator *generator, const struct model *model, struct op *op)
{
	const struct model_device *device = &model->slots[op->slot].device;
	uint64_t pages = device->is_setup ? device->region / MEMORY_PAGE : 1;

	op->args[LSEEK_WHENCE] = one_in(generator, 8) ? random_below(generator, SEEK_HOLE + 2) :
				 SEEK_DATA + random_below(generator, 2);
	op->args[LSEEK_OFFSET] = random_below(generator, pages + 1) * MEMORY_PAGE;
	if (one_in(generator, 3))
		op->args[LSEEK_OFFSET] = 0;
	else if (one_in(generator, 3))
		op->args[LSEEK_OFFSET] += random_below(generator, MEMORY_PAGE);
	/* What is still to be freed may be data or not. */
	if (device->pending) {
		plan(generator, op);
		*op = (struct op){ .kind = OP_SETTLE, .slot = op->slot };
	}
}

static void spoil(struct generator *generator, struct op *op)
{
	static const unsigned int args[] = {
		RESTORE_ADDR, RESTORE_REGION, RESTORE_BLOCK, RESTORE_NODE, RESTORE_NB,
		RESTORE_USABLE,
	};

	switch (random_below(generator, 4)) {
	case 0:
		op->args[RESTORE_RESERVED0 + random_below(generator, 3)] = 1;
		break;
	case 1:
		op->args[RESTORE_SET] = 1 + random_below(generator, 2000);
		break;
	default:
		op->args[args[random_below(generator, ARRAY_SIZE(args))]] ^=
			1ULL << random_below(generator, 16);
	}
}

/* Mostly what the device would take, were it new. */
void generate_set_bitmap(struct generator *generator, const struct model *model, struct op *op)
{
	const struct model_device *device = &model->slots[op->slot].device;
	uint64_t nr, most;

	if (!device->is_setup)
		return;
	nr = device->region / device->block;
	most = device->requested / device->block;
	op->args[RESTORE_ADDR] = device->addr;
	op->args[RESTORE_REGION] = device->region;
	op->args[RESTORE_BLOCK] = device->block;
	op->args[RESTORE_NODE] = device->node;
	op->args[RESTORE_NB] = nr;
	op->args[RESTORE_USABLE] = device->region;
	op->args[RESTORE_FIRST] = random_below(generator, nr);
	op->args[RESTORE_FIRST2] = random_below(generator, nr);
	if (most) {
		op->args[RESTORE_SET] = random_below(generator, most + 1);
		op->args[RESTORE_SET2] = random_below(generator, most + 1 - op->args[RESTORE_SET]);
	}
	if (op->args[RESTORE_SET] > nr - op->args[RESTORE_FIRST])
		op->args[RESTORE_SET] = nr - op->args[RESTORE_FIRST];
	if (op->args[RESTORE_SET2] > nr - op->args[RESTORE_FIRST2])
		op->args[RESTORE_SET2] = nr - op->args[RESTORE_FIRST2];
	if (one_in(generator, 6))
		spoil(generator, op);
}
