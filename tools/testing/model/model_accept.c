// SPDX-License-Identifier: GPL-2.0
/*
 * Which operations the model has an opinion of, whatever came before; and what it learns
 * where it has none.
 */
#define _GNU_SOURCE
#include "model.h"

#include <unistd.h>

#define MOST_MEMORY	(16 * TIB)	/* that is mapped at once */
#define MOST_REGION	(64 * TIB)
#define MOST_HUGETLB	(64 * MIB)	/* as the pool is small */
#define MOST_BLOCKS	(1ULL << 22)
#define MOST_PAGES	(1ULL << 16)	/* that are looked at for being dirty */
/* Whether KVM takes those beyond depends on the host's CPU and levels of page tables. */
#define KNOWN_ADDRESSES	(1ULL << 45)

static const struct model_mapping *mapping_of(const struct model *model, const struct op *op,
					      uint64_t which)
{
	return &model->slots[op->slot].mappings[which];
}

/* KVM works with it. */
static bool mapping_is_in_use(const struct model *model, const struct op *op, uint64_t which)
{
	const struct model_device *device = &model->slots[op->slot].device;

	return device->attached && device->which == which;
}

static bool has_own(const struct model_vm *vm, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < vm->nr_own; i++)
		if (vm->own[i].id == id)
			return true;
	return false;
}

/* A memslot of a device's: not the VMM's to change. */
static bool is_known_id(const struct model *model, const struct model_vm *vm, uint32_t id)
{
	const struct model_device *device;
	unsigned int i;

	for (i = 0; i < NR_SLOTS; i++) {
		device = &model->slots[i].device;
		if (device->attached && device->vm == vm && id >= device->first_id &&
		    id - device->first_id < device->nr_memslots &&
		    device->memslots[id - device->first_id].known)
			return true;
	}
	return false;
}

static bool accepts_own(const struct model *model, const struct op *op)
{
	const struct model_device *device = &model->slots[op->slot].device;
	uint64_t id = op->args[OWN_ID], offset = op->args[OWN_OFFSET];
	const struct model_vm *vm;

	if (op->args[OWN_VM] >= NR_VMS || !device->is_setup || !id ||
	    id >= model->config.nr_memslot_ids || offset % MEMORY_PAGE ||
	    offset >= device->region || device->addr + offset >= KNOWN_ADDRESSES)
		return false;
	vm = model->vms[op->args[OWN_VM]];
	return vm->nr_own < MODEL_MAX_OWN && !has_own(vm, id) && !is_known_id(model, vm, id);
}

static bool accepts_memory(const struct model *model, const struct op *op)
{
	const struct model_device *device = &model->slots[op->slot].device;
	uint64_t size = op->args[MEMORY_SIZE], offset = op->args[MEMORY_OFFSET];
	bool hugetlb = op->args[MEMORY_KIND] == MEMORY_HUGETLB;
	uint64_t page = hugetlb ? MEMORY_CHUNK : MEMORY_PAGE;

	if (op->args[MEMORY_KIND] > MEMORY_HUGETLB || !size || size % page || offset % page ||
	    size > (hugetlb ? MOST_HUGETLB : MOST_MEMORY) || offset > MOST_MEMORY)
		return false;
	/* A device that is set up has the file that was there before. */
	if (device->is_setup && !device_is_protected(device))
		return false;
	return !mapping_is_in_use(model, op, MAPPING_MAIN);
}

static bool accepts_setup(const struct op *op)
{
	uint64_t region = op->args[SETUP_REGION], block = op->args[SETUP_BLOCK];

	if (op->args[SETUP_FD] > FD_BELOW || op->args[SETUP_LIMIT] > UINT32_MAX ||
	    op->args[SETUP_FLAGS] > UINT32_MAX || op->args[SETUP_NODE] > UINT16_MAX ||
	    op->args[SETUP_RESERVED0] > UINT16_MAX || op->args[SETUP_RESERVED1] > UINT32_MAX)
		return false;
	/* One that cannot be may be as large as it likes. */
	if (op->args[SETUP_ADDR] > UINT64_MAX - region ||
	    op->args[SETUP_ADDR] + region > 1ULL << 62)
		return true;
	return region <= MOST_REGION && region / (block > MIB ? block : MIB) <= MOST_BLOCKS;
}

static bool accepts_map(const struct model *model, const struct op *op)
{
	uint64_t size = op->args[MAP_SIZE], offset = op->args[MAP_OFFSET];

	return op->args[MAP_WHICH] <= MAPPING_EXTRA && op->args[MAP_PROT] <= PROT_IS_RWX &&
	       op->args[MAP_SHARING] <= IS_PRIVATE && op->args[MAP_BY] <= BY_MEMORY_FD &&
	       size && size <= MOST_MEMORY && offset <= MOST_REGION &&
	       size % MEMORY_PAGE == 0 && offset % MEMORY_PAGE == 0 &&
	       !mapping_is_in_use(model, op, op->args[MAP_WHICH]);
}

static bool accepts_unmap(const struct model *model, const struct op *op)
{
	return op->args[UNMAP_WHICH] <= MAPPING_EXTRA &&
	       mapping_of(model, op, op->args[UNMAP_WHICH])->source != SOURCE_NOTHING &&
	       !mapping_is_in_use(model, op, op->args[UNMAP_WHICH]);
}

static bool accepts_attach(const struct model *model, const struct op *op)
{
	const struct model_device *device = &model->slots[op->slot].device;
	const struct model_mapping *mapping;

	if (op->args[ATTACH_VM] >= NR_VMS || op->args[ATTACH_FROM] >= NR_SLOTS ||
	    op->args[ATTACH_FD] > VM_FD_OTHER || op->args[ATTACH_WHICH] > MAPPING_NONE ||
	    op->args[ATTACH_ID] > UINT32_MAX || op->args[ATTACH_SPACES] > UINT32_MAX ||
	    op->args[ATTACH_FLAGS] > UINT32_MAX || op->args[ATTACH_RESERVED] > UINT32_MAX)
		return false;
	if (device->addr + device->region > KNOWN_ADDRESSES &&
	    device->addr + device->region <= model->config.max_gpa)
		return false;
	if (op->args[ATTACH_WHICH] == MAPPING_NONE)
		return op->args[ATTACH_DELTA] < MIB;
	if (!device->is_setup || device_is_protected(device) || device->has_file)
		return true;
	/* Any memory will do for it: let it be its own. */
	mapping = mapping_of(model, op, MAPPING_MAIN);
	return op->args[ATTACH_FROM] == op->slot && op->args[ATTACH_WHICH] == MAPPING_MAIN &&
	       !op->args[ATTACH_DELTA] && mapping->source == SOURCE_USER &&
	       mapping->size >= device->region;
}

static bool accepts_guest(const struct model *model, const struct op *op, uint64_t end)
{
	const struct model_device *device = &model->slots[op->slot].device;
	unsigned int i;

	if (!device->attached || end > device->region || device->addr + end > MODEL_MAX_GUEST)
		return false;
	for (i = 0; i < NR_VMS; i++)
		if (model->vms[i] == device->vm)
			return true;
	return false;
}

static bool accepts_words(const struct model *model, const struct op *op)
{
	uint64_t offset = op->args[WORDS_OFFSET], count = op->args[WORDS_COUNT];
	uint64_t stride = op->args[WORDS_STRIDE], end;
	const struct model_mapping *mapping;
	uint64_t start = 0;

	if (op->args[WORDS_VIA] > VIA_GUEST || !count ||
	    count > (op->kind == OP_READ_WORDS ? 32 : 4096) || offset % 8 || stride % 8 ||
	    stride > TIB || offset > MOST_REGION)
		return false;
	end = offset + (count - 1) * stride + 8;
	if (op->args[WORDS_VIA] == VIA_GUEST)
		return accepts_guest(model, op, end);
	mapping = mapping_of(model, op, op->args[WORDS_VIA] == VIA_EXTRA ? MAPPING_EXTRA :
									 MAPPING_MAIN);
	if (mapping->source != SOURCE_USER)
		start = mapping->offset;
	return mapping->source != SOURCE_NOTHING && offset >= start &&
	       end - start <= mapping->size;
}

static bool accepts_discard(const struct model *model, const struct op *op)
{
	const struct model_mapping *mapping = mapping_of(model, op, MAPPING_MAIN);
	uint64_t offset = op->args[DISCARD_OFFSET], size = op->args[DISCARD_SIZE];
	uint64_t page = MEMORY_PAGE;

	if (mapping->source == SOURCE_USER) {
		if (model->slots[op->slot].user.kind == MEMORY_HUGETLB)
			page = MEMORY_CHUNK;
	} else if (mapping->source != SOURCE_DEVICE || mapping->offset || !mapping->writable) {
		return false;
	}
	return size && offset % page == 0 && size % page == 0 && offset <= mapping->size &&
	       size <= mapping->size - offset;
}

/*
 * A PLUG that KVM refuses after it took other memslots discards what is behind those: a
 * guest may have written there. What the VMM had there, in unplugged memory, may be gone.
 */
static bool may_lose_memory(const struct model_slot *slot, const struct op *op)
{
	const struct model_device *device = &slot->device;
	uint64_t offset = op->args[REQUEST_ADDR] - device->addr;
	uint64_t size = op->args[REQUEST_NB] * device->block;
	uint32_t nr_absent;

	return op->kind == OP_PLUG && device->attached && device->has_file &&
	       range_is_valid(device, op->args[REQUEST_ADDR], op->args[REQUEST_NB]) &&
	       memslots_refused(device, offset, size, &nr_absent) && nr_absent > 1 &&
	       memory_is_there(&slot->user.memory, 0, UINT64_MAX);
}

static bool accepts_request(const struct model *model, const struct op *op)
{
	if (may_lose_memory(&model->slots[op->slot], op))
		return false;
	if (op->args[REQUEST_NB] > UINT32_MAX || op->args[REQUEST_FLAGS] > UINT32_MAX)
		return false;
	/* The memslot must not be retired in between. */
	return op->kind != OP_REPLUG ||
	       (!op->args[REQUEST_FLAGS] && model->slots[op->slot].device.retire_delay >= 60000);
}

/* Where huge pages may be, or memory that is still to be freed, is the host's affair. */
static bool accepts_lseek(const struct model_device *device, const struct op *op)
{
	if (op->args[LSEEK_WHENCE] > SEEK_HOLE + 1 || op->args[LSEEK_OFFSET] > MOST_REGION)
		return false;
	return !device->is_setup || !device_is_protected(device) ||
	       op->args[LSEEK_WHENCE] < SEEK_DATA || op->args[LSEEK_WHENCE] > SEEK_HOLE ||
	       (!device->pending && device->memory.pages == PAGES_SMALL);
}

static bool accepts_set_bitmap(const struct model_slot *slot, const struct op *op)
{
	const struct model_device *device = &slot->device;
	uint32_t nr_absent;

	if (op->args[RESTORE_NB] > 2 * MOST_BLOCKS || op->args[RESTORE_NODE] > UINT16_MAX ||
	    op->args[RESTORE_RESERVED0] > UINT16_MAX ||
	    op->args[RESTORE_RESERVED1] > UINT32_MAX || op->args[RESTORE_FLAGS] > UINT32_MAX)
		return false;
	/* As with a PLUG that is refused. */
	return !device->attached || !device->has_file ||
	       !memslots_refused(device, 0, device->region, &nr_absent) ||
	       !memory_is_there(&slot->user.memory, 0, UINT64_MAX);
}

static bool accepts_dirty_range(const struct op *op)
{
	return op->args[BITMAP_NB] <= MOST_PAGES && op->args[BITMAP_FLAGS] <= UINT32_MAX;
}

bool model_accepts(const struct model *model, const struct op *op)
{
	const struct model_slot *slot = &model->slots[op->slot];

	switch (op->kind) {
	case OP_VM:
		return op->args[VM_VM] < NR_VMS;
	case OP_OWN:
		return accepts_own(model, op);
	case OP_DISOWN:
		return op->args[DISOWN_VM] < NR_VMS &&
		       has_own(model->vms[op->args[DISOWN_VM]], op->args[DISOWN_ID]);
	case OP_LIMIT:
		return op->args[LIMIT_LIMIT] && op->args[LIMIT_LIMIT] <= UINT16_MAX;
	case OP_BACKLOG:
		return op->args[BACKLOG_MIB] <= UINT16_MAX;
	case OP_OPEN:
		return !slot->device.is_open;
	case OP_CLOSE:
		return slot->device.is_open;
	case OP_MEMORY:
		return accepts_memory(model, op);
	case OP_SEAL:
		return slot->user.exists && slot->user.kind == MEMORY_MEMFD;
	case OP_SETUP:
		return accepts_setup(op);
	case OP_MAP:
		return accepts_map(model, op);
	case OP_UNMAP:
		return accepts_unmap(model, op);
	case OP_ATTACH:
		return accepts_attach(model, op);
	case OP_PLUG:
	case OP_UNPLUG:
	case OP_UNPLUG_ALL:
	case OP_REPLUG:
	case OP_STATE:
		return accepts_request(model, op);
	case OP_EVENTFD:
		return op->args[EVENTFD_FD] <= EVENTFD_OTHER;
	case OP_WRITE_WORDS:
	case OP_READ_WORDS:
		return accepts_words(model, op);
	case OP_DISCARD:
		return accepts_discard(model, op);
	case OP_LSEEK:
		return accepts_lseek(&slot->device, op);
	case OP_GET_BITMAP:
		return op->args[BITMAP_NB] <= 2 * MOST_BLOCKS &&
		       op->args[BITMAP_FLAGS] <= UINT32_MAX;
	case OP_SET_BITMAP:
		return accepts_set_bitmap(slot, op);
	case OP_DIRTY_LOG:
		/* No VM here has KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2. */
		return op->args[ACTION_FLAGS] <= UINT32_MAX &&
		       (op->args[ACTION_FLAGS] & 3) != 3;
	case OP_GET_DIRTY_LOG:
		return accepts_dirty_range(op);
	default:
		return true;
	}
}

static void learn_info(struct model_slot *slot, const struct answer *actual)
{
	struct model_counters *counters = &slot->device.counters;
	uint64_t violations = answer_get(actual, "violations");
	uint64_t kvm_calls = answer_get(actual, "kvm_calls");
	uint64_t before;

	if (counters->violations.max == UINT64_MAX) {
		/* That one happened raised the least by one already. */
		before = counters->violations.min - 1;
		slot_signal(slot, KVM_VMEM_EVENT_VIOLATION, violations - before);
	}
	counters->violations = (struct model_count){ violations, violations };
	counters->kvm_calls = (struct model_count){ kvm_calls, kvm_calls };
}

void model_learn(struct model *model, const struct op *op, const struct answer *actual)
{
	struct model_slot *slot = &model->slots[op->slot];

	if (actual->nr_errors)
		return;
	switch (op->kind) {
	case OP_MEMORY:
		slot->mappings[MAPPING_MAIN].addr = answer_get(actual, "addr");
		break;
	case OP_MAP:
		slot->mappings[op->args[MAP_WHICH]].addr = answer_get(actual, "addr");
		break;
	case OP_INFO:
		learn_info(slot, actual);
		break;
	default:
		break;
	}
}
