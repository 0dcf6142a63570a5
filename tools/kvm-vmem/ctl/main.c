// SPDX-License-Identifier: GPL-2.0
/* vmemctl: sees and resizes the devices of the module kvm_vmem. The command line. */
#include <ctype.h>
#include <getopt.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

enum option_id {
	OPTION_HELP = 'h',
	OPTION_VERSION = 'V',
	OPTION_JSON = 'j',
	OPTION_WAIT = 'w',
	OPTION_SYSFS = 256,
	OPTION_TIMEOUT,
	OPTION_STALL,
	OPTION_INTERVAL,
};

static const struct option long_options[] = {
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "wait", no_argument, NULL, OPTION_WAIT },
	{ "sysfs", required_argument, NULL, OPTION_SYSFS },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "stall", required_argument, NULL, OPTION_STALL },
	{ "interval", required_argument, NULL, OPTION_INTERVAL },
	{ }
};

/**
 * struct command - a subcommand
 * @name: Its name
 * @run: What it does
 * @min_words: How many arguments it takes at least
 * @max_words: And at most; -1: any number
 * @waits: It takes --wait, --timeout and --stall
 * @looks: It takes --interval
 * @plain: It takes no --json
 * @usage: Its arguments
 */
struct command {
	const char *name;
	int (*run)(const struct options *options);
	int min_words;
	int max_words;
	bool waits;
	bool looks;
	bool plain;
	const char *usage;
};

static const struct command commands[] = {
	{ "list", cmd_list, 0, 0, .usage = "" },
	{ "show", cmd_show, 1, 1, .usage = " NAME" },
	{ "resize", cmd_resize, 2, 2, .waits = true,
	  .usage = " NAME [+|-]SIZE [--wait [--timeout S] [--stall S]]" },
	{ "watch", cmd_watch, 0, -1, .looks = true, .usage = " [NAME...] [--interval S]" },
	{ "top", cmd_top, 0, 0, .looks = true, .usage = " [--interval S]" },
	{ "map", cmd_map, 1, 1, .usage = " NAME" },
	{ "export", cmd_export, 0, 1, .plain = true, .usage = " [FILE]" },
	{ }
};

static const char help[] =
	"\n"
	"Sees and resizes the memory that VMs have through the module kvm_vmem.\n"
	"\n"
	"  list     all devices\n"
	"  show     all that is known of a device\n"
	"  resize   ask a guest for another size; root only\n"
	"  watch    what happens, as it happens\n"
	"  top      all devices, live; q quits\n"
	"  map      which blocks are plugged, as a picture\n"
	"  export   all devices as metrics for Prometheus; FILE is replaced as a whole\n"
	"\n"
	"NAME is vmem<N> or a label. SIZE is in bytes, or with K, M, G or T; + and - are\n"
	"relative to the requested size.\n"
	"\n"
	"  -w, --wait       wait until the guest has the size, and show how far it is\n"
	"  --timeout S      for so many seconds at most; 0: any time (default)\n"
	"  --stall S        and so many without progress; 0: any time (default 30)\n"
	"  --interval S     watch: look every S seconds even if nothing was told; 0: never\n"
	"                   (default 1); top: how often to look (default 1)\n"
	"  -j, --json       JSON for programs; watch: an object a line\n"
	"  --sysfs DIR      the devices' directory (default " DEFAULT_SYSFS ")\n"
	"  -h, --help       this\n"
	"  -V, --version    the version\n"
	"\n"
	"Exit status: 0 done; 1 failed; 2 wrong arguments; 3 no such device; 4 the module is not\n"
	"loaded; 5 no permission; 6 the guest did not get there; 7 the device went.\n"
	"See vmemctl(1).\n";

static void print_usage(FILE *out)
{
	const struct command *command;

	for (command = commands; command->name; command++)
		fprintf(out, "%s vmemctl %s%s\n", command == commands ? "Usage:" : "      ",
			command->name, command->usage);
}

static int usage_error(void)
{
	fputs("Try: vmemctl --help\n", stderr);
	return STATUS_USAGE;
}

static int parse_seconds(const char *arg, const char *option, int64_t *ms)
{
	char *end;
	double seconds = strtod(arg, &end);

	/* Numbers alone: strtod() takes signs and infinities. */
	if (!isdigit((unsigned char)*arg) || *end || !(seconds <= 1e6)) {
		fail(STATUS_USAGE, "--%s takes a number of seconds, not '%s'", option, arg);
		return usage_error();
	}
	*ms = seconds * 1000;
	/* 0 has a meaning of its own. */
	if (seconds > 0 && !*ms)
		*ms = 1;
	return 0;
}

/**
 * struct given - which options there were
 * @waits: One that is for waiting
 * @looks: --interval
 * @done: One that is a command of its own
 */
struct given {
	bool waits;
	bool looks;
	bool done;
};

static int take_option(int id, struct options *options, struct given *given)
{
	given->waits |= id == OPTION_WAIT || id == OPTION_TIMEOUT || id == OPTION_STALL;
	given->looks |= id == OPTION_INTERVAL;
	switch (id) {
	case OPTION_HELP:
		print_usage(stdout);
		fputs(help, stdout);
		given->done = true;
		return flush();
	case OPTION_VERSION:
		puts("vmemctl " VERSION);
		given->done = true;
		return flush();
	case OPTION_JSON:
		options->json = true;
		return 0;
	case OPTION_WAIT:
		options->wait = true;
		return 0;
	case OPTION_SYSFS:
		options->sysfs = optarg;
		return 0;
	case OPTION_TIMEOUT:
		return parse_seconds(optarg, "timeout", &options->timeout_ms);
	case OPTION_STALL:
		return parse_seconds(optarg, "stall", &options->stall_ms);
	case OPTION_INTERVAL:
		return parse_seconds(optarg, "interval", &options->interval_ms);
	}
	/* getopt_long() has said what is wrong. */
	return usage_error();
}

/*
 * -1G is a size. Behind "--", getopt_long() does not take it for options; as it comes last
 * anyway, its place may change.
 */
static int hide_negative_sizes(int argc, char **argv, char **hidden)
{
	char **sizes = must(calloc(argc + 1, sizeof(*sizes)));
	int i, nb = 0, nb_sizes = 0;

	hidden[nb++] = "vmemctl";
	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (argv[i][0] == '-' && isdigit((unsigned char)argv[i][1]))
			sizes[nb_sizes++] = argv[i];
		else
			hidden[nb++] = argv[i];
	}
	if (i < argc || nb_sizes)
		hidden[nb++] = "--";
	for (i++; i < argc; i++)
		hidden[nb++] = argv[i];
	for (i = 0; i < nb_sizes; i++)
		hidden[nb++] = sizes[i];
	free(sizes);
	return nb;
}

static const struct command *find_command(const char *name)
{
	const struct command *command;

	for (command = commands; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

static int check(const struct command *command, const struct options *options,
		 const struct given *given)
{
	if (options->nb_words < command->min_words)
		fail(STATUS_USAGE, "%s needs more: vmemctl %s%s", command->name, command->name,
		     command->usage);
	else if (command->max_words >= 0 && options->nb_words > command->max_words)
		fail(STATUS_USAGE, "%s has no use for '%s'", command->name,
		     options->words[command->max_words]);
	else if (given->waits && !command->waits)
		fail(STATUS_USAGE, "%s does not wait", command->name);
	else if (given->waits && !options->wait)
		fail(STATUS_USAGE, "--timeout and --stall are for --wait");
	else if (given->looks && !command->looks)
		fail(STATUS_USAGE, "%s takes no --interval", command->name);
	else if (options->json && command->plain)
		fail(STATUS_USAGE, "%s prints no JSON", command->name);
	else if (command->run == cmd_top && !options->interval_ms)
		fail(STATUS_USAGE, "top needs an interval");
	else
		return 0;
	return usage_error();
}

static int run(struct options *options, const struct given *given)
{
	const struct command *command;
	int ret;

	if (!options->nb_words) {
		print_usage(stderr);
		return usage_error();
	}
	command = find_command(options->words[0]);
	if (!command) {
		fail(STATUS_USAGE, "there is no command '%s'", options->words[0]);
		return usage_error();
	}
	options->words++;
	options->nb_words--;
	ret = check(command, options, given);
	return ret ? ret : command->run(options);
}

int main(int argc, char **argv)
{
	struct options options = {
		.sysfs = DEFAULT_SYSFS,
		.stall_ms = 30000,
		.interval_ms = 1000,
	};
	struct given given = {};
	char **args = must(calloc(argc + 2, sizeof(*args)));
	int id, nb_args, ret = 0;

	/* Characters alone: numbers have points everywhere. */
	setlocale(LC_CTYPE, "");
	nb_args = hide_negative_sizes(argc, argv, args);
	while (!ret && !given.done &&
	       (id = getopt_long(nb_args, args, "hVjw", long_options, NULL)) != -1)
		ret = take_option(id, &options, &given);
	if (!ret && !given.done) {
		options.words = args + optind;
		options.nb_words = nb_args - optind;
		ret = run(&options, &given);
	}
	free(args);
	return ret;
}
