// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of what the devices of a VM share: memslot ids, guest physical addresses,
 * and the limit to the number of memslots. There is no KVM behind the VM.
 */
#include <kunit/resource.h>
#include <kunit/test.h>
#include <linux/cleanup.h>
#include <linux/sizes.h>

#include "../kvm_vmem.h"

#define NR_DEVICES 4
#define NR_IDS 100
#define SLOT SZ_2M
#define AUTO KVM_VMEM_MEMSLOT_ID_AUTO

enum step_op { END, CLAIM, UNCLAIM };

/* Of a device: where its region begins, in memslots of a block, and how many it has. */
struct step {
	enum step_op op;
	unsigned int device;
	unsigned int addr, nb;
	unsigned int first_id;
	int ret;
	unsigned int claimed_id;
};

struct claims_case {
	const char *desc;
	struct step steps[7];
};

static const struct claims_case claims_cases[] = {
	{ "from the top downwards", {
		{ CLAIM, 0, 0, 10, AUTO, 0, 90 },
		{ CLAIM, 1, 10, 5, AUTO, 0, 85 },
		{ CLAIM, 2, 20, 1, AUTO, 0, 84 } } },
	{ "the highest gap that is large enough", {
		{ CLAIM, 0, 0, 5, 93, 0, 93 },
		{ CLAIM, 1, 10, 5, 78, 0, 78 },
		{ CLAIM, 2, 20, 10, AUTO, 0, 83 },
		{ CLAIM, 3, 30, 10, AUTO, 0, 68 } } },
	{ "a gap that is just large enough", {
		{ CLAIM, 0, 0, 1, 99, 0, 99 },
		{ CLAIM, 1, 10, 1, 88, 0, 88 },
		{ CLAIM, 2, 20, 10, AUTO, 0, 89 },
		{ CLAIM, 3, 30, 88, AUTO, 0, 0 } } },
	{ "all ids there are", {
		{ CLAIM, 0, 0, NR_IDS, AUTO, 0, 0 },
		{ CLAIM, 1, 200, 1, AUTO, -ENOSPC },
		{ CLAIM, 1, 200, 1, NR_IDS, -EINVAL },
		{ CLAIM, 1, 200, 1, NR_IDS - 1, -EEXIST } } },
	{ "one id more than there are", {
		{ CLAIM, 0, 0, NR_IDS + 1, AUTO, -ENOSPC },
		{ CLAIM, 0, 0, NR_IDS + 1, 0, -EINVAL } } },
	{ "one id more than are left", {
		{ CLAIM, 0, 0, 40, 60, 0, 60 },
		{ CLAIM, 1, 50, 61, AUTO, -ENOSPC },
		{ CLAIM, 1, 50, 60, AUTO, 0, 0 } } },
	{ "ids up to the last", {
		{ CLAIM, 0, 0, 2, NR_IDS - 1, -EINVAL },
		{ CLAIM, 0, 0, 1, NR_IDS - 1, 0, NR_IDS - 1 },
		{ CLAIM, 1, 10, 1, NR_IDS, -EINVAL },
		{ CLAIM, 1, 10, 1, AUTO - 1, -EINVAL },
		{ CLAIM, 1, 10, 2, NR_IDS - 3, 0, NR_IDS - 3 } } },
	{ "ids of another device", {
		{ CLAIM, 0, 0, 10, 10, 0, 10 },
		{ CLAIM, 1, 50, 1, 19, -EEXIST },
		{ CLAIM, 1, 50, 6, 5, -EEXIST },
		{ CLAIM, 1, 50, 30, 0, -EEXIST },
		{ CLAIM, 1, 50, 2, 14, -EEXIST },
		{ CLAIM, 1, 50, 5, 5, 0, 5 },
		{ CLAIM, 2, 60, 5, 20, 0, 20 } } },
	{ "addresses of another device", {
		{ CLAIM, 0, 10, 10, AUTO, 0, 90 },
		{ CLAIM, 1, 19, 5, AUTO, -EEXIST },
		{ CLAIM, 1, 5, 6, AUTO, -EEXIST },
		{ CLAIM, 1, 5, 30, AUTO, -EEXIST },
		{ CLAIM, 1, 14, 2, AUTO, -EEXIST },
		{ CLAIM, 1, 5, 5, AUTO, 0, 85 },
		{ CLAIM, 2, 20, 5, AUTO, 0, 80 } } },
	{ "what was given back", {
		{ CLAIM, 0, 0, 60, AUTO, 0, 40 },
		{ CLAIM, 1, 60, 60, AUTO, -ENOSPC },
		{ UNCLAIM, 0 },
		{ CLAIM, 1, 0, 60, AUTO, 0, 40 },
		{ CLAIM, 0, 60, 40, AUTO, 0, 0 } } },
	{ "a gap that was given back", {
		{ CLAIM, 0, 0, 10, AUTO, 0, 90 },
		{ CLAIM, 1, 10, 10, AUTO, 0, 80 },
		{ CLAIM, 2, 20, 10, AUTO, 0, 70 },
		{ UNCLAIM, 1 },
		{ CLAIM, 1, 30, 11, AUTO, 0, 59 },
		{ CLAIM, 3, 50, 10, AUTO, 0, 80 } } },
};

KUNIT_ARRAY_PARAM_DESC(claims, claims_cases, desc);

struct shared {
	struct kvm_vmem_vm vm;
	struct kvm_vmem *devices[NR_DEVICES];
};

static void put_device(void *dev)
{
	kvm_vmem_put(dev);
}

static struct kvm_vmem *create_device(struct kunit *test)
{
	struct kvm_vmem *dev = kvm_vmem_create();

	KUNIT_ASSERT_NOT_NULL(test, dev);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_device, dev));
	dev->setup_flags = KVM_VMEM_SETUP_USER_BACKING |
			   KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS |
			   KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE;
	return dev;
}

static struct shared *create_shared(struct kunit *test)
{
	struct shared *shared = kunit_kzalloc(test, sizeof(*shared), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, shared);
	INIT_LIST_HEAD(&shared->vm.claims);
	shared->vm.nr_memslot_ids = NR_IDS;
	for (i = 0; i < NR_DEVICES; i++)
		shared->devices[i] = create_device(test);
	return shared;
}

static int claim(struct shared *shared, const struct step *step)
{
	struct kvm_vmem *dev = shared->devices[step->device];
	int ret;

	guard(mutex)(&dev->lock);
	dev->fixed_memslot_size = true;
	ret = kvm_vmem_grid_init(&dev->grid, SZ_4G + (u64)step->addr * SLOT,
				 (u64)step->nb * SLOT, SLOT);
	if (!ret)
		ret = kvm_vmem_grid_divide(&dev->grid, SLOT, step->nb, SLOT);
	return ret ?: kvm_vmem_vm_claim(&shared->vm, dev, step->first_id);
}

/* As KVM's numbers are: of descending order, with no id in two of them. */
static void expect_order(struct kunit *test, struct shared *shared)
{
	struct kvm_vmem_claim *claim;
	unsigned int top = NR_IDS;

	list_for_each_entry(claim, &shared->vm.claims, node) {
		KUNIT_EXPECT_LE(test, claim->first_id + claim->nb_ids, top);
		top = claim->first_id;
	}
}

static void no_id_and_no_address_is_anothers(struct kunit *test)
{
	const struct claims_case *c = test->param_value;
	struct shared *shared = create_shared(test);
	const struct step *step;
	struct kvm_vmem *dev;

	for (step = c->steps; step < c->steps + ARRAY_SIZE(c->steps) &&
	     step->op != END; step++) {
		dev = shared->devices[step->device];
		if (step->op == UNCLAIM) {
			kvm_vmem_vm_unclaim(dev);
		} else {
			KUNIT_ASSERT_EQ(test, step->ret, claim(shared, step));
			if (!step->ret)
				KUNIT_EXPECT_EQ(test, step->claimed_id,
						dev->claim.first_id);
		}
		expect_order(test, shared);
	}
}

static unsigned int limit_before;

static void restore_limit(void *unused)
{
	kvm_vmem_memslot_limit = limit_before;
}

struct limit_case {
	const char *desc;
	u64 region_size;
	u64 memslot_size;
	unsigned int own_limit;
	int ret;
	unsigned int nb_memslots;
};

/* One after another, in a VM whose devices may have 8 memslots together. */
static const struct limit_case limit_cases[] = {
	{ "all that it wants", 4ULL * SZ_1G, 0, 0, 0, 4 },
	{ "no more than its own limit", 4ULL * SZ_1G, 0, 2, 0, 2 },
	{ "a size of its own that needs too many", 4ULL * SZ_1G, SZ_1G, 0, -ENOSPC },
	{ "what is left", 16ULL * SZ_1G, 0, 0, 0, 2 },
	{ "one, if nothing is left", 8ULL * SZ_1G, 0, 0, 0, 1 },
	{ "one of a size of its own, too", SZ_1G, SZ_1G, 0, 0, 1 },
	{ "two of them not", 2ULL * SZ_1G, SZ_1G, 0, -ENOSPC },
};

static int claim_with_limit(struct shared *shared, struct kvm_vmem *dev, u64 addr,
			    const struct limit_case *c)
{
	int ret;

	guard(mutex)(&dev->lock);
	dev->fixed_memslot_size = c->memslot_size;
	dev->memslot_limit = c->own_limit;
	ret = kvm_vmem_grid_init(&dev->grid, addr, c->region_size, SZ_2M);
	/* As SETUP does, which knows of no other device. */
	if (!ret)
		ret = kvm_vmem_grid_divide(&dev->grid, c->memslot_size, 8,
					   kvm_vmem_kvm_max_memslot_size());
	return ret ?: kvm_vmem_vm_claim(&shared->vm, dev, AUTO);
}

static void the_limit_is_shared(struct kunit *test)
{
	struct shared *shared = create_shared(test);
	u64 addr = SZ_4G;
	unsigned int i;

	limit_before = kvm_vmem_memslot_limit;
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, restore_limit, NULL));
	kvm_vmem_memslot_limit = 8;
	for (i = 0; i < ARRAY_SIZE(limit_cases); i++) {
		const struct limit_case *c = &limit_cases[i];
		struct kvm_vmem *dev = create_device(test);

		KUNIT_ASSERT_EQ_MSG(test, c->ret,
				    claim_with_limit(shared, dev, addr, c),
				    "%s", c->desc);
		if (!c->ret)
			KUNIT_EXPECT_EQ_MSG(test, c->nb_memslots,
					    dev->grid.nb_memslots, "%s",
					    c->desc);
		addr += c->region_size;
	}
}

static struct kunit_case kvm_vmem_claims_cases[] = {
	KUNIT_CASE_PARAM(no_id_and_no_address_is_anothers, claims_gen_params),
	KUNIT_CASE(the_limit_is_shared),
	{}
};

static struct kunit_suite kvm_vmem_claims_suite = {
	.name = "kvm_vmem_claims",
	.test_cases = kvm_vmem_claims_cases,
};

kunit_test_suite(kvm_vmem_claims_suite);
