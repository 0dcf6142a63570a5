// SPDX-License-Identifier: GPL-2.0
/*
 * The arithmetic of blocks and memslots. Every number here may come from a
 * buggy VMM or a hostile guest: nothing is computed before it is known not to
 * overflow.
 */
#include <linux/align.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/sizes.h>

#include "blocks.h"

/* QEMU's VIRTIO_MEM_MIN_BLOCK_SIZE: it keeps the tracking of blocks small. */
#define KVM_VMEM_MIN_BLOCK_SIZE SZ_1M

/* QEMU's VIRTIO_MEM_MIN_MEMSLOT_SIZE: "at most one memslot per GiB". */
#define KVM_VMEM_MIN_MEMSLOT_SIZE SZ_1G

/*
 * QEMU's VIRTIO_MEM_USABLE_EXTENT: Linux guests add memory in aligned memory
 * blocks of 128 MiB on x86 that must lie wholly within the usable region.
 */
#define KVM_VMEM_USABLE_EXTENT SZ_256M

/* Offsets and guest physical addresses stay clear of the sign bit. */
#define KVM_VMEM_MAX_END BIT_ULL(62)

static u64 nb_memslots(const struct kvm_vmem_grid *grid, unsigned int shift)
{
	return (grid->region_size + (1ULL << shift) - 1) >> shift;
}

/**
 * kvm_vmem_grid_init - set the region and its blocks
 * @grid: the grid; untouched on error
 * @addr: guest physical address of the region
 * @region_size: size of the region
 * @block_size: size of a block
 *
 * Return: 0, -EOVERFLOW if the region ends beyond all address spaces, -EINVAL
 * if a rule of KVM_VMEM_SETUP is broken.
 */
int kvm_vmem_grid_init(struct kvm_vmem_grid *grid, u64 addr, u64 region_size,
		       u64 block_size)
{
	u64 end;

	if (!is_power_of_2(block_size) || block_size < KVM_VMEM_MIN_BLOCK_SIZE)
		return -EINVAL;
	if (!region_size || !IS_ALIGNED(region_size, block_size) ||
	    !IS_ALIGNED(addr, block_size))
		return -EINVAL;
	if (check_add_overflow(addr, region_size, &end) ||
	    end > KVM_VMEM_MAX_END)
		return -EOVERFLOW;

	*grid = (struct kvm_vmem_grid){
		.addr = addr,
		.region_size = region_size,
		.block_shift = ilog2(block_size),
	};
	return 0;
}

/*
 * The smallest shift with which the region needs one memslot, or if KVM does
 * not take one that large, the largest shift that it takes.
 */
static unsigned int max_memslot_shift(const struct kvm_vmem_grid *grid,
				      u64 max_memslot_size)
{
	if (grid->region_size <= max_memslot_size)
		return ilog2(roundup_pow_of_two(grid->region_size));
	return ilog2(max_memslot_size);
}

/**
 * kvm_vmem_grid_divide - divide the region into memslots
 * @grid: an initialised grid; untouched on error
 * @memslot_size: size of a memslot; 0: decide
 * @limit: the most memslots to use, at least 1. It binds an explicit
 *	@memslot_size; a decided one comes as close to it as KVM's own largest
 *	memslot allows. 1 is what a device without dynamic memslots asks for
 * @max_memslot_size: size of the largest memslot that KVM takes
 *
 * Return: 0, -EINVAL if @memslot_size or the block size cannot be used, -ENOSPC
 * if @memslot_size needs more than @limit memslots.
 */
int kvm_vmem_grid_divide(struct kvm_vmem_grid *grid, u64 memslot_size,
			 unsigned int limit, u64 max_memslot_size)
{
	unsigned int max_shift = max_memslot_shift(grid, max_memslot_size);
	unsigned int shift;

	if (grid->block_shift > max_shift)
		return -EINVAL;

	if (memslot_size) {
		if (!is_power_of_2(memslot_size) ||
		    memslot_size > max_memslot_size ||
		    memslot_size < kvm_vmem_grid_block_size(grid))
			return -EINVAL;
		shift = ilog2(memslot_size);
		if (nb_memslots(grid, shift) > limit)
			return -ENOSPC;
	} else {
		shift = max_t(unsigned int, ilog2(KVM_VMEM_MIN_MEMSLOT_SIZE),
			      grid->block_shift);
		while (nb_memslots(grid, shift) > limit && shift < max_shift)
			shift++;
	}

	grid->memslot_shift = shift;
	grid->nb_memslots = nb_memslots(grid, shift);
	return 0;
}

/**
 * kvm_vmem_grid_usable_size - how much of the region a guest may use
 * @grid: the grid
 * @requested_size: a valid requested size
 *
 * Return: the usable region size that goes with @requested_size: QEMU's
 * virtio_mem_resize_usable_region().
 */
u64 kvm_vmem_grid_usable_size(const struct kvm_vmem_grid *grid,
			      u64 requested_size)
{
	u64 size;

	if (!requested_size)
		return 0;
	size = min_t(u64, requested_size + KVM_VMEM_USABLE_EXTENT,
		     grid->region_size);
	return ALIGN(size, kvm_vmem_grid_block_size(grid));
}

/**
 * kvm_vmem_grid_size_valid - can this be a requested size?
 * @grid: the grid
 * @size: any number
 *
 * Return: whether it is a multiple of the block size within the region.
 */
bool kvm_vmem_grid_size_valid(const struct kvm_vmem_grid *grid, u64 size)
{
	return size <= grid->region_size &&
	       IS_ALIGNED(size, kvm_vmem_grid_block_size(grid));
}

/**
 * kvm_vmem_grid_range - translate the range of a guest's request
 * @grid: the grid
 * @usable_size: usable region size
 * @addr: guest physical address
 * @nb_blocks: number of blocks
 * @range: result
 *
 * Return: whether the request is valid as to addresses: QEMU's
 * virtio_mem_valid_range().
 */
bool kvm_vmem_grid_range(const struct kvm_vmem_grid *grid, u64 usable_size,
			 u64 addr, u32 nb_blocks, struct kvm_vmem_range *range)
{
	u64 usable_blocks = usable_size >> grid->block_shift;

	if (!nb_blocks || addr < grid->addr ||
	    !IS_ALIGNED(addr, kvm_vmem_grid_block_size(grid)))
		return false;

	range->first = (addr - grid->addr) >> grid->block_shift;
	range->nb = nb_blocks;
	return range->nb <= usable_blocks &&
	       range->first <= usable_blocks - range->nb;
}

/**
 * kvm_vmem_grid_next_span - cut a range at the memslots' borders
 * @grid: a divided grid
 * @rest: what is left of the range; the span is taken off
 * @span: result
 *
 * Return: whether there was a span left.
 */
bool kvm_vmem_grid_next_span(const struct kvm_vmem_grid *grid,
			     struct kvm_vmem_range *rest,
			     struct kvm_vmem_span *span)
{
	unsigned int shift = grid->memslot_shift - grid->block_shift;
	u64 left_in_memslot;

	if (!rest->nb)
		return false;

	span->memslot = rest->first >> shift;
	span->first = rest->first & ((1ULL << shift) - 1);
	left_in_memslot = (1ULL << shift) - span->first;
	span->nb = min_t(u64, rest->nb, left_in_memslot);

	rest->first += span->nb;
	rest->nb -= span->nb;
	return true;
}
