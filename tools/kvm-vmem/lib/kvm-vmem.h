/* SPDX-License-Identifier: MIT */
/*
 * libkvm-vmem: virtio-mem memory hotplug for KVM virtual machines, by the host's
 * kvm_vmem module. Thin over <linux/kvm_vmem.h>, which explains the calls, their
 * structures and their errors; libkvm-vmem(3) has the overview.
 *
 * Every function returns 0, or what it is said to return, and -errno if it fails;
 * errno itself stays as it was. A function that fails leaves what it would have
 * written as it was, except as said. The functions may be called from several
 * threads at once, for one device too. Addresses and sizes are in bytes.
 */
#ifndef KVM_VMEM_H
#define KVM_VMEM_H

#include <linux/kvm_vmem.h>
#include <linux/virtio_mem.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * kvm_vmem_open() - open a new device
 *
 * Return: the file descriptor of /dev/kvm-vmem, close-on-exec; -ENOENT if the
 * module is not loaded, -EACCES if the caller may not (group kvm may).
 */
int kvm_vmem_open(void);

/**
 * kvm_vmem_setup() - fix the geometry of a device
 * @fd: The device
 * @setup: Zeros where a default is wanted, but -1 for a backing_fd that there is
 *	not; its size is filled in
 *
 * Return: 0, with the out_ members of @setup written; errors of KVM_VMEM_SETUP.
 */
int kvm_vmem_setup(int fd, struct kvm_vmem_setup *setup);

/**
 * kvm_vmem_map() - map the memory of a device with protected backing
 * @fd: The device, after SETUP
 * @region_size: Size of the region
 * @addr: Where the mapping is, for KVM_VMEM_ATTACH; undo by munmap()
 *
 * Maps the whole region, shared, for reading and writing. It takes no memory until
 * blocks are plugged and touched.
 *
 * Return: 0; -ENODEV (no SETUP, or user backing), -EINVAL (@region_size is 0 or
 * more than the region), -EOVERFLOW (more than an address space holds), -ENOMEM.
 */
int kvm_vmem_map(int fd, uint64_t region_size, void **addr);

/**
 * kvm_vmem_attach() - connect a device to a VM
 * @fd: The device
 * @attach: Its size is filled in
 *
 * Return: 0, with the out_ members of @attach written; errors of KVM_VMEM_ATTACH.
 */
int kvm_vmem_attach(int fd, struct kvm_vmem_attach *attach);

/**
 * kvm_vmem_handle_request() - answer a request of the guest's driver
 * @fd: The device, after ATTACH
 * @req: What the guest sent, in its byte order (little endian). It may lie in guest
 *	memory, at any alignment, and change meanwhile: it is read once
 * @resp: What to send to the guest, in its byte order: all of it is written,
 *	whatever the function returns. It may lie in guest memory, too
 *
 * Return:
 *  - 0: @resp is the device's answer, whichever it is.
 *  - -EPROTO: virtio-mem has no such type of request. Virtio does not say what is
 *    to follow; QEMU, and so a VMM that wants to be like it, sends nothing and
 *    sets DEVICE_NEEDS_RESET. @resp is ERROR for those that answer.
 *  - errors of KVM_VMEM_PLUG and its like: the host failed. @resp is BUSY, which
 *    has a Linux guest try again later, where ERROR would have it give the device
 *    up. As virtio has no BUSY for STATE, that is answered by ERROR, which Linux
 *    takes for a block that is not plugged.
 */
int kvm_vmem_handle_request(int fd, const struct virtio_mem_req *req,
			    struct virtio_mem_resp *resp);

/**
 * kvm_vmem_get_config() - the configuration space for the guest
 * @fd: The device, after SETUP
 * @config: All of it is written, in the guest's byte order (little endian)
 *
 * Return: 0; errors of KVM_VMEM_GET_CONFIG.
 */
int kvm_vmem_get_config(int fd, struct virtio_mem_config *config);

/**
 * kvm_vmem_get_info() - what is known of a device
 * @fd: The device, after SETUP
 * @info: All of it is written
 *
 * Return: 0; errors of KVM_VMEM_GET_INFO.
 */
int kvm_vmem_get_info(int fd, struct kvm_vmem_get_info *info);

/**
 * kvm_vmem_set_requested_size() - have the guest grow or shrink
 * @fd: The device, after SETUP
 * @size: A multiple of the block size, at most the region size
 *
 * Return: 0; errors of KVM_VMEM_SET_REQUESTED_SIZE.
 */
int kvm_vmem_set_requested_size(int fd, uint64_t size);

/**
 * kvm_vmem_set_eventfd() - have an eventfd signalled at an event
 * @fd: The device, after SETUP
 * @event: Which event
 * @eventfd: The eventfd; the device keeps it even if the caller closes it
 *
 * KVM_VMEM_EVENT_CONFIG is for every VMM: send the guest a configuration change
 * notification then.
 *
 * Return: 0; errors of KVM_VMEM_SET_EVENTFD.
 */
int kvm_vmem_set_eventfd(int fd, enum kvm_vmem_event event, int eventfd);

/**
 * kvm_vmem_unset_eventfd() - undo kvm_vmem_set_eventfd()
 * @fd: The device
 * @event: The event that it was set for
 * @eventfd: The eventfd
 *
 * Return: 0; errors of KVM_VMEM_SET_EVENTFD.
 */
int kvm_vmem_unset_eventfd(int fd, enum kvm_vmem_event event, int eventfd);

/**
 * kvm_vmem_plug() - plug blocks as the guest would
 * @fd: The device, after ATTACH
 * @addr: Guest physical address of the first block
 * @nb_blocks: How many blocks
 * @response: VIRTIO_MEM_RESP_*, in host byte order
 *
 * For VMMs that decode requests themselves, as the other functions down to
 * kvm_vmem_state().
 *
 * Return: 0, whatever the response; errors of KVM_VMEM_PLUG.
 */
int kvm_vmem_plug(int fd, uint64_t addr, uint32_t nb_blocks,
		  uint16_t *response);

/**
 * kvm_vmem_unplug() - unplug blocks
 * @fd: The device, after ATTACH
 * @addr: Guest physical address of the first block
 * @nb_blocks: How many blocks
 * @flags: enum kvm_vmem_unplug_flags
 * @response: VIRTIO_MEM_RESP_*, in host byte order
 *
 * Return: 0, whatever the response; errors of KVM_VMEM_UNPLUG.
 */
int kvm_vmem_unplug(int fd, uint64_t addr, uint32_t nb_blocks, uint32_t flags,
		    uint16_t *response);

/**
 * kvm_vmem_unplug_all() - unplug all blocks and shrink the usable region
 * @fd: The device, after ATTACH
 * @flags: enum kvm_vmem_unplug_flags
 * @response: VIRTIO_MEM_RESP_*, in host byte order
 *
 * Return: 0, whatever the response; errors of KVM_VMEM_UNPLUG_ALL.
 */
int kvm_vmem_unplug_all(int fd, uint32_t flags, uint16_t *response);

/**
 * kvm_vmem_state() - tell whether blocks are plugged
 * @fd: The device, after ATTACH
 * @addr: Guest physical address of the first block
 * @nb_blocks: How many blocks
 * @response: VIRTIO_MEM_RESP_*, in host byte order
 * @state: With VIRTIO_MEM_RESP_ACK: VIRTIO_MEM_STATE_*, in host byte order
 *
 * Return: 0, whatever the response; errors of KVM_VMEM_STATE.
 */
int kvm_vmem_state(int fd, uint64_t addr, uint32_t nb_blocks,
		   uint16_t *response, uint16_t *state);

/**
 * kvm_vmem_get_memslots() - list the memslots that KVM has of a device
 * @fd: The device, after ATTACH
 * @memslots: Where they go; may be NULL if there is room for none
 * @nb_memslots: How many there is room for; then how many there are, also with
 *	-EMSGSIZE
 *
 * Return: 0; -EMSGSIZE (@nb_memslots is too small; nothing is listed); errors of
 * KVM_VMEM_GET_MEMSLOTS.
 */
int kvm_vmem_get_memslots(int fd, struct kvm_vmem_memslot_info *memslots,
			  uint32_t *nb_memslots);

/**
 * kvm_vmem_reset() - reset a device together with its VM
 * @fd: The device, after ATTACH
 *
 * For a system reset, that is, a reboot of the guest. A reset of the virtio device
 * alone, by its driver, must keep the memory.
 *
 * Return: 0; errors of KVM_VMEM_RESET.
 */
int kvm_vmem_reset(int fd);

/**
 * kvm_vmem_prepare_remove() - ask to remove a device from its VM
 * @fd: The device, after SETUP
 *
 * Return: 0 if it may be removed, and the requested size is now locked; errors of
 * KVM_VMEM_PREPARE_REMOVE.
 */
int kvm_vmem_prepare_remove(int fd);

/**
 * kvm_vmem_cancel_remove() - undo kvm_vmem_prepare_remove()
 * @fd: The device
 *
 * Return: 0; errors of KVM_VMEM_PREPARE_REMOVE.
 */
int kvm_vmem_cancel_remove(int fd);

/**
 * kvm_vmem_freeze() - answer BUSY to the guest, for a migration
 * @fd: The device, after SETUP
 *
 * Which blocks are plugged stays as it is until kvm_vmem_thaw().
 *
 * Return: 0; -EALREADY (it is frozen); errors of KVM_VMEM_FREEZE.
 */
int kvm_vmem_freeze(int fd);

/**
 * kvm_vmem_thaw() - undo kvm_vmem_freeze()
 * @fd: The device
 *
 * Signals KVM_VMEM_EVENT_CONFIG if the guest has something to do, as it would wait
 * for a minute and more otherwise.
 *
 * Return: 0; -EALREADY (it is not frozen); errors of KVM_VMEM_THAW.
 */
int kvm_vmem_thaw(int fd);

/**
 * kvm_vmem_get_bitmap() - tell which blocks are plugged
 * @fd: The device, after SETUP
 * @first_block: Index in the region of the first block
 * @nb_blocks: How many, not 0; within the region
 * @bitmap: (@nb_blocks + 63) / 64 elements; bit i % 64 of element i / 64 is of
 *	block @first_block + i. What is left of the last element is 0
 *
 * Return: 0; errors of KVM_VMEM_GET_BITMAP.
 */
int kvm_vmem_get_bitmap(int fd, uint64_t first_block, uint64_t nb_blocks,
			uint64_t *bitmap);

/**
 * kvm_vmem_set_bitmap() - plug what is plugged in another device
 * @fd: A device after ATTACH that never had a plugged block
 * @set_bitmap: The other device's geometry and blocks; its size is filled in
 *
 * What kvm_vmem_restore() does may be easier to use.
 *
 * Return: 0; errors of KVM_VMEM_SET_BITMAP.
 */
int kvm_vmem_set_bitmap(int fd, struct kvm_vmem_set_bitmap *set_bitmap);

/**
 * kvm_vmem_restore() - make a new device what another one is, or was
 * @fd: A device after ATTACH that never had a plugged block
 * @config: What kvm_vmem_get_config() said of the other, in the guest's byte order
 * @bitmap: What kvm_vmem_get_bitmap() said of all of its blocks
 *
 * Plugs the blocks, which are zero; their contents are the caller's to bring. The
 * requested size is the other's, whatever is plugged. Should it fail the device is as
 * before, but that its KVM_VMEM_EVENT_CONFIG may have been signalled.
 *
 * Return: 0; errors of KVM_VMEM_SET_BITMAP, which name each difference, and of
 * KVM_VMEM_SET_REQUESTED_SIZE.
 */
int kvm_vmem_restore(int fd, const struct virtio_mem_config *config,
		     const uint64_t *bitmap);

/**
 * kvm_vmem_next_plugged() - find plugged memory
 * @fd: The device, after SETUP
 * @offset: Where in the region to begin, in bytes
 * @start: Where the next plugged memory at or after @offset begins
 * @end: Where it ends; what follows may be plugged, too, if there is much of it
 *
 * To see all of it, go on from each @end. It is the state of one moment, unless the
 * device is frozen.
 *
 * Return: 1; 0 (there is none); errors of KVM_VMEM_GET_BITMAP.
 */
int kvm_vmem_next_plugged(int fd, uint64_t offset, uint64_t *start,
			  uint64_t *end);

/**
 * kvm_vmem_next_data() - find plugged memory that is not all zeros
 * @fd: The device, after SETUP
 * @offset: Where in the region to begin, in bytes
 * @start: Where the next memory at or after @offset begins that has to be moved
 * @end: Where it ends
 *
 * As kvm_vmem_next_plugged(), without what nobody touched since it was plugged: that
 * is zero, and reading it would allocate it. Of user backing nothing is known, and all
 * that is plugged is found. With dirty pages logged since before, what is touched
 * meanwhile is missed by neither.
 *
 * Return: 1; 0 (there is none); errors of KVM_VMEM_GET_BITMAP and lseek().
 */
int kvm_vmem_next_data(int fd, uint64_t offset, uint64_t *start, uint64_t *end);

/**
 * kvm_vmem_set_dirty_log() - log the pages that the guest writes to, or stop it
 * @fd: The device, after ATTACH
 * @flags: enum kvm_vmem_dirty_log_flags; 0 stops it
 *
 * Return: 0; -EALREADY; errors of KVM_VMEM_SET_DIRTY_LOG.
 */
int kvm_vmem_set_dirty_log(int fd, uint32_t flags);

/**
 * kvm_vmem_get_dirty_log() - fetch dirty pages, and count them clean
 * @fd: The device; from the VM's process
 * @first_page: Index in the region of the first page; pages are the host's
 * @nb_pages: How many, not 0; within the region
 * @bitmap: (@nb_pages + 63) / 64 elements, as for kvm_vmem_get_bitmap()
 * @nb_dirty: How many of them are dirty
 *
 * What the VMM itself writes to guest memory, and vhost, is not among them.
 *
 * Return: 0; -ENOENT (pages are not logged); errors of KVM_VMEM_GET_DIRTY_LOG.
 */
int kvm_vmem_get_dirty_log(int fd, uint64_t first_page, uint64_t nb_pages,
			   uint64_t *bitmap, uint64_t *nb_dirty);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* KVM_VMEM_H */
