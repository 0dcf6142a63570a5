// SPDX-License-Identifier: GPL-2.0
/* Accesses to memory in the model: by the VMM, by its system calls, and by a guest. */
#include "model.h"

#include <errno.h>
#include <signal.h>

enum outcome {
	IS_MEMORY,	/* of the slot's */
	IS_OWN,		/* of the VMM's own memslots; who knows what is in there */
	IS_MMIO,	/* nobody's */
	IS_VIOLATION,
	IS_GONE,	/* a mapping of a device that is closed */
	IS_READ_ONLY,
};

static bool is_plugged(const struct model_device *device, uint64_t offset)
{
	return device->plugged[offset / device->block];
}

static enum outcome vmm_outcome(const struct model_slot *slot, const struct op *op,
				uint64_t offset)
{
	const struct model_mapping *mapping =
		&slot->mappings[op->args[WORDS_VIA] == VIA_EXTRA ? MAPPING_EXTRA : MAPPING_MAIN];

	if (op->kind == OP_WRITE_WORDS && !mapping->writable)
		return IS_READ_ONLY;
	if (mapping->source == SOURCE_USER)
		return IS_MEMORY;
	if (mapping->source == SOURCE_GONE)
		return IS_GONE;
	return is_plugged(&slot->device, offset) ? IS_MEMORY : IS_VIOLATION;
}

static enum outcome guest_outcome(const struct model_slot *slot, uint64_t offset)
{
	const struct model_device *device = &slot->device;
	unsigned int i;

	for (i = 0; i < device->vm->nr_own; i++)
		if (device->vm->own[i].gpa / MEMORY_PAGE == (device->addr + offset) / MEMORY_PAGE)
			return IS_OWN;
	if (!device->memslots[offset / device->memslot].known)
		return IS_MMIO;
	if (!device_is_protected(device) || is_plugged(device, offset))
		return IS_MEMORY;
	return IS_VIOLATION;
}

/* Where a guest finds the region in the VMM's memory. */
static uint64_t shift_of(const struct model_slot *slot, const struct op *op)
{
	return op->args[WORDS_VIA] == VIA_GUEST && slot->device.has_file ?
	       slot->device.file_offset - slot->user.offset : 0;
}

static struct memory *memory_of(struct model_slot *slot, const struct op *op)
{
	if (op->args[WORDS_VIA] == VIA_GUEST)
		return device_is_protected(&slot->device) ? &slot->device.memory :
							   &slot->user.memory;
	return slot->mappings[MAPPING_MAIN].source == SOURCE_USER &&
	       op->args[WORDS_VIA] != VIA_EXTRA ? &slot->user.memory : &slot->device.memory;
}

/* A word that can be accessed, whatever is there. */
static void do_word(struct memory *memory, const struct op *op, enum outcome how,
		    uint64_t offset, uint64_t value, struct answer *answer)
{
	if (op->kind == OP_WRITE_WORDS) {
		if (how == IS_MEMORY)
			memory_write(memory, offset, value);
	} else if (how == IS_MEMORY) {
		answer_value(answer, "word", memory_read(memory, offset));
	} else if (how == IS_MMIO) {
		answer_value(answer, "word", MODEL_MMIO_VALUE);
	} else {
		answer_range(answer, "word", 0, UINT64_MAX);
	}
}

/*
 * "What is counted are page faults. KVM and system calls may try more than once", so
 * there is no saying how many violations it is.
 */
static void violate(struct model_device *device, uint64_t offset)
{
	device->counters.violations.min++;
	device->counters.violations.max = UINT64_MAX;
	device->counters.last_violation = offset / MEMORY_PAGE * MEMORY_PAGE;
}

static void fail(struct model_slot *slot, const struct op *op, enum outcome how,
		 uint64_t offset, struct answer *answer)
{
	enum words_via via = op->args[WORDS_VIA];

	if (how == IS_VIOLATION)
		violate(&slot->device, offset);
	if (via == VIA_GUEST || via == VIA_PIPE)
		answer_error(answer, EFAULT);
	else
		answer_value(answer, "signal", how == IS_READ_ONLY ? SIGSEGV : SIGBUS);
}

void model_words(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_slot *slot = &model->slots[op->slot];
	uint64_t i, offset = op->args[WORDS_OFFSET], mmio = 0;
	struct memory *memory = memory_of(slot, op);
	bool is_guest = op->args[WORDS_VIA] == VIA_GUEST;
	enum outcome outcome;

	for (i = 0; i < op->args[WORDS_COUNT]; i++, offset += op->args[WORDS_STRIDE]) {
		outcome = is_guest ? guest_outcome(slot, offset) : vmm_outcome(slot, op, offset);
		if (outcome > IS_MMIO) {
			fail(slot, op, outcome, offset, answer);
			break;
		}
		mmio += outcome == IS_MMIO;
		if (is_guest && outcome == IS_MEMORY)
			(op->kind == OP_WRITE_WORDS ? device_wrote : device_read)(&slot->device,
										  offset);
		do_word(memory, op, outcome, offset + shift_of(slot, op),
			op->args[WORDS_VALUE] + i, answer);
	}
	if (!is_guest)
		answer_value(answer, "done", i);
	else if (i == op->args[WORDS_COUNT])
		answer_value(answer, "mmio", mmio);
}
