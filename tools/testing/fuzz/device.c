// SPDX-License-Identifier: GPL-2.0
/* Calls: the device's ioctls, each member of their structures an argument. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/kvm_vmem.h>

#include "run.h"

/* The arguments that every ioctl has. */
enum { IOCTL_FD, IOCTL_SIZE, IOCTL_TAIL, IOCTL_AT, IOCTL_MEMBERS };

/* Of the structure: its own size, and what is behind that. */
#define EXACT		(1ULL << 32)
#define MOST_STRUCT	8192

static const struct name sizes[] = { { "exact", EXACT }, { 0 } };

enum { TAIL_ZEROS, TAIL_GARBAGE };

static const struct name tails[] = {
	{ "zeros", TAIL_ZEROS }, { "garbage", TAIL_GARBAGE }, { 0 }
};

/* Where the structure is: at the end of memory, or where no structure can be. */
enum { AT_END = 0, AT_NULL = 1, AT_HOLE = 2 };

#define AT_KERNEL	0xffff888000000000ULL
#define AT_NOWHERE	0x8000000000000000ULL
#define AT_LAST_PAGE	0x7ffffffff000ULL

static const struct name places[] = {
	{ "end", AT_END }, { "null", AT_NULL }, { "hole", AT_HOLE }, { "kernel", AT_KERNEL },
	{ "nowhere", AT_NOWHERE }, { "last_page", AT_LAST_PAGE }, { 0 }
};

static uint32_t struct_size(const struct call *call)
{
	uint64_t size = arg_number(call, IOCTL_SIZE);

	return size == EXACT ? call->spec->struct_size : size;
}

/* Fills in the members, as long as there is room for any structure. */
static void fill(const struct run *run, const struct call *call, char *to)
{
	const struct call_spec *spec = call->spec;
	uint32_t size = struct_size(call);

	memset(to, 0, MOST_STRUCT);
	if (arg_number(call, IOCTL_TAIL) == TAIL_GARBAGE)
		memset(to + spec->struct_size, 0x5a, MOST_STRUCT - spec->struct_size);
	memcpy(to, &size, sizeof(size));
	for (unsigned int i = IOCTL_MEMBERS; i < nb_args(spec); i++) {
		const struct arg_spec *arg = &spec->args[i];
		uint64_t value;

		if (arg->kind == ARG_TEXT) {
			memcpy(to + arg->offset, call->text, at_most(call->text_size, arg->width));
			continue;
		}
		if (arg->kind == ARG_FD)
			value = arg_fd(run, call, i);
		else if (arg->kind == ARG_ADDR)
			value = (uintptr_t)arg_addr(run, call, i);
		else
			value = arg_number(call, i);
		memcpy(to + arg->offset, &value, arg->width);
	}
}

/* In a mapping: it may be of the device itself. */
static void *put_there(char *there, void *data, size_t size)
{
	struct iovec from = { data, size }, to = { there, size };

	if (process_vm_writev(getpid(), &from, 1, &to, 1, 0) < 0)
		errno = 0;
	return there;
}

static void *place(const struct run *run, const struct call *call, char *data)
{
	size_t size = at_most(struct_size(call), MOST_STRUCT);
	char *end = thread_guard();

	if (call->args[IOCTL_AT].slot != NO_SLOT)
		return put_there(arg_addr(run, call, IOCTL_AT), data, size);
	switch (arg_number(call, IOCTL_AT)) {
	case AT_END:
		/* The member size is read first, whatever it says. */
		size = size < sizeof(uint32_t) ? sizeof(uint32_t) : size;
		return memcpy(end - size, data, size);
	case AT_NULL:
		return NULL;
	case AT_HOLE:
		return end;
	default:
		return (void *)arg_number(call, IOCTL_AT);
	}
}

static long do_ioctl(struct run *run, const struct call *call)
{
	char data[MOST_STRUCT];
	struct kvm_vmem_setup *setup;
	long result;

	fill(run, call, data);
	setup = place(run, call, data);
	result = result_of(ioctl(arg_fd(run, call, IOCTL_FD), call->spec->cmd, setup));
	if (!result && call->spec->cmd == KVM_VMEM_SETUP && arg_slot(call, IOCTL_FD) != NO_SLOT &&
	    call->args[IOCTL_AT].slot == NO_SLOT)
		run->ids[arg_slot(call, IOCTL_FD)] = setup->out_id;
	return result;
}

static long do_raw_ioctl(struct run *run, const struct call *call)
{
	enum { FD, CMD, ADDR };

	return result_of(ioctl(arg_fd(run, call, FD), arg_number(call, CMD),
			       arg_addr(run, call, ADDR)));
}

static const struct name open_flags[] = {
	{ "nonblock", O_NONBLOCK }, { "write", O_WRONLY }, { "rdwr", O_RDWR },
	{ "cloexec", O_CLOEXEC }, { "append", O_APPEND }, { "direct", O_DIRECT },
	{ "path", O_PATH }, { 0 }
};

static long do_open(struct run *run, const struct call *call)
{
	return result_of(open("/dev/kvm-vmem", arg_number(call, 0)));
}

static const struct name setup_flags[] = {
	{ "dynamic", KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS },
	{ "inaccessible", KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE },
	{ "prealloc", KVM_VMEM_SETUP_PREALLOC },
	{ "user", KVM_VMEM_SETUP_USER_BACKING },
	{ 0 }
};

static const struct name unplug_flags[] = { { "sync", KVM_VMEM_UNPLUG_SYNC }, { 0 } };
static const struct name eventfd_flags[] = { { "deassign", KVM_VMEM_EVENTFD_DEASSIGN }, { 0 } };
static const struct name remove_flags[] = { { "cancel", KVM_VMEM_PREPARE_REMOVE_CANCEL }, { 0 } };
static const struct name dirty_flags[] = { { "enable", KVM_VMEM_DIRTY_LOG_ENABLE }, { 0 } };
static const struct name no_flags[] = { { 0 } };

static const struct name events[] = {
	{ "size", KVM_VMEM_EVENT_SIZE }, { "config", KVM_VMEM_EVENT_CONFIG },
	{ "memslots", KVM_VMEM_EVENT_MEMSLOTS }, { "violation", KVM_VMEM_EVENT_VIOLATION },
	{ 0 }
};

static const struct name first_ids[] = { { "auto", KVM_VMEM_MEMSLOT_ID_AUTO }, { 0 } };

#define FIELD(type, member) \
	.offset = offsetof(struct type, member), .width = sizeof(((struct type *)0)->member)

/* Every ioctl has the first four, and flags. */
#define DEVICE_IOCTL(_name, _cmd, _weight, _type, _flags, ...) { \
	.name = _name, .cmd = _cmd, .weight = _weight, .result = SLOT_NONE, \
	.execute = do_ioctl, .struct_size = sizeof(struct _type), .args = { \
		{ "dev", ARG_FD, SLOT_DEV, 0 }, \
		{ "size", ARG_NUMBER, .usual = EXACT, .names = sizes }, \
		{ "tail", ARG_CHOICE, .usual = TAIL_ZEROS, .names = tails }, \
		{ "at", ARG_ADDR, .usual = AT_END, .names = places }, \
		{ "flags", ARG_FLAGS, .names = _flags, FIELD(_type, flags) }, \
		__VA_ARGS__ \
	} \
}

#define REQUEST_MEMBERS \
	{ "addr", ARG_GPA, FIELD(kvm_vmem_request, addr) }, \
	{ "nb_blocks", ARG_COUNT, FIELD(kvm_vmem_request, nb_blocks) }

#define BITMAP_MEMBERS \
	{ "first_block", ARG_COUNT, FIELD(kvm_vmem_bitmap, first_block) }, \
	{ "nb_blocks", ARG_COUNT, FIELD(kvm_vmem_bitmap, nb_blocks) }, \
	{ "bitmap", ARG_ADDR, FIELD(kvm_vmem_bitmap, bitmap) }

#define REQUEST(_name, _cmd, _weight, _flags) \
	DEVICE_IOCTL(_name, _cmd, _weight, kvm_vmem_request, _flags, REQUEST_MEMBERS)
#define ACTION(_name, _cmd, _flags) DEVICE_IOCTL(_name, _cmd, 4, kvm_vmem_action, _flags)

const struct call_spec device_calls[] = {
	{
		.name = "open", .weight = 4, .result = SLOT_DEV, .execute = do_open,
		.args = { { "flags", ARG_FLAGS, .usual = O_RDWR, .names = open_flags } },
	},
	DEVICE_IOCTL("setup", KVM_VMEM_SETUP, 10, kvm_vmem_setup, setup_flags,
		{ "addr", ARG_GPA, FIELD(kvm_vmem_setup, addr) },
		{ "region_size", ARG_BYTES, FIELD(kvm_vmem_setup, region_size) },
		{ "block_size", ARG_BYTES, FIELD(kvm_vmem_setup, block_size) },
		{ "memslot_size", ARG_BYTES, FIELD(kvm_vmem_setup, memslot_size) },
		{ "requested_size", ARG_BYTES, FIELD(kvm_vmem_setup, requested_size) },
		{ "backing_offset", ARG_BYTES, FIELD(kvm_vmem_setup, backing_offset) },
		{ "memslot_limit", ARG_COUNT, FIELD(kvm_vmem_setup, memslot_limit) },
		{ "backing_fd", ARG_FD, SLOT_MEM, ~0ULL, FIELD(kvm_vmem_setup, backing_fd) },
		{ "node_id", ARG_NUMBER, FIELD(kvm_vmem_setup, node_id) },
		{ "reserved0", ARG_NUMBER, FIELD(kvm_vmem_setup, __reserved0) },
		{ "reserved1", ARG_NUMBER, FIELD(kvm_vmem_setup, __reserved1) },
		{ "label", ARG_TEXT, FIELD(kvm_vmem_setup, label) },
	),
	DEVICE_IOCTL("attach", KVM_VMEM_ATTACH, 8, kvm_vmem_attach, no_flags,
		{ "vm", ARG_FD, SLOT_VM, 4, FIELD(kvm_vmem_attach, vm_fd) },
		{ "first_memslot_id", ARG_NUMBER, .usual = KVM_VMEM_MEMSLOT_ID_AUTO,
		  .names = first_ids, FIELD(kvm_vmem_attach, first_memslot_id) },
		{ "address_spaces", ARG_NUMBER, .usual = 1,
		  FIELD(kvm_vmem_attach, address_spaces) },
		{ "reserved", ARG_NUMBER, FIELD(kvm_vmem_attach, __reserved) },
		{ "userspace_addr", ARG_ADDR, FIELD(kvm_vmem_attach, userspace_addr) },
	),
	REQUEST("plug", KVM_VMEM_PLUG, 20, no_flags),
	REQUEST("unplug", KVM_VMEM_UNPLUG, 16, unplug_flags),
	REQUEST("unplug_all", KVM_VMEM_UNPLUG_ALL, 6, unplug_flags),
	REQUEST("state", KVM_VMEM_STATE, 4, no_flags),
	DEVICE_IOCTL("get_config", KVM_VMEM_GET_CONFIG, 2, kvm_vmem_get_config, no_flags),
	DEVICE_IOCTL("set_requested_size", KVM_VMEM_SET_REQUESTED_SIZE, 8,
		kvm_vmem_set_requested_size, no_flags,
		{ "requested_size", ARG_BYTES,
		  FIELD(kvm_vmem_set_requested_size, requested_size) },
	),
	DEVICE_IOCTL("set_eventfd", KVM_VMEM_SET_EVENTFD, 8, kvm_vmem_set_eventfd, eventfd_flags,
		{ "event", ARG_CHOICE, .names = events, FIELD(kvm_vmem_set_eventfd, event) },
		{ "fd", ARG_FD, SLOT_EVENT, 6, FIELD(kvm_vmem_set_eventfd, fd) },
	),
	DEVICE_IOCTL("get_info", KVM_VMEM_GET_INFO, 3, kvm_vmem_get_info, no_flags),
	DEVICE_IOCTL("get_memslots", KVM_VMEM_GET_MEMSLOTS, 6, kvm_vmem_get_memslots, no_flags,
		{ "nb_memslots", ARG_COUNT, FIELD(kvm_vmem_get_memslots, nb_memslots) },
		{ "memslots", ARG_ADDR, FIELD(kvm_vmem_get_memslots, memslots) },
	),
	DEVICE_IOCTL("get_bitmap", KVM_VMEM_GET_BITMAP, 2, kvm_vmem_bitmap, no_flags,
		     BITMAP_MEMBERS),
	DEVICE_IOCTL("set_bitmap", KVM_VMEM_SET_BITMAP, 2, kvm_vmem_bitmap, no_flags,
		     BITMAP_MEMBERS),
	ACTION("freeze", KVM_VMEM_FREEZE, no_flags),
	ACTION("thaw", KVM_VMEM_THAW, no_flags),
	ACTION("set_dirty_log", KVM_VMEM_SET_DIRTY_LOG, dirty_flags),
	ACTION("reset", KVM_VMEM_RESET, no_flags),
	ACTION("prepare_remove", KVM_VMEM_PREPARE_REMOVE, remove_flags),
	{
		.name = "ioctl", .weight = 2, .result = SLOT_NONE, .execute = do_raw_ioctl,
		.args = {
			{ "dev", ARG_FD, SLOT_DEV, 0 },
			{ "cmd", ARG_NUMBER, .usual = KVM_VMEM_GET_INFO },
			{ "arg", ARG_ADDR },
		},
	},
	{ 0 }
};
