// SPDX-License-Identifier: GPL-2.0
/*
 * Preallocation: the memory of blocks is there before the guest is told that it
 * may use them, or the plug fails. Several CPUs clear the pages.
 */
#include <linux/cpumask.h>
#include <linux/freezer.h>
#include <linux/lockdep.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "kvm_vmem.h"

/* More would only wait for the memory, and take CPUs from other VMs. */
#define KVM_VMEM_PREALLOC_MAX_THREADS 8

/* What a worker takes at a time: large enough not to quarrel over. */
#define KVM_VMEM_PREALLOC_CHUNK SZ_16M

/**
 * struct kvm_vmem_prealloc - one preallocation
 * @dev: the device
 * @next: offset of the next chunk that nobody has taken
 * @end: end of the range
 * @memcg: whom to charge
 * @caller: who asked for it; a fatal signal to it ends this, and so does freezing it
 * @ret: first error
 */
struct kvm_vmem_prealloc {
	struct kvm_vmem *dev;
	atomic64_t next;
	u64 end;
	struct mem_cgroup *memcg;
	struct task_struct *caller;
	int ret;
};

struct kvm_vmem_prealloc_work {
	struct work_struct work;
	struct kvm_vmem_prealloc *job;
};

/*
 * A host that suspends or hibernates waits for the caller, for 20 s, and it may be
 * more memory than can be cleared in that time. So it is begun anew afterwards.
 */
static int kvm_vmem_prealloc_stop(void *arg)
{
	struct kvm_vmem_prealloc *job = arg;

	if (fatal_signal_pending(job->caller))
		return -EINTR;
	if (freezing(job->caller))
		return -ERESTARTNOINTR;
	return READ_ONCE(job->ret);
}

static void kvm_vmem_prealloc_work(struct work_struct *work)
{
	struct kvm_vmem_prealloc *job =
		container_of(work, struct kvm_vmem_prealloc_work, work)->job;
	struct mem_cgroup *old_memcg = set_active_memcg(job->memcg);
	u64 offset;
	int ret = 0;

	while (!ret) {
		offset = atomic64_fetch_add(KVM_VMEM_PREALLOC_CHUNK,
					    &job->next);
		if (offset >= job->end)
			break;
		ret = kvm_vmem_protected_populate(job->dev, offset,
						  min_t(u64, job->end - offset,
							KVM_VMEM_PREALLOC_CHUNK),
						  kvm_vmem_prealloc_stop, job);
	}
	if (ret)
		cmpxchg(&job->ret, 0, ret);
	set_active_memcg(old_memcg);
}

/**
 * kvm_vmem_prealloc - allocate the memory of blocks
 * @dev: a device with protected backing
 * @offset: offset of the blocks in the region
 * @size: size of the blocks; unplugged, and with no discard pending
 *
 * Context: in the address space of the VM's process, whose memory cgroup pays.
 * Return: 0; -ENOMEM, -EINTR (a fatal signal to the caller) or -ERESTARTNOINTR (the
 * caller is being frozen), and nothing is left allocated.
 */
int kvm_vmem_prealloc(struct kvm_vmem *dev, u64 offset, u64 size)
{
	unsigned int i, nb = min_t(u64, num_online_cpus(),
				   DIV_ROUND_UP_ULL(size, KVM_VMEM_PREALLOC_CHUNK));
	struct kvm_vmem_prealloc_work works[KVM_VMEM_PREALLOC_MAX_THREADS];
	struct kvm_vmem_prealloc job = {
		.dev = dev,
		.next = ATOMIC64_INIT(offset),
		.end = offset + size,
		.caller = dev->caller,
	};

	lockdep_assert_held(&dev->lock);
	nb = min_t(unsigned int, nb, ARRAY_SIZE(works));
	job.memcg = get_mem_cgroup_from_mm(current->mm);

	for (i = 0; i < nb; i++) {
		works[i].job = &job;
		INIT_WORK_ONSTACK(&works[i].work, kvm_vmem_prealloc_work);
		queue_work(system_dfl_wq, &works[i].work);
	}
	for (i = 0; i < nb; i++) {
		flush_work(&works[i].work);
		destroy_work_on_stack(&works[i].work);
	}

	mem_cgroup_put(job.memcg);
	if (job.ret)
		kvm_vmem_protected_discard(dev, offset, size);
	return job.ret;
}
