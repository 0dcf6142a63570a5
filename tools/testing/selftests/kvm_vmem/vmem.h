/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/kvm-vmem, the memory behind a device, and what the operator sees of it.
 *
 * Functions return 0 (or what they are said to return) or -errno.
 */
#ifndef KVM_VMEM_TEST_VMEM_H
#define KVM_VMEM_TEST_VMEM_H

#include <linux/kvm_vmem.h>
#include <linux/virtio_mem.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>

#include "vm.h"

#define KiB		(1ULL << 10)
#define MiB		(1ULL << 20)
#define GiB		(1ULL << 30)
#define TiB		(1ULL << 40)

#define VMEM_PATH	"/dev/kvm-vmem"
#define VMEM_CLASS	"/sys/class/kvm_vmem"
#define VMEM_DEBUGFS	"/sys/kernel/debug/kvm_vmem"
#define VMEM_MODULE	"/sys/module/kvm_vmem"

/* Any ioctl of the device. */
int vmem_ioctl(int dev, unsigned long cmd, void *arg);

int vmem_open(void);
int vmem_setup(int dev, struct kvm_vmem_setup *setup);
int vmem_attach(int dev, struct kvm_vmem_attach *attach);

/* The requests return the response of virtio-mem. */
int vmem_plug(int dev, uint64_t addr, uint32_t nb_blocks);
int vmem_unplug(int dev, uint64_t addr, uint32_t nb_blocks);
/* UNPLUG with KVM_VMEM_UNPLUG_SYNC; UNPLUG_ALL if there are no blocks. */
int vmem_unplug_sync(int dev, uint64_t addr, uint32_t nb_blocks);
int vmem_unplug_all(int dev);
int vmem_state(int dev, uint64_t addr, uint32_t nb_blocks, uint16_t *state);

int vmem_get_config(int dev, struct kvm_vmem_get_config *config);
int vmem_set_requested_size(int dev, uint64_t requested_size);
int vmem_add_eventfd(int dev, uint32_t event, int fd);
int vmem_remove_eventfd(int dev, uint32_t event, int fd);
int vmem_get_info(int dev, struct kvm_vmem_get_info *info);

/* Returns how many memslots there are. */
int vmem_get_memslots(int dev, struct kvm_vmem_memslot_info *memslots,
		      uint32_t nb_memslots);

/* @bitmap has (nb + 63) / 64 elements. */
int vmem_get_bitmap(int dev, uint64_t first_block, uint64_t nb_blocks,
		    uint64_t *bitmap);
/* SET_BITMAP as for a device whose configuration is @config. */
void fill_set_bitmap(struct kvm_vmem_set_bitmap *set,
		     const struct kvm_vmem_get_config *config,
		     const uint64_t *bitmap);
int vmem_set_bitmap(int dev, const struct kvm_vmem_set_bitmap *set);
/* Returns how many pages are dirty. */
int64_t vmem_get_dirty_log(int dev, uint64_t first_page, uint64_t nb_pages,
			   uint64_t *bitmap);

/* Returns the file descriptor. */
int vmem_get_memory_fd(int dev);

/* RESET, PREPARE_REMOVE and the other calls that have nothing but flags. */
int vmem_action(int dev, unsigned long cmd, uint32_t flags);

/* GET_INFO without the counters: what a call that fails must not change. */
struct kvm_vmem_get_info vmem_facts(int dev);
bool vmem_same(const struct kvm_vmem_get_info *a,
	       const struct kvm_vmem_get_info *b);

/**
 * enum backing_kind - where guest memory comes from
 * @BACKING_ANON: A private anonymous mapping
 * @BACKING_MEMFD: A memfd
 * @BACKING_TMPFS: A file in /dev/shm
 * @BACKING_HUGETLB: A memfd of huge pages of 2 MiB
 * @BACKING_PROTECTED: The device itself
 */
enum backing_kind {
	BACKING_ANON,
	BACKING_MEMFD,
	BACKING_TMPFS,
	BACKING_HUGETLB,
	BACKING_PROTECTED,
};

/**
 * struct backing - the VMM's mapping of a region
 * @kind: Where it comes from
 * @fd: The file, or -1
 * @offset: Offset of the region's first byte in the file
 * @addr: The mapping; congruent to guest-physical addresses modulo 1 GiB, as far
 *	as those are multiples of 1 GiB
 * @size: Its size
 * @reserved: What was reserved of the address space, to get it aligned
 * @reserved_size: How much of it
 */
struct backing {
	enum backing_kind kind;
	int fd;
	uint64_t offset;
	char *addr;
	uint64_t size;
	void *reserved;
	uint64_t reserved_size;
};

int backing_create(struct backing *backing, enum backing_kind kind,
		   uint64_t size, uint64_t offset);
/* What is left to do for BACKING_PROTECTED after SETUP. */
int backing_map_device(struct backing *backing, int dev);
void backing_destroy(struct backing *backing);
/* What a VMM does before UNPLUG if the module cannot do it. */
int backing_discard(const struct backing *backing, uint64_t offset,
		    uint64_t size);
/* Bytes of the file that have memory. */
uint64_t backing_resident(const struct backing *backing);

/**
 * struct rig_options - what struct rig is made of; 0 is a default everywhere
 * @backing: Where the memory comes from
 * @no_fd: Do not give the device the file to discard from
 * @nr_vcpus: Number of vCPUs
 * @irqchip: With KVM's interrupt controllers
 * @addr: Address of the region; 4 GiB
 * @region_size: Its size; 4 GiB
 * @block_size: Block size; 2 MiB
 * @memslot_size: Memslot size; left to the module
 * @memslot_limit: Limit of memslots; the host's
 * @requested_size: Requested size; all of the region unless @request_nothing
 * @request_nothing: Start with a requested size of 0
 * @is_static: No dynamic memslots
 * @prealloc: With KVM_VMEM_SETUP_PREALLOC
 * @address_spaces: Mask of address spaces; 1
 */
struct rig_options {
	enum backing_kind backing;
	bool no_fd;
	unsigned int nr_vcpus;
	bool irqchip;
	uint64_t addr;
	uint64_t region_size;
	uint64_t block_size;
	uint64_t memslot_size;
	uint32_t memslot_limit;
	uint64_t requested_size;
	bool request_nothing;
	bool is_static;
	bool prealloc;
	uint32_t address_spaces;
};

/**
 * struct rig - a VM, memory, and a device attached to it
 * @vm: The VM
 * @backing: The memory
 * @dev: The device
 * @addr: Address of the region
 * @block: Block size
 * @setup: What SETUP was asked and said
 * @attach: What ATTACH was asked and said
 */
struct rig {
	struct vm vm;
	struct backing backing;
	int dev;
	uint64_t addr;
	uint64_t block;
	struct kvm_vmem_setup setup;
	struct kvm_vmem_attach attach;
};

int rig_create(struct rig *rig, const struct rig_options *options);
/* In steps: VM, memory and SETUP, with the argument for ATTACH filled in. */
int rig_prepare(struct rig *rig, const struct rig_options *options);
int rig_attach(struct rig *rig);
void rig_destroy(struct rig *rig);

/* A further device: a setup that fits to a backing, and an attach to a VM. */
void fill_setup(struct kvm_vmem_setup *setup, const struct backing *backing,
		const struct rig_options *options);
void fill_attach(struct kvm_vmem_attach *attach, const struct vm *vm,
		 const struct backing *backing);

/*
 * Files of the operator's. read_file() returns the number of bytes and cuts a
 * newline at the end off; the sysfs functions take the device's id.
 */
int read_file(const char *path, char *buf, size_t size);
int write_file(const char *path, const char *value);
int sysfs_path(char *path, size_t size, uint32_t id, const char *name);
int sysfs_read(uint32_t id, const char *name, char *buf, size_t size);
int sysfs_read_u64(uint32_t id, const char *name, uint64_t *value);
int sysfs_write(uint32_t id, const char *name, const char *value);
/* How many devices the operator sees. */
int count_devices(void);
/* References to the module. */
int module_refcount(void);
/* At least so many huge pages of 2 MiB. */
int need_hugepages(unsigned int nr);

/* Pass a file to another process, over a UNIX socket. */
int send_fd(int sock, int fd);
int recv_fd(int sock);

#endif /* KVM_VMEM_TEST_VMEM_H */
