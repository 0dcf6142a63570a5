// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#include "rng.h"
#include "vmm.h"

/* A driver gets no more at once, however large its buffer is. */
#define RNG_MOST 256

static int rng_handle(struct virtio_device *device, const struct virtqueue_chain *chain)
{
	char bytes[RNG_MOST];

	if (chain->nb_readable || !chain->nb_writable)
		return -EPROTO;
	/* Never short, up to 256 bytes. */
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return 0;
	return chain_write(chain, device->memory, bytes, sizeof(bytes));
}

static const struct virtio_ops rng_ops = {
	.id = VIRTIO_ID_RNG,
	.handle = rng_handle,
};

struct virtio_device *rng_new(void)
{
	struct virtio_device *device = calloc(1, sizeof(*device));

	if (!device)
		die(VMM_EXIT_FAILED, "no memory");
	device->ops = &rng_ops;
	device->offered = 1ULL << VIRTIO_F_VERSION_1;
	return device;
}
