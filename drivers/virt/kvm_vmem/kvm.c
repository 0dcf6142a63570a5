// SPDX-License-Identifier: GPL-2.0
/*
 * The only file that talks to KVM. It does so as a VMM does, by the ioctls of
 * the VM's file: no other interface for memslots is open to modules on all
 * supported kernels.
 */
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/mm.h>
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

/*
 * The argument goes through the process' scratch page, as KVM reads it there. @asked: KVM
 * could read it, and what it says is about something else. A memslot has no other memory
 * that KVM looks at; of a dirty log that KVM cannot write it has forgotten all.
 */
static int kvm_vmem_kvm_call_once(struct kvm_vmem_vm *vm, unsigned int cmd,
				  const void *arg, size_t size, bool *asked)
{
	int ret;

	*asked = false;
	if (copy_to_user((void __user *)vm->scratch, arg, size))
		return -EFAULT;
	ret = kvm_vmem_kvm_ioctl(vm->file, cmd, vm->scratch);
	*asked = ret != -EFAULT || cmd != KVM_SET_USER_MEMORY_REGION;
	return ret;
}

/* A process that unmapped the scratch page, by mistake or not, gets another. */
static int kvm_vmem_kvm_call_from_process(struct kvm_vmem_vm *vm,
					  unsigned int cmd, const void *arg,
					  size_t size)
{
	bool asked;
	int ret;

	ret = kvm_vmem_kvm_call_once(vm, cmd, arg, size, &asked);
	if (asked)
		return ret;
	ret = kvm_vmem_vm_need_scratch(vm);
	return ret ? ret : kvm_vmem_kvm_call_once(vm, cmd, arg, size, &asked);
}

/*
 * A worker must not wait for a page fault: the process may have put something at
 * the scratch page's address that it serves itself (userfaultfd, FUSE), and its
 * end waits for the worker. What the kernel alone can bring back, from swap say,
 * is brought back; that may take a few tries.
 */
#define KVM_VMEM_NOFAULT_TRIES 10

static int kvm_vmem_kvm_call_from_worker(struct kvm_vmem_vm *vm,
					 unsigned int cmd, const void *arg,
					 size_t size)
{
	unsigned int tries = KVM_VMEM_NOFAULT_TRIES;
	struct page *page;
	bool asked;
	int ret;

	for (;;) {
		pagefault_disable();
		ret = kvm_vmem_kvm_call_once(vm, cmd, arg, size, &asked);
		pagefault_enable();
		if (asked || !tries--)
			return ret;

		if (get_user_pages_unlocked(vm->scratch, 1, &page,
					    FOLL_WRITE | FOLL_NOWAIT) == 1)
			put_page(page);
		else
			usleep_range(1000, 2000);
	}
}

static int kvm_vmem_kvm_call(struct kvm_vmem_vm *vm, unsigned int cmd,
			     const void *arg, size_t size)
{
	int ret;

	if (WARN_ON_ONCE(current->mm != vm->mm))
		return -EIO;

	mutex_lock(&vm->lock);
	if (current->flags & PF_KTHREAD)
		ret = kvm_vmem_kvm_call_from_worker(vm, cmd, arg, size);
	else
		ret = kvm_vmem_kvm_call_from_process(vm, cmd, arg, size);
	mutex_unlock(&vm->lock);
	return ret;
}

/**
 * kvm_vmem_kvm_set_memslot - add, change or delete a memslot
 * @vm: the VM
 * @region: as for KVM_SET_USER_MEMORY_REGION
 *
 * Context: current->mm is the VM's (see kvm_vmem_vm_run()). May sleep.
 * Return: what KVM says; or why the process can have no scratch page.
 */
int kvm_vmem_kvm_set_memslot(struct kvm_vmem_vm *vm,
			     const struct kvm_userspace_memory_region *region)
{
	return kvm_vmem_kvm_call(vm, KVM_SET_USER_MEMORY_REGION, region,
				 sizeof(*region));
}

/**
 * kvm_vmem_kvm_get_dirty_log - fetch the dirty pages of a memslot
 * @vm: the VM
 * @slot: the memslot, with its address space in bits 16 and up
 * @bitmap: address in the VM's process, with room for all pages of the memslot
 *
 * Context: in a task of the VM's process, as KVM writes to its memory.
 * Return: what KVM_GET_DIRTY_LOG says.
 */
int kvm_vmem_kvm_get_dirty_log(struct kvm_vmem_vm *vm, u32 slot,
			       unsigned long bitmap)
{
	const struct kvm_dirty_log log = {
		.slot = slot,
		.dirty_bitmap = (void __user *)bitmap,
	};

	return kvm_vmem_kvm_call(vm, KVM_GET_DIRTY_LOG, &log, sizeof(log));
}

/**
 * kvm_vmem_kvm_clear_dirty_log - count dirty pages of a memslot clean
 * @vm: the VM
 * @slot: the memslot, with its address space in bits 16 and up
 * @bitmap: address in the VM's process of a bitmap of these pages
 * @nb_pages: number of pages of the memslot
 *
 * Context: in a task of the VM's process.
 * Return: what KVM_CLEAR_DIRTY_LOG says.
 */
int kvm_vmem_kvm_clear_dirty_log(struct kvm_vmem_vm *vm, u32 slot,
				 unsigned long bitmap, u32 nb_pages)
{
	const struct kvm_clear_dirty_log log = {
		.slot = slot,
		.num_pages = nb_pages,
		.dirty_bitmap = (void __user *)bitmap,
	};

	return kvm_vmem_kvm_call(vm, KVM_CLEAR_DIRTY_LOG, &log, sizeof(log));
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
