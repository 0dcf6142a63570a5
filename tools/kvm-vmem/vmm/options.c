// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "vmm.h"

#define MINIMUM_MEMORY (32 * MIB)
#define MAXIMUM_MEMORY (1024 * GIB)
/* KVM gives a device as many memslots; more is no address that a CPU has. */
#define MAXIMUM_VMEM (1ULL << 52)
/* Of a migration, and what is done without a word of the user's. */
#define MOST_DOWNTIME_MS 10000000
#define MOST_ROUNDS 1000000
#define DEFAULT_DOWNTIME_MS 300
#define DEFAULT_ROUNDS 30

/* Of options that have no letter. */
enum { MODE = 256, CONTROL, NO_RNG, RESTORE, INCOMING, DOWNTIME, ROUNDS };

static const char usage[] =
"Usage: vmem-vmm --kernel FILE [OPTION...]\n"
"\n"
"Runs a Linux guest under KVM, with virtio-mem devices by the kvm-vmem module.\n"
"The guest's serial port is standard input and output; Ctrl-A x ends it.\n"
"\n"
"  -k, --kernel FILE      the guest's kernel, a bzImage\n"
"  -i, --initrd FILE      its initial RAM disk\n"
"  -a, --append TEXT      its command line (default: console=ttyS0)\n"
"  -c, --cpus N           vCPUs (1)\n"
"  -m, --memory SIZE[,hugepages=off]\n"
"                         boot memory (256M); off: by 4 KiB pages only\n"
"  -v, --vmem SIZE[,OPTION...]\n"
"                         a virtio-mem device with a region of SIZE; up to 4:\n"
"        requested=SIZE   what the guest is asked to plug (0)\n"
"        block=SIZE       unit of plugging (a transparent huge page)\n"
"        label=NAME       what vmemctl calls it (vmem0, vmem1...)\n"
"        node=N           NUMA node in the guest (none)\n"
"        addr=ADDRESS     guest physical address (behind what there is)\n"
"        memslot=SIZE     size of KVM's memslots (the module decides)\n"
"        prealloc         allocate memory when it is plugged\n"
"      --vmem-mode MODE   group: the module (default); static: one memslot;\n"
"                         dynamic-user: memslots made by this process\n"
"      --control SOCKET   take commands there: resize SIZE [LABEL], info, quit,\n"
"                         save FILE, migrate ADDRESS...\n"
"      --no-rng           without virtio-rng\n"
"      --restore FILE     go on with a machine that was saved\n"
"      --incoming ADDRESS go on with a machine that comes there: unix:PATH or\n"
"                         tcp:HOST:PORT\n"
"      --max-downtime MS  stop the guest for a migration when what is left takes\n"
"                         so long (300),\n"
"      --max-rounds N     or after so many rounds (30)\n"
"  -h, --help             this\n"
"\n"
"A SIZE may end in K, M, G or T. Exit status: 0 the guest ended, or was ended;\n"
"1 the guest or the host failed; 2 bad usage or files; 3 the guest accessed\n"
"memory that is not plugged. vmem-vmm(1) has more.\n";

bool size_parse(const char *text, uint64_t *size)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	unsigned long long value;
	unsigned int shift = 0;
	int base;
	char *end;

	/* strtoull() takes signs and space, too. */
	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	/* Base 0 would take leading zeros for octal. */
	base = text[0] == '0' && text[1] == 'x' ? 16 : 10;
	value = strtoull(text, &end, base);
	if (errno)
		return false;
	if (*end) {
		suffix = strchr(suffixes, toupper((unsigned char)*end));
		if (!suffix || end[1])
			return false;
		shift = 10 * (suffix - suffixes + 1);
	}
	if (value > UINT64_MAX >> shift)
		return false;
	*size = value << shift;
	return true;
}

/* What @option is given has to be a size within bounds. */
static uint64_t size_between(const char *option, const char *text, uint64_t least, uint64_t most)
{
	uint64_t size;

	if (!text || !size_parse(text, &size))
		die(VMM_EXIT_USAGE, "%s takes a size, such as 4G, not '%s'", option,
		    text ? text : "");
	if (size < least || size > most)
		die(VMM_EXIT_USAGE, "%s is from %lluM to %lluM, not %s", option,
		    (unsigned long long)(least / MIB), (unsigned long long)(most / MIB), text);
	return size;
}

static bool number_parse(const char *text, unsigned int least, unsigned int most,
			 unsigned int *number)
{
	unsigned long value = 0;
	char *end = NULL;

	if (!text || !isdigit((unsigned char)*text))
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	*number = value;
	return !*end && !errno && value >= least && value <= most;
}

static unsigned int number_between(const char *option, const char *text, unsigned int least,
				   unsigned int most)
{
	unsigned int value;

	if (!number_parse(text, least, most, &value))
		die(VMM_EXIT_USAGE, "%s takes a number from %u to %u, not '%s'", option, least,
		    most, text ? text : "");
	return value;
}

bool limits_parse(const char *text, struct migrate_limits *limits)
{
	const char *value = strchr(text, '=');
	unsigned int number;

	if (!value)
		return false;
	value++;
	if (!strncmp(text, "max-downtime=", value - text) &&
	    number_parse(value, 0, MOST_DOWNTIME_MS, &number))
		limits->max_downtime_ms = number;
	else if (!strncmp(text, "max-rounds=", value - text) &&
		 number_parse(value, 1, MOST_ROUNDS, &number))
		limits->max_rounds = number;
	else
		return false;
	return true;
}

/* Splits "SIZE,rest"; *@rest is "" if there is none. */
static char *first_of(char *value, char **rest)
{
	char *comma = strchr(value, ',');

	*rest = comma ? comma + 1 : value + strlen(value);
	if (comma)
		*comma = '\0';
	return value;
}

static void parse_memory(struct options *options, char *value)
{
	enum { HUGEPAGES };
	static char *const names[] = { [HUGEPAGES] = "hugepages", NULL };
	char *rest, *given;

	options->memory_size = size_between("--memory", first_of(value, &rest), MINIMUM_MEMORY,
					    MAXIMUM_MEMORY);
	if (options->memory_size % MIB)
		die(VMM_EXIT_USAGE, "--memory is a multiple of 1M");
	while (*rest) {
		char *word = rest;

		if (getsubopt(&rest, names, &given) != HUGEPAGES || !given ||
		    (strcmp(given, "on") && strcmp(given, "off")))
			die(VMM_EXIT_USAGE, "--memory: what is '%s'?", word);
		options->huge_pages = !strcmp(given, "on");
	}
}

static void parse_label(struct vmem_options *vmem, const char *label)
{
	if (!label || !*label || strlen(label) >= sizeof(vmem->label))
		die(VMM_EXIT_USAGE, "--vmem: a label has 1 to %zu characters",
		    sizeof(vmem->label) - 1);
	for (const char *c = label; *c; c++)
		if (!isascii(*c) || !isprint(*c))
			die(VMM_EXIT_USAGE, "--vmem: a label is printable ASCII");
	strcpy(vmem->label, label);
}

static void parse_vmem_option(struct vmem_options *vmem, char **rest)
{
	enum { REQUESTED, BLOCK, LABEL, NODE, ADDR, MEMSLOT, PREALLOC };
	static char *const names[] = {
		[REQUESTED] = "requested", [BLOCK] = "block", [LABEL] = "label",
		[NODE] = "node", [ADDR] = "addr", [MEMSLOT] = "memslot",
		[PREALLOC] = "prealloc", NULL
	};
	char *word = *rest, *value;

	switch (getsubopt(rest, names, &value)) {
	case REQUESTED:
		vmem->requested_size = size_between("--vmem requested", value, 0, vmem->size);
		break;
	case BLOCK:
		vmem->block_size = size_between("--vmem block", value, MIB, vmem->size);
		break;
	case LABEL:
		parse_label(vmem, value);
		break;
	case NODE:
		vmem->node = number_between("--vmem node", value, 0, 255);
		break;
	case ADDR:
		vmem->addr = size_between("--vmem addr", value, 4 * GIB, MAXIMUM_VMEM);
		break;
	case MEMSLOT:
		vmem->memslot_size = size_between("--vmem memslot", value, MIB, MAXIMUM_VMEM);
		break;
	case PREALLOC:
		if (value)
			die(VMM_EXIT_USAGE, "--vmem prealloc takes no value");
		vmem->prealloc = true;
		break;
	default:
		die(VMM_EXIT_USAGE, "--vmem: what is '%s'?", word);
	}
}

static void parse_vmem(struct options *options, char *value)
{
	struct vmem_options *vmem = &options->vmems[options->nb_vmems];
	char *rest;

	if (options->nb_vmems == OPTIONS_MAX_VMEMS)
		die(VMM_EXIT_USAGE, "--vmem is given at most %u times", OPTIONS_MAX_VMEMS);
	vmem->size = size_between("--vmem", first_of(value, &rest), MIB, MAXIMUM_VMEM);
	vmem->node = -1;
	snprintf(vmem->label, sizeof(vmem->label), "vmem%u", options->nb_vmems);
	while (*rest)
		parse_vmem_option(vmem, &rest);
	for (unsigned int i = 0; i < options->nb_vmems; i++)
		if (!strcmp(options->vmems[i].label, vmem->label))
			die(VMM_EXIT_USAGE, "--vmem: there are two with the label '%s'",
			    vmem->label);
	options->nb_vmems++;
}

static enum vmem_mode parse_mode(const char *value)
{
	static const char *const names[] = {
		[VMEM_GROUP] = "group",
		[VMEM_STATIC] = "static",
		[VMEM_DYNAMIC_USER] = "dynamic-user",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(value, names[i]))
			return i;
	die(VMM_EXIT_USAGE, "--vmem-mode is group, static or dynamic-user, not '%s'", value);
}

static void parse_migration(struct options *options, int option, const char *value)
{
	switch (option) {
	case RESTORE:
		options->restore = value;
		break;
	case INCOMING:
		options->incoming = value;
		break;
	case DOWNTIME:
		options->limits.max_downtime_ms = number_between("--max-downtime", value, 0,
								 MOST_DOWNTIME_MS);
		break;
	case ROUNDS:
		options->limits.max_rounds = number_between("--max-rounds", value, 1, MOST_ROUNDS);
		break;
	}
	if (options->restore && options->incoming)
		die(VMM_EXIT_USAGE, "--restore and --incoming do not go together");
}

void options_parse(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "kernel", required_argument, NULL, 'k' },
		{ "initrd", required_argument, NULL, 'i' },
		{ "append", required_argument, NULL, 'a' },
		{ "cpus", required_argument, NULL, 'c' },
		{ "memory", required_argument, NULL, 'm' },
		{ "vmem", required_argument, NULL, 'v' },
		{ "vmem-mode", required_argument, NULL, MODE },
		{ "control", required_argument, NULL, CONTROL },
		{ "no-rng", no_argument, NULL, NO_RNG },
		{ "restore", required_argument, NULL, RESTORE },
		{ "incoming", required_argument, NULL, INCOMING },
		{ "max-downtime", required_argument, NULL, DOWNTIME },
		{ "max-rounds", required_argument, NULL, ROUNDS },
		{ "help", no_argument, NULL, 'h' },
		{ NULL },
	};
	int option;

	*options = (struct options){
		.append = "console=ttyS0",
		.nb_cpus = 1,
		.memory_size = 256 * MIB,
		.huge_pages = true,
		.rng = true,
		.limits = { .max_downtime_ms = DEFAULT_DOWNTIME_MS, .max_rounds = DEFAULT_ROUNDS },
	};
	while ((option = getopt_long(argc, argv, "k:i:a:c:m:v:h", longs, NULL)) != -1) {
		switch (option) {
		case 'k':
			options->kernel = optarg;
			break;
		case 'i':
			options->initrd = optarg;
			break;
		case 'a':
			options->append = optarg;
			break;
		case 'c':
			options->nb_cpus = number_between("--cpus", optarg, 1, OPTIONS_MAX_CPUS);
			break;
		case 'm':
			parse_memory(options, optarg);
			break;
		case 'v':
			parse_vmem(options, optarg);
			break;
		case MODE:
			options->mode = parse_mode(optarg);
			break;
		case CONTROL:
			options->control = optarg;
			break;
		case NO_RNG:
			options->rng = false;
			break;
		case RESTORE:
		case INCOMING:
		case DOWNTIME:
		case ROUNDS:
			parse_migration(options, option, optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(VMM_EXIT_ENDED);
		default:
			/* getopt has said what is wrong. */
			exit(VMM_EXIT_USAGE);
		}
	}
	if (optind < argc)
		die(VMM_EXIT_USAGE, "what is '%s'?", argv[optind]);
	if (!options->kernel)
		die(VMM_EXIT_USAGE, "which kernel? Say --kernel FILE, or --help");
}
