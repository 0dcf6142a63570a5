// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-vmm's split virtqueue under libFuzzer: a driver that does anything, at any time,
 * also while the device looks at its rings. All memory is exactly as large as it is said
 * to be, so that ASan sees what is beyond it.
 */
#include "../rig.h"
#include "input.h"
#include "steps.h"

/* Of the run: rings and memory, what is left of the input, and whether there is a chain. */
static struct {
	struct rig rig;
	struct input *input;
	uint64_t plugged;
	unsigned int traps;
	bool popped;
} run;

static uint64_t take_address(void)
{
	static const uint64_t places[NB_PLACES] = {
		[PLACE_RAM] = RAM, [PLACE_RAM_END] = RAM + RAM_SIZE,
		[PLACE_HIGH] = HIGH, [PLACE_HIGH_END] = HIGH + HIGH_SIZE,
		[PLACE_PLUGGABLE] = PLUGGABLE, [PLACE_PLUGGED_END] = PLUGGABLE + PLUGGED_SIZE,
		[PLACE_PLUGGABLE_END] = PLUGGABLE + PLUGGABLE_SIZE,
	};
	uint8_t place = take8(run.input);

	return place < NB_PLACES ? places[place] + (int16_t)take16(run.input) :
				   take64(run.input);
}

/* What memory there is, reckoned in another way than memory.c's. */
static bool is_there(uint64_t gpa, uint64_t size, uint64_t start, uint64_t end)
{
	return gpa >= start && gpa < end && size <= end - gpa;
}

static char *find(uint64_t gpa, uint64_t size)
{
	if (is_there(gpa, size, RAM, RAM + RAM_SIZE))
		return run.rig.ram + (gpa - RAM);
	if (is_there(gpa, size, HIGH, HIGH + HIGH_SIZE))
		return run.rig.high + (gpa - HIGH);
	if (is_there(gpa, size, PLUGGABLE, PLUGGABLE + PLUGGED_SIZE))
		return run.rig.pluggable + (gpa - PLUGGABLE);
	return NULL;
}

/* The driver writes where there is memory. */
static void write_there(uint64_t gpa, const void *data, uint64_t size)
{
	char *at = find(gpa, size);

	if (at)
		memcpy(at, data, size);
}

static void describe(void)
{
	uint64_t at = run.rig.queue.desc + take8(run.input) * sizeof(struct vring_desc);
	struct vring_desc desc;

	desc.addr = take_address();
	desc.len = take32(run.input);
	desc.flags = take16(run.input);
	desc.next = take16(run.input);
	write_there(at, &desc, sizeof(desc));
}

static void set_ring(uint16_t flags, uint16_t index)
{
	struct vring_avail avail = { .flags = flags, .idx = index };

	write_there(run.rig.queue.avail, &avail, sizeof(avail));
}

static void offer_chain(uint16_t head)
{
	uint64_t avail = run.rig.queue.avail;
	struct vring_avail now;

	if (!run.rig.queue.size || !find(avail, sizeof(now)))
		return;
	memcpy(&now, find(avail, sizeof(now)), sizeof(now));
	write_there(avail + sizeof(now) + now.idx % run.rig.queue.size * sizeof(head), &head,
		    sizeof(head));
	set_ring(now.flags, now.idx + 1);
}

static void poke(void)
{
	uint64_t gpa = take_address();
	uint8_t value = take8(run.input);

	write_there(gpa, &value, sizeof(value));
}

static void set_up_anew(void)
{
	struct virtqueue *queue = &run.rig.queue;

	virtqueue_reset(queue);
	queue->size = take16(run.input);
	queue->desc = take_address();
	queue->avail = take_address();
	queue->used = take_address();
	run.popped = false;
	must(!virtqueue_set_ready(queue) || queue->size <= VIRTQUEUE_MAX_SIZE);
}

static void driver_step(enum virtqueue_step step)
{
	uint16_t value;

	switch (step) {
	case QUEUE_DESCRIBE:
		describe();
		break;
	case QUEUE_OFFER:
		offer_chain(take16(run.input));
		break;
	case QUEUE_RING:
		value = take16(run.input);
		set_ring(value, take16(run.input));
		break;
	default:
		poke();
	}
}

/* What the device does to see whether memory may be touched; and the driver is as fast. */
static bool still_plugged(void *owner, uint64_t gpa, uint64_t size)
{
	for (; run.traps && run.input->size; run.traps--)
		driver_step(1 + take8(run.input) % (QUEUE_NB_DRIVER_STEPS - 1));
	return gpa + size <= PLUGGABLE + run.plugged;
}

static void check_chain(void)
{
	const struct virtqueue_chain *chain = &run.rig.chain;
	unsigned int nb = chain->nb_readable + chain->nb_writable;

	must(nb && nb <= run.rig.queue.size && chain->head < run.rig.queue.size);
	for (unsigned int i = 0; i < nb; i++)
		must(chain->buffers[i].size && find(chain->buffers[i].gpa, chain->buffers[i].size));
}

static void copy_chain(bool write)
{
	size_t size = take8(run.input);
	char *data = exactly(size);
	int ret;

	memset(data, 0x5a, size);
	if (write)
		ret = chain_write(&run.rig.chain, &run.rig.memory, data, size);
	else
		ret = chain_read(&run.rig.chain, &run.rig.memory, data, size);
	must(ret == -EPROTO || (ret >= 0 && (size_t)ret <= size));
	free(data);
}

static void device_step(enum virtqueue_step step)
{
	struct rig *rig = &run.rig;
	int ret;

	switch (step) {
	case QUEUE_POP:
		ret = pop(rig);
		must(ret == 1 || ret == 0 || ret == -EPROTO);
		if (ret == 1)
			check_chain();
		run.popped = ret == 1 || (ret == 0 && run.popped);
		break;
	case QUEUE_PUSH:
		if (run.popped)
			push(rig, take32(run.input));
		break;
	case QUEUE_READ:
	case QUEUE_WRITE:
		if (run.popped)
			copy_chain(step == QUEUE_WRITE);
		break;
	case QUEUE_UNPLUG:
		run.plugged = take8(run.input) % (PLUGGED_SIZE / KIB + 1) * KIB;
		break;
	default:
		run.traps = take8(run.input);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	memset(&run, 0, sizeof(run));
	must(rig_create(&run.rig));
	run.input = &input;
	run.plugged = PLUGGED_SIZE;
	run.rig.memory.ranges[2].accessible = still_plugged;
	while (input.size) {
		enum virtqueue_step step = take8(&input) % QUEUE_NB_STEPS;

		if (step == QUEUE_SET_UP)
			set_up_anew();
		else if (step < QUEUE_NB_DRIVER_STEPS)
			driver_step(step);
		else if (run.rig.queue.ready)
			device_step(step);
	}
	run.input = NULL;
	rig_destroy(&run.rig);
	return 0;
}
