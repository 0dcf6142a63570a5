// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of what a device counts: plugged blocks, memslots by state, and
 * responses. The device has user backing without a file, and no address space to
 * be mapped into, so that KVM has no part in it.
 */
#include <kunit/resource.h>
#include <kunit/test.h>
#include <linux/cleanup.h>
#include <linux/sizes.h>
#include <linux/virtio_mem.h>

#include "../kvm_vmem.h"

/* Memslots of 4 blocks, the last of 3; the guest may plug 12 blocks. */
#define NB_BLOCKS 15
#define BLOCKS_PER_MEMSLOT 4
#define NB_REQUESTED 12
#define TEST_BLOCK_SIZE SZ_2M

enum step_op { END, PLUG, UNPLUG, UNPLUG_ALL, STATE };

/* A request, its response, and what the device counts afterwards. */
struct step {
	enum step_op op;
	u64 first;
	u32 nb;
	unsigned int response;
	unsigned int nb_plugged, nb_active, nb_idle;
	u16 state;
};

struct accounting_case {
	const char *desc;
	bool dynamic;
	struct step steps[8];
};

#define PLUGGED VIRTIO_MEM_STATE_PLUGGED
#define UNPLUGGED VIRTIO_MEM_STATE_UNPLUGGED
#define MIXED VIRTIO_MEM_STATE_MIXED

#define ACK VIRTIO_MEM_RESP_ACK
#define NACK VIRTIO_MEM_RESP_NACK
#define ERROR VIRTIO_MEM_RESP_ERROR

static const struct accounting_case accounting_cases[] = {
	{ "one block comes and goes", true, {
		{ PLUG, 0, 1, ACK, 1, 1, 0 },
		{ UNPLUG, 0, 1, ACK, 0, 0, 0 } } },
	{ "the last memslot is smaller", true, {
		{ PLUG, 12, 3, ACK, 3, 1, 0 },
		{ UNPLUG, 14, 1, ACK, 2, 1, 0 },
		{ UNPLUG, 12, 2, ACK, 0, 0, 0 } } },
	{ "a range across memslots", true, {
		{ PLUG, 3, 6, ACK, 6, 3, 0 },
		{ UNPLUG, 4, 4, ACK, 2, 2, 0 },
		{ PLUG, 4, 4, ACK, 6, 3, 0 },
		{ UNPLUG, 3, 6, ACK, 0, 0, 0 } } },
	{ "memslots filled one by one", true, {
		{ PLUG, 0, 4, ACK, 4, 1, 0 },
		{ PLUG, 4, 4, ACK, 8, 2, 0 },
		{ PLUG, 8, 4, ACK, 12, 3, 0 },
		{ UNPLUG, 4, 4, ACK, 8, 2, 0 },
		{ UNPLUG_ALL, 0, 0, ACK, 0, 0, 0 } } },
	{ "more than requested", true, {
		{ PLUG, 0, 13, NACK, 0, 0, 0 },
		{ PLUG, 0, 12, ACK, 12, 3, 0 },
		{ PLUG, 12, 1, NACK, 12, 3, 0 } } },
	{ "a block of the range is plugged", true, {
		{ PLUG, 5, 1, ACK, 1, 1, 0 },
		{ PLUG, 4, 4, ERROR, 1, 1, 0 },
		{ PLUG, 2, 4, ERROR, 1, 1, 0 },
		{ PLUG, 5, 1, ERROR, 1, 1, 0 } } },
	{ "a block of the range is unplugged", true, {
		{ UNPLUG, 0, 1, ERROR, 0, 0, 0 },
		{ PLUG, 4, 4, ACK, 4, 1, 0 },
		{ UNPLUG, 3, 2, ERROR, 4, 1, 0 },
		{ UNPLUG, 7, 2, ERROR, 4, 1, 0 } } },
	{ "a range that is not of the region", true, {
		{ PLUG, 15, 1, ERROR, 0, 0, 0 },
		{ PLUG, 14, 2, ERROR, 0, 0, 0 },
		{ PLUG, 0, 0, ERROR, 0, 0, 0 },
		{ UNPLUG, 15, 1, ERROR, 0, 0, 0 } } },
	{ "states, which change nothing", true, {
		{ STATE, 0, 15, ACK, 0, 0, 0, UNPLUGGED },
		{ PLUG, 3, 6, ACK, 6, 3, 0 },
		{ STATE, 3, 6, ACK, 6, 3, 0, PLUGGED },
		{ STATE, 2, 2, ACK, 6, 3, 0, MIXED },
		{ STATE, 8, 2, ACK, 6, 3, 0, MIXED },
		{ STATE, 9, 6, ACK, 6, 3, 0, UNPLUGGED },
		{ STATE, 14, 2, ERROR, 6, 3, 0 } } },
	{ "states of the last block", true, {
		{ PLUG, 14, 1, ACK, 1, 1, 0 },
		{ STATE, 14, 1, ACK, 1, 1, 0, PLUGGED },
		{ STATE, 13, 2, ACK, 1, 1, 0, MIXED },
		{ STATE, 12, 2, ACK, 1, 1, 0, UNPLUGGED },
		{ STATE, 15, 1, ERROR, 1, 1, 0 },
		{ STATE, 14, 0, ERROR, 1, 1, 0 } } },
	{ "one block of each memslot", true, {
		{ PLUG, 3, 1, ACK, 1, 1, 0 },
		{ PLUG, 4, 1, ACK, 2, 2, 0 },
		{ PLUG, 11, 1, ACK, 3, 3, 0 },
		{ PLUG, 12, 1, ACK, 4, 4, 0 },
		{ UNPLUG, 3, 2, ACK, 2, 2, 0 },
		{ UNPLUG, 11, 2, ACK, 0, 0, 0 } } },
	{ "nothing to unplug", true, {
		{ UNPLUG_ALL, 0, 0, ACK, 0, 0, 0 },
		{ UNPLUG_ALL, 0, 0, ACK, 0, 0, 0 } } },
	{ "what is requested may be plugged anew", true, {
		{ PLUG, 0, 12, ACK, 12, 3, 0 },
		{ UNPLUG, 11, 1, ACK, 11, 3, 0 },
		{ PLUG, 11, 2, NACK, 11, 3, 0 },
		{ PLUG, 14, 1, ACK, 12, 4, 0 },
		{ UNPLUG_ALL, 0, 0, ACK, 0, 0, 0 },
		{ PLUG, 3, 12, ACK, 12, 4, 0 } } },
	{ "memslots stay if they are not dynamic", false, {
		{ PLUG, 3, 2, ACK, 2, 2, 0 },
		{ UNPLUG, 3, 1, ACK, 1, 1, 1 },
		{ PLUG, 0, 1, ACK, 2, 2, 0 },
		{ UNPLUG_ALL, 0, 0, ACK, 0, 0, 2 },
		{ PLUG, 14, 1, ACK, 1, 1, 2 } } },
};

KUNIT_ARRAY_PARAM_DESC(accounting, accounting_cases, desc);

/* What is said of the device beside what it says. */
struct accounting {
	struct kvm_vmem *dev;
	bool plugged[NB_BLOCKS];
	u64 responses[KVM_VMEM_NR_COUNTERS];
};

static void destroy_device(void *arg)
{
	struct kvm_vmem *dev = arg;

	cancel_delayed_work_sync(&dev->retire_work);
	mutex_lock(&dev->lock);
	kvm_vmem_memslots_destroy(dev, false);
	mutex_unlock(&dev->lock);
	kvm_vmem_put(dev);
}

static struct kvm_vmem *create_device(struct kunit *test, bool dynamic)
{
	struct kvm_vmem *dev = kvm_vmem_create();

	KUNIT_ASSERT_NOT_NULL(test, dev);
	/* Neither sysfs nor KVM knows it: tell nobody, and retire nothing later. */
	dev->sysfs_gone = true;
	dev->retire_delay_ms = UINT_MAX;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, destroy_device,
							   dev));
	KUNIT_ASSERT_EQ(test, 0, kvm_vmem_grid_init(&dev->grid, SZ_4G,
						    NB_BLOCKS * TEST_BLOCK_SIZE,
						    TEST_BLOCK_SIZE));
	KUNIT_ASSERT_EQ(test, 0,
			kvm_vmem_grid_divide(&dev->grid,
					     BLOCKS_PER_MEMSLOT * TEST_BLOCK_SIZE,
					     64, SZ_1G));
	dev->setup_flags = KVM_VMEM_SETUP_USER_BACKING;
	if (dynamic)
		dev->setup_flags |= KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS |
				    KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE;
	dev->requested_size = NB_REQUESTED * TEST_BLOCK_SIZE;
	dev->usable_region_size =
		kvm_vmem_grid_usable_size(&dev->grid, dev->requested_size);
	return dev;
}

static void request(struct kunit *test, struct accounting *a,
		    const struct step *step)
{
	struct kvm_vmem_request req = {
		.addr = a->dev->grid.addr + step->first * TEST_BLOCK_SIZE,
		.nb_blocks = step->nb,
	};
	u32 first = step->first, nb = step->nb;
	int ret;

	switch (step->op) {
	case PLUG:
		ret = kvm_vmem_plug(a->dev, &req);
		break;
	case UNPLUG:
		ret = kvm_vmem_unplug(a->dev, &req);
		break;
	case STATE:
		ret = kvm_vmem_state(a->dev, &req);
		break;
	default:
		req.addr = 0;
		first = 0;
		nb = NB_BLOCKS;
		ret = kvm_vmem_unplug_all(a->dev, &req);
	}
	/* No assertions: they would not unlock. */
	KUNIT_EXPECT_EQ(test, 0, ret);
	KUNIT_EXPECT_EQ(test, step->response, req.out_response);
	a->responses[KVM_VMEM_COUNT_ACK + req.out_response]++;
	if (req.out_response != ACK)
		return;
	if (step->op == STATE)
		KUNIT_EXPECT_EQ(test, step->state, req.out_state);
	else
		memset(&a->plugged[first], step->op == PLUG, nb);
}

/* The blocks, one by one, and the memslots that have them. */
static void expect_blocks(struct kunit *test, struct accounting *a)
{
	u8 bitmap[DIV_ROUND_UP(NB_BLOCKS, BITS_PER_BYTE)];
	unsigned int in_memslot[BLOCKS_PER_MEMSLOT] = {};
	struct kvm_vmem_memslot *memslot;
	unsigned int i;

	kvm_vmem_memslots_get_bitmap(a->dev, kvm_vmem_grid_all(&a->dev->grid),
				     bitmap);
	for (i = 0; i < NB_BLOCKS; i++) {
		struct kvm_vmem_range block = { .first = i, .nb = 1 };

		in_memslot[i / BLOCKS_PER_MEMSLOT] += a->plugged[i];
		KUNIT_EXPECT_EQ(test, a->plugged[i],
				bitmap[i / BITS_PER_BYTE] >> i % BITS_PER_BYTE & 1);
		KUNIT_EXPECT_TRUE(test, kvm_vmem_memslots_all(a->dev, block,
							      a->plugged[i]));
		KUNIT_EXPECT_FALSE(test, kvm_vmem_memslots_all(a->dev, block,
							       !a->plugged[i]));
	}
	for (i = 0; i < a->dev->grid.nb_memslots; i++) {
		memslot = xa_load(&a->dev->memslots, i);
		KUNIT_EXPECT_EQ(test, in_memslot[i],
				memslot ? memslot->nb_plugged : 0);
	}
}

static void what_is_counted_is_what_is_there(struct kunit *test)
{
	const struct accounting_case *c = test->param_value;
	struct accounting a = { .dev = create_device(test, c->dynamic) };
	const struct step *step;

	guard(mutex)(&a.dev->lock);
	for (step = c->steps; step->op != END; step++) {
		request(test, &a, step);
		KUNIT_EXPECT_EQ(test, step->nb_plugged * (u64)TEST_BLOCK_SIZE,
				a.dev->size);
		KUNIT_EXPECT_EQ(test, step->nb_active, a.dev->nb_active);
		KUNIT_EXPECT_EQ(test, step->nb_idle, a.dev->nb_idle);
		expect_blocks(test, &a);
	}
	KUNIT_EXPECT_MEMEQ(test, a.responses, a.dev->counters,
			   sizeof(a.responses));
}

/* As much of the last byte as there is no block for is 0. */
static void expect_bitmap(struct kunit *test, struct kvm_vmem *dev, u16 blocks,
			  struct kvm_vmem_range range)
{
	u8 bitmap[DIV_ROUND_UP(NB_BLOCKS, BITS_PER_BYTE) + 1];
	u16 expected = blocks >> range.first & (BIT(range.nb) - 1);
	unsigned int nb_bytes = DIV_ROUND_UP(range.nb, BITS_PER_BYTE);

	memset(bitmap, 0xa5, sizeof(bitmap));
	kvm_vmem_memslots_get_bitmap(dev, range, bitmap);
	KUNIT_EXPECT_EQ(test, expected & 0xff, bitmap[0]);
	if (nb_bytes > 1)
		KUNIT_EXPECT_EQ(test, expected >> 8, bitmap[1]);
	KUNIT_EXPECT_EQ(test, 0xa5, bitmap[nb_bytes]);
}

static void the_bitmap_of_any_range_is_its_blocks(struct kunit *test)
{
	static const struct step steps[] = {
		{ PLUG, 0, 1, ACK }, { PLUG, 3, 4, ACK }, { PLUG, 12, 1, ACK },
		{ PLUG, 14, 1, ACK },
	};
	struct accounting a = { .dev = create_device(test, true) };
	u64 first, nb;
	unsigned int i;

	guard(mutex)(&a.dev->lock);
	for (i = 0; i < ARRAY_SIZE(steps); i++)
		request(test, &a, &steps[i]);
	for (first = 0; first < NB_BLOCKS; first++)
		for (nb = 1; nb <= NB_BLOCKS - first; nb++)
			expect_bitmap(test, a.dev, 0x5079,
				      (struct kvm_vmem_range){ first, nb });
}

static struct kunit_case kvm_vmem_accounting_cases[] = {
	KUNIT_CASE_PARAM(what_is_counted_is_what_is_there,
			 accounting_gen_params),
	KUNIT_CASE(the_bitmap_of_any_range_is_its_blocks),
	{}
};

static struct kunit_suite kvm_vmem_accounting_suite = {
	.name = "kvm_vmem_accounting",
	.test_cases = kvm_vmem_accounting_cases,
};

kunit_test_suite(kvm_vmem_accounting_suite);
