// SPDX-License-Identifier: GPL-2.0
/* The VMM's memory and mappings in the model, and what is discarded. */
#define _GNU_SOURCE
#include "model.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The module discards from the file of user backing. @offset is that in the region. */
void slot_discard_file(struct model_slot *slot, uint64_t offset, uint64_t size)
{
	if (slot->device.has_file)
		memory_discard(&slot->user.memory,
			       slot->device.file_offset + offset - slot->user.offset, size);
}

/* Memory of the VMM's goes with its mapping. */
static void drop_mapping(struct model_slot *slot, uint64_t which)
{
	if (slot->mappings[which].source == SOURCE_USER) {
		memory_free(&slot->user.memory);
		memset(&slot->user, 0, sizeof(slot->user));
	}
	memset(&slot->mappings[which], 0, sizeof(slot->mappings[which]));
}

/* A new mapping can be anywhere, as far as the documentation goes. */
static void set_mapping(struct model_mapping *mapping, enum model_source source, uint64_t offset,
			uint64_t size, struct answer *answer)
{
	*mapping = (struct model_mapping){ source, offset, size, true, 0 };
	answer_range(answer, "addr", MEMORY_PAGE, UINT64_MAX);
}

void model_memory(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_slot *slot = &model->slots[op->slot];
	struct model_user *user = &slot->user;

	drop_mapping(slot, MAPPING_MAIN);
	user->exists = true;
	user->kind = op->args[MEMORY_KIND];
	user->size = op->args[MEMORY_SIZE];
	user->offset = user->kind == MEMORY_ANON ? 0 : op->args[MEMORY_OFFSET];
	user->memory.pages = user->kind == MEMORY_HUGETLB ? PAGES_HUGE : PAGES_SMALL;
	set_mapping(&slot->mappings[MAPPING_MAIN], SOURCE_USER, user->offset, user->size, answer);
}

void model_seal(struct model *model, const struct op *op, struct answer *answer)
{
	(void)answer;
	model->slots[op->slot].user.sealed = true;
}

/* "mmap() fails with ENODEV (no SETUP, or user backing), EINVAL [...] and EACCES" */
void model_map(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_slot *slot = &model->slots[op->slot];
	struct model_mapping *mapping = &slot->mappings[op->args[MAP_WHICH]];
	uint64_t offset = op->args[MAP_OFFSET], size = op->args[MAP_SIZE];
	const struct model_device *device = &slot->device;

	/* The VMM puts it in the place of what it had there. */
	drop_mapping(slot, op->args[MAP_WHICH]);
	if (!device->is_setup || !device_is_protected(device)) {
		/* There is no file of the memory to map. */
		answer_error(answer, device->is_setup && op->args[MAP_BY] == BY_MEMORY_FD ?
			     EOPNOTSUPP : ENODEV);
		return;
	}
	if (op->args[MAP_SHARING] == IS_PRIVATE || size > device->region ||
	    offset > device->region - size)
		answer_error(answer, EINVAL);
	if (op->args[MAP_PROT] == PROT_IS_RWX)
		answer_error(answer, EACCES);
	/* Newer kernels refuse it for all anonymous inodes, before they ask. */
	if (op->args[MAP_PROT] == PROT_IS_RWX && op->args[MAP_BY] == BY_MEMORY_FD)
		answer_error(answer, EPERM);
	if (answer->nr_errors)
		return;
	set_mapping(mapping, SOURCE_DEVICE, offset, size, answer);
	mapping->writable = op->args[MAP_PROT] == PROT_IS_RW;
	/* "chooses an address that is congruent modulo 1 GiB to the guest physical..." */
	answer_value(answer, "misaligned", 0);
}

void model_unmap(struct model *model, const struct op *op, struct answer *answer)
{
	(void)answer;
	drop_mapping(&model->slots[op->slot], op->args[UNMAP_WHICH]);
}

/* The VMM discards memory itself, by madvise() or fallocate(). */
void model_discard(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_slot *slot = &model->slots[op->slot];

	if (slot->mappings[MAPPING_MAIN].source == SOURCE_DEVICE)
		memory_discard(&slot->device.memory, op->args[DISCARD_OFFSET],
			       op->args[DISCARD_SIZE]);
	else if (slot->user.sealed)
		answer_error(answer, EPERM);
	else
		memory_discard(&slot->user.memory, op->args[DISCARD_OFFSET],
			       op->args[DISCARD_SIZE]);
}

/* The first page from @offset on that is there, or is not; @end if there is none. */
static uint64_t next_page(const struct memory *memory, uint64_t offset, uint64_t end, bool there)
{
	while (offset < end && memory_has_page(memory, offset) != there)
		offset = (offset / MEMORY_PAGE + 1) * MEMORY_PAGE;
	return offset < end ? offset : end;
}

/*
 * "SEEK_DATA and SEEK_HOLE find what of protected backing has memory on the host [...] as
 * with any sparse file", whose end is a hole.
 */
void model_lseek(struct model *model, const struct op *op, struct answer *answer)
{
	const struct model_device *device = &model->slots[op->slot].device;
	bool data = op->args[LSEEK_WHENCE] == SEEK_DATA;
	uint64_t offset = op->args[LSEEK_OFFSET], found;

	if (!device->is_setup || !device_is_protected(device))
		answer_error(answer, ESPIPE);
	if (!data && op->args[LSEEK_WHENCE] != SEEK_HOLE)
		answer_error(answer, EINVAL);
	if (answer->nr_errors)
		return;
	found = next_page(&device->memory, offset, device->region, data);
	if (offset >= device->region || (data && found == device->region))
		answer_error(answer, ENXIO);
	else
		answer_value(answer, "found", found);
}
