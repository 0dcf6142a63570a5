// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of how a region is divided into memslots. */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/sizes.h>

#include "../blocks.h"

#define TB BIT_ULL(40)

/* KVM takes 2^31 - 1 pages of 4 KiB. */
#define KVM_MAX (8 * TB - SZ_4K)

/* The largest region there is. */
#define ALL BIT_ULL(62)

/* Of more memslots only the first and the last are looked at. */
#define MANY 4096

struct division_case {
	const char *desc;
	u64 region_size, block_size, memslot_size;
	unsigned int limit;
	int ret;
	u64 chosen_size;
	unsigned int nb_memslots;
};

static const struct division_case division_cases[] = {
	{ "one memslot per GiB", SZ_4G, SZ_2M, 0, 4096, 0, SZ_1G, 4 },
	{ "the last is smaller", SZ_4G + SZ_2M, SZ_2M, 0, 4096, 0, SZ_1G, 5 },
	{ "1 GiB", SZ_1G, SZ_2M, 0, 4096, 0, SZ_1G, 1 },
	{ "a block less than 1 GiB", SZ_1G - SZ_2M, SZ_2M, 0, 1, 0, SZ_1G, 1 },
	{ "a block more than 1 GiB", SZ_1G + SZ_2M, SZ_2M, 0, 2, 0, SZ_1G, 2 },
	{ "a single block", SZ_2M, SZ_2M, 0, 4096, 0, SZ_1G, 1 },
	{ "a block is never divided", SZ_8G, SZ_4G, 0, 4096, 0, SZ_4G, 2 },
	{ "far from the limit", TB, SZ_2M, 0, 4096, 0, SZ_1G, 1024 },
	{ "at the limit", TB, SZ_2M, 0, 1024, 0, SZ_1G, 1024 },
	{ "one past the limit", TB, SZ_2M, 0, 1023, 0, SZ_2G, 512 },
	{ "a block past the limit", TB + SZ_2M, SZ_2M, 0, 1024, 0, SZ_2G, 513 },
	{ "a limit of 256", TB, SZ_2M, 0, 256, 0, SZ_4G, 256 },
	{ "a limit of 3", 5ULL * SZ_1G, SZ_2M, 0, 3, 0, SZ_2G, 3 },
	{ "a limit of 1", TB, SZ_2M, 0, 1, 0, TB, 1 },
	{ "a limit of 1, a block more", TB + SZ_2M, SZ_2M, 0, 1, 0, 2 * TB, 1 },
	{ "no limit at all", TB, SZ_2M, 0, UINT_MAX, 0, SZ_1G, 1024 },
	{ "KVM's limit to a size binds first", 16 * TB, SZ_2M, 0, 1, 0, 4 * TB,
	  4 },
	{ "it binds before a limit of 3", 16 * TB, SZ_2M, 0, 3, 0, 4 * TB, 4 },
	{ "it just does not bind", 16 * TB, SZ_2M, 0, 4, 0, 4 * TB, 4 },
	{ "the next power of two is too much", 8 * TB, SZ_2M, 0, 1, 0, 4 * TB,
	  2 },
	{ "KVM's largest", 8 * TB - SZ_2M, SZ_2M, 0, 1, 0, 8 * TB, 1 },
	{ "KVM's largest, of the smallest blocks", 8 * TB - SZ_1M, SZ_1M, 0, 1,
	  0, 8 * TB, 1 },
	{ "all there is", ALL, SZ_1M, 0, 65535, 0, 4 * TB, BIT(20) },
	{ "all there is, of the largest blocks", ALL, 4 * TB, 0, 65535, 0,
	  4 * TB, BIT(20) },
	{ "blocks as large as the largest memslot", 8 * TB, 4 * TB, 0, 1, 0,
	  4 * TB, 2 },
	{ "a size of one block", SZ_4G, SZ_2M, SZ_2M, 4096, 0, SZ_2M, 2048 },
	{ "a size at the limit", SZ_4G, SZ_2M, SZ_128M, 32, 0, SZ_128M, 32 },
	{ "a size past the limit", SZ_4G, SZ_2M, SZ_128M, 31, -ENOSPC },
	{ "a size, a block past the limit", SZ_4G + SZ_2M, SZ_2M, SZ_128M, 32,
	  -ENOSPC },
	{ "a size larger than the region", SZ_4G, SZ_2M, SZ_8G, 1, 0, SZ_8G, 1 },
	{ "a size of the region, a limit of 1", SZ_4G, SZ_2M, SZ_4G, 1, 0, SZ_4G,
	  1 },
	{ "half the region, a limit of 1", SZ_4G, SZ_2M, SZ_2G, 1, -ENOSPC },
	{ "the largest size that KVM takes", 16 * TB, SZ_2M, 4 * TB, 4, 0,
	  4 * TB, 4 },
	{ "that size is larger than the region", SZ_1G, SZ_2M, 4 * TB, 1, 0,
	  4 * TB, 1 },
	{ "a size that leaves a single block", SZ_4G + SZ_1M, SZ_1M, SZ_4G, 2, 0,
	  SZ_4G, 2 },
	{ "as many memslots as can be counted", BIT_ULL(52) - SZ_1M, SZ_1M, SZ_1M,
	  UINT_MAX, 0, SZ_1M, UINT_MAX },
	{ "more memslots than can be counted", BIT_ULL(52), SZ_1M, SZ_1M,
	  UINT_MAX, -ENOSPC },
	{ "far more memslots than that", ALL, SZ_1M, SZ_1M, UINT_MAX, -ENOSPC },
	{ "a size smaller than a block", SZ_4G, SZ_2M, SZ_1M, 4096, -EINVAL },
	{ "a size of 3 MiB", SZ_4G, SZ_2M, 3 * SZ_1M, 4096, -EINVAL },
	{ "a size that KVM does not take", SZ_4G, SZ_2M, 8 * TB, 1, -EINVAL },
	{ "a size of 2^63", SZ_4G, SZ_2M, BIT_ULL(63), 1, -EINVAL },
	{ "the largest number as size", SZ_4G, SZ_2M, U64_MAX, 1, -EINVAL },
	{ "a block that KVM does not take", 16 * TB, 8 * TB, 0, 4096, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(division, division_cases, desc);

static void init_region(struct kunit *test, const struct division_case *c,
			struct kvm_vmem_grid *grid)
{
	KUNIT_ASSERT_EQ(test, 0, kvm_vmem_grid_init(grid, 0, c->region_size,
						    c->block_size));
}

static int divide(const struct division_case *c, struct kvm_vmem_grid *grid)
{
	return kvm_vmem_grid_divide(grid, c->memslot_size, c->limit, KVM_MAX);
}

static void a_region_is_divided_by_the_rules_of_setup(struct kunit *test)
{
	const struct division_case *c = test->param_value;
	struct kvm_vmem_grid grid, before;

	init_region(test, c, &grid);
	before = grid;
	KUNIT_ASSERT_EQ(test, c->ret, divide(c, &grid));
	if (c->ret) {
		KUNIT_EXPECT_MEMEQ(test, &grid, &before, sizeof(grid));
		return;
	}
	KUNIT_EXPECT_EQ(test, c->chosen_size, BIT_ULL(grid.memslot_shift));
	KUNIT_EXPECT_EQ(test, c->nb_memslots, grid.nb_memslots);
}

static void expect_memslot(struct kunit *test, const struct kvm_vmem_grid *grid,
			   unsigned int i)
{
	u64 offset = kvm_vmem_grid_offset(grid, i);
	u64 size = kvm_vmem_grid_size_of(grid, i);
	bool is_last = i == grid->nb_memslots - 1;

	KUNIT_EXPECT_EQ(test, (u64)i << grid->memslot_shift, offset);
	KUNIT_EXPECT_NE(test, size, 0);
	KUNIT_EXPECT_LE(test, size, KVM_MAX);
	KUNIT_EXPECT_EQ(test, is_last ? grid->region_size : offset + BIT_ULL(grid->memslot_shift),
			offset + size);
	KUNIT_EXPECT_EQ(test, size / kvm_vmem_grid_block_size(grid),
			kvm_vmem_grid_blocks_of(grid, i));
}

static void the_memslots_cover_the_region_exactly(struct kunit *test)
{
	const struct division_case *c = test->param_value;
	struct kvm_vmem_grid grid;
	unsigned int i;

	if (c->ret)
		return;
	init_region(test, c, &grid);
	KUNIT_ASSERT_EQ(test, 0, divide(c, &grid));
	for (i = 0; i < min_t(unsigned int, grid.nb_memslots, MANY); i++)
		expect_memslot(test, &grid, i);
	expect_memslot(test, &grid, grid.nb_memslots - 1);
}

static void a_divided_region_can_be_divided_anew(struct kunit *test)
{
	const struct division_case *c = test->param_value;
	struct kvm_vmem_grid grid, once;

	if (c->ret)
		return;
	init_region(test, c, &grid);
	KUNIT_ASSERT_EQ(test, 0, divide(c, &grid));
	once = grid;
	KUNIT_ASSERT_EQ(test, 0, kvm_vmem_grid_divide(&grid, 0, 1, KVM_MAX));
	KUNIT_ASSERT_EQ(test, 0, divide(c, &grid));
	KUNIT_EXPECT_MEMEQ(test, &once, &grid, sizeof(grid));
}

static struct kunit_case kvm_vmem_grid_cases[] = {
	KUNIT_CASE_PARAM(a_region_is_divided_by_the_rules_of_setup,
			 division_gen_params),
	KUNIT_CASE_PARAM(the_memslots_cover_the_region_exactly,
			 division_gen_params),
	KUNIT_CASE_PARAM(a_divided_region_can_be_divided_anew,
			 division_gen_params),
	{}
};

static struct kunit_suite kvm_vmem_grid_suite = {
	.name = "kvm_vmem_grid",
	.test_cases = kvm_vmem_grid_cases,
};

kunit_test_suite(kvm_vmem_grid_suite);
