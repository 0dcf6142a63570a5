// SPDX-License-Identifier: GPL-2.0
/* Random devices: geometry, memory, mappings, ATTACH. */
#include "generate.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define BASE_ADDR	(4 * GIB)
#define WINDOW		(512 * GIB)	/* of a slot's regions */

static bool is_dynamic(const struct op *op)
{
	return op->args[SETUP_FLAGS] & KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS;
}

static bool is_user(const struct op *op)
{
	return op->args[SETUP_FLAGS] & KVM_VMEM_SETUP_USER_BACKING;
}

static void choose_flags(struct generator *generator, struct op *op)
{
	op->args[SETUP_FLAGS] = KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE;
	if (!one_in(generator, 5))
		op->args[SETUP_FLAGS] |= KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS;
	if (one_in(generator, 3)) {
		op->args[SETUP_FLAGS] |= KVM_VMEM_SETUP_USER_BACKING;
		if (!is_dynamic(op) && one_in(generator, 2))
			op->args[SETUP_FLAGS] &= ~(uint64_t)KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE;
	} else if (one_in(generator, 10)) {
		op->args[SETUP_FLAGS] |= KVM_VMEM_SETUP_PREALLOC;
	}
}

/* Blocks of 1 to 128 MiB, small ones more often; a region of a few to many of them. */
static void choose_geometry(struct generator *generator, const struct model *model, struct op *op)
{
	uint64_t block = MIB << random_below(generator, one_in(generator, 3) ? 8 : 3), nr, window;

	nr = 1 + random_below(generator, one_in(generator, 4) ? 1024 : 64);
	/* All of it becomes memory. */
	if (op->args[SETUP_FLAGS] & KVM_VMEM_SETUP_PREALLOC) {
		block = MIB << random_below(generator, 3);
		nr = 1 + random_below(generator, 32);
	}
	op->args[SETUP_REGION] = nr * block;
	op->args[SETUP_BLOCK] = block;
	if (block == model->config.thp_size && one_in(generator, 2))
		op->args[SETUP_BLOCK] = 0;
	op->args[SETUP_NODE] = random_below(generator, 4);

	window = BASE_ADDR + op->slot * WINDOW;
	op->args[SETUP_ADDR] = window + random_below(generator, 1024) * block;
	/* Beyond what guests here can address, and large. KVM deletes 100 memslots a second. */
	if (!(op->args[SETUP_FLAGS] & KVM_VMEM_SETUP_PREALLOC) && one_in(generator, 40)) {
		nr = 1 + random_below(generator, one_in(generator, 16) ? 8192 : 512);
		op->args[SETUP_ADDR] = 8 * TIB + op->slot * TIB;
		op->args[SETUP_REGION] = nr * 128 * MIB;
		op->args[SETUP_BLOCK] = 128 * MIB;
	} else if (one_in(generator, 30)) {
		/* Where another device may be, or the VM's RAM. */
		op->args[SETUP_ADDR] = one_in(generator, 4) ? 0 :
			model->slots[generator->slots[random_below(generator,
								   generator->nr_slots)]]
			.device.addr / block * block;
	} else if (one_in(generator, 60)) {
		op->args[SETUP_ADDR] = 1ULL << 53;
	}
}

static uint64_t block_of(const struct model *model, const struct op *op)
{
	return op->args[SETUP_BLOCK] ? op->args[SETUP_BLOCK] : model->config.thp_size;
}

static void choose_memslots(struct generator *generator, const struct model *model, struct op *op)
{
	uint64_t block = block_of(model, op), memslot;

	if (!is_dynamic(op))
		return;
	if (one_in(generator, 4)) {
		op->args[SETUP_LIMIT] = 1 + random_below(generator, 20);
		return;
	}
	if (one_in(generator, 4))
		return;
	memslot = block << random_below(generator, 6);
	op->args[SETUP_MEMSLOT] = memslot < 4 * TIB ? memslot : block;
}

static void choose_requested(struct generator *generator, const struct model *model,
			     struct op *op)
{
	uint64_t block = block_of(model, op), nr;

	assert(block);
	nr = op->args[SETUP_REGION] / block;
	op->args[SETUP_REQUESTED] = one_in(generator, 2) ? op->args[SETUP_REGION] :
				    random_below(generator, nr + 1) * block;
}

/* One thing that may be wrong with an otherwise good SETUP, and now and then is not. */
static void spoil(struct generator *generator, struct op *op)
{
	static const char *const labels[] = {
		"two\nlines", "\x01", "\xc3\xa4", "\x7f",
		"0123456789012345678901234567890123456789012345678901234567890123",
	};
	uint64_t any = 1ULL << random_below(generator, 64);

	switch (random_below(generator, 12)) {
	case 0:
		any = random_below(generator, one_in(generator, 4) ? 32 : 4);
		op->args[SETUP_FLAGS] ^= 1ULL << any;
		break;
	case 1:
		op->args[SETUP_ADDR] ^= any;
		break;
	case 2:
		op->args[SETUP_REGION] ^= any;
		break;
	case 3:
		op->args[SETUP_BLOCK] = one_in(generator, 2) ? any : random_number(generator);
		break;
	case 4:
		op->args[SETUP_MEMSLOT] = one_in(generator, 2) ? any : random_number(generator);
		break;
	case 5:
		op->args[SETUP_REQUESTED] = one_in(generator, 2) ? any : random_number(generator);
		break;
	case 6:
		op->args[SETUP_OFFSET] = any;
		break;
	case 7:
		op->args[SETUP_FD] = random_below(generator, FD_BELOW + 1);
		break;
	case 8:
		op->args[SETUP_RESERVED0 + random_below(generator, 2)] = 1;
		break;
	case 9:
		op->args[SETUP_LIMIT] = 1;
		op->args[SETUP_MEMSLOT] = op->args[SETUP_BLOCK];
		break;
	case 10:
		op->args[SETUP_ADDR] = one_in(generator, 2) ? -op->args[SETUP_REGION] :
							      (1ULL << 62) - MIB;
		break;
	default:
		snprintf(op->text, sizeof(op->text), "%s",
			 labels[random_below(generator, ARRAY_SIZE(labels))]);
	}
}

static void plan_memory(struct generator *generator, const struct model *model, struct op *setup)
{
	struct op op = { .kind = OP_MEMORY, .slot = setup->slot };
	uint64_t block = block_of(model, setup);
	enum memory_kind kind = random_below(generator, 4);

	if (kind == MEMORY_HUGETLB &&
	    (setup->args[SETUP_REGION] > 32 * MIB || setup->args[SETUP_REGION] % MEMORY_CHUNK ||
	     one_in(generator, 2)))
		kind = MEMORY_MEMFD;
	op.args[MEMORY_KIND] = kind;
	op.args[MEMORY_SIZE] = setup->args[SETUP_REGION];
	if (kind == MEMORY_MEMFD && one_in(generator, 3))
		op.args[MEMORY_OFFSET] = (1 + random_below(generator, 4)) * block;
	if (kind != MEMORY_ANON && !one_in(generator, 5)) {
		setup->args[SETUP_FD] = FD_OWN;
		setup->args[SETUP_OFFSET] = op.args[MEMORY_OFFSET];
	}
	plan(generator, setup);
	plan(generator, &op);
}

static void plan_setup(struct generator *generator, const struct model *model, unsigned int slot)
{
	struct op op = { .kind = OP_SETUP, .slot = slot };

	choose_flags(generator, &op);
	choose_geometry(generator, model, &op);
	choose_memslots(generator, model, &op);
	choose_requested(generator, model, &op);
	snprintf(op.text, sizeof(op.text), one_in(generator, 3) ? "" : "slot %u", slot);
	if (one_in(generator, 4))
		spoil(generator, &op);
	if (is_user(&op) && op.args[SETUP_REGION])
		plan_memory(generator, model, &op);
	else
		plan(generator, &op);
}

/* All of the region, mostly; else a part, or in a way that is refused. */
void generate_map(struct generator *generator, const struct model *model, struct op *op)
{
	const struct model_device *device = &model->slots[op->slot].device;
	uint64_t pages = device->region / MEMORY_PAGE;

	if (op->kind == OP_UNMAP) {
		op->args[UNMAP_WHICH] = MAPPING_EXTRA;
		return;
	}
	op->args[MAP_WHICH] = MAPPING_EXTRA;
	op->args[MAP_SIZE] = device->is_setup ? device->region : MIB;
	if (pages && !one_in(generator, 4)) {
		op->args[MAP_OFFSET] = random_below(generator, pages) * MEMORY_PAGE;
		op->args[MAP_SIZE] = (1 + random_below(generator, pages)) * MEMORY_PAGE;
		if (!one_in(generator, 8) &&
		    op->args[MAP_SIZE] > device->region - op->args[MAP_OFFSET])
			op->args[MAP_SIZE] = device->region - op->args[MAP_OFFSET];
	}
	if (one_in(generator, 4))
		op->args[MAP_PROT] = random_below(generator, PROT_IS_RWX + 1);
	if (one_in(generator, 8))
		op->args[MAP_SHARING] = IS_PRIVATE;
	if (one_in(generator, 3))
		op->args[MAP_BY] = BY_MEMORY_FD;
}

static void choose_wrong_attach(struct generator *generator, const struct model_device *device,
				struct op *op)
{
	switch (random_below(generator, 10)) {
	case 0:
		op->args[ATTACH_FLAGS] = 1ULL << random_below(generator, 32);
		break;
	case 1:
		op->args[ATTACH_FD] = random_below(generator, VM_FD_OTHER + 1);
		break;
	case 2:
		op->args[ATTACH_ID] = 32764 - random_below(generator, 8);
		break;
	case 3:
		op->args[ATTACH_ID] = random_below(generator, 4);
		break;
	case 4:
		op->args[ATTACH_SPACES] = 1ULL << random_below(generator, 32);
		if (one_in(generator, 2))
			op->args[ATTACH_SPACES] |= 1;
		break;
	case 5:
		op->args[ATTACH_RESERVED] = 1;
		break;
	case 6:
		op->args[ATTACH_FROM] =
			generator->slots[random_below(generator, generator->nr_slots)];
		break;
	case 7:
		op->args[ATTACH_WHICH] = random_below(generator, MAPPING_NONE + 1);
		break;
	case 8:
		op->args[ATTACH_DELTA] = MEMORY_PAGE;
		break;
	default:
		op->args[ATTACH_DELTA] = device->block;
	}
}

void generate_attach(struct generator *generator, const struct model *model, struct op *op)
{
	const struct model_slot *slot = &model->slots[op->slot];

	op->args[ATTACH_VM] = random_below(generator, NR_VMS);
	op->args[ATTACH_ID] = KVM_VMEM_MEMSLOT_ID_AUTO;
	op->args[ATTACH_SPACES] = one_in(generator, 4) ? 3 : 1;
	op->args[ATTACH_FROM] = op->slot;
	op->args[ATTACH_WHICH] = MAPPING_MAIN;
	/* An extra mapping of all of it will do as well. */
	if (slot->mappings[MAPPING_EXTRA].source == SOURCE_DEVICE && one_in(generator, 8))
		op->args[ATTACH_WHICH] = MAPPING_EXTRA;
	if (one_in(generator, 3))
		op->args[ATTACH_ID] = 128 + random_below(generator, 32000);
	if (one_in(generator, 4))
		choose_wrong_attach(generator, &slot->device, op);
}

static bool is_mapped(const struct model_slot *slot)
{
	const struct model_mapping *mapping = &slot->mappings[MAPPING_MAIN];

	if (device_is_protected(&slot->device))
		return mapping->source == SOURCE_DEVICE && mapping->size == slot->device.region;
	return mapping->source == SOURCE_USER;
}

static void plan_attach(struct generator *generator, const struct model *model, unsigned int slot)
{
	const struct model_slot *of = &model->slots[slot];
	struct op attach = { .kind = OP_ATTACH, .slot = slot };
	struct op op = { .kind = OP_MAP, .slot = slot };
	unsigned int i;

	/* A device that is attached may be restored, the first thing. */
	if (one_in(generator, 8)) {
		op.kind = OP_SET_BITMAP;
		generate_set_bitmap(generator, model, &op);
		plan(generator, &op);
		op = (struct op){ .kind = OP_MAP, .slot = slot };
	}
	generate_attach(generator, model, &attach);
	plan(generator, &attach);
	if (!is_mapped(of)) {
		op.args[MAP_SIZE] = of->device.region;
		plan(generator, &op);
	}
	for (i = random_below(generator, 5); i; i--) {
		op = (struct op){ .kind = OP_EVENTFD, .slot = slot };
		op.args[EVENTFD_EVENT] = random_below(generator, 4);
		op.args[EVENTFD_FD] = i - 1;
		plan(generator, &op);
	}
}

void generate_life(struct generator *generator, const struct model *model, unsigned int slot)
{
	const struct model_device *device = &model->slots[slot].device;
	struct op op = { .kind = OP_OPEN, .slot = slot };

	if (!device->is_open) {
		plan(generator, &op);
	} else if (!device->is_setup) {
		plan_setup(generator, model, slot);
	} else if (one_in(generator, 8) ||
		   (!device_is_protected(device) && !is_mapped(&model->slots[slot]))) {
		op.kind = OP_CLOSE;
		plan(generator, &op);
	} else {
		plan_attach(generator, model, slot);
	}
}
