/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtio-mem (virtio 1.3, section 5.15): the device, and the three ways to have
 * memory behind it.
 *
 *   group         the kvm-vmem module, by its library: what this VMM shows
 *   static        one memslot over the region, as VMMs do without it
 *   dynamic-user  memslots made and deleted one by one, as QEMU does with
 *                 dynamic-memslots=on
 */
#ifndef VMEM_H
#define VMEM_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_mem.h>

#include "virtio.h"

/* Of a device for the operator, with the terminating zero. */
#define VMEM_LABEL_SIZE 64

enum vmem_mode {
	VMEM_GROUP,
	VMEM_STATIC,
	VMEM_DYNAMIC_USER,
};

/**
 * struct vmem_options - what the user wants; sizes in bytes
 * @size: Size of the region
 * @requested_size: What the guest is asked to plug
 * @block_size: 0: the size of a transparent huge page
 * @memslot_size: 0: decide; group mode only
 * @addr: Guest physical address; 0: decide
 * @node: NUMA node in the guest, or -1: the guest is told none
 * @prealloc: Allocate memory when it is plugged; group mode only
 * @label: Name for the operator
 */
struct vmem_options {
	uint64_t size;
	uint64_t requested_size;
	uint64_t block_size;
	uint64_t memslot_size;
	uint64_t addr;
	int node;
	bool prealloc;
	char label[VMEM_LABEL_SIZE];
};

struct vmem;

/**
 * struct vmem_ops - memory behind the device
 * @open: Makes it, for vmem->options, and fills in vmem->{hva,options.block_size}.
 *	Ends the program if that fails
 * @handle: Handles a driver's request, which may be anything. Returns 0; -EPROTO
 *	for a request that there is not, as QEMU the device then needs a reset; or
 *	another -errno if the VM cannot go on
 * @get_config: What the driver reads
 * @is_plugged: Whether all blocks of a range of the region are plugged
 * @set_requested_size: -EINVAL if the size is wrong
 * @reset: Unplugs everything, as the machine is reset
 * @violated: Whether unplugged memory was accessed, and where the last time; NULL
 *	if nobody knows
 * @freeze: Whether which blocks are plugged has to stay so: the driver is told BUSY,
 *	and @reset fails with -EBUSY if there are any
 * @next_plugged: Finds the next plugged memory at or after an offset in the region,
 *	and where it ends. Returns 1, 0 (there is none) or -errno
 * @next_data: Likewise, without what nobody has touched
 * @set_dirty_log: Whether KVM is to log the pages that the guest writes to
 * @fetch_dirty: Sets those bits of @pages, one for each page of the region, whose page
 *	was written to since the last time, or since it is logged
 * @restore: Plugs, in a device that never had a plugged block, what @bitmap says, in a
 *	bit a block. Of @config, which is another device's, the geometry is the same. If
 *	it fails the device is good for nothing
 *
 * Those from @freeze on are for a migration, and described as kvm-vmem.h does. While it
 * is frozen, @next_plugged, @next_data and @fetch_dirty are called by any thread.
 */
struct vmem_ops {
	void (*open)(struct vmem *vmem, int vm_fd);
	int (*handle)(struct vmem *vmem, const struct virtio_mem_req *request,
		      struct virtio_mem_resp *response);
	void (*get_config)(struct vmem *vmem, struct virtio_mem_config *config);
	bool (*is_plugged)(struct vmem *vmem, uint64_t gpa, uint64_t size);
	int (*set_requested_size)(struct vmem *vmem, uint64_t size);
	int (*reset)(struct vmem *vmem);
	bool (*violated)(struct vmem *vmem, uint64_t *gpa);
	int (*freeze)(struct vmem *vmem, bool freeze);
	int (*next_plugged)(struct vmem *vmem, uint64_t offset, uint64_t *start, uint64_t *end);
	int (*next_data)(struct vmem *vmem, uint64_t offset, uint64_t *start, uint64_t *end);
	int (*set_dirty_log)(struct vmem *vmem, bool enable);
	int (*fetch_dirty)(struct vmem *vmem, uint64_t *pages);
	int (*restore)(struct vmem *vmem, const struct virtio_mem_config *config,
		       const uint64_t *bitmap);
};

extern const struct vmem_ops vmem_group_ops;
extern const struct vmem_ops vmem_user_ops;

/* How often a request was handled, and how long that took. */
struct vmem_statistics {
	uint64_t nb;
	uint64_t total_ns;
	uint64_t most_ns;
};

#define VMEM_NB_REQUESTS 4

/**
 * struct vmem - a virtio-mem device
 * @device: The virtio device
 * @ops: The memory behind it
 * @mode: Which @ops that is
 * @options: What was asked for, then what was chosen
 * @memslot: First KVM memslot id that it may use; not used in group mode
 * @hva: The region in this process
 * @statistics: By request type (VIRTIO_MEM_REQ_*)
 * @state: Of @ops
 */
struct vmem {
	struct virtio_device device;
	const struct vmem_ops *ops;
	enum vmem_mode mode;
	struct vmem_options options;
	uint32_t memslot;
	char *hva;
	struct vmem_statistics statistics[VMEM_NB_REQUESTS];
	void *state;
};

/**
 * vmem_new() - make a device to be given to virtio_init()
 * @options: Copied. @addr is set
 * @mode: The memory behind it
 * @vm_fd: The VM
 * @memslot: First KVM memslot id that it may use
 *
 * Return: the device; the program ends if it cannot be made
 */
struct vmem *vmem_new(const struct vmem_options *options, enum vmem_mode mode, int vm_fd,
		      uint32_t memslot);

/* The most memslot ids that a device uses in user space. */
#define VMEM_MAX_MEMSLOTS 256

/* How much larger than the requested size the usable region is; QEMU's number. */
#define VMEM_USABLE_EXTENT (256 * MIB)

/**
 * vmem_restore_sizes() - give a restored device the sizes of another one
 * @vmem: The device
 * @requested_size: The requested size
 * @usable_size: The usable region's, which may have grown since the bitmap was taken
 *
 * Return: 0; -EINVAL if no device can have these, or this one cannot; or another -errno
 */
int vmem_restore_sizes(struct vmem *vmem, uint64_t requested_size, uint64_t usable_size);

/* Tells the driver that the requested size was set. */
void vmem_requested_size_changed(struct vmem *vmem);

#endif /* VMEM_H */
