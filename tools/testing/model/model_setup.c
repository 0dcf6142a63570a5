// SPDX-License-Identifier: GPL-2.0
/* SETUP in the model: the geometry, and all that is wrong with it. */
#include "model.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALL_FLAGS	(KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS | \
			 KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE | \
			 KVM_VMEM_SETUP_PREALLOC | KVM_VMEM_SETUP_USER_BACKING)
#define MOST_PAGES	((1ULL << 31) - 1)	/* that KVM takes in a memslot */
#define MOST_MEMSLOT	(4 * TIB)		/* the largest power of two of them */
#define END_OF_REGIONS	(1ULL << 62)
#define END_OF_FILES	((1ULL << 63) - 1)

bool is_power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

uint64_t divide(uint64_t region, uint64_t memslot)
{
	return region / memslot + !!(region % memslot);
}

/*
 * "A power of two, at least 1 GiB and the block size, and the smallest for which the
 * region needs no more memslots than the limit"; but no more than KVM takes.
 */
uint64_t smallest_memslot(uint64_t region, uint64_t block, uint64_t limit)
{
	uint64_t memslot = block > GIB ? block : GIB;

	while (divide(region, memslot) > limit && memslot < MOST_MEMSLOT)
		memslot *= 2;
	return memslot;
}

static uint64_t host_limit(const struct model *model, uint64_t limit)
{
	return limit && limit < model->memslot_limit ? limit : model->memslot_limit;
}

static void check_flags(const struct op *op, struct answer *answer)
{
	uint64_t flags = op->args[SETUP_FLAGS];

	if (flags & ~(uint64_t)ALL_FLAGS)
		answer_error(answer, EOPNOTSUPP);
	if (op->args[SETUP_RESERVED0] || op->args[SETUP_RESERVED1])
		answer_error(answer, EOPNOTSUPP);
	if (flags & KVM_VMEM_SETUP_USER_BACKING) {
		if (flags & KVM_VMEM_SETUP_PREALLOC)
			answer_error(answer, EOPNOTSUPP);
	} else if (!(flags & KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE)) {
		answer_error(answer, EINVAL);
	}
	if (flags & KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS) {
		if (!(flags & KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE))
			answer_error(answer, EINVAL);
	} else if (op->args[SETUP_MEMSLOT]) {
		answer_error(answer, EINVAL);
	}
}

/* "zero-terminated; printable ASCII" */
static void check_label(const struct op *op, struct answer *answer)
{
	const char *c;

	if (strlen(op->text) >= KVM_VMEM_LABEL_LEN)
		answer_error(answer, EINVAL);
	for (c = op->text; *c; c++)
		if ((unsigned char)*c >= 0x80 || !isprint((unsigned char)*c))
			answer_error(answer, EINVAL);
}

/* The file that is passed, if any: its pages' size, or 0. */
static uint64_t check_file(const struct model_slot *slot, const struct op *op,
			   struct answer *answer)
{
	bool is_user = op->args[SETUP_FLAGS] & KVM_VMEM_SETUP_USER_BACKING;
	enum setup_fd fd = op->args[SETUP_FD];

	/* "-1: none" is what anonymous memory has. */
	if (fd == FD_OWN && (!slot->user.exists || slot->user.kind == MEMORY_ANON))
		fd = FD_NONE;
	if (fd != FD_NONE && !is_user)
		answer_error(answer, EINVAL);
	if (fd == FD_CLOSED || fd == FD_READONLY || fd == FD_BELOW)
		answer_error(answer, EBADF);
	if (fd == FD_NULL)
		answer_error(answer, EOPNOTSUPP);
	if (fd == FD_NONE && op->args[SETUP_OFFSET])
		answer_error(answer, EINVAL);
	if (fd != FD_OWN)
		return 0;
	return slot->user.kind == MEMORY_HUGETLB ? MEMORY_CHUNK : MEMORY_PAGE;
}

static void check_geometry(const struct op *op, uint64_t block, uint64_t file_page,
			   struct answer *answer)
{
	uint64_t addr = op->args[SETUP_ADDR], region = op->args[SETUP_REGION];
	uint64_t offset = op->args[SETUP_OFFSET], requested = op->args[SETUP_REQUESTED];

	if (addr > UINT64_MAX - region || addr + region > END_OF_REGIONS)
		answer_error(answer, EOVERFLOW);
	if (file_page && (offset > UINT64_MAX - region || offset + region > END_OF_FILES))
		answer_error(answer, EOVERFLOW);
	if (!is_power_of_two(block) || block < MIB || block < file_page || block > region ||
	    !region) {
		answer_error(answer, EINVAL);
		return;
	}
	if (addr % block || region % block || offset % block || requested % block ||
	    requested > region)
		answer_error(answer, EINVAL);
}

static void check_memslot(const struct model *model, const struct op *op, uint64_t block,
			  struct answer *answer)
{
	uint64_t memslot = op->args[SETUP_MEMSLOT];

	if (!memslot)
		return;
	if (!is_power_of_two(memslot) || memslot < block || memslot > MOST_MEMSLOT)
		answer_error(answer, EINVAL);
	else if (divide(op->args[SETUP_REGION], memslot) >
		 host_limit(model, op->args[SETUP_LIMIT]))
		answer_error(answer, ENOSPC);
}

static uint64_t choose_memslot(const struct model *model, const struct op *op, uint64_t block)
{
	uint64_t region = op->args[SETUP_REGION];

	if (!(op->args[SETUP_FLAGS] & KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS))
		return region <= MOST_PAGES * MEMORY_PAGE ? region : MOST_MEMSLOT;
	if (op->args[SETUP_MEMSLOT])
		return op->args[SETUP_MEMSLOT];
	return smallest_memslot(region, block, host_limit(model, op->args[SETUP_LIMIT]));
}

/* "<N> is the lowest number that was free" */
static uint32_t lowest_id(const struct model *model)
{
	uint32_t id;
	unsigned int i;

	for (id = 0;; id++) {
		for (i = 0; i < NR_SLOTS; i++)
			if (model->slots[i].device.is_setup && model->slots[i].device.id == id)
				break;
		if (i == NR_SLOTS)
			return id;
	}
}

void *zeroed(uint64_t nr, size_t size)
{
	void *memory = calloc(nr, size);

	if (!memory)
		abort();
	return memory;
}

static void fill_device(struct model *model, const struct op *op, uint64_t block,
			uint64_t file_page)
{
	struct model_device *device = &model->slots[op->slot].device;

	device->id = lowest_id(model);
	device->flags = op->args[SETUP_FLAGS];
	device->node = op->args[SETUP_NODE];
	memcpy(device->label, op->text, sizeof(device->label));
	device->addr = op->args[SETUP_ADDR];
	device->region = op->args[SETUP_REGION];
	device->block = block;
	device->requested = op->args[SETUP_REQUESTED];
	device->usable = device_usable(device, device->requested);
	device->has_file = file_page;
	device->file_offset = op->args[SETUP_OFFSET];
	device->fixed_memslot = op->args[SETUP_MEMSLOT];
	device->limit = op->args[SETUP_LIMIT];
	device_divide(device, choose_memslot(model, op, block));
	device->plugged = zeroed(device->region / block, 1);
	/* "blocks of 1 MiB live on 4 KiB pages" */
	device->memory.pages = model->config.huge && block >= model->config.thp_size ?
			       PAGES_EITHER : PAGES_SMALL;
	device->is_setup = true;
}

void model_setup(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_slot *slot = &model->slots[op->slot];
	struct model_device *device = &slot->device;
	uint64_t block = op->args[SETUP_BLOCK], file_page;

	if (device->is_setup)
		answer_error(answer, EBUSY);
	check_flags(op, answer);
	check_label(op, answer);
	file_page = check_file(slot, op, answer);
	if (!block)
		block = file_page > model->config.thp_size ? file_page : model->config.thp_size;
	check_geometry(op, block, file_page, answer);
	check_memslot(model, op, block, answer);
	if (answer->nr_errors)
		return;

	fill_device(model, op, block, file_page);
	answer_value(answer, "block", block);
	answer_value(answer, "memslot", memslot_size_of(device, 0));
	answer_value(answer, "nr_memslots", device->nr_memslots);
	answer_value(answer, "id", device->id);
}
