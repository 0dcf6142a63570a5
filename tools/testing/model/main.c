// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-model: random operations on /dev/kvm-vmem and on a model of it, compared. Runs on
 * a host that may break: the lab's.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "minimise.h"
#include "report.h"
#include "threads.h"

#define EXIT_DIFFERS	1
#define EXIT_CANNOT	2

/* So long is a sequence from a fresh start: long enough to get into trouble. */
#define EPISODE_OPS	1000
#define PROGRESS_S	10

struct options {
	uint64_t ops;
	uint64_t seconds;
	uint64_t seed;
	unsigned int threads;
	unsigned int devices;
	const char *replay;
	bool json;
};

static const char usage[] =
	"Usage: vmem-model [OPTION...]\n"
	"\n"
	"Runs random operations on /dev/kvm-vmem and on a model of it, and compares all\n"
	"answers. A sequence that makes a difference is made short and printed.\n"
	"\n"
	"  --ops N         so many operations (default: 10000)\n"
	"  --seconds S     for so many seconds instead, or whichever is over first\n"
	"  --seed S        of the random numbers (default: the time)\n"
	"  --threads N     1 to 4 threads, with devices of their own (default: 1)\n"
	"  --devices N     1 to 12 devices in all (default: 4)\n"
	"  --replay FILE   the operations in FILE; with --threads side by side\n"
	"  --json          the sums as JSON\n"
	"\n"
	"Exit status: 0 no differences, 1 differences, 2 it cannot run.\n";

static uint64_t to_number(const char *option, const char *text, uint64_t min, uint64_t max)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (text[0] < '0' || text[0] > '9' || *end || value < min || value > max)
		errx(EXIT_CANNOT, "--%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'",
		     option, min, max, text);
	return value;
}

static void parse_options(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "ops", required_argument, NULL, 'o' },
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'r' },
		{ "threads", required_argument, NULL, 't' },
		{ "devices", required_argument, NULL, 'd' },
		{ "replay", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	int option, index;

	while ((option = getopt_long(argc, argv, "", longs, &index)) != -1) {
		switch (option) {
		case 'o':
			options->ops = to_number("ops", optarg, 1, UINT64_MAX);
			break;
		case 's':
			options->seconds = to_number("seconds", optarg, 1, UINT32_MAX);
			break;
		case 'r':
			options->seed = to_number("seed", optarg, 0, UINT64_MAX);
			break;
		case 't':
			options->threads = to_number("threads", optarg, 1, MAX_THREADS);
			break;
		case 'd':
			options->devices = to_number("devices", optarg, 1, NR_SLOTS);
			break;
		case 'f':
			options->replay = optarg;
			break;
		case 'j':
			options->json = true;
			break;
		case 'h':
			printf("%s", usage);
			exit(0);
		default:
			exit(EXIT_CANNOT);
		}
	}
	if (optind < argc)
		errx(EXIT_CANNOT, "what is '%s'?", argv[optind]);
	if (options->devices < options->threads)
		errx(EXIT_CANNOT, "each thread needs a device");
	if (!options->ops)
		options->ops = options->seconds ? UINT64_MAX : 10000;
}

static void read_script(const char *path, struct script *script)
{
	FILE *file = fopen(path, "re");
	const char *wrong;
	unsigned int line;
	size_t size = 0;
	char *text = NULL;

	if (!file || getdelim(&text, &size, 0, file) < 0)
		err(EXIT_CANNOT, "%s", path);
	fclose(file);
	wrong = script_parse(script, text, &line);
	if (wrong)
		errx(EXIT_CANNOT, "%s:%u: %s", path, line, wrong);
	free(text);
}

/* Says what is the matter, and how it can be had again, with as little as possible. */
static void explain(struct episode *episode)
{
	unsigned int nr_runs;
	size_t before = episode->script.nr;

	report_failure(&episode->failure);
	printf("# making %zu operations fewer\n", before);
	fflush(stdout);
	if (minimise(episode->target, &episode->script, &episode->failure, &nr_runs)) {
		printf("# %zu of %zu operations are left, after %u runs\n", episode->script.nr,
		       before, nr_runs);
		report_script(&episode->script, episode->seed, 1);
		report_failure(&episode->failure);
		return;
	}
	printf("# one after another they make no difference%s\n", episode->nr_threads > 1 ?
	       ": it takes several threads at once" : "; it depends on the time");
	report_script(&episode->script, episode->seed, episode->nr_threads);
}

static void run_episode(struct episode *episode)
{
	int ret = episode_run(episode);

	if (ret < 0)
		errx(EXIT_CANNOT, "a fresh start: %s", strerror(-ret));
	if (ret == RUN_DIFFERS) {
		explain(episode);
		episode->counts.nr_differences++;
	}
}

static void run_random(const struct options *options, struct episode *episode)
{
	time_t start = time(NULL), said = start, now;
	uint64_t done;

	do {
		done = episode->counts.nr_run + episode->counts.nr_skipped;
		episode->nr_ops = options->ops - done < EPISODE_OPS ? options->ops - done :
								       EPISODE_OPS;
		run_episode(episode);
		if (episode->counts.nr_differences)
			return;
		/* Each can be had again by its own seed. */
		episode->seed++;
		now = time(NULL);
		if (now - said >= PROGRESS_S) {
			said = now;
			printf("# %" PRIu64 " operations in %ld s; next seed %" PRIu64 "\n",
			       episode->counts.nr_run, (long)(now - start), episode->seed);
			fflush(stdout);
		}
		done = episode->counts.nr_run + episode->counts.nr_skipped;
	} while (done < options->ops &&
		 (!options->seconds || now - start < (time_t)options->seconds));
}

int main(int argc, char **argv)
{
	struct options options = { .seed = time(NULL), .threads = 1, .devices = 4 };
	struct script replay = {};
	struct target target = {};
	struct episode episode = { .target = &target };
	const char *what;
	int ret;

	parse_options(&options, argc, argv);
	ret = host_open(&target, options.threads, &what);
	if (ret < 0)
		errx(EXIT_CANNOT, "%s: %s", what, strerror(-ret));
	episode.nr_threads = options.threads;
	episode.nr_slots = options.devices;
	episode.seed = options.seed;
	printf("# seed %" PRIu64 ", %u thread%s, %u devices\n", options.seed, options.threads,
	       options.threads == 1 ? "" : "s", options.devices);
	if (options.replay) {
		read_script(options.replay, &replay);
		episode.replay = &replay;
		run_episode(&episode);
	} else {
		run_random(&options, &episode);
	}
	if (options.json)
		report_counts_as_json(&episode.counts, options.seed);
	else
		report_counts(&episode.counts);
	script_free(&replay);
	script_free(&episode.script);
	host_close(&target);
	return episode.counts.nr_differences ? EXIT_DIFFERS : 0;
}
