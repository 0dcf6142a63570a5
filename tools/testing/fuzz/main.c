// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-fuzz: a fuzzer of all that reaches the kvm_vmem module from user space, guided by
 * the coverage of the module. It runs on a host of its own, which may break: see lab.rst.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "corpus.h"
#include "execute.h"
#include "generate.h"
#include "random.h"
#include "run.h"
#include "vmem.h"
#include "watch.h"

#define CGROUP		"/sys/fs/cgroup/fuzz"
/* More than programs can fill in the time that they have, less than the host has. */
#define MOST_MEMORY	"6G"
#define REPORT_SECONDS	10

static const char usage[] =
"Usage: vmem-fuzz [--corpus DIR]... [--seconds N] [--seed N]\n"
"       vmem-fuzz --replay FILE [--repeat N]\n"
"       vmem-fuzz [--corpus DIR]... --distill\n"
"\n"
"Runs the programs of the corpora, then others for N seconds (30): new ones and changed\n"
"ones. Prints each before it runs it, those that reach something new, and what is found:\n"
"then it ends with status 1. --replay runs the programs of a file, N times (20), and\n"
"prints what calls return; --distill prints a smaller corpus that reaches as much.\n";

struct options {
	const char *replay;
	unsigned int seconds;
	unsigned int repeat;
	uint64_t seed;
	bool distill;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static double began;

static void report(const char *what)
{
	printf("fuzz: %s seconds=%.1f programs=%llu ended=%llu places=%zu steps=%zu corpus=%u\n",
	       what, now() - began, (unsigned long long)nb_executed, (unsigned long long)nb_ended, cover_nb_places(),
	       cover_nb_steps(), corpus_size());
	fflush(stdout);
}

static void fuzz(unsigned int seconds)
{
	static struct program program;
	double start = now(), reported = start;

	while (now() - start < seconds) {
		if (one_in(3)) {
			generate(&program);
		} else {
			program = *corpus_pick();
			mutate(&program, corpus_pick());
		}
		corpus_try(&program);
		if (now() - reported >= REPORT_SECONDS) {
			report("status");
			reported = now();
		}
	}
}

static void replay(const struct options *options)
{
	run_shows = true;
	corpus_read_file(options->replay);
	for (unsigned int i = 0; i < options->repeat; i++)
		corpus_replay();
}

/* All processes are in one, so that none is charged to the host's own. */
static void limit_memory(void)
{
	mkdir(CGROUP, 0755);
	if (write_file(CGROUP "/memory.max", MOST_MEMORY) ||
	    write_file(CGROUP "/cgroup.procs", "0"))
		err(2, CGROUP);
}

static void prepare_host(void)
{
	const struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGPIPE, SIG_IGN);
	limit_memory();
	need_hugepages(64);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		err(2, "prctl");
	if (!cover_open())
		printf("fuzz: there is no KCOV here\n");
	watch_allow_failures();
	watch_trace();
	if (!watch_begin())
		errx(2, "the module is not loaded, or in use");
}

static void parse_options(struct options *options, int argc, char **argv)
{
	enum { CORPUS, SECONDS, SEED, REPLAY, REPEAT, DISTILL, NOTHING };
	static const struct option longs[] = {
		{ "corpus", required_argument, NULL, CORPUS },
		{ "seconds", required_argument, NULL, SECONDS },
		{ "seed", required_argument, NULL, SEED },
		{ "replay", required_argument, NULL, REPLAY },
		{ "repeat", required_argument, NULL, REPEAT },
		{ "distill", no_argument, NULL, DISTILL },
		{ "nothing", no_argument, NULL, NOTHING },
		{ NULL },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case CORPUS:
			corpus_read(optarg);
			break;
		case SECONDS:
			options->seconds = atoi(optarg);
			break;
		case SEED:
			options->seed = strtoull(optarg, NULL, 0);
			break;
		case REPLAY:
			options->replay = optarg;
			break;
		case REPEAT:
			options->repeat = atoi(optarg);
			break;
		case DISTILL:
			options->distill = true;
			break;
		case NOTHING:
			/* What a program that forks executes. */
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct options options = { .seconds = 30, .repeat = 20, .seed = 1 };
	struct features places;

	parse_options(&options, argc, argv);
	prepare_host();
	began = now();
	random_seed(options.seed);
	printf("fuzz: seed %llu\n", (unsigned long long)options.seed);
	if (options.replay) {
		replay(&options);
	} else if (options.distill) {
		corpus_distill();
	} else {
		corpus_replay();
		report("replayed");
		fuzz(options.seconds);
	}
	places = cover_known_places();
	cover_print_places("fuzz: places", &places);
	features_free(&places);
	report("end");
	return 0;
}
