// SPDX-License-Identifier: MIT
/* The state of a device that moves with its VM, and what of its memory to move. */
#define _GNU_SOURCE 1 /* SEEK_DATA */
#include <endian.h>
#include <unistd.h>

#include "call.h"

/* Blocks that are looked at together: a bitmap of 4 KiB. */
#define CHUNK_BLOCKS 32768
#define WORD_BITS 64

int kvm_vmem_freeze(int fd)
{
	return act(fd, KVM_VMEM_FREEZE, 0);
}

int kvm_vmem_thaw(int fd)
{
	return act(fd, KVM_VMEM_THAW, 0);
}

int kvm_vmem_get_bitmap(int fd, uint64_t first_block, uint64_t nb_blocks,
			uint64_t *bitmap)
{
	struct kvm_vmem_get_bitmap arg = {
		.size = sizeof(arg),
		.first_block = first_block,
		.nb_blocks = nb_blocks,
		.bitmap = (uintptr_t)bitmap,
	};

	return call(fd, KVM_VMEM_GET_BITMAP, &arg);
}

int kvm_vmem_set_bitmap(int fd, struct kvm_vmem_set_bitmap *set_bitmap)
{
	set_bitmap->size = sizeof(*set_bitmap);
	return call(fd, KVM_VMEM_SET_BITMAP, set_bitmap);
}

static int restore(int fd, const struct virtio_mem_config *config,
		   const uint64_t *bitmap)
{
	struct kvm_vmem_set_bitmap arg = {
		.addr = le64toh(config->addr),
		.region_size = le64toh(config->region_size),
		.block_size = le64toh(config->block_size),
		.usable_region_size = le64toh(config->usable_region_size),
		.node_id = le16toh(config->node_id),
		.bitmap = (uintptr_t)bitmap,
	};

	if (arg.block_size)
		arg.nb_blocks = arg.region_size / arg.block_size;
	return kvm_vmem_set_bitmap(fd, &arg);
}

/* More may be plugged than is requested: a guest that is asked to shrink. */
int kvm_vmem_restore(int fd, const struct virtio_mem_config *config,
		     const uint64_t *bitmap)
{
	uint64_t requested = le64toh(config->requested_size);
	uint64_t plugged = le64toh(config->plugged_size);
	struct virtio_mem_config before;
	int ret;

	ret = kvm_vmem_get_config(fd, &before);
	if (ret)
		return ret;
	ret = kvm_vmem_set_requested_size(fd, plugged > requested ? plugged :
								    requested);
	if (ret)
		return ret;
	ret = restore(fd, config, bitmap);
	if (ret)
		kvm_vmem_set_requested_size(fd, le64toh(before.requested_size));
	else
		ret = kvm_vmem_set_requested_size(fd, requested);
	return ret;
}

int kvm_vmem_set_dirty_log(int fd, uint32_t flags)
{
	return act(fd, KVM_VMEM_SET_DIRTY_LOG, flags);
}

int kvm_vmem_get_dirty_log(int fd, uint64_t first_page, uint64_t nb_pages,
			   uint64_t *bitmap, uint64_t *nb_dirty)
{
	struct kvm_vmem_get_dirty_log arg = {
		.size = sizeof(arg),
		.first_page = first_page,
		.nb_pages = nb_pages,
		.bitmap = (uintptr_t)bitmap,
	};
	int ret = call(fd, KVM_VMEM_GET_DIRTY_LOG, &arg);

	if (!ret)
		*nb_dirty = arg.out_nb_dirty;
	return ret;
}

/* The first bit at or after @bit that is @value, or @nb. Those beyond are 0. */
static uint64_t find_bit(const uint64_t *bitmap, uint64_t nb, uint64_t bit,
			 int value)
{
	uint64_t word;

	while (bit < nb) {
		word = value ? bitmap[bit / WORD_BITS] :
			       ~bitmap[bit / WORD_BITS];
		word >>= bit % WORD_BITS;
		if (word)
			return bit + __builtin_ctzll(word);
		bit += WORD_BITS - bit % WORD_BITS;
	}
	return nb;
}

/* A run may be cut where the next bitmap begins. */
static int next_run(int fd, uint64_t nb_blocks, uint64_t *first, uint64_t *end)
{
	uint64_t bitmap[CHUNK_BLOCKS / WORD_BITS];
	uint64_t nb, chunk, bit;
	int ret;

	for (chunk = *first; chunk < nb_blocks; chunk += nb) {
		nb = nb_blocks - chunk;
		if (nb > CHUNK_BLOCKS)
			nb = CHUNK_BLOCKS;
		ret = kvm_vmem_get_bitmap(fd, chunk, nb, bitmap);
		if (ret)
			return ret;
		bit = find_bit(bitmap, nb, 0, 1);
		if (bit == nb)
			continue;
		*first = chunk + bit;
		*end = chunk + find_bit(bitmap, nb, bit, 0);
		return 1;
	}
	return 0;
}

int kvm_vmem_next_plugged(int fd, uint64_t offset, uint64_t *start,
			  uint64_t *end)
{
	struct virtio_mem_config config;
	uint64_t block, first, last = 0;
	int ret;

	ret = kvm_vmem_get_config(fd, &config);
	if (ret)
		return ret;
	block = le64toh(config.block_size);
	first = offset / block;
	ret = next_run(fd, le64toh(config.region_size) / block, &first, &last);
	if (ret <= 0)
		return ret;
	*start = first * block > offset ? first * block : offset;
	*end = last * block;
	return ret;
}

static int64_t seek(int fd, uint64_t offset, int whence)
{
	int saved = errno;
	off_t found = lseek(fd, offset, whence);

	if (found < 0) {
		found = -errno;
		errno = saved;
	}
	return found;
}

int kvm_vmem_next_data(int fd, uint64_t offset, uint64_t *start, uint64_t *end)
{
	uint64_t first = 0, last = 0;
	int64_t data, hole;
	int ret;

	for (;; offset = data) {
		ret = kvm_vmem_next_plugged(fd, offset, &first, &last);
		if (ret <= 0)
			return ret;
		data = seek(fd, first, SEEK_DATA);
		if (data == -ENXIO)
			return 0;
		/* Of memory that is not the device's own nobody knows. */
		if (data == -ESPIPE) {
			data = first;
			hole = last;
			break;
		}
		if (data < 0)
			return data;
		if ((uint64_t)data >= last)
			continue;
		hole = seek(fd, data, SEEK_HOLE);
		/* Freed meanwhile; look again. */
		if (hole == -ENXIO)
			continue;
		if (hole < 0)
			return hole;
		break;
	}
	*start = data;
	*end = (uint64_t)hole < last ? (uint64_t)hole : last;
	return 1;
}
