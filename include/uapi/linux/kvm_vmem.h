/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * kvm-vmem: virtio-mem memory hotplug for KVM virtual machines, in the host
 * kernel.
 *
 * The terms are those of virtio-mem (virtio 1.3, section 5.15 "Memory Device";
 * <linux/virtio_mem.h>) and of KVM (<linux/kvm.h>).
 */
#ifndef _UAPI_LINUX_KVM_VMEM_H
#define _UAPI_LINUX_KVM_VMEM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: General ioctl format
 *
 * One open file of /dev/kvm-vmem is one memory device of one VM. The order of
 * use is SETUP, then with protected backing mmap() of the file, then ATTACH, then
 * requests; SETUP and ATTACH are done once each. The file may be opened by one
 * process and used by another.
 *
 * Protected backing is memory of the device's own. Any process that has the file
 * may map it, or a part of it, after SETUP: shared, not executable, at an offset
 * that is the offset in the region. mmap() fails with ENODEV (no SETUP, or user
 * backing), EINVAL (a private mapping, or not within the region) and EACCES
 * (executable).
 *
 * Whoever touches an unplugged block by such a mapping gets no memory: a process
 * SIGBUS, a system call that was given the address EFAULT, and KVM_RUN of a VM
 * EFAULT. A vCPU that can take interrupts of an in-kernel irqchip is made to wait
 * and retry by KVM instead, as it takes the page for one that is being swapped
 * in; KVM_RUN then returns at a signal. Each is a violation, which is counted and
 * reported: a VMM learns of it by KVM_VMEM_EVENT_VIOLATION, and does with its VM
 * what it sees fit. Unplugging takes the memory out of all mappings at once; it
 * is zero when it is plugged again.
 *
 * lseek() with SEEK_DATA and SEEK_HOLE finds what of protected backing has memory
 * on the host, by the offset in the region, as with any sparse file: what is a
 * hole reads as zeros, and reading it would allocate it. Blocks that were unplugged
 * a moment ago may still be found as data. It fails with ESPIPE where mmap() fails
 * with ENODEV, and with EINVAL for any other whence.
 *
 * Every ioctl takes a pointer to a structure whose first member is its size in
 * bytes, as the caller knows it. A shorter structure than the kernel's is
 * extended by zeros as long as it reaches the last member of the first version
 * of the interface; a longer one is accepted if all that the kernel does not
 * know is zero. Members named ``out_`` are written by the kernel, the others
 * are never changed. Members named ``__reserved`` must be zero.
 *
 * Addresses and sizes are in bytes.
 *
 * ioctls use a common meaning for errnos:
 *
 *  - ENOTTY: the ioctl number is not known.
 *  - E2BIG: the structure is longer than the kernel's, and not zero beyond; or
 *    longer than a page.
 *  - EINVAL: the structure is too short; or all of it was understood, but a
 *    member has a value that is wrong.
 *  - EOPNOTSUPP: a flag, a reserved member or the whole call is not supported
 *    by this version of the module.
 *  - EFAULT: a pointer, the structure itself included, cannot be accessed.
 *  - ENODEV: the call needs a step that was not done: SETUP, or for requests
 *    ATTACH.
 *  - EBUSY: the step was done already; or the device is in a state that forbids
 *    the call for now, as said there.
 *  - EIO: the VM cannot be driven: its process is gone, it belongs to another
 *    process than the caller of ATTACH, or KVM gave it up.
 *  - EINTR: a fatal signal arrived first.
 *  - ENOMEM: out of memory.
 *
 * and additional errnos, with each ioctl. A call that fails changes nothing, with
 * two exceptions. GET_DIRTY_LOG may count more pages dirty than were. And whether
 * an answer can be written is tried before anything is done; if that has changed
 * when the answer is there, as another thread unmapped the structure, say, SETUP,
 * ATTACH, PLUG, UNPLUG and UNPLUG_ALL fail with EFAULT and are done all the same.
 * GET_INFO and STATE tell. All other calls have done nothing then.
 *
 * Whatever a guest can ask for is no error of the caller: it is answered by a
 * response of virtio-mem (VIRTIO_MEM_RESP_*), and the ioctl returns 0.
 */

/* First character of the ioctl numbers; not used in Linux 6.1 to 7.2. */
#define KVM_VMEM_TYPE 0xBC

enum {
	KVM_VMEM_CMD_SETUP = 0x00,
	KVM_VMEM_CMD_ATTACH = 0x01,
	KVM_VMEM_CMD_PLUG = 0x02,
	KVM_VMEM_CMD_UNPLUG = 0x03,
	KVM_VMEM_CMD_UNPLUG_ALL = 0x04,
	KVM_VMEM_CMD_STATE = 0x05,
	KVM_VMEM_CMD_GET_CONFIG = 0x06,
	KVM_VMEM_CMD_SET_REQUESTED_SIZE = 0x07,
	KVM_VMEM_CMD_SET_EVENTFD = 0x08,
	KVM_VMEM_CMD_GET_INFO = 0x09,
	KVM_VMEM_CMD_GET_MEMSLOTS = 0x0a,
	KVM_VMEM_CMD_GET_BITMAP = 0x0b,
	KVM_VMEM_CMD_SET_BITMAP = 0x0c,
	KVM_VMEM_CMD_FREEZE = 0x0d,
	KVM_VMEM_CMD_THAW = 0x0e,
	KVM_VMEM_CMD_SET_DIRTY_LOG = 0x0f,
	KVM_VMEM_CMD_RESET = 0x10,
	KVM_VMEM_CMD_PREPARE_REMOVE = 0x11,
	KVM_VMEM_CMD_GET_DIRTY_LOG = 0x12,
	KVM_VMEM_CMD_GET_MEMORY_FD = 0x13,
};

/**
 * enum kvm_vmem_setup_flags - flags of KVM_VMEM_SETUP
 * @KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS: Divide the region into a group of memslots
 *	and have KVM know only those with plugged blocks. Needs
 *	@KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE, as in QEMU. Without it the
 *	whole region is one memslot, mapped from ATTACH on (or, where it has
 *	more than the 2^31 - 1 pages that KVM takes, several of the largest
 *	power of two: 4 TiB with 4 KiB pages). It is a hint: the two ends of a
 *	migration may differ.
 * @KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE: The guest negotiated
 *	VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE and never touches unplugged blocks.
 *	Protected backing needs it.
 * @KVM_VMEM_SETUP_PREALLOC: Allocate the memory of blocks when they are plugged,
 *	on several CPUs, charged to the VM's process; BUSY if memory is short.
 *	Not supported with user backing, whose owner can populate it.
 * @KVM_VMEM_SETUP_USER_BACKING: The memory is a mapping of the caller's. Without
 *	it, it is the device's own (protected backing).
 */
enum kvm_vmem_setup_flags {
	KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS = 1 << 0,
	KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE = 1 << 1,
	KVM_VMEM_SETUP_PREALLOC = 1 << 2,
	KVM_VMEM_SETUP_USER_BACKING = 1 << 3,
};

/* Size of a label in bytes, including the terminating zero. */
#define KVM_VMEM_LABEL_LEN 64

/**
 * struct kvm_vmem_setup - ioctl(KVM_VMEM_SETUP)
 * @size: sizeof(struct kvm_vmem_setup)
 * @flags: Combination of enum kvm_vmem_setup_flags
 * @addr: Guest physical address of the region; a multiple of the block size
 * @region_size: Size of the region; a multiple of the block size, not 0
 * @block_size: Unit of plugging: a power of two, at least 1 MiB and at least
 *	the page size of @backing_fd (QEMU's rules), at most @region_size.
 *	0: the size of a transparent huge page, or the page size of
 *	@backing_fd if that is larger
 * @memslot_size: Size of a memslot with
 *	KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS: a power of two, at least the block
 *	size and at most what KVM takes; the last memslot may be smaller.
 *	0: decide, see below. Must be 0 without the flag
 * @requested_size: The size that the guest is asked to reach; a multiple of the
 *	block size, at most @region_size
 * @backing_offset: Offset in @backing_fd of the region's first byte; a multiple
 *	of the block size. Must be 0 without a @backing_fd
 * @memslot_limit: The most memslots that the region may be divided into. 0, or
 *	more than the host allows: the host's limit (module parameter
 *	``memslot_limit``), which holds for all devices of a VM together
 * @backing_fd: With KVM_VMEM_SETUP_USER_BACKING: the file that the region is a
 *	shared mapping of (memfd, hugetlbfs, tmpfs; anything that can punch
 *	holes), open for writing; the module discards unplugged blocks from it,
 *	and the whole region at ATTACH. -1: none; the caller discards blocks
 *	before it asks to unplug them, and starts with an empty region. Must be
 *	-1 with protected backing
 * @node_id: NUMA node that the guest sees the memory in
 * @__reserved0: Must be 0
 * @__reserved1: Must be 0
 * @label: Name that the operator sees, zero-terminated; printable ASCII. May be
 *	empty
 * @out_block_size: The block size
 * @out_memslot_size: Size of all memslots but the last, or of the only one.
 *	ATTACH decides anew if @memslot_size is 0
 * @out_nb_memslots: How many memslots the region is divided into
 * @out_id: The device is vmem<out_id> in /sys/class/kvm_vmem
 *
 * Fixes the geometry of the device and makes it visible to the operator. Nothing
 * is mapped into a VM yet.
 *
 * The memslot size, where it is left to the module, is a power of two, at least
 * 1 GiB and the block size, and the smallest for which the region needs no more
 * memslots than the limit ("at most one memslot per GiB").
 *
 * Errors: EINVAL as above, EBUSY (done already), EOPNOTSUPP (PREALLOC with
 * USER_BACKING, a file that cannot punch holes, protected backing with blocks
 * smaller than the pages that the host forces on all of shmem), ENOSPC (@memslot_size needs more
 * memslots than the limit), EOVERFLOW (the region ends above 2^62, or beyond the
 * largest size of the backing file), EBADF (@backing_fd is not open for
 * writing).
 */
struct kvm_vmem_setup {
	__u32 size;
	__u32 flags;
	__aligned_u64 addr;
	__aligned_u64 region_size;
	__aligned_u64 block_size;
	__aligned_u64 memslot_size;
	__aligned_u64 requested_size;
	__aligned_u64 backing_offset;
	__u32 memslot_limit;
	__s32 backing_fd;
	__u16 node_id;
	__u16 __reserved0;
	__u32 __reserved1;
	__u8 label[KVM_VMEM_LABEL_LEN];
	__aligned_u64 out_block_size;
	__aligned_u64 out_memslot_size;
	__u32 out_nb_memslots;
	__u32 out_id;
};

#define KVM_VMEM_SETUP _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_SETUP)

/* @first_memslot_id: take ids from the top of the VM's id space */
#define KVM_VMEM_MEMSLOT_ID_AUTO 0xffffffffU

/**
 * struct kvm_vmem_attach - ioctl(KVM_VMEM_ATTACH)
 * @size: sizeof(struct kvm_vmem_attach)
 * @flags: Must be 0
 * @vm_fd: File descriptor of a KVM VM of the calling process
 * @first_memslot_id: KVM memslot id of the group's first memslot; the group uses
 *	one id per memslot from there on, whether mapped or not.
 *	KVM_VMEM_MEMSLOT_ID_AUTO: the highest ids that no device of the VM uses
 * @address_spaces: Mask of the KVM address spaces to map the memory into: 1, or
 *	3 for a VM with SMM
 * @__reserved: Must be 0
 * @userspace_addr: Address of the region's first byte in the calling process.
 *	Equal to the region's addr modulo the block size; KVM uses huge pages
 *	only as far as the two are congruent (see out_alignment of
 *	KVM_VMEM_GET_INFO). All of the region must be mapped, writable, with
 *	pages no larger than a block, and be the shared mapping of the device,
 *	or with a backing fd of that file at that offset. mmap() of a device
 *	chooses an address that suits
 * @out_memslot_size: As in SETUP, by the host's limit of now: it is larger if the
 *	other devices of the VM left too little of that, smaller if it was raised
 *	since SETUP. The limit is soft, as in QEMU: a
 *	device whose memslot size is left to the module always gets at least
 *	one memslot
 * @out_nb_memslots: As in SETUP
 * @out_first_memslot_id: KVM memslot id of the group's first memslot
 *
 * Connects the device to a VM for good. Without dynamic memslots it maps the
 * region. With them it maps and unmaps the region's first and last page once, so
 * that what KVM would refuse is refused here and not in the guest's first
 * request; a VM that runs already refaults its memory once for that. The memory
 * of a backing fd is discarded.
 *
 * Errors: EBADF (@vm_fd is not open), EINVAL (it is no KVM VM; an address, id or
 * mask that KVM does not take; a mapping of something else), ENOENT (the VM has
 * no such address space), EEXIST (the region overlaps a memslot or another
 * device, or the ids are another device's), EFAULT (not all of the region is
 * mapped), EACCES (not all of it is writable), ENOSPC (too few memslot ids or,
 * with an explicit memslot size, too little left of the limit), EIO; and what the
 * file system says if the backing fd cannot be discarded from (EPERM for a sealed
 * memfd).
 */
struct kvm_vmem_attach {
	__u32 size;
	__u32 flags;
	__s32 vm_fd;
	__u32 first_memslot_id;
	__u32 address_spaces;
	__u32 __reserved;
	__aligned_u64 userspace_addr;
	__aligned_u64 out_memslot_size;
	__u32 out_nb_memslots;
	__u32 out_first_memslot_id;
};

#define KVM_VMEM_ATTACH _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_ATTACH)

/**
 * enum kvm_vmem_unplug_flags - flags of KVM_VMEM_UNPLUG and KVM_VMEM_UNPLUG_ALL
 * @KVM_VMEM_UNPLUG_SYNC: Return after the memory went back to the host. Without
 *	it, protected backing leaves that to the background. User backing
 *	with a backing fd always does
 */
enum kvm_vmem_unplug_flags {
	KVM_VMEM_UNPLUG_SYNC = 1 << 0,
};

/**
 * struct kvm_vmem_request - ioctl(KVM_VMEM_PLUG), ioctl(KVM_VMEM_UNPLUG),
 *			     ioctl(KVM_VMEM_UNPLUG_ALL), ioctl(KVM_VMEM_STATE)
 * @size: sizeof(struct kvm_vmem_request)
 * @flags: enum kvm_vmem_unplug_flags for UNPLUG and UNPLUG_ALL, else 0
 * @addr: Guest physical address of the first block; 0 for UNPLUG_ALL
 * @nb_blocks: Number of blocks; 0 for UNPLUG_ALL. Linux guests ask for at most
 *	65535 at once, as the virtio request has 16 bits for it
 * @out_response: VIRTIO_MEM_RESP_ACK, _NACK, _BUSY or _ERROR
 * @out_state: STATE with ACK: VIRTIO_MEM_STATE_PLUGGED, _UNPLUGGED or _MIXED
 *
 * The requests of a virtio-mem driver (virtio 1.3, 5.15.6), checked in QEMU's
 * order:
 *
 *  1. ERROR: @addr is not a multiple of the block size, @nb_blocks is 0, or the
 *     range is not within the usable region.
 *  2. NACK: PLUG, and more than the requested size would be plugged.
 *  3. ERROR: PLUG, and a block of the range is plugged; UNPLUG, and one is not.
 *  4. BUSY: the device is frozen, or the host failed and may succeed later: no
 *     memory (also for PREALLOC), a memslot that KVM refuses, a discard that
 *     failed.
 *  5. ACK: done, as a whole. The other responses leave everything as it was.
 *
 * Every ACK of PLUG and UNPLUG, and of UNPLUG_ALL if anything was plugged,
 * signals KVM_VMEM_EVENT_SIZE. UNPLUG_ALL also shrinks the usable region to what
 * the requested size needs.
 *
 * A memslot without plugged blocks leaves KVM at once with user backing, whose
 * only protection that is, and with UNPLUG_ALL and RESET. With protected backing
 * it is idle until the device was quiet for a while (``retire_delay_ms`` in
 * sysfs), and all such memslots go together.
 *
 * A caller that is not the VM's process may make requests too.
 *
 * Errors: ENODEV (not attached), EIO (the VM is gone).
 */
struct kvm_vmem_request {
	__u32 size;
	__u32 flags;
	__aligned_u64 addr;
	__u32 nb_blocks;
	__u16 out_response;
	__u16 out_state;
};

#define KVM_VMEM_PLUG _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_PLUG)
#define KVM_VMEM_UNPLUG _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_UNPLUG)
#define KVM_VMEM_UNPLUG_ALL _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_UNPLUG_ALL)
#define KVM_VMEM_STATE _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_STATE)

/**
 * struct kvm_vmem_get_config - ioctl(KVM_VMEM_GET_CONFIG)
 * @size: sizeof(struct kvm_vmem_get_config)
 * @flags: Must be 0
 * @out_block_size: As in struct virtio_mem_config, in host byte order
 * @out_addr: Likewise
 * @out_region_size: Likewise
 * @out_usable_region_size: Likewise. min(region size, requested size + 256 MiB),
 *	rounded up to a block; 0 for a requested size of 0. It grows with the
 *	requested size and shrinks only on UNPLUG_ALL and RESET (QEMU's rule)
 * @out_plugged_size: Likewise
 * @out_requested_size: Likewise
 * @out_node_id: Likewise
 * @__reserved0: 0
 * @__reserved1: 0
 *
 * The members of the device's configuration space (virtio 1.3, 5.15.4), taken
 * at one moment. Errors: ENODEV (no SETUP).
 */
struct kvm_vmem_get_config {
	__u32 size;
	__u32 flags;
	__aligned_u64 out_block_size;
	__aligned_u64 out_addr;
	__aligned_u64 out_region_size;
	__aligned_u64 out_usable_region_size;
	__aligned_u64 out_plugged_size;
	__aligned_u64 out_requested_size;
	__u16 out_node_id;
	__u16 __reserved0;
	__u32 __reserved1;
};

#define KVM_VMEM_GET_CONFIG _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_GET_CONFIG)

/**
 * struct kvm_vmem_set_requested_size - ioctl(KVM_VMEM_SET_REQUESTED_SIZE)
 * @size: sizeof(struct kvm_vmem_set_requested_size)
 * @flags: Must be 0
 * @requested_size: A multiple of the block size, at most the region size
 *
 * Asks the guest to plug or unplug blocks until this size is reached. Signals
 * KVM_VMEM_EVENT_CONFIG even if the value is the old one, as QEMU does.
 *
 * Errors: EINVAL, EBUSY (removal is pending), ENODEV (no SETUP).
 */
struct kvm_vmem_set_requested_size {
	__u32 size;
	__u32 flags;
	__aligned_u64 requested_size;
};

#define KVM_VMEM_SET_REQUESTED_SIZE \
	_IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_SET_REQUESTED_SIZE)

/**
 * enum kvm_vmem_event - what an eventfd can be told
 * @KVM_VMEM_EVENT_SIZE: The plugged size changed
 * @KVM_VMEM_EVENT_CONFIG: The requested size was written: send the guest a
 *	configuration change notification
 * @KVM_VMEM_EVENT_MEMSLOTS: A memslot was mapped into or taken from KVM; see
 *	KVM_VMEM_GET_MEMSLOTS. Once for all memslots of a call, and for all
 *	that retire together
 * @KVM_VMEM_EVENT_VIOLATION: An unplugged block of protected backing was
 *	accessed
 */
enum kvm_vmem_event {
	KVM_VMEM_EVENT_SIZE = 0,
	KVM_VMEM_EVENT_CONFIG = 1,
	KVM_VMEM_EVENT_MEMSLOTS = 2,
	KVM_VMEM_EVENT_VIOLATION = 3,
};

/**
 * enum kvm_vmem_eventfd_flags - flags of KVM_VMEM_SET_EVENTFD
 * @KVM_VMEM_EVENTFD_DEASSIGN: Remove the eventfd
 */
enum kvm_vmem_eventfd_flags {
	KVM_VMEM_EVENTFD_DEASSIGN = 1 << 0,
};

/**
 * struct kvm_vmem_set_eventfd - ioctl(KVM_VMEM_SET_EVENTFD)
 * @size: sizeof(struct kvm_vmem_set_eventfd)
 * @flags: Combination of enum kvm_vmem_eventfd_flags
 * @event: One of enum kvm_vmem_event
 * @fd: An eventfd
 *
 * Adds an eventfd to those that are signalled at an event, or removes it. An
 * event may have several, an eventfd may be given to several events.
 *
 * Besides, poll() reports the device readable while there are size changes that
 * read() has not fetched; read() returns their number as one __u64 and starts
 * anew from 0, as with an eventfd.
 *
 * Errors: EBADF (@fd is not open), EINVAL (it is no eventfd, or @event is not
 * known), EEXIST (added already), ENOENT
 * (to be removed, but not there), ENOSPC (64 listeners are there), ENODEV (no
 * SETUP).
 */
struct kvm_vmem_set_eventfd {
	__u32 size;
	__u32 flags;
	__u32 event;
	__s32 fd;
};

#define KVM_VMEM_SET_EVENTFD _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_SET_EVENTFD)

/**
 * enum kvm_vmem_info_state - state of a device, in KVM_VMEM_GET_INFO
 * @KVM_VMEM_INFO_ATTACHED: ATTACH was done
 * @KVM_VMEM_INFO_REMOVAL_PENDING: PREPARE_REMOVE was done and not cancelled
 * @KVM_VMEM_INFO_FROZEN: FREEZE was done and not taken back by THAW
 * @KVM_VMEM_INFO_DIRTY_LOG: KVM logs dirty pages, by SET_DIRTY_LOG
 */
enum kvm_vmem_info_state {
	KVM_VMEM_INFO_ATTACHED = 1 << 0,
	KVM_VMEM_INFO_REMOVAL_PENDING = 1 << 1,
	KVM_VMEM_INFO_FROZEN = 1 << 2,
	KVM_VMEM_INFO_DIRTY_LOG = 1 << 3,
};

/**
 * struct kvm_vmem_get_info - ioctl(KVM_VMEM_GET_INFO)
 * @size: sizeof(struct kvm_vmem_get_info)
 * @flags: Must be 0
 * @out_id: The device is vmem<out_id> in /sys/class/kvm_vmem
 * @out_setup_flags: Flags of SETUP
 * @out_state: Combination of enum kvm_vmem_info_state
 * @out_node_id: NUMA node that the guest sees the memory in
 * @__reserved0: 0
 * @out_addr: Guest physical address of the region
 * @out_max_size: Size of the region
 * @out_size: Plugged size
 * @out_requested_size: Requested size
 * @out_usable_region_size: Usable region size
 * @out_block_size: Block size
 * @out_memslot_size: Size of all memslots but the last, or of the only one
 * @out_userspace_addr: Address of the region in the VM's process
 * @out_alignment: Largest power of two modulo which addr and userspace_addr are
 *	congruent, at most 1 GiB: pages up to this size can be mapped into the
 *	guest
 * @out_nb_memslots: How many memslots the region is divided into
 * @out_nb_active: Memslots that KVM knows and that have plugged blocks
 * @out_nb_idle: Memslots that KVM knows and that have none
 * @out_first_memslot_id: KVM memslot id of the first memslot
 * @out_nb_acks: Requests answered by ACK since SETUP
 * @out_nb_nacks: Likewise NACK
 * @out_nb_busies: Likewise BUSY
 * @out_nb_errors: Likewise ERROR
 * @out_nb_kvm_calls: How often KVM was asked to change a memslot, in any address
 *	space
 * @out_nb_violations: Accesses to unplugged blocks of protected backing, as page
 *	faults: KVM may take more than one for an access of a guest's
 * @out_last_violation: Offset in the region of the last of them, rounded down
 *	to a page
 * @out_label: The label
 *
 * The facts of QEMU's VirtioMEMDeviceInfo and more, taken at one moment; those
 * of ATTACH are 0 before it. Errors: ENODEV (no SETUP).
 */
struct kvm_vmem_get_info {
	__u32 size;
	__u32 flags;
	__u32 out_id;
	__u32 out_setup_flags;
	__u32 out_state;
	__u16 out_node_id;
	__u16 __reserved0;
	__aligned_u64 out_addr;
	__aligned_u64 out_max_size;
	__aligned_u64 out_size;
	__aligned_u64 out_requested_size;
	__aligned_u64 out_usable_region_size;
	__aligned_u64 out_block_size;
	__aligned_u64 out_memslot_size;
	__aligned_u64 out_userspace_addr;
	__aligned_u64 out_alignment;
	__u32 out_nb_memslots;
	__u32 out_nb_active;
	__u32 out_nb_idle;
	__u32 out_first_memslot_id;
	__aligned_u64 out_nb_acks;
	__aligned_u64 out_nb_nacks;
	__aligned_u64 out_nb_busies;
	__aligned_u64 out_nb_errors;
	__aligned_u64 out_nb_kvm_calls;
	__aligned_u64 out_nb_violations;
	__aligned_u64 out_last_violation;
	__u8 out_label[KVM_VMEM_LABEL_LEN];
};

#define KVM_VMEM_GET_INFO _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_GET_INFO)

/**
 * enum kvm_vmem_memslot_state - state of a memslot that KVM knows
 * @KVM_VMEM_MEMSLOT_ACTIVE: It has plugged blocks
 * @KVM_VMEM_MEMSLOT_IDLE: It has none
 */
enum kvm_vmem_memslot_state {
	KVM_VMEM_MEMSLOT_ACTIVE = 1,
	KVM_VMEM_MEMSLOT_IDLE = 2,
};

/**
 * struct kvm_vmem_memslot_info - one memslot, in KVM_VMEM_GET_MEMSLOTS
 * @id: KVM memslot id, without the address space
 * @address_space: KVM address space
 * @guest_phys_addr: Guest physical address
 * @memory_size: Size
 * @userspace_addr: Address in the VM's process
 * @plugged_size: Size of the plugged blocks in it
 * @state: One of enum kvm_vmem_memslot_state
 * @__reserved: 0
 */
struct kvm_vmem_memslot_info {
	__u32 id;
	__u32 address_space;
	__aligned_u64 guest_phys_addr;
	__aligned_u64 memory_size;
	__aligned_u64 userspace_addr;
	__aligned_u64 plugged_size;
	__u32 state;
	__u32 __reserved;
};

/**
 * struct kvm_vmem_get_memslots - ioctl(KVM_VMEM_GET_MEMSLOTS)
 * @size: sizeof(struct kvm_vmem_get_memslots)
 * @flags: Must be 0
 * @nb_memslots: How many elements @memslots has room for
 * @out_nb_memslots: How many memslots there are, also with EMSGSIZE
 * @memslots: User pointer to an array of struct kvm_vmem_memslot_info
 *
 * Lists the memslots that KVM knows, taken at one moment, by ascending guest
 * physical address, then address space.
 *
 * Errors: EMSGSIZE (@nb_memslots is too small; nothing is listed), ENODEV (no
 * ATTACH).
 */
struct kvm_vmem_get_memslots {
	__u32 size;
	__u32 flags;
	__u32 nb_memslots;
	__u32 out_nb_memslots;
	__aligned_u64 memslots;
};

#define KVM_VMEM_GET_MEMSLOTS _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_GET_MEMSLOTS)

/**
 * struct kvm_vmem_get_bitmap - ioctl(KVM_VMEM_GET_BITMAP)
 * @size: sizeof(struct kvm_vmem_get_bitmap)
 * @flags: Must be 0
 * @first_block: Index in the region of the first block
 * @nb_blocks: Number of blocks, not 0; within the region
 * @bitmap: User pointer to an array of (@nb_blocks + 63) / 64 __u64; bit i % 64
 *	of element i / 64 is set if block @first_block + i is plugged. What is
 *	left of the last element is 0
 *
 * Tells which blocks are plugged, at one moment. For migration: the plugged blocks
 * are what there is to send. Errors: EINVAL, ENODEV (not attached).
 */
struct kvm_vmem_get_bitmap {
	__u32 size;
	__u32 flags;
	__aligned_u64 first_block;
	__aligned_u64 nb_blocks;
	__aligned_u64 bitmap;
};

#define KVM_VMEM_GET_BITMAP _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_GET_BITMAP)

/**
 * struct kvm_vmem_set_bitmap - ioctl(KVM_VMEM_SET_BITMAP)
 * @size: sizeof(struct kvm_vmem_set_bitmap)
 * @flags: Must be 0
 * @addr: The source's, as in KVM_VMEM_GET_CONFIG there; so are the next ones
 * @region_size: Likewise
 * @block_size: Likewise
 * @usable_region_size: Likewise. At least what the requested size needs, and as
 *	far as the last plugged block, or the guest's next request would be an
 *	ERROR to which Linux gives the device up; at most the region, and a
 *	multiple of the block size
 * @node_id: Likewise
 * @__reserved0: Must be 0
 * @__reserved1: Must be 0
 * @nb_blocks: Number of blocks of the region
 * @bitmap: User pointer to an array of (@nb_blocks + 63) / 64 __u64, as
 *	KVM_VMEM_GET_BITMAP gives it for all of the region
 *
 * Restores the state of another device, the source of a migration or a saved one,
 * before the guest's memory is put into place. It is for an attached device that
 * never had a plugged block, so that it is done once, but for a bitmap without any;
 * the device may be frozen. In one step the blocks are plugged, the memslots mapped
 * that they need, the usable region is set, and KVM_VMEM_EVENT_SIZE signalled if the
 * size is not 0. With KVM_VMEM_SETUP_PREALLOC the blocks are populated first. The
 * memory is zero.
 *
 * What a guest knows has to be the same on both sides (QEMU's
 * virtio_mem_mig_sanity_checks_post_load()); memslots, their limit, backing and
 * dynamic memslots are the host's affair and may differ. More may be plugged than
 * the source's guest was asked to have: set up the device with a requested size
 * that covers the bitmap, and set the right one afterwards.
 *
 * Errors, each traced (kvm_vmem_set_bitmap), in this order: EBUSY (a block is or
 * was plugged), EADDRNOTAVAIL (@addr is another), ERANGE (@region_size is),
 * EDOM (@block_size is), ENXIO (@node_id is), EMSGSIZE (@nb_blocks is not that of
 * the region), EINVAL (a bit beyond @nb_blocks is set, or @usable_region_size is
 * wrong), EDQUOT (more is plugged than the requested size); or ENOMEM, ENODEV (not
 * attached), EIO, and what KVM says of a memslot (EEXIST: another one is there).
 */
struct kvm_vmem_set_bitmap {
	__u32 size;
	__u32 flags;
	__aligned_u64 addr;
	__aligned_u64 region_size;
	__aligned_u64 block_size;
	__aligned_u64 usable_region_size;
	__u16 node_id;
	__u16 __reserved0;
	__u32 __reserved1;
	__aligned_u64 nb_blocks;
	__aligned_u64 bitmap;
};

#define KVM_VMEM_SET_BITMAP _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_SET_BITMAP)

/**
 * enum kvm_vmem_dirty_log_flags - flags of KVM_VMEM_SET_DIRTY_LOG
 * @KVM_VMEM_DIRTY_LOG_ENABLE: Log dirty pages; without it, stop
 * @KVM_VMEM_DIRTY_LOG_MANUAL_PROTECT: The VM has
 *	KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 enabled. Without the flag such a VM
 *	reports its dirty pages again and again; with it another VM loses some
 */
enum kvm_vmem_dirty_log_flags {
	KVM_VMEM_DIRTY_LOG_ENABLE = 1 << 0,
	KVM_VMEM_DIRTY_LOG_MANUAL_PROTECT = 1 << 1,
};

/**
 * struct kvm_vmem_get_dirty_log - ioctl(KVM_VMEM_GET_DIRTY_LOG)
 * @size: sizeof(struct kvm_vmem_get_dirty_log)
 * @flags: Must be 0
 * @first_page: Index in the region of the first page; pages are those of the host
 * @nb_pages: Number of pages, not 0; within the region
 * @bitmap: User pointer to an array of (@nb_pages + 63) / 64 __u64; bit i % 64 of
 *	element i / 64 is set if page @first_page + i is dirty. What is left of
 *	the last element is 0
 * @out_nb_dirty: How many of the pages are dirty
 *
 * Fetches the dirty pages of any part of the region and counts them clean from
 * now on, as KVM_GET_DIRTY_LOG does for one memslot: the logs of all memslots that
 * are or were there, in all address spaces. Dirty is what the guest wrote since
 * SET_DIRTY_LOG, or since it was last fetched; and every page of a block that was
 * plugged or unplugged meanwhile, as its contents are others now. What the guest
 * wrote to a block that is not plugged, in user backing, goes with its memslot.
 * Writes of the VMM's own and of vhost are theirs to log.
 *
 * Fetch the dirty pages first and the plugged blocks (KVM_VMEM_GET_BITMAP) after
 * that: a dirty page of a block that is unplugged is to be discarded at the
 * destination, and what changes in between is dirty the next time.
 *
 * KVM hands out the log of a whole memslot, which is kept for the rest of it; so
 * a call costs what the memslots in its range cost, not more for a large part of
 * the region without any.
 *
 * Errors: EINVAL (not within the region), ENOENT (pages are not logged), EIO (also
 * for a caller that is not the VM's process), ENXIO (the VM has a dirty ring and no
 * log), ENODEV (not attached).
 */
struct kvm_vmem_get_dirty_log {
	__u32 size;
	__u32 flags;
	__aligned_u64 first_page;
	__aligned_u64 nb_pages;
	__aligned_u64 bitmap;
	__aligned_u64 out_nb_dirty;
};

#define KVM_VMEM_GET_DIRTY_LOG _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_GET_DIRTY_LOG)

/**
 * struct kvm_vmem_get_memory_fd - ioctl(KVM_VMEM_GET_MEMORY_FD)
 * @size: sizeof(struct kvm_vmem_get_memory_fd)
 * @flags: Must be 0
 * @out_fd: A file descriptor, with O_CLOEXEC
 * @__reserved: Must be 0
 *
 * Makes a file of the device's memory, for other processes that are to have it:
 * vhost-user back ends, say. It can be mapped as the device can, and lseek() finds
 * its data; it takes no ioctls, so that who has it can neither plug nor unplug. An
 * executable mapping is EPERM instead of EACCES where the kernel refuses it for all
 * files of this kind, as 7.2 does. It does not keep the device: once that is closed,
 * all its blocks are unplugged.
 *
 * Errors: EOPNOTSUPP (user backing: the caller has the file), EMFILE, ENFILE, ENOMEM,
 * ENODEV (no SETUP).
 */
struct kvm_vmem_get_memory_fd {
	__u32 size;
	__u32 flags;
	__s32 out_fd;
	__u32 __reserved;
};

#define KVM_VMEM_GET_MEMORY_FD _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_GET_MEMORY_FD)

/**
 * enum kvm_vmem_prepare_remove_flags - flags of KVM_VMEM_PREPARE_REMOVE
 * @KVM_VMEM_PREPARE_REMOVE_CANCEL: The device stays after all
 */
enum kvm_vmem_prepare_remove_flags {
	KVM_VMEM_PREPARE_REMOVE_CANCEL = 1 << 0,
};

/**
 * struct kvm_vmem_action - ioctl(KVM_VMEM_FREEZE), ioctl(KVM_VMEM_THAW),
 *			    ioctl(KVM_VMEM_SET_DIRTY_LOG),
 *			    ioctl(KVM_VMEM_RESET),
 *			    ioctl(KVM_VMEM_PREPARE_REMOVE)
 * @size: sizeof(struct kvm_vmem_action)
 * @flags: As said for the ioctl, else 0
 *
 * FREEZE, THAW: while a device is frozen its plugged blocks stay as they are:
 * PLUG, UNPLUG and UNPLUG_ALL with plugged blocks are answered by BUSY, and RESET
 * with plugged blocks is EBUSY. For migration, as in QEMU while one is running. A
 * Linux guest that was told BUSY waits for a minute and more, unless its
 * configuration changes; so THAW signals KVM_VMEM_EVENT_CONFIG if the size is not
 * the requested one. Errors: EALREADY (frozen; for THAW: not frozen), ENODEV (no
 * SETUP).
 *
 * SET_DIRTY_LOG, with flags of enum kvm_vmem_dirty_log_flags: has KVM log dirty
 * pages (KVM_MEM_LOG_DIRTY_PAGES) of all memslots, present and future, or stop it;
 * see KVM_VMEM_GET_DIRTY_LOG. All pages are clean when it begins. Stopping forgets
 * what was logged, and cannot fail but for EIO. Errors: EALREADY (pages are logged;
 * without ENABLE: they are not), EINVAL (MANUAL_PROTECT without ENABLE), ENOMEM and
 * what else KVM says: then nothing is logged; ENODEV (no ATTACH), EIO.
 *
 * RESET: a system reset. Unplugs all blocks and shrinks the usable region to
 * what the requested size, which stays, needs. Errors: EBUSY (a host failure
 * that may pass), ENODEV (no ATTACH), EIO.
 *
 * PREPARE_REMOVE: allows the removal of the device if it has no plugged block
 * and the guest is not asked to plug any, and locks the requested size until it
 * is cancelled. Errors, in this order: ENODEV (no SETUP), EALREADY (removal is
 * pending, or with CANCEL is not), EOPNOTSUPP (the device does not have
 * UNPLUGGED_INACCESSIBLE), ENOTEMPTY (the plugged size is not 0), EBUSY (the
 * requested size is not 0).
 */
struct kvm_vmem_action {
	__u32 size;
	__u32 flags;
};

#define KVM_VMEM_FREEZE _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_FREEZE)
#define KVM_VMEM_THAW _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_THAW)
#define KVM_VMEM_SET_DIRTY_LOG _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_SET_DIRTY_LOG)
#define KVM_VMEM_RESET _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_RESET)
#define KVM_VMEM_PREPARE_REMOVE _IO(KVM_VMEM_TYPE, KVM_VMEM_CMD_PREPARE_REMOVE)

#endif /* _UAPI_LINUX_KVM_VMEM_H */
