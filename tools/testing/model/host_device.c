// SPDX-License-Identifier: GPL-2.0
/* Calls of the device by its VMM, and by the operator. */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static int setup_fd(const struct host *host, const struct host_slot *slot, enum setup_fd which)
{
	switch (which) {
	case FD_OWN:
		return slot->has_user ? slot->user.fd : -1;
	case FD_CLOSED:
		return 987;
	case FD_READONLY:
		return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	case FD_NULL:
		return host->null;
	case FD_BELOW:
		return -2;
	default:
		return -1;
	}
}

static void fill_setup_from(struct kvm_vmem_setup *setup, const struct op *op)
{
	*setup = (struct kvm_vmem_setup){
		.flags = op->args[SETUP_FLAGS],
		.addr = op->args[SETUP_ADDR],
		.region_size = op->args[SETUP_REGION],
		.block_size = op->args[SETUP_BLOCK],
		.memslot_size = op->args[SETUP_MEMSLOT],
		.requested_size = op->args[SETUP_REQUESTED],
		.backing_offset = op->args[SETUP_OFFSET],
		.memslot_limit = op->args[SETUP_LIMIT],
		.node_id = op->args[SETUP_NODE],
		.__reserved0 = op->args[SETUP_RESERVED0],
		.__reserved1 = op->args[SETUP_RESERVED1],
	};
	memcpy(setup->label, op->text, sizeof(setup->label));
}

void host_setup(struct host *host, const struct op *op, struct answer *answer)
{
	struct host_slot *slot = &host->slots[op->slot];
	struct kvm_vmem_setup setup;
	char path[64];
	int ret;

	fill_setup_from(&setup, op);
	setup.backing_fd = setup_fd(host, slot, op->args[SETUP_FD]);
	ret = vmem_setup(slot->dev, &setup);
	if (op->args[SETUP_FD] == FD_READONLY)
		close(setup.backing_fd);
	if (!answer_return(answer, ret))
		return;
	slot->id = setup.out_id;
	slot->addr = setup.addr;
	slot->block = setup.out_block_size;
	sysfs_path(path, sizeof(path), slot->id, "plugged_blocks");
	slot->bitmap = open(path, O_RDONLY | O_CLOEXEC);
	answer_value(answer, "block", setup.out_block_size);
	answer_value(answer, "memslot", setup.out_memslot_size);
	answer_value(answer, "nr_memslots", setup.out_nb_memslots);
	answer_value(answer, "id", setup.out_id);
}

static int attach_fd(const struct host *host, const struct op *op)
{
	switch (op->args[ATTACH_FD]) {
	case VM_FD_GOOD:
		return host->vms[op->args[ATTACH_VM]].fd;
	case VM_FD_OTHER:
		return host->null;
	default:
		return 987;
	}
}

void host_attach(struct host *host, const struct op *op, struct answer *answer)
{
	const struct host_slot *from = &host->slots[op->args[ATTACH_FROM]];
	struct host_slot *slot = &host->slots[op->slot];
	struct kvm_vmem_attach attach = {
		.flags = op->args[ATTACH_FLAGS],
		.vm_fd = attach_fd(host, op),
		.first_memslot_id = op->args[ATTACH_ID],
		.address_spaces = op->args[ATTACH_SPACES],
		.__reserved = op->args[ATTACH_RESERVED],
		.userspace_addr = op->args[ATTACH_DELTA],
	};

	if (op->args[ATTACH_WHICH] != MAPPING_NONE)
		attach.userspace_addr +=
			(uintptr_t)host_mapping_addr(from, op->args[ATTACH_WHICH]);
	if (!answer_return(answer, vmem_attach(slot->dev, &attach)))
		return;
	slot->vm = &host->vms[op->args[ATTACH_VM]];
	slot->base = (char *)(uintptr_t)attach.userspace_addr;
	answer_value(answer, "memslot", attach.out_memslot_size);
	answer_value(answer, "nr_memslots", attach.out_nb_memslots);
	answer_value(answer, "first_id", attach.out_first_memslot_id);
}

/* Returns whether there was a response. */
static bool request(const struct host_slot *slot, const struct op *op, unsigned long cmd,
		    struct kvm_vmem_request *request, struct answer *answer)
{
	*request = (struct kvm_vmem_request){
		.size = sizeof(*request),
		.flags = op->args[REQUEST_FLAGS],
		.addr = op->args[REQUEST_ADDR],
		.nb_blocks = op->args[REQUEST_NB],
		.out_response = UINT16_MAX,
		.out_state = UINT16_MAX,
	};
	return answer_return(answer, vmem_ioctl(slot->dev, cmd, request));
}

static void replug(struct host_slot *slot, const struct op *op, struct answer *answer)
{
	struct kvm_vmem_request unplug, plug;

	if (!request(slot, op, KVM_VMEM_UNPLUG, &unplug, answer) ||
	    !request(slot, op, KVM_VMEM_PLUG, &plug, answer))
		return;
	answer_value(answer, "response", unplug.out_response);
	answer_value(answer, "response", plug.out_response);
	if (plug.out_response == VIRTIO_MEM_RESP_ACK && !slot->has_user)
		answer_value(answer, "word", *(volatile uint64_t *)
			     (slot->base + (op->args[REQUEST_ADDR] - slot->addr)));
}

void host_request(struct host *host, const struct op *op, struct answer *answer)
{
	static const unsigned long cmds[NR_OPS] = {
		[OP_PLUG] = KVM_VMEM_PLUG,
		[OP_UNPLUG] = KVM_VMEM_UNPLUG,
		[OP_UNPLUG_ALL] = KVM_VMEM_UNPLUG_ALL,
		[OP_STATE] = KVM_VMEM_STATE,
	};
	struct host_slot *slot = &host->slots[op->slot];
	struct kvm_vmem_request arg;

	if (op->kind == OP_REPLUG) {
		replug(slot, op, answer);
		return;
	}
	if (!request(slot, op, cmds[op->kind], &arg, answer))
		return;
	if (op->kind == OP_STATE && arg.out_response == VIRTIO_MEM_RESP_ACK)
		answer_value(answer, "state", arg.out_state);
	answer_value(answer, "response", arg.out_response);
}

void host_action(struct host *host, const struct op *op, struct answer *answer)
{
	static const unsigned long cmds[NR_OPS] = {
		[OP_RESET] = KVM_VMEM_RESET,
		[OP_PREPARE_REMOVE] = KVM_VMEM_PREPARE_REMOVE,
		[OP_FREEZE] = KVM_VMEM_FREEZE,
		[OP_THAW] = KVM_VMEM_THAW,
		[OP_DIRTY_LOG] = KVM_VMEM_SET_DIRTY_LOG,
	};

	answer_return(answer, vmem_action(host->slots[op->slot].dev, cmds[op->kind],
					  op->args[ACTION_FLAGS]));
}

void host_requested(struct host *host, const struct op *op, struct answer *answer)
{
	struct kvm_vmem_set_requested_size arg = {
		.size = sizeof(arg),
		.flags = op->args[REQUESTED_FLAGS],
		.requested_size = op->args[REQUESTED_SIZE],
	};

	answer_return(answer, vmem_ioctl(host->slots[op->slot].dev, KVM_VMEM_SET_REQUESTED_SIZE,
					 &arg));
}

void host_eventfd(struct host *host, const struct op *op, struct answer *answer)
{
	const struct host_slot *slot = &host->slots[op->slot];
	struct kvm_vmem_set_eventfd arg = {
		.size = sizeof(arg),
		.flags = op->args[EVENTFD_FLAGS],
		.event = op->args[EVENTFD_EVENT],
		.fd = host->null,
	};

	if (op->args[EVENTFD_FD] < NR_EVENTFDS)
		arg.fd = slot->eventfds[op->args[EVENTFD_FD]];
	else if (op->args[EVENTFD_FD] == EVENTFD_CLOSED)
		arg.fd = 987;
	answer_return(answer, vmem_ioctl(slot->dev, KVM_VMEM_SET_EVENTFD, &arg));
}

void host_events(struct host *host, const struct op *op, struct answer *answer)
{
	const struct host_slot *slot = &host->slots[op->slot];
	uint64_t count;
	unsigned int i;

	answer_table(answer, event_columns, ARRAY_SIZE(event_columns));
	for (i = 0; i < NR_EVENTFDS; i++) {
		if (read(slot->eventfds[i], &count, sizeof(count)) != sizeof(count))
			count = 0;
		answer_row(answer, &count);
	}
}

void host_read(struct host *host, const struct op *op, struct answer *answer)
{
	uint64_t buf[2] = {};
	size_t size = op->args[READ_SIZE] < sizeof(buf) ? op->args[READ_SIZE] : sizeof(buf);
	ssize_t len = read(host->slots[op->slot].dev, buf, size);

	if (answer_return(answer, len < 0 ? -errno : 0))
		answer_value(answer, "changes", len == sizeof(buf[0]) ? buf[0] : UINT64_MAX);
}

void host_poll(struct host *host, const struct op *op, struct answer *answer)
{
	struct pollfd pollfd = { .fd = host->slots[op->slot].dev, .events = POLLIN | POLLOUT };

	if (pollfd.fd < 0)
		answer_error(answer, EBADF);
	else if (answer_return(answer, poll(&pollfd, 1, 0) < 0 ? -errno : 0))
		answer_value(answer, "readable", pollfd.revents == POLLIN ? 1 : pollfd.revents);
}

void host_write_sysfs(struct host *host, const struct op *op, struct answer *answer)
{
	static const char *const names[NR_OPS] = {
		[OP_REQUESTED_TEXT] = "requested_size",
		[OP_RETIRE_DELAY] = "retire_delay_ms",
		[OP_RETIRE] = "retire",
	};
	const struct host_slot *slot = &host->slots[op->slot];

	if (slot->id < 0)
		answer_error(answer, ENOENT);
	else
		answer_return(answer, sysfs_write(slot->id, names[op->kind], op->text));
}
