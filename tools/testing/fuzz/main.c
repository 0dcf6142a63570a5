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
#include "failures.h"
#include "generate.h"
#include "random.h"
#include "run.h"
#include "vmem.h"
#include "watch.h"

#define CGROUP		"/sys/fs/cgroup/fuzz"
/*
 * From here on whoever wants more is made to wait, and is out of time before it has as much
 * that it would be killed, of which the kernel complains. Less than the host has.
 */
#define MUCH_MEMORY	"2G"
#define MOST_MEMORY	"4G"
#define REPORT_SECONDS	10

static const char usage[] =
"Usage: vmem-fuzz [--corpus DIR]... [--seconds N] [--seed N]\n"
"       vmem-fuzz [--corpus DIR]... --programs N [--seed N]\n"
"       vmem-fuzz --replay FILE [--repeat N]\n"
"       vmem-fuzz [--corpus DIR]... --distill DIR\n"
"\n"
"Runs the programs of the corpora, then others for N seconds (30): new ones and changed\n"
"ones. Prints each before it runs it, those that reach something new, and what is found:\n"
"then it ends with status 1. --programs runs N of them, always the same ones for a seed\n"
"and a corpus, as nothing is learned from what they reach. --replay runs the programs of\n"
"a file, N times (20), and prints what calls return; --distill prints of the programs\n"
"in DIR as few, and as small ones, as reach all that they add to the corpora.\n";

struct options {
	const char *replay;
	unsigned int seconds;
	unsigned int programs;
	unsigned int repeat;
	uint64_t seed;
	const char *distill;
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
	       what, now() - began, (unsigned long long)nb_executed,
	       (unsigned long long)nb_ended, features_nb_places(), features_nb_steps(),
	       corpus_size());
	fflush(stdout);
}

static void make_program(struct program *program)
{
	if (one_in(3)) {
		generate(program);
	} else {
		*program = *corpus_pick();
		mutate(program, corpus_pick());
	}
}

static void run_programs(unsigned int nb)
{
	static struct program program;
	struct features reached;

	while (nb--) {
		make_program(&program);
		reached = execute_program(&program);
		features_learn(&reached);
		features_free(&reached);
	}
}

static void fuzz(unsigned int seconds)
{
	static struct program program;
	double start = now(), reported = start;

	while (now() - start < seconds) {
		make_program(&program);
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
	if (write_file(CGROUP "/memory.high", MUCH_MEMORY) ||
	    write_file(CGROUP "/memory.max", MOST_MEMORY) ||
	    write_file(CGROUP "/cgroup.procs", "0"))
		err(2, CGROUP);
}

/*
 * The first VM and the last one of a host have the kernel rewrite its own code, and grace
 * periods are for nothing: both take more time than a program does.
 */
static void be_quick(void)
{
	static struct vm vm;

	if (vm_create(&vm, 0))
		errx(2, "there is no KVM here");
	write_file("/sys/kernel/rcu_expedited", "1");
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
	if (!failures_prepare())
		printf("fuzz: this kernel does not fail to order\n");
	be_quick();
	watch_trace();
	if (!watch_begin())
		errx(2, "the module is not loaded, or in use");
}

static void parse_options(struct options *options, int argc, char **argv)
{
	enum { CORPUS, SECONDS, PROGRAMS, SEED, REPLAY, REPEAT, DISTILL };
	static const struct option longs[] = {
		{ "corpus", required_argument, NULL, CORPUS },
		{ "seconds", required_argument, NULL, SECONDS },
		{ "programs", required_argument, NULL, PROGRAMS },
		{ "seed", required_argument, NULL, SEED },
		{ "replay", required_argument, NULL, REPLAY },
		{ "repeat", required_argument, NULL, REPEAT },
		{ "distill", required_argument, NULL, DISTILL },
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
		case PROGRAMS:
			options->programs = atoi(optarg);
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
			options->distill = optarg;
			break;
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
	unsigned int nb;

	parse_options(&options, argc, argv);
	prepare_host();
	began = now();
	random_seed(options.seed);
	printf("fuzz: seed %llu\n", (unsigned long long)options.seed);
	if (options.replay) {
		replay(&options);
	} else if (options.distill) {
		corpus_replay();
		nb = corpus_size();
		corpus_read(options.distill);
		corpus_distill(nb);
	} else {
		corpus_replay();
		report("replayed");
		if (options.programs)
			run_programs(options.programs);
		else
			fuzz(options.seconds);
	}
	places = features_known_places();
	cover_print_places("fuzz: places", &places);
	features_free(&places);
	report("end");
	return 0;
}
