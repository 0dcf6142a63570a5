// SPDX-License-Identifier: GPL-2.0
/*
 * KVM VMs, as far as their devices share something: the way to drive the VM,
 * the range of guest physical addresses, and the memslot ids.
 *
 * A VM lives here from the ATTACH of its first device to the end of its last
 * one. It holds the VM's file, so that the VM outlives its file descriptor, but
 * neither the users of its mm nor, beyond them, the VM: a process that exits frees
 * its memory, its VM and what that has in use (VFIO devices, say), whoever else
 * still has a device of its.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/kvm.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "kvm_vmem.h"

static LIST_HEAD(kvm_vmem_vms);
/* Protects the list and what struct kvm_vmem_vm says. */
static DEFINE_MUTEX(kvm_vmem_vms_lock);

struct kvm_vmem_vm_call {
	struct work_struct work;
	struct kvm_vmem_vm *vm;
	int (*fn)(void *arg);
	void *arg;
	int ret;
};

/*
 * In a kernel thread, do as if the process had called: its address space, its
 * memory cgroup, and the credentials of who opened the VM.
 */
static int kvm_vmem_vm_run_here(struct kvm_vmem_vm *vm, int (*fn)(void *arg),
				void *arg)
{
	struct mem_cgroup *memcg, *old_memcg;
	const struct cred *old_cred;
	int ret;

	if (!mmget_not_zero(vm->mm))
		return -EIO;
	kthread_use_mm(vm->mm);
	memcg = get_mem_cgroup_from_mm(vm->mm);
	old_memcg = set_active_memcg(memcg);
	old_cred = override_creds(vm->file->f_cred);

	ret = fn(arg);

	revert_creds(old_cred);
	set_active_memcg(old_memcg);
	mem_cgroup_put(memcg);
	kthread_unuse_mm(vm->mm);
	/* If it was the last, its mappings close devices: not from in here. */
	mmput_async(vm->mm);
	return ret;
}

static void kvm_vmem_vm_call_work(struct work_struct *work)
{
	struct kvm_vmem_vm_call *call =
		container_of(work, struct kvm_vmem_vm_call, work);

	call->ret = kvm_vmem_vm_run_here(call->vm, call->fn, call->arg);
}

/**
 * kvm_vmem_vm_run - run a function in the address space of the VM's process
 * @vm: the VM
 * @wq: kvm_vmem_request_wq if @fn may wait for what the VMM does, else kvm_vmem_wq
 * @fn: the function; may sleep. It runs in the calling task if that belongs to
 *	the process or can join it, else in a worker
 * @arg: its argument
 *
 * Context: process context, with no lock that @fn takes. Not under any lock that
 * lockdep asserts in @fn.
 * Return: what @fn returns; -EIO if the process is gone.
 */
int kvm_vmem_vm_run(struct kvm_vmem_vm *vm, struct workqueue_struct *wq,
		    int (*fn)(void *arg), void *arg)
{
	struct kvm_vmem_vm_call call = { .vm = vm, .fn = fn, .arg = arg };

	if (current->mm == vm->mm)
		return fn(arg);
	if (current->flags & PF_KTHREAD && !current->mm)
		return kvm_vmem_vm_run_here(vm, fn, arg);

	INIT_WORK_ONSTACK(&call.work, kvm_vmem_vm_call_work);
	queue_work(wq, &call.work);
	flush_work(&call.work);
	destroy_work_on_stack(&call.work);
	return call.ret;
}

/* The first or another one. Its lock is held, or nobody else knows the VM. */
static int kvm_vmem_vm_map_scratch(struct kvm_vmem_vm *vm)
{
	unsigned long addr = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, 0);

	if (IS_ERR_VALUE(addr))
		return addr;
	vm->scratch = addr;
	return 0;
}

/**
 * kvm_vmem_vm_need_scratch - map another scratch page, if the process took the last one
 * @vm: the VM, its lock held; in its process
 *
 * What is still there could not be accessed for want of memory, and is no reason to map
 * ever more.
 *
 * Return: 0 or what mmap() says.
 */
int kvm_vmem_vm_need_scratch(struct kvm_vmem_vm *vm)
{
	struct vm_area_struct *vma;
	bool there;

	lockdep_assert_held(&vm->lock);
	mmap_read_lock(vm->mm);
	vma = vma_lookup(vm->mm, vm->scratch);
	there = vma && vma->vm_flags & VM_WRITE && vma_is_anonymous(vma);
	mmap_read_unlock(vm->mm);
	return there ? 0 : kvm_vmem_vm_map_scratch(vm);
}

static int kvm_vmem_vm_unmap_scratch(void *arg)
{
	struct kvm_vmem_vm *vm = arg;

	return vm_munmap(vm->scratch, PAGE_SIZE);
}

/* The process is gone, and nobody can ask anything of the VM any more. */
static void kvm_vmem_vm_mm_release(struct mmu_notifier *notifier,
				   struct mm_struct *mm)
{
	struct kvm_vmem_vm *vm = container_of(notifier, struct kvm_vmem_vm,
					      notifier);
	struct file *file;

	mutex_lock(&kvm_vmem_vms_lock);
	file = vm->file;
	vm->file = NULL;
	mutex_unlock(&kvm_vmem_vms_lock);
	/* It may come here twice. */
	if (file)
		fput(file);
}

static const struct mmu_notifier_ops kvm_vmem_vm_notifier_ops = {
	.release = kvm_vmem_vm_mm_release,
};

static struct kvm_vmem_vm *kvm_vmem_vm_create(struct file *file)
{
	int nr_ids, nr_spaces, ret;
	struct kvm_vmem_vm *vm;

	nr_ids = kvm_vmem_kvm_check_extension(file, KVM_CAP_NR_MEMSLOTS);
	if (nr_ids < 0)
		return ERR_PTR(nr_ids);
	nr_spaces = kvm_vmem_kvm_check_extension(file,
						 KVM_CAP_MULTI_ADDRESS_SPACE);
	if (nr_spaces < 0)
		return ERR_PTR(nr_spaces);

	vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&vm->claims);
	mutex_init(&vm->lock);
	vm->nr_memslot_ids = nr_ids;
	vm->nr_address_spaces = max(nr_spaces, 1);
	vm->mm = current->mm;
	vm->notifier.ops = &kvm_vmem_vm_notifier_ops;

	ret = kvm_vmem_vm_map_scratch(vm);
	if (ret)
		goto err_free;
	ret = mmu_notifier_register(&vm->notifier, vm->mm);
	if (ret)
		goto err_scratch;
	vm->file = get_file(file);
	return vm;

err_scratch:
	kvm_vmem_vm_unmap_scratch(vm);
err_free:
	kfree(vm);
	return ERR_PTR(ret);
}

static void kvm_vmem_vm_destroy(struct kvm_vmem_vm *vm)
{
	/* Fails if the process is gone, and its mappings with it. */
	kvm_vmem_vm_run(vm, kvm_vmem_wq, kvm_vmem_vm_unmap_scratch, vm);
	/* Lets go of the VM and of the mm. */
	mmu_notifier_unregister(&vm->notifier, vm->mm);
	kfree(vm);
}

/* With one more user; NULL if no device has it yet. */
static struct kvm_vmem_vm *kvm_vmem_vm_find(struct file *file)
{
	struct kvm_vmem_vm *vm;

	lockdep_assert_held(&kvm_vmem_vms_lock);
	list_for_each_entry(vm, &kvm_vmem_vms, node) {
		if (vm->file != file)
			continue;
		if (vm->mm != current->mm)
			return ERR_PTR(-EIO);
		vm->nr_users++;
		return vm;
	}
	return NULL;
}

/* Unless another device was faster. */
static struct kvm_vmem_vm *kvm_vmem_vm_add(struct kvm_vmem_vm *vm)
{
	struct kvm_vmem_vm *other;

	mutex_lock(&kvm_vmem_vms_lock);
	other = kvm_vmem_vm_find(vm->file);
	if (!other) {
		vm->nr_users = 1;
		list_add(&vm->node, &kvm_vmem_vms);
	}
	mutex_unlock(&kvm_vmem_vms_lock);

	if (!other)
		return vm;
	kvm_vmem_vm_destroy(vm);
	return other;
}

/**
 * kvm_vmem_vm_get - refer to a VM
 * @fd: file descriptor of a KVM VM of the calling process
 *
 * Return: the VM, for kvm_vmem_vm_put(); -EBADF, -EINVAL (no KVM VM), -EIO
 * (another process' VM, or dead), -ENOMEM.
 */
struct kvm_vmem_vm *kvm_vmem_vm_get(int fd)
{
	struct kvm_vmem_vm *vm;
	struct file *file;

	file = kvm_vmem_kvm_get_vm(fd);
	if (IS_ERR(file))
		return ERR_CAST(file);

	mutex_lock(&kvm_vmem_vms_lock);
	vm = kvm_vmem_vm_find(file);
	mutex_unlock(&kvm_vmem_vms_lock);
	/* Without the lock: a process can make mmap() take its time. */
	if (!vm) {
		vm = kvm_vmem_vm_create(file);
		if (!IS_ERR(vm))
			vm = kvm_vmem_vm_add(vm);
	}

	fput(file);
	return vm;
}

/**
 * kvm_vmem_vm_put - drop a reference to a VM
 * @vm: the VM; none of the caller's memslots is in it any more
 */
void kvm_vmem_vm_put(struct kvm_vmem_vm *vm)
{
	mutex_lock(&kvm_vmem_vms_lock);
	if (--vm->nr_users) {
		mutex_unlock(&kvm_vmem_vms_lock);
		return;
	}
	list_del(&vm->node);
	mutex_unlock(&kvm_vmem_vms_lock);
	kvm_vmem_vm_destroy(vm);
}

/*
 * The highest ids below all of the VM's that are free. The claims are in
 * descending order of their ids.
 */
static int kvm_vmem_vm_auto_id(struct kvm_vmem_vm *vm, unsigned int nb_ids,
			       unsigned int *first_id)
{
	unsigned int top = vm->nr_memslot_ids;
	struct kvm_vmem_claim *claim;

	list_for_each_entry(claim, &vm->claims, node) {
		if (top - (claim->first_id + claim->nb_ids) >= nb_ids)
			break;
		top = claim->first_id;
	}
	if (top < nb_ids)
		return -ENOSPC;
	*first_id = top - nb_ids;
	return 0;
}

static bool kvm_vmem_claims_collide(const struct kvm_vmem_claim *a,
				    const struct kvm_vmem_claim *b)
{
	return (a->addr < b->addr + b->size && b->addr < a->addr + a->size) ||
	       (a->first_id < b->first_id + b->nb_ids &&
		b->first_id < a->first_id + a->nb_ids);
}

static void kvm_vmem_vm_insert(struct kvm_vmem_vm *vm,
			       struct kvm_vmem_claim *claim)
{
	struct kvm_vmem_claim *other;

	list_for_each_entry(other, &vm->claims, node)
		if (other->first_id < claim->first_id)
			break;
	list_add_tail(&claim->node, &other->node);
}

static unsigned int kvm_vmem_vm_nb_claimed(struct kvm_vmem_vm *vm)
{
	struct kvm_vmem_claim *claim;
	unsigned int nb = 0;

	list_for_each_entry(claim, &vm->claims, node)
		nb += claim->nb_ids;
	return nb;
}

/*
 * Divide the region anew, for what the other devices of the VM left of the
 * host's limit. It is soft: at least one memslot is always left.
 */
static int kvm_vmem_vm_divide(struct kvm_vmem_vm *vm, struct kvm_vmem *dev)
{
	struct kvm_vmem_grid grid = dev->grid;
	unsigned int limit = READ_ONCE(kvm_vmem_memslot_limit);
	unsigned int claimed = kvm_vmem_vm_nb_claimed(vm);
	unsigned int left = claimed < limit ? limit - claimed : 1;
	int ret;

	if (!kvm_vmem_is_dynamic(dev))
		return 0;
	if (dev->memslot_limit)
		left = min(left, dev->memslot_limit);
	if (dev->fixed_memslot_size)
		return dev->grid.nb_memslots > left ? -ENOSPC : 0;
	ret = kvm_vmem_grid_divide(&grid, 0, left,
				   kvm_vmem_kvm_max_memslot_size());
	if (!ret)
		kvm_vmem_set_grid(dev, &grid);
	return ret;
}

/**
 * kvm_vmem_vm_claim - claim addresses and memslot ids of a VM for a device
 * @vm: the VM
 * @dev: the device; sets its grid's memslots, and its claim
 * @first_id: first memslot id, or KVM_VMEM_MEMSLOT_ID_AUTO
 *
 * Return: 0, -EEXIST if another device has claimed any of it, -EINVAL if the
 * ids are beyond the VM's, -ENOSPC if there are too few ids or memslots left.
 */
int kvm_vmem_vm_claim(struct kvm_vmem_vm *vm, struct kvm_vmem *dev,
		      unsigned int first_id)
{
	struct kvm_vmem_claim *claim = &dev->claim, *other;
	int ret;

	lockdep_assert_held(&dev->lock);
	guard(mutex)(&kvm_vmem_vms_lock);

	ret = kvm_vmem_vm_divide(vm, dev);
	if (ret)
		return ret;

	claim->addr = dev->grid.addr;
	claim->size = dev->grid.region_size;
	claim->nb_ids = dev->grid.nb_memslots;
	claim->first_id = first_id;
	if (first_id == KVM_VMEM_MEMSLOT_ID_AUTO) {
		ret = kvm_vmem_vm_auto_id(vm, claim->nb_ids, &claim->first_id);
		if (ret)
			return ret;
	} else if (first_id >= vm->nr_memslot_ids ||
		   claim->nb_ids > vm->nr_memslot_ids - first_id) {
		return -EINVAL;
	}

	list_for_each_entry(other, &vm->claims, node)
		if (kvm_vmem_claims_collide(claim, other))
			return -EEXIST;
	kvm_vmem_vm_insert(vm, claim);
	return 0;
}

/**
 * kvm_vmem_vm_unclaim - give back what a device claimed
 * @dev: the device
 */
void kvm_vmem_vm_unclaim(struct kvm_vmem *dev)
{
	guard(mutex)(&kvm_vmem_vms_lock);
	list_del(&dev->claim.node);
}
