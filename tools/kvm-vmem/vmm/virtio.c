// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "virtio.h"
#include "vmm.h"

/* "virt", and who made it ("KVMV"). */
#define MAGIC 0x74726976
#define VENDOR 0x564d564b

/* What of the status is the driver's to set. */
#define DRIVER_STATUS \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK | \
	 VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FAILED)

static void interrupt(struct virtio_device *device, uint32_t why)
{
	device->interrupt_status |= why;
	eventfd_signal(device->interrupt);
}

/*
 * The driver broke the rules: nothing is done for it until it resets the device
 * (2.1.2). The guest learns of it; others do not.
 */
static void needs_reset(struct virtio_device *device)
{
	device->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (device->status & VIRTIO_CONFIG_S_DRIVER_OK)
		interrupt(device, VIRTIO_MMIO_INT_CONFIG);
}

static bool is_alive(const struct virtio_device *device)
{
	return (device->status & VIRTIO_CONFIG_S_DRIVER_OK) &&
	       !(device->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static int handle_next(struct virtio_device *device)
{
	struct virtqueue_chain chain;
	int ret;

	ret = virtqueue_pop(&device->queue, device->memory, &chain);
	if (ret <= 0)
		return ret;
	ret = device->ops->handle(device, &chain);
	if (ret < 0)
		return ret;
	ret = virtqueue_push(&device->queue, device->memory, &chain, ret);
	if (ret < 0)
		return ret;
	if (ret)
		interrupt(device, VIRTIO_MMIO_INT_VRING);
	return 1;
}

/*
 * No more at once than the queue holds: the driver could keep it full for ever,
 * and other devices have to get their turn.
 */
static void notified(struct loop_source *source, uint32_t events)
{
	struct virtio_device *device = container_of(source, struct virtio_device, notification);
	uint32_t n = 0;
	int ret = 0;

	(void)events;
	eventfd_clear(source->fd);
	pthread_mutex_lock(&device->lock);
	if (is_alive(device) && device->queue.ready) {
		while (n < device->queue.size && (ret = handle_next(device)) > 0)
			n++;
		if (ret < 0)
			needs_reset(device);
		else if (ret > 0)
			eventfd_signal(source->fd);
	}
	pthread_mutex_unlock(&device->lock);
}

int virtio_init(struct virtio_device *device, int vm_fd, const struct guest_memory *memory,
		unsigned int slot)
{
	struct kvm_ioeventfd ioeventfd = {
		.addr = VIRTIO_MMIO_BASE + slot * VIRTIO_MMIO_SIZE + VIRTIO_MMIO_QUEUE_NOTIFY,
		.len = sizeof(uint32_t),
		.datamatch = 0,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};
	struct kvm_irqfd irqfd = { .gsi = VIRTIO_MMIO_GSI + slot };
	int ret;

	device->memory = memory;
	pthread_mutex_init(&device->lock, NULL);
	device->notification.handle = notified;
	device->notification.of_guest = true;
	ret = loop_add_eventfd(&device->notification);
	if (ret < 0)
		return ret;
	device->interrupt = eventfd(0, EFD_CLOEXEC);
	if (device->interrupt < 0)
		return -errno;

	ioeventfd.fd = device->notification.fd;
	irqfd.fd = device->interrupt;
	if (ioctl(vm_fd, KVM_IOEVENTFD, &ioeventfd) < 0 || ioctl(vm_fd, KVM_IRQFD, &irqfd) < 0)
		return -errno;
	return 0;
}

static void reset(struct virtio_device *device)
{
	device->accepted = 0;
	device->status = 0;
	device->interrupt_status = 0;
	device->features_page = 0;
	device->accept_page = 0;
	device->queue_selected = 0;
	virtqueue_reset(&device->queue);
}

void virtio_reset(struct virtio_device *device)
{
	pthread_mutex_lock(&device->lock);
	reset(device);
	pthread_mutex_unlock(&device->lock);
}

static bool features_are_fine(struct virtio_device *device)
{
	return !(device->accepted & ~device->offered) &&
	       (device->accepted & (1ULL << VIRTIO_F_VERSION_1)) &&
	       (!device->ops->accepts || device->ops->accepts(device, device->accepted));
}

void virtio_save(struct virtio_device *device, struct virtio_state *state)
{
	const struct virtqueue *queue = &device->queue;

	pthread_mutex_lock(&device->lock);
	*state = (struct virtio_state){
		.accepted = device->accepted,
		.status = device->status,
		.interrupt_status = device->interrupt_status,
		.generation = device->generation,
		.features_page = device->features_page,
		.accept_page = device->accept_page,
		.queue_selected = device->queue_selected,
		.queue_desc = queue->desc,
		.queue_avail = queue->avail,
		.queue_used = queue->used,
		.queue_size = queue->size,
		.queue_ready = queue->ready,
		.next_avail = queue->next_avail,
		.next_used = queue->next_used,
	};
	pthread_mutex_unlock(&device->lock);
}

static bool status_can_be(struct virtio_device *device)
{
	const uint32_t known = DRIVER_STATUS | VIRTIO_CONFIG_S_NEEDS_RESET;

	if (device->status & ~known)
		return false;
	if (device->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return features_are_fine(device);
	return !(device->status & VIRTIO_CONFIG_S_DRIVER_OK);
}

int virtio_restore(struct virtio_device *device, const struct virtio_state *state)
{
	struct virtqueue *queue = &device->queue;
	int ret = 0;

	pthread_mutex_lock(&device->lock);
	device->accepted = state->accepted;
	device->status = state->status;
	device->interrupt_status = state->interrupt_status;
	device->generation = state->generation;
	device->features_page = state->features_page;
	device->accept_page = state->accept_page;
	device->queue_selected = state->queue_selected;
	*queue = (struct virtqueue){
		.size = state->queue_size,
		.desc = state->queue_desc,
		.avail = state->queue_avail,
		.used = state->queue_used,
		.next_avail = state->next_avail,
		.next_used = state->next_used,
	};
	/* A queue that is not ready may have anything in it, as the driver may write it. */
	if (!status_can_be(device) || (state->queue_ready && !virtqueue_set_ready(queue))) {
		reset(device);
		ret = -EINVAL;
	}
	pthread_mutex_unlock(&device->lock);
	return ret;
}

/*
 * What the driver was told, and what it told us, may have been on its way: who is told
 * twice looks twice.
 */
void virtio_go_on(struct virtio_device *device)
{
	pthread_mutex_lock(&device->lock);
	if (device->interrupt_status)
		eventfd_signal(device->interrupt);
	eventfd_signal(device->notification.fd);
	pthread_mutex_unlock(&device->lock);
}

static void write_status(struct virtio_device *device, uint32_t value)
{
	if (!value) {
		reset(device);
		return;
	}
	/* Bits are set by the driver, and taken back only by a reset. */
	value = (value & DRIVER_STATUS) & ~device->status;
	if ((value & VIRTIO_CONFIG_S_FEATURES_OK) && !features_are_fine(device))
		value &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	if (!((device->status | value) & VIRTIO_CONFIG_S_FEATURES_OK))
		value &= ~VIRTIO_CONFIG_S_DRIVER_OK;
	device->status |= value;
}

static void accept_features(struct virtio_device *device, uint32_t value)
{
	if (device->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return;
	if (device->accept_page == 0)
		device->accepted = (device->accepted & ~0xffffffffULL) | value;
	else if (device->accept_page == 1)
		device->accepted = (device->accepted & 0xffffffffULL) | (uint64_t)value << 32;
	else if (value)
		needs_reset(device);
}

static void set_low(uint64_t *address, uint32_t value)
{
	*address = (*address & ~0xffffffffULL) | value;
}

static void set_high(uint64_t *address, uint32_t value)
{
	*address = (*address & 0xffffffffULL) | (uint64_t)value << 32;
}

/* The registers of the queue that is selected. */
static void write_queue(struct virtio_device *device, uint64_t offset, uint32_t value)
{
	struct virtqueue *queue = &device->queue;

	if (device->queue_selected)
		return;
	if (offset == VIRTIO_MMIO_QUEUE_READY && !value) {
		queue->ready = false;
		return;
	}
	/* It is fixed while it is in use (4.2.3.2). */
	if (queue->ready)
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		queue->size = value;
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		if (!virtqueue_set_ready(queue))
			needs_reset(device);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
		set_low(&queue->desc, value);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_high(&queue->desc, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
		set_low(&queue->avail, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_high(&queue->avail, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
		set_low(&queue->used, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_high(&queue->used, value);
		break;
	}
}

static void write_register(struct virtio_device *device, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		device->features_page = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		device->accept_page = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		accept_features(device, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		device->queue_selected = value;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		/* KVM takes those of queue 0, and there is no other. */
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		device->interrupt_status &= ~value;
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(device, value);
		break;
	default:
		write_queue(device, offset, value);
	}
}

static uint32_t read_register(const struct virtio_device *device, uint64_t offset)
{
	const bool selected = !device->queue_selected;

	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return 2;
	case VIRTIO_MMIO_DEVICE_ID:
		return device->ops->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return device->features_page < 2 ?
			device->offered >> (32 * device->features_page) : 0;
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return selected ? VIRTQUEUE_MAX_SIZE : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return selected && device->queue.ready;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return device->interrupt_status;
	case VIRTIO_MMIO_STATUS:
		return device->status;
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return device->generation;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		/* There is no shared memory (4.2.2). */
		return -1;
	default:
		return 0;
	}
}

static void read_config(struct virtio_device *device, uint64_t offset, void *data, uint32_t size)
{
	uint8_t config[256];
	uint32_t config_size = device->ops->config_size;

	if (offset >= config_size || size > config_size - offset)
		return;
	device->ops->read_config(device, config);
	memcpy(data, config + offset, size);
}

void virtio_read(struct virtio_device *device, uint64_t offset, void *data, uint32_t size)
{
	uint32_t value;

	memset(data, 0, size);
	pthread_mutex_lock(&device->lock);
	if (offset >= VIRTIO_MMIO_CONFIG) {
		read_config(device, offset - VIRTIO_MMIO_CONFIG, data, size);
	} else if (size == sizeof(value) && offset % sizeof(value) == 0) {
		value = read_register(device, offset);
		memcpy(data, &value, sizeof(value));
	}
	pthread_mutex_unlock(&device->lock);
}

void virtio_write(struct virtio_device *device, uint64_t offset, const void *data, uint32_t size)
{
	uint32_t value;

	/* Registers are 32 bits wide (4.2.2.2); no configuration space here is writable. */
	if (size != sizeof(value) || offset % sizeof(value) || offset >= VIRTIO_MMIO_CONFIG)
		return;
	memcpy(&value, data, sizeof(value));
	pthread_mutex_lock(&device->lock);
	write_register(device, offset, value);
	pthread_mutex_unlock(&device->lock);
}

void virtio_config_changed(struct virtio_device *device)
{
	pthread_mutex_lock(&device->lock);
	device->generation++;
	if (device->status & VIRTIO_CONFIG_S_DRIVER_OK)
		interrupt(device, VIRTIO_MMIO_INT_CONFIG);
	pthread_mutex_unlock(&device->lock);
}
