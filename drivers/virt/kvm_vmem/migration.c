// SPDX-License-Identifier: GPL-2.0
/*
 * The state of a device that moves with its VM: which blocks are plugged. It is read
 * from the source, which may be frozen so that it stays as it is, and restored at
 * the destination, whose memslots may be others. What the memory contains is the
 * VMM's to move; see dirty.c for what changed.
 */
#include <linux/bitmap.h>
#include <linux/lockdep.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kvm_vmem.h"
#include "trace.h"

/**
 * kvm_vmem_freeze - KVM_VMEM_FREEZE, KVM_VMEM_THAW
 * @dev: the device
 * @freeze: which of them
 *
 * Return: as documented for the ioctls.
 */
int kvm_vmem_freeze(struct kvm_vmem *dev, bool freeze)
{
	lockdep_assert_held(&dev->lock);
	if (dev->frozen == freeze)
		return -EALREADY;
	WRITE_ONCE(dev->frozen, freeze);
	/* A guest that was told BUSY waits for a minute if nothing changes. */
	if (!freeze && dev->size != dev->requested_size)
		kvm_vmem_notify_config(dev);
	return 0;
}

/**
 * kvm_vmem_get_bitmap - KVM_VMEM_GET_BITMAP
 * @dev: the device, attached
 * @cmd: its argument
 *
 * Context: takes the device's lock, and lets go of it before it copies.
 * Return: as documented for the ioctl.
 */
int kvm_vmem_get_bitmap(struct kvm_vmem *dev,
			const struct kvm_vmem_get_bitmap *cmd)
{
	const u64 nb_blocks = kvm_vmem_grid_all(&dev->grid).nb;
	const struct kvm_vmem_range range = {
		.first = cmd->first_block,
		.nb = cmd->nb_blocks,
	};
	size_t size = BITS_TO_LONGS(range.nb) * sizeof(long);
	int ret = 0;
	u8 *bitmap;

	if (!range.nb || range.nb > nb_blocks ||
	    range.first > nb_blocks - range.nb)
		return -EINVAL;

	bitmap = kvzalloc(size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!bitmap)
		return -ENOMEM;
	if (mutex_lock_killable(&dev->lock)) {
		ret = -EINTR;
	} else {
		kvm_vmem_memslots_get_bitmap(dev, range, bitmap);
		mutex_unlock(&dev->lock);
	}
	if (!ret && copy_to_user(u64_to_user_ptr(cmd->bitmap), bitmap, size))
		ret = -EFAULT;
	kvfree(bitmap);
	return ret;
}

/**
 * struct kvm_vmem_restore - a SET_BITMAP
 * @dev: the device
 * @caller: task that makes it
 * @cmd: its argument
 * @bitmap: the bitmap, if its length is right
 * @size: size of its plugged blocks
 */
struct kvm_vmem_restore {
	struct kvm_vmem *dev;
	struct task_struct *caller;
	const struct kvm_vmem_set_bitmap *cmd;
	unsigned long *bitmap;
	u64 size;
};

/* The next run of plugged blocks at or after @from. */
static bool kvm_vmem_restore_next(const struct kvm_vmem_restore *restore,
				  u64 from, struct kvm_vmem_range *run)
{
	unsigned long nb = restore->cmd->nb_blocks;

	run->first = find_next_bit(restore->bitmap, nb, from);
	run->nb = find_next_zero_bit(restore->bitmap, nb, run->first) -
		  run->first;
	return run->nb;
}

#define for_each_run(restore, run)					\
	for ((run)->first = 0, (run)->nb = 0;				\
	     kvm_vmem_restore_next(restore, (run)->first + (run)->nb, run);)

static int kvm_vmem_check_geometry(const struct kvm_vmem *dev,
				   const struct kvm_vmem_set_bitmap *cmd)
{
	if (cmd->addr != dev->grid.addr)
		return -EADDRNOTAVAIL;
	if (cmd->region_size != dev->grid.region_size)
		return -ERANGE;
	if (cmd->block_size != kvm_vmem_grid_block_size(&dev->grid))
		return -EDOM;
	if (cmd->node_id != dev->node_id)
		return -ENXIO;
	if (cmd->nb_blocks != kvm_vmem_grid_all(&dev->grid).nb)
		return -EMSGSIZE;
	return 0;
}

static int kvm_vmem_check_blocks(struct kvm_vmem_restore *restore)
{
	const struct kvm_vmem_set_bitmap *cmd = restore->cmd;
	const struct kvm_vmem_grid *grid = &restore->dev->grid;
	u64 end, usable, nb = cmd->nb_blocks;
	struct kvm_vmem_range run;

	end = BITS_TO_LONGS(nb) * BITS_PER_LONG;
	if (find_next_bit(restore->bitmap, end, nb) < end)
		return -EINVAL;

	usable = kvm_vmem_grid_usable_size(grid, restore->dev->requested_size);
	for_each_run(restore, &run) {
		restore->size += kvm_vmem_range_size(grid, run);
		usable = max(usable, kvm_vmem_range_offset(grid, run) +
				     kvm_vmem_range_size(grid, run));
		cond_resched();
	}
	if (!kvm_vmem_grid_size_valid(grid, cmd->usable_region_size) ||
	    cmd->usable_region_size < usable)
		return -EINVAL;
	return restore->size > restore->dev->requested_size ? -EDQUOT : 0;
}

static int kvm_vmem_check_restore(struct kvm_vmem_restore *restore)
{
	int ret;

	if (restore->dev->used)
		return -EBUSY;
	ret = kvm_vmem_check_geometry(restore->dev, restore->cmd);
	return ret ? ret : kvm_vmem_check_blocks(restore);
}

/* All that can fail. */
static int kvm_vmem_restore_prepare(struct kvm_vmem_restore *restore)
{
	struct kvm_vmem *dev = restore->dev;
	struct kvm_vmem_range run;
	int ret = 0;

	for_each_run(restore, &run) {
		if (dev->setup_flags & KVM_VMEM_SETUP_PREALLOC)
			ret = kvm_vmem_prealloc(dev,
						kvm_vmem_range_offset(&dev->grid,
								      run),
						kvm_vmem_range_size(&dev->grid,
								    run));
		if (!ret)
			ret = kvm_vmem_memslots_add(dev, run);
		if (ret)
			break;
		cond_resched();
	}
	kvm_vmem_memslots_settle(dev, kvm_vmem_grid_all(&dev->grid), ret);
	if (ret && dev->setup_flags & KVM_VMEM_SETUP_PREALLOC)
		kvm_vmem_protected_discard(dev, 0, dev->grid.region_size);
	return ret;
}

static void kvm_vmem_restore_apply(struct kvm_vmem_restore *restore)
{
	struct kvm_vmem *dev = restore->dev;
	struct kvm_vmem_range run;

	for_each_run(restore, &run) {
		kvm_vmem_memslots_set(dev, run, true);
		cond_resched();
	}
	WRITE_ONCE(dev->usable_region_size, restore->cmd->usable_region_size);
	if (restore->size)
		kvm_vmem_change_size(dev, restore->size);
}

static int kvm_vmem_do_restore(void *arg)
{
	struct kvm_vmem_restore *restore = arg;
	struct kvm_vmem *dev = restore->dev;
	int ret;

	if (mutex_lock_killable(&dev->lock))
		return -EINTR;
	dev->caller = restore->caller;
	ret = kvm_vmem_check_restore(restore);
	if (!ret)
		ret = kvm_vmem_restore_prepare(restore);
	if (!ret)
		kvm_vmem_restore_apply(restore);
	if (ret != -ERESTARTNOINTR)
		trace_kvm_vmem_set_bitmap(dev, restore->cmd, restore->size, ret);
	mutex_unlock(&dev->lock);
	return ret;
}

/* Only of the length that it must have; another one is an error anyway. */
static int kvm_vmem_copy_bitmap(struct kvm_vmem_restore *restore)
{
	const u64 nb = restore->cmd->nb_blocks;
	size_t size = BITS_TO_LONGS(nb) * sizeof(long);

	if (nb != kvm_vmem_grid_all(&restore->dev->grid).nb)
		return 0;
	restore->bitmap = kvmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!restore->bitmap)
		return -ENOMEM;
	if (copy_from_user(restore->bitmap,
			   u64_to_user_ptr(restore->cmd->bitmap), size))
		return -EFAULT;
	return 0;
}

/**
 * kvm_vmem_set_bitmap - KVM_VMEM_SET_BITMAP
 * @dev: the device, attached
 * @cmd: its argument
 *
 * Context: in the caller's address space. Takes the device's lock.
 * Return: as documented for the ioctl.
 */
int kvm_vmem_set_bitmap(struct kvm_vmem *dev,
			const struct kvm_vmem_set_bitmap *cmd)
{
	struct kvm_vmem_restore restore = {
		.dev = dev,
		.caller = current,
		.cmd = cmd,
	};
	int ret;

	if (cmd->__reserved0 || cmd->__reserved1)
		return -EOPNOTSUPP;
	ret = kvm_vmem_copy_bitmap(&restore);
	if (!ret)
		ret = kvm_vmem_vm_run(dev->vm, kvm_vmem_request_wq,
				      kvm_vmem_do_restore, &restore);
	kvfree(restore.bitmap);
	return ret;
}
