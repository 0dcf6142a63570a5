// SPDX-License-Identifier: GPL-2.0
/*
 * Giving unplugged memory of protected backing back to the host, behind the
 * guest's back: the blocks cannot be reached any more when UNPLUG answers, and
 * workers free their pages. A plug of the same blocks waits for that, so that no
 * guest ever sees old contents.
 *
 * The backlog of a device is bounded: beyond it, the request frees the memory
 * itself. Who unplugs faster than the host can free is slowed down to that.
 */
#include <linux/lockdep.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "kvm_vmem.h"
#include "trace.h"

static unsigned int kvm_vmem_discard_backlog = 1024;
module_param_named(discard_backlog, kvm_vmem_discard_backlog, uint, 0644);
MODULE_PARM_DESC(discard_backlog,
		 "Unplugged memory in MiB that a device may leave to the background; beyond it, or with 0, unplugging waits (default 1024)");

/* Frozen with the processes, as nothing is to go on while a host suspends. */
static struct workqueue_struct *kvm_vmem_discard_wq;

/**
 * struct kvm_vmem_discard - blocks whose memory a worker frees
 * @work: the worker's
 * @node: in the device's list; its discard_lock
 * @users: the worker, and those who wait
 * @dev: the device; it outlives the discard
 * @offset: offset in the region
 * @size: size of the range
 * @plugged: how much of the range was plugged
 */
struct kvm_vmem_discard {
	struct delayed_work work;
	struct list_head node;
	refcount_t users;
	struct kvm_vmem *dev;
	u64 offset;
	u64 size;
	u64 plugged;
};

static void kvm_vmem_discard_put(struct kvm_vmem_discard *discard)
{
	if (refcount_dec_and_test(&discard->users))
		kfree(discard);
}

static void kvm_vmem_discard_now(struct kvm_vmem *dev, u64 offset, u64 size)
{
	kvm_vmem_protected_discard(dev, offset, size);
	trace_kvm_vmem_discard(dev, offset, size, 0);
}

static void kvm_vmem_discard_do(struct kvm_vmem_discard *discard)
{
	struct kvm_vmem *dev = discard->dev;

	kvm_vmem_discard_now(dev, discard->offset, discard->size);

	spin_lock(&dev->discard_lock);
	list_del(&discard->node);
	dev->discard_pending -= discard->plugged;
	spin_unlock(&dev->discard_lock);
	kvm_vmem_discard_put(discard);
}

static void kvm_vmem_discard_work(struct work_struct *work)
{
	kvm_vmem_discard_do(container_of(to_delayed_work(work),
					 struct kvm_vmem_discard, work));
}

static bool kvm_vmem_discard_has_room(struct kvm_vmem *dev, u64 plugged)
{
	u64 backlog = (u64)READ_ONCE(kvm_vmem_discard_backlog) << 20;

	/* Only the holder of the device's lock adds to it. */
	return READ_ONCE(dev->discard_pending) + plugged <= backlog;
}

/**
 * kvm_vmem_discard - free the memory of unplugged blocks
 * @dev: a device with protected backing
 * @offset: offset in the region
 * @size: size of a range in which nothing is plugged, and nothing mapped
 * @plugged: how much of it was plugged
 * @sync: do it now
 */
void kvm_vmem_discard(struct kvm_vmem *dev, u64 offset, u64 size, u64 plugged,
		      bool sync)
{
	struct kvm_vmem_discard *discard = NULL;

	lockdep_assert_held(&dev->lock);

	if (!sync && kvm_vmem_discard_has_room(dev, plugged))
		discard = kmalloc(sizeof(*discard), GFP_KERNEL_ACCOUNT);
	if (!discard) {
		kvm_vmem_discard_now(dev, offset, size);
		return;
	}

	INIT_DELAYED_WORK(&discard->work, kvm_vmem_discard_work);
	refcount_set(&discard->users, 1);
	discard->dev = dev;
	discard->offset = offset;
	discard->size = size;
	discard->plugged = plugged;

	spin_lock(&dev->discard_lock);
	list_add_tail(&discard->node, &dev->discards);
	dev->discard_pending += plugged;
	spin_unlock(&dev->discard_lock);
	/* The next tick: a worker woken now would compete with the answer. */
	queue_delayed_work(kvm_vmem_discard_wq, &discard->work, 1);
}

static struct kvm_vmem_discard *
kvm_vmem_discard_find(struct kvm_vmem *dev, u64 offset, u64 size)
{
	struct kvm_vmem_discard *discard, *found = NULL;

	spin_lock(&dev->discard_lock);
	list_for_each_entry(discard, &dev->discards, node) {
		if (discard->offset < offset + size &&
		    offset < discard->offset + discard->size) {
			refcount_inc(&discard->users);
			found = discard;
			break;
		}
	}
	spin_unlock(&dev->discard_lock);
	return found;
}

/**
 * kvm_vmem_discard_wait - have done with the discards of a range
 * @dev: the device
 * @offset: offset in the region
 * @size: size
 *
 * Those that no worker has begun are done here: the workers may be frozen, while a
 * kernel thread closes the device.
 *
 * Context: with the device's lock, or as the device's last user.
 */
void kvm_vmem_discard_wait(struct kvm_vmem *dev, u64 offset, u64 size)
{
	struct kvm_vmem_discard *discard;

	while ((discard = kvm_vmem_discard_find(dev, offset, size))) {
		if (cancel_delayed_work(&discard->work))
			kvm_vmem_discard_do(discard);
		else
			flush_delayed_work(&discard->work);
		kvm_vmem_discard_put(discard);
	}
}

int __init kvm_vmem_discard_init(void)
{
	kvm_vmem_discard_wq = alloc_workqueue("kvm_vmem_discard",
					      WQ_UNBOUND | WQ_SYSFS |
					      WQ_FREEZABLE, 0);
	return kvm_vmem_discard_wq ? 0 : -ENOMEM;
}

void kvm_vmem_discard_exit(void)
{
	destroy_workqueue(kvm_vmem_discard_wq);
}
