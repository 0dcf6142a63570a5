/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A polled driver of the MMIO transport, version 2, and of split virtqueues. It
 * hides nothing: hostile tests write to the rings and registers themselves.
 */
#ifndef MINI_VIRTIO_H
#define MINI_VIRTIO_H

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "mini.h"

#define QUEUE_MOST	128
#define DRIVING		(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)
#define VERSION_1	(1ULL << VIRTIO_F_VERSION_1)

/* How long a device may take, emulated and on a busy machine. */
#define PATIENCE_MS	20000

/* What a device is told of its queue; any values. */
struct virtio_queue {
	uint64_t desc, avail, used;
	uint32_t size;
};

/**
 * struct virtio_device - a device and its queue 0
 * @base: Of its registers
 * @features: What virtio_start() accepts
 * @queue: What virtio_start() sets up
 * @size: Entries of the queue that is set up
 * @desc: The descriptor table that is set up
 * @avail: Likewise
 * @used: Likewise
 */
struct virtio_device {
	uint64_t base, features;
	struct virtio_queue queue;
	uint16_t size;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

/* The first device with this VIRTIO_ID_*; its queue is in the kernel's memory. */
bool virtio_find(struct virtio_device *dev, uint32_t id);

uint32_t virtio_read(const struct virtio_device *dev, uint32_t reg);
void virtio_write(const struct virtio_device *dev, uint32_t reg, uint32_t value);
uint64_t virtio_offered(const struct virtio_device *dev);

/* The steps of virtio_start(); negotiation tells whether FEATURES_OK sticks. */
void virtio_reset(const struct virtio_device *dev);
bool virtio_negotiate(const struct virtio_device *dev, uint64_t features);
void virtio_set_queue(struct virtio_device *dev, const struct virtio_queue *queue);
void virtio_set_ready(struct virtio_device *dev);
void virtio_drive(const struct virtio_device *dev);

/* Resets and sets up. Returns false if the device needs another reset. */
bool virtio_start(struct virtio_device *dev);

/* Makes a chain available, without notifying, and with it. */
void virtio_offer(struct virtio_device *dev, uint16_t head);
void virtio_notify(const struct virtio_device *dev);
void virtio_submit(struct virtio_device *dev, uint16_t head);

/* Waits until the used index has this value. False: it needs a reset, or time is up. */
bool virtio_await(const struct virtio_device *dev, uint16_t used);
bool virtio_await_reset(const struct virtio_device *dev);
bool virtio_needs_reset(const struct virtio_device *dev);

#endif /* MINI_VIRTIO_H */
