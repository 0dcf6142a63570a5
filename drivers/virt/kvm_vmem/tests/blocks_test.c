// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the region and its blocks: which geometries, sizes and requests
 * are valid, and how a range is cut at the memslots' borders.
 */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/sizes.h>

#include "../blocks.h"

/* No number of the tests is larger, so that memslots are as large as wanted. */
#define MAX_MEMSLOT_SIZE BIT_ULL(43)

/* A region may end there. */
#define LARGEST BIT_ULL(62)

struct init_case {
	const char *desc;
	u64 addr, region_size, block_size;
	int ret;
};

static const struct init_case init_cases[] = {
	{ "the smallest block", 0, SZ_1M, SZ_1M, 0 },
	{ "one block is the region", SZ_1G, SZ_1G, SZ_1G, 0 },
	{ "blocks as large as half of all", 0, BIT_ULL(61), BIT_ULL(61), 0 },
	{ "the last region of all", LARGEST - SZ_2M, SZ_2M, SZ_2M, 0 },
	{ "all there is", 0, LARGEST, SZ_1M, 0 },
	{ "no block size", 0, SZ_1G, 0, -EINVAL },
	{ "blocks of 1 byte", 0, SZ_1G, 1, -EINVAL },
	{ "blocks of 512 KiB", 0, SZ_1G, SZ_512K, -EINVAL },
	{ "blocks of 3 MiB", 0, 3ULL * SZ_1G, 3 * SZ_1M, -EINVAL },
	{ "the largest number as block size", 0, SZ_1G, U64_MAX, -EINVAL },
	{ "blocks larger than the region", 0, SZ_1G, SZ_2G, -EINVAL },
	{ "no region", 0, 0, SZ_2M, -EINVAL },
	{ "half a block", 0, SZ_1M, SZ_2M, -EINVAL },
	{ "one block and a half", SZ_2M, 3 * SZ_1M, SZ_2M, -EINVAL },
	{ "an address between blocks", SZ_1M, SZ_2M, SZ_2M, -EINVAL },
	{ "a region that ends at 2^64", -(u64)SZ_2M, SZ_2M, SZ_2M, -EOVERFLOW },
	{ "a region that wraps around", -(u64)SZ_2M, SZ_4M, SZ_2M, -EOVERFLOW },
	{ "a size that wraps around", SZ_2M, -(u64)SZ_2M, SZ_2M, -EOVERFLOW },
	{ "a region one block too high", LARGEST, SZ_2M, SZ_2M, -EOVERFLOW },
	{ "a region one block too long", 0, LARGEST + SZ_2M, SZ_2M,
	  -EOVERFLOW },
};

KUNIT_ARRAY_PARAM_DESC(init, init_cases, desc);

static void a_region_consists_of_aligned_blocks(struct kunit *test)
{
	const struct init_case *c = test->param_value;
	const struct kvm_vmem_grid before = { .addr = 1, .nb_memslots = 7 };
	struct kvm_vmem_grid grid = before;

	KUNIT_ASSERT_EQ(test, c->ret,
			kvm_vmem_grid_init(&grid, c->addr, c->region_size,
					   c->block_size));
	if (c->ret) {
		KUNIT_EXPECT_MEMEQ(test, &grid, &before, sizeof(grid));
		return;
	}
	KUNIT_EXPECT_EQ(test, c->addr, grid.addr);
	KUNIT_EXPECT_EQ(test, c->region_size, grid.region_size);
	KUNIT_EXPECT_EQ(test, c->block_size, kvm_vmem_grid_block_size(&grid));
	KUNIT_EXPECT_EQ(test, c->region_size,
			kvm_vmem_range_size(&grid, kvm_vmem_grid_all(&grid)));
}

/* Of a region of 4 GiB. */
struct size_case {
	const char *desc;
	u64 size;
	bool valid;
};

static const struct size_case size_cases[] = {
	{ "nothing", 0, true },
	{ "a block", SZ_2M, true },
	{ "all but a block", SZ_4G - SZ_2M, true },
	{ "the region", SZ_4G, true },
	{ "a byte", 1, false },
	{ "half a block", SZ_1M, false },
	{ "all but a byte", SZ_4G - 1, false },
	{ "a block too much", SZ_4G + SZ_2M, false },
	{ "a negative number", -(u64)SZ_2M, false },
	{ "the largest number", U64_MAX, false },
};

KUNIT_ARRAY_PARAM_DESC(size, size_cases, desc);

static void a_requested_size_is_whole_blocks_within_the_region(struct kunit *test)
{
	const struct size_case *c = test->param_value;
	struct kvm_vmem_grid grid;

	KUNIT_ASSERT_EQ(test, 0, kvm_vmem_grid_init(&grid, SZ_4G, SZ_4G, SZ_2M));
	KUNIT_EXPECT_EQ(test, c->valid, kvm_vmem_grid_size_valid(&grid, c->size));
}

struct usable_case {
	const char *desc;
	u64 region_size, block_size, requested_size, usable_size;
};

static const struct usable_case usable_cases[] = {
	{ "nothing of nothing", SZ_4G, SZ_2M, 0, 0 },
	{ "256 MiB more than a block", SZ_4G, SZ_2M, SZ_2M, SZ_256M + SZ_2M },
	{ "256 MiB more", SZ_4G, SZ_2M, SZ_1G, SZ_1G + SZ_256M },
	{ "all but a block", SZ_4G, SZ_2M, SZ_4G - SZ_256M - SZ_2M,
	  SZ_4G - SZ_2M },
	{ "just all", SZ_4G, SZ_2M, SZ_4G - SZ_256M, SZ_4G },
	{ "no more than all", SZ_4G, SZ_2M, SZ_4G, SZ_4G },
	{ "a region of less than 256 MiB", SZ_2M, SZ_1M, SZ_1M, SZ_2M },
	{ "blocks larger than 256 MiB", SZ_8G, SZ_1G, SZ_1G, SZ_2G },
	{ "all of such blocks", SZ_8G, SZ_1G, SZ_8G, SZ_8G },
	{ "the largest region", LARGEST, SZ_1M, LARGEST, LARGEST },
};

KUNIT_ARRAY_PARAM_DESC(usable, usable_cases, desc);

static void the_usable_region_is_256_mib_more_in_whole_blocks(struct kunit *test)
{
	const struct usable_case *c = test->param_value;
	struct kvm_vmem_grid grid;

	KUNIT_ASSERT_EQ(test, 0, kvm_vmem_grid_init(&grid, 0, c->region_size,
						    c->block_size));
	KUNIT_EXPECT_EQ(test, c->usable_size,
			kvm_vmem_grid_usable_size(&grid, c->requested_size));
}

/* Of a region of 4 GiB at 4 GiB, with blocks of 2 MiB. */
struct request_case {
	const char *desc;
	u64 usable_size, addr;
	u32 nb_blocks;
	bool valid;
	u64 first;
};

static const struct request_case request_cases[] = {
	{ "the first block", SZ_4G, SZ_4G, 1, true, 0 },
	{ "all blocks", SZ_4G, SZ_4G, 2048, true, 0 },
	{ "the last block", SZ_4G, SZ_8G - SZ_2M, 1, true, 2047 },
	{ "some blocks", SZ_4G, SZ_4G + 3 * SZ_2M, 7, true, 3 },
	{ "the last usable block", SZ_1G, SZ_4G + SZ_1G - SZ_2M, 1, true, 511 },
	{ "one block beyond what is usable", SZ_1G, SZ_4G + SZ_1G - SZ_2M, 2,
	  false },
	{ "behind what is usable", SZ_1G, SZ_4G + SZ_1G, 1, false },
	{ "behind the region", SZ_4G, SZ_8G, 1, false },
	{ "one block more than all", SZ_4G, SZ_4G, 2049, false },
	{ "nothing is usable", 0, SZ_4G, 1, false },
	{ "before the region", SZ_4G, SZ_4G - SZ_2M, 1, false },
	{ "from before the region", SZ_4G, SZ_4G - SZ_2M, 2, false },
	{ "address 0", SZ_4G, 0, 1, false },
	{ "no block", SZ_4G, SZ_4G, 0, false },
	{ "the middle of a block", SZ_4G, SZ_4G + SZ_1M, 1, false },
	{ "an odd address", SZ_4G, SZ_4G + 1, 1, false },
	{ "the last address", SZ_4G, U64_MAX, 1, false },
	{ "an end at 2^64", SZ_4G, -(u64)SZ_2M, 1, false },
	{ "an end beyond 2^64", SZ_4G, -(u64)SZ_2M, U32_MAX, false },
	{ "the most blocks", SZ_4G, SZ_4G, U32_MAX, false },
	{ "the most blocks from the last", SZ_4G, SZ_8G - SZ_2M, U32_MAX,
	  false },
	{ "the last block before 2^64", SZ_4G, U64_MAX - SZ_2M + 1, 1, false },
};

KUNIT_ARRAY_PARAM_DESC(request, request_cases, desc);

/* The request of the case, in a region. */
static void check_request(struct kunit *test, u64 addr, u64 region_size,
			  u64 block_size)
{
	const struct request_case *c = test->param_value;
	struct kvm_vmem_range range;
	struct kvm_vmem_grid grid;

	KUNIT_ASSERT_EQ(test, 0, kvm_vmem_grid_init(&grid, addr, region_size,
						    block_size));
	KUNIT_ASSERT_EQ(test, c->valid,
			kvm_vmem_grid_range(&grid, c->usable_size, c->addr,
					    c->nb_blocks, &range));
	if (!c->valid)
		return;
	KUNIT_EXPECT_EQ(test, c->first, range.first);
	KUNIT_EXPECT_EQ(test, c->nb_blocks, range.nb);
	KUNIT_EXPECT_EQ(test, c->addr - addr,
			kvm_vmem_range_offset(&grid, range));
	KUNIT_EXPECT_EQ(test, c->nb_blocks * block_size,
			kvm_vmem_range_size(&grid, range));
}

static void a_request_is_within_the_usable_region(struct kunit *test)
{
	check_request(test, SZ_4G, SZ_4G, SZ_2M);
}

/* Of the largest region of all, with the smallest blocks. */
static const struct request_case large_cases[] = {
	{ "the first block", LARGEST, 0, 1, true, 0 },
	{ "the most blocks", LARGEST, 0, U32_MAX, true, 0 },
	{ "the most blocks, up to the end", LARGEST,
	  LARGEST - (u64)U32_MAX * SZ_1M, U32_MAX, true,
	  BIT_ULL(42) - U32_MAX },
	{ "the most blocks, one beyond the end", LARGEST,
	  LARGEST - (u64)(U32_MAX - 1) * SZ_1M, U32_MAX, false },
	{ "the last block", LARGEST, LARGEST - SZ_1M, 1, true,
	  BIT_ULL(42) - 1 },
	{ "behind the last block", LARGEST, LARGEST, 1, false },
	{ "fewer blocks are usable than are asked for", SZ_1M, 0, U32_MAX,
	  false },
};

KUNIT_ARRAY_PARAM_DESC(large, large_cases, desc);

static void no_range_is_too_large_to_be_computed(struct kunit *test)
{
	check_request(test, 0, LARGEST, SZ_1M);
}

/* Memslots of 4 blocks, the last of 3. */
struct span_case {
	const char *desc;
	struct kvm_vmem_range range;
	unsigned int nb_spans;
	struct kvm_vmem_span spans[4];
};

static const struct span_case span_cases[] = {
	{ "nothing", { 0, 0 }, 0 },
	{ "the first block", { 0, 1 }, 1, { { 0, 0, 1 } } },
	{ "the last block", { 14, 1 }, 1, { { 3, 2, 1 } } },
	{ "a whole memslot", { 4, 4 }, 1, { { 1, 0, 4 } } },
	{ "the inside of a memslot", { 5, 2 }, 1, { { 1, 1, 2 } } },
	{ "up to a border", { 6, 2 }, 1, { { 1, 2, 2 } } },
	{ "across a border", { 3, 2 }, 2, { { 0, 3, 1 }, { 1, 0, 1 } } },
	{ "across two borders", { 3, 6 }, 3,
	  { { 0, 3, 1 }, { 1, 0, 4 }, { 2, 0, 1 } } },
	{ "everything", { 0, 15 }, 4,
	  { { 0, 0, 4 }, { 1, 0, 4 }, { 2, 0, 4 }, { 3, 0, 3 } } },
};

KUNIT_ARRAY_PARAM_DESC(span, span_cases, desc);

static void init_15_blocks(struct kunit *test, struct kvm_vmem_grid *grid)
{
	KUNIT_ASSERT_EQ(test, 0, kvm_vmem_grid_init(grid, 0, 15 * SZ_2M, SZ_2M));
	KUNIT_ASSERT_EQ(test, 0, kvm_vmem_grid_divide(grid, SZ_8M, 64,
						      MAX_MEMSLOT_SIZE));
}

static void a_range_is_cut_at_the_memslots_borders(struct kunit *test)
{
	const struct span_case *c = test->param_value;
	struct kvm_vmem_range rest = c->range;
	struct kvm_vmem_grid grid;
	struct kvm_vmem_span span;
	unsigned int i;

	init_15_blocks(test, &grid);
	for (i = 0; i < c->nb_spans; i++) {
		KUNIT_ASSERT_TRUE(test,
				  kvm_vmem_grid_next_span(&grid, &rest, &span));
		KUNIT_EXPECT_EQ(test, c->spans[i].memslot, span.memslot);
		KUNIT_EXPECT_EQ(test, c->spans[i].first, span.first);
		KUNIT_EXPECT_EQ(test, c->spans[i].nb, span.nb);
	}
	KUNIT_EXPECT_FALSE(test, kvm_vmem_grid_next_span(&grid, &rest, &span));
}

static void expect_spans_of(struct kunit *test, struct kvm_vmem_grid *grid,
			    struct kvm_vmem_range range)
{
	u64 at = range.first, end = range.first + range.nb;
	struct kvm_vmem_span span;

	while (kvm_vmem_grid_next_span(grid, &range, &span)) {
		KUNIT_EXPECT_EQ(test, at, span.memslot * 4 + span.first);
		KUNIT_EXPECT_GT(test, span.nb, 0);
		KUNIT_EXPECT_LE(test, span.first + span.nb,
				kvm_vmem_grid_blocks_of(grid, span.memslot));
		at += span.nb;
	}
	KUNIT_EXPECT_EQ(test, at, end);
}

static void the_spans_of_any_range_are_the_range(struct kunit *test)
{
	struct kvm_vmem_grid grid;
	u64 first, nb;

	init_15_blocks(test, &grid);
	for (first = 0; first < 15; first++)
		for (nb = 1; nb <= 15 - first; nb++)
			expect_spans_of(test, &grid,
					(struct kvm_vmem_range){ first, nb });
}

/* Where the numbers are largest: 2^42 blocks in 2^20 memslots. */
static void the_last_block_of_all_is_in_the_last_memslot(struct kunit *test)
{
	struct kvm_vmem_range range = { .first = BIT_ULL(42) - 5, .nb = 5 };
	struct kvm_vmem_grid grid;
	struct kvm_vmem_span span;

	KUNIT_ASSERT_EQ(test, 0, kvm_vmem_grid_init(&grid, 0, LARGEST, SZ_1M));
	KUNIT_ASSERT_EQ(test, 0, kvm_vmem_grid_divide(&grid, 0, 1, BIT_ULL(42)));
	KUNIT_ASSERT_TRUE(test, kvm_vmem_grid_next_span(&grid, &range, &span));
	KUNIT_EXPECT_EQ(test, BIT(20) - 1, span.memslot);
	KUNIT_EXPECT_EQ(test, BIT(22) - 5, span.first);
	KUNIT_EXPECT_EQ(test, 5, span.nb);
	KUNIT_EXPECT_FALSE(test, kvm_vmem_grid_next_span(&grid, &range, &span));
}

/* Memslots of one block each. */
static void a_memslot_may_be_a_block(struct kunit *test)
{
	struct kvm_vmem_range range = { .first = 3, .nb = 9 };
	struct kvm_vmem_grid grid;
	struct kvm_vmem_span span;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, kvm_vmem_grid_init(&grid, 0, 15 * SZ_2M, SZ_2M));
	KUNIT_ASSERT_EQ(test, 0, kvm_vmem_grid_divide(&grid, SZ_2M, 15,
						      MAX_MEMSLOT_SIZE));
	for (i = 3; i < 12; i++) {
		KUNIT_ASSERT_TRUE(test,
				  kvm_vmem_grid_next_span(&grid, &range, &span));
		KUNIT_EXPECT_EQ(test, i, span.memslot);
		KUNIT_EXPECT_EQ(test, 0, span.first);
		KUNIT_EXPECT_EQ(test, 1, span.nb);
	}
	KUNIT_EXPECT_FALSE(test, kvm_vmem_grid_next_span(&grid, &range, &span));
}

static struct kunit_case kvm_vmem_blocks_cases[] = {
	KUNIT_CASE_PARAM(a_region_consists_of_aligned_blocks, init_gen_params),
	KUNIT_CASE_PARAM(a_requested_size_is_whole_blocks_within_the_region,
			 size_gen_params),
	KUNIT_CASE_PARAM(the_usable_region_is_256_mib_more_in_whole_blocks,
			 usable_gen_params),
	KUNIT_CASE_PARAM(a_request_is_within_the_usable_region,
			 request_gen_params),
	KUNIT_CASE_PARAM(no_range_is_too_large_to_be_computed,
			 large_gen_params),
	KUNIT_CASE_PARAM(a_range_is_cut_at_the_memslots_borders,
			 span_gen_params),
	KUNIT_CASE(the_spans_of_any_range_are_the_range),
	KUNIT_CASE(the_last_block_of_all_is_in_the_last_memslot),
	KUNIT_CASE(a_memslot_may_be_a_block),
	{}
};

static struct kunit_suite kvm_vmem_blocks_suite = {
	.name = "kvm_vmem_blocks",
	.test_cases = kvm_vmem_blocks_cases,
};

kunit_test_suite(kvm_vmem_blocks_suite);
