// SPDX-License-Identifier: GPL-2.0
#include "wait.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* For the clock of the bar, and for devices that go, of which poll() does not tell. */
#define LOOK_EVERY_MS 500

enum { SIZE, REQUESTED, NR_FILES };

static const enum fact files[NR_FILES] = { FACT_SIZE, FACT_REQUESTED_SIZE };

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	interrupted = signal;
}

/* poll() is to end, so without SA_RESTART. What nohup has ignored stays so. */
static void catch(int signal)
{
	const struct sigaction action = { .sa_handler = interrupt };
	struct sigaction before;

	if (!sigaction(signal, NULL, &before) && before.sa_handler != SIG_IGN)
		sigaction(signal, &action, NULL);
}

static int64_t min_ms(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Which limit is over, if any; and how long there is until the next. */
static bool is_over(const struct wait *wait, const struct options *options,
		    enum outcome *outcome, int64_t *left_ms)
{
	int64_t now = now_ms();

	*left_ms = LOOK_EVERY_MS;
	if (options->timeout_ms) {
		*left_ms = min_ms(*left_ms, wait->started_ms + options->timeout_ms - now);
		*outcome = OUTCOME_TIMEOUT;
		if (*left_ms <= 0)
			return true;
	}
	if (options->stall_ms) {
		*left_ms = min_ms(*left_ms, wait->progressed_ms + options->stall_ms - now);
		*outcome = OUTCOME_STALLED;
	}
	return *left_ms <= 0;
}

static int look(struct wait *wait, const int *fds)
{
	uint64_t before = wait->device->facts[FACT_SIZE];
	unsigned int i;
	int ret;

	for (i = 0; i < NR_FILES; i++) {
		ret = device_reread_fact(wait->device, files[i], fds[i]);
		if (ret)
			return ret;
	}
	if (device_is_gone(wait->device))
		return -ENODEV;
	if (wait->device->facts[FACT_SIZE] != before)
		wait->progressed_ms = now_ms();
	return 0;
}

/* The shell gets the signal, too, once the line is ended. */
static void give_up(struct progress *progress, const struct wait *wait)
{
	progress_end(progress, wait);
	fail(STATUS_FAILED, "not waiting any more; the guest is still asked for it");
	signal(interrupted, SIG_DFL);
	raise(interrupted);
}

static enum outcome loop(struct wait *wait, const struct options *options,
			 struct progress *progress, const int *fds)
{
	struct pollfd polls[NR_FILES];
	enum outcome outcome;
	int64_t left_ms;
	unsigned int i;

	for (i = 0; i < NR_FILES; i++)
		polls[i] = (struct pollfd){ .fd = fds[i], .events = POLLPRI };
	for (;;) {
		wait->error = look(wait, fds);
		if (wait->error)
			return OUTCOME_FAILED;
		if (wait->device->facts[FACT_REQUESTED_SIZE] != wait->target)
			return OUTCOME_REPLACED;
		if (wait->device->facts[FACT_SIZE] == wait->target)
			return OUTCOME_REACHED;
		if (is_over(wait, options, &outcome, &left_ms))
			return outcome;
		progress_show(progress, wait);
		poll(polls, NR_FILES, left_ms);
		if (interrupted)
			give_up(progress, wait);
	}
}

void wait_catch_signals(void)
{
	catch(SIGINT);
	catch(SIGTERM);
	catch(SIGHUP);
}

enum outcome wait_for_guest(struct wait *wait, const struct options *options)
{
	enum outcome outcome = OUTCOME_FAILED;
	struct progress progress;
	int fds[NR_FILES];
	unsigned int i;

	wait->from = wait->device->facts[FACT_SIZE];
	wait->started_ms = now_ms();
	wait->progressed_ms = wait->started_ms;
	progress_begin(&progress, options);

	for (i = 0; i < NR_FILES; i++) {
		fds[i] = device_open_fact(wait->device, files[i]);
		if (fds[i] < 0) {
			wait->error = fds[i];
			break;
		}
	}
	if (i == NR_FILES)
		outcome = loop(wait, options, &progress, fds);
	progress_end(&progress, wait);
	while (i)
		close(fds[--i]);
	return outcome;
}
