/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtio device behind the MMIO transport (virtio 1.3, section 4.2; version 2,
 * "modern"). The transport is general; a device is its struct virtio_ops.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "loop.h"
#include "memory.h"
#include "virtqueue.h"

/* What dsdt.asl announces. */
#define VIRTIO_MMIO_BASE 0xd0000000ULL
#define VIRTIO_MMIO_SIZE 0x1000ULL
#define VIRTIO_MMIO_GSI 16
#define VIRTIO_MAX_DEVICES 8

struct virtio_device;

/**
 * struct virtio_ops - what makes a device
 * @id: VIRTIO_ID_*
 * @config_size: Size of its configuration space in bytes
 * @read_config: Copies the configuration space, all of it
 * @accepts: Whether it works with the features that the driver accepted, which
 *	are some of those that were offered; NULL: with any
 * @handle: Handles a chain of its queue. Returns how many bytes it wrote, or
 *	-errno if the driver broke the rules: the device then needs a reset
 *
 * All are called with the lock of the device held.
 */
struct virtio_ops {
	uint32_t id;
	uint32_t config_size;
	void (*read_config)(struct virtio_device *device, void *config);
	bool (*accepts)(struct virtio_device *device, uint64_t features);
	int (*handle)(struct virtio_device *device, const struct virtqueue_chain *chain);
};

/**
 * struct virtio_device - a device with one queue
 * @ops: What it is
 * @memory: Guest memory
 * @offered: Features that it offers
 * @lock: Protects all below. vCPUs take it for registers, the event loop for
 *	the queue
 * @accepted: Features that the driver accepted
 * @status: VIRTIO_CONFIG_S_*
 * @interrupt_status: VIRTIO_MMIO_INT_*
 * @generation: Changes with the configuration space
 * @features_page: Which half of @offered can be read
 * @accept_page: Which half of @accepted can be written
 * @queue_selected: Number of the queue whose registers can be seen
 * @queue: The only one, 0
 * @notification: eventfd that KVM signals when the driver notifies the queue
 * @interrupt: eventfd by which KVM is told to interrupt the guest
 */
struct virtio_device {
	const struct virtio_ops *ops;
	const struct guest_memory *memory;
	uint64_t offered;

	pthread_mutex_t lock;
	uint64_t accepted;
	uint32_t status;
	uint32_t interrupt_status;
	uint32_t generation;
	uint32_t features_page;
	uint32_t accept_page;
	uint32_t queue_selected;
	struct virtqueue queue;

	struct loop_source notification;
	int interrupt;
};

/**
 * struct virtio_state - a device, for a migration; see struct virtio_device
 * @accepted: Features that the driver accepted
 * @status: As its register; so are the next ones
 * @interrupt_status: Likewise
 * @generation: Likewise
 * @features_page: Likewise
 * @accept_page: Likewise
 * @queue_selected: Likewise
 * @queue_desc: Guest-physical address of the descriptors
 * @queue_avail: Likewise of the available ring
 * @queue_used: Likewise of the used ring
 * @queue_size: Number of descriptors
 * @queue_ready: The driver is through with the queue's setup
 * @queue_reserved: 0
 * @next_avail: Index of the next request to take
 * @next_used: Index of the next one to give back
 * @reserved: 0
 */
struct virtio_state {
	uint64_t accepted;
	uint32_t status;
	uint32_t interrupt_status;
	uint32_t generation;
	uint32_t features_page;
	uint32_t accept_page;
	uint32_t queue_selected;
	uint64_t queue_desc;
	uint64_t queue_avail;
	uint64_t queue_used;
	uint32_t queue_size;
	uint16_t queue_ready;
	uint16_t queue_reserved;
	uint16_t next_avail;
	uint16_t next_used;
	uint32_t reserved;
};

/**
 * virtio_init() - make a device that a guest can find
 * @device: @ops and @offered are set, all else is 0
 * @vm_fd: The VM
 * @memory: Guest memory
 * @slot: Which of VIRTIO_MAX_DEVICES it is; decides address and interrupt
 *
 * Return: 0, or -errno
 */
int virtio_init(struct virtio_device *device, int vm_fd, const struct guest_memory *memory,
		unsigned int slot);

/* A read or write of a register by a vCPU. @offset is below VIRTIO_MMIO_SIZE. */
void virtio_read(struct virtio_device *device, uint64_t offset, void *data, uint32_t size);
void virtio_write(struct virtio_device *device, uint64_t offset, const void *data, uint32_t size);

/* Tells the driver that the configuration space changed. */
void virtio_config_changed(struct virtio_device *device);

/* A reset of the whole machine. */
void virtio_reset(struct virtio_device *device);

void virtio_save(struct virtio_device *device, struct virtio_state *state);

/**
 * virtio_restore() - make a device what another one is, or was
 * @device: It is like the other
 * @state: From anywhere
 *
 * Return: 0, or -EINVAL if no device can be so, or this one cannot
 */
int virtio_restore(struct virtio_device *device, const struct virtio_state *state);

/* What was restored begins to work. */
void virtio_go_on(struct virtio_device *device);

#endif /* VIRTIO_H */
