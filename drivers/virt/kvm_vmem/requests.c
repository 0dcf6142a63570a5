// SPDX-License-Identifier: GPL-2.0
/*
 * The requests of a guest's virtio-mem driver, and the system reset that undoes
 * them. A request happens as a whole or not at all. The response decides what
 * the guest does next: ERROR makes Linux give the device up, NACK makes it
 * retry, BUSY makes it wait for a minute; so each is given where virtio 1.3,
 * 5.15.6 and QEMU give it, in QEMU's order.
 *
 * Everything is called with kvm_vmem.lock held, on an attached device, in the
 * address space of the VM's process.
 */
#include <linux/lockdep.h>
#include <linux/virtio_mem.h>

#include "kvm_vmem.h"
#include "trace.h"

/*
 * The outcome of what the host had to do, as a response: whatever fails may
 * succeed later, unless the VM is dead; that is the VMM's to know.
 */
static int kvm_vmem_host_response(int ret)
{
	if (!ret)
		return VIRTIO_MEM_RESP_ACK;
	return ret == -EIO ? ret : VIRTIO_MEM_RESP_BUSY;
}

/* Account and report @response, which may be an errno for the VMM. */
static int kvm_vmem_respond(struct kvm_vmem *dev, unsigned int type,
			    struct kvm_vmem_request *req, int response)
{
	if (response < 0)
		return response;
	dev->counters[KVM_VMEM_COUNT_ACK + response]++;
	req->out_response = response;
	trace_kvm_vmem_request(dev, type, req->addr, req->nb_blocks, response);
	return 0;
}

static void kvm_vmem_change_size(struct kvm_vmem *dev, u64 size)
{
	WRITE_ONCE(dev->size, size);
	kvm_vmem_notify_size(dev);
}

static int kvm_vmem_do_plug(struct kvm_vmem *dev,
			    const struct kvm_vmem_request *req)
{
	struct kvm_vmem_range range;
	u64 size;
	int ret;

	if (!kvm_vmem_grid_range(&dev->grid, dev->usable_region_size, req->addr,
				 req->nb_blocks, &range))
		return VIRTIO_MEM_RESP_ERROR;

	size = dev->size + (range.nb << dev->grid.block_shift);
	if (size > dev->requested_size)
		return VIRTIO_MEM_RESP_NACK;
	if (!kvm_vmem_memslots_all(dev, range, false))
		return VIRTIO_MEM_RESP_ERROR;

	ret = kvm_vmem_memslots_map(dev, range);
	if (ret)
		return kvm_vmem_host_response(ret);
	kvm_vmem_memslots_set(dev, range, true);
	kvm_vmem_change_size(dev, size);
	return VIRTIO_MEM_RESP_ACK;
}

static int kvm_vmem_do_unplug(struct kvm_vmem *dev,
			      const struct kvm_vmem_request *req)
{
	struct kvm_vmem_range range;
	u64 size;
	int ret;

	if (!kvm_vmem_grid_range(&dev->grid, dev->usable_region_size, req->addr,
				 req->nb_blocks, &range) ||
	    !kvm_vmem_memslots_all(dev, range, true))
		return VIRTIO_MEM_RESP_ERROR;

	size = range.nb << dev->grid.block_shift;
	ret = kvm_vmem_backing_discard(dev, range.first << dev->grid.block_shift,
				       size);
	if (ret)
		return kvm_vmem_host_response(ret);
	kvm_vmem_memslots_set(dev, range, false);
	/* With user backing, the missing memslot is the protection. */
	kvm_vmem_memslots_retire(dev, range);
	kvm_vmem_change_size(dev, dev->size - size);
	return VIRTIO_MEM_RESP_ACK;
}

static int kvm_vmem_do_unplug_all(struct kvm_vmem *dev)
{
	const struct kvm_vmem_range all = {
		.nb = dev->grid.region_size >> dev->grid.block_shift,
	};
	int ret;

	if (dev->size) {
		ret = kvm_vmem_backing_discard(dev, 0, dev->grid.region_size);
		if (ret)
			return kvm_vmem_host_response(ret);
		kvm_vmem_memslots_clear(dev);
		kvm_vmem_memslots_retire(dev, all);
		kvm_vmem_change_size(dev, 0);
	}

	WRITE_ONCE(dev->usable_region_size,
		   kvm_vmem_grid_usable_size(&dev->grid, dev->requested_size));
	return VIRTIO_MEM_RESP_ACK;
}

/**
 * kvm_vmem_plug - KVM_VMEM_PLUG
 * @dev: the device
 * @req: the request; gets the response
 *
 * Return: as documented for the ioctl.
 */
int kvm_vmem_plug(struct kvm_vmem *dev, struct kvm_vmem_request *req)
{
	lockdep_assert_held(&dev->lock);
	return kvm_vmem_respond(dev, VIRTIO_MEM_REQ_PLUG, req,
				kvm_vmem_do_plug(dev, req));
}

/**
 * kvm_vmem_unplug - KVM_VMEM_UNPLUG
 * @dev: the device
 * @req: the request; gets the response
 *
 * Return: as documented for the ioctl.
 */
int kvm_vmem_unplug(struct kvm_vmem *dev, struct kvm_vmem_request *req)
{
	lockdep_assert_held(&dev->lock);
	return kvm_vmem_respond(dev, VIRTIO_MEM_REQ_UNPLUG, req,
				kvm_vmem_do_unplug(dev, req));
}

/**
 * kvm_vmem_unplug_all - KVM_VMEM_UNPLUG_ALL
 * @dev: the device
 * @req: the request; gets the response
 *
 * Return: as documented for the ioctl.
 */
int kvm_vmem_unplug_all(struct kvm_vmem *dev, struct kvm_vmem_request *req)
{
	lockdep_assert_held(&dev->lock);
	if (req->addr || req->nb_blocks)
		return -EINVAL;
	return kvm_vmem_respond(dev, VIRTIO_MEM_REQ_UNPLUG_ALL, req,
				kvm_vmem_do_unplug_all(dev));
}

/**
 * kvm_vmem_state - KVM_VMEM_STATE
 * @dev: the device
 * @req: the request; gets the response, and the state
 *
 * Return: as documented for the ioctl.
 */
int kvm_vmem_state(struct kvm_vmem *dev, struct kvm_vmem_request *req)
{
	int response = VIRTIO_MEM_RESP_ACK;
	struct kvm_vmem_range range;

	lockdep_assert_held(&dev->lock);

	if (!kvm_vmem_grid_range(&dev->grid, dev->usable_region_size, req->addr,
				 req->nb_blocks, &range))
		response = VIRTIO_MEM_RESP_ERROR;
	else if (kvm_vmem_memslots_all(dev, range, true))
		req->out_state = VIRTIO_MEM_STATE_PLUGGED;
	else if (kvm_vmem_memslots_all(dev, range, false))
		req->out_state = VIRTIO_MEM_STATE_UNPLUGGED;
	else
		req->out_state = VIRTIO_MEM_STATE_MIXED;
	return kvm_vmem_respond(dev, VIRTIO_MEM_REQ_STATE, req, response);
}

/**
 * kvm_vmem_reset - KVM_VMEM_RESET
 * @dev: the device
 *
 * Return: 0, -EBUSY if the host failed and may succeed later, -EIO.
 */
int kvm_vmem_reset(struct kvm_vmem *dev)
{
	int response;

	lockdep_assert_held(&dev->lock);
	response = kvm_vmem_do_unplug_all(dev);
	return response == VIRTIO_MEM_RESP_BUSY ? -EBUSY : response;
}
