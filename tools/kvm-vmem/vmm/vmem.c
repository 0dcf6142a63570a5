// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#include "clock.h"
#include "machine.h"
#include "vmem.h"
#include "vmm.h"

static struct vmem *to_vmem(struct virtio_device *device)
{
	return container_of(device, struct vmem, device);
}

static void count(struct vmem *vmem, uint16_t type, uint64_t ns)
{
	struct vmem_statistics *statistics;

	if (type >= VMEM_NB_REQUESTS)
		return;
	statistics = &vmem->statistics[type];
	statistics->nb++;
	statistics->total_ns += ns;
	if (ns > statistics->most_ns)
		statistics->most_ns = ns;
}

static int vmem_handle(struct virtio_device *device, const struct virtqueue_chain *chain)
{
	struct vmem *vmem = to_vmem(device);
	struct virtio_mem_req request;
	struct virtio_mem_resp response;
	uint64_t start = now_ns();
	int ret;

	/* A copy: the driver may change its own at any time. */
	ret = chain_read(chain, device->memory, &request, sizeof(request));
	if (ret != sizeof(request) || chain_writable_size(chain) < sizeof(response))
		return -EPROTO;
	memset(&response, 0, sizeof(response));
	ret = vmem->ops->handle(vmem, &request, &response);
	/* There is no such request. */
	if (ret == -EPROTO)
		return ret;
	if (ret < 0) {
		machine_stop(VMM_EXIT_FAILED, "%s: a request could not be handled: %s",
			     vmem->options.label, strerror(-ret));
		return ret;
	}
	ret = chain_write(chain, device->memory, &response, sizeof(response));
	if (ret != sizeof(response))
		return -EPROTO;
	count(vmem, request.type, now_ns() - start);
	return ret;
}

static void vmem_read_config(struct virtio_device *device, void *config)
{
	struct vmem *vmem = to_vmem(device);

	vmem->ops->get_config(vmem, config);
}

/*
 * Whoever does not promise to keep off unplugged memory can only be given all of
 * it, as in static mode.
 */
static bool vmem_accepts(struct virtio_device *device, uint64_t features)
{
	return to_vmem(device)->mode == VMEM_STATIC ||
	       (features & (1ULL << VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE));
}

static const struct virtio_ops vmem_virtio_ops = {
	.id = VIRTIO_ID_MEM,
	.config_size = sizeof(struct virtio_mem_config),
	.read_config = vmem_read_config,
	.accepts = vmem_accepts,
	.handle = vmem_handle,
};

struct vmem *vmem_new(const struct vmem_options *options, enum vmem_mode mode, int vm_fd,
		      uint32_t memslot)
{
	struct vmem *vmem = calloc(1, sizeof(*vmem));

	if (!vmem)
		die(VMM_EXIT_FAILED, "no memory");
	vmem->device.ops = &vmem_virtio_ops;
	vmem->device.offered = 1ULL << VIRTIO_F_VERSION_1 |
			       1ULL << VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE;
	if (options->node >= 0)
		vmem->device.offered |= 1ULL << VIRTIO_MEM_F_ACPI_PXM;
	vmem->ops = mode == VMEM_GROUP ? &vmem_group_ops : &vmem_user_ops;
	vmem->mode = mode;
	vmem->options = *options;
	vmem->memslot = memslot;
	vmem->ops->open(vmem, vm_fd);
	return vmem;
}

/* It grows with the requested size, and does not shrink with it. */
int vmem_restore_sizes(struct vmem *vmem, uint64_t requested_size, uint64_t usable_size)
{
	const uint64_t block = vmem->options.block_size;
	struct virtio_mem_config config;
	int ret = 0;

	vmem->ops->get_config(vmem, &config);
	if (usable_size > config.usable_region_size)
		ret = vmem->ops->set_requested_size(vmem, usable_size == config.region_size ?
			usable_size : (usable_size - VMEM_USABLE_EXTENT) & -block);
	if (ret == 0)
		ret = vmem->ops->set_requested_size(vmem, requested_size);
	if (ret < 0)
		return ret;
	vmem->ops->get_config(vmem, &config);
	return config.usable_region_size == usable_size ? 0 : -EINVAL;
}

void vmem_requested_size_changed(struct vmem *vmem)
{
	virtio_config_changed(&vmem->device);
}
