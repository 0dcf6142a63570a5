/* SPDX-License-Identifier: GPL-2.0 */
/* The devices that there are: virtio-mem, and virtio-rng beside it. */
#ifndef MINI_DEVICES_H
#define MINI_DEVICES_H

#include <linux/virtio_mem.h>

#include "virtio.h"

/* No response: the device needs a reset, or is silent. */
#define NO_RESPONSE	(-1)

/* Of the virtio-mem device, in bytes; read by devices_init(). */
struct vmem_config {
	uint64_t block_size, addr, region_size, usable_region_size, plugged_size, requested_size;
};

extern struct virtio_device vmem, rng;
extern struct vmem_config config;

/* What vmem_request() uses; in the kernel's memory. */
extern struct virtio_mem_req request;
extern struct virtio_mem_resp response;

/* Finds and starts both. */
bool devices_init(void);

uint64_t vmem_config_field(size_t offset);
#define vmem_config(field) vmem_config_field(offsetof(struct virtio_mem_config, field))

/* The address of a block of the region, which counts from 0. */
uint64_t block(uint64_t n);

/* Fills in request, and the descriptors 0 and 1. */
void vmem_prepare(uint16_t type, uint64_t addr, uint16_t nb_blocks);

/* Returns VIRTIO_MEM_RESP_* or NO_RESPONSE. */
int vmem_request(uint16_t type, uint64_t addr, uint16_t nb_blocks);
int vmem_plug(uint64_t n, uint16_t nb_blocks);
int vmem_unplug(uint64_t n, uint16_t nb_blocks);
int vmem_unplug_all(void);

/* VIRTIO_MEM_STATE_*, or NO_RESPONSE if the response is no ACK. */
int vmem_state(uint64_t n, uint16_t nb_blocks);

/* Whether it hands out bytes, and not just zeros. */
bool rng_works(void);

#endif /* MINI_DEVICES_H */
