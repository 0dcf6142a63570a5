// SPDX-License-Identifier: GPL-2.0
/*
 * Protected backing: guest RAM that only its plugged blocks can be touched of,
 * by anyone.
 *
 * The memory is a shmem file that no user space can open. Processes map it by
 * mmap() of the device; page faults come here and are answered for plugged
 * blocks only. Once a page is mapped, its accesses cost nothing more.
 *
 * The bitmap of plugged blocks is read under the file's invalidate lock, shared,
 * and changed under it, exclusive. A fault that saw its block plugged leaves the
 * lock with the page locked and in the page cache, and is mapped before the page
 * is unlocked. So whoever cleared a bit waits for the locked pages of the block,
 * then zaps its mappings, and knows that there are none and will be none.
 *
 * Who owns what: the device file and every VMA hold a reference to the device.
 * The device holds the backing file, a VMA holds it too. The backing file's
 * operations are the module's, so that the module stays as long as a VMA that
 * may call it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/lockdep.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/rcupdate_wait.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include <linux/sizes.h>

#include "kvm_vmem.h"
#include "trace.h"

static char *kvm_vmem_huge = "within_size";
module_param_named(huge, kvm_vmem_huge, charp, 0444);
MODULE_PARM_DESC(huge,
		 "Huge pages of protected backing, as the huge= option of tmpfs: always, within_size or never (default within_size)");

/*
 * A huge page must not reach beyond a block, or it would bring memory to an
 * unplugged one: devices with smaller blocks live on a mount without. One thing
 * overrules mounts: /sys/kernel/mm/transparent_hugepage/shmem_enabled, if it says
 * "force", which is there for testing. SETUP refuses small blocks then; and page
 * faults do, should it change later.
 */
static struct vfsmount *kvm_vmem_huge_mnt;
static struct vfsmount *kvm_vmem_small_mnt;

/* What shmem gave the backing files before the module's own operations. */
static const struct file_operations *kvm_vmem_shmem_fops;
static const struct vm_operations_struct *kvm_vmem_shmem_vm_ops;

/**
 * kvm_vmem_protected_lock - begin to change the bitmap of plugged blocks
 * @dev: a device; nothing to do with user backing
 */
void kvm_vmem_protected_lock(struct kvm_vmem *dev)
{
	if (kvm_vmem_is_protected(dev))
		filemap_invalidate_lock(dev->backing->f_mapping);
}

/**
 * kvm_vmem_protected_unlock - end it
 * @dev: a device
 */
void kvm_vmem_protected_unlock(struct kvm_vmem *dev)
{
	if (kvm_vmem_is_protected(dev))
		filemap_invalidate_unlock(dev->backing->f_mapping);
}

/* Faults that are being answered have their page locked. */
static void kvm_vmem_wait_for_faults(struct address_space *mapping,
				     pgoff_t first, pgoff_t last)
{
	XA_STATE(xas, &mapping->i_pages, first);
	struct folio *folio;

	rcu_read_lock();
	xas_for_each(&xas, folio, last) {
		if (xas_retry(&xas, folio) || xa_is_value(folio))
			continue;
		if (folio_test_locked(folio)) {
			if (!folio_try_get(folio)) {
				xas_reset(&xas);
				continue;
			}
			xas_pause(&xas);
			rcu_read_unlock();
			folio_wait_locked(folio);
			folio_put(folio);
			cond_resched();
			rcu_read_lock();
		} else if (need_resched()) {
			xas_pause(&xas);
			cond_resched_rcu();
		}
	}
	rcu_read_unlock();
}

/**
 * kvm_vmem_protected_revoke - unmap unplugged blocks from every process
 * @dev: a device with protected backing
 * @offset: offset of the blocks in the region
 * @size: size of the blocks; their bits are clear
 *
 * When it returns nobody can access them any more, guests included.
 */
void kvm_vmem_protected_revoke(struct kvm_vmem *dev, u64 offset, u64 size)
{
	struct address_space *mapping = dev->backing->f_mapping;

	kvm_vmem_wait_for_faults(mapping, offset >> PAGE_SHIFT,
				 (offset + size - 1) >> PAGE_SHIFT);
	unmap_mapping_range(mapping, offset, size, 0);
}

/*
 * Put a page back if it reaches beyond a block, and into unplugged ones. Nobody
 * could map it so far, so that it has nothing to lose.
 */
static bool kvm_vmem_refuse_page(struct file *file, u64 block_size,
				 struct page *page)
{
	struct folio *folio = page_folio(page);
	loff_t pos = folio_pos(folio);
	size_t size = folio_size(folio);

	if (size <= block_size)
		return false;
	put_page(page);
	shmem_truncate_range(file_inode(file), pos, pos + size - 1);
	return true;
}

static void kvm_vmem_violation(struct kvm_vmem *dev, u64 offset)
{
	atomic64_inc(&dev->violations);
	WRITE_ONCE(dev->last_violation, offset);
	trace_kvm_vmem_violation(dev, offset);
	if (__ratelimit(&dev->violation_ratelimit))
		pr_warn("vmem%d (%s): %s[%d] accessed an unplugged block at offset 0x%llx\n",
			dev->id, dev->label, current->comm,
			task_pid_nr(current), offset);
	kvm_vmem_notify_violation(dev);
}

/*
 * Charge who mapped it, as shmem does for its own mappings: KVM's asynchronous
 * faults are served by kernel threads.
 */
static struct page *kvm_vmem_get_page(struct vm_area_struct *vma, pgoff_t pgoff)
{
	struct address_space *mapping = vma->vm_file->f_mapping;
	struct mem_cgroup *memcg, *old_memcg;
	struct page *page;

	if (current->mm == vma->vm_mm)
		return shmem_read_mapping_page(mapping, pgoff);

	memcg = get_mem_cgroup_from_mm(vma->vm_mm);
	old_memcg = set_active_memcg(memcg);
	page = shmem_read_mapping_page(mapping, pgoff);
	set_active_memcg(old_memcg);
	mem_cgroup_put(memcg);
	return page;
}

static vm_fault_t kvm_vmem_vma_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct kvm_vmem *dev = vma->vm_private_data;
	struct address_space *mapping = vma->vm_file->f_mapping;
	vm_fault_t ret = VM_FAULT_LOCKED;
	struct page *page;

	filemap_invalidate_lock_shared(mapping);
	if (!kvm_vmem_memslots_plugged(dev, (u64)vmf->pgoff << PAGE_SHIFT)) {
		filemap_invalidate_unlock_shared(mapping);
		kvm_vmem_violation(dev, (u64)vmf->pgoff << PAGE_SHIFT);
		return VM_FAULT_SIGBUS;
	}

	page = kvm_vmem_get_page(vma, vmf->pgoff);
	if (IS_ERR(page)) {
		ret = vmf_error(PTR_ERR(page));
		goto out;
	}
	if (kvm_vmem_refuse_page(vma->vm_file,
				 kvm_vmem_grid_block_size(&dev->grid), page)) {
		ret = VM_FAULT_SIGBUS;
		goto out;
	}
	lock_page(page);
	/* A hole was punched: MADV_REMOVE of a plugged block is allowed. */
	if (page_folio(page)->mapping != mapping) {
		unlock_page(page);
		put_page(page);
		ret = VM_FAULT_NOPAGE;
		goto out;
	}
	vmf->page = page;
out:
	filemap_invalidate_unlock_shared(mapping);
	return ret;
}

/*
 * Nothing around a page is mapped with it: each is asked for by itself. Without this, though,
 * page faults would need mmap_lock: from Linux 6.4 on the lock of the VMA is enough, but only
 * where this is there (vmf_can_call_fault()).
 */
static vm_fault_t kvm_vmem_vma_map_pages(struct vm_fault *vmf, pgoff_t first,
					 pgoff_t last)
{
	return 0;
}

static void kvm_vmem_vma_open(struct vm_area_struct *vma)
{
	kvm_vmem_get(vma->vm_private_data);
}

static void kvm_vmem_vma_close(struct vm_area_struct *vma)
{
	kvm_vmem_put(vma->vm_private_data);
}

#ifdef CONFIG_NUMA
/* mbind() works as on any shmem file: the policy is the file's. */
static int kvm_vmem_vma_set_policy(struct vm_area_struct *vma,
				   struct mempolicy *policy)
{
	return kvm_vmem_shmem_vm_ops->set_policy(vma, policy);
}
#endif

static const struct vm_operations_struct kvm_vmem_vm_ops = {
	.open = kvm_vmem_vma_open,
	.close = kvm_vmem_vma_close,
	.fault = kvm_vmem_vma_fault,
	.map_pages = kvm_vmem_vma_map_pages,
#ifdef CONFIG_NUMA
	.set_policy = kvm_vmem_vma_set_policy,
#endif
};

/**
 * kvm_vmem_protected_mmap - map a device, as a file operation
 * @mapped: the device's file or one of its memory; the device is its private data
 * @vma: the mapping: any part of the region, shared, not executable
 *
 * VM_DONTEXPAND also keeps khugepaged and MADV_COLLAPSE away, which would bring
 * memory to unplugged blocks and map it without asking here. VM_DONTDUMP keeps
 * core dumps from touching every page, plugged or not.
 *
 * Context: mmap_lock held for writing, so without the device's lock.
 * Return: 0; -ENODEV before SETUP or with user backing, -EINVAL for a private
 * mapping or one beyond the region, -EACCES for an executable one.
 */
int kvm_vmem_protected_mmap(struct file *mapped, struct vm_area_struct *vma)
{
	struct kvm_vmem *dev = mapped->private_data;
	/* Pairs with the smp_store_release() of SETUP. */
	struct file *file = smp_load_acquire(&dev->mappable);
	u64 size = vma->vm_end - vma->vm_start;
	int ret;

	if (!file)
		return -ENODEV;
	if (!(vma->vm_flags & VM_SHARED) ||
	    size > dev->grid.region_size ||
	    vma->vm_pgoff > (dev->grid.region_size - size) >> PAGE_SHIFT)
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;

	vma_set_file(vma, file);
	ret = kvm_vmem_mmap_by(kvm_vmem_shmem_fops, file, vma);
	if (ret)
		return ret;
	WRITE_ONCE(kvm_vmem_shmem_vm_ops, vma->vm_ops);

	vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &kvm_vmem_vm_ops;
	vma->vm_private_data = dev;
	kvm_vmem_get(dev);
	return 0;
}

/**
 * kvm_vmem_protected_get_unmapped_area - find a place that suits huge pages
 * @file: as for kvm_vmem_protected_mmap()
 * @addr: as for the file operation
 * @len: as for the file operation
 * @pgoff: as for the file operation
 * @flags: as for the file operation
 *
 * Return: an address that is congruent to the guest physical address modulo
 * 1 GiB, as KVM needs it for pages up to that size; or an errno.
 */
unsigned long kvm_vmem_protected_get_unmapped_area(struct file *file,
						   unsigned long addr,
						   unsigned long len,
						   unsigned long pgoff,
						   unsigned long flags)
{
	struct kvm_vmem *dev = file->private_data;
	unsigned long found, want, padded;

	/* Pairs with the smp_store_release() of SETUP. */
	if (addr || flags & MAP_FIXED || !smp_load_acquire(&dev->mappable) ||
	    check_add_overflow(len, (unsigned long)SZ_1G, &padded))
		return thp_get_unmapped_area(file, addr, len, pgoff, flags);

	found = thp_get_unmapped_area(file, 0, padded, pgoff, flags);
	if (IS_ERR_VALUE(found))
		return found;
	want = dev->grid.addr + (pgoff << PAGE_SHIFT);
	return found + ((want - found) & (SZ_1G - 1));
}

/**
 * kvm_vmem_protected_llseek - find what has memory, as a file operation
 * @opened: as for kvm_vmem_protected_mmap()
 * @offset: where to begin, in the region
 * @whence: SEEK_DATA or SEEK_HOLE
 *
 * Return: an offset in the region; -ENXIO if there is none, -ESPIPE before SETUP
 * or with user backing, -EINVAL for another @whence.
 */
loff_t kvm_vmem_protected_llseek(struct file *opened, loff_t offset, int whence)
{
	struct kvm_vmem *dev = opened->private_data;
	/* Pairs with the smp_store_release() of SETUP. */
	struct file *file = smp_load_acquire(&dev->mappable);

	if (!file)
		return -ESPIPE;
	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	return kvm_vmem_shmem_fops->llseek(file, offset, whence);
}

/**
 * kvm_vmem_protected_populate - allocate a part of the region
 * @dev: a device with protected backing
 * @offset: offset in the region
 * @size: size
 * @stop: asked before every page; an errno ends it
 * @arg: argument of @stop
 *
 * Where memory is short it gives up rather than have the OOM killer called.
 *
 * Return: 0, -ENOMEM or what @stop says.
 */
int kvm_vmem_protected_populate(struct kvm_vmem *dev, u64 offset, u64 size,
				int (*stop)(void *arg), void *arg)
{
	struct address_space *mapping = dev->backing->f_mapping;
	gfp_t gfp = mapping_gfp_mask(mapping) | __GFP_NORETRY | __GFP_NOWARN;
	pgoff_t end = (offset + size) >> PAGE_SHIFT;
	pgoff_t index = offset >> PAGE_SHIFT;
	struct page *page;
	int ret;

	while (index < end) {
		ret = stop(arg);
		if (ret)
			return ret;
		page = shmem_read_mapping_page_gfp(mapping, index, gfp);
		if (IS_ERR(page))
			return PTR_ERR(page);
		if (kvm_vmem_refuse_page(dev->backing,
					 kvm_vmem_grid_block_size(&dev->grid),
					 page))
			return -ENOMEM;
		index = folio_next_index(page_folio(page));
		put_page(page);
		cond_resched();
	}
	return 0;
}

/**
 * kvm_vmem_protected_discard - give memory back to the host
 * @dev: a device with protected backing
 * @offset: offset in the region
 * @size: size; nobody can map it
 */
void kvm_vmem_protected_discard(struct kvm_vmem *dev, u64 offset, u64 size)
{
	shmem_truncate_range(file_inode(dev->backing), offset,
			     offset + size - 1);
}

/**
 * kvm_vmem_protected_resident - how much memory does the device use?
 * @dev: a device with protected backing
 *
 * Return: bytes.
 */
u64 kvm_vmem_protected_resident(struct kvm_vmem *dev)
{
	return (u64)READ_ONCE(dev->backing->f_mapping->nrpages) << PAGE_SHIFT;
}

/* madvise() knows no more of a file than this. */
static long kvm_vmem_backing_fallocate(struct file *file, int mode,
				       loff_t offset, loff_t len)
{
	if (mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	return kvm_vmem_shmem_fops->fallocate(file, mode, offset, len);
}

static const struct file_operations kvm_vmem_backing_fops = {
	.owner = THIS_MODULE,
	.fallocate = kvm_vmem_backing_fallocate,
};

/* Only root can come here, by /proc/PID/map_files. */
static int kvm_vmem_protected_open(struct inode *inode, struct file *file)
{
	return -EACCES;
}

static const struct file_operations kvm_vmem_backing_inode_fops = {
	.owner = THIS_MODULE,
	.open = kvm_vmem_protected_open,
};

/* Does shmem give it pages larger than a block? */
static int kvm_vmem_probe_page_size(struct file *file, u64 block_size)
{
	struct page *page = shmem_read_mapping_page(file->f_mapping, 0);

	if (IS_ERR(page))
		return PTR_ERR(page);
	if (kvm_vmem_refuse_page(file, block_size, page))
		return -EOPNOTSUPP;
	put_page(page);
	shmem_truncate_range(file_inode(file), 0, block_size - 1);
	return 0;
}

/**
 * kvm_vmem_protected_create - make a backing file
 * @region_size: size of the region
 * @block_size: size of a block
 *
 * Return: the file, or an errno; -EOPNOTSUPP if shmem insists on pages larger
 * than a block.
 */
struct file *kvm_vmem_protected_create(u64 region_size, u64 block_size)
{
	struct vfsmount *mnt = kvm_vmem_small_mnt;
	struct inode *inode;
	struct file *file;
	int ret;

	if (block_size >= kvm_vmem_thp_size())
		mnt = kvm_vmem_huge_mnt;
	file = shmem_file_setup_with_mnt(mnt, "kvm-vmem", region_size,
					 KVM_VMEM_NORESERVE);
	/* So shmem says that there is no memory for an inode: its mount has no limit. */
	if (file == ERR_PTR(-ENOSPC))
		return ERR_PTR(-ENOMEM);
	if (IS_ERR(file))
		return file;

	inode = file_inode(file);
	SHMEM_I(inode)->seals |= F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW;
	inode->i_fop = &kvm_vmem_backing_inode_fops;
	WRITE_ONCE(kvm_vmem_shmem_fops, file->f_op);
	/* fput() puts the module; shmem's own operations have none. */
	__module_get(THIS_MODULE);
	file->f_op = &kvm_vmem_backing_fops;

	if (mnt == kvm_vmem_small_mnt) {
		ret = kvm_vmem_probe_page_size(file, block_size);
		if (ret) {
			fput(file);
			return ERR_PTR(ret);
		}
	}
	return file;
}

static struct vfsmount *kvm_vmem_mount(struct file_system_type *type,
				       const char *huge)
{
	char *options = NULL;
	struct vfsmount *mnt;

	/* A kernel without THP knows no such option. */
	if (has_transparent_hugepage()) {
		options = kasprintf(GFP_KERNEL, "huge=%s", huge);
		if (!options)
			return ERR_PTR(-ENOMEM);
	}
	mnt = vfs_kern_mount(type, SB_KERNMOUNT, "kvm-vmem", options);
	kfree(options);
	/* So shmem says that there is no memory for an inode. */
	return mnt == ERR_PTR(-ENOSPC) ? ERR_PTR(-ENOMEM) : mnt;
}

int __init kvm_vmem_protected_init(void)
{
	/* Built in, so that there is nothing to put. */
	struct file_system_type *type = get_fs_type("tmpfs");
	int ret = 0;

	if (!type)
		return -ENODEV;
	kvm_vmem_huge_mnt = kvm_vmem_mount(type, kvm_vmem_huge);
	kvm_vmem_small_mnt = kvm_vmem_mount(type, "never");

	if (IS_ERR(kvm_vmem_huge_mnt)) {
		ret = PTR_ERR(kvm_vmem_huge_mnt);
		if (ret != -ENOMEM)
			pr_err("huge=%s is not an option of tmpfs here\n",
			       kvm_vmem_huge);
	} else if (IS_ERR(kvm_vmem_small_mnt)) {
		ret = PTR_ERR(kvm_vmem_small_mnt);
	}
	if (ret)
		kvm_vmem_protected_exit();
	return ret;
}

void kvm_vmem_protected_exit(void)
{
	if (!IS_ERR(kvm_vmem_huge_mnt))
		mntput(kvm_vmem_huge_mnt);
	if (!IS_ERR(kvm_vmem_small_mnt))
		mntput(kvm_vmem_small_mnt);
}
