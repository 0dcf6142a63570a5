// SPDX-License-Identifier: GPL-2.0
/*
 * Memory from the kvm-vmem module: it checks the driver's requests, has KVM know
 * the memslots that are in use, and keeps everybody off what is not plugged. This
 * file is all that a VMM needs for that; vmem_group_migration.c what it needs to move
 * the VM elsewhere.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kvm-vmem.h>

#include "machine.h"
#include "vmem_group.h"
#include "vmm.h"

/* The operator, or we, set the requested size. */
static void config_event(struct loop_source *source, uint32_t events)
{
	struct group *group = container_of(source, struct group, config);

	(void)events;
	eventfd_clear(source->fd);
	vmem_requested_size_changed(group->vmem);
}

static bool group_violated(struct vmem *vmem, uint64_t *gpa)
{
	struct kvm_vmem_get_info info;

	if (kvm_vmem_get_info(to_group(vmem)->fd, &info) < 0 || !info.out_nb_violations)
		return false;
	*gpa = info.out_addr + info.out_last_violation;
	return true;
}

/*
 * The guest touched memory that it was not given. KVM_RUN does not always say so:
 * with an in-kernel interrupt controller KVM has the vCPU retry for ever.
 */
static void violation_event(struct loop_source *source, uint32_t events)
{
	struct group *group = container_of(source, struct group, violation);
	uint64_t gpa;

	(void)events;
	eventfd_clear(source->fd);
	if (group_violated(group->vmem, &gpa))
		machine_violation(gpa);
}

static void check_open(int fd)
{
	switch (fd) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		die(VMM_EXIT_FAILED, "no /dev/kvm-vmem: load the module, modprobe kvm_vmem");
	case -EACCES:
	case -EPERM:
		die(VMM_EXIT_FAILED, "no permission for /dev/kvm-vmem: join the group kvm");
	}
	if (fd < 0)
		die(VMM_EXIT_FAILED, "/dev/kvm-vmem: %s", strerror(-fd));
}

static int setup(struct group *group, struct vmem_options *options)
{
	struct kvm_vmem_setup setup = {
		.flags = KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS | KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE |
			 (options->prealloc ? KVM_VMEM_SETUP_PREALLOC : 0),
		.addr = options->addr,
		.region_size = options->size,
		.block_size = options->block_size,
		.memslot_size = options->memslot_size,
		.requested_size = options->requested_size,
		.backing_fd = -1,
		.node_id = options->node >= 0 ? options->node : 0,
	};
	int ret;

	memcpy(setup.label, options->label, sizeof(setup.label));
	ret = kvm_vmem_setup(group->fd, &setup);
	if (ret < 0)
		return ret;
	options->block_size = setup.out_block_size;
	options->memslot_size = setup.out_memslot_size;
	return 0;
}

static int attach(struct group *group, int vm_fd, void *hva)
{
	struct kvm_vmem_attach attach = {
		.vm_fd = vm_fd,
		.first_memslot_id = KVM_VMEM_MEMSLOT_ID_AUTO,
		.address_spaces = 1,
		.userspace_addr = (uintptr_t)hva,
	};

	return kvm_vmem_attach(group->fd, &attach);
}

static int listen_to(struct group *group, enum kvm_vmem_event event, struct loop_source *source,
		     void (*handle)(struct loop_source *source, uint32_t events))
{
	int ret;

	source->handle = handle;
	ret = loop_add_eventfd(source);
	return ret < 0 ? ret : kvm_vmem_set_eventfd(group->fd, event, source->fd);
}

static void group_open(struct vmem *vmem, int vm_fd)
{
	struct group *group = calloc(1, sizeof(*group));
	void *hva;
	int ret;

	if (!group)
		die(VMM_EXIT_FAILED, "no memory");
	vmem->state = group;
	group->vmem = vmem;
	group->fd = kvm_vmem_open();
	check_open(group->fd);

	ret = setup(group, &vmem->options);
	if (ret < 0)
		die(VMM_EXIT_USAGE, "--vmem %s: the module refuses these sizes: %s",
		    vmem->options.label, strerror(-ret));
	ret = kvm_vmem_map(group->fd, vmem->options.size, &hva);
	if (ret == 0) {
		vmem->hva = hva;
		ret = attach(group, vm_fd, hva);
	}
	if (ret == 0)
		ret = listen_to(group, KVM_VMEM_EVENT_CONFIG, &group->config, config_event);
	if (ret == 0)
		ret = listen_to(group, KVM_VMEM_EVENT_VIOLATION, &group->violation,
				violation_event);
	if (ret < 0)
		die(VMM_EXIT_FAILED, "--vmem %s: the module cannot attach to the VM: %s",
		    vmem->options.label, strerror(-ret));
}

static int group_handle(struct vmem *vmem, const struct virtio_mem_req *request,
			struct virtio_mem_resp *response)
{
	return kvm_vmem_handle_request(to_group(vmem)->fd, request, response);
}

static void group_get_config(struct vmem *vmem, struct virtio_mem_config *config)
{
	memset(config, 0, sizeof(*config));
	kvm_vmem_get_config(to_group(vmem)->fd, config);
}

static bool group_is_plugged(struct vmem *vmem, uint64_t gpa, uint64_t size)
{
	const uint64_t block = vmem->options.block_size;
	uint64_t first = gpa & -block, end = align_up(gpa + size, block);
	uint16_t response, state;

	return kvm_vmem_state(to_group(vmem)->fd, first, (end - first) / block,
			      &response, &state) == 0 &&
	       response == VIRTIO_MEM_RESP_ACK && state == VIRTIO_MEM_STATE_PLUGGED;
}

static int group_set_requested_size(struct vmem *vmem, uint64_t size)
{
	return kvm_vmem_set_requested_size(to_group(vmem)->fd, size);
}

static int group_reset(struct vmem *vmem)
{
	return kvm_vmem_reset(to_group(vmem)->fd);
}

const struct vmem_ops vmem_group_ops = {
	.open = group_open,
	.handle = group_handle,
	.get_config = group_get_config,
	.is_plugged = group_is_plugged,
	.set_requested_size = group_set_requested_size,
	.reset = group_reset,
	.violated = group_violated,
	.freeze = group_freeze,
	.next_plugged = group_next_plugged,
	.next_data = group_next_data,
	.set_dirty_log = group_set_dirty_log,
	.fetch_dirty = group_fetch_dirty,
	.restore = group_restore,
};
