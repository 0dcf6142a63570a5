/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The geometry of a device: its region divided into blocks, the unit of
 * plugging, and into a grid of equal memslots, the unit of mapping. Pure
 * arithmetic: it knows neither KVM nor mm, and is tested on the build machine.
 */
#ifndef _KVM_VMEM_BLOCKS_H
#define _KVM_VMEM_BLOCKS_H

#include <linux/kernel.h>
#include <linux/types.h>

/**
 * struct kvm_vmem_grid - a region, divided
 * @addr: guest physical address of the region
 * @region_size: size of the region in bytes
 * @block_shift: log2 of the block size
 * @memslot_shift: log2 of the size of all memslots but the last
 * @nb_memslots: number of memslots
 *
 * Memslot i starts at offset i << @memslot_shift of the region, a block never
 * spans two memslots, and all offsets fit into 63 bits.
 */
struct kvm_vmem_grid {
	u64 addr;
	u64 region_size;
	unsigned int block_shift;
	unsigned int memslot_shift;
	unsigned int nb_memslots;
};

/**
 * struct kvm_vmem_range - consecutive blocks
 * @first: index in the region of the first block
 * @nb: number of blocks, not 0
 */
struct kvm_vmem_range {
	u64 first;
	u64 nb;
};

/**
 * struct kvm_vmem_span - the part of a range that lies in one memslot
 * @memslot: index of the memslot
 * @first: index in the memslot of the first block
 * @nb: number of blocks, not 0
 */
struct kvm_vmem_span {
	unsigned int memslot;
	unsigned int first;
	unsigned int nb;
};

int kvm_vmem_grid_init(struct kvm_vmem_grid *grid, u64 addr, u64 region_size,
		       u64 block_size);
int kvm_vmem_grid_divide(struct kvm_vmem_grid *grid, u64 memslot_size,
			 unsigned int limit, u64 max_memslot_size);
u64 kvm_vmem_grid_usable_size(const struct kvm_vmem_grid *grid,
			      u64 requested_size);
bool kvm_vmem_grid_size_valid(const struct kvm_vmem_grid *grid, u64 size);
bool kvm_vmem_grid_range(const struct kvm_vmem_grid *grid, u64 usable_size,
			 u64 addr, u32 nb_blocks, struct kvm_vmem_range *range);
bool kvm_vmem_grid_next_span(const struct kvm_vmem_grid *grid,
			     struct kvm_vmem_range *rest,
			     struct kvm_vmem_span *span);

static inline u64 kvm_vmem_grid_block_size(const struct kvm_vmem_grid *grid)
{
	return 1ULL << grid->block_shift;
}

static inline u64 kvm_vmem_grid_offset(const struct kvm_vmem_grid *grid,
				       unsigned int memslot)
{
	return (u64)memslot << grid->memslot_shift;
}

/* The last memslot may be smaller than the others. */
static inline u64 kvm_vmem_grid_size_of(const struct kvm_vmem_grid *grid,
					unsigned int memslot)
{
	u64 rest = grid->region_size - kvm_vmem_grid_offset(grid, memslot);

	return min_t(u64, rest, 1ULL << grid->memslot_shift);
}

static inline unsigned int
kvm_vmem_grid_blocks_of(const struct kvm_vmem_grid *grid, unsigned int memslot)
{
	return kvm_vmem_grid_size_of(grid, memslot) >> grid->block_shift;
}

/* Offset in the region of a range's first byte. */
static inline u64 kvm_vmem_range_offset(const struct kvm_vmem_grid *grid,
					struct kvm_vmem_range range)
{
	return range.first << grid->block_shift;
}

static inline u64 kvm_vmem_range_size(const struct kvm_vmem_grid *grid,
				      struct kvm_vmem_range range)
{
	return range.nb << grid->block_shift;
}

static inline struct kvm_vmem_range
kvm_vmem_grid_all(const struct kvm_vmem_grid *grid)
{
	return (struct kvm_vmem_range){
		.nb = grid->region_size >> grid->block_shift,
	};
}

#endif /* _KVM_VMEM_BLOCKS_H */
