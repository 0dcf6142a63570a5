// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/kvm_vmem/vmemN: the memslots and the blocks of a device,
 * for reading by people.
 */
#include <linux/bitmap.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/seq_file.h>
#include <linux/string_helpers.h>

#include "kvm_vmem.h"

static struct dentry *kvm_vmem_debugfs_root;

static void kvm_vmem_seq_size(struct seq_file *m, u64 size)
{
	char text[16];

	string_get_size(size, 1, STRING_UNITS_2, text, sizeof(text));
	seq_puts(m, text);
}

static void kvm_vmem_seq_extent(struct seq_file *m, u64 addr, u64 size)
{
	seq_printf(m, "0x%012llx-0x%012llx ", addr, addr + size - 1);
}

/* One line a memslot: id, address, plugged part, state. */
static int memslots_show(struct seq_file *m, void *unused)
{
	struct kvm_vmem *dev = m->private;
	struct kvm_vmem_memslot *memslot;
	unsigned long index;
	u64 size;

	if (mutex_lock_killable(&dev->lock))
		return -EINTR;
	xa_for_each(&dev->memslots, index, memslot) {
		size = kvm_vmem_grid_size_of(&dev->grid, index);
		seq_printf(m, "%5u ", dev->claim.first_id + memslot->index);
		kvm_vmem_seq_extent(m, dev->grid.addr +
				    kvm_vmem_grid_offset(&dev->grid, index),
				    size);
		kvm_vmem_seq_size(m, (u64)memslot->nb_plugged
				     << dev->grid.block_shift);
		seq_puts(m, " of ");
		kvm_vmem_seq_size(m, size);
		seq_printf(m, " plugged, %s, address spaces 0x%x\n",
			   memslot->nb_plugged ? "active" : "idle",
			   memslot->address_spaces);
		cond_resched();
	}
	mutex_unlock(&dev->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(memslots);

/* Runs of plugged blocks; they end at the border of a memslot. */
static int blocks_show(struct seq_file *m, void *unused)
{
	struct kvm_vmem *dev = m->private;
	unsigned int shift = dev->grid.block_shift;
	struct kvm_vmem_memslot *memslot;
	unsigned int start, end;
	unsigned long index;
	u64 addr;

	if (mutex_lock_killable(&dev->lock))
		return -EINTR;
	xa_for_each(&dev->memslots, index, memslot) {
		addr = dev->grid.addr + kvm_vmem_grid_offset(&dev->grid, index);
		for_each_set_bitrange(start, end, memslot->bitmap,
				      kvm_vmem_grid_blocks_of(&dev->grid,
							      index)) {
			kvm_vmem_seq_extent(m, addr + ((u64)start << shift),
					    (u64)(end - start) << shift);
			seq_printf(m, "%u blocks, ", end - start);
			kvm_vmem_seq_size(m, (u64)(end - start) << shift);
			seq_puts(m, " plugged\n");
			cond_resched();
		}
	}
	mutex_unlock(&dev->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(blocks);

/**
 * kvm_vmem_debugfs_add - show a device
 * @dev: the device, with its name in sysfs
 */
void kvm_vmem_debugfs_add(struct kvm_vmem *dev)
{
	dev->debugfs = debugfs_create_dir(dev_name(dev->sysfs),
					  kvm_vmem_debugfs_root);
	debugfs_create_file("memslots", 0400, dev->debugfs, dev,
			    &memslots_fops);
	debugfs_create_file("blocks", 0400, dev->debugfs, dev, &blocks_fops);
}

/**
 * kvm_vmem_debugfs_remove - hide a device, waiting for readers
 * @dev: the device; its lock is not held
 */
void kvm_vmem_debugfs_remove(struct kvm_vmem *dev)
{
	debugfs_remove_recursive(dev->debugfs);
}

void __init kvm_vmem_debugfs_init(void)
{
	kvm_vmem_debugfs_root = debugfs_create_dir("kvm_vmem", NULL);
}

void kvm_vmem_debugfs_exit(void)
{
	debugfs_remove_recursive(kvm_vmem_debugfs_root);
}
