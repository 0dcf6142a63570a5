/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What older kernels lack, in the words of the newest one. The Makefile looks
 * for each feature in the headers it builds against; each shim names the kernel
 * whose retirement deletes it. No other file has an #if on kernel features.
 */
#ifndef _KVM_VMEM_COMPAT_H
#define _KVM_VMEM_COMPAT_H

#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>

/* Retire with 6.1: eventfd_signal() took the count to add. */
#ifdef KVM_VMEM_EVENTFD_SIGNAL_N
#define eventfd_signal(ctx) ((void)eventfd_signal(ctx, 1))
#endif

/*
 * Is this the file of a KVM VM? file_is_kvm() knows, where modules may call it.
 * KVM reserved it to its own modules after 6.12; there a VM's file is told by
 * what user space cannot forge: an anonymous inode, KVM's name for it, and
 * operations that belong to KVM.
 */
#ifdef KVM_VMEM_FILE_IS_KVM
bool file_is_kvm(struct file *file);

static inline bool kvm_vmem_file_is_vm(struct file *file)
{
	return file_is_kvm(file);
}
#else
static inline bool kvm_vmem_file_is_vm(struct file *file)
{
	const struct module *owner = file->f_op->owner;

	return file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	       !strcmp(file->f_path.dentry->d_name.name, "kvm-vm") &&
	       (!owner || !strncmp(owner->name, "kvm", 3));
}
#endif

/* Retire with 6.1: VMA flags were plain assignments. */
#ifndef KVM_VMEM_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* Retire with 6.12: binary files in sysfs were not constant. */
#ifdef KVM_VMEM_BIN_ATTRIBUTE_CONST
#define BIN_ATTRIBUTE_CONST const
#else
#define BIN_ATTRIBUTE_CONST
#endif

/* Retire with 6.12: the workqueue whose workers run anywhere had another name. */
#ifndef KVM_VMEM_SYSTEM_DFL_WQ
#define system_dfl_wq system_unbound_wq
#endif

/* Retire with 6.12: VMA flags were a word. */
#ifdef KVM_VMEM_VMA_FLAGS
#define KVM_VMEM_NORESERVE mk_vma_flags(VMA_NORESERVE_BIT)
#else
#define KVM_VMEM_NORESERVE VM_NORESERVE
#endif

/*
 * Map a file by other operations than it has. Retire with 6.12: there was no
 * mmap_prepare(), which says what to map and has the caller do it.
 */
#ifdef KVM_VMEM_MMAP_PREPARE
static inline int kvm_vmem_mmap_by(const struct file_operations *fops,
				   struct file *file,
				   struct vm_area_struct *vma)
{
	struct vm_area_desc desc;
	int ret;

	compat_set_desc_from_vma(&desc, file, vma);
	ret = fops->mmap_prepare(&desc);
	return ret ? ret : __compat_vma_mmap(&desc, vma);
}
#else
static inline int kvm_vmem_mmap_by(const struct file_operations *fops,
				   struct file *file,
				   struct vm_area_struct *vma)
{
	/* Kernels in between may have one that cannot be called from here. */
	return fops->mmap ? fops->mmap(file, vma) : -ENODEV;
}
#endif

#endif /* _KVM_VMEM_COMPAT_H */
