// SPDX-License-Identifier: GPL-2.0
/* Drives the stock Linux guest by its serial console. */
#define _GNU_SOURCE
#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "patience.h"

/* What the guest's init says at the beginning of a line. */
#define READY "\n@ready\n"
#define DONE "\n@done "

#define NR_PAIRS 3

/* Of each, for who wants to know why a test failed. */
#define EXPLAINED_LINES 40

static void run_vmm(const char *const argv[], int pairs[NR_PAIRS][2], pid_t parent)
{
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	for (i = 0; i < NR_PAIRS; i++)
		dup2(pairs[i][1], i);
	execvp(argv[0], (char *const *)argv);
	perror(argv[0]);
	_exit(127);
}

static void close_pairs(int pairs[NR_PAIRS][2], int side)
{
	int i;

	for (i = 0; i < NR_PAIRS; i++)
		if (pairs[i][side] >= 0)
			close(pairs[i][side]);
}

/*
 * For standard input, output and error; ours is the first of each. A socket can be
 * written to without SIGPIPE; in a pipe there is room for much that was written byte
 * by byte.
 */
static int open_pairs(int pairs[NR_PAIRS][2])
{
	int error;

	memset(pairs, -1, NR_PAIRS * sizeof(*pairs));
	if (!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[STDIN_FILENO]) &&
	    !pipe2(pairs[STDOUT_FILENO], O_CLOEXEC) && !pipe2(pairs[STDERR_FILENO], O_CLOEXEC))
		return 0;
	error = -errno;
	close_pairs(pairs, 0);
	close_pairs(pairs, 1);
	return error;
}

int linux_start(struct linux_guest *guest, const char *const argv[])
{
	int pairs[NR_PAIRS][2], error;
	pid_t parent = getpid(), pid;

	*guest = (struct linux_guest){
		.status = -1, .keyboard_fd = -1, .console_fd = -1, .messages_fd = -1,
	};
	error = open_pairs(pairs);
	if (error)
		return error;
	/* Else the child would print it again. */
	fflush(NULL);
	pid = fork();
	if (!pid)
		run_vmm(argv, pairs, parent);
	error = -errno;
	close_pairs(pairs, 1);
	if (pid < 0) {
		close_pairs(pairs, 0);
		return error;
	}
	guest->pid = pid;
	guest->keyboard_fd = pairs[STDIN_FILENO][0];
	guest->console_fd = pairs[STDOUT_FILENO][0];
	guest->messages_fd = pairs[STDERR_FILENO][0];
	return 0;
}

/* Closes the file at its end. What was said is text. */
static int read_more(int *fd, struct linux_text *said)
{
	char buf[4096];
	ssize_t length = read(*fd, buf, sizeof(buf)), i;
	char *text;

	if (length <= 0) {
		close(*fd);
		*fd = -1;
		return 0;
	}
	text = realloc(said->text, said->length + length + 1);
	if (!text)
		return -ENOMEM;
	for (i = 0; i < length; i++)
		text[said->length++] = buf[i] ?: '?';
	text[said->length] = 0;
	said->text = text;
	return 0;
}

/* Until something was said, or nobody is there to say more: -EPIPE. */
static int listen_until(struct linux_guest *guest, int64_t deadline)
{
	struct pollfd fds[] = {
		{ .fd = guest->console_fd, .events = POLLIN },
		{ .fd = guest->messages_fd, .events = POLLIN },
	};
	int64_t left = deadline - now_ms();
	int ret = 0;

	if (guest->console_fd < 0 && guest->messages_fd < 0)
		return -EPIPE;
	ret = poll(fds, 2, left < 0 ? 0 : left);
	if (ret < 0)
		return errno == EINTR ? 0 : -errno;
	if (!ret)
		return -ETIMEDOUT;
	ret = 0;
	if (fds[0].revents)
		ret = read_more(&guest->console_fd, &guest->console);
	if (!ret && fds[1].revents)
		ret = read_more(&guest->messages_fd, &guest->messages);
	return ret;
}

/* What follows what was seen, up to the mark; NULL if it is not there yet. */
static char *find_mark(const struct linux_guest *guest, const char *mark)
{
	return guest->console.text ? strstr(guest->console.text + guest->seen, mark) : NULL;
}

static void seen_until(struct linux_guest *guest, const char *end)
{
	guest->seen = end - guest->console.text;
}

int linux_wait_said(struct linux_guest *guest, const char *what, int seconds)
{
	int64_t deadline = now_ms() + seconds * 1000LL;
	const char *said;
	int ret;

	for (;;) {
		said = find_mark(guest, what);
		if (said) {
			seen_until(guest, said + strlen(what));
			return 0;
		}
		ret = listen_until(guest, deadline);
		if (ret)
			return ret;
	}
}

int linux_wait_ready(struct linux_guest *guest, int seconds)
{
	return linux_wait_said(guest, READY, seconds);
}

int linux_send(struct linux_guest *guest, const char *text)
{
	size_t length = strlen(text);
	ssize_t sent;

	if (guest->console_fd < 0)
		return -EPIPE;
	sent = send(guest->keyboard_fd, text, length, MSG_NOSIGNAL);
	if (sent < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return sent == (ssize_t)length ? 0 : -EIO;
}

/* The whole line "@done STATUS". */
static bool is_done(struct linux_guest *guest, char **output_end, int *status)
{
	char *end;

	*output_end = find_mark(guest, DONE);
	if (!*output_end)
		return false;
	*status = strtol(*output_end + strlen(DONE), &end, 10);
	if (*end != '\n')
		return false;
	seen_until(guest, end + 1);
	return true;
}

static void copy_output(char *output, size_t size, const char *begin, const char *end)
{
	while (end > begin && end[-1] == '\n')
		end--;
	if (size > (size_t)(end - begin))
		size = end - begin + 1;
	memcpy(output, begin, size - 1);
	output[size - 1] = 0;
}

int linux_run(struct linux_guest *guest, const char *command, char *output, size_t size,
	      int seconds)
{
	int64_t deadline = now_ms() + seconds * 1000LL;
	size_t begin = guest->seen;
	int ret, status;
	char *end;

	ret = linux_send(guest, command);
	if (!ret)
		ret = linux_send(guest, "\n");
	while (!ret && !is_done(guest, &end, &status)) {
		if (find_mark(guest, READY))
			return -ECONNRESET;
		ret = listen_until(guest, deadline);
	}
	if (ret)
		return ret;
	if (output)
		copy_output(output, size, guest->console.text + begin, end);
	return status;
}

int64_t linux_memtotal(struct linux_guest *guest)
{
	char output[256];
	int64_t kib;
	int ret;

	ret = linux_run(guest, "grep MemTotal: /proc/meminfo", output, sizeof(output),
			LINUX_COMMAND_TIME);
	if (ret < 0)
		return ret;
	if (ret || sscanf(output, "MemTotal: %" SCNd64 " kB", &kib) != 1)
		return -EPROTO;
	return kib * 1024;
}

int linux_wait_memtotal(struct linux_guest *guest, int64_t memtotal, int seconds)
{
	int64_t has = 0;
	bool is_over = becomes((has = linux_memtotal(guest)) < 0 || has == memtotal, seconds);

	if (!is_over)
		return -ETIMEDOUT;
	return has < 0 ? (int)has : 0;
}

/* Takes notice of a VMM that has ended. */
static int reap(struct linux_guest *guest)
{
	int how;
	pid_t pid = waitpid(guest->pid, &how, WNOHANG);

	if (pid < 0)
		return -errno;
	if (pid) {
		guest->pid = 0;
		guest->status = WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
	}
	return 0;
}

int linux_wait_exit(struct linux_guest *guest, int seconds)
{
	int64_t deadline = now_ms() + seconds * 1000LL;
	int ret;

	/* What it says last is part of it. */
	do {
		ret = listen_until(guest, deadline);
	} while (!ret);
	if (ret != -EPIPE)
		return ret;
	while (guest->pid) {
		ret = reap(guest);
		if (ret)
			return ret;
		if (guest->pid && now_ms() >= deadline)
			return -ETIMEDOUT;
		usleep(10000);
	}
	return guest->status;
}

int linux_end(struct linux_guest *guest, int signal, int seconds)
{
	if (!guest->pid)
		return -ESRCH;
	if (kill(guest->pid, signal))
		return -errno;
	return linux_wait_exit(guest, seconds);
}

static const char *last_lines(const struct linux_text *said)
{
	int lines = 0;
	size_t i;

	for (i = said->length; i; i--) {
		lines += said->text[i - 1] == '\n';
		if (lines > EXPLAINED_LINES)
			break;
	}
	return said->text + i;
}

static void explain(const char *who, const struct linux_text *said)
{
	const char *line, *next;

	if (!said->length)
		return;
	for (line = last_lines(said); *line; line = next) {
		next = strchrnul(line, '\n');
		printf("# %s: %.*s\n", who, (int)(next - line), line);
		next += *next == '\n';
	}
}

/* How the VMM ended, if nobody has asked yet. */
static void explain_end(const struct linux_guest *guest)
{
	siginfo_t info = { 0 };

	if (guest->pid <= 0 || waitid(P_PID, guest->pid, &info, WEXITED | WNOHANG | WNOWAIT) ||
	    !info.si_pid)
		return;
	printf("# VMM: %s %d\n", info.si_code == CLD_EXITED ? "exit status" : "signal",
	       info.si_status);
}

void linux_explain(struct linux_guest *guest)
{
	/* What nobody has waited for may be what explains it. */
	while (!listen_until(guest, now_ms()))
		;
	explain("guest", &guest->console);
	explain("VMM", &guest->messages);
	explain_end(guest);
	fflush(stdout);
}

void linux_stop(struct linux_guest *guest)
{
	if (guest->pid > 0) {
		kill(guest->pid, SIGKILL);
		waitpid(guest->pid, NULL, 0);
		guest->pid = 0;
	}
	/* A guest that is all zeros never started. */
	if (guest->keyboard_fd > 0)
		close(guest->keyboard_fd);
	if (guest->console_fd > 0)
		close(guest->console_fd);
	if (guest->messages_fd > 0)
		close(guest->messages_fd);
	guest->keyboard_fd = -1;
	guest->console_fd = -1;
	guest->messages_fd = -1;
	free(guest->console.text);
	free(guest->messages.text);
	guest->console = (struct linux_text){};
	guest->messages = (struct linux_text){};
}
