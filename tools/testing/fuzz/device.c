// SPDX-License-Identifier: GPL-2.0
/* Calls: the device's ioctls, each member of their structures an argument. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

/* Memory of the thread's own for what calls read or fill beside their structure. */
enum { BITS_OWN = 1 };

static const struct name bit_places[] = { { "own", BITS_OWN }, { "null", 0 }, { 0 } };

/* More than any call of a device of usual size fills. */
#define BITS_SIZE	(1UL << 20)

static uint64_t *own_bits(void)
{
	static __thread void *bits;

	if (!bits)
		bits = mmap(NULL, BITS_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return bits;
}

static uint32_t struct_size(const struct call *call)
{
	uint64_t size = arg_number(call, IOCTL_SIZE);

	return size == EXACT ? call->spec->struct_size : size;
}

/* As it is, whatever a call before has left there. */
static void fill_own_bits(uint64_t bits)
{
	madvise(own_bits(), BITS_SIZE, MADV_DONTNEED);
	*own_bits() = bits;
}

static uint64_t member(const struct run *run, const struct call *call, unsigned int i)
{
	const struct arg_spec *arg = &call->spec->args[i];

	if (arg->kind == ARG_FD)
		return arg_fd(run, call, i);
	if (arg->kind != ARG_ADDR)
		return arg_number(call, i);
	if (call->args[i].slot == NO_SLOT && arg_number(call, i) == BITS_OWN)
		return (uintptr_t)own_bits();
	return (uintptr_t)arg_addr(run, call, i);
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
		value = member(run, call, i);
		if (arg->width)
			memcpy(to + arg->offset, &value, arg->width);
		else
			fill_own_bits(value);
	}
}

/* In a mapping: it may be of the device itself, and out of reach. */
static void *put_there(char *there, void *data, size_t size)
{
	struct iovec from = { data, size }, to = { there, size };

	if (process_vm_writev(getpid(), &from, 1, &to, 1, 0) < 0)
		errno = 0;
	return there;
}

static bool get_back(char *there, void *data, size_t size)
{
	struct iovec from = { there, size }, to = { data, size };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)size;
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

/* @data is what the kernel made of the structure, if the call succeeds. */
static long call_ioctl(const struct run *run, const struct call *call, char *data)
{
	void *there;
	long result;

	fill(run, call, data);
	there = place(run, call, data);
	result = result_of(ioctl(arg_fd(run, call, IOCTL_FD), call->spec->cmd, there));
	if (!result && !get_back(there, data, call->spec->struct_size))
		result = -EFAULT;
	return result;
}

static long do_ioctl(struct run *run, const struct call *call)
{
	char data[MOST_STRUCT];
	long result = call_ioctl(run, call, data);
	struct kvm_vmem_setup setup;

	if (!result && call->spec->cmd == KVM_VMEM_SETUP && arg_slot(call, IOCTL_FD) != NO_SLOT) {
		memcpy(&setup, data, sizeof(setup));
		run->ids[arg_slot(call, IOCTL_FD)] = setup.out_id;
	}
	return result;
}

static long do_get_memory_fd(struct run *run, const struct call *call)
{
	struct kvm_vmem_get_memory_fd memory;
	char data[MOST_STRUCT];
	long result = call_ioctl(run, call, data);

	memcpy(&memory, data, sizeof(memory));
	return result ? result : memory.out_fd;
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
static const struct name dirty_flags[] = {
	{ "enable", KVM_VMEM_DIRTY_LOG_ENABLE },
	{ "manual_protect", KVM_VMEM_DIRTY_LOG_MANUAL_PROTECT },
	{ 0 }
};

static const struct name no_flags[] = { { 0 } };

static const struct name events[] = {
	{ "size", KVM_VMEM_EVENT_SIZE }, { "config", KVM_VMEM_EVENT_CONFIG },
	{ "memslots", KVM_VMEM_EVENT_MEMSLOTS }, { "violation", KVM_VMEM_EVENT_VIOLATION },
	{ 0 }
};

static const struct name first_ids[] = { { "auto", KVM_VMEM_MEMSLOT_ID_AUTO }, { 0 } };

/* An argument that is a member of the structure. */
#define MEMBER(_type, _member, _name, _kind, ...) { \
	.name = _name, .kind = _kind, .offset = offsetof(struct _type, _member), \
	.width = sizeof(((struct _type *)0)->_member), ## __VA_ARGS__ \
}

/* What is beside the structure. */
#define POINTER(_type, _member) \
	MEMBER(_type, _member, #_member, ARG_ADDR, .usual = BITS_OWN, .names = bit_places)

/* Every ioctl has the first four, and flags. */
#define DEVICE_IOCTL_FOR(_result, _execute, _name, _cmd, _weight, _type, _flags, ...) { \
	.name = _name, .cmd = _cmd, .weight = _weight, .result = _result, \
	.execute = _execute, .struct_size = sizeof(struct _type), .args = { \
		{ "dev", ARG_FD, SLOT_DEV, 0 }, \
		{ "size", ARG_NUMBER, .usual = EXACT, .names = sizes }, \
		{ "tail", ARG_CHOICE, .usual = TAIL_ZEROS, .names = tails }, \
		{ "at", ARG_ADDR, .usual = AT_END, .names = places }, \
		MEMBER(_type, flags, "flags", ARG_FLAGS, .names = _flags), \
		__VA_ARGS__ \
	} \
}

#define DEVICE_IOCTL(...) DEVICE_IOCTL_FOR(SLOT_NONE, do_ioctl, __VA_ARGS__)

#define SETUP_MEMBERS \
	MEMBER(kvm_vmem_setup, addr, "addr", ARG_GPA), \
	MEMBER(kvm_vmem_setup, region_size, "region_size", ARG_BYTES), \
	MEMBER(kvm_vmem_setup, block_size, "block_size", ARG_BYTES), \
	MEMBER(kvm_vmem_setup, memslot_size, "memslot_size", ARG_BYTES), \
	MEMBER(kvm_vmem_setup, requested_size, "requested_size", ARG_BYTES), \
	MEMBER(kvm_vmem_setup, backing_offset, "backing_offset", ARG_BYTES), \
	MEMBER(kvm_vmem_setup, memslot_limit, "memslot_limit", ARG_COUNT), \
	MEMBER(kvm_vmem_setup, backing_fd, "backing_fd", ARG_FD, .slot = SLOT_MEM, \
	       .usual = ~0ULL), \
	MEMBER(kvm_vmem_setup, node_id, "node_id", ARG_NUMBER), \
	MEMBER(kvm_vmem_setup, __reserved0, "reserved0", ARG_NUMBER), \
	MEMBER(kvm_vmem_setup, __reserved1, "reserved1", ARG_NUMBER), \
	MEMBER(kvm_vmem_setup, label, "label", ARG_TEXT)

#define ATTACH_MEMBERS \
	MEMBER(kvm_vmem_attach, vm_fd, "vm", ARG_FD, .slot = SLOT_VM, .usual = 4), \
	MEMBER(kvm_vmem_attach, first_memslot_id, "first_memslot_id", ARG_NUMBER, \
	       .usual = KVM_VMEM_MEMSLOT_ID_AUTO, .names = first_ids), \
	MEMBER(kvm_vmem_attach, address_spaces, "address_spaces", ARG_NUMBER, .usual = 1), \
	MEMBER(kvm_vmem_attach, __reserved, "reserved", ARG_NUMBER), \
	MEMBER(kvm_vmem_attach, userspace_addr, "userspace_addr", ARG_ADDR)

#define REQUEST_MEMBERS \
	MEMBER(kvm_vmem_request, addr, "addr", ARG_GPA), \
	MEMBER(kvm_vmem_request, nb_blocks, "nb_blocks", ARG_COUNT)

#define REQUESTED_SIZE_MEMBERS \
	MEMBER(kvm_vmem_set_requested_size, requested_size, "requested_size", ARG_BYTES)

#define EVENTFD_MEMBERS \
	MEMBER(kvm_vmem_set_eventfd, event, "event", ARG_CHOICE, .names = events), \
	MEMBER(kvm_vmem_set_eventfd, fd, "fd", ARG_FD, .slot = SLOT_EVENT, .usual = 6)

#define MEMSLOTS_MEMBERS \
	MEMBER(kvm_vmem_get_memslots, nb_memslots, "nb_memslots", ARG_COUNT), \
	POINTER(kvm_vmem_get_memslots, memslots)

#define GET_BITMAP_MEMBERS \
	MEMBER(kvm_vmem_get_bitmap, first_block, "first_block", ARG_COUNT), \
	MEMBER(kvm_vmem_get_bitmap, nb_blocks, "nb_blocks", ARG_COUNT), \
	POINTER(kvm_vmem_get_bitmap, bitmap)

/* The last one is the bitmap's first word, if the bitmap is of the thread's own. */
#define SET_BITMAP_MEMBERS \
	MEMBER(kvm_vmem_set_bitmap, addr, "addr", ARG_GPA), \
	MEMBER(kvm_vmem_set_bitmap, region_size, "region_size", ARG_BYTES), \
	MEMBER(kvm_vmem_set_bitmap, block_size, "block_size", ARG_BYTES), \
	MEMBER(kvm_vmem_set_bitmap, usable_region_size, "usable_region_size", ARG_BYTES), \
	MEMBER(kvm_vmem_set_bitmap, node_id, "node_id", ARG_NUMBER), \
	MEMBER(kvm_vmem_set_bitmap, __reserved0, "reserved0", ARG_NUMBER), \
	MEMBER(kvm_vmem_set_bitmap, __reserved1, "reserved1", ARG_NUMBER), \
	MEMBER(kvm_vmem_set_bitmap, nb_blocks, "nb_blocks", ARG_COUNT), \
	POINTER(kvm_vmem_set_bitmap, bitmap), \
	{ "bits", ARG_COUNT }

#define DIRTY_LOG_MEMBERS \
	MEMBER(kvm_vmem_get_dirty_log, first_page, "first_page", ARG_COUNT), \
	MEMBER(kvm_vmem_get_dirty_log, nb_pages, "nb_pages", ARG_COUNT), \
	POINTER(kvm_vmem_get_dirty_log, bitmap)

#define MEMORY_FD_MEMBERS \
	MEMBER(kvm_vmem_get_memory_fd, __reserved, "reserved", ARG_NUMBER)

#define REQUEST(_name, _cmd, _weight, _flags) \
	DEVICE_IOCTL(_name, _cmd, _weight, kvm_vmem_request, _flags, REQUEST_MEMBERS)
#define ACTION(_name, _cmd, _flags) DEVICE_IOCTL(_name, _cmd, 4, kvm_vmem_action, _flags)

const struct call_spec device_calls[] = {
	{
		.name = "open", .weight = 4, .result = SLOT_DEV, .execute = do_open,
		.args = { { "flags", ARG_FLAGS, .usual = O_RDWR, .names = open_flags } },
	},
	DEVICE_IOCTL("setup", KVM_VMEM_SETUP, 10, kvm_vmem_setup, setup_flags, SETUP_MEMBERS),
	DEVICE_IOCTL("attach", KVM_VMEM_ATTACH, 8, kvm_vmem_attach, no_flags, ATTACH_MEMBERS),
	REQUEST("plug", KVM_VMEM_PLUG, 20, no_flags),
	REQUEST("unplug", KVM_VMEM_UNPLUG, 16, unplug_flags),
	REQUEST("unplug_all", KVM_VMEM_UNPLUG_ALL, 6, unplug_flags),
	REQUEST("state", KVM_VMEM_STATE, 4, no_flags),
	DEVICE_IOCTL("get_config", KVM_VMEM_GET_CONFIG, 2, kvm_vmem_get_config, no_flags),
	DEVICE_IOCTL("set_requested_size", KVM_VMEM_SET_REQUESTED_SIZE, 8,
		     kvm_vmem_set_requested_size, no_flags, REQUESTED_SIZE_MEMBERS),
	DEVICE_IOCTL("set_eventfd", KVM_VMEM_SET_EVENTFD, 8, kvm_vmem_set_eventfd, eventfd_flags,
		     EVENTFD_MEMBERS),
	DEVICE_IOCTL("get_info", KVM_VMEM_GET_INFO, 3, kvm_vmem_get_info, no_flags),
	DEVICE_IOCTL("get_memslots", KVM_VMEM_GET_MEMSLOTS, 6, kvm_vmem_get_memslots, no_flags,
		     MEMSLOTS_MEMBERS),
	DEVICE_IOCTL("get_bitmap", KVM_VMEM_GET_BITMAP, 3, kvm_vmem_get_bitmap, no_flags,
		     GET_BITMAP_MEMBERS),
	DEVICE_IOCTL("set_bitmap", KVM_VMEM_SET_BITMAP, 6, kvm_vmem_set_bitmap, no_flags,
		     SET_BITMAP_MEMBERS),
	DEVICE_IOCTL("get_dirty_log", KVM_VMEM_GET_DIRTY_LOG, 6, kvm_vmem_get_dirty_log, no_flags,
		     DIRTY_LOG_MEMBERS),
	DEVICE_IOCTL_FOR(SLOT_MEM, do_get_memory_fd, "get_memory_fd", KVM_VMEM_GET_MEMORY_FD, 5,
			 kvm_vmem_get_memory_fd, no_flags, MEMORY_FD_MEMBERS),
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
