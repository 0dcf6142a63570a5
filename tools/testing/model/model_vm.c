// SPDX-License-Identifier: GPL-2.0
/* VMs in the model, what their devices share, and ATTACH. */
#include "model.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void vm_put(struct model_vm *vm)
{
	if (vm && !--vm->users)
		free(vm);
}

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* The VMM's own memslots, and its RAM: memslot 0, 2 MiB at 0. */
static bool vm_has_memory_at(const struct model_vm *vm, uint64_t gpa, uint64_t size)
{
	unsigned int i;

	for (i = 0; i < vm->nr_own; i++)
		if (overlaps(vm->own[i].gpa, MEMORY_PAGE, gpa, size))
			return true;
	return overlaps(0, 2 * MIB, gpa, size);
}

static bool vm_has_id(const struct model_vm *vm, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < vm->nr_own; i++)
		if (vm->own[i].id == id)
			return true;
	return id == 0;
}

void vm_errors(const struct model_vm *vm, uint32_t id, uint64_t gpa, uint64_t size,
	       struct answer *answer)
{
	if (vm_has_id(vm, id))
		answer_error(answer, EINVAL);
	if (vm_has_memory_at(vm, gpa, size))
		answer_error(answer, EEXIST);
}

bool vm_refuses(const struct model_vm *vm, uint32_t id, uint64_t gpa, uint64_t size)
{
	return vm_has_id(vm, id) || vm_has_memory_at(vm, gpa, size);
}

/* What KVM knows of the devices. */
static bool vm_has_device_at(const struct model *model, const struct model_vm *vm, uint64_t gpa,
			     uint64_t size)
{
	const struct model_device *device;
	unsigned int i;
	uint32_t j;

	for (i = 0; i < NR_SLOTS; i++) {
		device = &model->slots[i].device;
		for (j = 0; device->attached && device->vm == vm && j < device->nr_memslots; j++)
			if (device->memslots[j].known &&
			    overlaps(device->addr + j * device->memslot,
				     memslot_size_of(device, j), gpa, size))
				return true;
	}
	return false;
}

void model_own(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_vm *vm = model->vms[op->args[OWN_VM]];
	uint64_t gpa = model->slots[op->slot].device.addr + op->args[OWN_OFFSET];

	if (vm_has_memory_at(vm, gpa, MEMORY_PAGE) ||
	    vm_has_device_at(model, vm, gpa, MEMORY_PAGE))
		answer_error(answer, EEXIST);
	else
		vm->own[vm->nr_own++] = (struct model_own){ op->args[OWN_ID], gpa };
}

void model_disown(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_vm *vm = model->vms[op->args[DISOWN_VM]];
	unsigned int i;

	(void)answer;
	for (i = 0; i < vm->nr_own; i++)
		if (vm->own[i].id == op->args[DISOWN_ID])
			break;
	assert(i < vm->nr_own);
	vm->own[i] = vm->own[--vm->nr_own];
}

/* What ATTACH asks for and finds. */
struct attach {
	const struct model *model;
	const struct model_device *device;
	const struct model_vm *vm;
	uint64_t memslot;
	uint32_t nr_memslots;
	uint32_t first_id;
	uint64_t userspace_addr;
};

static const struct model_device *other_device(const struct attach *attach, unsigned int slot)
{
	const struct model_device *other = &attach->model->slots[slot].device;

	return other->attached && other->vm == attach->vm ? other : NULL;
}

/* "The host's limit [...] holds for all devices of a VM together. It is soft." */
static void divide_again(struct attach *attach, struct answer *answer)
{
	const struct model_device *device = attach->device, *other;
	uint64_t claimed = 0, left = 1;
	unsigned int i;

	attach->memslot = device->memslot;
	attach->nr_memslots = device->nr_memslots;
	if (!device_is_dynamic(device))
		return;
	for (i = 0; i < NR_SLOTS; i++) {
		other = other_device(attach, i);
		claimed += other ? other->nr_memslots : 0;
	}
	if (claimed < attach->model->memslot_limit)
		left = attach->model->memslot_limit - claimed;
	if (device->limit && device->limit < left)
		left = device->limit;
	if (device->fixed_memslot) {
		if (device->nr_memslots > left)
			answer_error(answer, ENOSPC);
		return;
	}
	/* "larger if the other devices [...] left too little [...], smaller if it was raised" */
	attach->memslot = smallest_memslot(device->region, device->block, left);
	attach->nr_memslots = divide(device->region, attach->memslot);
}

static bool ids_are_claimed(const struct attach *attach, uint64_t first)
{
	const struct model_device *other;
	unsigned int i;

	for (i = 0; i < NR_SLOTS; i++) {
		other = other_device(attach, i);
		if (other && overlaps(other->first_id, other->nr_memslots, first,
				      attach->nr_memslots))
			return true;
	}
	return false;
}

/* "AUTO: the highest ids that no device of the VM uses" */
static void choose_ids(struct attach *attach, uint64_t wanted, struct answer *answer)
{
	uint64_t end = attach->model->config.nr_memslot_ids, first;

	if (wanted != KVM_VMEM_MEMSLOT_ID_AUTO) {
		if (wanted >= end || attach->nr_memslots > end - wanted)
			answer_error(answer, EINVAL);
		else if (ids_are_claimed(attach, wanted))
			answer_error(answer, EEXIST);
		attach->first_id = wanted;
		return;
	}
	if (attach->nr_memslots > end) {
		answer_error(answer, ENOSPC);
		return;
	}
	first = end - attach->nr_memslots;
	while (first && ids_are_claimed(attach, first))
		first--;
	if (ids_are_claimed(attach, first))
		answer_error(answer, ENOSPC);
	attach->first_id = first;
}

/*
 * "With them [dynamic memslots] it maps and unmaps the region's first and last page
 * once, so that what KVM would refuse is refused here"; without, all of it is mapped.
 */
static void ask_kvm(const struct attach *attach, struct answer *answer)
{
	const struct model_device *device = attach->device;
	uint64_t end = device->addr + device->region;
	uint32_t i, last = attach->nr_memslots - 1;
	bool dynamic = device_is_dynamic(device);

	if (end > attach->model->config.max_gpa)
		answer_error(answer, EINVAL);
	for (i = 0; i <= last; i++)
		if ((!dynamic || i == 0 || i == last) &&
		    vm_has_id(attach->vm, attach->first_id + i))
			answer_error(answer, EINVAL);
	if (vm_has_memory_at(attach->vm, device->addr, dynamic ? MEMORY_PAGE : device->region) ||
	    vm_has_memory_at(attach->vm, end - MEMORY_PAGE, MEMORY_PAGE))
		answer_error(answer, EEXIST);
}

static void check_vm(struct attach *attach, const struct op *op, struct answer *answer)
{
	const struct model_device *device = attach->device, *other;
	struct answer faults = {};
	unsigned int i;

	if (op->args[ATTACH_FD] != VM_FD_GOOD) {
		answer_error(answer, op->args[ATTACH_FD] == VM_FD_CLOSED ? EBADF : EINVAL);
		return;
	}
	for (i = 0; i < NR_SLOTS; i++) {
		other = other_device(attach, i);
		if (other && overlaps(other->addr, other->region, device->addr, device->region))
			answer_error(answer, EEXIST);
	}
	divide_again(attach, &faults);
	/* Without ids there is nothing to ask KVM for. */
	if (!faults.nr_errors)
		choose_ids(attach, op->args[ATTACH_ID], &faults);
	if (!faults.nr_errors)
		ask_kvm(attach, answer);
	for (i = 0; i < faults.nr_errors; i++)
		answer_error(answer, faults.errors[i]);
}

/* "All of the region must be mapped, writable [...], and be the shared mapping of..." */
static void check_mapping(struct attach *attach, const struct op *op, struct answer *answer)
{
	const struct model_slot *from = &attach->model->slots[op->args[ATTACH_FROM]];
	const struct model_device *device = attach->device;
	uint64_t delta = op->args[ATTACH_DELTA];
	const struct model_mapping *mapping;
	bool mine, place_is_right = true;

	/* An address that nothing is at: 0. */
	if (op->args[ATTACH_WHICH] == MAPPING_NONE ||
	    from->mappings[op->args[ATTACH_WHICH]].source == SOURCE_NOTHING) {
		attach->userspace_addr = delta;
		answer_error(answer, EFAULT);
		if ((delta ^ device->addr) % device->block)
			answer_error(answer, EINVAL);
		return;
	}
	mapping = &from->mappings[op->args[ATTACH_WHICH]];
	attach->userspace_addr = mapping->addr + delta;
	if ((attach->userspace_addr ^ device->addr) % device->block)
		answer_error(answer, EINVAL);
	if (!mapping->writable)
		answer_error(answer, EACCES);
	/* What lies behind the mapping, if anything does, is not the region. */
	if (delta > mapping->size || mapping->size - delta < device->region) {
		answer_error(answer, EFAULT);
		answer_error(answer, EACCES);
		answer_error(answer, EINVAL);
	}
	mine = op->args[ATTACH_FROM] == op->slot;
	if (device_is_protected(device))
		place_is_right = mine && mapping->source == SOURCE_DEVICE &&
				 mapping->offset + delta == 0;
	else if (device->has_file)
		place_is_right = mine && mapping->source == SOURCE_USER &&
				 from->user.kind != MEMORY_ANON &&
				 mapping->offset + delta == device->file_offset;
	else if (from->user.kind == MEMORY_HUGETLB && device->block < MEMORY_CHUNK)
		place_is_right = false;
	if (!place_is_right)
		answer_error(answer, EINVAL);
}

static void connect(struct model_slot *slot, const struct attach *attach, const struct op *op)
{
	struct model_device *device = &slot->device;

	device->attached = true;
	device->vm = (struct model_vm *)attach->vm;
	device->vm->users++;
	device->spaces = op->args[ATTACH_SPACES];
	device->which = op->args[ATTACH_WHICH];
	device->userspace_addr = attach->userspace_addr;
	device->first_id = attach->first_id;
	device_divide(device, attach->memslot);
	slot_discard_file(slot, 0, device->region);
	if (device_is_dynamic(device)) {
		/* The two ends, there and gone again. */
		device->counters.kvm_calls.min += 4 * __builtin_popcount(device->spaces);
		device->counters.kvm_calls.max = device->counters.kvm_calls.min;
	} else {
		memslots_map(slot, 0, device->region);
	}
}

void model_attach(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_slot *slot = &model->slots[op->slot];
	struct model_device *device = &slot->device;
	struct attach attach = {
		.model = model,
		.device = device,
		.vm = model->vms[op->args[ATTACH_VM]],
	};

	if (device->attached)
		answer_error(answer, EBUSY);
	if (op->args[ATTACH_RESERVED])
		answer_error(answer, EOPNOTSUPP);
	if (!(op->args[ATTACH_SPACES] & 1))
		answer_error(answer, EINVAL);
	if (op->args[ATTACH_SPACES] >> model->config.nr_address_spaces)
		answer_error(answer, ENOENT);
	check_mapping(&attach, op, answer);
	if (device->has_file && slot->user.sealed)
		answer_error(answer, EPERM);
	check_vm(&attach, op, answer);
	if (answer->nr_errors) {
		/* KVM may have been asked, whatever became of that. */
		if (!device->attached)
			device->counters.kvm_calls.max += 2ULL * (attach.nr_memslots + 2) *
							  model->config.nr_address_spaces;
		return;
	}
	connect(slot, &attach, op);
	answer_value(answer, "memslot", memslot_size_of(device, 0));
	answer_value(answer, "nr_memslots", device->nr_memslots);
	answer_value(answer, "first_id", device->first_id);
}
