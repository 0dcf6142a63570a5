// SPDX-License-Identifier: GPL-2.0
/*
 * Life and configuration of a device: made at open(), given its geometry by
 * SETUP, connected to a VM by ATTACH, gone with the last reference to its file.
 */
#include <linux/bitops.h>
#include <linux/ctype.h>
#include <linux/file.h>
#include <linux/lockdep.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kvm_vmem.h"
#include "trace.h"

/**
 * kvm_vmem_create - make a device
 *
 * Return: the device, for kvm_vmem_close(), or NULL.
 */
struct kvm_vmem *kvm_vmem_create(void)
{
	struct kvm_vmem *dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);

	if (!dev)
		return NULL;
	kref_init(&dev->ref);
	mutex_init(&dev->lock);
	spin_lock_init(&dev->discard_lock);
	INIT_LIST_HEAD(&dev->discards);
	dev->retire_delay_ms = READ_ONCE(kvm_vmem_retire_delay_ms);
	INIT_DELAYED_WORK(&dev->retire_work, kvm_vmem_memslots_retire_work);
	INIT_DELAYED_WORK(&dev->untold_work, kvm_vmem_notify_untold_work);
	ratelimit_state_init(&dev->violation_ratelimit,
			     DEFAULT_RATELIMIT_INTERVAL,
			     DEFAULT_RATELIMIT_BURST);
	spin_lock_init(&dev->listeners_lock);
	INIT_LIST_HEAD(&dev->listeners);
	init_waitqueue_head(&dev->readers);
	xa_init_flags(&dev->memslots, XA_FLAGS_ACCOUNT);
	xa_init_flags(&dev->dirty, XA_FLAGS_ACCOUNT);
	return dev;
}

static int kvm_vmem_unmap_all(void *arg)
{
	struct kvm_vmem *dev = arg;

	guard(mutex)(&dev->lock);
	kvm_vmem_memslots_destroy(dev, true);
	return 0;
}

/**
 * kvm_vmem_get - take a reference
 * @dev: the device
 */
void kvm_vmem_get(struct kvm_vmem *dev)
{
	kref_get(&dev->ref);
}

static void kvm_vmem_free(struct kref *ref)
{
	struct kvm_vmem *dev = container_of(ref, struct kvm_vmem, ref);

	if (dev->backing)
		fput(dev->backing);
	kfree(dev);
}

/**
 * kvm_vmem_put - drop a reference
 * @dev: the device
 */
void kvm_vmem_put(struct kvm_vmem *dev)
{
	kref_put(&dev->ref, kvm_vmem_free);
}

static void kvm_vmem_detach(struct kvm_vmem *dev)
{
	cancel_delayed_work_sync(&dev->retire_work);
	kvm_vmem_vm_run(dev->vm, kvm_vmem_wq, kvm_vmem_unmap_all, dev);
	/* What is left of the memslots died with the process. */
	mutex_lock(&dev->lock);
	kvm_vmem_memslots_destroy(dev, false);
	kvm_vmem_dirty_destroy(dev);
	mutex_unlock(&dev->lock);

	kvm_vmem_vm_unclaim(dev);
	kvm_vmem_vm_put(dev->vm);
	put_pid(dev->pid);
}

/**
 * kvm_vmem_close - end a device
 * @dev: the device; nobody else has its file any more
 *
 * Its memory is free afterwards. Mappings of it may live on: they find all
 * blocks unplugged.
 *
 * Context: any task may be the last to close a file, in particular one that is
 * exiting and has no mm any more.
 */
void kvm_vmem_close(struct kvm_vmem *dev)
{
	if (kvm_vmem_is_setup(dev)) {
		kvm_vmem_notify_stop_sysfs(dev);
		kvm_vmem_debugfs_remove(dev);
		kvm_vmem_sysfs_remove(dev);
	}
	if (dev->attached)
		kvm_vmem_detach(dev);
	if (dev->mappable) {
		kvm_vmem_discard_wait(dev, 0, dev->grid.region_size);
		kvm_vmem_protected_revoke(dev, 0, dev->grid.region_size);
		kvm_vmem_protected_discard(dev, 0, dev->grid.region_size);
	}
	kvm_vmem_notify_destroy(dev);
	kvm_vmem_put(dev);
}

/* Printable, so that no terminal of an operator's is at the VMM's mercy. */
static int kvm_vmem_check_label(const u8 *label)
{
	size_t i, len = strnlen(label, KVM_VMEM_LABEL_LEN);

	if (len == KVM_VMEM_LABEL_LEN)
		return -EINVAL;
	for (i = 0; i < len; i++)
		if (!isascii(label[i]) || !isprint(label[i]))
			return -EINVAL;
	return 0;
}

static int kvm_vmem_check_setup(const struct kvm_vmem_setup *cmd)
{
	if (cmd->__reserved0 || cmd->__reserved1)
		return -EOPNOTSUPP;
	if (cmd->flags & KVM_VMEM_SETUP_USER_BACKING) {
		if (cmd->flags & KVM_VMEM_SETUP_PREALLOC)
			return -EOPNOTSUPP;
	} else if (cmd->backing_fd != -1 ||
		   !(cmd->flags & KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE)) {
		/* Guests that may read unplugged memory would die of it. */
		return -EINVAL;
	}
	if (cmd->flags & KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS) {
		if (!(cmd->flags & KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE))
			return -EINVAL;
	} else if (cmd->memslot_size) {
		return -EINVAL;
	}
	return kvm_vmem_check_label(cmd->label);
}

/* All of SETUP that makes the grid, on a grid of the caller's. */
static int kvm_vmem_setup_grid(const struct kvm_vmem_setup *cmd, u64 block_size,
			       struct kvm_vmem_grid *grid)
{
	unsigned int limit = READ_ONCE(kvm_vmem_memslot_limit);
	int ret;

	ret = kvm_vmem_grid_init(grid, cmd->addr, cmd->region_size, block_size);
	if (ret)
		return ret;
	if (!kvm_vmem_grid_size_valid(grid, cmd->requested_size))
		return -EINVAL;

	if (!(cmd->flags & KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS))
		limit = 1;
	else if (cmd->memslot_limit)
		limit = min(limit, cmd->memslot_limit);
	return kvm_vmem_grid_divide(grid, cmd->memslot_size, limit,
				    kvm_vmem_kvm_max_memslot_size());
}

/**
 * kvm_vmem_setup - KVM_VMEM_SETUP
 * @dev: the device
 * @cmd: its argument
 *
 * Return: as documented for the ioctl.
 */
int kvm_vmem_setup(struct kvm_vmem *dev, struct kvm_vmem_setup *cmd)
{
	u64 block_size = cmd->block_size;
	struct kvm_vmem_grid grid;
	struct file *backing;
	int ret;

	lockdep_assert_held(&dev->lock);
	if (kvm_vmem_is_setup(dev))
		return -EBUSY;
	ret = kvm_vmem_check_setup(cmd);
	if (ret)
		return ret;

	backing = kvm_vmem_backing_open(cmd->backing_fd, cmd->backing_offset,
					&block_size);
	if (IS_ERR(backing))
		return PTR_ERR(backing);
	ret = kvm_vmem_setup_grid(cmd, block_size, &grid);
	if (!ret && backing)
		ret = kvm_vmem_backing_check_size(backing, cmd->backing_offset,
						  cmd->region_size);
	if (ret)
		goto err_backing;
	if (!(cmd->flags & KVM_VMEM_SETUP_USER_BACKING)) {
		backing = kvm_vmem_protected_create(cmd->region_size,
						    block_size);
		if (IS_ERR(backing))
			return PTR_ERR(backing);
	}

	dev->setup_flags = cmd->flags;
	dev->fixed_memslot_size = cmd->memslot_size;
	dev->memslot_limit = cmd->memslot_limit;
	dev->node_id = cmd->node_id;
	memcpy(dev->label, cmd->label, sizeof(dev->label));
	dev->requested_size = cmd->requested_size;
	dev->usable_region_size =
		kvm_vmem_grid_usable_size(&grid, cmd->requested_size);
	dev->backing = backing;
	dev->backing_offset = cmd->backing_offset;

	/* Last: once the operator sees the device, it is there. */
	dev->grid = grid;
	ret = kvm_vmem_sysfs_add(dev);
	if (ret)
		goto err_grid;
	kvm_vmem_debugfs_add(dev);
	trace_kvm_vmem_setup(dev);
	if (kvm_vmem_is_protected(dev)) {
		/* Pairs with the smp_load_acquire() of mmap(). */
		smp_store_release(&dev->mappable, backing);
	}

	cmd->out_block_size = block_size;
	cmd->out_memslot_size = kvm_vmem_grid_size_of(&grid, 0);
	cmd->out_nb_memslots = grid.nb_memslots;
	cmd->out_id = dev->id;
	return 0;

err_grid:
	dev->grid = (struct kvm_vmem_grid){};
	dev->backing = NULL;
err_backing:
	if (backing)
		fput(backing);
	return ret;
}

/**
 * kvm_vmem_set_grid - divide the region in another way
 * @dev: a device without memslots
 * @grid: the same region and blocks, with other memslots
 */
void kvm_vmem_set_grid(struct kvm_vmem *dev, const struct kvm_vmem_grid *grid)
{
	lockdep_assert_held(&dev->lock);
	/* Page faults look for their memslot in it. */
	kvm_vmem_protected_lock(dev);
	dev->grid = *grid;
	kvm_vmem_protected_unlock(dev);
}

/* Everything of ATTACH that can fail once the VM is known. */
static int kvm_vmem_connect(struct kvm_vmem *dev, unsigned int first_id)
{
	int ret;

	if (dev->address_spaces >> dev->vm->nr_address_spaces)
		return -ENOENT;
	ret = kvm_vmem_vm_claim(dev->vm, dev, first_id);
	if (ret)
		return ret;

	if (kvm_vmem_is_dynamic(dev))
		ret = kvm_vmem_memslots_probe(dev);
	else
		ret = kvm_vmem_memslots_map(dev, kvm_vmem_grid_all(&dev->grid));
	/* As QEMU: whatever was in the file, the region starts empty. */
	if (!ret)
		ret = kvm_vmem_backing_discard(dev, 0, dev->grid.region_size);
	if (ret) {
		kvm_vmem_memslots_destroy(dev, true);
		kvm_vmem_vm_unclaim(dev);
	}
	return ret;
}

/**
 * kvm_vmem_attach - KVM_VMEM_ATTACH
 * @dev: the device
 * @cmd: its argument
 *
 * Return: as documented for the ioctl.
 */
int kvm_vmem_attach(struct kvm_vmem *dev, struct kvm_vmem_attach *cmd)
{
	const struct kvm_vmem_grid grid = dev->grid;
	int ret;

	lockdep_assert_held(&dev->lock);
	if (dev->attached)
		return -EBUSY;
	if (cmd->__reserved)
		return -EOPNOTSUPP;
	/* KVM runs vCPUs in address space 0 before anything else. */
	if (!(cmd->address_spaces & BIT(0)))
		return -EINVAL;
	if ((cmd->userspace_addr ^ dev->grid.addr) &
	    (kvm_vmem_grid_block_size(&dev->grid) - 1))
		return -EINVAL;

	/* Before the VM's scratch page is mapped: it might fill a hole. */
	ret = kvm_vmem_backing_check(dev, cmd->userspace_addr);
	if (ret)
		return ret;

	dev->vm = kvm_vmem_vm_get(cmd->vm_fd);
	if (IS_ERR(dev->vm))
		return PTR_ERR(dev->vm);
	dev->address_spaces = cmd->address_spaces;
	dev->userspace_addr = cmd->userspace_addr;

	ret = kvm_vmem_connect(dev, cmd->first_memslot_id);
	if (ret) {
		kvm_vmem_vm_put(dev->vm);
		kvm_vmem_set_grid(dev, &grid);
		return ret;
	}

	dev->pid = get_task_pid(current, PIDTYPE_TGID);
	trace_kvm_vmem_attach(dev);
	cmd->out_memslot_size = kvm_vmem_grid_size_of(&dev->grid, 0);
	cmd->out_nb_memslots = dev->grid.nb_memslots;
	cmd->out_first_memslot_id = dev->claim.first_id;
	/* Pairs with the smp_load_acquire() of those without the lock. */
	smp_store_release(&dev->attached, true);
	return 0;
}

/**
 * kvm_vmem_get_config - KVM_VMEM_GET_CONFIG
 * @dev: the device
 * @cmd: its argument
 *
 * Return: as documented for the ioctl.
 */
int kvm_vmem_get_config(struct kvm_vmem *dev, struct kvm_vmem_get_config *cmd)
{
	lockdep_assert_held(&dev->lock);

	cmd->out_block_size = kvm_vmem_grid_block_size(&dev->grid);
	cmd->out_addr = dev->grid.addr;
	cmd->out_region_size = dev->grid.region_size;
	cmd->out_usable_region_size = dev->usable_region_size;
	cmd->out_plugged_size = dev->size;
	cmd->out_requested_size = dev->requested_size;
	cmd->out_node_id = dev->node_id;
	cmd->__reserved0 = 0;
	cmd->__reserved1 = 0;
	return 0;
}

/* Pages up to this size lie in the guest as they do in the process. */
static u64 kvm_vmem_alignment(const struct kvm_vmem *dev)
{
	u64 differ = (dev->userspace_addr ^ dev->grid.addr) | SZ_1G;

	return 1ULL << __ffs64(differ);
}

static void kvm_vmem_fill_counters(const struct kvm_vmem *dev,
				   struct kvm_vmem_get_info *info)
{
	info->out_nb_acks = dev->counters[KVM_VMEM_COUNT_ACK];
	info->out_nb_nacks = dev->counters[KVM_VMEM_COUNT_NACK];
	info->out_nb_busies = dev->counters[KVM_VMEM_COUNT_BUSY];
	info->out_nb_errors = dev->counters[KVM_VMEM_COUNT_ERROR];
	info->out_nb_kvm_calls = dev->counters[KVM_VMEM_COUNT_KVM_CALL];
	info->out_nb_violations = atomic64_read(&dev->violations);
	info->out_last_violation = READ_ONCE(dev->last_violation);
}

/**
 * kvm_vmem_get_info - KVM_VMEM_GET_INFO
 * @dev: the device
 * @info: its argument
 *
 * Return: as documented for the ioctl.
 */
int kvm_vmem_get_info(struct kvm_vmem *dev, struct kvm_vmem_get_info *info)
{
	lockdep_assert_held(&dev->lock);
	*info = (struct kvm_vmem_get_info){
		.size = info->size,
		.out_id = dev->id,
		.out_setup_flags = dev->setup_flags,
		.out_node_id = dev->node_id,
		.out_addr = dev->grid.addr,
		.out_max_size = dev->grid.region_size,
		.out_size = dev->size,
		.out_requested_size = dev->requested_size,
		.out_usable_region_size = dev->usable_region_size,
		.out_block_size = kvm_vmem_grid_block_size(&dev->grid),
		.out_memslot_size = kvm_vmem_grid_size_of(&dev->grid, 0),
		.out_nb_memslots = dev->grid.nb_memslots,
		.out_nb_active = dev->nb_active,
		.out_nb_idle = dev->nb_idle,
	};
	if (dev->removal_pending)
		info->out_state |= KVM_VMEM_INFO_REMOVAL_PENDING;
	if (dev->frozen)
		info->out_state |= KVM_VMEM_INFO_FROZEN;
	if (dev->dirty_log)
		info->out_state |= KVM_VMEM_INFO_DIRTY_LOG;
	if (dev->attached) {
		info->out_state |= KVM_VMEM_INFO_ATTACHED;
		info->out_userspace_addr = dev->userspace_addr;
		info->out_alignment = kvm_vmem_alignment(dev);
		info->out_first_memslot_id = dev->claim.first_id;
	}
	kvm_vmem_fill_counters(dev, info);
	memcpy(info->out_label, dev->label, sizeof(dev->label));
	return 0;
}

static int kvm_vmem_copy_memslots(struct kvm_vmem *dev,
				  struct kvm_vmem_get_memslots *cmd,
				  struct kvm_vmem_memslot_info **infos)
{
	unsigned int nb = kvm_vmem_memslots_list(dev, NULL, 0);

	cmd->out_nb_memslots = nb;
	if (cmd->nb_memslots < nb)
		return -EMSGSIZE;
	if (!nb)
		return 0;
	*infos = kvmalloc_array(nb, sizeof(**infos), GFP_KERNEL_ACCOUNT);
	if (!*infos)
		return -ENOMEM;
	kvm_vmem_memslots_list(dev, *infos, nb);
	return 0;
}

/**
 * kvm_vmem_get_memslots - KVM_VMEM_GET_MEMSLOTS
 * @dev: the device, attached
 * @cmd: its argument
 *
 * Context: takes the device's lock, and lets go of it before it copies: a caller
 * can make that take its time.
 * Return: as documented for the ioctl.
 */
int kvm_vmem_get_memslots(struct kvm_vmem *dev,
			  struct kvm_vmem_get_memslots *cmd)
{
	struct kvm_vmem_memslot_info *infos = NULL;
	int ret;

	if (mutex_lock_killable(&dev->lock))
		return -EINTR;
	ret = kvm_vmem_copy_memslots(dev, cmd, &infos);
	mutex_unlock(&dev->lock);
	if (!ret && infos &&
	    copy_to_user(u64_to_user_ptr(cmd->memslots), infos,
			 array_size(cmd->out_nb_memslots, sizeof(*infos))))
		ret = -EFAULT;
	kvfree(infos);
	return ret;
}

/**
 * kvm_vmem_set_requested_size - ask the guest for another size
 * @dev: the device
 * @requested_size: any number
 *
 * Return: 0, -EINVAL if it cannot be a requested size, -EBUSY while removal is
 * pending.
 */
int kvm_vmem_set_requested_size(struct kvm_vmem *dev, u64 requested_size)
{
	u64 usable_region_size, old = dev->requested_size;

	lockdep_assert_held(&dev->lock);
	if (!kvm_vmem_grid_size_valid(&dev->grid, requested_size))
		return -EINVAL;
	if (dev->removal_pending)
		return -EBUSY;

	WRITE_ONCE(dev->requested_size, requested_size);
	/* It shrinks only when everything is unplugged, as in QEMU. */
	usable_region_size =
		kvm_vmem_grid_usable_size(&dev->grid, requested_size);
	if (usable_region_size > dev->usable_region_size)
		WRITE_ONCE(dev->usable_region_size, usable_region_size);

	/* Idle memslots wait for as long as goes with the new one. */
	if (requested_size != old)
		kvm_vmem_memslots_retire_later(dev);
	trace_kvm_vmem_requested_size(dev);
	kvm_vmem_notify_config(dev);
	return 0;
}

/**
 * kvm_vmem_prepare_remove - KVM_VMEM_PREPARE_REMOVE
 * @dev: the device
 * @cancel: take it back
 *
 * Return: as documented for the ioctl.
 */
int kvm_vmem_prepare_remove(struct kvm_vmem *dev, bool cancel)
{
	lockdep_assert_held(&dev->lock);
	if (dev->removal_pending != cancel)
		return -EALREADY;

	if (!cancel) {
		/* QEMU's virtio_mem_unplug_request_check() and its order. */
		if (!(dev->setup_flags & KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE))
			return -EOPNOTSUPP;
		if (dev->size)
			return -ENOTEMPTY;
		if (dev->requested_size)
			return -EBUSY;
	}
	dev->removal_pending = !cancel;
	return 0;
}
