/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the module know of each other.
 *
 * Dependencies point one way:
 *
 *	main -> { requests, migration, memory } -> device -> { memslots -> dirty -> kvm
 *		-> vm, backing, discard -> protected, prealloc -> protected,
 *		notify } -> blocks
 *
 * Locks, outermost first:
 *
 *	kvm_vmem.lock (mutex)
 *	  kvm_vmem_vms_lock (mutex, vm.c)
 *	  kvm_vmem_vm.lock (mutex)
 *	    mmap_lock, KVM's slots_lock and the locks below them
 *	  inode locks of a backing file
 *
 * kvm_vmem.lock is never taken under mmap_lock or a VMA's lock, under which page
 * faults come. sysfs and debugfs callbacks take it, so that it is not held while
 * their files are removed.
 */
#ifndef _KVM_VMEM_H
#define _KVM_VMEM_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <uapi/linux/kvm_vmem.h>

#include "blocks.h"
#include "compat.h"

struct dentry;
struct device;
struct file;
struct kvm_userspace_memory_region;
struct mm_struct;
struct pid;
struct task_struct;
struct vm_area_struct;

/**
 * struct kvm_vmem_vm - a KVM VM, as all its devices see it
 * @node: in the list of VMs; kvm_vmem_vms_lock
 * @claims: claims of its devices; kvm_vmem_vms_lock
 * @nr_users: devices that refer to it; kvm_vmem_vms_lock
 * @file: the VM's file; it keeps the VM. NULL once @mm has no users any more; who
 *	runs in @mm needs no lock, others kvm_vmem_vms_lock
 * @mm: address space of the VM's process; never changes
 * @notifier: keeps @mm, and tells of its end
 * @nr_memslot_ids: size of KVM's id space; never changes
 * @nr_address_spaces: number of KVM address spaces; never changes
 * @lock: protects the scratch page and its address
 * @scratch: address in @mm of the page that carries the argument to KVM. It is
 *	the process' to spoil, which harms only its own VM
 */
struct kvm_vmem_vm {
	struct list_head node;
	struct list_head claims;
	unsigned int nr_users;
	struct file *file;
	struct mm_struct *mm;
	struct mmu_notifier notifier;
	unsigned int nr_memslot_ids;
	unsigned int nr_address_spaces;
	struct mutex lock;
	unsigned long scratch;
};

/**
 * struct kvm_vmem_claim - what a device occupies in its VM
 * @node: in the list of the VM; kvm_vmem_vms_lock
 * @addr: guest physical address
 * @size: size in bytes
 * @first_id: first memslot id
 * @nb_ids: number of memslot ids
 */
struct kvm_vmem_claim {
	struct list_head node;
	u64 addr;
	u64 size;
	unsigned int first_id;
	unsigned int nb_ids;
};

/**
 * struct kvm_vmem_memslot - a memslot that KVM knows
 * @index: position in the grid
 * @address_spaces: mask of the KVM address spaces that have it. Not all of the
 *	device's only while it is being mapped, or if KVM failed to delete it
 * @logged: mask of those of them in which KVM logs its dirty pages
 * @nb_plugged: number of plugged blocks. Active if not 0, else idle
 * @is_new: kvm_vmem_memslots_add() gave it to KVM, or tried to, and whether it stays
 *	is not settled
 * @bitmap: plugged blocks
 *
 * Absent memslots have none of these, so that the module's memory follows the
 * plugged memory.
 */
struct kvm_vmem_memslot {
	unsigned int index;
	unsigned int address_spaces;
	unsigned int logged;
	unsigned int nb_plugged;
	bool is_new;
	unsigned long bitmap[];
};

enum kvm_vmem_counter {
	/* The first four are VIRTIO_MEM_RESP_*. */
	KVM_VMEM_COUNT_ACK,
	KVM_VMEM_COUNT_NACK,
	KVM_VMEM_COUNT_BUSY,
	KVM_VMEM_COUNT_ERROR,
	KVM_VMEM_COUNT_KVM_CALL,
	KVM_VMEM_NR_COUNTERS
};

/**
 * struct kvm_vmem - a device: one open file of /dev/kvm-vmem
 * @lock: protects all that is not said to be otherwise
 * @caller: task that makes the request for which the lock is held
 * @grid: geometry; its memslots are settled by ATTACH. All zero before SETUP
 * @setup_flags: flags of SETUP
 * @fixed_memslot_size: the VMM chose the memslot size
 * @memslot_limit: the VMM's limit to the number of memslots; 0: none
 * @node_id: NUMA node of the guest
 * @label: name for the operator
 * @size: plugged size
 * @requested_size: size that the guest is asked to reach
 * @usable_region_size: part of the region that the guest may plug
 * @removal_pending: PREPARE_REMOVE was done
 * @frozen: FREEZE was done: what is plugged stays so
 * @used: a block was plugged, at some time
 * @ref: held by the open file and by every VMA
 * @backing: file of protected backing, or of user backing to discard from, or
 *	NULL; set by SETUP
 * @backing_offset: offset of the region in @backing
 * @mappable: @backing if it is protected; without @lock read it by
 *	smp_load_acquire(), then @grid's addr and region_size
 * @id: number in sysfs
 * @sysfs: the device in sysfs; set by SETUP
 * @debugfs: the directory in debugfs; set by SETUP
 * @attached: ATTACH was done. Set for good with everything of it; without @lock
 *	read it by smp_load_acquire(), then @vm
 * @vm: the VM
 * @claim: what it occupies in @vm
 * @address_spaces: mask of the KVM address spaces it is mapped into
 * @userspace_addr: address of the region in the VM's process
 * @pid: the VM's process
 * @memslots: the memslots that KVM knows, by index
 * @nb_active: number of active memslots
 * @nb_idle: number of idle memslots
 * @dirty_log: dirty pages are logged: KVM logs those of each memslot, and each
 *	has an entry in @dirty
 * @dirty_log_manual: KVM has to be told separately to count them clean
 * @dirty: dirty pages, by memslots of the grid; see dirty.c
 * @retire_delay_ms: how long it must be quiet before idle memslots go, unless the
 *	guest is on its way to a smaller size
 * @retire_work: takes them from KVM
 * @discard_lock: protects @discards, and @discard_pending against its workers
 * @discards: unplugged blocks whose memory is not yet free
 * @discard_pending: how much that is
 * @violations: accesses to unplugged blocks; no lock
 * @last_violation: offset in the region of the last of them; no lock
 * @violation_ratelimit: of the messages about them
 * @listeners_lock: protects @untold and @sysfs_gone; and @listeners, together
 *	with @lock; either allows to read
 * @listeners: eventfds
 * @nb_listeners: length of @listeners
 * @untold: events that those who poll files in sysfs are still to be told of
 * @sysfs_gone: they are not told any more
 * @untold_work: tells them
 * @size_changes: size changes since the last read(); no lock
 * @readers: who waits for @size_changes; its own lock
 * @counters: see enum kvm_vmem_counter
 */
struct kvm_vmem {
	struct mutex lock;
	struct task_struct *caller;

	struct kvm_vmem_grid grid;
	u32 setup_flags;
	bool fixed_memslot_size;
	unsigned int memslot_limit;
	u16 node_id;
	char label[KVM_VMEM_LABEL_LEN];

	u64 size;
	u64 requested_size;
	u64 usable_region_size;
	bool removal_pending;
	bool frozen;
	bool used;

	struct kref ref;
	struct file *backing;
	u64 backing_offset;
	struct file *mappable;

	int id;
	struct device *sysfs;
	struct dentry *debugfs;

	bool attached;
	struct kvm_vmem_vm *vm;
	struct kvm_vmem_claim claim;
	unsigned int address_spaces;
	u64 userspace_addr;
	struct pid *pid;

	struct xarray memslots;
	unsigned int nb_active;
	unsigned int nb_idle;
	bool dirty_log;
	bool dirty_log_manual;
	struct xarray dirty;
	unsigned int retire_delay_ms;
	struct delayed_work retire_work;

	spinlock_t discard_lock;
	struct list_head discards;
	u64 discard_pending;

	atomic64_t violations;
	u64 last_violation;
	struct ratelimit_state violation_ratelimit;

	spinlock_t listeners_lock;
	struct list_head listeners;
	unsigned int nb_listeners;
	unsigned long untold;
	bool sysfs_gone;
	struct delayed_work untold_work;
	atomic64_t size_changes;
	wait_queue_head_t readers;

	u64 counters[KVM_VMEM_NR_COUNTERS];
};

static inline bool kvm_vmem_is_setup(const struct kvm_vmem *dev)
{
	return dev->grid.region_size;
}

static inline bool kvm_vmem_is_dynamic(const struct kvm_vmem *dev)
{
	return dev->setup_flags & KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS;
}

static inline bool kvm_vmem_is_protected(const struct kvm_vmem *dev)
{
	return !(dev->setup_flags & KVM_VMEM_SETUP_USER_BACKING);
}

/* main.c: module parameters and what is the module's as a whole */
extern unsigned int kvm_vmem_memslot_limit;
extern unsigned int kvm_vmem_retire_delay_ms;
extern struct workqueue_struct *kvm_vmem_wq;
extern struct workqueue_struct *kvm_vmem_request_wq;

/* device.c: life and configuration of a device */
struct kvm_vmem *kvm_vmem_create(void);
void kvm_vmem_get(struct kvm_vmem *dev);
void kvm_vmem_put(struct kvm_vmem *dev);
void kvm_vmem_close(struct kvm_vmem *dev);
void kvm_vmem_set_grid(struct kvm_vmem *dev, const struct kvm_vmem_grid *grid);
int kvm_vmem_setup(struct kvm_vmem *dev, struct kvm_vmem_setup *cmd);
int kvm_vmem_attach(struct kvm_vmem *dev, struct kvm_vmem_attach *cmd);
int kvm_vmem_get_config(struct kvm_vmem *dev, struct kvm_vmem_get_config *cmd);
int kvm_vmem_get_info(struct kvm_vmem *dev, struct kvm_vmem_get_info *cmd);
int kvm_vmem_get_memslots(struct kvm_vmem *dev,
			  struct kvm_vmem_get_memslots *cmd);
int kvm_vmem_set_requested_size(struct kvm_vmem *dev, u64 requested_size);
int kvm_vmem_prepare_remove(struct kvm_vmem *dev, bool cancel);

/* requests.c: what a guest may ask for */
int kvm_vmem_plug(struct kvm_vmem *dev, struct kvm_vmem_request *req);
int kvm_vmem_unplug(struct kvm_vmem *dev, struct kvm_vmem_request *req);
int kvm_vmem_unplug_all(struct kvm_vmem *dev, struct kvm_vmem_request *req);
int kvm_vmem_state(struct kvm_vmem *dev, struct kvm_vmem_request *req);
int kvm_vmem_reset(struct kvm_vmem *dev);
void kvm_vmem_change_size(struct kvm_vmem *dev, u64 size);

/* migration.c: the state that moves with a VM */
int kvm_vmem_freeze(struct kvm_vmem *dev, bool freeze);
int kvm_vmem_get_bitmap(struct kvm_vmem *dev,
			const struct kvm_vmem_get_bitmap *cmd);
int kvm_vmem_set_bitmap(struct kvm_vmem *dev,
			const struct kvm_vmem_set_bitmap *cmd);

/* dirty.c: the dirty log of all memslots */
int kvm_vmem_dirty_prepare(struct kvm_vmem *dev, unsigned int index);
void kvm_vmem_dirty_mark(struct kvm_vmem *dev, unsigned int index,
			 unsigned int first, unsigned int nb);
void kvm_vmem_dirty_destroy(struct kvm_vmem *dev);
int kvm_vmem_set_dirty_log(struct kvm_vmem *dev, u32 flags);
int kvm_vmem_get_dirty_log(struct kvm_vmem *dev,
			   const struct kvm_vmem_get_dirty_log *cmd,
			   struct kvm_vmem_get_dirty_log __user *ucmd);

/* memslots.c: the memslot group */
int kvm_vmem_memslots_probe(struct kvm_vmem *dev);
int kvm_vmem_memslots_log(struct kvm_vmem *dev, bool log);
bool kvm_vmem_memslots_plugged(struct kvm_vmem *dev, u64 offset);
int kvm_vmem_memslots_add(struct kvm_vmem *dev, struct kvm_vmem_range range);
int kvm_vmem_memslots_settle(struct kvm_vmem *dev, struct kvm_vmem_range range,
			     int ret);
int kvm_vmem_memslots_map(struct kvm_vmem *dev, struct kvm_vmem_range range);
void kvm_vmem_memslots_retire(struct kvm_vmem *dev,
			      struct kvm_vmem_range range);
bool kvm_vmem_memslots_all(struct kvm_vmem *dev, struct kvm_vmem_range range,
			   bool plugged);
void kvm_vmem_memslots_get_bitmap(struct kvm_vmem *dev,
				  struct kvm_vmem_range range, u8 *bitmap);
void kvm_vmem_memslots_set(struct kvm_vmem *dev, struct kvm_vmem_range range,
			   bool plugged);
void kvm_vmem_memslots_clear(struct kvm_vmem *dev,
			     struct kvm_vmem_memslot *memslot);
unsigned int kvm_vmem_memslots_list(struct kvm_vmem *dev,
				    struct kvm_vmem_memslot_info *infos,
				    unsigned int nb_infos);
void kvm_vmem_memslots_destroy(struct kvm_vmem *dev, bool unmap);

void kvm_vmem_memslots_retire_now(struct kvm_vmem *dev);
void kvm_vmem_memslots_retire_later(struct kvm_vmem *dev);
void kvm_vmem_memslots_retire_work(struct work_struct *work);

/* kvm.c: the only file that talks to KVM */
struct file *kvm_vmem_kvm_get_vm(int fd);
int kvm_vmem_kvm_check_extension(struct file *file, unsigned int capability);
int kvm_vmem_kvm_set_memslot(struct kvm_vmem_vm *vm,
			     const struct kvm_userspace_memory_region *region);
int kvm_vmem_kvm_get_dirty_log(struct kvm_vmem_vm *vm, u32 slot,
			       unsigned long bitmap);
int kvm_vmem_kvm_clear_dirty_log(struct kvm_vmem_vm *vm, u32 slot,
				 unsigned long bitmap, u32 nb_pages);
u64 kvm_vmem_kvm_max_memslot_size(void);

/* vm.c: VMs, shared by their devices */
struct kvm_vmem_vm *kvm_vmem_vm_get(int fd);
void kvm_vmem_vm_put(struct kvm_vmem_vm *vm);
int kvm_vmem_vm_need_scratch(struct kvm_vmem_vm *vm);
int kvm_vmem_vm_run(struct kvm_vmem_vm *vm, struct workqueue_struct *wq,
		    int (*fn)(void *arg), void *arg);
int kvm_vmem_vm_claim(struct kvm_vmem_vm *vm, struct kvm_vmem *dev,
		      unsigned int first_id);
void kvm_vmem_vm_unclaim(struct kvm_vmem *dev);

/* backing.c: user backing, and what both kinds have in common */
u64 kvm_vmem_thp_size(void);
struct file *kvm_vmem_backing_open(int fd, u64 offset, u64 *block_size);
int kvm_vmem_backing_check_size(struct file *file, u64 offset, u64 region_size);
int kvm_vmem_backing_check(struct kvm_vmem *dev, u64 userspace_addr);
int kvm_vmem_backing_discard(struct kvm_vmem *dev, u64 offset, u64 size);

/* protected.c: protected backing */
int kvm_vmem_protected_init(void);
void kvm_vmem_protected_exit(void);
struct file *kvm_vmem_protected_create(u64 region_size, u64 block_size);
void kvm_vmem_protected_lock(struct kvm_vmem *dev);
void kvm_vmem_protected_unlock(struct kvm_vmem *dev);
void kvm_vmem_protected_revoke(struct kvm_vmem *dev, u64 offset, u64 size);
void kvm_vmem_protected_discard(struct kvm_vmem *dev, u64 offset, u64 size);
int kvm_vmem_protected_populate(struct kvm_vmem *dev, u64 offset, u64 size,
				int (*stop)(void *arg), void *arg);
u64 kvm_vmem_protected_resident(struct kvm_vmem *dev);
int kvm_vmem_protected_mmap(struct file *mapped, struct vm_area_struct *vma);
loff_t kvm_vmem_protected_llseek(struct file *opened, loff_t offset,
				 int whence);
unsigned long kvm_vmem_protected_get_unmapped_area(struct file *file,
						   unsigned long addr,
						   unsigned long len,
						   unsigned long pgoff,
						   unsigned long flags);

/* memory.c: a file of the memory and nothing else */
int kvm_vmem_get_memory_fd(struct kvm_vmem *dev,
			   struct kvm_vmem_get_memory_fd *cmd,
			   struct file **new);

/* discard.c: giving the memory back, in the background */
int kvm_vmem_discard_init(void);
void kvm_vmem_discard_exit(void);
void kvm_vmem_discard(struct kvm_vmem *dev, u64 offset, u64 size, u64 plugged,
		      bool sync);
void kvm_vmem_discard_wait(struct kvm_vmem *dev, u64 offset, u64 size);

/* prealloc.c: having the memory before it is plugged */
int kvm_vmem_prealloc(struct kvm_vmem *dev, u64 offset, u64 size);

/* notify.c: telling those who listen */
int kvm_vmem_set_eventfd(struct kvm_vmem *dev,
			 const struct kvm_vmem_set_eventfd *cmd);
void kvm_vmem_notify_size(struct kvm_vmem *dev);
void kvm_vmem_notify_config(struct kvm_vmem *dev);
void kvm_vmem_notify_memslots(struct kvm_vmem *dev);
void kvm_vmem_notify_memslot_counts(struct kvm_vmem *dev);
void kvm_vmem_notify_violation(struct kvm_vmem *dev);
void kvm_vmem_notify_untold_work(struct work_struct *work);
void kvm_vmem_notify_stop_sysfs(struct kvm_vmem *dev);
void kvm_vmem_notify_destroy(struct kvm_vmem *dev);

/* sysfs.c and debugfs.c: telling the operator */
int kvm_vmem_sysfs_init(void);
void kvm_vmem_sysfs_exit(void);
int kvm_vmem_sysfs_add(struct kvm_vmem *dev);
void kvm_vmem_sysfs_remove(struct kvm_vmem *dev);

#ifdef CONFIG_DEBUG_FS
void kvm_vmem_debugfs_init(void);
void kvm_vmem_debugfs_exit(void);
void kvm_vmem_debugfs_add(struct kvm_vmem *dev);
void kvm_vmem_debugfs_remove(struct kvm_vmem *dev);
#else
static inline void kvm_vmem_debugfs_init(void) {}
static inline void kvm_vmem_debugfs_exit(void) {}
static inline void kvm_vmem_debugfs_add(struct kvm_vmem *dev) {}
static inline void kvm_vmem_debugfs_remove(struct kvm_vmem *dev) {}
#endif

#endif /* _KVM_VMEM_H */
