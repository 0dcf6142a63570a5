// SPDX-License-Identifier: MIT
/* A device from its opening to its removal. */
#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "call.h"

int kvm_vmem_open(void)
{
	int saved = errno, fd = open("/dev/kvm-vmem", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		fd = -errno;
		errno = saved;
	}
	return fd;
}

int kvm_vmem_setup(int fd, struct kvm_vmem_setup *setup)
{
	setup->size = sizeof(*setup);
	return call(fd, KVM_VMEM_SETUP, setup);
}

int kvm_vmem_map(int fd, uint64_t region_size, void **addr)
{
	int saved = errno, ret = 0;
	void *mapping;

	if ((size_t)region_size != region_size)
		return -EOVERFLOW;
	mapping = mmap(NULL, region_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       fd, 0);
	if (mapping == MAP_FAILED) {
		ret = -errno;
		errno = saved;
	} else {
		*addr = mapping;
	}
	return ret;
}

int kvm_vmem_attach(int fd, struct kvm_vmem_attach *attach)
{
	attach->size = sizeof(*attach);
	return call(fd, KVM_VMEM_ATTACH, attach);
}

int kvm_vmem_get_config(int fd, struct virtio_mem_config *config)
{
	struct kvm_vmem_get_config arg = { .size = sizeof(arg) };
	int ret = call(fd, KVM_VMEM_GET_CONFIG, &arg);

	if (ret)
		return ret;
	memset(config, 0, sizeof(*config));
	config->block_size = htole64(arg.out_block_size);
	config->node_id = htole16(arg.out_node_id);
	config->addr = htole64(arg.out_addr);
	config->region_size = htole64(arg.out_region_size);
	config->usable_region_size = htole64(arg.out_usable_region_size);
	config->plugged_size = htole64(arg.out_plugged_size);
	config->requested_size = htole64(arg.out_requested_size);
	return 0;
}

int kvm_vmem_get_info(int fd, struct kvm_vmem_get_info *info)
{
	struct kvm_vmem_get_info arg = { .size = sizeof(arg) };
	int ret = call(fd, KVM_VMEM_GET_INFO, &arg);

	if (!ret)
		*info = arg;
	return ret;
}

int kvm_vmem_set_requested_size(int fd, uint64_t size)
{
	struct kvm_vmem_set_requested_size arg = {
		.size = sizeof(arg),
		.requested_size = size,
	};

	return call(fd, KVM_VMEM_SET_REQUESTED_SIZE, &arg);
}

static int change_eventfd(int fd, enum kvm_vmem_event event, int eventfd,
			  uint32_t flags)
{
	struct kvm_vmem_set_eventfd arg = {
		.size = sizeof(arg),
		.flags = flags,
		.event = event,
		.fd = eventfd,
	};

	return call(fd, KVM_VMEM_SET_EVENTFD, &arg);
}

int kvm_vmem_set_eventfd(int fd, enum kvm_vmem_event event, int eventfd)
{
	return change_eventfd(fd, event, eventfd, 0);
}

int kvm_vmem_unset_eventfd(int fd, enum kvm_vmem_event event, int eventfd)
{
	return change_eventfd(fd, event, eventfd, KVM_VMEM_EVENTFD_DEASSIGN);
}

int kvm_vmem_get_memslots(int fd, struct kvm_vmem_memslot_info *memslots,
			  uint32_t *nb_memslots)
{
	struct kvm_vmem_get_memslots arg = {
		.size = sizeof(arg),
		.nb_memslots = *nb_memslots,
		.memslots = (uintptr_t)memslots,
	};
	int ret = call(fd, KVM_VMEM_GET_MEMSLOTS, &arg);

	if (!ret || ret == -EMSGSIZE)
		*nb_memslots = arg.out_nb_memslots;
	return ret;
}

int kvm_vmem_reset(int fd)
{
	return act(fd, KVM_VMEM_RESET, 0);
}

int kvm_vmem_prepare_remove(int fd)
{
	return act(fd, KVM_VMEM_PREPARE_REMOVE, 0);
}

int kvm_vmem_cancel_remove(int fd)
{
	return act(fd, KVM_VMEM_PREPARE_REMOVE, KVM_VMEM_PREPARE_REMOVE_CANCEL);
}
