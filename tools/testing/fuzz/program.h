/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program: a sequence of calls over a fixed set of resources, and its text.
 *
 *	dev0 = open
 *	setup dev0 flags=dynamic|inaccessible addr=0x100000000 region_size=0x40000000
 *	map0 = mmap dev0 size=0x40000000
 *	vm0 = vm
 *	attach dev0 vm=vm0 userspace_addr=map0
 *	async plug dev0 addr=0x100000000 nb_blocks=4
 *
 * A line, or what a semicolon ends, is a call: with "async" in a thread of its own, with
 * "fail=N" so that the Nth allocation that the module makes in it fails. Resources are
 * slots; a call may use one that nothing was ever put into. What an argument is when it is
 * left out is said in the table of calls. "#" begins a comment.
 */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_CALLS	32
#define MAX_ARGS	20
#define TEXT_SIZE	64
/* Enough for the longest program. */
#define PROGRAM_TEXT_SIZE 32768

/* What slots hold. The files first: any of them can be where another is expected. */
enum slot_kind {
	SLOT_DEV,
	SLOT_VM,
	SLOT_EVENT,
	SLOT_MEM,
	SLOT_FILE,
	SLOT_MAP,
	NB_SLOT_KINDS,
	/* Of calls that give nothing. */
	SLOT_NONE = NB_SLOT_KINDS,
};

#define NB_FD_SLOTS	14
#define NB_MAP_SLOTS	4
#define NB_SLOTS	(NB_FD_SLOTS + NB_MAP_SLOTS)
#define NO_SLOT		(-1)

struct slot_range {
	const char *name;
	int first;
	int nb;
};

extern const struct slot_range slot_ranges[NB_SLOT_KINDS];

enum arg_kind {
	ARG_NONE,	/* The end of the arguments. */
	ARG_FD,		/* A slot, or a number */
	ARG_ADDR,	/* Of this process: an offset from a mapping's slot, or a number */
	ARG_GPA,	/* Guest physical */
	ARG_BYTES,	/* A size, or an offset */
	ARG_COUNT,
	ARG_NUMBER,
	ARG_FLAGS,	/* Names and numbers, or'ed */
	ARG_CHOICE,	/* One of the names, or a number */
	ARG_TEXT,	/* At most one in a call */
};

struct name {
	const char *name;
	uint64_t value;
};

/**
 * struct arg_spec - an argument of a call
 * @name: What it is called; the first argument goes without
 * @kind: What it is
 * @slot: Which slots it is best filled from (ARG_FD)
 * @usual: What it is if nothing is said: a slot's number too, for ARG_FD if not negative
 * @names: Names of values, ended by one without name; or NULL
 * @offset: Offset of the member in the ioctl's structure that it is, if @width is not 0
 * @width: Its width
 */
struct arg_spec {
	const char *name;
	enum arg_kind kind;
	enum slot_kind slot;
	uint64_t usual;
	const struct name *names;
	uint16_t offset;
	uint8_t width;
};

struct run;
struct call;

/**
 * struct call_spec - a call that there is
 * @name: Its name
 * @result: What it gives
 * @weight: How often it is chosen at random, beside the others
 * @execute: Does it; returns what goes into the result's slot, or -errno
 * @cmd: The ioctl that it is
 * @struct_size: Size of the structure of the ioctl
 * @args: Its arguments
 */
struct call_spec {
	const char *name;
	enum slot_kind result;
	unsigned int weight;
	long (*execute)(struct run *run, const struct call *call);
	unsigned long cmd;
	size_t struct_size;
	struct arg_spec args[MAX_ARGS];
};

/* All calls; each of the files that do them has some. */
extern const struct call_spec device_calls[], file_calls[], memory_calls[], guest_calls[],
			      operator_calls[];

/* By number; NULL beyond the last. */
const struct call_spec *call_spec(unsigned int number);
unsigned int nb_call_specs(void);
unsigned int call_spec_number(const struct call_spec *spec);
const struct call_spec *find_call_spec(const char *name);

/* A slot, or with NO_SLOT a number; of a mapping, both. */
struct value {
	uint64_t number;
	int8_t slot;
};

struct call {
	const struct call_spec *spec;
	bool async;
	uint8_t fail_nth;
	int8_t result;
	struct value args[MAX_ARGS];
	uint8_t text_size;
	char text[TEXT_SIZE];
};

struct program {
	unsigned int nb_calls;
	struct call calls[MAX_CALLS];
};

unsigned int nb_args(const struct call_spec *spec);

/* A call with the usual arguments, and a result in the first slot for it. */
void call_init(struct call *call, const struct call_spec *spec);

/* The kind of a slot. */
enum slot_kind slot_kind(int slot);

/* @separator is "\n" or "; ". Returns the length of the text. */
size_t program_print(const struct program *program, const char *separator, char *text,
		     size_t size);

/**
 * program_parse() - read a program
 * @program: Result
 * @text: From here on; moved to behind what was read
 *
 * Programs in a text are separated by empty lines.
 *
 * Return: 1, 0 if there is none any more, or -1 with *@text where it is wrong
 */
int program_parse(struct program *program, const char **text);

#endif /* FUZZ_PROGRAM_H */
