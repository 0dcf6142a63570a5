// SPDX-License-Identifier: GPL-2.0
/* What the model says of itself: to the VMM, and to the operator. */
#include "model.h"

#include <errno.h>

const char *const memslot_columns[7] = {
	"id", "address_space", "guest_phys_addr", "memory_size", "userspace_addr",
	"plugged_size", "memslot_state",
};

const char *const bitmap_columns[1] = { "plugged_blocks" };

/* "Largest power of two modulo which [the two] are congruent, at most 1 GiB" */
static uint64_t alignment(const struct model_device *device)
{
	uint64_t align = GIB;

	while (device->addr % align != device->userspace_addr % align)
		align /= 2;
	return align;
}

void model_config(struct model *model, const struct op *op, struct answer *answer)
{
	const struct model_device *device = &model->slots[op->slot].device;

	answer_value(answer, "block_size", device->block);
	answer_value(answer, "addr", device->addr);
	answer_value(answer, "region_size", device->region);
	answer_value(answer, "usable_region_size", device->usable);
	answer_value(answer, "plugged_size", device->size);
	answer_value(answer, "requested_size", device->requested);
	answer_value(answer, "node_id", device->node);
	answer_value(answer, "reserved", 0);
}

static void show_counters(const struct model_device *device, struct answer *answer)
{
	const struct model_counters *counters = &device->counters;

	answer_value(answer, "acks", counters->responses[VIRTIO_MEM_RESP_ACK]);
	answer_value(answer, "nacks", counters->responses[VIRTIO_MEM_RESP_NACK]);
	answer_value(answer, "busies", counters->responses[VIRTIO_MEM_RESP_BUSY]);
	answer_value(answer, "errors", counters->responses[VIRTIO_MEM_RESP_ERROR]);
	answer_range(answer, "kvm_calls", counters->kvm_calls.min, counters->kvm_calls.max);
	answer_range(answer, "violations", counters->violations.min, counters->violations.max);
	answer_value(answer, "last_violation", counters->last_violation);
}

void model_info(struct model *model, const struct op *op, struct answer *answer)
{
	const struct model_device *device = &model->slots[op->slot].device;
	bool attached = device->attached;

	answer_value(answer, "id", device->id);
	answer_value(answer, "setup_flags", device->flags);
	answer_value(answer, "device_state", (attached ? KVM_VMEM_INFO_ATTACHED : 0) |
		     (device->removing ? KVM_VMEM_INFO_REMOVAL_PENDING : 0) |
		     (device->frozen ? KVM_VMEM_INFO_FROZEN : 0) |
		     (device->logging ? KVM_VMEM_INFO_DIRTY_LOG : 0));
	answer_value(answer, "node_id", device->node);
	answer_value(answer, "addr", device->addr);
	answer_value(answer, "max_size", device->region);
	answer_value(answer, "size", device->size);
	answer_value(answer, "requested_size", device->requested);
	answer_value(answer, "usable_region_size", device->usable);
	answer_value(answer, "block_size", device->block);
	answer_value(answer, "memslot_size", memslot_size_of(device, 0));
	answer_value(answer, "userspace_addr", device->userspace_addr);
	answer_value(answer, "alignment", attached ? alignment(device) : 0);
	answer_value(answer, "nb_memslots", device->nr_memslots);
	answer_value(answer, "nb_active", count_memslots(device, true));
	answer_value(answer, "nb_idle", count_memslots(device, false));
	answer_value(answer, "first_memslot_id", device->first_id);
	show_counters(device, answer);
	answer_text(answer, device->label);
}

static void add_memslot(const struct model_device *device, uint32_t index, unsigned int space,
			struct answer *answer)
{
	const struct model_memslot *memslot = &device->memslots[index];
	uint64_t offset = index * device->memslot;
	const uint64_t cells[] = {
		device->first_id + index,
		space,
		device->addr + offset,
		memslot_size_of(device, index),
		device->userspace_addr + offset,
		memslot->nr_plugged * device->block,
		memslot->nr_plugged ? KVM_VMEM_MEMSLOT_ACTIVE : KVM_VMEM_MEMSLOT_IDLE,
	};

	answer_row(answer, cells);
}

/* "By ascending guest physical address, then address space" */
void model_memslots(struct model *model, const struct op *op, struct answer *answer)
{
	const struct model_device *device = &model->slots[op->slot].device;
	unsigned int space;
	uint32_t i;

	answer_table(answer, memslot_columns, ARRAY_SIZE(memslot_columns));
	for (i = 0; i < device->nr_memslots; i++)
		for (space = 0; device->memslots[i].known && space < 32; space++)
			if (device->spaces & 1U << space)
				add_memslot(device, i, space, answer);
	answer_value(answer, "nb", answer->nr_rows);
	/* "EMSGSIZE (@nb_memslots is too small; nothing is listed)" */
	if (op->args[MEMSLOTS_ROOM] < answer->nr_rows) {
		answer_error(answer, EMSGSIZE);
		answer->nr_rows = 0;
	}
}

/* "Bit i % 8 of byte i / 8 [...] ends with the byte of the last block" */
void model_bitmap(struct model *model, const struct op *op, struct answer *answer)
{
	const struct model_device *device = &model->slots[op->slot].device;
	uint64_t i, nr = device->region / device->block, byte = 0;

	answer_table(answer, bitmap_columns, ARRAY_SIZE(bitmap_columns));
	for (i = 0; i < nr; i++) {
		byte |= (uint64_t)device->plugged[i] << i % 8;
		if (i % 8 < 7 && i < nr - 1)
			continue;
		answer_row(answer, &byte);
		byte = 0;
	}
}

/* At any moment: what is being freed counts as well. */
static void show_resident(struct model_device *device, struct answer *answer)
{
	uint64_t min, max;

	memory_resident(&device->memory, &min, &max);
	answer_range(answer, "resident", min, max + device->pending);
	answer_range(answer, "discard_pending", 0, device->pending);
}

void model_sysfs(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_device *device = &model->slots[op->slot].device;

	answer_value(answer, "addr", device->addr);
	answer_value(answer, "region_size", device->region);
	answer_value(answer, "block_size", device->block);
	answer_value(answer, "node_id", device->node);
	answer_value(answer, "size", device->size);
	answer_value(answer, "requested_size", device->requested);
	answer_value(answer, "usable_region_size", device->usable);
	answer_value(answer, "memslot_size", memslot_size_of(device, 0));
	answer_value(answer, "memslots_total", device->nr_memslots);
	answer_value(answer, "memslots_active", count_memslots(device, true));
	answer_value(answer, "memslots_idle", count_memslots(device, false));
	answer_value(answer, "frozen", device->frozen);
	answer_value(answer, "dirty_log", device->logging);
	answer_value(answer, "retire_delay_ms", device->retire_delay);
	/* "Process id of the VM's process [...] 0 before the device is attached" */
	answer_value(answer, "pid_is_mine", device->attached);
	answer_value(answer, "pid_is_none", !device->attached);
	show_counters(device, answer);
	show_resident(device, answer);
	answer_text(answer, device->label);
}

/* Nothing waits to be freed any more: what is resident is what was touched. */
void model_settle(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_slot *slot = &model->slots[op->slot];
	uint64_t min, max;

	slot->device.pending = 0;
	memory_resident(&slot->device.memory, &min, &max);
	answer_range(answer, "resident", min, max);
	if (!slot->user.exists || slot->user.kind == MEMORY_ANON)
		return;
	memory_resident(&slot->user.memory, &min, &max);
	answer_range(answer, "file", min, max);
}
