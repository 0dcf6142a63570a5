// SPDX-License-Identifier: GPL-2.0
/* The memslot group of a device in the model, and its retirement. */
#include "model.h"

#include <stdlib.h>

/* "60 times as long while size is above requested_size" (ABI: retire_delay_ms) */
#define SHRINKING_FACTOR 60

void device_divide(struct model_device *device, uint64_t memslot)
{
	device->memslot = memslot;
	device->nr_memslots = divide(device->region, memslot);
	free(device->memslots);
	device->memslots = zeroed(device->nr_memslots, sizeof(*device->memslots));
}

uint64_t memslot_size_of(const struct model_device *device, uint32_t index)
{
	uint64_t rest = device->region - index * device->memslot;

	return rest < device->memslot ? rest : device->memslot;
}

uint32_t count_memslots(const struct model_device *device, bool active)
{
	uint32_t i, nr = 0;

	for (i = 0; i < device->nr_memslots; i++)
		nr += device->memslots[i].known && !device->memslots[i].nr_plugged != active;
	return nr;
}

void count_kvm_calls(struct model_device *device, uint64_t nr_memslots)
{
	uint64_t nr = nr_memslots * __builtin_popcount(device->spaces);

	device->counters.kvm_calls.min += nr;
	device->counters.kvm_calls.max += nr;
}

void memslots_mapped(struct model_slot *slot, uint64_t nr)
{
	count_kvm_calls(&slot->device, nr);
	if (nr)
		slot_signal(slot, KVM_VMEM_EVENT_MEMSLOTS, 1);
}

/* How many memslots of a range KVM would not take, of those that it does not know. */
uint32_t memslots_refused(const struct model_device *device, uint64_t offset, uint64_t size,
			  uint32_t *nr_absent)
{
	uint32_t first = offset / device->memslot, last = (offset + size - 1) / device->memslot;
	uint32_t i, refused = 0;

	*nr_absent = 0;
	for (i = first; i <= last; i++) {
		if (device->memslots[i].known)
			continue;
		++*nr_absent;
		refused += vm_refuses(device->vm, device->first_id + i,
				      device->addr + i * device->memslot,
				      memslot_size_of(device, i));
	}
	return refused;
}

/*
 * "PLUG maps the absent memslots of its range, all of them or none". Returns whether
 * KVM takes them; if not, it may have been asked for some and have been told to forget
 * them again.
 */
bool memslots_map(struct model_slot *slot, uint64_t offset, uint64_t size)
{
	struct model_device *device = &slot->device;
	uint32_t first = offset / device->memslot, last = (offset + size - 1) / device->memslot;
	uint32_t i, nr;

	if (memslots_refused(device, offset, size, &nr)) {
		device->counters.kvm_calls.min++;
		device->counters.kvm_calls.max +=
			2ULL * nr * __builtin_popcount(device->spaces);
		return false;
	}
	for (i = first; i <= last; i++)
		device->memslots[i].known = true;
	memslots_mapped(slot, nr);
	return true;
}

/*
 * Idle memslots that have a part in the range leave KVM. What a guest wrote there with
 * user backing "is discarded [...] when its memslot loses its last plugged block".
 */
void memslots_forget_idle(struct model_slot *slot, uint64_t offset, uint64_t size)
{
	struct model_device *device = &slot->device;
	uint32_t first = offset / device->memslot, last = (offset + size - 1) / device->memslot;
	uint32_t i, nr = 0;

	if (!device_is_dynamic(device))
		return;
	for (i = first; i <= last; i++) {
		if (!device->memslots[i].known || device->memslots[i].nr_plugged)
			continue;
		device->memslots[i].known = false;
		slot_discard_file(slot, i * device->memslot, memslot_size_of(device, i));
		nr++;
	}
	count_kvm_calls(device, nr);
	if (nr)
		slot_signal(slot, KVM_VMEM_EVENT_MEMSLOTS, 1);
}

bool model_retires(const struct model *model, unsigned int slot, uint64_t *ms)
{
	const struct model_device *device = &model->slots[slot].device;

	if (!device->attached || !device_is_protected(device) || !device_is_dynamic(device) ||
	    !count_memslots(device, false))
		return false;
	*ms = device->retire_delay;
	if (device->size > device->requested)
		*ms *= SHRINKING_FACTOR;
	return true;
}

void model_retire(struct model *model, unsigned int slot)
{
	memslots_forget_idle(&model->slots[slot], 0, model->slots[slot].device.region);
}
