// SPDX-License-Identifier: GPL-2.0
/* Calls: VMs, their guests, and memslots of one's own. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "run.h"

/* What a guest may touch at once; a hundred times what a page fault of its takes. */
#define MOST_WORDS	64

static struct vm *vm_in(struct run *run, const struct call *call)
{
	int slot = arg_slot(call, 0) - slot_ranges[SLOT_VM].first;

	return slot >= 0 && slot < NB_VMS ? &run->vms[slot] : NULL;
}

static long do_vm(struct run *run, const struct call *call)
{
	enum { VCPUS, IRQCHIP };
	struct vm *vm = &run->vms[call->result - slot_ranges[SLOT_VM].first];
	unsigned int nb_vcpus = at_most(arg_number(call, VCPUS), 2);
	int ret;

	/* What there was is left to whoever still has it. */
	ret = arg_number(call, IRQCHIP) ? vm_create_with_irqchip(vm, nb_vcpus) :
					  vm_create(vm, nb_vcpus);
	for (unsigned int i = 0; !ret && i < nb_vcpus; i++)
		vm->vcpus[i].gives_up = true;
	return ret ? ret : vm->fd;
}

static long do_drop_vm(struct run *run, const struct call *call)
{
	struct vm *vm = vm_in(run, call);

	if (!vm || !vm->ram)
		return -ENOENT;
	run->fds[arg_slot(call, 0)] = -1;
	vm_destroy(vm);
	return 0;
}

static const struct name guest_ops[] = {
	{ "fill", GUEST_FILL }, { "verify", GUEST_VERIFY }, { "read", GUEST_READ }, { 0 }
};

static long do_guest(struct run *run, const struct call *call)
{
	enum { VM, OP, GPA, COUNT, STRIDE, VCPU };
	struct vm *vm = vm_in(run, call);
	uint64_t count = at_most(arg_number(call, COUNT), MOST_WORDS), value;
	struct vcpu *vcpu;

	if (!vm || arg_number(call, VCPU) >= vm->nr_vcpus)
		return -ENOENT;
	vcpu = &vm->vcpus[arg_number(call, VCPU)];
	switch (arg_number(call, OP)) {
	case GUEST_FILL:
		return guest_fill(vcpu, arg_number(call, GPA), count, arg_number(call, STRIDE), 1);
	case GUEST_VERIFY:
		return guest_verify(vcpu, arg_number(call, GPA), count,
				    arg_number(call, STRIDE), 1);
	default:
		return guest_read(vcpu, arg_number(call, GPA), &value);
	}
}

static const struct name memslot_flags[] = {
	{ "dirty", KVM_MEM_LOG_DIRTY_PAGES }, { "readonly", KVM_MEM_READONLY }, { 0 }
};

static long do_memslot(struct run *run, const struct call *call)
{
	enum { VM, SLOT, GPA, SIZE, ADDR, FLAGS };
	struct kvm_userspace_memory_region region = {
		.slot = arg_number(call, SLOT),
		.flags = arg_number(call, FLAGS),
		.guest_phys_addr = arg_number(call, GPA),
		.memory_size = arg_number(call, SIZE),
		.userspace_addr = (uintptr_t)arg_addr(run, call, ADDR),
	};

	return result_of(ioctl(arg_fd(run, call, VM), KVM_SET_USER_MEMORY_REGION, &region));
}

static const struct name capabilities[] = {
	{ "manual_protect", KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 },
	{ "dirty_ring", KVM_CAP_DIRTY_LOG_RING },
	{ "disable_quirks", KVM_CAP_DISABLE_QUIRKS2 },
	{ 0 }
};

static long do_enable(struct run *run, const struct call *call)
{
	enum { VM, CAP, ARG };
	struct kvm_enable_cap cap = {
		.cap = arg_number(call, CAP),
		.args = { arg_number(call, ARG) },
	};

	return result_of(ioctl(arg_fd(run, call, VM), KVM_ENABLE_CAP, &cap));
}

/* KVM's own log of a memslot, which may be one of a device's. */
static long do_log(struct run *run, const struct call *call)
{
	enum { VM, SLOT, ADDR, CLEAR, NB_PAGES };
	struct kvm_dirty_log log = {
		.slot = arg_number(call, SLOT),
		.dirty_bitmap = arg_addr(run, call, ADDR),
	};
	struct kvm_clear_dirty_log clear = {
		.slot = arg_number(call, SLOT),
		.num_pages = arg_number(call, NB_PAGES),
		.dirty_bitmap = arg_addr(run, call, ADDR),
	};

	if (arg_number(call, CLEAR))
		return result_of(ioctl(arg_fd(run, call, VM), KVM_CLEAR_DIRTY_LOG, &clear));
	return result_of(ioctl(arg_fd(run, call, VM), KVM_GET_DIRTY_LOG, &log));
}

/* The first one that a device takes by itself. */
static const struct name memslot_ids[] = { { "last", 32763 }, { 0 } };

const struct call_spec guest_calls[] = {
	{
		.name = "vm", .weight = 3, .result = SLOT_VM, .execute = do_vm,
		.args = {
			{ "vcpus", ARG_COUNT, .usual = 1 },
			{ "irqchip", ARG_COUNT },
		},
	},
	{
		.name = "drop_vm", .weight = 2, .result = SLOT_NONE, .execute = do_drop_vm,
		.args = { { "vm", ARG_FD, SLOT_VM, 4 } },
	},
	{
		.name = "guest", .weight = 12, .result = SLOT_NONE, .execute = do_guest,
		.args = {
			{ "vm", ARG_FD, SLOT_VM, 4 },
			{ "op", ARG_CHOICE, .names = guest_ops },
			{ "addr", ARG_GPA },
			{ "count", ARG_COUNT, .usual = 1 },
			{ "stride", ARG_BYTES, .usual = 4096 },
			{ "vcpu", ARG_COUNT },
		},
	},
	{
		.name = "memslot", .weight = 4, .result = SLOT_NONE, .execute = do_memslot,
		.args = {
			{ "vm", ARG_FD, SLOT_VM, 4 },
			{ "slot", ARG_COUNT, .usual = 1 },
			{ "addr", ARG_GPA },
			{ "memory_size", ARG_BYTES },
			{ "userspace_addr", ARG_ADDR },
			{ "flags", ARG_FLAGS, .names = memslot_flags },
		},
	},
	{
		.name = "enable", .weight = 2, .result = SLOT_NONE, .execute = do_enable,
		.args = {
			{ "vm", ARG_FD, SLOT_VM, 4 },
			{ "cap", ARG_CHOICE, .names = capabilities },
			{ "arg", ARG_COUNT, .usual = 1 },
		},
	},
	{
		.name = "log", .weight = 2, .result = SLOT_NONE, .execute = do_log,
		.args = {
			{ "vm", ARG_FD, SLOT_VM, 4 },
			{ "slot", ARG_CHOICE, .usual = 32763, .names = memslot_ids },
			{ "addr", ARG_ADDR },
			{ "clear", ARG_COUNT },
			{ "nb_pages", ARG_COUNT },
		},
	},
	{ 0 }
};
