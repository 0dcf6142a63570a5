// SPDX-License-Identifier: GPL-2.0
/* Runs a program: its calls one after the other, or some in threads beside that. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cover.h"
#include "run.h"

#define PAGE		4096UL
/* In front of a thread's guard: the largest structure that it passes. */
#define BEFORE_GUARD	(2 * PAGE)

/*
 * A call that waits, as read() may and a vCPU may for ever, is interrupted: there is time
 * for what is slow, and not too much for what never ends.
 */
#define PATIENCE_NS	(500 * 1000000L)

static __thread char *guard;
static __thread int fail_nth = -1;

/* The program of this process, and the threads for calls beside it. */
static const struct program *running;
static struct run *the_run;

static struct worker {
	pthread_t thread;
	const struct call *call;
	bool started;
} workers[NB_ASYNC];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

char *thread_guard(void)
{
	return guard;
}

long result_of(long ret)
{
	return ret < 0 ? -errno : ret;
}

int arg_slot(const struct call *call, unsigned int i)
{
	return call->args[i].slot < NB_FD_SLOTS ? call->args[i].slot : NO_SLOT;
}

int arg_fd(const struct run *run, const struct call *call, unsigned int i)
{
	const signed char slot = call->args[i].slot;

	if (slot == NO_SLOT)
		return call->args[i].number;
	return slot < NB_FD_SLOTS ? run->fds[slot] : -1;
}

uint64_t arg_number(const struct call *call, unsigned int i)
{
	return call->args[i].number;
}

char *arg_addr(const struct run *run, const struct call *call, unsigned int i)
{
	const struct value *value = &call->args[i];

	if (value->slot < NB_FD_SLOTS)
		return (char *)value->number;
	return run->maps[value->slot - NB_FD_SLOTS].addr + value->number;
}

size_t arg_text(const struct call *call, uint64_t repeat, char *text, size_t size)
{
	size_t used = 0;

	do {
		if (used + call->text_size > size)
			break;
		memcpy(text + used, call->text, call->text_size);
		used += call->text_size;
	} while (repeat--);
	return used;
}

static void interrupted(int sig)
{
}

static void interrupt_now_and_then(void)
{
	struct sigaction action = { .sa_handler = interrupted };
	struct itimerspec often = {
		.it_interval.tv_nsec = PATIENCE_NS,
		.it_value.tv_nsec = PATIENCE_NS,
	};
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGALRM,
	};
	timer_t timer;

	event._sigev_un._tid = syscall(SYS_gettid);
	sigaction(SIGALRM, &action, NULL);
	if (!timer_create(CLOCK_MONOTONIC, &event, &timer))
		timer_settime(timer, 0, &often, NULL);
}

static void prepare_thread(unsigned int number)
{
	char *memory = mmap(NULL, BEFORE_GUARD + PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		_exit(1);
	guard = memory + BEFORE_GUARD;
	mprotect(guard, PAGE, PROT_NONE);
	fail_nth = open("/proc/thread-self/fail-nth", O_WRONLY | O_CLOEXEC);
	interrupt_now_and_then();
	cover_thread(number);
}

static void order_failure(unsigned int nth)
{
	char text[8];

	snprintf(text, sizeof(text), "%u", nth);
	if (fail_nth >= 0 && pwrite(fail_nth, text, strlen(text), 0) < 0)
		errno = 0;
}

bool run_shows;

static void show(const struct call *call, long result)
{
	struct program single = { .nb_calls = 1 };
	char text[4096];

	single.calls[0] = *call;
	program_print(&single, "; ", text, sizeof(text));
	printf("fuzz: result %ld of %s\n", result, text);
	fflush(stdout);
}

static void keep_result(struct run *run, const struct call *call, long result)
{
	if (result >= 0 && call->result != NO_SLOT && call->result < NB_FD_SLOTS)
		run->fds[call->result] = result;
}

static void execute(struct run *run, const struct call *call)
{
	unsigned int number = call_spec_number(call->spec);
	long result;

	cover_call(number);
	if (call->fail_nth)
		order_failure(call->fail_nth);
	result = call->spec->execute(run, call);
	if (call->fail_nth)
		order_failure(0);
	cover_result(number, result);
	keep_result(run, call, result);
	if (run_shows)
		show(call, result);
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	prepare_thread(1 + (worker - workers));
	pthread_mutex_lock(&lock);
	for (;;) {
		while (!worker->call)
			pthread_cond_wait(&changed, &lock);
		pthread_mutex_unlock(&lock);
		execute(the_run, worker->call);
		pthread_mutex_lock(&lock);
		worker->call = NULL;
		pthread_cond_broadcast(&changed);
	}
	return NULL;
}

static struct worker *idle_worker(void)
{
	for (;;) {
		for (unsigned int i = 0; i < NB_ASYNC; i++)
			if (!workers[i].call)
				return &workers[i];
		pthread_cond_wait(&changed, &lock);
	}
}

static void execute_beside(const struct call *call)
{
	struct worker *worker;

	pthread_mutex_lock(&lock);
	worker = idle_worker();
	worker->call = call;
	if (!worker->started)
		worker->started = !pthread_create(&worker->thread, NULL, work, worker);
	if (!worker->started)
		worker->call = NULL;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void wait_for_workers(void)
{
	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < NB_ASYNC; i++)
		while (workers[i].call)
			pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

void run_calls(struct run *run, const struct program *program, unsigned int from)
{
	for (unsigned int i = from; i < program->nb_calls; i++) {
		/* A fork has no other threads. */
		if (program->calls[i].async && !run->is_copy)
			execute_beside(&program->calls[i]);
		else
			execute(run, &program->calls[i]);
	}
}

void run_rest(struct run *run, const struct call *call)
{
	run->is_copy = true;
	fail_nth = -1;
	cover_thread(NB_THREADS);
	run_calls(run, running, call - running->calls + 1);
	_exit(0);
}

/* Here and not by the exit, whose coverage nobody records. */
static void release(struct run *run)
{
	for (unsigned int i = 0; i < NB_MAP_SLOTS; i++)
		if (run->maps[i].addr)
			munmap(run->maps[i].addr, run->maps[i].size);
	for (unsigned int i = 0; i < NB_FD_SLOTS; i++)
		if (run->fds[i] >= 0)
			close(run->fds[i]);
	for (unsigned int i = 0; i < NB_VMS; i++)
		if (run->vms[i].ram)
			vm_destroy(&run->vms[i]);
}

void run_program(const struct program *program)
{
	static struct run run;

	memset(run.fds, -1, sizeof(run.fds));
	running = program;
	the_run = &run;
	prepare_thread(0);
	run_calls(&run, program, 0);
	wait_for_workers();
	cover_call(COVER_END);
	release(&run);
	cover_result(COVER_END, 0);
	_exit(0);
}
