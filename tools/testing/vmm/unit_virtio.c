// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-vmm's MMIO transport, register by register. What is not initialized has a
 * pattern in it (see the makefile), which a guest must never see.
 */
#include <stdarg.h>

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "virtio.h"
#include "vmm.h"

#include <kselftest_harness.h>

#define CONFIG_SIZE	13
#define ID		42

void die(enum vmm_exit status, const char *format, ...)
{
	exit(status);
}

static void read_config(struct virtio_device *device, void *config)
{
	for (int i = 0; i < CONFIG_SIZE; i++)
		((uint8_t *)config)[i] = 0x10 + i;
}

static const struct virtio_ops ops = {
	.id = ID,
	.config_size = CONFIG_SIZE,
	.read_config = read_config,
};

FIXTURE(virtio) {
	struct guest_memory memory;
	struct virtio_device device;
};

FIXTURE_SETUP(virtio)
{
	self->device = (struct virtio_device){
		.ops = &ops, .memory = &self->memory, .offered = 1ULL << VIRTIO_F_VERSION_1,
	};
	ASSERT_EQ(0, pthread_mutex_init(&self->device.lock, NULL));
}

FIXTURE_TEARDOWN(virtio)
{
}

/* The bytes behind what is read are not touched. */
static uint64_t read_width(struct virtio_device *device, uint64_t offset, uint32_t width)
{
	uint8_t data[9];
	uint64_t value = 0;

	memset(data, 0xaa, sizeof(data));
	virtio_read(device, offset, data, width);
	if (data[width] != 0xaa)
		return ~0ULL;
	memcpy(&value, data, width);
	return value;
}

TEST_F(virtio, configuration_ends_where_it_ends)
{
	const uint32_t end = VIRTIO_MMIO_SIZE - VIRTIO_MMIO_CONFIG;
	uint32_t width, offset, i;
	uint64_t value, expected;

	for (width = 1; width <= 8; width *= 2) {
		for (offset = 0; offset + width <= end; offset++) {
			value = read_width(&self->device, VIRTIO_MMIO_CONFIG + offset, width);
			expected = 0;
			for (i = 0; i < width && offset + width <= CONFIG_SIZE; i++)
				expected |= (0x10ULL + offset + i) << (8 * i);
			ASSERT_EQ(expected, value)
				TH_LOG("%u bytes at %u", width, offset);
		}
	}
}

TEST_F(virtio, device_without_a_configuration_has_none)
{
	static const struct virtio_ops none = { .id = ID };
	uint32_t offset;

	self->device.ops = &none;
	for (offset = VIRTIO_MMIO_CONFIG; offset < VIRTIO_MMIO_SIZE; offset++)
		ASSERT_EQ(0, read_width(&self->device, offset, 1));
}

TEST_F(virtio, registers_are_read_by_32_bits)
{
	uint32_t width, offset;

	for (width = 1; width <= 8; width *= 2) {
		for (offset = 0; offset + width <= VIRTIO_MMIO_CONFIG; offset++) {
			if (width == 4 && offset % 4 == 0)
				continue;
			ASSERT_EQ(0, read_width(&self->device, offset, width))
				TH_LOG("%u bytes at 0x%03x", width, offset);
		}
	}
	ASSERT_EQ(0x74726976, read_width(&self->device, VIRTIO_MMIO_MAGIC_VALUE, 4));
	ASSERT_EQ(ID, read_width(&self->device, VIRTIO_MMIO_DEVICE_ID, 4));
}

/* Any values, anywhere: it stays a device, and a reset brings it back. */
TEST_F(virtio, random_writes_do_no_harm)
{
	static const uint64_t values[] = { 0, 1, 2, 8, 11, 15, VIRTQUEUE_MAX_SIZE };
	struct virtio_device *device = &self->device;
	uint32_t zero = 0, i, nb_agreed = 0, nb_ready = 0;
	uint64_t value;

	device->interrupt = -1;
	srandom(1);
	for (i = 0; i < 1000000; i++) {
		value = random() % 16 ? values[random() % ARRAY_SIZE(values)] :
					(uint64_t)random() << 32 | random() * 2;
		virtio_write(device, random() % 4 ? random() % 64 * 4 : random() % VIRTIO_MMIO_SIZE,
			     &value, 1 << random() % 4);
		if (random() % 16)
			continue;
		read_width(device, random() % (VIRTIO_MMIO_SIZE - 8), 1 << random() % 4);
		ASSERT_FALSE(device->queue.ready && device->queue.size > VIRTQUEUE_MAX_SIZE);
		nb_ready += device->queue.ready;
		nb_agreed += !!(device->status & VIRTIO_CONFIG_S_FEATURES_OK);
		ASSERT_FALSE((device->status & VIRTIO_CONFIG_S_FEATURES_OK) &&
			     (device->accepted != device->offered));
	}
	/* Else nothing of interest has been tried. */
	ASSERT_LT(100, nb_agreed);
	ASSERT_LT(100, nb_ready);
	virtio_write(device, VIRTIO_MMIO_STATUS, &zero, sizeof(zero));
	ASSERT_EQ(0, read_width(device, VIRTIO_MMIO_STATUS, 4));
	ASSERT_FALSE(device->queue.ready);
}

TEST_HARNESS_MAIN
