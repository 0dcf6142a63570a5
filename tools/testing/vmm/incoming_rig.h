/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine that a stream is for, in memory of this process: two vCPUs, boot memory, two
 * virtio-mem devices. And a tape, on which a stream is.
 */
#ifndef VMM_TEST_INCOMING_RIG_H
#define VMM_TEST_INCOMING_RIG_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "incoming.h"
#include "outgoing.h"
#include "vmm.h"

#define RIG_CPUS	2
#define RIG_VMEMS	2
#define RIG_DEVICES	3
#define RIG_RAM_SIZE	(128 * KIB)
#define RIG_BLOCK	(8 * KIB)
#define RIG_BLOCKS	70
#define RIG_REGION	(RIG_BLOCKS * RIG_BLOCK)
#define RIG_VMEM(i)	((4 + 4 * (i)) * GIB)

/* What there is of a stream, and how much of it was read. */
struct tape {
	uint8_t *data;
	size_t size;
	size_t at;
};

static inline int tape_write(void *owner, const void *data, size_t size)
{
	struct tape *tape = owner;
	uint8_t *more = realloc(tape->data, tape->size + size + 1);

	if (!more)
		return -ENOMEM;
	tape->data = more;
	if (size)
		memcpy(tape->data + tape->size, data, size);
	tape->size += size;
	return 0;
}

static inline int tape_read(void *owner, void *data, size_t size)
{
	struct tape *tape = owner;

	if (size > tape->size - tape->at)
		return -ENODATA;
	if (size)
		memcpy(data, tape->data + tape->at, size);
	tape->at += size;
	return 0;
}

/**
 * struct incoming_rig - the machine
 * @tape: The stream
 * @incoming: Its reader
 * @state: What it made of it
 * @ram: Boot memory
 * @regions: Memory of the devices
 * @plugged: Of the devices: the blocks that were plugged
 * @nb_plugs: How often a device was plugged
 */
struct incoming_rig {
	struct tape tape;
	struct incoming incoming;
	struct machine_state state;
	uint8_t *ram;
	uint8_t *regions[RIG_VMEMS];
	uint64_t plugged[RIG_VMEMS][(RIG_BLOCKS + 63) / 64];
	unsigned int nb_plugs;
};

static inline bool rig_is_plugged(const struct incoming_rig *rig, unsigned int vmem,
				  uint64_t block)
{
	return rig->plugged[vmem][block / 64] >> block % 64 & 1;
}

static inline int rig_plug(void *owner, unsigned int index, const struct format_vmem *vmem,
			   const uint64_t *bitmap)
{
	struct incoming_rig *rig = owner;

	memcpy(rig->plugged[index], bitmap, sizeof(rig->plugged[index]));
	rig->nb_plugs++;
	/* As a host that has not the memory. */
	return vmem->requested_size == UINT64_MAX ? -ENOMEM : 0;
}

static inline void *rig_memory(void *owner, uint64_t gpa, uint64_t size)
{
	struct incoming_rig *rig = owner;

	if (!size)
		abort();
	if (gpa < RIG_RAM_SIZE)
		return size <= RIG_RAM_SIZE - gpa ? rig->ram + gpa : NULL;
	for (unsigned int i = 0; i < RIG_VMEMS; i++) {
		uint64_t offset = gpa - RIG_VMEM(i);

		if (offset >= RIG_REGION || size > RIG_REGION - offset)
			continue;
		for (uint64_t at = offset / RIG_BLOCK; at * RIG_BLOCK < offset + size; at++)
			if (!rig_is_plugged(rig, i, at))
				return NULL;
		return rig->regions[i] + offset;
	}
	return NULL;
}

static const struct incoming_ops rig_ops = { .plug = rig_plug, .memory = rig_memory };

static const struct format_machine rig_machine = {
	.memory_size = RIG_RAM_SIZE,
	.nb_cpus = RIG_CPUS,
	.nb_vmems = RIG_VMEMS,
	.nb_devices = RIG_DEVICES,
	.devices = { 24, 24, 4 },
};

static inline struct format_vmem rig_vmem(unsigned int i)
{
	return (struct format_vmem){
		.addr = RIG_VMEM(i),
		.region_size = RIG_REGION,
		.block_size = RIG_BLOCK,
		.usable_region_size = RIG_REGION,
		.node = (int)i - 1,
	};
}

/* A machine to which nothing has come; @state is as it was. */
static inline bool incoming_rig_reset(struct incoming_rig *rig)
{
	memset(&rig->incoming, 0, sizeof(rig->incoming));
	memset(rig->plugged, 0, sizeof(rig->plugged));
	rig->nb_plugs = 0;
	rig->tape.at = 0;
	rig->incoming.reader.read = tape_read;
	rig->incoming.reader.owner = &rig->tape;
	rig->incoming.ops = &rig_ops;
	rig->incoming.owner = rig;
	rig->incoming.machine = rig_machine;
	rig->incoming.state = &rig->state;
	for (unsigned int i = 0; i < RIG_VMEMS; i++) {
		rig->incoming.vmems[i] = rig_vmem(i);
		free(rig->regions[i]);
		rig->regions[i] = calloc(1, RIG_REGION);
	}
	free(rig->ram);
	rig->ram = calloc(1, RIG_RAM_SIZE);
	return rig->ram && rig->regions[0] && rig->regions[1];
}

static inline void incoming_rig_destroy(struct incoming_rig *rig)
{
	free(rig->tape.data);
	free(rig->ram);
	for (unsigned int i = 0; i < RIG_VMEMS; i++)
		free(rig->regions[i]);
}

static const struct format_run rig_runs[] = { { 0, 2 }, { 5, 1 }, { 63, 3 }, { 69, 1 } };

#define RIG_NB_PLUGGED	7

/* Different bytes everywhere, so that nothing that goes astray looks right. */
static inline void rig_fill(void *data, size_t size, unsigned int seed)
{
	uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		bytes[i] = seed + i * 31 + (i >> 8) * 7;
}

static inline void rig_fill_state(struct machine_state *state)
{
	rig_fill(state, sizeof(*state), 1);
	for (unsigned int i = 0; i < OPTIONS_MAX_CPUS; i++) {
		state->cpus[i].cpuid.nent = 3 + i;
		state->cpus[i].nested_size = i ? 4224 : 0;
		state->cpus[i].msrs.nmsrs = 5 + i;
	}
}

static inline int rig_write_pages(struct stream_writer *writer, uint64_t gpa, unsigned int nb)
{
	static uint8_t data[sizeof(struct format_pages) + 4 * FORMAT_PAGE];

	rig_fill(data, sizeof(data), gpa >> 12);
	memcpy(data, &gpa, sizeof(gpa));
	return stream_write(writer, STREAM_PAGES, 0, data,
			    sizeof(struct format_pages) + nb * FORMAT_PAGE);
}

static inline int rig_write_vmem(struct stream_writer *writer, unsigned int index,
				 uint64_t nb_plugged)
{
	struct format_vmem vmem = rig_vmem(index);

	vmem.plugged_size = nb_plugged * RIG_BLOCK;
	vmem.requested_size = 3 * RIG_BLOCK;
	return outgoing_vmem(writer, index, &vmem);
}

/* The good stream. */
static inline int rig_write_stream(struct tape *tape, struct machine_state *state)
{
	struct stream_writer *writer = calloc(1, sizeof(*writer));
	struct format_zeros zeros = { .gpa = 8 * KIB, .nb_pages = 2 };
	int ret = 0;

	if (!writer)
		return -ENOMEM;
	writer->write = tape_write;
	writer->owner = tape;
	ret |= outgoing_machine(writer, &rig_machine);
	ret |= rig_write_vmem(writer, 0, RIG_NB_PLUGGED);
	ret |= outgoing_plugged(writer, 0, rig_runs, ARRAY_SIZE(rig_runs));
	ret |= rig_write_vmem(writer, 1, 0);
	ret |= stream_write(writer, STREAM_ROUND, 0, &(struct format_round){ 0 }, 8);
	ret |= rig_write_pages(writer, 0, 4);
	ret |= rig_write_pages(writer, RIG_VMEM(0) + 5 * RIG_BLOCK, 1);
	ret |= rig_write_pages(writer, RIG_VMEM(0) + RIG_REGION - 2 * FORMAT_PAGE, 2);
	ret |= stream_write(writer, STREAM_ROUND, 0, &(struct format_round){ 1 }, 8);
	ret |= stream_write(writer, STREAM_ZEROS, 0, &zeros, sizeof(zeros));
	ret |= outgoing_state(writer, &rig_machine, state);
	free(writer);
	return ret;
}

#endif /* VMM_TEST_INCOMING_RIG_H */
