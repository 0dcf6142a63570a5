// SPDX-License-Identifier: GPL-2.0
/* Random requests of guests, sizes that are asked for, and accesses to memory. */
#include "generate.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define MOST_TOUCHED	16	/* words a time, as each may bring a huge page */

static void spoil_request(struct generator *generator, const struct model_device *device,
			  struct op *op)
{
	switch (random_below(generator, 7)) {
	case 0:
		op->args[REQUEST_ADDR] += 1ULL << random_below(generator, 64);
		break;
	case 1:
		op->args[REQUEST_ADDR] = device->addr + device->usable;
		break;
	case 2:
		op->args[REQUEST_ADDR] = device->addr - device->block;
		break;
	case 3:
		op->args[REQUEST_NB] = random_number(generator) & UINT32_MAX;
		break;
	case 4:
		op->args[REQUEST_NB] = one_in(generator, 2) ? 0 : 65535;
		break;
	case 5:
		op->args[REQUEST_FLAGS] ^= 1ULL << random_below(generator, 32);
		break;
	default:
		op->args[REQUEST_ADDR] = random_number(generator);
	}
}

/* A block in the given state at or behind a random one. */
static uint64_t find_block(struct generator *generator, const struct model_device *device,
			   uint64_t nr, bool plugged)
{
	uint64_t i, block = random_below(generator, nr);

	assert(nr);
	for (i = 0; i < nr && device->plugged[(block + i) % nr] != plugged; i++)
		;
	return (block + i) % nr;
}

/* How many blocks from there on are in one state. */
static uint64_t run_of(const struct model_device *device, uint64_t nr, uint64_t block)
{
	uint64_t i = block;

	while (i < nr && device->plugged[i] == device->plugged[block])
		i++;
	return i - block;
}

static void choose_range(struct generator *generator, const struct model_device *device,
			 struct op *op)
{
	uint64_t nr = (one_in(generator, 16) ? device->region : device->usable) / device->block;
	uint64_t most, block, left;
	bool want = op->kind == OP_UNPLUG || op->kind == OP_REPLUG;

	if (!nr)
		nr = device->region / device->block;
	if (one_in(generator, 8))
		want = !want;
	block = find_block(generator, device, nr, want);
	most = run_of(device, nr, block);
	/* Mostly no more than is asked for. */
	left = device->requested > device->size ?
	       (device->requested - device->size) / device->block : 0;
	if (op->kind == OP_PLUG && left && left < most && !one_in(generator, 6))
		most = left;
	if (device_is(device, KVM_VMEM_SETUP_PREALLOC) && most > 4)
		most = 4;
	if (most > 8 && !one_in(generator, 3))
		most = 8;
	op->args[REQUEST_ADDR] = device->addr + block * device->block;
	op->args[REQUEST_NB] = 1 + random_below(generator, one_in(generator, 12) ? most + 2 : most);
}

void generate_request(struct generator *generator, const struct model *model, struct op *op)
{
	const struct model_device *device = &model->slots[op->slot].device;

	if (op->kind == OP_UNPLUG_ALL) {
		if (one_in(generator, 16))
			op->args[random_below(generator, 2)] = 1;
	} else if (device->is_setup) {
		choose_range(generator, device, op);
	}
	if ((op->kind == OP_UNPLUG || op->kind == OP_UNPLUG_ALL) && one_in(generator, 4))
		op->args[REQUEST_FLAGS] = KVM_VMEM_UNPLUG_SYNC;
	if (device->is_setup && op->kind != OP_UNPLUG_ALL && one_in(generator, 12))
		spoil_request(generator, device, op);
}

static uint64_t choose_size(struct generator *generator, const struct model_device *device)
{
	uint64_t nr;

	if (!device->is_setup)
		return 0;
	nr = device->region / device->block;
	switch (random_below(generator, 8)) {
	case 0:
		return 0;
	case 1:
		return random_number(generator) >> random_below(generator, 64);
	case 2:
		return device->region + (one_in(generator, 2) ? device->block : 0);
	case 3:
		return device->size;
	default:
		return random_below(generator, nr + 1) * device->block;
	}
}

void generate_requested(struct generator *generator, const struct model *model, struct op *op)
{
	op->args[REQUESTED_SIZE] = choose_size(generator, &model->slots[op->slot].device);
	if (one_in(generator, 40))
		op->args[REQUESTED_FLAGS] = 1ULL << random_below(generator, 32);
}

void generate_requested_text(struct generator *generator, const struct model *model,
			     struct op *op)
{
	static const char *const wrong[] = {
		"-1", "+1M", " ", "M", "1.5G", "2GB", "1 M", "12Q", "1e9", "all",
		"18446744073709551616", "17179869184G", "99999999999999999999999T", "1MM",
	};
	static const char suffixes[] = "kKmMgGtT";
	uint64_t size = choose_size(generator, &model->slots[op->slot].device);
	unsigned int i = random_below(generator, 8), shift = i / 2 * 10 + 10;

	if (one_in(generator, 6))
		snprintf(op->text, sizeof(op->text), "%s",
			 wrong[random_below(generator, ARRAY_SIZE(wrong))]);
	else if (size >> shift << shift == size && size)
		snprintf(op->text, sizeof(op->text), "%llu%c",
			 (unsigned long long)size >> shift, suffixes[i]);
	else
		snprintf(op->text, sizeof(op->text), "%llu", (unsigned long long)size);
}

/* First, last or any page of a block, to see its borders. */
static uint64_t choose_offset(struct generator *generator, const struct model_device *device,
			      uint64_t region)
{
	uint64_t nr = region / device->block, pages = device->block / MEMORY_PAGE, page;
	uint64_t block = find_block(generator, device, nr, !one_in(generator, 8));

	page = one_in(generator, 3) ? 0 : one_in(generator, 2) ? pages - 1 :
	       random_below(generator, one_in(generator, 2) ? 8 : pages);
	return block * device->block + page * MEMORY_PAGE +
	       (one_in(generator, 2) ? 0 : random_below(generator, MEMORY_PAGE / 8) * 8);
}

void generate_words(struct generator *generator, const struct model *model, struct op *op)
{
	static const uint64_t strides[] = { 0, 8, 64, MEMORY_PAGE, MEMORY_PAGE, 64 * KIB, MIB };
	const struct model_slot *slot = &model->slots[op->slot];
	const struct model_device *device = &slot->device;

	op->args[WORDS_VIA] = one_in(generator, 2) ? VIA_GUEST : random_below(generator, 4);
	op->args[WORDS_COUNT] = 1;
	if (one_in(generator, 2))
		op->args[WORDS_COUNT] += random_below(generator, MOST_TOUCHED);
	op->args[WORDS_STRIDE] = strides[random_below(generator, ARRAY_SIZE(strides))];
	op->args[WORDS_VALUE] = op->kind == OP_WRITE_WORDS ? random_number(generator) : 0;
	if (device->is_setup)
		op->args[WORDS_OFFSET] = choose_offset(generator, device, device->region);
	if (op->args[WORDS_VIA] == VIA_EXTRA && one_in(generator, 2))
		op->args[WORDS_OFFSET] = slot->mappings[MAPPING_EXTRA].offset;
}

void generate_discard(struct generator *generator, const struct model *model, struct op *op)
{
	const struct model_device *device = &model->slots[op->slot].device;
	uint64_t pages;

	if (!device->is_setup)
		return;
	op->args[DISCARD_OFFSET] = choose_offset(generator, device, device->region) / MEMORY_PAGE *
				   MEMORY_PAGE;
	pages = (device->region - op->args[DISCARD_OFFSET]) / MEMORY_PAGE;
	if (pages > 1024)
		pages = 1024;
	op->args[DISCARD_SIZE] = (1 + random_below(generator, pages)) * MEMORY_PAGE;
}
