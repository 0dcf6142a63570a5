// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-vmm's command line under libFuzzer: a line of the input an argument. What it takes
 * is what its rules say; and a size is what a slower way of reading it says.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>

/* All that it includes, before exit() is another word in it. */
#include <getopt.h>

#include "input.h"

static void leave(int status) __attribute__((noreturn));
#define exit leave
#include "options.c"
#undef exit

#define MOST_ARGS 32

static jmp_buf out;

static void leave(int status)
{
	longjmp(out, 1);
}

void die(enum vmm_exit status, const char *format, ...)
{
	char text[512];
	va_list args;

	must(status == VMM_EXIT_USAGE);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	longjmp(out, 1);
}

static bool slow_size(const char *text, uint64_t *size)
{
	const char *suffix, *digits = text;
	unsigned int base = 10, shift = 0;
	uint64_t value = 0;

	if (!strncmp(text, "0x", 2)) {
		base = 16;
		text += 2;
	}
	for (; isxdigit((unsigned char)*text); text++) {
		unsigned int digit = isdigit((unsigned char)*text) ? *text - '0' :
				     tolower((unsigned char)*text) - 'a' + 10;

		if (digit >= base)
			break;
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	/* As strtoull() has it, "0x" is 0 and an x. */
	if (text == digits || (base == 16 && text == digits + 2))
		return false;
	if (*text) {
		suffix = strchr("KMGT", toupper((unsigned char)*text));
		if (!suffix || text[1])
			return false;
		shift = 10 * (suffix - "KMGT" + 1);
	}
	return !__builtin_mul_overflow(value, 1ULL << shift, size);
}

static void check_size(const char *text)
{
	uint64_t size = 0, slow = 0;
	bool good = size_parse(text, &size);

	must(good == slow_size(text, &slow) && (!good || size == slow));
}

static void check(const struct options *options)
{
	must(options->kernel);
	must(options->nb_cpus >= 1 && options->nb_cpus <= OPTIONS_MAX_CPUS);
	must(options->memory_size >= MINIMUM_MEMORY && options->memory_size <= MAXIMUM_MEMORY);
	must(options->memory_size % MIB == 0);
	must(options->nb_vmems <= OPTIONS_MAX_VMEMS);
	for (unsigned int i = 0; i < options->nb_vmems; i++) {
		const struct vmem_options *vmem = &options->vmems[i];

		must(vmem->size >= MIB && vmem->size <= MAXIMUM_VMEM);
		must(vmem->requested_size <= vmem->size && vmem->block_size <= vmem->size);
		must(vmem->node >= -1 && vmem->node <= 255);
		must(vmem->addr == 0 || vmem->addr >= 4 * GIB);
		must(strnlen(vmem->label, VMEM_LABEL_SIZE) < VMEM_LABEL_SIZE && *vmem->label);
		for (unsigned int j = 0; j < i; j++)
			must(strcmp(vmem->label, options->vmems[j].label));
	}
}

/* Splits the text in place; every argument ends in memory of its own. */
static int split(char *text, char **argv)
{
	char *line;
	int argc = 0;

	argv[argc++] = strdup("vmem-vmm");
	while ((line = strsep(&text, "\n")) && argc < MOST_ARGS - 1)
		argv[argc++] = strdup(line);
	return argc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct options options;
	char *argv[MOST_ARGS] = { NULL }, *owned[MOST_ARGS];
	char *text = exactly(size + 1);
	int argc;

	memcpy(text, data, size);
	text[size] = '\0';
	check_size(text);
	argc = split(text, argv);
	/* It moves them about. */
	memcpy(owned, argv, sizeof(owned));

	optind = 0;
	opterr = 0;
	if (!setjmp(out)) {
		options_parse(&options, argc, argv);
		check(&options);
	}
	for (int i = 0; i < argc; i++)
		free(owned[i]);
	free(text);
	return 0;
}
