// SPDX-License-Identifier: GPL-2.0
/*
 * The only file that talks to KVM. It does so as a VMM does, by the ioctls of
 * the VM's file: no other interface for memslots is open to modules on all
 * supported kernels.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/lockdep.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "kvm_vmem.h"

/* KVM's KVM_MEM_MAX_NR_PAGES; it counts a memslot's pages in 31 bits. */
#define KVM_VMEM_MAX_NR_PAGES ((1UL << 31) - 1)

static long kvm_vmem_kvm_ioctl(struct file *file, unsigned int cmd,
			       unsigned long arg)
{
	return file->f_op->unlocked_ioctl(file, cmd, arg);
}

/**
 * kvm_vmem_kvm_get_vm - get the file of a VM
 * @fd: file descriptor of the calling process
 *
 * Return: the file, to be put by the caller; -EBADF if @fd is not open, -EINVAL
 * if it is not a KVM VM.
 */
struct file *kvm_vmem_kvm_get_vm(int fd)
{
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (!kvm_vmem_file_is_vm(file)) {
		fput(file);
		return ERR_PTR(-EINVAL);
	}
	return file;
}

/**
 * kvm_vmem_kvm_check_extension - ask KVM for a capability of a VM
 * @file: file of the VM
 * @capability: KVM_CAP_*
 *
 * Return: what KVM_CHECK_EXTENSION says; -EIO if the calling process is not the
 * VM's, or if the VM is dead.
 */
int kvm_vmem_kvm_check_extension(struct file *file, unsigned int capability)
{
	return kvm_vmem_kvm_ioctl(file, KVM_CHECK_EXTENSION, capability);
}

/* A process that unmapped the scratch page, by mistake or not, gets another. */
static int kvm_vmem_kvm_write_scratch(struct kvm_vmem_vm *vm,
				      const struct kvm_userspace_memory_region *region)
{
	int ret;

	if (!copy_to_user((void __user *)vm->scratch, region, sizeof(*region)))
		return 0;
	ret = kvm_vmem_vm_map_scratch(vm);
	if (ret)
		return ret;
	if (copy_to_user((void __user *)vm->scratch, region, sizeof(*region)))
		return -EFAULT;
	return 0;
}

/**
 * kvm_vmem_kvm_set_memslot - add or delete a memslot
 * @vm: the VM
 * @region: as for KVM_SET_USER_MEMORY_REGION
 *
 * Context: current->mm is the VM's (see kvm_vmem_vm_run()). May sleep.
 * Return: what KVM says; or why the process can have no scratch page.
 */
int kvm_vmem_kvm_set_memslot(struct kvm_vmem_vm *vm,
			     const struct kvm_userspace_memory_region *region)
{
	int ret;

	if (WARN_ON_ONCE(current->mm != vm->mm))
		return -EIO;

	mutex_lock(&vm->lock);
	ret = kvm_vmem_kvm_write_scratch(vm, region);
	if (!ret)
		ret = kvm_vmem_kvm_ioctl(vm->file, KVM_SET_USER_MEMORY_REGION,
					 vm->scratch);
	mutex_unlock(&vm->lock);
	return ret;
}

/**
 * kvm_vmem_kvm_max_memslot_size - how large can a memslot be?
 *
 * Return: the size of the largest memslot that KVM takes, in bytes.
 */
u64 kvm_vmem_kvm_max_memslot_size(void)
{
	return (u64)KVM_VMEM_MAX_NR_PAGES << PAGE_SHIFT;
}
