// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "execute.h"
#include "run.h"
#include "watch.h"

/* A program is ended after some time; and then nothing may keep it. */
#define PROGRAM_MS	15000
#define GONE_TRIES	6000
#define GONE_TRY_US	20000

/* What a finding is blamed on: it may show only in one of the next programs. */
#define NB_SUSPECTS	5

uint64_t nb_executed, nb_ended;

static struct program suspects[NB_SUSPECTS];

static void print_program(const char *what, const struct program *program)
{
	static char text[PROGRAM_TEXT_SIZE];

	program_print(program, "; ", text, sizeof(text));
	printf("fuzz: %s %s\n", what, text);
}

static void __attribute__((noreturn)) found(const char *what)
{
	printf("fuzz: finding %s\n", what);
	for (unsigned int i = NB_SUSPECTS; i--;)
		if (nb_executed > i)
			print_program("suspect", &suspects[(nb_executed - i) % NB_SUSPECTS]);
	watch_print_stacks();
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
	exit(1);
}

/* Returns false if it had to be ended. */
static bool wait_for(pid_t pid)
{
	struct pollfd process = { .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	bool ended = poll(&process, 1, PROGRAM_MS) > 0;

	close(process.fd);
	return ended;
}

/* With all that it has forked: this process inherits those. */
static bool end(pid_t pid)
{
	for (int i = 0; i < GONE_TRIES; i++) {
		kill(-pid, SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
			return true;
		usleep(i < 100 ? 1000 : GONE_TRY_US);
	}
	return false;
}

static bool changes_parameters(const struct program *program)
{
	for (unsigned int i = 0; i < program->nb_calls; i++)
		if (!strcmp(program->calls[i].spec->name, "parameter"))
			return true;
	return false;
}

struct features execute_program(const struct program *program)
{
	const char *finding;
	pid_t pid;

	nb_executed++;
	suspects[nb_executed % NB_SUSPECTS] = *program;
	print_program("run", program);
	fflush(stdout);
	tcdrain(STDOUT_FILENO);

	cover_begin();
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		run_program(program);
	}
	if (pid < 0)
		found("no process can be forked");
	setpgid(pid, pid);
	if (!wait_for(pid))
		nb_ended++;
	if (!end(pid))
		found("a process does not end");
	if (changes_parameters(program))
		watch_restore();
	/* By which a thread that kmemleak names is known. */
	printf("fuzz: ran %d\n", pid);
	finding = watch_finding();
	if (finding)
		found(finding);
	return cover_end();
}
