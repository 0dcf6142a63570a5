// SPDX-License-Identifier: GPL-2.0
/*
 * User backing: the region is a mapping of the VMM's. If the VMM named the file
 * behind it, unplugged blocks are discarded from there; else that is the VMM's
 * own job. And the check of the mapping, which protected backing needs too.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/hugetlb.h>
#include <linux/lockdep.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "kvm_vmem.h"
#include "trace.h"

/*
 * Size of the pages of a file, as far as it has pages of its own size. hugetlbfs
 * is told by its magic: is_file_hugepages() is not exported by all kernels.
 */
static u64 kvm_vmem_file_page_size(struct file *file)
{
	struct super_block *sb = file_inode(file)->i_sb;

	return sb->s_magic == HUGETLBFS_MAGIC ? sb->s_blocksize : PAGE_SIZE;
}

/**
 * kvm_vmem_thp_size - size of a transparent huge page
 *
 * A block should neither split one nor share one: QEMU's virtio_mem_thp_size().
 *
 * Return: bytes; 1 MiB, the smallest block, without THP.
 */
u64 kvm_vmem_thp_size(void)
{
	return has_transparent_hugepage() ? HPAGE_PMD_SIZE : SZ_1M;
}

/**
 * kvm_vmem_backing_open - take the file of user backing
 * @fd: file descriptor, or -1: none
 * @offset: offset of the region in the file; 0 without a file
 * @block_size: block size; 0 is replaced by the default
 *
 * Return: the file, to be put by the caller; NULL if there is none; -EBADF if
 * @fd is not open for writing, -EOPNOTSUPP if the file cannot punch holes,
 * -EINVAL if the block size or the offset does not go with it.
 */
struct file *kvm_vmem_backing_open(int fd, u64 offset, u64 *block_size)
{
	u64 page_size = PAGE_SIZE;
	struct file *file = NULL;
	int ret = -EINVAL;

	if (fd < -1)
		return ERR_PTR(-EBADF);
	if (fd == -1) {
		if (offset)
			return ERR_PTR(-EINVAL);
	} else {
		file = fget(fd);
		if (!file)
			return ERR_PTR(-EBADF);
		page_size = kvm_vmem_file_page_size(file);
	}

	if (!*block_size)
		*block_size = max3(page_size, kvm_vmem_thp_size(), (u64)SZ_1M);
	if (!file)
		return NULL;

	if (!(file->f_mode & FMODE_WRITE))
		ret = -EBADF;
	else if (!S_ISREG(file_inode(file)->i_mode) || !file->f_op->fallocate)
		ret = -EOPNOTSUPP;
	else if (*block_size >= page_size && !(offset & (*block_size - 1)))
		return file;

	fput(file);
	return ERR_PTR(ret);
}

/**
 * kvm_vmem_backing_check_size - can a file be as large as needed?
 * @file: the file
 * @offset: offset of the region in it
 * @region_size: size of the region
 *
 * It need not be so large yet: a VMM may size it before it maps it.
 *
 * Return: 0 or -EOVERFLOW.
 */
int kvm_vmem_backing_check_size(struct file *file, u64 offset, u64 region_size)
{
	u64 end;

	if (check_add_overflow(offset, region_size, &end) ||
	    end > file_inode(file)->i_sb->s_maxbytes)
		return -EOVERFLOW;
	return 0;
}

static int kvm_vmem_backing_check_vma(struct kvm_vmem *dev,
				      struct vm_area_struct *vma, u64 addr,
				      u64 pos)
{
	if (!(vma->vm_flags & VM_WRITE))
		return -EACCES;
	if (vma_kernel_pagesize(vma) > kvm_vmem_grid_block_size(&dev->grid))
		return -EINVAL;
	if (!dev->backing)
		return 0;
	if (!vma->vm_file || !(vma->vm_flags & VM_SHARED) ||
	    file_inode(vma->vm_file) != file_inode(dev->backing) ||
	    ((u64)vma->vm_pgoff << PAGE_SHIFT) + (addr - vma->vm_start) != pos)
		return -EINVAL;
	return 0;
}

/**
 * kvm_vmem_backing_check - is the region mapped as it has to be?
 * @dev: the device
 * @userspace_addr: address of the region in the calling process
 *
 * A look at one moment: what the process does with its mappings later is its
 * own affair, and harms only its VM.
 *
 * Return: 0; -EFAULT if not all of it is mapped, -EACCES if not all of it is
 * writable, -EINVAL if its pages are larger than a block or it is no shared
 * mapping of the backing file at the right offset.
 */
int kvm_vmem_backing_check(struct kvm_vmem *dev, u64 userspace_addr)
{
	u64 addr = userspace_addr;
	struct vm_area_struct *vma;
	u64 end;
	int ret;

	lockdep_assert_held(&dev->lock);
	if (check_add_overflow(addr, dev->grid.region_size, &end))
		return -EFAULT;

	ret = mmap_read_lock_killable(current->mm);
	if (ret)
		return ret;
	while (!ret && addr < end) {
		vma = find_vma(current->mm, addr);
		if (!vma || vma->vm_start > addr) {
			ret = -EFAULT;
			break;
		}
		ret = kvm_vmem_backing_check_vma(dev, vma, addr,
						 dev->backing_offset +
						 (addr - userspace_addr));
		addr = vma->vm_end;
		cond_resched();
	}
	mmap_read_unlock(current->mm);
	return ret;
}

/**
 * kvm_vmem_backing_discard - give memory of user backing back to the host
 * @dev: the device; nothing to do without a file
 * @offset: offset in the region
 * @size: size
 *
 * Context: may sleep. Takes locks of the file's inode.
 * Return: 0, or what the file system says.
 */
int kvm_vmem_backing_discard(struct kvm_vmem *dev, u64 offset, u64 size)
{
	int ret;

	if (!dev->backing || kvm_vmem_is_protected(dev))
		return 0;
	ret = vfs_fallocate(dev->backing,
			    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			    dev->backing_offset + offset, size);
	trace_kvm_vmem_discard(dev, offset, size, ret);
	return ret;
}
