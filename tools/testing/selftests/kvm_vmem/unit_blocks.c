// SPDX-License-Identifier: GPL-2.0
/*
 * The driver's arithmetic of blocks and memslots, built for the machine that
 * builds the driver: no kernel, no KVM, milliseconds.
 */
#include <kselftest_harness.h>

#include "blocks.h"

#define KB	(1ULL << 10)
#define MB	(1ULL << 20)
#define GB	(1ULL << 30)
#define TB	(1ULL << 40)

/* KVM takes 2^31 - 1 pages of 4 KiB. */
#define KVM_MAX	(8 * TB - 4 * KB)

FIXTURE(blocks) {
	struct kvm_vmem_grid grid;
	struct kvm_vmem_range range;
	struct kvm_vmem_span span;
};

FIXTURE_SETUP(blocks)
{
	ASSERT_EQ(0, kvm_vmem_grid_init(&self->grid, 4 * GB, 4 * GB, 2 * MB));
	ASSERT_EQ(0, kvm_vmem_grid_divide(&self->grid, 0, 4096, KVM_MAX));
}

FIXTURE_TEARDOWN(blocks)
{
}

static int init(struct kvm_vmem_grid *grid, u64 addr, u64 size, u64 block)
{
	return kvm_vmem_grid_init(grid, addr, size, block);
}

TEST_F(blocks, a_block_is_a_power_of_two_of_at_least_1_mib)
{
	ASSERT_EQ(0, init(&self->grid, 0, GB, MB));
	ASSERT_EQ(MB, kvm_vmem_grid_block_size(&self->grid));
	ASSERT_EQ(0, init(&self->grid, 0, GB, GB));
	ASSERT_EQ(-EINVAL, init(&self->grid, 0, GB, 0));
	ASSERT_EQ(-EINVAL, init(&self->grid, 0, GB, 512 * KB));
	ASSERT_EQ(-EINVAL, init(&self->grid, 0, 3 * GB, 3 * MB));
	ASSERT_EQ(-EINVAL, init(&self->grid, 0, GB, ~0ULL));
}

TEST_F(blocks, a_region_consists_of_aligned_blocks)
{
	ASSERT_EQ(0, init(&self->grid, 2 * MB, 2 * MB, 2 * MB));
	ASSERT_EQ(-EINVAL, init(&self->grid, MB, 2 * MB, 2 * MB));
	ASSERT_EQ(-EINVAL, init(&self->grid, 2 * MB, 3 * MB, 2 * MB));
	ASSERT_EQ(-EINVAL, init(&self->grid, 0, MB, 2 * MB));
	ASSERT_EQ(-EINVAL, init(&self->grid, 0, 0, 2 * MB));
	ASSERT_EQ(-EINVAL, init(&self->grid, 0, GB, 2 * GB));
}

TEST_F(blocks, a_region_that_overflows_is_EOVERFLOW)
{
	ASSERT_EQ(-EOVERFLOW, init(&self->grid, -2 * MB, 4 * MB, 2 * MB));
	ASSERT_EQ(-EOVERFLOW, init(&self->grid, -2 * MB, 2 * MB, 2 * MB));
	ASSERT_EQ(-EOVERFLOW, init(&self->grid, 2 * MB, -2 * MB, 2 * MB));
	ASSERT_EQ(-EOVERFLOW, init(&self->grid, 1ULL << 63, 2 * MB, 2 * MB));
}

static bool is_same(const struct kvm_vmem_grid *a, const struct kvm_vmem_grid *b)
{
	return a->addr == b->addr && a->region_size == b->region_size &&
	       a->block_shift == b->block_shift && a->memslot_shift == b->memslot_shift &&
	       a->nb_memslots == b->nb_memslots;
}

TEST_F(blocks, a_failed_call_leaves_the_grid_alone)
{
	struct kvm_vmem_grid before = self->grid;

	ASSERT_EQ(-EINVAL, init(&self->grid, 0, GB, 0));
	ASSERT_EQ(-EOVERFLOW, init(&self->grid, -2 * MB, 4 * MB, 2 * MB));
	ASSERT_EQ(-EINVAL,
		  kvm_vmem_grid_divide(&self->grid, 3 * GB, 4096, KVM_MAX));
	ASSERT_EQ(-ENOSPC,
		  kvm_vmem_grid_divide(&self->grid, GB, 3, KVM_MAX));
	ASSERT_TRUE(is_same(&before, &self->grid));
}

struct division {
	u64 region, block, memslot;
	unsigned int limit;
	int ret;
	u64 chosen;
	unsigned int nb;
};

static const struct division divisions[] = {
	/* At most one memslot per GiB. */
	{ 4 * GB, 2 * MB, 0, 4096, 0, GB, 4 },
	{ 4 * GB + 2 * MB, 2 * MB, 0, 4096, 0, GB, 5 },
	{ GB, 2 * MB, 0, 4096, 0, GB, 1 },
	{ 2 * MB, 2 * MB, 0, 4096, 0, GB, 1 },
	/* A block is never divided. */
	{ 8 * GB, 4 * GB, 0, 4096, 0, 4 * GB, 2 },
	/* The smallest power of two that keeps the limit. */
	{ TB, 2 * MB, 0, 4096, 0, GB, 1024 },
	{ TB, 2 * MB, 0, 1024, 0, GB, 1024 },
	{ TB, 2 * MB, 0, 1023, 0, 2 * GB, 512 },
	{ TB, 2 * MB, 0, 256, 0, 4 * GB, 256 },
	{ TB, 2 * MB, 0, 1, 0, TB, 1 },
	{ TB + 2 * MB, 2 * MB, 0, 1, 0, 2 * TB, 1 },
	{ 5 * GB, 2 * MB, 0, 3, 0, 2 * GB, 3 },
	/* KVM's own limit of a memslot comes before ours of their number. */
	{ 16 * TB, 2 * MB, 0, 1, 0, 4 * TB, 4 },
	{ 16 * TB, 2 * MB, 0, 3, 0, 4 * TB, 4 },
	{ 8 * TB, 2 * MB, 0, 1, 0, 4 * TB, 2 },
	/* An explicit size. */
	{ 4 * GB, 2 * MB, 2 * MB, 4096, 0, 2 * MB, 2048 },
	{ 4 * GB, 2 * MB, 128 * MB, 32, 0, 128 * MB, 32 },
	{ 4 * GB, 2 * MB, 128 * MB, 31, -ENOSPC },
	{ 4 * GB + 2 * MB, 2 * MB, 128 * MB, 32, -ENOSPC },
	{ 4 * GB, 2 * MB, 8 * GB, 4096, 0, 8 * GB, 1 },
	{ 4 * GB, 2 * MB, MB, 4096, -EINVAL },
	{ 4 * GB, 2 * MB, 3 * MB, 4096, -EINVAL },
	{ 4 * GB, 2 * MB, 8 * TB, 4096, -EINVAL },
	{ 4 * GB, 2 * MB, ~0ULL, 4096, -EINVAL },
	{ 16 * TB, 8 * TB, 0, 4096, -EINVAL },
};

TEST(a_region_is_divided_by_the_rules_of_setup)
{
	const struct division *d;
	struct kvm_vmem_grid grid;

	for (d = divisions; d < divisions + ARRAY_SIZE(divisions); d++) {
		ASSERT_EQ(0, init(&grid, 0, d->region, d->block));
		ASSERT_EQ(d->ret, kvm_vmem_grid_divide(&grid, d->memslot,
						       d->limit, KVM_MAX))
			TH_LOG("divisions[%td]", d - divisions);
		if (d->ret)
			continue;
		ASSERT_EQ(d->chosen, 1ULL << grid.memslot_shift)
			TH_LOG("divisions[%td]", d - divisions);
		ASSERT_EQ(d->nb, grid.nb_memslots)
			TH_LOG("divisions[%td]", d - divisions);
	}
}

TEST(the_memslots_of_a_group_cover_the_region_exactly)
{
	const struct division *d;
	struct kvm_vmem_grid grid;
	u64 covered, blocks;
	unsigned int i;

	for (d = divisions; d < divisions + ARRAY_SIZE(divisions); d++) {
		if (d->ret)
			continue;
		ASSERT_EQ(0, init(&grid, 0, d->region, d->block));
		ASSERT_EQ(0, kvm_vmem_grid_divide(&grid, d->memslot, d->limit,
						  KVM_MAX));
		covered = 0;
		blocks = 0;
		for (i = 0; i < grid.nb_memslots; i++) {
			ASSERT_EQ(covered, kvm_vmem_grid_offset(&grid, i));
			ASSERT_LT(0, kvm_vmem_grid_size_of(&grid, i));
			covered += kvm_vmem_grid_size_of(&grid, i);
			blocks += kvm_vmem_grid_blocks_of(&grid, i);
		}
		ASSERT_EQ(d->region, covered);
		ASSERT_EQ(d->region / d->block, blocks);
	}
}

TEST_F(blocks, the_last_memslot_may_be_smaller)
{
	ASSERT_EQ(0, init(&self->grid, 0, 3 * GB + 6 * MB, 2 * MB));
	ASSERT_EQ(0, kvm_vmem_grid_divide(&self->grid, 0, 4096, KVM_MAX));
	ASSERT_EQ(4, self->grid.nb_memslots);
	ASSERT_EQ(GB, kvm_vmem_grid_size_of(&self->grid, 2));
	ASSERT_EQ(6 * MB, kvm_vmem_grid_size_of(&self->grid, 3));
	ASSERT_EQ(3, kvm_vmem_grid_blocks_of(&self->grid, 3));
}

TEST_F(blocks, the_usable_region_is_256_mib_more_than_requested)
{
	const struct kvm_vmem_grid *grid = &self->grid;

	ASSERT_EQ(0, kvm_vmem_grid_usable_size(grid, 0));
	ASSERT_EQ(258 * MB, kvm_vmem_grid_usable_size(grid, 2 * MB));
	ASSERT_EQ(GB + 256 * MB, kvm_vmem_grid_usable_size(grid, GB));
	ASSERT_EQ(4 * GB - 2 * MB,
		  kvm_vmem_grid_usable_size(grid, 4 * GB - 258 * MB));
	ASSERT_EQ(4 * GB, kvm_vmem_grid_usable_size(grid, 4 * GB - 256 * MB));
	ASSERT_EQ(4 * GB, kvm_vmem_grid_usable_size(grid, 4 * GB));
}

TEST_F(blocks, the_usable_region_is_whole_blocks)
{
	ASSERT_EQ(0, init(&self->grid, 0, 8 * GB, GB));
	ASSERT_EQ(2 * GB, kvm_vmem_grid_usable_size(&self->grid, GB));
	ASSERT_EQ(8 * GB, kvm_vmem_grid_usable_size(&self->grid, 8 * GB));
}

TEST_F(blocks, a_requested_size_is_whole_blocks_within_the_region)
{
	const struct kvm_vmem_grid *grid = &self->grid;

	ASSERT_TRUE(kvm_vmem_grid_size_valid(grid, 0));
	ASSERT_TRUE(kvm_vmem_grid_size_valid(grid, 2 * MB));
	ASSERT_TRUE(kvm_vmem_grid_size_valid(grid, 4 * GB));
	ASSERT_FALSE(kvm_vmem_grid_size_valid(grid, 4 * GB + 2 * MB));
	ASSERT_FALSE(kvm_vmem_grid_size_valid(grid, MB));
	ASSERT_FALSE(kvm_vmem_grid_size_valid(grid, 1));
	ASSERT_FALSE(kvm_vmem_grid_size_valid(grid, -2 * MB));
	ASSERT_FALSE(kvm_vmem_grid_size_valid(grid, ~0ULL));
}

struct request {
	u64 usable, addr;
	u32 nb;
	bool valid;
	u64 first;
};

static const struct request requests[] = {
	{ 4 * GB, 4 * GB, 1, true, 0 },
	{ 4 * GB, 4 * GB, 2048, true, 0 },
	{ 4 * GB, 8 * GB - 2 * MB, 1, true, 2047 },
	{ 4 * GB, 4 * GB + 6 * MB, 7, true, 3 },
	{ GB, 5 * GB - 2 * MB, 1, true, 511 },
	/* Past the usable region, or the region. */
	{ GB, 5 * GB - 2 * MB, 2, false },
	{ GB, 5 * GB, 1, false },
	{ 4 * GB, 8 * GB, 1, false },
	{ 4 * GB, 4 * GB, 2049, false },
	{ 0, 4 * GB, 1, false },
	/* Before it. */
	{ 4 * GB, 4 * GB - 2 * MB, 1, false },
	{ 4 * GB, 0, 1, false },
	{ 4 * GB, 4 * GB - 2 * MB, 2, false },
	/* Not blocks. */
	{ 4 * GB, 4 * GB, 0, false },
	{ 4 * GB, 4 * GB + MB, 1, false },
	{ 4 * GB, 4 * GB + 1, 1, false },
	/* What overflows in a sum of 64 bits. */
	{ 4 * GB, -2 * MB, 1, false },
	{ 4 * GB, -2 * MB, ~0U, false },
	{ 4 * GB, 4 * GB, ~0U, false },
	{ 4 * GB, 8 * GB - 2 * MB, ~0U, false },
};

TEST_F(blocks, a_request_is_within_the_usable_region)
{
	const struct request *r;

	for (r = requests; r < requests + ARRAY_SIZE(requests); r++) {
		ASSERT_EQ(r->valid,
			  kvm_vmem_grid_range(&self->grid, r->usable, r->addr,
					      r->nb, &self->range))
			TH_LOG("requests[%td]", r - requests);
		if (!r->valid)
			continue;
		ASSERT_EQ(r->first, self->range.first);
		ASSERT_EQ(r->nb, self->range.nb);
	}
}

TEST_F(blocks, a_range_in_one_memslot_is_one_span)
{
	self->range = (struct kvm_vmem_range){ .first = 512 + 5, .nb = 507 };
	ASSERT_TRUE(kvm_vmem_grid_next_span(&self->grid, &self->range,
					    &self->span));
	ASSERT_EQ(1, self->span.memslot);
	ASSERT_EQ(5, self->span.first);
	ASSERT_EQ(507, self->span.nb);
	ASSERT_FALSE(kvm_vmem_grid_next_span(&self->grid, &self->range,
					     &self->span));
}

TEST_F(blocks, a_range_over_memslots_is_cut_at_their_borders)
{
	const struct kvm_vmem_span expected[] = {
		{ .memslot = 0, .first = 510, .nb = 2 },
		{ .memslot = 1, .first = 0, .nb = 512 },
		{ .memslot = 2, .first = 0, .nb = 3 },
	};
	unsigned int i;

	self->range = (struct kvm_vmem_range){ .first = 510, .nb = 517 };
	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		ASSERT_TRUE(kvm_vmem_grid_next_span(&self->grid, &self->range,
						    &self->span));
		ASSERT_EQ(expected[i].memslot, self->span.memslot);
		ASSERT_EQ(expected[i].first, self->span.first);
		ASSERT_EQ(expected[i].nb, self->span.nb);
	}
	ASSERT_FALSE(kvm_vmem_grid_next_span(&self->grid, &self->range,
					     &self->span));
}

TEST_F(blocks, the_spans_of_any_range_are_the_range)
{
	struct kvm_vmem_span *span = &self->span;
	struct kvm_vmem_range range;
	unsigned int blocks;
	u64 first, nb, at;

	/* Memslots of 4 blocks, the last of 3. */
	ASSERT_EQ(0, init(&self->grid, 0, 15 * 2 * MB, 2 * MB));
	ASSERT_EQ(0, kvm_vmem_grid_divide(&self->grid, 8 * MB, 64, KVM_MAX));
	for (first = 0; first < 15; first++) {
		for (nb = 1; nb <= 15 - first; nb++) {
			range = (struct kvm_vmem_range){ first, nb };
			at = first;
			while (kvm_vmem_grid_next_span(&self->grid, &range,
						       span)) {
				blocks = kvm_vmem_grid_blocks_of(&self->grid,
								 span->memslot);
				ASSERT_EQ(at, span->memslot * 4 + span->first);
				ASSERT_LT(0, span->nb);
				ASSERT_LE(span->first + span->nb, blocks);
				at += span->nb;
			}
			ASSERT_EQ(first + nb, at);
		}
	}
}

TEST_HARNESS_MAIN
