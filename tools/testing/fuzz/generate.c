// SPDX-License-Identifier: GPL-2.0
/*
 * Programs at random. What makes sense is likely: a request is of a device that was set
 * up, for blocks that it has, and of a process that has the VM; what makes none is not
 * rare.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <string.h>

#include "generate.h"
#include "random.h"

#define KIB	(1ULL << 10)
#define MIB	(1ULL << 20)
#define GIB	(1ULL << 30)
#define TIB	(1ULL << 40)

#define FIRST_GPA	(4 * GIB)

static uint64_t state = 1;

void random_seed(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15ULL + 1;
}

/* splitmix64 */
uint64_t random_bits(void)
{
	uint64_t bits = (state += 0x9e3779b97f4a7c15ULL);

	bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9ULL;
	bits = (bits ^ bits >> 27) * 0x94d049bb133111ebULL;
	return bits ^ bits >> 31;
}

struct call *program_insert(struct program *program, unsigned int at)
{
	if (program->nb_calls == MAX_CALLS)
		return NULL;
	memmove(&program->calls[at + 1], &program->calls[at],
		(program->nb_calls - at) * sizeof(struct call));
	program->nb_calls++;
	return &program->calls[at];
}

void program_remove(struct program *program, unsigned int at)
{
	program->nb_calls--;
	memmove(&program->calls[at], &program->calls[at + 1],
		(program->nb_calls - at) * sizeof(struct call));
}

static unsigned int arg_index(const struct call_spec *spec, const char *name)
{
	unsigned int i = 0;

	while (strcmp(spec->args[i].name, name))
		i++;
	return i;
}

static uint64_t arg_of(const struct call *call, const char *name)
{
	assert(call);
	return call->args[arg_index(call->spec, name)].number;
}

static void set(struct call *call, const char *name, uint64_t number)
{
	call->args[arg_index(call->spec, name)] = (struct value){ number, NO_SLOT };
}

static void set_slot(struct call *call, const char *name, int slot)
{
	call->args[arg_index(call->spec, name)] = (struct value){ .slot = slot };
}

/* The last SETUP before place @at: of the slot, or of any with NO_SLOT. */
static const struct call *find_setup(const struct program *program, unsigned int at, int slot)
{
	while (at--) {
		const struct call *call = &program->calls[at];

		if (!strcmp(call->spec->name, "setup") &&
		    (slot == NO_SLOT || call->args[0].slot == slot))
			return call;
	}
	return NULL;
}

static uint64_t strange_number(void)
{
	static const uint64_t numbers[] = {
		0, 1, 2, 3, 8, 0xff, 0xfff, 4 * KIB, 4 * KIB + 1, 0xffff, 64 * KIB, MIB - 1, MIB,
		MIB + 4 * KIB, 2 * MIB - 1, 2 * MIB, GIB, GIB - 4 * KIB, 0x7fffffff, 0x80000000,
		0xffffffff, 4 * GIB, 1ULL << 43, (1ULL << 43) - 4 * KIB, 1ULL << 46, 1ULL << 52,
		1ULL << 61, (1ULL << 62) - 2 * MIB, 1ULL << 62, 1ULL << 63, (1ULL << 63) - 1,
		-4 * KIB, -2 * MIB, ~0ULL, ~0ULL - 1,
	};

	switch (below(8)) {
	case 0:
		return random_bits();
	case 1:
		return random_bits() >> below(64);
	case 2:
		return 1ULL << below(64);
	default:
		return one_of(numbers);
	}
}

static uint64_t sensible_size(void)
{
	static const uint64_t sizes[] = {
		0, 4 * KIB, MIB, 2 * MIB, 2 * MIB, 4 * MIB, 8 * MIB, 16 * MIB, 32 * MIB, 64 * MIB,
		128 * MIB, 256 * MIB, GIB, GIB, 2 * GIB, 3 * GIB, 4 * GIB, 64 * GIB, TIB,
	};

	return one_of(sizes);
}

/* Near the blocks of a device, or where some may be. */
static uint64_t sensible_gpa(const struct program *program, unsigned int at, int slot)
{
	const struct call *setup = find_setup(program, at, slot);
	uint64_t block = setup ? arg_of(setup, "block_size") : 0;
	uint64_t gpa = setup ? arg_of(setup, "addr") : FIRST_GPA;

	block = block ?: 2 * MIB;
	switch (below(6)) {
	case 0:
		return gpa + block * below(512);
	case 1:
		return gpa + GIB * below(4);
	case 2:
		return gpa + (setup ? arg_of(setup, "region_size") : 0) - block * below(3);
	case 3:
		return gpa;
	default:
		return gpa + block * below(8);
	}
}

static uint64_t sensible_count(void)
{
	static const uint64_t counts[] = { 0, 1, 1, 1, 2, 3, 4, 8, 16, 64, 512, 65535 };

	return one_of(counts);
}

static uint64_t some_names(const struct arg_spec *arg)
{
	unsigned int nb = 0;
	uint64_t flags = 0;

	while (arg->names[nb].name)
		nb++;
	if (!nb)
		return one_in(16) ? 1ULL << below(32) : 0;
	if (arg->kind == ARG_CHOICE)
		return arg->names[below(nb)].value;
	do
		flags |= arg->names[below(nb)].value;
	while (one_in(2));
	if (one_in(20))
		flags |= 1ULL << below(32);
	return flags;
}

static void random_text(struct call *call)
{
	static const char *const texts[] = {
		"0", "1", "1G", "2M", "4g", "64M", "1T", "16T", "0x40000000", "010", " 2M ", "2M\n",
		"18446744073709551615", "18446744073709551616", "-1", "+1", "1Gx", "G", "", "\n",
		"1K", "1000", "60000", "4294967295", "4294967296", "y", "n", "on", "1.5G",
		"99999999999999999999999999999999", "label", "web 1",
	};
	const char *text = one_of(texts);

	call->text_size = strlen(text);
	memcpy(call->text, text, call->text_size);
	if (one_in(4)) {
		call->text_size = below(TEXT_SIZE + 1);
		for (unsigned int i = strlen(text); i < call->text_size; i++)
			call->text[i] = one_in(2) ? random_bits() : 'a' + below(26);
	}
}

static int random_slot(enum slot_kind kind)
{
	const struct slot_range *range = &slot_ranges[kind];

	/* The first more often, so that calls meet. */
	return range->first + (one_in(3) ? below(range->nb) : 0);
}

static struct value random_fd(const struct arg_spec *arg)
{
	static const uint64_t numbers[] = { ~0ULL, ~1ULL, 0, 999, 0x7fffffff, 0x80000000 };

	if (one_in(30))
		return (struct value){ one_of(numbers), NO_SLOT };
	if (one_in(15))
		return (struct value){ .slot = below(NB_FD_SLOTS) };
	return (struct value){ .slot = random_slot(arg->slot) };
}

static struct value random_addr(const struct arg_spec *arg)
{
	static const uint64_t offsets[] = {
		0, 0, 0, 4 * KIB, MIB, 2 * MIB, 2 * MIB - 4 * KIB, 4 * MIB, 8 * MIB, 64 * MIB, GIB,
	};

	if (arg->names && !one_in(6))
		return (struct value){ arg->usual, NO_SLOT };
	if (arg->names && one_in(2))
		return (struct value){ some_names(&(struct arg_spec){
			.kind = ARG_CHOICE, .names = arg->names }), NO_SLOT };
	if (one_in(15))
		return (struct value){ strange_number(), NO_SLOT };
	return (struct value){
		one_in(10) ? 2 * MIB * below(64) : one_of(offsets), random_slot(SLOT_MAP)
	};
}

static uint64_t random_number(const struct arg_spec *arg, const struct program *program,
			      unsigned int at, int slot)
{
	switch (arg->kind) {
	case ARG_GPA:
		return one_in(12) ? strange_number() : sensible_gpa(program, at, slot);
	case ARG_BYTES:
		return one_in(8) ? strange_number() : sensible_size();
	case ARG_COUNT:
		return one_in(15) ? strange_number() : sensible_count();
	case ARG_FLAGS:
	case ARG_CHOICE:
		return one_in(30) ? strange_number() : some_names(arg);
	default:
		/* What is not usual is rarely of use. */
		return one_in(10) ? strange_number() : arg->usual;
	}
}

void generate_arg(struct call *call, unsigned int i, const struct program *program,
		  unsigned int at)
{
	const struct arg_spec *arg = &call->spec->args[i];

	switch (arg->kind) {
	case ARG_FD:
		/* Optional files mostly are not there. */
		if ((int64_t)arg->usual < 0 && !one_in(4))
			call->args[i] = (struct value){ arg->usual, NO_SLOT };
		else
			call->args[i] = random_fd(arg);
		break;
	case ARG_ADDR:
		call->args[i] = random_addr(arg);
		break;
	case ARG_TEXT:
		random_text(call);
		break;
	default:
		call->args[i] = (struct value){
			random_number(arg, program, at, call->args[0].slot), NO_SLOT
		};
	}
}

static const struct call_spec *random_spec(void)
{
	static unsigned int total;
	unsigned int i, left;

	if (!total)
		for (i = 0; call_spec(i); i++)
			total += call_spec(i)->weight;
	left = below(total);
	for (i = 0; left >= call_spec(i)->weight; i++)
		left -= call_spec(i)->weight;
	return call_spec(i);
}

/* What SET_BITMAP takes: the configuration of the device, some of whose blocks are plugged. */
static void fit_bitmap(struct call *call, const struct program *program, unsigned int at)
{
	static const char *const same[] = { "addr", "region_size", "node_id" };
	const struct call *setup = find_setup(program, at, call->args[0].slot);
	uint64_t region, block, usable;

	if (!setup)
		return;
	for (unsigned int i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		set(call, same[i], arg_of(setup, same[i]));
	region = arg_of(setup, "region_size");
	block = arg_of(setup, "block_size") ?: 2 * MIB;
	usable = arg_of(setup, "requested_size") + 256 * MIB;
	set(call, "block_size", block);
	set(call, "usable_region_size", usable < region ? usable : region);
	set(call, "nb_blocks", region / block);
	set(call, "bits", one_in(3) ? random_bits() >> below(64) : 1 + below(16));
}

/* What members have to have for a call to do something at all. */
static void make_sense(struct call *call, const struct program *program, unsigned int at)
{
	if (!strcmp(call->spec->name, "set_bitmap"))
		fit_bitmap(call, program, at);
	/* What may be written is first. */
	if (!strcmp(call->spec->name, "store"))
		set(call, "name", below(3));
	/* The memory file of a device, as often as the device. */
	if (!strcmp(call->spec->name, "mmap") && one_in(4))
		set_slot(call, "fd", slot_ranges[SLOT_MEM].first);
}

void generate_call(struct call *call, const struct program *program, unsigned int at)
{
	call_init(call, random_spec());
	if (call->result != NO_SLOT)
		call->result = random_slot(call->spec->result);
	for (unsigned int i = 0; i < nb_args(call->spec); i++)
		generate_arg(call, i, program, at);
	if (!one_in(8))
		make_sense(call, program, at);
	call->async = one_in(8);
	call->fail_nth = one_in(12) ? 1 + below(8) : 0;
}

static struct call *append(struct program *program, const char *name)
{
	struct call *call = program_insert(program, program->nb_calls);

	/* A new program has room. */
	call_init(call, find_call_spec(name));
	return call;
}

static void append_setup(struct program *program, int dev, bool user)
{
	static const uint64_t regions[] = {
		16 * MIB, 64 * MIB, 128 * MIB, GIB, GIB, 3 * GIB, 4 * GIB, 64 * GIB, TIB,
	};
	static const uint64_t blocks[] = { 0, 0, 0, 2 * MIB, 2 * MIB, MIB, 4 * MIB, 16 * MIB };
	struct call *setup = append(program, "setup");
	const struct name *flags;
	uint64_t region = one_of(regions), block = one_of(blocks);
	bool dynamic = !one_in(4);

	assert(setup);
	flags = setup->spec->args[arg_index(setup->spec, "flags")].names;
	set_slot(setup, "dev", dev);
	set(setup, "addr", FIRST_GPA + dev * (one_in(8) ? 0 : 2 * TIB));
	set(setup, "region_size", region);
	set(setup, "block_size", block);
	set(setup, "requested_size", one_in(3) ? 16 * MIB * below(2) : region);
	if (dynamic && one_in(2))
		set(setup, "memslot_size", (block ?: 2 * MIB) << below(8));
	/* In the order of the table: dynamic, inaccessible, prealloc, user. */
	set(setup, "flags", (dynamic ? flags[0].value : 0) | flags[1].value |
	    (!user && one_in(5) ? flags[2].value : 0) | (user ? flags[3].value : 0));
	if (user && one_in(2))
		set_slot(setup, "backing_fd", slot_ranges[SLOT_MEM].first);
}

/* A device, the memory behind it, and the VM that it is attached to. */
static void append_rig(struct program *program, int number, bool new_vm)
{
	const int dev = slot_ranges[SLOT_DEV].first + number;
	const int map = slot_ranges[SLOT_MAP].first + number;
	const int mem = slot_ranges[SLOT_MEM].first;
	const bool user = one_in(3);
	struct call *call;
	uint64_t region;

	append(program, "open")->result = dev;
	append_setup(program, dev, user);
	region = arg_of(find_setup(program, program->nb_calls, dev), "region_size");
	if (user) {
		call = append(program, "memfd");
		call->result = mem;
		set(call, "length", region);
	}
	call = append(program, "mmap");
	call->result = map;
	set_slot(call, "fd", user ? mem : dev);
	set(call, "length", region);
	if (user)
		set(call, "place", 1);
	if (new_vm)
		append(program, "vm");
	call = append(program, "attach");
	set_slot(call, "dev", dev);
	set_slot(call, "userspace_addr", map);
	if (one_in(4))
		set(call, "address_spaces", 3);
	if (one_in(2)) {
		call = append(program, "plug");
		set_slot(call, "dev", dev);
		set(call, "addr", sensible_gpa(program, program->nb_calls, dev));
		set(call, "nb_blocks", 1 + below(4));
	}
}

void generate(struct program *program)
{
	unsigned int nb_rigs = one_in(6) ? 0 : one_in(5) ? 2 : 1;
	unsigned int nb = 1 + below(20);

	program->nb_calls = 0;
	for (unsigned int i = 0; i < nb_rigs; i++)
		append_rig(program, i, !i);
	while (nb-- && program->nb_calls < MAX_CALLS) {
		struct call *call = program_insert(program, program->nb_calls);

		generate_call(call, program, program->nb_calls - 1);
	}
}
