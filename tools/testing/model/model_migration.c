// SPDX-License-Identifier: GPL-2.0
/* What a migration needs, in the model: freezing, bitmaps, dirty pages. */
#include "model.h"

#include <errno.h>

#define PER_WORD	64

const char *const word_columns[1] = { "plugged" };
const char *const dirty_columns[1] = { "dirty" };

/*
 * What a guest did to a page of its. That of a block which is not plugged is lost with its
 * memslot, and so is that it was written to.
 */
void device_wrote(struct model_device *device, uint64_t offset)
{
	struct memory *dirty = device->plugged[offset / device->block] ? &device->dirty :
									 &device->maybe_dirty;

	if (device->logging)
		memory_populate(dirty, offset / MEMORY_PAGE * MEMORY_PAGE, MEMORY_PAGE);
}

/* KVM maps what is read so that it can be written to, and counts it as written. */
void device_read(struct model_device *device, uint64_t offset)
{
	if (device->logging)
		memory_populate(&device->maybe_dirty, offset / MEMORY_PAGE * MEMORY_PAGE,
				MEMORY_PAGE);
}

/* "THAW signals KVM_VMEM_EVENT_CONFIG if the size is not the requested one" */
void model_freeze(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_slot *slot = &model->slots[op->slot];
	struct model_device *device = &slot->device;
	bool freeze = op->kind == OP_FREEZE;

	if (device->frozen == freeze)
		answer_error(answer, EALREADY);
	if (answer->nr_errors)
		return;
	device->frozen = freeze;
	if (!freeze && device->size != device->requested)
		slot_signal(slot, KVM_VMEM_EVENT_CONFIG, 1);
}

/* Returns whether the range is within, and not empty. */
static bool is_within(const struct op *op, uint64_t end)
{
	uint64_t first = op->args[BITMAP_FIRST], nb = op->args[BITMAP_NB];

	return nb && nb <= end && first <= end - nb;
}

void model_get_bitmap(struct model *model, const struct op *op, struct answer *answer)
{
	const struct model_device *device = &model->slots[op->slot].device;
	uint64_t i, nb = op->args[BITMAP_NB], word = 0;

	if (!is_within(op, device->region / device->block))
		answer_error(answer, EINVAL);
	if (answer->nr_errors)
		return;
	answer_table(answer, word_columns, ARRAY_SIZE(word_columns));
	for (i = 0; i < nb; i++) {
		word |= (uint64_t)device->plugged[op->args[BITMAP_FIRST] + i] << i % PER_WORD;
		if (i % PER_WORD < PER_WORD - 1 && i < nb - 1)
			continue;
		answer_row(answer, &word);
		word = 0;
	}
}

/* What of a bitmap is wrong with the device; "in this order". Returns 0 or -errno. */
static int check_blocks(const struct model_device *device, const struct op *op, uint64_t *size)
{
	uint64_t i, nb = device->region / device->block, end = 0;
	uint64_t usable = op->args[RESTORE_USABLE];

	for (i = nb; i % PER_WORD; i++)
		if (op_restores(op, i))
			return -EINVAL;
	*size = 0;
	for (i = 0; i < nb; i++) {
		if (!op_restores(op, i))
			continue;
		*size += device->block;
		end = (i + 1) * device->block;
	}
	/* "At least what the requested size needs, and as far as the last plugged block" */
	if (usable % device->block || usable > device->region || usable < end ||
	    usable < device_usable(device, device->requested))
		return -EINVAL;
	return *size > device->requested ? -EDQUOT : 0;
}

static int check_restore(const struct model_device *device, const struct op *op, uint64_t *size)
{
	if (device->used)
		return -EBUSY;
	if (op->args[RESTORE_ADDR] != device->addr)
		return -EADDRNOTAVAIL;
	if (op->args[RESTORE_REGION] != device->region)
		return -ERANGE;
	if (op->args[RESTORE_BLOCK] != device->block)
		return -EDOM;
	if (op->args[RESTORE_NODE] != device->node)
		return -ENXIO;
	if (op->args[RESTORE_NB] != device->region / device->block)
		return -EMSGSIZE;
	return check_blocks(device, op, size);
}

static bool memslot_is_restored(const struct model_device *device, const struct op *op, uint32_t i)
{
	uint64_t block = i * device->memslot / device->block;
	uint64_t end = block + memslot_size_of(device, i) / device->block;

	for (; block < end; block++)
		if (op_restores(op, block))
			return true;
	return false;
}

/* "and what KVM says of a memslot" */
static void ask_kvm(struct model_device *device, const struct op *op, struct answer *answer)
{
	uint64_t most = 0;
	uint32_t i;

	for (i = 0; i < device->nr_memslots; i++) {
		if (device->memslots[i].known || !memslot_is_restored(device, op, i))
			continue;
		vm_errors(device->vm, device->first_id + i, device->addr + i * device->memslot,
			  memslot_size_of(device, i), answer);
		most += 2 * __builtin_popcount(device->spaces);
	}
	if (answer->nr_errors)
		device->counters.kvm_calls.max += most;
}

static void map_restored(struct model_slot *slot, const struct op *op)
{
	struct model_device *device = &slot->device;
	uint32_t i, nr = 0;

	for (i = 0; i < device->nr_memslots; i++) {
		if (device->memslots[i].known || !memslot_is_restored(device, op, i))
			continue;
		device->memslots[i].known = true;
		nr++;
	}
	memslots_mapped(slot, nr);
}

/* "In one step the blocks are plugged, the memslots mapped that they need, the usable..." */
static void restore(struct model_slot *slot, const struct op *op, uint64_t size)
{
	struct model_device *device = &slot->device;
	uint64_t i;

	map_restored(slot, op);
	for (i = 0; i < device->region / device->block; i++) {
		if (!op_restores(op, i))
			continue;
		set_plugged(device, i, 1, true);
		if (device_is(device, KVM_VMEM_SETUP_PREALLOC))
			memory_populate(&device->memory, i * device->block, device->block);
	}
	device->usable = op->args[RESTORE_USABLE];
	if (size)
		slot_size_changed(slot);
}

void model_set_bitmap(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_slot *slot = &model->slots[op->slot];
	struct model_device *device = &slot->device;
	uint64_t size = 0;

	if (op->args[RESTORE_RESERVED0] || op->args[RESTORE_RESERVED1])
		answer_error(answer, EOPNOTSUPP);
	answer_return(answer, check_restore(device, op, &size));
	if (!answer->nr_errors)
		ask_kvm(device, op, answer);
	if (!answer->nr_errors)
		restore(slot, op, size);
}

/* "All pages are clean when it begins. Stopping forgets what was logged" */
void model_dirty_log(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_device *device = &model->slots[op->slot].device;
	bool enable = op->args[ACTION_FLAGS] & KVM_VMEM_DIRTY_LOG_ENABLE;

	if (!enable && op->args[ACTION_FLAGS] & KVM_VMEM_DIRTY_LOG_MANUAL_PROTECT)
		answer_error(answer, EINVAL);
	if (device->logging == enable)
		answer_error(answer, EALREADY);
	if (answer->nr_errors)
		return;
	device->logging = enable;
	memory_free(&device->dirty);
	memory_free(&device->maybe_dirty);
	count_kvm_calls(device, count_memslots(device, true) + count_memslots(device, false));
}

void model_get_dirty_log(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_device *device = &model->slots[op->slot].device;
	uint64_t first = op->args[BITMAP_FIRST], nb = op->args[BITMAP_NB];
	uint64_t i, offset, bit, least = 0, most = 0;

	if (!is_within(op, device->region / MEMORY_PAGE))
		answer_error(answer, EINVAL);
	if (!device->logging)
		answer_error(answer, ENOENT);
	if (answer->nr_errors)
		return;
	answer_masks(answer, dirty_columns);
	for (i = 0; i < nb; i++) {
		offset = (first + i) * MEMORY_PAGE;
		bit = 1ULL << i % PER_WORD;
		if (memory_has_page(&device->dirty, offset))
			least |= bit;
		if (memory_has_page(&device->maybe_dirty, offset))
			most |= bit;
		if (i % PER_WORD < PER_WORD - 1 && i < nb - 1)
			continue;
		answer_mask(answer, least, least | most);
		least = 0;
		most = 0;
	}
	answer_value(answer, "nb_is_right", true);
	/* "and counts them clean from now on" */
	memory_discard(&device->dirty, first * MEMORY_PAGE, nb * MEMORY_PAGE);
	memory_discard(&device->maybe_dirty, first * MEMORY_PAGE, nb * MEMORY_PAGE);
}
