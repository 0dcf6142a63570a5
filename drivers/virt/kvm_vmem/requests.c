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
 * succeed later, unless the VM is dead; that is the VMM's to know. A request that
 * is to be made again has no response yet.
 */
static int kvm_vmem_host_response(int ret)
{
	if (!ret)
		return VIRTIO_MEM_RESP_ACK;
	return ret == -EIO || ret == -ERESTARTNOINTR ? ret :
						       VIRTIO_MEM_RESP_BUSY;
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

/**
 * kvm_vmem_change_size - another size is plugged
 * @dev: the device
 * @size: the size
 */
void kvm_vmem_change_size(struct kvm_vmem *dev, u64 size)
{
	lockdep_assert_held(&dev->lock);
	WRITE_ONCE(dev->size, size);
	kvm_vmem_notify_size(dev);
	kvm_vmem_memslots_retire_later(dev);
}

/* No guest sees old contents: what is being freed is waited for. */
static int kvm_vmem_prepare_blocks(struct kvm_vmem *dev,
				   struct kvm_vmem_range range)
{
	u64 offset = kvm_vmem_range_offset(&dev->grid, range);
	u64 size = kvm_vmem_range_size(&dev->grid, range);

	kvm_vmem_discard_wait(dev, offset, size);
	if (dev->setup_flags & KVM_VMEM_SETUP_PREALLOC)
		return kvm_vmem_prealloc(dev, offset, size);
	return 0;
}

/* They stay unplugged: take back what PREALLOC gave them. */
static void kvm_vmem_abandon_blocks(struct kvm_vmem *dev,
				    struct kvm_vmem_range range)
{
	if (dev->setup_flags & KVM_VMEM_SETUP_PREALLOC)
		kvm_vmem_protected_discard(dev,
					   kvm_vmem_range_offset(&dev->grid,
								 range),
					   kvm_vmem_range_size(&dev->grid,
							       range));
}

static int kvm_vmem_do_plug(struct kvm_vmem *dev,
			    const struct kvm_vmem_request *req)
{
	struct kvm_vmem_range range;
	int ret = 0;
	u64 size;

	if (!kvm_vmem_grid_range(&dev->grid, dev->usable_region_size, req->addr,
				 req->nb_blocks, &range))
		return VIRTIO_MEM_RESP_ERROR;

	size = dev->size + kvm_vmem_range_size(&dev->grid, range);
	if (size > dev->requested_size)
		return VIRTIO_MEM_RESP_NACK;
	if (!kvm_vmem_memslots_all(dev, range, false))
		return VIRTIO_MEM_RESP_ERROR;
	if (dev->frozen)
		return VIRTIO_MEM_RESP_BUSY;

	if (kvm_vmem_is_protected(dev))
		ret = kvm_vmem_prepare_blocks(dev, range);
	if (ret)
		return kvm_vmem_host_response(ret);
	ret = kvm_vmem_memslots_map(dev, range);
	if (ret) {
		kvm_vmem_abandon_blocks(dev, range);
		return kvm_vmem_host_response(ret);
	}
	kvm_vmem_memslots_set(dev, range, true);
	kvm_vmem_change_size(dev, size);
	return VIRTIO_MEM_RESP_ACK;
}

/*
 * With user backing, the missing memslot is the protection: it goes at once. The
 * memory goes first, as that may fail.
 */
static int kvm_vmem_unplug_user(struct kvm_vmem *dev,
				struct kvm_vmem_range range)
{
	u64 offset = kvm_vmem_range_offset(&dev->grid, range);
	u64 size = kvm_vmem_range_size(&dev->grid, range);
	int ret;

	ret = kvm_vmem_backing_discard(dev, offset, size);
	if (ret)
		return ret;
	kvm_vmem_memslots_set(dev, range, false);
	kvm_vmem_memslots_retire(dev, range);
	return 0;
}

/* With protected backing, the memory is out of reach before it is free. */
static void kvm_vmem_unplug_protected(struct kvm_vmem *dev,
				      struct kvm_vmem_range range, bool sync)
{
	u64 offset = kvm_vmem_range_offset(&dev->grid, range);
	u64 size = kvm_vmem_range_size(&dev->grid, range);

	kvm_vmem_memslots_set(dev, range, false);
	kvm_vmem_protected_revoke(dev, offset, size);
	kvm_vmem_discard(dev, offset, size, size, sync);
}

static int kvm_vmem_do_unplug(struct kvm_vmem *dev,
			      const struct kvm_vmem_request *req)
{
	struct kvm_vmem_range range;
	int ret = 0;

	if (!kvm_vmem_grid_range(&dev->grid, dev->usable_region_size, req->addr,
				 req->nb_blocks, &range) ||
	    !kvm_vmem_memslots_all(dev, range, true))
		return VIRTIO_MEM_RESP_ERROR;
	if (dev->frozen)
		return VIRTIO_MEM_RESP_BUSY;

	if (kvm_vmem_is_protected(dev))
		kvm_vmem_unplug_protected(dev, range,
					  req->flags & KVM_VMEM_UNPLUG_SYNC);
	else
		ret = kvm_vmem_unplug_user(dev, range);
	if (ret)
		return kvm_vmem_host_response(ret);

	kvm_vmem_change_size(dev, dev->size -
				  kvm_vmem_range_size(&dev->grid, range));
	return VIRTIO_MEM_RESP_ACK;
}

static void kvm_vmem_unplug_memslot(struct kvm_vmem *dev,
				    struct kvm_vmem_memslot *memslot, bool sync)
{
	u64 offset = kvm_vmem_grid_offset(&dev->grid, memslot->index);
	u64 size = kvm_vmem_grid_size_of(&dev->grid, memslot->index);
	u64 plugged = (u64)memslot->nb_plugged << dev->grid.block_shift;

	if (!plugged)
		return;
	kvm_vmem_memslots_clear(dev, memslot);
	if (kvm_vmem_is_protected(dev)) {
		kvm_vmem_protected_revoke(dev, offset, size);
		kvm_vmem_discard(dev, offset, size, plugged, sync);
	}
}

static int kvm_vmem_do_unplug_all(struct kvm_vmem *dev, bool sync)
{
	struct kvm_vmem_memslot *memslot;
	unsigned long index;
	int ret;

	if (dev->size) {
		if (dev->frozen)
			return VIRTIO_MEM_RESP_BUSY;
		ret = kvm_vmem_backing_discard(dev, 0, dev->grid.region_size);
		if (ret)
			return kvm_vmem_host_response(ret);
		xa_for_each(&dev->memslots, index, memslot) {
			kvm_vmem_unplug_memslot(dev, memslot, sync);
			cond_resched();
		}
		kvm_vmem_change_size(dev, 0);
	}
	if (sync)
		kvm_vmem_discard_wait(dev, 0, dev->grid.region_size);
	kvm_vmem_memslots_retire_now(dev);

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
				kvm_vmem_do_unplug_all(dev, req->flags &
						       KVM_VMEM_UNPLUG_SYNC));
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
 * Return: 0, -EBUSY if the device is frozen or the host failed and may succeed
 * later, -EIO.
 */
int kvm_vmem_reset(struct kvm_vmem *dev)
{
	int response;

	lockdep_assert_held(&dev->lock);
	response = kvm_vmem_do_unplug_all(dev, false);
	return response == VIRTIO_MEM_RESP_BUSY ? -EBUSY : response;
}
