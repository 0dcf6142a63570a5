// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "incoming.h"
#include "vmm.h"

#define wrong(incoming, ...) stream_is_wrong(&(incoming)->reader, __VA_ARGS__)

static uint64_t length_of(const struct incoming *incoming)
{
	return incoming->reader.section.length;
}

static unsigned int instance_of(const struct incoming *incoming)
{
	return incoming->reader.section.instance;
}

static int misplaced(struct incoming *incoming)
{
	return wrong(incoming, "section %u of the stream, of type %u, is not where it should be",
		     incoming->reader.section.sequence, incoming->reader.section.type);
}

static int odd_length(struct incoming *incoming, const char *what)
{
	return wrong(incoming, "%s: %llu bytes is no length for it", what,
		     (unsigned long long)length_of(incoming));
}

static int compare(struct incoming *incoming, const char *what, uint64_t there, uint64_t here)
{
	if (there == here)
		return 0;
	return wrong(incoming, "%s is %llu there and %llu here", what, (unsigned long long)there,
		     (unsigned long long)here);
}

static int take_machine(struct incoming *incoming)
{
	const struct format_machine *here = &incoming->machine;
	const struct format_machine *there = (void *)incoming->reader.payload;
	int ret;

	if (incoming->stage != INCOMING_NOTHING)
		return misplaced(incoming);
	if (length_of(incoming) != sizeof(*there))
		return odd_length(incoming, "machine");
	ret = compare(incoming, "boot memory", there->memory_size, here->memory_size);
	if (ret == 0)
		ret = compare(incoming, "number of vCPUs", there->nb_cpus, here->nb_cpus);
	if (ret == 0)
		ret = compare(incoming, "number of virtio-mem devices", there->nb_vmems,
			      here->nb_vmems);
	if (ret == 0)
		ret = compare(incoming, "number of virtio devices", there->nb_devices,
			      here->nb_devices);
	for (unsigned int i = 0; i < here->nb_devices && ret == 0; i++)
		ret = compare(incoming, "kind of a virtio device", there->devices[i],
			      here->devices[i]);
	incoming->stage = INCOMING_VMEMS;
	return ret;
}

/* All that is plugged in a device is known when it is as much as the device said. */
static int finish_vmem(struct incoming *incoming)
{
	int ret;

	if (incoming->said.plugged_size)
		return 0;
	ret = incoming->ops->plug(incoming->owner, incoming->vmem, &incoming->said,
				  incoming->bitmap);
	free(incoming->bitmap);
	incoming->bitmap = NULL;
	if (ret < 0)
		return wrong(incoming, "virtio-mem device %u cannot be restored: %s",
			     incoming->vmem, strerror(-ret));
	incoming->vmem++;
	return 0;
}

static int check_vmem(struct incoming *incoming, const struct format_vmem *there,
		      const struct format_vmem *here)
{
	int ret;

	ret = compare(incoming, "address of virtio-mem", there->addr, here->addr);
	if (ret == 0)
		ret = compare(incoming, "region size of virtio-mem", there->region_size,
			      here->region_size);
	if (ret == 0)
		ret = compare(incoming, "block size of virtio-mem", there->block_size,
			      here->block_size);
	if (ret < 0)
		return ret;
	if (there->node != here->node)
		return wrong(incoming, "node of virtio-mem is %d there and %d here", there->node,
			     here->node);
	if (there->plugged_size % here->block_size || there->plugged_size > here->region_size)
		return wrong(incoming, "virtio-mem cannot have %llu bytes plugged",
			     (unsigned long long)there->plugged_size);
	return 0;
}

static int take_vmem(struct incoming *incoming)
{
	const struct format_vmem *here;
	int ret;

	if (incoming->stage != INCOMING_VMEMS || incoming->bitmap ||
	    incoming->vmem == incoming->machine.nb_vmems ||
	    instance_of(incoming) != incoming->vmem)
		return misplaced(incoming);
	if (length_of(incoming) != sizeof(incoming->said))
		return odd_length(incoming, "virtio-mem");
	here = &incoming->vmems[incoming->vmem];
	memcpy(&incoming->said, incoming->reader.payload, sizeof(incoming->said));
	ret = check_vmem(incoming, &incoming->said, here);
	if (ret < 0)
		return ret;
	incoming->next_block = 0;
	incoming->bitmap = calloc((here->region_size / here->block_size + 63) / 64,
				  sizeof(*incoming->bitmap));
	if (!incoming->bitmap)
		return wrong(incoming, "no memory");
	return finish_vmem(incoming);
}

static int take_run(struct incoming *incoming, const struct format_run *run)
{
	const struct format_vmem *here = &incoming->vmems[incoming->vmem];
	uint64_t nb_blocks = here->region_size / here->block_size;

	if (!run->nb_blocks || run->first_block < incoming->next_block ||
	    run->first_block >= nb_blocks || run->nb_blocks > nb_blocks - run->first_block)
		return wrong(incoming, "virtio-mem has no %llu blocks from block %llu on",
			     (unsigned long long)run->nb_blocks,
			     (unsigned long long)run->first_block);
	if (run->nb_blocks > incoming->said.plugged_size / here->block_size)
		return wrong(incoming, "virtio-mem has more blocks plugged than it said");
	incoming->said.plugged_size -= run->nb_blocks * here->block_size;
	incoming->next_block = run->first_block + run->nb_blocks;
	for (uint64_t i = run->first_block; i < incoming->next_block; i++)
		incoming->bitmap[i / 64] |= 1ULL << i % 64;
	return 0;
}

static int take_plugged(struct incoming *incoming)
{
	const struct format_run *runs = (void *)incoming->reader.payload;
	uint64_t nb = length_of(incoming) / sizeof(*runs);
	int ret = 0;

	if (!incoming->bitmap || instance_of(incoming) != incoming->vmem)
		return misplaced(incoming);
	if (!nb || length_of(incoming) % sizeof(*runs))
		return odd_length(incoming, "plugged blocks");
	for (uint64_t i = 0; i < nb && ret == 0; i++)
		ret = take_run(incoming, &runs[i]);
	return ret < 0 ? ret : finish_vmem(incoming);
}

static int take_round(struct incoming *incoming)
{
	const struct format_round *round = (void *)incoming->reader.payload;

	if (incoming->stage == INCOMING_VMEMS && incoming->vmem == incoming->machine.nb_vmems)
		incoming->stage = INCOMING_MEMORY;
	if (incoming->stage != INCOMING_MEMORY)
		return misplaced(incoming);
	if (length_of(incoming) != sizeof(*round))
		return odd_length(incoming, "round");
	return compare(incoming, "number of a round", round->number, incoming->nb_rounds++);
}

static int no_memory(struct incoming *incoming, uint64_t gpa, uint64_t size)
{
	return wrong(incoming, "the stream has %llu bytes of memory at 0x%llx, where there is none",
		     (unsigned long long)size, (unsigned long long)gpa);
}

static int take_pages(struct incoming *incoming)
{
	const struct format_pages *pages = (void *)incoming->reader.payload;
	uint64_t size = length_of(incoming) - sizeof(*pages);
	void *memory;

	if (incoming->stage != INCOMING_MEMORY)
		return misplaced(incoming);
	if (length_of(incoming) <= sizeof(*pages) || size % FORMAT_PAGE)
		return odd_length(incoming, "pages");
	if (pages->gpa % FORMAT_PAGE)
		return no_memory(incoming, pages->gpa, size);
	memory = incoming->ops->memory(incoming->owner, pages->gpa, size);
	if (!memory)
		return no_memory(incoming, pages->gpa, size);
	memcpy(memory, pages + 1, size);
	return 0;
}

static bool is_zero(const uint64_t *page)
{
	for (unsigned int i = 0; i < FORMAT_PAGE / sizeof(*page); i++)
		if (page[i])
			return false;
	return true;
}

/* Writing zeros to what nobody wrote to before would take memory. */
static int take_zeros(struct incoming *incoming)
{
	const struct format_zeros *zeros = (void *)incoming->reader.payload;
	char *memory;

	if (incoming->stage != INCOMING_MEMORY)
		return misplaced(incoming);
	if (length_of(incoming) != sizeof(*zeros))
		return odd_length(incoming, "zeros");
	if (zeros->gpa % FORMAT_PAGE || !zeros->nb_pages ||
	    zeros->nb_pages > UINT64_MAX / FORMAT_PAGE)
		return no_memory(incoming, zeros->gpa, 0);
	memory = incoming->ops->memory(incoming->owner, zeros->gpa, zeros->nb_pages * FORMAT_PAGE);
	if (!memory)
		return no_memory(incoming, zeros->gpa, zeros->nb_pages * FORMAT_PAGE);
	for (uint64_t i = 0; i < zeros->nb_pages; i++, memory += FORMAT_PAGE)
		if (!is_zero((uint64_t *)memory))
			memset(memory, 0, FORMAT_PAGE);
	return 0;
}

static int take_item(struct incoming *incoming, unsigned int i)
{
	const struct format_item *item = &format_items[i];
	unsigned int instance = instance_of(incoming);
	uint64_t length = length_of(incoming);

	if (incoming->stage == INCOMING_MEMORY)
		incoming->stage = INCOMING_STATE;
	if (incoming->stage != INCOMING_STATE ||
	    instance >= format_nb_instances(item, &incoming->machine) ||
	    incoming->has[i][instance])
		return misplaced(incoming);
	if (length % item->unit || length / item->unit > item->most ||
	    (item->most == 1 && length != item->unit))
		return odd_length(incoming, item->name);
	if (item->most > 1)
		*format_count(item, incoming->state, instance) = length / item->unit;
	memcpy(format_data(item, incoming->state, instance), incoming->reader.payload, length);
	incoming->has[i][instance] = true;
	return 0;
}

static int take_end(struct incoming *incoming)
{
	if (incoming->stage != INCOMING_STATE)
		return misplaced(incoming);
	if (length_of(incoming))
		return odd_length(incoming, "end");
	for (unsigned int i = 0; i < FORMAT_NB_ITEMS; i++) {
		const struct format_item *item = &format_items[i];

		for (unsigned int j = 0; j < format_nb_instances(item, &incoming->machine); j++)
			if (!incoming->has[i][j])
				return wrong(incoming, "the stream has no %s %u", item->name, j);
	}
	incoming->stage = INCOMING_END;
	return 0;
}

static int take(struct incoming *incoming)
{
	switch (incoming->reader.section.type) {
	case STREAM_MACHINE:
		return take_machine(incoming);
	case STREAM_VMEM:
		return take_vmem(incoming);
	case STREAM_PLUGGED:
		return take_plugged(incoming);
	case STREAM_ROUND:
		return take_round(incoming);
	case STREAM_PAGES:
		return take_pages(incoming);
	case STREAM_ZEROS:
		return take_zeros(incoming);
	case STREAM_END:
		return take_end(incoming);
	}
	for (unsigned int i = 0; i < FORMAT_NB_ITEMS; i++)
		if (incoming->reader.section.type == format_items[i].type)
			return take_item(incoming, i);
	return misplaced(incoming);
}

int incoming_read(struct incoming *incoming)
{
	int ret = stream_read_preface(&incoming->reader);

	while (ret == 0 && incoming->stage != INCOMING_END) {
		ret = stream_read(&incoming->reader);
		if (ret == 0)
			ret = take(incoming);
	}
	free(incoming->bitmap);
	incoming->bitmap = NULL;
	return ret;
}
