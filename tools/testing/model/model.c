// SPDX-License-Identifier: GPL-2.0
/* Life of a device in the model, and its configuration; and who does what. */
#define _GNU_SOURCE
#include "model.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct model_device *device_of(struct model *model, const struct op *op)
{
	return &model->slots[op->slot].device;
}

static void new_vm(struct model *model, unsigned int nr)
{
	model->vms[nr] = calloc(1, sizeof(*model->vms[nr]));
	if (!model->vms[nr])
		abort();
	model->vms[nr]->users = 1;
}

void model_new_vm(struct model *model, const struct op *op, struct answer *answer)
{
	unsigned int nr = op->args[VM_VM];

	(void)answer;
	vm_put(model->vms[nr]);
	new_vm(model, nr);
}

void model_init(struct model *model, const struct model_config *config)
{
	unsigned int i;

	memset(model, 0, sizeof(*model));
	model->config = *config;
	model->memslot_limit = config->memslot_limit;
	model->backlog = config->backlog;
	for (i = 0; i < NR_VMS; i++)
		new_vm(model, i);
}

bool device_is(const struct model_device *device, uint32_t flag)
{
	return device->flags & flag;
}

bool device_is_protected(const struct model_device *device)
{
	return !device_is(device, KVM_VMEM_SETUP_USER_BACKING);
}

bool device_is_dynamic(const struct model_device *device)
{
	return device_is(device, KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS);
}

/* "min(region size, requested size + 256 MiB), rounded up to a block; 0 for..." */
uint64_t device_usable(const struct model_device *device, uint64_t requested)
{
	uint64_t usable = requested + 256 * MIB;

	if (!requested)
		return 0;
	if (usable > device->region)
		usable = device->region;
	return (usable + device->block - 1) / device->block * device->block;
}

void model_open(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_device *device = device_of(model, op);

	(void)answer;
	memset(device, 0, sizeof(*device));
	device->is_open = true;
	device->retire_delay = model->config.retire_delay;
}

/* "Mappings that are left have no memory"; the VMM's own stays as it is. */
static void close_device(struct model_slot *slot)
{
	struct model_device *device = &slot->device;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(slot->mappings); i++)
		if (slot->mappings[i].source == SOURCE_DEVICE)
			slot->mappings[i].source = SOURCE_GONE;
	if (device->attached)
		vm_put(device->vm);
	memory_free(&device->memory);
	memory_free(&device->dirty);
	memory_free(&device->maybe_dirty);
	free(device->memslots);
	free(device->plugged);
	memset(device, 0, sizeof(*device));
}

void model_close(struct model *model, const struct op *op, struct answer *answer)
{
	(void)answer;
	close_device(&model->slots[op->slot]);
}

void model_destroy(struct model *model)
{
	unsigned int i;

	for (i = 0; i < NR_SLOTS; i++) {
		close_device(&model->slots[i]);
		memory_free(&model->slots[i].user.memory);
	}
	for (i = 0; i < NR_VMS; i++)
		vm_put(model->vms[i]);
	memset(model, 0, sizeof(*model));
}

static void set_requested(struct model_slot *slot, uint64_t size, struct answer *answer)
{
	struct model_device *device = &slot->device;
	uint64_t usable = device_usable(device, size);

	if (size % device->block || size > device->region)
		answer_error(answer, EINVAL);
	if (device->removing)
		answer_error(answer, EBUSY);
	if (answer->nr_errors)
		return;
	device->requested = size;
	if (usable > device->usable)
		device->usable = usable;
	slot_signal(slot, KVM_VMEM_EVENT_CONFIG, 1);
}

void model_requested(struct model *model, const struct op *op, struct answer *answer)
{
	set_requested(&model->slots[op->slot], op->args[REQUESTED_SIZE], answer);
}

/* Decimal digits and at most one suffix. Returns false if it is no such number. */
static bool parse_size(const char *text, uint64_t *size)
{
	static const char suffixes[] = "kmgt";
	const char *suffix;
	uint64_t digit;

	*size = 0;
	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++) {
		digit = *text - '0';
		if (*size > (UINT64_MAX - digit) / 10)
			return false;
		*size = *size * 10 + digit;
	}
	suffix = *text ? strchr(suffixes, tolower((unsigned char)*text)) : NULL;
	if (suffix) {
		if (*size > UINT64_MAX >> (10 * (suffix - suffixes + 1)))
			return false;
		*size <<= 10 * (suffix - suffixes + 1);
		text++;
	}
	return !*text;
}

void model_requested_text(struct model *model, const struct op *op, struct answer *answer)
{
	uint64_t size;

	if (parse_size(op->text, &size))
		set_requested(&model->slots[op->slot], size, answer);
	else
		answer_error(answer, EINVAL);
}

/* "Errors, in this order" */
static int prepare_remove_error(const struct model_device *device, bool cancel)
{
	if (device->removing != cancel)
		return -EALREADY;
	if (cancel)
		return 0;
	if (!device_is(device, KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE))
		return -EOPNOTSUPP;
	if (device->size)
		return -ENOTEMPTY;
	return device->requested ? -EBUSY : 0;
}

void model_prepare_remove(struct model *model, const struct op *op, struct answer *answer)
{
	bool cancel = op->args[ACTION_FLAGS] & KVM_VMEM_PREPARE_REMOVE_CANCEL;
	struct model_device *device = device_of(model, op);

	answer_return(answer, prepare_remove_error(device, cancel));
	if (!answer->nr_errors)
		device->removing = !cancel;
}

/* "A number up to 4294967295. ... EINVAL (no number), ERANGE (too large)" */
void model_retire_delay(struct model *model, const struct op *op, struct answer *answer)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(op->text, &end, 10);
	if (!isdigit((unsigned char)op->text[0]) || *end)
		answer_error(answer, EINVAL);
	else if (errno || value > UINT32_MAX)
		answer_error(answer, ERANGE);
	else
		device_of(model, op)->retire_delay = value;
}

/* "Writing 1 takes the memslots that are idle from KVM now. Writing 0 does nothing." */
void model_retire_now(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_slot *slot = &model->slots[op->slot];

	if (strcmp(op->text, "0") && strcmp(op->text, "1"))
		answer_error(answer, EINVAL);
	else if (op->text[0] == '1' && slot->device.attached)
		memslots_forget_idle(slot, 0, slot->device.region);
}

static void model_limit(struct model *model, const struct op *op, struct answer *answer)
{
	(void)answer;
	model->memslot_limit = op->args[LIMIT_LIMIT];
}

static void model_backlog(struct model *model, const struct op *op, struct answer *answer)
{
	(void)answer;
	model->backlog = op->args[BACKLOG_MIB];
}

/**
 * enum step - what an operation needs to have been done
 * @NEEDS_NOTHING: It is none of the device
 * @NEEDS_OPEN: EBADF without
 * @NEEDS_SETUP: ENODEV without
 * @NEEDS_SYSFS: The same; by the device's directory, which is not there before: ENOENT
 * @NEEDS_ATTACH: ENODEV without
 */
enum step { NEEDS_NOTHING, NEEDS_OPEN, NEEDS_SETUP, NEEDS_SYSFS, NEEDS_ATTACH };

static const struct {
	void (*run)(struct model *model, const struct op *op, struct answer *answer);
	enum step needs;
	bool shared;
	bool writes;
} kinds[NR_OPS] = {
	[OP_VM] = { model_new_vm, NEEDS_NOTHING, true },
	[OP_OWN] = { model_own, NEEDS_NOTHING, true },
	[OP_DISOWN] = { model_disown, NEEDS_NOTHING, true },
	[OP_LIMIT] = { model_limit, NEEDS_NOTHING, true },
	[OP_BACKLOG] = { model_backlog, NEEDS_NOTHING, true },
	[OP_OPEN] = { model_open, NEEDS_NOTHING, true },
	[OP_CLOSE] = { model_close, NEEDS_OPEN, true },
	[OP_MEMORY] = { model_memory, NEEDS_NOTHING, false },
	[OP_SEAL] = { model_seal, NEEDS_NOTHING, false },
	[OP_SETUP] = { model_setup, NEEDS_OPEN, true },
	[OP_MAP] = { model_map, NEEDS_OPEN, false },
	[OP_UNMAP] = { model_unmap, NEEDS_NOTHING, false },
	[OP_ATTACH] = { model_attach, NEEDS_SETUP, true },
	[OP_PLUG] = { model_request, NEEDS_ATTACH, false },
	[OP_UNPLUG] = { model_request, NEEDS_ATTACH, false },
	[OP_UNPLUG_ALL] = { model_request, NEEDS_ATTACH, false },
	[OP_REPLUG] = { model_request, NEEDS_ATTACH, false },
	[OP_STATE] = { model_request, NEEDS_ATTACH, false },
	[OP_RESET] = { model_reset, NEEDS_ATTACH, false },
	[OP_REQUESTED] = { model_requested, NEEDS_SETUP, false },
	[OP_REQUESTED_TEXT] = { model_requested_text, NEEDS_SYSFS, false, true },
	[OP_PREPARE_REMOVE] = { model_prepare_remove, NEEDS_SETUP, false },
	[OP_RETIRE_DELAY] = { model_retire_delay, NEEDS_SYSFS, false, true },
	[OP_RETIRE] = { model_retire_now, NEEDS_SYSFS, false, true },
	[OP_EVENTFD] = { model_eventfd, NEEDS_SETUP, false },
	[OP_EVENTS] = { model_events, NEEDS_NOTHING, false },
	[OP_READ] = { model_read, NEEDS_OPEN, false },
	[OP_POLL] = { model_poll, NEEDS_OPEN, false },
	[OP_CONFIG] = { model_config, NEEDS_SETUP, false },
	[OP_INFO] = { model_info, NEEDS_SETUP, false },
	[OP_MEMSLOTS] = { model_memslots, NEEDS_ATTACH, false },
	[OP_BITMAP] = { model_bitmap, NEEDS_SYSFS, false },
	[OP_SYSFS] = { model_sysfs, NEEDS_SYSFS, false },
	[OP_SETTLE] = { model_settle, NEEDS_SYSFS, false },
	[OP_WRITE_WORDS] = { model_words, NEEDS_NOTHING, false },
	[OP_READ_WORDS] = { model_words, NEEDS_NOTHING, false },
	[OP_DISCARD] = { model_discard, NEEDS_NOTHING, false },
	[OP_LSEEK] = { model_lseek, NEEDS_OPEN, false },
	[OP_FREEZE] = { model_freeze, NEEDS_SETUP, false },
	[OP_THAW] = { model_freeze, NEEDS_SETUP, false },
	[OP_GET_BITMAP] = { model_get_bitmap, NEEDS_ATTACH, false },
	[OP_SET_BITMAP] = { model_set_bitmap, NEEDS_ATTACH, false },
	[OP_DIRTY_LOG] = { model_dirty_log, NEEDS_ATTACH, false },
	[OP_GET_DIRTY_LOG] = { model_get_dirty_log, NEEDS_ATTACH, false },
};

bool model_is_shared(enum op_kind kind)
{
	return kinds[kind].shared;
}

/* Returns the -errno that says which step is missing, or 0. */
static int missing_step(const struct model_device *device, enum step needs)
{
	if (needs == NEEDS_NOTHING)
		return 0;
	if (needs == NEEDS_SYSFS)
		return device->is_setup ? 0 : -ENOENT;
	if (!device->is_open)
		return -EBADF;
	if (needs >= NEEDS_SETUP && !device->is_setup)
		return -ENODEV;
	return needs == NEEDS_ATTACH && !device->attached ? -ENODEV : 0;
}

/* Flags that no version knows; a call that also lacks a step may say either. */
static bool has_unknown_flags(const struct op *op)
{
	static const struct {
		enum op_kind kind;
		unsigned int arg;
		uint64_t known;
	} flags[] = {
		{ OP_ATTACH, ATTACH_FLAGS, 0 },
		{ OP_PLUG, REQUEST_FLAGS, 0 },
		{ OP_STATE, REQUEST_FLAGS, 0 },
		{ OP_UNPLUG, REQUEST_FLAGS, KVM_VMEM_UNPLUG_SYNC },
		{ OP_UNPLUG_ALL, REQUEST_FLAGS, KVM_VMEM_UNPLUG_SYNC },
		{ OP_RESET, ACTION_FLAGS, 0 },
		{ OP_REQUESTED, REQUESTED_FLAGS, 0 },
		{ OP_PREPARE_REMOVE, ACTION_FLAGS, KVM_VMEM_PREPARE_REMOVE_CANCEL },
		{ OP_EVENTFD, EVENTFD_FLAGS, KVM_VMEM_EVENTFD_DEASSIGN },
		{ OP_FREEZE, ACTION_FLAGS, 0 },
		{ OP_THAW, ACTION_FLAGS, 0 },
		{ OP_GET_BITMAP, BITMAP_FLAGS, 0 },
		{ OP_SET_BITMAP, RESTORE_FLAGS, 0 },
		{ OP_DIRTY_LOG, ACTION_FLAGS, KVM_VMEM_DIRTY_LOG_ENABLE |
					      KVM_VMEM_DIRTY_LOG_MANUAL_PROTECT },
		{ OP_GET_DIRTY_LOG, BITMAP_FLAGS, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].kind == op->kind && op->args[flags[i].arg] & ~flags[i].known)
			return true;
	return false;
}

void model_run(struct model *model, const struct op *op, struct answer *answer)
{
	int error = missing_step(device_of(model, op), kinds[op->kind].needs);

	answer_clear(answer);
	answer_return(answer, error);
	if (has_unknown_flags(op) && error != -EBADF)
		answer_error(answer, EOPNOTSUPP);
	/* Writing nothing to a file does nothing. */
	if (kinds[op->kind].needs == NEEDS_SYSFS && kinds[op->kind].writes && !op->text[0])
		return;
	if (!error)
		kinds[op->kind].run(model, op, answer);
}
