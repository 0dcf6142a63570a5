// SPDX-License-Identifier: GPL-2.0
#include "devices.h"

struct virtio_device vmem, rng;
struct vmem_config config;
struct virtio_mem_req request;
struct virtio_mem_resp response;

static uint8_t random_bytes[64];

/* As the standard has it: 64 bits are read in two halves. */
uint64_t vmem_config_field(size_t offset)
{
	uint64_t low = virtio_read(&vmem, VIRTIO_MMIO_CONFIG + offset);

	return low | (uint64_t)virtio_read(&vmem, VIRTIO_MMIO_CONFIG + offset + 4) << 32;
}

bool devices_init(void)
{
	if (!virtio_find(&vmem, VIRTIO_ID_MEM) || !virtio_find(&rng, VIRTIO_ID_RNG))
		return false;
	vmem.features = VERSION_1 | 1ULL << VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE;
	rng.features = VERSION_1;
	if (!virtio_start(&vmem) || !virtio_start(&rng))
		return false;
	config.block_size = vmem_config(block_size);
	config.addr = vmem_config(addr);
	config.region_size = vmem_config(region_size);
	config.usable_region_size = vmem_config(usable_region_size);
	config.plugged_size = vmem_config(plugged_size);
	config.requested_size = vmem_config(requested_size);
	return config.block_size;
}

uint64_t block(uint64_t n)
{
	return config.addr + n * config.block_size;
}

void vmem_prepare(uint16_t type, uint64_t addr, uint16_t nb_blocks)
{
	memset(&request, 0, sizeof(request));
	memset(&response, 0xff, sizeof(response));
	request.type = type;
	request.u.plug.addr = addr;
	request.u.plug.nb_blocks = nb_blocks;
	vmem.desc[0] = (struct vring_desc){
		.addr = (uint64_t)&request, .len = sizeof(request),
		.flags = VRING_DESC_F_NEXT, .next = 1,
	};
	vmem.desc[1] = (struct vring_desc){
		.addr = (uint64_t)&response, .len = sizeof(response),
		.flags = VRING_DESC_F_WRITE,
	};
}

int vmem_request(uint16_t type, uint64_t addr, uint16_t nb_blocks)
{
	vmem_prepare(type, addr, nb_blocks);
	virtio_submit(&vmem, 0);
	if (!virtio_await(&vmem, vmem.avail->idx))
		return NO_RESPONSE;
	return response.type;
}

int vmem_plug(uint64_t n, uint16_t nb_blocks)
{
	return vmem_request(VIRTIO_MEM_REQ_PLUG, block(n), nb_blocks);
}

int vmem_unplug(uint64_t n, uint16_t nb_blocks)
{
	return vmem_request(VIRTIO_MEM_REQ_UNPLUG, block(n), nb_blocks);
}

int vmem_unplug_all(void)
{
	return vmem_request(VIRTIO_MEM_REQ_UNPLUG_ALL, 0, 0);
}

int vmem_state(uint64_t n, uint16_t nb_blocks)
{
	if (vmem_request(VIRTIO_MEM_REQ_STATE, block(n), nb_blocks) != VIRTIO_MEM_RESP_ACK)
		return NO_RESPONSE;
	return response.u.state.state;
}

bool rng_works(void)
{
	size_t i;

	memset(random_bytes, 0, sizeof(random_bytes));
	rng.desc[0] = (struct vring_desc){
		.addr = (uint64_t)random_bytes, .len = sizeof(random_bytes),
		.flags = VRING_DESC_F_WRITE,
	};
	virtio_submit(&rng, 0);
	if (!virtio_await(&rng, rng.avail->idx))
		return false;
	for (i = 0; i < sizeof(random_bytes); i++) {
		if (random_bytes[i])
			return true;
	}
	return false;
}
