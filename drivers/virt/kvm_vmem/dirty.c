// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log of a memslot group. KVM has one for each memslot and address space,
 * hands it out as a whole, and forgets it with the memslot. Here is one for the
 * region: what KVM hands out is kept, by memslots of the grid, until it is asked
 * for.
 *
 * Blocks that are plugged or unplugged are dirty as a whole, as all of their contents
 * change. So a memslot that goes takes nothing with it: all of its blocks were
 * unplugged, before logging began or since, and those since are dirty here.
 *
 * Everything is called with kvm_vmem.lock held, unless said otherwise.
 */
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "kvm_vmem.h"

/* As many pages as fit into a bitmap of one page. */
#define KVM_VMEM_CHUNK_PAGES (PAGE_SIZE * BITS_PER_BYTE)

/**
 * struct kvm_vmem_dirty - dirty pages that nobody has asked for yet
 * @nb_pages: number of pages of the memslot
 * @pages: a bit each
 */
struct kvm_vmem_dirty {
	unsigned long nb_pages;
	unsigned long pages[];
};

static unsigned int kvm_vmem_page_shift(const struct kvm_vmem *dev)
{
	return dev->grid.memslot_shift - PAGE_SHIFT;
}

/**
 * kvm_vmem_dirty_prepare - have room for the dirty pages of a memslot
 * @dev: the device
 * @index: the memslot, in the grid
 *
 * It stays for as long as the memslot, or pages of it are dirty.
 *
 * Return: 0 or -ENOMEM.
 */
int kvm_vmem_dirty_prepare(struct kvm_vmem *dev, unsigned int index)
{
	unsigned long nb_pages;
	struct kvm_vmem_dirty *dirty;
	int ret;

	lockdep_assert_held(&dev->lock);
	if (!dev->dirty_log || xa_load(&dev->dirty, index))
		return 0;

	nb_pages = kvm_vmem_grid_size_of(&dev->grid, index) >> PAGE_SHIFT;
	dirty = kvzalloc(struct_size(dirty, pages, BITS_TO_LONGS(nb_pages)),
			 GFP_KERNEL_ACCOUNT);
	if (!dirty)
		return -ENOMEM;
	dirty->nb_pages = nb_pages;
	ret = xa_insert(&dev->dirty, index, dirty, GFP_KERNEL_ACCOUNT);
	if (ret)
		kvfree(dirty);
	return ret;
}

/**
 * kvm_vmem_dirty_mark - blocks have other contents now
 * @dev: the device
 * @index: a memslot that is prepared, if dirty pages are logged
 * @first: index in the memslot of the first block
 * @nb: number of blocks
 */
void kvm_vmem_dirty_mark(struct kvm_vmem *dev, unsigned int index,
			 unsigned int first, unsigned int nb)
{
	unsigned int shift = dev->grid.block_shift - PAGE_SHIFT;
	struct kvm_vmem_dirty *dirty;

	lockdep_assert_held(&dev->lock);
	dirty = xa_load(&dev->dirty, index);
	if (dirty)
		bitmap_set(dirty->pages, first << shift, nb << shift);
}

/**
 * kvm_vmem_dirty_destroy - forget all dirty pages
 * @dev: the device
 */
void kvm_vmem_dirty_destroy(struct kvm_vmem *dev)
{
	struct kvm_vmem_dirty *dirty;
	unsigned long index;

	lockdep_assert_held(&dev->lock);
	xa_for_each(&dev->dirty, index, dirty) {
		kvfree(dirty);
		cond_resched();
	}
	xa_destroy(&dev->dirty);
}

static int kvm_vmem_dirty_start(struct kvm_vmem *dev, bool manual)
{
	struct kvm_vmem_memslot *memslot;
	unsigned long index;
	int ret = 0;

	WRITE_ONCE(dev->dirty_log, true);
	dev->dirty_log_manual = manual;
	xa_for_each(&dev->memslots, index, memslot) {
		ret = kvm_vmem_dirty_prepare(dev, index);
		if (ret)
			break;
		cond_resched();
	}
	if (!ret)
		ret = kvm_vmem_memslots_log(dev, true);
	if (ret) {
		WRITE_ONCE(dev->dirty_log, false);
		kvm_vmem_dirty_destroy(dev);
	}
	return ret;
}

/* A memslot of which KVM cannot be told costs time, and nothing else. */
static void kvm_vmem_dirty_stop(struct kvm_vmem *dev)
{
	WRITE_ONCE(dev->dirty_log, false);
	kvm_vmem_memslots_log(dev, false);
	kvm_vmem_dirty_destroy(dev);
}

/**
 * kvm_vmem_set_dirty_log - KVM_VMEM_SET_DIRTY_LOG
 * @dev: the device
 * @flags: enum kvm_vmem_dirty_log_flags
 *
 * Context: in the address space of the VM's process.
 * Return: as documented for the ioctl.
 */
int kvm_vmem_set_dirty_log(struct kvm_vmem *dev, u32 flags)
{
	bool enable = flags & KVM_VMEM_DIRTY_LOG_ENABLE;
	bool manual = flags & KVM_VMEM_DIRTY_LOG_MANUAL_PROTECT;

	lockdep_assert_held(&dev->lock);
	if (manual && !enable)
		return -EINVAL;
	if (dev->dirty_log == enable)
		return -EALREADY;
	if (enable)
		return kvm_vmem_dirty_start(dev, manual);
	kvm_vmem_dirty_stop(dev);
	return 0;
}

/* What KVM put at @buffer in the process, which may have spoilt it for itself. */
static int kvm_vmem_dirty_merge(struct kvm_vmem_dirty *dirty,
				unsigned long buffer, unsigned long *chunk)
{
	unsigned long size = BITS_TO_LONGS(dirty->nb_pages) * sizeof(long);
	unsigned long done, nb, *pages;

	for (done = 0; done < size; done += nb) {
		nb = min(size - done, PAGE_SIZE);
		if (copy_from_user(chunk, (void __user *)(buffer + done), nb))
			return -EFAULT;
		pages = dirty->pages + done / sizeof(long);
		if (memchr_inv(chunk, 0, nb))
			bitmap_or(pages, pages, chunk, nb * BITS_PER_BYTE);
		cond_resched();
	}
	return 0;
}

static int kvm_vmem_dirty_fetch_one(struct kvm_vmem *dev, u32 slot,
				    struct kvm_vmem_dirty *dirty,
				    unsigned long buffer, unsigned long *chunk)
{
	int ret;

	ret = kvm_vmem_kvm_get_dirty_log(dev->vm, slot, buffer);
	if (!ret)
		ret = kvm_vmem_dirty_merge(dirty, buffer, chunk);
	/* KVM may have forgotten them already. */
	if (ret == -EFAULT)
		bitmap_fill(dirty->pages, dirty->nb_pages);
	if (!ret && dev->dirty_log_manual)
		ret = kvm_vmem_kvm_clear_dirty_log(dev->vm, slot, buffer,
						   dirty->nb_pages);
	/* It is none of the caller's pointers: the buffer's pages cannot be had. */
	return ret == -EFAULT ? -ENOMEM : ret;
}

/* Fetch KVM's logs of the memslots of a range of pages. */
static int kvm_vmem_dirty_fetch(struct kvm_vmem *dev, u64 first, u64 nb,
				unsigned long *chunk)
{
	unsigned int shift = kvm_vmem_page_shift(dev);
	unsigned long index, address_spaces, buffer = 0;
	struct kvm_vmem_memslot *memslot;
	unsigned int as_id;
	size_t size;
	int ret = 0;

	size = PAGE_ALIGN(BITS_TO_LONGS(kvm_vmem_grid_size_of(&dev->grid, 0) >>
					PAGE_SHIFT) * sizeof(long));

	xa_for_each_range(&dev->memslots, index, memslot, first >> shift,
			  (first + nb - 1) >> shift) {
		if (!buffer) {
			buffer = vm_mmap(NULL, 0, size, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS |
					 MAP_NORESERVE, 0);
			if (IS_ERR_VALUE(buffer))
				return buffer;
		}
		address_spaces = memslot->logged;
		for_each_set_bit(as_id, &address_spaces, BITS_PER_LONG) {
			ret = kvm_vmem_dirty_fetch_one(dev, as_id << 16 |
						       (dev->claim.first_id +
							memslot->index),
						       xa_load(&dev->dirty, index),
						       buffer, chunk);
			if (ret)
				goto out;
		}
		cond_resched();
	}
out:
	if (buffer)
		vm_munmap(buffer, size);
	return ret;
}

struct kvm_vmem_dirty_part {
	unsigned long first;
	unsigned long nb;
};

/* The part of a memslot's pages that lies in a range of the region's. */
static struct kvm_vmem_dirty_part
kvm_vmem_dirty_clip(const struct kvm_vmem *dev, unsigned long index,
		    const struct kvm_vmem_dirty *dirty, u64 first, u64 nb)
{
	u64 base = (u64)index << kvm_vmem_page_shift(dev);
	u64 start = max(first, base);

	return (struct kvm_vmem_dirty_part){
		.first = start - base,
		.nb = min(first + nb, base + dirty->nb_pages) - start,
	};
}

/* Sets the dirty ones of a range in @chunk. Returns how many they are. */
static u64 kvm_vmem_dirty_fill(struct kvm_vmem *dev, u64 first, u64 nb,
			       unsigned long *chunk)
{
	unsigned int shift = kvm_vmem_page_shift(dev);
	struct kvm_vmem_dirty *dirty;
	unsigned long index, page, end;
	struct kvm_vmem_dirty_part part;
	u64 base, nb_dirty = 0;

	memset(chunk, 0, PAGE_SIZE);
	xa_for_each_range(&dev->dirty, index, dirty, first >> shift,
			  (first + nb - 1) >> shift) {
		part = kvm_vmem_dirty_clip(dev, index, dirty, first, nb);
		base = ((u64)index << shift) - first;
		page = part.first;
		for_each_set_bitrange_from(page, end, dirty->pages,
					   part.first + part.nb) {
			bitmap_set(chunk, base + page, end - page);
			nb_dirty += end - page;
		}
	}
	return nb_dirty;
}

/* Kept for the memslot's next dirty pages, unless it is gone. */
static void kvm_vmem_dirty_clean(struct kvm_vmem *dev, u64 first, u64 nb)
{
	unsigned int shift = kvm_vmem_page_shift(dev);
	struct kvm_vmem_dirty *dirty;
	struct kvm_vmem_dirty_part part;
	unsigned long index;

	xa_for_each_range(&dev->dirty, index, dirty, first >> shift,
			  (first + nb - 1) >> shift) {
		part = kvm_vmem_dirty_clip(dev, index, dirty, first, nb);
		bitmap_clear(dirty->pages, part.first, part.nb);
		if (!xa_load(&dev->memslots, index) &&
		    bitmap_empty(dirty->pages, dirty->nb_pages)) {
			xa_erase(&dev->dirty, index);
			kvfree(dirty);
		}
		cond_resched();
	}
}

/* Nothing is clean before the caller has all of it. */
static int kvm_vmem_dirty_copy(struct kvm_vmem *dev,
			       const struct kvm_vmem_get_dirty_log *cmd,
			       struct kvm_vmem_get_dirty_log __user *ucmd,
			       unsigned long *chunk)
{
	void __user *bitmap = u64_to_user_ptr(cmd->bitmap);
	u64 done, nb, nb_dirty = 0;

	for (done = 0; done < cmd->nb_pages; done += nb) {
		nb = min_t(u64, cmd->nb_pages - done, KVM_VMEM_CHUNK_PAGES);
		nb_dirty += kvm_vmem_dirty_fill(dev, cmd->first_page + done, nb,
						chunk);
		if (copy_to_user(bitmap + done / BITS_PER_BYTE, chunk,
				 BITS_TO_LONGS(nb) * sizeof(long)))
			return -EFAULT;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	if (copy_to_user(&ucmd->out_nb_dirty, &nb_dirty, sizeof(nb_dirty)))
		return -EFAULT;
	kvm_vmem_dirty_clean(dev, cmd->first_page, cmd->nb_pages);
	return 0;
}

/**
 * kvm_vmem_get_dirty_log - KVM_VMEM_GET_DIRTY_LOG
 * @dev: the device, attached
 * @cmd: its argument
 * @ucmd: where that came from, for the answer
 *
 * Context: in the VM's process; other processes get -EIO, as the memory that KVM
 * writes to is there and the memory of @cmd with the caller. Takes the device's
 * lock.
 * Return: as documented for the ioctl.
 */
int kvm_vmem_get_dirty_log(struct kvm_vmem *dev,
			   const struct kvm_vmem_get_dirty_log *cmd,
			   struct kvm_vmem_get_dirty_log __user *ucmd)
{
	u64 nb_pages = dev->grid.region_size >> PAGE_SHIFT;
	unsigned long *chunk;
	int ret;

	if (!cmd->nb_pages || cmd->nb_pages > nb_pages ||
	    cmd->first_page > nb_pages - cmd->nb_pages)
		return -EINVAL;
	if (current->mm != dev->vm->mm)
		return -EIO;

	chunk = kmalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return -ENOMEM;
	ret = mutex_lock_killable(&dev->lock);
	if (!ret) {
		if (!dev->dirty_log)
			ret = -ENOENT;
		if (!ret)
			ret = kvm_vmem_dirty_fetch(dev, cmd->first_page,
						   cmd->nb_pages, chunk);
		if (!ret)
			ret = kvm_vmem_dirty_copy(dev, cmd, ucmd, chunk);
		mutex_unlock(&dev->lock);
	}
	kfree(chunk);
	return ret;
}
