// SPDX-License-Identifier: GPL-2.0
/*
 * The memslot group: which memslots of the grid KVM knows, and which of their
 * blocks are plugged.
 *
 * Everything is called with kvm_vmem.lock held; what maps or unmaps, in the
 * address space of the VM's process as well. The cost of every function follows
 * its range or the memslots that KVM knows, never the size of the region.
 */
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/kvm.h>
#include <linux/lockdep.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "kvm_vmem.h"
#include "trace.h"

/* Size 0 deletes it; whether dirty pages are logged may change. */
static int kvm_vmem_set_memslot(struct kvm_vmem *dev, unsigned int as_id,
				unsigned int id, u64 offset, u64 size, bool log)
{
	const struct kvm_userspace_memory_region region = {
		.slot = as_id << 16 | id,
		.flags = log ? KVM_MEM_LOG_DIRTY_PAGES : 0,
		.guest_phys_addr = dev->grid.addr + offset,
		.memory_size = size,
		.userspace_addr = dev->userspace_addr + offset,
	};
	int ret = kvm_vmem_kvm_set_memslot(dev->vm, &region);

	dev->counters[KVM_VMEM_COUNT_KVM_CALL]++;
	trace_kvm_vmem_memslot(dev, as_id, id, region.guest_phys_addr, size,
			       ret);
	return ret;
}

/*
 * KVM allocates something to delete a memslot with, and frees more than that. A memslot
 * that nobody can delete stays with the guest: let KVM have what is kept for those who
 * free memory.
 */
static int kvm_vmem_delete_memslot(struct kvm_vmem *dev, unsigned int as_id,
				   unsigned int id, u64 offset)
{
	unsigned int flags;
	int ret;

	ret = kvm_vmem_set_memslot(dev, as_id, id, offset, 0, false);
	if (ret != -ENOMEM)
		return ret;
	flags = memalloc_noreclaim_save();
	ret = kvm_vmem_set_memslot(dev, as_id, id, offset, 0, false);
	memalloc_noreclaim_restore(flags);
	return ret;
}

static int kvm_vmem_memslot_unmap(struct kvm_vmem *dev,
				  struct kvm_vmem_memslot *memslot)
{
	unsigned int id = dev->claim.first_id + memslot->index;
	u64 offset = kvm_vmem_grid_offset(&dev->grid, memslot->index);
	unsigned int as_id;
	int ret;

	while (memslot->address_spaces) {
		as_id = __fls(memslot->address_spaces);
		ret = kvm_vmem_delete_memslot(dev, as_id, id, offset);
		if (ret)
			return ret;
		memslot->address_spaces &= ~BIT(as_id);
		memslot->logged &= ~BIT(as_id);
	}
	return 0;
}

static int kvm_vmem_memslot_map(struct kvm_vmem *dev,
				struct kvm_vmem_memslot *memslot)
{
	unsigned int id = dev->claim.first_id + memslot->index;
	u64 offset = kvm_vmem_grid_offset(&dev->grid, memslot->index);
	u64 size = kvm_vmem_grid_size_of(&dev->grid, memslot->index);
	unsigned int as_id;
	int ret;

	while (memslot->address_spaces != dev->address_spaces) {
		as_id = __ffs(dev->address_spaces & ~memslot->address_spaces);
		ret = kvm_vmem_set_memslot(dev, as_id, id, offset, size,
					   dev->dirty_log);
		if (ret)
			return ret;
		memslot->address_spaces |= BIT(as_id);
		if (dev->dirty_log)
			memslot->logged |= BIT(as_id);
	}
	return 0;
}

static int kvm_vmem_memslot_log(struct kvm_vmem *dev,
				struct kvm_vmem_memslot *memslot, bool log)
{
	unsigned long todo = log ? memslot->address_spaces & ~memslot->logged :
				   memslot->logged;
	unsigned int id = dev->claim.first_id + memslot->index;
	u64 offset = kvm_vmem_grid_offset(&dev->grid, memslot->index);
	u64 size = kvm_vmem_grid_size_of(&dev->grid, memslot->index);
	unsigned int as_id;
	int ret;

	for_each_set_bit(as_id, &todo, BITS_PER_LONG) {
		ret = kvm_vmem_set_memslot(dev, as_id, id, offset, size, log);
		if (ret)
			return ret;
		memslot->logged ^= BIT(as_id);
	}
	return 0;
}

/**
 * kvm_vmem_memslots_log - have KVM log the dirty pages of all memslots, or not
 * @dev: the device
 * @log: which of them
 *
 * A memslot of which KVM fails to stop the log goes on with it until it is
 * deleted or the log is wanted again.
 *
 * Return: 0; an errno of KVM's if it failed to log one, and logs none then.
 */
int kvm_vmem_memslots_log(struct kvm_vmem *dev, bool log)
{
	struct kvm_vmem_memslot *memslot;
	unsigned long index;
	int ret;

	lockdep_assert_held(&dev->lock);

	xa_for_each(&dev->memslots, index, memslot) {
		ret = kvm_vmem_memslot_log(dev, memslot, log);
		if (ret && log) {
			kvm_vmem_memslots_log(dev, false);
			return ret;
		}
		cond_resched();
	}
	return 0;
}

static void kvm_vmem_memslots_count(struct kvm_vmem *dev, int active, int idle)
{
	dev->nb_active += active;
	dev->nb_idle += idle;
	kvm_vmem_notify_memslot_counts(dev);
}

static struct kvm_vmem_memslot *
kvm_vmem_memslot_create(struct kvm_vmem *dev, unsigned int index)
{
	unsigned int nb_blocks = kvm_vmem_grid_blocks_of(&dev->grid, index);
	struct kvm_vmem_memslot *memslot;
	int ret;

	memslot = kvzalloc(struct_size(memslot, bitmap,
				       BITS_TO_LONGS(nb_blocks)),
			   GFP_KERNEL_ACCOUNT);
	if (!memslot)
		return ERR_PTR(-ENOMEM);

	memslot->index = index;
	ret = xa_insert(&dev->memslots, index, memslot, GFP_KERNEL_ACCOUNT);
	if (ret) {
		kvfree(memslot);
		return ERR_PTR(ret);
	}
	kvm_vmem_memslots_count(dev, 0, 1);
	return memslot;
}

static void kvm_vmem_memslot_free(struct kvm_vmem *dev,
				  struct kvm_vmem_memslot *memslot)
{
	/* Page faults look at it. */
	kvm_vmem_protected_lock(dev);
	xa_erase(&dev->memslots, memslot->index);
	kvm_vmem_protected_unlock(dev);
	kvm_vmem_memslots_count(dev, 0, -1);
	kvfree(memslot);
}

/**
 * kvm_vmem_memslots_probe - find out whether KVM takes the region
 * @dev: the device, with all that a memslot needs
 *
 * Maps the region's first and last page for a moment, so that a region beyond
 * the VM's physical addresses, over other memslots, or with ids in use is
 * refused now and not in a guest's request.
 *
 * Return: 0 or KVM's errno.
 */
int kvm_vmem_memslots_probe(struct kvm_vmem *dev)
{
	const struct {
		unsigned int id;
		u64 offset;
	} ends[] = {
		{ dev->claim.first_id, 0 },
		{ dev->claim.first_id + dev->claim.nb_ids - 1,
		  dev->grid.region_size - PAGE_SIZE },
	};
	unsigned long address_spaces = dev->address_spaces;
	unsigned int i, as_id;
	int ret;

	lockdep_assert_held(&dev->lock);

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		for_each_set_bit(as_id, &address_spaces, BITS_PER_LONG) {
			ret = kvm_vmem_set_memslot(dev, as_id, ends[i].id,
						   ends[i].offset, PAGE_SIZE,
						   false);
			if (!ret)
				ret = kvm_vmem_delete_memslot(dev, as_id,
							      ends[i].id,
							      ends[i].offset);
			if (ret)
				return ret;
		}
	}
	return 0;
}

/*
 * Take the idle memslots of a range from KVM, or only those that are new. Guests may
 * have touched a memslot that KVM knew up to the moment it went, so what is behind it is
 * discarded afterwards. Returns whether any went.
 */
static bool kvm_vmem_memslots_remove(struct kvm_vmem *dev,
				     struct kvm_vmem_range range, bool only_new)
{
	unsigned int shift = dev->grid.memslot_shift - dev->grid.block_shift;
	unsigned long last = (range.first + range.nb - 1) >> shift;
	struct kvm_vmem_memslot *memslot;
	bool changed = false, known;
	unsigned long index;
	int ret;

	xa_for_each_range(&dev->memslots, index, memslot, range.first >> shift,
			  last) {
		if (memslot->nb_plugged || (only_new && !memslot->is_new))
			continue;
		known = memslot->address_spaces;
		ret = kvm_vmem_memslot_unmap(dev, memslot);
		/* The process cannot be asked now, for none of them. */
		if (ret == -EFAULT)
			break;
		if (ret)
			continue;
		kvm_vmem_memslot_free(dev, memslot);
		if (known)
			kvm_vmem_backing_discard(dev,
						 kvm_vmem_grid_offset(&dev->grid,
								      index),
						 kvm_vmem_grid_size_of(&dev->grid,
								       index));
		changed = true;
		cond_resched();
	}
	return changed;
}

/**
 * kvm_vmem_memslots_retire - take idle memslots from KVM
 * @dev: the device
 * @range: those with a block in it
 *
 * With dynamic memslots only. A memslot that KVM fails to delete stays idle,
 * ready for the next plug or retirement.
 */
void kvm_vmem_memslots_retire(struct kvm_vmem *dev, struct kvm_vmem_range range)
{
	lockdep_assert_held(&dev->lock);
	if (kvm_vmem_is_dynamic(dev) &&
	    kvm_vmem_memslots_remove(dev, range, false))
		kvm_vmem_notify_memslots(dev);
}

/**
 * kvm_vmem_memslots_retire_now - take all idle memslots from KVM
 * @dev: the device
 */
void kvm_vmem_memslots_retire_now(struct kvm_vmem *dev)
{
	kvm_vmem_memslots_retire(dev, kvm_vmem_grid_all(&dev->grid));
}

/*
 * A guest that has more than it is asked to have is about to unplug more, and the
 * memslots that it empties go together then. But it may be unable to: Linux tries
 * again after 50 s (VIRTIO_MEM_RETRY_TIMER_MIN_MS), so that long is waited
 * with the default delay, and no longer.
 */
#define KVM_VMEM_SHRINKING_FACTOR 60

static unsigned long kvm_vmem_retire_delay(struct kvm_vmem *dev)
{
	u64 ms = dev->retire_delay_ms;

	if (dev->size > dev->requested_size)
		ms *= KVM_VMEM_SHRINKING_FACTOR;
	return msecs_to_jiffies(min_t(u64, ms, UINT_MAX));
}

/**
 * kvm_vmem_memslots_retire_later - take idle memslots from KVM when it is quiet
 * @dev: a device with protected backing: the memory behind an idle memslot
 *	cannot be touched
 *
 * KVM zaps all mappings of the VM with every memslot that goes. Together they
 * cost the guest its working set once, not once each; and a plug in between
 * finds its memslot in place.
 */
void kvm_vmem_memslots_retire_later(struct kvm_vmem *dev)
{
	lockdep_assert_held(&dev->lock);
	if (kvm_vmem_is_dynamic(dev) && dev->nb_idle)
		mod_delayed_work(kvm_vmem_wq, &dev->retire_work,
				 kvm_vmem_retire_delay(dev));
}

/* KVM failed to delete some, for want of memory say: that may pass. */
static void kvm_vmem_retire_again(struct kvm_vmem *dev)
{
	if (dev->nb_idle)
		mod_delayed_work(kvm_vmem_wq, &dev->retire_work,
				 max_t(unsigned long, HZ,
				       kvm_vmem_retire_delay(dev)));
}

static int kvm_vmem_retire_idle(void *arg)
{
	struct kvm_vmem *dev = arg;

	/* It is not quiet; and the VMM may take as long as it likes. */
	if (!mutex_trylock(&dev->lock)) {
		mod_delayed_work(kvm_vmem_wq, &dev->retire_work, 1);
		return 0;
	}
	kvm_vmem_memslots_retire_now(dev);
	kvm_vmem_retire_again(dev);
	mutex_unlock(&dev->lock);
	return 0;
}

/**
 * kvm_vmem_memslots_retire_work - the work of kvm_vmem.retire_work
 * @work: the work
 */
void kvm_vmem_memslots_retire_work(struct work_struct *work)
{
	struct kvm_vmem *dev = container_of(to_delayed_work(work),
					    struct kvm_vmem, retire_work);

	kvm_vmem_vm_run(dev->vm, kvm_vmem_wq, kvm_vmem_retire_idle, dev);
}

/**
 * kvm_vmem_memslots_add - have KVM know the memslots of a range
 * @dev: the device
 * @range: the blocks
 *
 * Those that are new are kept or taken back by kvm_vmem_memslots_settle(), whatever
 * this returns.
 *
 * Return: 0, or an errno of KVM's or -ENOMEM.
 */
int kvm_vmem_memslots_add(struct kvm_vmem *dev, struct kvm_vmem_range range)
{
	struct kvm_vmem_memslot *memslot;
	struct kvm_vmem_span span;
	int ret;

	lockdep_assert_held(&dev->lock);

	while (kvm_vmem_grid_next_span(&dev->grid, &range, &span)) {
		memslot = xa_load(&dev->memslots, span.memslot);
		if (memslot && memslot->address_spaces == dev->address_spaces)
			continue;
		if (!memslot)
			memslot = kvm_vmem_memslot_create(dev, span.memslot);
		if (IS_ERR(memslot))
			return PTR_ERR(memslot);
		memslot->is_new = true;
		ret = kvm_vmem_dirty_prepare(dev, span.memslot);
		if (!ret)
			ret = kvm_vmem_memslot_map(dev, memslot);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/* Returns whether any of a range were new. */
static bool kvm_vmem_memslots_keep(struct kvm_vmem *dev,
				   struct kvm_vmem_range range)
{
	unsigned int shift = dev->grid.memslot_shift - dev->grid.block_shift;
	unsigned long last = (range.first + range.nb - 1) >> shift;
	struct kvm_vmem_memslot *memslot;
	unsigned long index;
	bool any = false;

	xa_for_each_range(&dev->memslots, index, memslot, range.first >> shift,
			  last) {
		any |= memslot->is_new;
		memslot->is_new = false;
	}
	return any;
}

/**
 * kvm_vmem_memslots_settle - keep the memslots that were added, or take them back
 * @dev: the device
 * @range: all ranges that they were added for, and what is between
 * @ret: 0 to keep them
 *
 * Taken back, the memslots are those that were there before, and nobody is told;
 * unless KVM fails to delete what it just took.
 *
 * Return: @ret.
 */
int kvm_vmem_memslots_settle(struct kvm_vmem *dev, struct kvm_vmem_range range,
			     int ret)
{
	lockdep_assert_held(&dev->lock);

	/* It was ATTACH, which removes all of them. */
	if (ret && !kvm_vmem_is_dynamic(dev))
		return ret;
	if (ret)
		kvm_vmem_memslots_remove(dev, range, true);
	if (kvm_vmem_memslots_keep(dev, range))
		kvm_vmem_notify_memslots(dev);
	return ret;
}

/**
 * kvm_vmem_memslots_map - have KVM know the memslots of a range, or add none
 * @dev: the device
 * @range: the blocks
 *
 * Return: 0, or an errno of KVM's or -ENOMEM.
 */
int kvm_vmem_memslots_map(struct kvm_vmem *dev, struct kvm_vmem_range range)
{
	return kvm_vmem_memslots_settle(dev, range,
					kvm_vmem_memslots_add(dev, range));
}

/**
 * kvm_vmem_memslots_plugged - is the block at an offset plugged?
 * @dev: a device with protected backing
 * @offset: offset in the region
 *
 * Context: in a page fault, the file's invalidate lock held for reading: the
 * one function here that does without the device's lock.
 * Return: whether it is.
 */
bool kvm_vmem_memslots_plugged(struct kvm_vmem *dev, u64 offset)
{
	struct kvm_vmem_range block = {
		.first = offset >> dev->grid.block_shift,
		.nb = 1,
	};
	struct kvm_vmem_memslot *memslot;
	struct kvm_vmem_span span;

	kvm_vmem_grid_next_span(&dev->grid, &block, &span);
	memslot = xa_load(&dev->memslots, span.memslot);
	return memslot && test_bit(span.first, memslot->bitmap);
}

/**
 * kvm_vmem_memslots_all - are all blocks of a range in one state?
 * @dev: the device
 * @range: the blocks
 * @plugged: the state
 *
 * Return: whether they are.
 */
bool kvm_vmem_memslots_all(struct kvm_vmem *dev, struct kvm_vmem_range range,
			   bool plugged)
{
	struct kvm_vmem_memslot *memslot;
	struct kvm_vmem_span span;
	unsigned long end;

	lockdep_assert_held(&dev->lock);

	while (kvm_vmem_grid_next_span(&dev->grid, &range, &span)) {
		memslot = xa_load(&dev->memslots, span.memslot);
		if (!memslot) {
			if (plugged)
				return false;
			continue;
		}
		end = span.first + span.nb;
		if (plugged && find_next_zero_bit(memslot->bitmap, end,
						  span.first) < end)
			return false;
		if (!plugged &&
		    find_next_bit(memslot->bitmap, end, span.first) < end)
			return false;
	}
	return true;
}

/**
 * kvm_vmem_memslots_get_bitmap - which blocks of a range are plugged?
 * @dev: the device
 * @range: the blocks
 * @bitmap: result. A bit each, the first of them in the lowest bit of the first
 *	byte; what is left of the last byte is 0
 */
void kvm_vmem_memslots_get_bitmap(struct kvm_vmem *dev,
				  struct kvm_vmem_range range, u8 *bitmap)
{
	const u64 first = range.first;
	struct kvm_vmem_memslot *memslot;
	struct kvm_vmem_span span;
	unsigned int block, end;
	u64 start, bit;

	lockdep_assert_held(&dev->lock);

	memset(bitmap, 0, DIV_ROUND_UP(range.nb, BITS_PER_BYTE));
	while (kvm_vmem_grid_next_span(&dev->grid, &range, &span)) {
		memslot = xa_load(&dev->memslots, span.memslot);
		if (!memslot)
			continue;
		start = range.first - span.nb - first;
		block = span.first;
		end = span.first + span.nb;
		for_each_set_bit_from(block, memslot->bitmap, end) {
			bit = start + block - span.first;
			bitmap[bit / BITS_PER_BYTE] |= BIT(bit % BITS_PER_BYTE);
		}
		cond_resched();
	}
}

static void kvm_vmem_memslot_count(struct kvm_vmem *dev,
				   struct kvm_vmem_memslot *memslot,
				   unsigned int nb_plugged)
{
	if (!memslot->nb_plugged != !nb_plugged) {
		int became_active = nb_plugged ? 1 : -1;

		kvm_vmem_memslots_count(dev, became_active, -became_active);
	}
	memslot->nb_plugged = nb_plugged;
}

/**
 * kvm_vmem_memslots_set - set the state of blocks
 * @dev: the device
 * @range: the blocks; all in the other state, and in memslots that KVM knows
 * @plugged: the state
 */
void kvm_vmem_memslots_set(struct kvm_vmem *dev, struct kvm_vmem_range range,
			   bool plugged)
{
	struct kvm_vmem_memslot *memslot;
	struct kvm_vmem_span span;

	lockdep_assert_held(&dev->lock);
	dev->used = true;

	kvm_vmem_protected_lock(dev);
	while (kvm_vmem_grid_next_span(&dev->grid, &range, &span)) {
		memslot = xa_load(&dev->memslots, span.memslot);
		kvm_vmem_dirty_mark(dev, span.memslot, span.first, span.nb);
		if (plugged) {
			bitmap_set(memslot->bitmap, span.first, span.nb);
			kvm_vmem_memslot_count(dev, memslot,
					       memslot->nb_plugged + span.nb);
		} else {
			bitmap_clear(memslot->bitmap, span.first, span.nb);
			kvm_vmem_memslot_count(dev, memslot,
					       memslot->nb_plugged - span.nb);
		}
	}
	kvm_vmem_protected_unlock(dev);
}

/**
 * kvm_vmem_memslots_clear - set all blocks of a memslot unplugged
 * @dev: the device
 * @memslot: the memslot
 */
void kvm_vmem_memslots_clear(struct kvm_vmem *dev,
			     struct kvm_vmem_memslot *memslot)
{
	unsigned int nb = kvm_vmem_grid_blocks_of(&dev->grid, memslot->index);
	unsigned int start, end;

	lockdep_assert_held(&dev->lock);

	kvm_vmem_protected_lock(dev);
	for_each_set_bitrange(start, end, memslot->bitmap, nb)
		kvm_vmem_dirty_mark(dev, memslot->index, start, end - start);
	bitmap_zero(memslot->bitmap, nb);
	kvm_vmem_memslot_count(dev, memslot, 0);
	kvm_vmem_protected_unlock(dev);
}

static void kvm_vmem_memslot_fill_info(struct kvm_vmem *dev,
				       struct kvm_vmem_memslot *memslot,
				       unsigned int as_id,
				       struct kvm_vmem_memslot_info *info)
{
	u64 offset = kvm_vmem_grid_offset(&dev->grid, memslot->index);

	*info = (struct kvm_vmem_memslot_info){
		.id = dev->claim.first_id + memslot->index,
		.address_space = as_id,
		.guest_phys_addr = dev->grid.addr + offset,
		.memory_size = kvm_vmem_grid_size_of(&dev->grid,
						     memslot->index),
		.userspace_addr = dev->userspace_addr + offset,
		.plugged_size = (u64)memslot->nb_plugged
				<< dev->grid.block_shift,
		.state = memslot->nb_plugged ? KVM_VMEM_MEMSLOT_ACTIVE :
					       KVM_VMEM_MEMSLOT_IDLE,
	};
}

/**
 * kvm_vmem_memslots_list - list the memslots that KVM knows
 * @dev: the device
 * @infos: result; in ascending order of address, then address space
 * @nb_infos: room in @infos; what does not fit is only counted
 *
 * Return: number of memslots, over all address spaces.
 */
unsigned int kvm_vmem_memslots_list(struct kvm_vmem *dev,
				    struct kvm_vmem_memslot_info *infos,
				    unsigned int nb_infos)
{
	struct kvm_vmem_memslot *memslot;
	unsigned long index, as_mask;
	unsigned int as_id, nb = 0;

	lockdep_assert_held(&dev->lock);

	xa_for_each(&dev->memslots, index, memslot) {
		as_mask = memslot->address_spaces;
		for_each_set_bit(as_id, &as_mask, BITS_PER_LONG) {
			if (nb < nb_infos)
				kvm_vmem_memslot_fill_info(dev, memslot, as_id,
							   &infos[nb]);
			nb++;
		}
	}
	return nb;
}

/**
 * kvm_vmem_memslots_destroy - remove the whole group
 * @dev: the device
 * @unmap: from KVM too; false if the VM's process is gone, and nothing runs in
 *	the VM any more
 */
void kvm_vmem_memslots_destroy(struct kvm_vmem *dev, bool unmap)
{
	struct kvm_vmem_memslot *memslot;
	unsigned long index;

	lockdep_assert_held(&dev->lock);

	xa_for_each(&dev->memslots, index, memslot) {
		if (unmap)
			kvm_vmem_memslot_unmap(dev, memslot);
		kvm_vmem_memslot_count(dev, memslot, 0);
		kvm_vmem_memslot_free(dev, memslot);
		cond_resched();
	}
}
