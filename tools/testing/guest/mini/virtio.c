// SPDX-License-Identifier: GPL-2.0
#include "virtio.h"

#define BASE		0xd0000000
#define STRIDE		0x1000
#define MAX_DEVICES	32
#define MAGIC		0x74726976

/* Of one device. */
struct rings {
	struct vring_desc desc[QUEUE_MOST];
	struct vring_avail avail;
	uint16_t avail_ring[QUEUE_MOST];
	struct vring_used used __aligned(VRING_USED_ALIGN_SIZE);
	struct vring_used_elem used_ring[QUEUE_MOST];
} __aligned(PAGE);

static struct rings rings[2];
static unsigned int nr_rings;

uint32_t virtio_read(const struct virtio_device *dev, uint32_t reg)
{
	return mmio_read32(dev->base + reg);
}

void virtio_write(const struct virtio_device *dev, uint32_t reg, uint32_t value)
{
	mmio_write32(dev->base + reg, value);
}

bool virtio_find(struct virtio_device *dev, uint32_t id)
{
	uint64_t first = boot_number("mmio", BASE);
	struct rings *r = &rings[nr_rings++];

	for (dev->base = first; dev->base < first + MAX_DEVICES * STRIDE; dev->base += STRIDE) {
		if (virtio_read(dev, VIRTIO_MMIO_MAGIC_VALUE) != MAGIC)
			return false;
		if (virtio_read(dev, VIRTIO_MMIO_DEVICE_ID) == id)
			break;
	}
	dev->queue.desc = (uint64_t)r->desc;
	dev->queue.avail = (uint64_t)&r->avail;
	dev->queue.used = (uint64_t)&r->used;
	dev->queue.size = virtio_read(dev, VIRTIO_MMIO_QUEUE_NUM_MAX);
	if (dev->queue.size > QUEUE_MOST)
		dev->queue.size = QUEUE_MOST;
	return true;
}

uint64_t virtio_offered(const struct virtio_device *dev)
{
	uint64_t low;

	virtio_write(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	low = virtio_read(dev, VIRTIO_MMIO_DEVICE_FEATURES);
	virtio_write(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	return low | (uint64_t)virtio_read(dev, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
}

void virtio_reset(const struct virtio_device *dev)
{
	virtio_write(dev, VIRTIO_MMIO_STATUS, 0);
	while (virtio_read(dev, VIRTIO_MMIO_STATUS))
		relax();
}

bool virtio_negotiate(const struct virtio_device *dev, uint64_t features)
{
	virtio_write(dev, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	virtio_write(dev, VIRTIO_MMIO_STATUS, DRIVING);
	virtio_write(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	virtio_write(dev, VIRTIO_MMIO_DRIVER_FEATURES, features);
	virtio_write(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	virtio_write(dev, VIRTIO_MMIO_DRIVER_FEATURES, features >> 32);
	virtio_write(dev, VIRTIO_MMIO_STATUS, DRIVING | VIRTIO_CONFIG_S_FEATURES_OK);
	return virtio_read(dev, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK;
}

static void write_address(const struct virtio_device *dev, uint32_t reg, uint64_t addr)
{
	virtio_write(dev, reg, addr);
	virtio_write(dev, reg + 4, addr >> 32);
}

void virtio_set_queue(struct virtio_device *dev, const struct virtio_queue *queue)
{
	dev->size = queue->size;
	dev->desc = (struct vring_desc *)queue->desc;
	dev->avail = (struct vring_avail *)queue->avail;
	dev->used = (struct vring_used *)queue->used;
	virtio_write(dev, VIRTIO_MMIO_QUEUE_SEL, 0);
	virtio_write(dev, VIRTIO_MMIO_QUEUE_NUM, queue->size);
	write_address(dev, VIRTIO_MMIO_QUEUE_DESC_LOW, queue->desc);
	write_address(dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, queue->avail);
	write_address(dev, VIRTIO_MMIO_QUEUE_USED_LOW, queue->used);
}

/* A queue begins empty. Not for one at addresses that cannot be written. */
void virtio_set_ready(struct virtio_device *dev)
{
	dev->avail->flags = 0;
	dev->avail->idx = 0;
	dev->used->flags = 0;
	dev->used->idx = 0;
	fence();
	virtio_write(dev, VIRTIO_MMIO_QUEUE_READY, 1);
}

void virtio_drive(const struct virtio_device *dev)
{
	virtio_write(dev, VIRTIO_MMIO_STATUS,
		     DRIVING | VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}

bool virtio_start(struct virtio_device *dev)
{
	virtio_reset(dev);
	if (!virtio_negotiate(dev, dev->features))
		return false;
	virtio_set_queue(dev, &dev->queue);
	virtio_set_ready(dev);
	virtio_drive(dev);
	return !virtio_needs_reset(dev);
}

void virtio_offer(struct virtio_device *dev, uint16_t head)
{
	uint16_t idx = dev->avail->idx;

	dev->avail->ring[idx % dev->size] = head;
	fence();
	WRITE_ONCE(dev->avail->idx, idx + 1);
	fence();
}

void virtio_notify(const struct virtio_device *dev)
{
	virtio_write(dev, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

void virtio_submit(struct virtio_device *dev, uint16_t head)
{
	virtio_offer(dev, head);
	virtio_notify(dev);
}

bool virtio_needs_reset(const struct virtio_device *dev)
{
	return virtio_read(dev, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/*
 * Counts milliseconds in which the guest ran: its clock goes on while it is stopped, and the
 * device does not. An hour of that is one of them.
 */
struct patience {
	uint64_t since;
	unsigned int ms;
};

static bool is_next_ms(struct patience *patience)
{
	if (ticks_to_ns(ticks() - patience->since) < 1000000)
		return false;
	patience->since = ticks();
	patience->ms++;
	return true;
}

/*
 * The register is looked at rarely: reading it is an exit to the VMM, which would
 * be a part of what the benchmark measures.
 */
bool virtio_await(const struct virtio_device *dev, uint16_t used)
{
	struct patience patience = { .since = ticks() };

	while (READ_ONCE(dev->used->idx) != used) {
		relax();
		if (!is_next_ms(&patience))
			continue;
		if (virtio_needs_reset(dev) || patience.ms > PATIENCE_MS)
			return READ_ONCE(dev->used->idx) == used;
	}
	fence();
	return true;
}

bool virtio_await_reset(const struct virtio_device *dev)
{
	struct patience patience = { .since = ticks() };

	while (!virtio_needs_reset(dev)) {
		if (is_next_ms(&patience) && patience.ms > PATIENCE_MS)
			return false;
		relax();
	}
	return true;
}
