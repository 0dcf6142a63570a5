// SPDX-License-Identifier: GPL-2.0
/*
 * soak MINUTES [SEED]: has all actors live for a while, notes what the host has, has them
 * live for MINUTES, and says what it has then. Exit status: 0 as before; 1 not, or an
 * actor saw what it should not; 2 usage.
 *
 * The first while is to have the host make what it makes once and keeps: caches, workers,
 * the trace buffer.
 */
#define _GNU_SOURCE
#include "soak.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "patience.h"
#include "vmem.h"

#define WARM_UP_S 120
#define PROGRESS_S 60
/* For an actor that was told to end. */
#define END_S 300

/**
 * struct actor - a place that is never empty for long
 * @live: What who is there does
 * @name: For people
 * @most_s: It is told to end after so long at most, at random; 0: never
 * @killed: Of those, so many percent are killed
 * @nice: Who has less to wait for comes last
 * @pid: Its process; 0: none
 * @end: When it is told, in ms
 * @is_killed: It was
 */
struct actor {
	int (*live)(void);
	const char *name;
	unsigned int most_s;
	unsigned int killed;
	int nice;
	pid_t pid;
	int64_t end;
	bool is_killed;
};

static struct actor actors[] = {
	{ rig_live, "rig", 20, 50, 5 },
	{ rig_live, "rig", 20, 50, 5 },
	{ rig_live, "rig", 60, 20, 5 },
	{ rig_live_in_cgroup, "rig in a cgroup", 60, 50, 5 },
	{ mini_live, "miniature guest", 60, 50, 5 },
	{ stock_live, "stock guest", 600, 50, 0 },
	{ reader_live, "reader", 30, 20, 10 },
	{ writer_live, "writer", 30, 20, 10 },
	{ vmemctl_live, "vmemctl", 30, 20, 10 },
	{ tracer_live, "tracer", 0, 0, 10 },
};

#define NR_ACTORS (sizeof(actors) / sizeof(actors[0]))

static struct {
	atomic_uint_fast64_t tallies[SOAK_NR_TALLIES];
	atomic_bool is_wrong;
} *shared;

static volatile sig_atomic_t ends;
static unsigned int seed;

void soak_count(enum soak_tally tally, uint64_t nr)
{
	atomic_fetch_add(&shared->tallies[tally], nr);
}

void soak_wrong(const char *format, ...)
{
	va_list args;

	atomic_store(&shared->is_wrong, true);
	printf("WRONG: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

bool soak_ends(void)
{
	return ends;
}

void soak_pause_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

unsigned int soak_random(unsigned int below)
{
	return rand_r(&seed) % below;
}

bool soak_chance(unsigned int percent)
{
	return soak_random(100) < percent;
}

static void on_end(int sig)
{
	ends = 1;
}

static void start(struct actor *actor)
{
	unsigned int next = soak_random(RAND_MAX);
	struct sigaction action = { .sa_handler = on_end };
	pid_t parent = getpid();

	fflush(stdout);
	actor->end = now_ms() + 1000 + soak_random(actor->most_s * 1000 + 1);
	actor->is_killed = soak_chance(actor->killed);
	actor->pid = fork();
	if (actor->pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	sigaction(SIGTERM, &action, NULL);
	nice(actor->nice);
	seed = next;
	_exit(actor->live());
}

/* Of actors that are gone: another one may just go into its own. */
static void remove_cgroups(void)
{
	glob_t found = {};
	size_t i;

	glob(SOAK_CGROUP "*", GLOB_NOSORT, NULL, &found);
	for (i = 0; i < found.gl_pathc; i++)
		if (kill(atoi(found.gl_pathv[i] + strlen(SOAK_CGROUP)), 0) && errno == ESRCH)
			rmdir(found.gl_pathv[i]);
	globfree(&found);
}

/* Also of children of actors that were killed. */
static void reap(int flags)
{
	struct actor *actor;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, flags)) > 0) {
		remove_cgroups();
		for (actor = actors; actor < actors + NR_ACTORS; actor++) {
			if (actor->pid != pid)
				continue;
			actor->pid = 0;
			if (status && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL &&
					actor->is_killed)) {
				printf("WRONG: the %s ended with status 0x%x\n", actor->name,
				       status);
				atomic_store(&shared->is_wrong, true);
			}
		}
	}
}

static void end_actor(struct actor *actor)
{
	kill(actor->pid, actor->is_killed ? SIGKILL : SIGTERM);
	soak_count(SOAK_KILLED, actor->is_killed);
	actor->end = INT64_MAX;
}

static void end_all(void)
{
	int64_t deadline = now_ms() + END_S * 1000;
	struct actor *actor;
	bool is_left = true;

	for (actor = actors; actor < actors + NR_ACTORS; actor++)
		if (actor->pid)
			end_actor(actor);
	while (is_left) {
		reap(WNOHANG);
		is_left = false;
		for (actor = actors; actor < actors + NR_ACTORS; actor++) {
			is_left |= actor->pid;
			if (actor->pid && now_ms() > deadline && !actor->is_killed) {
				printf("WRONG: the %s does not end\n", actor->name);
				atomic_store(&shared->is_wrong, true);
				actor->is_killed = true;
				kill(actor->pid, SIGKILL);
			}
		}
		soak_pause_ms(50);
	}
	/* What actors that were killed have left. */
	reap(0);
}

static void say_progress(int64_t seconds, const char *of)
{
	static const char *const names[] = {
		"VMMs", "actors killed", "requests", "busy", "accesses denied",
		"pages written and found", "resizes", "files read",
	};
	unsigned int i;

	printf("%lld of %s s:", (long long)seconds, of);
	for (i = 0; i < SOAK_NR_TALLIES; i++)
		printf("%s %llu %s", i ? "," : "",
		       (unsigned long long)atomic_load(&shared->tallies[i]), names[i]);
	printf("\n");
	fflush(stdout);
}

static void live_for(int64_t seconds)
{
	int64_t begin = now_ms(), next = PROGRESS_S, at = 0;
	struct actor *actor;
	char of[24];

	snprintf(of, sizeof(of), "%lld", (long long)seconds);
	while (at < seconds && !atomic_load(&shared->is_wrong)) {
		reap(WNOHANG);
		for (actor = actors; actor < actors + NR_ACTORS; actor++) {
			if (!actor->pid)
				start(actor);
			else if (actor->most_s && now_ms() > actor->end)
				end_actor(actor);
		}
		soak_pause_ms(50);
		at = (now_ms() - begin) / 1000;
		if (at >= next) {
			say_progress(at, of);
			next += PROGRESS_S;
		}
	}
	end_all();
	say_progress(at, of);
}

static void trace(void)
{
	if (write_file("/sys/kernel/tracing/events/kvm_vmem/enable", "1"))
		soak_wrong("there are no tracepoints");
}

static void begin(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		abort();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	trace();
}

/*
 * Nothing holds the module. And while the kernel makes room for code it gives up what vmalloc
 * has freed and keeps until then, which would be counted.
 */
static void reload_module(void)
{
	if (system("rmmod kvm_vmem && modprobe kvm_vmem"))
		soak_wrong("the module cannot be unloaded and loaded again");
	trace();
}

static void take_stock(struct host *host)
{
	reload_module();
	host_settle();
	host_read(host);
}

int main(int argc, char **argv)
{
	struct host before = {}, after = {};
	int minutes = argc > 1 ? atoi(argv[1]) : 0;
	bool is_good;

	if (argc > 3 || minutes < 1) {
		fprintf(stderr, "usage: soak MINUTES [SEED]\n");
		return 2;
	}
	seed = argc > 2 ? atoi(argv[2]) : 1;
	begin();
	printf("warming up\n");
	live_for(WARM_UP_S);
	take_stock(&before);
	printf("soaking\n");
	live_for(minutes * 60);
	take_stock(&after);
	is_good = host_compare(&before, &after);
	printf("%s\n", is_good ? "the host is as it was" : "the host is not as it was");
	return is_good && !atomic_load(&shared->is_wrong) ? 0 : 1;
}
