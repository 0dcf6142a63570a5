// SPDX-License-Identifier: GPL-2.0
/* What a guest may ask for, in the model: virtio 1.3, 5.15.6, in QEMU's order. */
#include "model.h"

#include <errno.h>
#include <string.h>

/* "within the usable region" */
bool range_is_valid(const struct model_device *device, uint64_t addr, uint64_t nb)
{
	uint64_t size = nb * device->block;

	return addr % device->block == 0 && nb && addr >= device->addr &&
	       addr - device->addr <= device->usable &&
	       size <= device->usable - (addr - device->addr);
}

static uint64_t count_plugged(const struct model_device *device, uint64_t first, uint64_t nb)
{
	uint64_t i, plugged = 0;

	for (i = first; i < first + nb; i++)
		plugged += device->plugged[i];
	return plugged;
}

/* "Every page of a block that was plugged or unplugged meanwhile" is dirty. */
void set_plugged(struct model_device *device, uint64_t first, uint64_t nb, bool plugged)
{
	uint64_t i;
	uint32_t j;

	for (i = first; i < first + nb; i++) {
		if (device->plugged[i] == plugged)
			continue;
		device->plugged[i] = plugged;
		if (plugged)
			device->used = true;
		if (device->logging)
			memory_populate(&device->dirty, i * device->block, device->block);
		j = i * device->block / device->memslot;
		device->memslots[j].nr_plugged += plugged ? 1 : -1;
		device->size += plugged ? device->block : -device->block;
	}
}

static int do_plug(struct model_slot *slot, uint64_t addr, uint64_t nb)
{
	struct model_device *device = &slot->device;
	uint64_t offset = addr - device->addr, size = nb * device->block;

	if (!range_is_valid(device, addr, nb))
		return VIRTIO_MEM_RESP_ERROR;
	if (device->size + size > device->requested)
		return VIRTIO_MEM_RESP_NACK;
	if (count_plugged(device, offset / device->block, nb))
		return VIRTIO_MEM_RESP_ERROR;
	if (device->frozen || !memslots_map(slot, offset, size))
		return VIRTIO_MEM_RESP_BUSY;
	set_plugged(device, offset / device->block, nb, true);
	if (device_is(device, KVM_VMEM_SETUP_PREALLOC))
		memory_populate(&device->memory, offset, size);
	slot_size_changed(slot);
	return VIRTIO_MEM_RESP_ACK;
}

/*
 * The memory of protected backing is gone for all who could see it, at once; the host
 * may still be freeing it.
 */
static void give_back(struct model *model, struct model_slot *slot, uint64_t offset,
		      uint64_t size, uint64_t plugged, bool sync)
{
	struct model_device *device = &slot->device;

	if (device_is_protected(device)) {
		memory_discard(&device->memory, offset, size);
		if (!sync && model->backlog)
			device->pending += plugged;
	} else {
		slot_discard_file(slot, offset, size);
	}
}

static int do_unplug(struct model *model, struct model_slot *slot, const struct op *op)
{
	struct model_device *device = &slot->device;
	uint64_t addr = op->args[REQUEST_ADDR], nb = op->args[REQUEST_NB];
	uint64_t offset = addr - device->addr, size = nb * device->block;

	if (!range_is_valid(device, addr, nb) ||
	    count_plugged(device, offset / device->block, nb) != nb)
		return VIRTIO_MEM_RESP_ERROR;
	if (device->frozen || (device->has_file && slot->user.sealed))
		return VIRTIO_MEM_RESP_BUSY;
	set_plugged(device, offset / device->block, nb, false);
	give_back(model, slot, offset, size, size,
		  op->args[REQUEST_FLAGS] & KVM_VMEM_UNPLUG_SYNC);
	/* "A memslot without plugged blocks leaves KVM at once with user backing" */
	if (!device_is_protected(device))
		memslots_forget_idle(slot, offset, size);
	slot_size_changed(slot);
	return VIRTIO_MEM_RESP_ACK;
}

static int do_unplug_all(struct model *model, struct model_slot *slot, bool sync)
{
	struct model_device *device = &slot->device;

	if (device->size) {
		if (device->frozen || (device->has_file && slot->user.sealed))
			return VIRTIO_MEM_RESP_BUSY;
		give_back(model, slot, 0, device->region, device->size, sync);
		set_plugged(device, 0, device->region / device->block, false);
		slot_size_changed(slot);
	}
	/* "and with UNPLUG_ALL and RESET" */
	memslots_forget_idle(slot, 0, device->region);
	device->usable = device_usable(device, device->requested);
	return VIRTIO_MEM_RESP_ACK;
}

static int do_state(const struct model_device *device, const struct op *op, struct answer *answer)
{
	uint64_t addr = op->args[REQUEST_ADDR], nb = op->args[REQUEST_NB], plugged;

	if (!range_is_valid(device, addr, nb))
		return VIRTIO_MEM_RESP_ERROR;
	plugged = count_plugged(device, (addr - device->addr) / device->block, nb);
	answer_value(answer, "state", plugged == nb ? VIRTIO_MEM_STATE_PLUGGED :
				      plugged ? VIRTIO_MEM_STATE_MIXED :
						VIRTIO_MEM_STATE_UNPLUGGED);
	return VIRTIO_MEM_RESP_ACK;
}

static void respond(struct model_device *device, struct answer *answer, int response)
{
	device->counters.responses[response]++;
	answer_value(answer, "response", response);
}

/* UNPLUG and PLUG of the same blocks, with nothing in between, and the first word. */
static void do_replug(struct model *model, struct model_slot *slot, const struct op *op,
		      struct answer *answer)
{
	struct model_device *device = &slot->device;
	uint64_t addr = op->args[REQUEST_ADDR];
	int response;

	respond(device, answer, do_unplug(model, slot, op));
	response = do_plug(slot, addr, op->args[REQUEST_NB]);
	respond(device, answer, response);
	if (response == VIRTIO_MEM_RESP_ACK && device_is_protected(device))
		answer_value(answer, "word", memory_read(&device->memory, addr - device->addr));
}

void model_request(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_slot *slot = &model->slots[op->slot];
	struct model_device *device = &slot->device;
	bool sync = op->args[REQUEST_FLAGS] & KVM_VMEM_UNPLUG_SYNC;

	if (op->kind == OP_UNPLUG_ALL && (op->args[REQUEST_ADDR] || op->args[REQUEST_NB]))
		answer_error(answer, EINVAL);
	if (answer->nr_errors)
		return;
	switch (op->kind) {
	case OP_PLUG:
		respond(device, answer,
			do_plug(slot, op->args[REQUEST_ADDR], op->args[REQUEST_NB]));
		break;
	case OP_UNPLUG:
		respond(device, answer, do_unplug(model, slot, op));
		break;
	case OP_UNPLUG_ALL:
		respond(device, answer, do_unplug_all(model, slot, sync));
		break;
	case OP_REPLUG:
		do_replug(model, slot, op, answer);
		break;
	default:
		respond(device, answer, do_state(device, op, answer));
	}
}

void model_reset(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_slot *slot = &model->slots[op->slot];

	if (answer->nr_errors)
		return;
	if (do_unplug_all(model, slot, false) == VIRTIO_MEM_RESP_BUSY)
		answer_error(answer, EBUSY);
}
