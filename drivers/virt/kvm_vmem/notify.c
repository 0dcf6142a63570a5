// SPDX-License-Identifier: GPL-2.0
/*
 * Telling those who listen: eventfds, poll() on the device, and the pollable
 * files in sysfs.
 */
#include <linux/bits.h>
#include <linux/eventfd.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/device.h>

#include "kvm_vmem.h"

/* Enough for every component of a VMM, and little to do under a spinlock. */
#define KVM_VMEM_MAX_LISTENERS 64

/*
 * For how long events gather before those who poll sysfs are told. A guest can
 * make tens of thousands in a second, and each wakes a worker and the pollers.
 */
#define KVM_VMEM_GATHER_MS 50

struct kvm_vmem_listener {
	struct list_head node;
	struct eventfd_ctx *ctx;
	enum kvm_vmem_event event;
};

static struct kvm_vmem_listener *
kvm_vmem_find_listener(struct kvm_vmem *dev, enum kvm_vmem_event event,
		       struct eventfd_ctx *ctx)
{
	struct kvm_vmem_listener *listener;

	list_for_each_entry(listener, &dev->listeners, node)
		if (listener->event == event && listener->ctx == ctx)
			return listener;
	return NULL;
}

static void kvm_vmem_remove_listener(struct kvm_vmem *dev,
				     struct kvm_vmem_listener *listener)
{
	spin_lock(&dev->listeners_lock);
	list_del(&listener->node);
	spin_unlock(&dev->listeners_lock);
	dev->nb_listeners--;
	eventfd_ctx_put(listener->ctx);
	kfree(listener);
}

/* Takes over the reference to @ctx if it succeeds. */
static int kvm_vmem_add_listener(struct kvm_vmem *dev,
				 enum kvm_vmem_event event,
				 struct eventfd_ctx *ctx)
{
	struct kvm_vmem_listener *listener;

	if (dev->nb_listeners == KVM_VMEM_MAX_LISTENERS)
		return -ENOSPC;
	listener = kmalloc(sizeof(*listener), GFP_KERNEL_ACCOUNT);
	if (!listener)
		return -ENOMEM;

	listener->ctx = ctx;
	listener->event = event;
	spin_lock(&dev->listeners_lock);
	list_add_tail(&listener->node, &dev->listeners);
	spin_unlock(&dev->listeners_lock);
	dev->nb_listeners++;
	return 0;
}

/**
 * kvm_vmem_set_eventfd - KVM_VMEM_SET_EVENTFD
 * @dev: the device
 * @cmd: its argument
 *
 * Return: as documented for the ioctl.
 */
int kvm_vmem_set_eventfd(struct kvm_vmem *dev,
			 const struct kvm_vmem_set_eventfd *cmd)
{
	struct kvm_vmem_listener *listener;
	struct eventfd_ctx *ctx;
	int ret;

	lockdep_assert_held(&dev->lock);
	if (cmd->event > KVM_VMEM_EVENT_VIOLATION)
		return -EINVAL;

	ctx = eventfd_ctx_fdget(cmd->fd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);

	listener = kvm_vmem_find_listener(dev, cmd->event, ctx);
	if (cmd->flags & KVM_VMEM_EVENTFD_DEASSIGN) {
		ret = listener ? 0 : -ENOENT;
		if (listener)
			kvm_vmem_remove_listener(dev, listener);
	} else {
		ret = listener ? -EEXIST :
				 kvm_vmem_add_listener(dev, cmd->event, ctx);
		if (!ret)
			return 0;
	}
	eventfd_ctx_put(ctx);
	return ret;
}

static void kvm_vmem_signal(struct kvm_vmem *dev, enum kvm_vmem_event event)
{
	struct kvm_vmem_listener *listener;

	spin_lock(&dev->listeners_lock);
	list_for_each_entry(listener, &dev->listeners, node)
		if (listener->event == event)
			eventfd_signal(listener->ctx);
	spin_unlock(&dev->listeners_lock);
}

/* Soon, and together with what else happens until then. */
static void kvm_vmem_tell_sysfs(struct kvm_vmem *dev, enum kvm_vmem_event event)
{
	spin_lock(&dev->listeners_lock);
	if (!dev->sysfs_gone) {
		dev->untold |= BIT(event);
		queue_delayed_work(kvm_vmem_wq, &dev->untold_work,
				   msecs_to_jiffies(KVM_VMEM_GATHER_MS));
	}
	spin_unlock(&dev->listeners_lock);
}

/**
 * kvm_vmem_notify_untold_work - the work of kvm_vmem.untold_work
 * @work: the work
 */
void kvm_vmem_notify_untold_work(struct work_struct *work)
{
	struct kvm_vmem *dev = container_of(to_delayed_work(work),
					    struct kvm_vmem, untold_work);
	struct kobject *kobj = &dev->sysfs->kobj;
	unsigned long untold;

	spin_lock(&dev->listeners_lock);
	untold = dev->untold;
	dev->untold = 0;
	spin_unlock(&dev->listeners_lock);

	if (untold & BIT(KVM_VMEM_EVENT_SIZE))
		sysfs_notify(kobj, NULL, "size");
	if (untold & BIT(KVM_VMEM_EVENT_MEMSLOTS)) {
		sysfs_notify(kobj, NULL, "memslots_active");
		sysfs_notify(kobj, NULL, "memslots_idle");
	}
	if (untold & BIT(KVM_VMEM_EVENT_VIOLATION))
		sysfs_notify(kobj, NULL, "violations");
}

/**
 * kvm_vmem_notify_stop_sysfs - tell nobody in sysfs any more
 * @dev: a device that is about to leave sysfs. Events may go on: there are
 *	memslots to remove, and who has it mapped may still touch it
 */
void kvm_vmem_notify_stop_sysfs(struct kvm_vmem *dev)
{
	spin_lock(&dev->listeners_lock);
	dev->sysfs_gone = true;
	spin_unlock(&dev->listeners_lock);
	cancel_delayed_work_sync(&dev->untold_work);
}

/**
 * kvm_vmem_notify_size - the plugged size changed
 * @dev: the device
 */
void kvm_vmem_notify_size(struct kvm_vmem *dev)
{
	atomic64_inc(&dev->size_changes);
	wake_up_interruptible_poll(&dev->readers, EPOLLIN | EPOLLRDNORM);
	kvm_vmem_signal(dev, KVM_VMEM_EVENT_SIZE);
	kvm_vmem_tell_sysfs(dev, KVM_VMEM_EVENT_SIZE);
}

/**
 * kvm_vmem_notify_config - the requested size was written
 * @dev: the device
 */
void kvm_vmem_notify_config(struct kvm_vmem *dev)
{
	kvm_vmem_signal(dev, KVM_VMEM_EVENT_CONFIG);
	sysfs_notify(&dev->sysfs->kobj, NULL, "requested_size");
}

/**
 * kvm_vmem_notify_memslots - a memslot came or went
 * @dev: the device
 */
void kvm_vmem_notify_memslots(struct kvm_vmem *dev)
{
	kvm_vmem_signal(dev, KVM_VMEM_EVENT_MEMSLOTS);
}

/**
 * kvm_vmem_notify_memslot_counts - there are more or fewer active or idle ones
 * @dev: the device
 */
void kvm_vmem_notify_memslot_counts(struct kvm_vmem *dev)
{
	kvm_vmem_tell_sysfs(dev, KVM_VMEM_EVENT_MEMSLOTS);
}

/**
 * kvm_vmem_notify_violation - an unplugged block was accessed
 * @dev: the device
 *
 * Context: of a page fault.
 */
void kvm_vmem_notify_violation(struct kvm_vmem *dev)
{
	kvm_vmem_signal(dev, KVM_VMEM_EVENT_VIOLATION);
	kvm_vmem_tell_sysfs(dev, KVM_VMEM_EVENT_VIOLATION);
}

/**
 * kvm_vmem_notify_destroy - forget all listeners
 * @dev: the device, with no user left
 */
void kvm_vmem_notify_destroy(struct kvm_vmem *dev)
{
	struct kvm_vmem_listener *listener, *next;

	list_for_each_entry_safe(listener, next, &dev->listeners, node)
		kvm_vmem_remove_listener(dev, listener);
}
