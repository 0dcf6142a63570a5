// SPDX-License-Identifier: GPL-2.0
/* Calls: files and what becomes of them, and processes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "run.h"
#include "vmem.h"

#define PAGE	4096UL

static long do_dup(struct run *run, const struct call *call)
{
	if (arg_slot(call, 0) != NO_SLOT)
		run->ids[call->result] = run->ids[arg_slot(call, 0)];
	return result_of(fcntl(arg_fd(run, call, 0), F_DUPFD_CLOEXEC, 100));
}

/* Another file of what the first one is a file of. */
static long do_reopen(struct run *run, const struct call *call)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", arg_fd(run, call, 0));
	return result_of(open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC));
}

/* Of a VM its vCPUs are left, which keep it. */
static void forget_vm(struct run *run, int slot)
{
	int number = slot - slot_ranges[SLOT_VM].first;

	if (number >= 0 && number < NB_VMS && run->vms[number].ram)
		run->vms[number].fd = -1;
}

static long do_close(struct run *run, const struct call *call)
{
	int slot = arg_slot(call, 0), fd = arg_fd(run, call, 0);

	/* Numbers may be files that this program needs itself. */
	if (slot == NO_SLOT || fd < 0)
		return -EBADF;
	run->fds[slot] = -1;
	forget_vm(run, slot);
	return result_of(close(fd));
}

/* Into the socket of a slot; the first time it is made. What is never received goes with it. */
static long do_send(struct run *run, const struct call *call)
{
	enum { FD, SOCKET };
	int slot = arg_slot(call, SOCKET), ends[2];

	if (slot == NO_SLOT)
		return -EBADF;
	if (send_fd(run->fds[slot], arg_fd(run, call, FD)) == 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends))
		return -errno;
	run->fds[slot] = ends[1];
	return send_fd(ends[0], arg_fd(run, call, FD));
}

static long do_receive(struct run *run, const struct call *call)
{
	return recv_fd(arg_fd(run, call, 0));
}

enum { FORK_RUN, FORK_EXIT, FORK_EXEC, FORK_KILL };

static const struct name forks[] = {
	{ "run", FORK_RUN }, { "exit", FORK_EXIT }, { "exec", FORK_EXEC }, { "kill", FORK_KILL },
	{ 0 }
};

/* A child that goes on as we do, or one that ends; it may be waited for. */
static long do_fork(struct run *run, const struct call *call)
{
	enum { HOW, WAIT };
	uint64_t how = arg_number(call, HOW);
	pid_t pid;

	/* Not for ever more of them. */
	if (run->is_copy)
		return -EAGAIN;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		switch (how) {
		case FORK_RUN:
			run_rest(run, call);
		case FORK_EXEC:
			execl("/bin/busybox", "true", NULL);
			_exit(1);
		case FORK_KILL:
			kill(getpid(), SIGKILL);
		}
		_exit(0);
	}
	if (arg_number(call, WAIT))
		waitpid(pid, NULL, 0);
	return 0;
}

static long do_exit(struct run *run, const struct call *call)
{
	if (arg_number(call, 0))
		kill(getpid(), SIGKILL);
	_exit(0);
}

static const struct name memfd_flags[] = {
	{ "sealing", MFD_ALLOW_SEALING }, { "hugetlb", MFD_HUGETLB }, { 0 }
};

static long do_memfd(struct run *run, const struct call *call)
{
	enum { SIZE, FLAGS };
	int fd = memfd_create("fuzz", MFD_CLOEXEC | arg_number(call, FLAGS));

	if (fd >= 0 && ftruncate(fd, arg_number(call, SIZE)))
		errno = 0;
	return result_of(fd);
}

static long do_truncate(struct run *run, const struct call *call)
{
	return result_of(ftruncate(arg_fd(run, call, 0), arg_number(call, 1)));
}

static const struct name fallocates[] = {
	{ "allocate", 0 }, { "keep_size", FALLOC_FL_KEEP_SIZE },
	{ "punch_hole", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE },
	{ "zero", FALLOC_FL_ZERO_RANGE }, { "collapse", FALLOC_FL_COLLAPSE_RANGE }, { 0 }
};

static long do_fallocate(struct run *run, const struct call *call)
{
	enum { FD, OFFSET, SIZE, MODE };
	uint64_t size = arg_number(call, SIZE), mode = arg_number(call, MODE);

	if (!(mode & FALLOC_FL_PUNCH_HOLE))
		size = at_most(size, MOST_POPULATED);
	return result_of(fallocate(arg_fd(run, call, FD), mode, arg_number(call, OFFSET), size));
}

static const struct name seals[] = {
	{ "seal", F_SEAL_SEAL }, { "shrink", F_SEAL_SHRINK }, { "grow", F_SEAL_GROW },
	{ "write", F_SEAL_WRITE }, { "future_write", F_SEAL_FUTURE_WRITE }, { 0 }
};

static long do_seal(struct run *run, const struct call *call)
{
	return result_of(fcntl(arg_fd(run, call, 0), F_ADD_SEALS, (int)arg_number(call, 1)));
}

static long do_eventfd(struct run *run, const struct call *call)
{
	return result_of(eventfd(arg_number(call, 0), EFD_CLOEXEC | EFD_NONBLOCK));
}

static long do_read(struct run *run, const struct call *call)
{
	enum { FD, SIZE, OFFSET };
	char buffer[2 * PAGE];
	uint64_t size = at_most(arg_number(call, SIZE), sizeof(buffer));
	int fd = arg_fd(run, call, FD);

	if (arg_number(call, OFFSET))
		return result_of(pread(fd, buffer, size, arg_number(call, OFFSET)));
	return result_of(read(fd, buffer, size));
}

static const struct name whences[] = {
	{ "set", SEEK_SET }, { "cur", SEEK_CUR }, { "end", SEEK_END }, { "data", SEEK_DATA },
	{ "hole", SEEK_HOLE }, { 0 }
};

static long do_lseek(struct run *run, const struct call *call)
{
	enum { FD, OFFSET, WHENCE };
	off_t offset = lseek(arg_fd(run, call, FD), arg_number(call, OFFSET),
			     arg_number(call, WHENCE));

	return offset < 0 ? -errno : 0;
}

static long do_write(struct run *run, const struct call *call)
{
	enum { FD, TEXT, REPEAT };
	char text[2 * PAGE];
	size_t size = arg_text(call, arg_number(call, REPEAT), text, sizeof(text));

	return result_of(write(arg_fd(run, call, FD), text, size));
}

static long do_poll(struct run *run, const struct call *call)
{
	struct pollfd file = {
		.fd = arg_fd(run, call, 0),
		.events = POLLIN | POLLPRI | POLLOUT,
	};

	return result_of(poll(&file, 1, at_most(arg_number(call, 1), 100)));
}

static long do_epoll(struct run *run, const struct call *call)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, arg_fd(run, call, 0), &event))
		errno = 0;
	return result_of(fd);
}

#define FD_CALL(_name, _weight, _result, _execute, _slot, ...) { \
	.name = _name, .weight = _weight, .result = _result, .execute = _execute, \
	.args = { { "fd", ARG_FD, _slot, 0 }, ## __VA_ARGS__ } \
}

const struct call_spec file_calls[] = {
	FD_CALL("dup", 3, SLOT_DEV, do_dup, SLOT_DEV),
	FD_CALL("reopen", 1, SLOT_DEV, do_reopen, SLOT_DEV),
	FD_CALL("close", 8, SLOT_NONE, do_close, SLOT_DEV),
	FD_CALL("send", 2, SLOT_NONE, do_send, SLOT_DEV, { "socket", ARG_FD, SLOT_FILE, 10 }),
	FD_CALL("receive", 1, SLOT_DEV, do_receive, SLOT_FILE),
	{
		.name = "fork", .weight = 3, .result = SLOT_NONE, .execute = do_fork,
		.args = {
			{ "how", ARG_CHOICE, .names = forks },
			{ "wait", ARG_COUNT },
		},
	},
	{
		.name = "exit", .weight = 1, .result = SLOT_NONE, .execute = do_exit,
		.args = { { "kill", ARG_COUNT } },
	},
	{
		.name = "memfd", .weight = 4, .result = SLOT_MEM, .execute = do_memfd,
		.args = {
			{ "length", ARG_BYTES },
			{ "flags", ARG_FLAGS, .usual = MFD_ALLOW_SEALING, .names = memfd_flags },
		},
	},
	FD_CALL("truncate", 1, SLOT_NONE, do_truncate, SLOT_MEM, { "length", ARG_BYTES }),
	FD_CALL("fallocate", 2, SLOT_NONE, do_fallocate, SLOT_MEM, { "offset", ARG_BYTES },
		{ "length", ARG_BYTES }, { "mode", ARG_CHOICE, .names = fallocates }),
	FD_CALL("seal", 1, SLOT_NONE, do_seal, SLOT_MEM,
		{ "seals", ARG_FLAGS, .names = seals }),
	{
		.name = "eventfd", .weight = 2, .result = SLOT_EVENT, .execute = do_eventfd,
		.args = { { "value", ARG_NUMBER } },
	},
	FD_CALL("read", 4, SLOT_NONE, do_read, SLOT_DEV, { "length", ARG_BYTES, .usual = 8 },
		{ "offset", ARG_BYTES }),
	FD_CALL("lseek", 4, SLOT_NONE, do_lseek, SLOT_DEV, { "offset", ARG_BYTES },
		{ "whence", ARG_CHOICE, .usual = SEEK_DATA, .names = whences }),
	FD_CALL("write", 2, SLOT_NONE, do_write, SLOT_FILE, { "text", ARG_TEXT },
		{ "repeat", ARG_COUNT }),
	FD_CALL("poll", 2, SLOT_NONE, do_poll, SLOT_DEV, { "ms", ARG_COUNT }),
	FD_CALL("epoll", 2, SLOT_FILE, do_epoll, SLOT_DEV),
	{ 0 }
};
