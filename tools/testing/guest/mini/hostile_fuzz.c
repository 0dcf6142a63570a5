// SPDX-License-Identifier: GPL-2.0
/*
 * Random rings: descriptors from values that matter, changed while the device
 * looks at them. Nothing is expected of it but to live. "seed=" of the command
 * line repeats a run, "n=" says how long it is.
 */
#include "hostile.h"

#define GROUP		"fuzz"
#define ROUNDS		300
#define CHANGES		40
#define NR_DESC		8

static uint64_t state;

/* xorshift64 */
static uint64_t random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t one_of(const uint64_t *values, unsigned int nr)
{
	return values[random() % nr];
}

#define pick(values) one_of(values, ARRAY_SIZE(values))

/* What a device may write is never this kernel's. */
static uint64_t random_addr(void)
{
	static const int64_t offsets[] = { -24, -16, -10, -8, -1, 0, 0, 1, 8, 2048 };
	static const enum place places[] = {
		IN_RAM, IN_RAM, IN_RAM, IN_RAM, PLUGGED, BLOCK_BORDER, PLUGGED_END, UNPLUGGED,
		UNUSABLE, REGION_START, REGION_END, MEMSLOT_BORDER, NOTHING, REGISTERS, ADDRESS_END,
	};
	enum place where = places[random() % ARRAY_SIZE(places)];
	int64_t offset = offsets[random() % ARRAY_SIZE(offsets)];

	return where == IN_RAM ? place(IN_RAM) + MiB + (random() % 4) * 4096 + offset :
				 place(where) + offset;
}

static struct vring_desc random_desc(void)
{
	static const uint64_t lengths[] = {
		0, 1, 2, 8, 9, 10, 10, 10, 16, 24, 24, 24, 4096, 1 << 20, 1U << 31, ~0U,
	};
	static const uint64_t flags[] = {
		0, VRING_DESC_F_NEXT, VRING_DESC_F_NEXT, VRING_DESC_F_WRITE, VRING_DESC_F_WRITE,
		VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, VRING_DESC_F_INDIRECT, 0xffff, 0xfff8,
	};
	static const uint64_t nexts[] = {
		0, 1, 2, 3, 4, 5, 6, 7, QUEUE_MOST - 1, QUEUE_MOST, 0xffff,
	};

	return (struct vring_desc){
		.addr = random_addr(), .len = pick(lengths), .flags = pick(flags),
		.next = pick(nexts),
	};
}

static void random_request(void)
{
	static const uint64_t types[] = { 0, 0, 1, 1, 2, 3, 3, 4, 0xffff };
	static const uint64_t counts[] = { 0, 1, 1, 2, 3, 16, 0xffff };
	struct virtio_mem_req *req = (struct virtio_mem_req *)(place(IN_RAM) + MiB +
								random() % 4 * 4096);

	req->type = pick(types);
	req->u.plug.addr = random() % 4 ? block(random() % 80) : random_addr();
	req->u.plug.nb_blocks = pick(counts);
}

static void change_something(struct virtio_device *dev)
{
	static const uint64_t heads[] = { 0, 1, 2, 3, 7, QUEUE_MOST - 1, QUEUE_MOST, 0xffff };

	switch (random() % 8) {
	case 0:
		random_request();
		break;
	case 1:
		dev->avail->ring[random() % dev->size] = pick(heads);
		break;
	case 2:
		if (random() % 64)
			WRITE_ONCE(dev->avail->idx, dev->avail->idx + 1);
		else
			WRITE_ONCE(dev->avail->idx, random());
		break;
	case 3:
		dev->avail->flags = random();
		break;
	default:
		dev->desc[random() % NR_DESC] = random_desc();
	}
	fence();
}

/* A good chain, of which then something is changed: it gets further. */
static void fuzz(struct virtio_device *dev)
{
	unsigned int i;

	vmem_prepare(VIRTIO_MEM_REQ_PLUG, block(random() % 70), 1 + random() % 3);
	if (dev == &rng) {
		dev->desc[0] = vmem.desc[1];
		dev->desc[0].addr = place(IN_RAM) + MiB;
	}
	for (i = random() % 4; i; i--)
		change_something(dev);
	virtio_submit(dev, random() % 4 ? 0 : random() % NR_DESC);
	for (i = random() % CHANGES; i; i--) {
		change_something(dev);
		if (!(random() % 8))
			virtio_notify(dev);
	}
	/* Too early for some, too late for others. */
	if (!(random() % 4))
		wait_us(random() % 500);
}

static void rings_do_no_harm(void)
{
	uint64_t i, seed = boot_number("seed", ticks()), rounds = boot_number("n", ROUNDS);

	state = seed | 1;
	print("mini: fuzz: seed=%llu\n", (unsigned long long)seed);
	for (i = 0; i < rounds; i++) {
		check(virtio_start(&vmem), "round %llu of seed %llu: does not start",
		      (unsigned long long)i, (unsigned long long)seed);
		if (i % 16 == 0) {
			check(vmem_unplug_all() == VIRTIO_MEM_RESP_ACK, "cannot unplug all");
			check(plug_places(), "cannot plug");
		}
		check(virtio_start(&rng), "round %llu of seed %llu: the other does not start",
		      (unsigned long long)i, (unsigned long long)seed);
		fuzz(random() % 4 ? &vmem : &rng);
	}
	check(virtio_start(&rng), "the other does not start again");
}

static const struct test tests[] = {
	{ "rings_do_no_harm", rings_do_no_harm },
};

void hostile_fuzz(void)
{
	run_tests(GROUP, tests, ARRAY_SIZE(tests));
}
