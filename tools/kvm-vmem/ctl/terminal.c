// SPDX-License-Identifier: GPL-2.0
#include "terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "ctl.h"

/* A screen apart, without a cursor; and back. */
#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

static struct termios saved;
static bool has_keys;
static int signals = -1;

static const int handled[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH };

bool terminal_can_draw(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb");
}

static void send(const char *sequence)
{
	fputs(sequence, stdout);
	flush_some();
}

static void enter(void)
{
	struct termios raw = saved;

	raw.c_lflag &= ~(ICANON | ECHO);
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	send(ENTER);
}

static void leave(void)
{
	send(LEAVE);
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
}

int terminal_take(void)
{
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < sizeof(handled) / sizeof(*handled); i++)
		sigaddset(&set, handled[i]);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &set, NULL);
	has_keys = !tcgetattr(STDIN_FILENO, &saved);
	enter();
	return 0;
}

void terminal_give_back(void)
{
	if (signals < 0)
		return;
	leave();
	close(signals);
	signals = -1;
}

/* As if it were not handled. */
static void take_effect(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	raise(signal);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static enum terminal_event handle_signal(int signal)
{
	switch (signal) {
	case SIGWINCH:
		return TERMINAL_REDRAW;
	case SIGCONT:
		/* Whoever stopped it may have left the terminal in any state. */
		enter();
		return TERMINAL_REDRAW;
	}
	leave();
	take_effect(signal);
	/* Stopped, and continued; or ignored. */
	enter();
	return TERMINAL_REDRAW;
}

static enum terminal_event handle_keys(void)
{
	char keys[64];
	ssize_t len = read(STDIN_FILENO, keys, sizeof(keys));

	if (len <= 0) {
		has_keys = false;
		return TERMINAL_TIMEOUT;
	}
	return memchr(keys, 'q', len) || memchr(keys, 'Q', len) ? TERMINAL_QUIT : TERMINAL_REDRAW;
}

enum terminal_event terminal_wait(int ms)
{
	struct pollfd polls[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN },
	};
	struct signalfd_siginfo info;

	if (poll(polls, 2, ms) <= 0)
		return TERMINAL_TIMEOUT;
	if (polls[0].revents && read(signals, &info, sizeof(info)) == sizeof(info))
		return handle_signal(info.ssi_signo);
	return polls[1].revents ? handle_keys() : TERMINAL_TIMEOUT;
}
