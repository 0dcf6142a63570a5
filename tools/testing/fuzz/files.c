// SPDX-License-Identifier: GPL-2.0
/* Calls: files and what becomes of them, processes, and what the operator does. */
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
#define TRACEFS	"/sys/kernel/tracing"

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

static long do_close(struct run *run, const struct call *call)
{
	int slot = arg_slot(call, 0), fd = arg_fd(run, call, 0);

	/* Numbers may be files that this program needs itself. */
	if (slot == NO_SLOT || fd < 0)
		return -EBADF;
	run->fds[slot] = -1;
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
			execl("/proc/self/exe", "vmem-fuzz", "--nothing", NULL);
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

/* The text of a call, as often as it says. */
static size_t text_of(const struct call *call, uint64_t repeat, char *text, size_t size)
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

static long do_write(struct run *run, const struct call *call)
{
	enum { FD, TEXT, REPEAT };
	char text[2 * PAGE];
	size_t size = text_of(call, arg_number(call, REPEAT), text, sizeof(text));

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

/* What the operator sees of a device, and of all of them, by number. */
static const struct name attributes[] = {
	{ "label", 0 }, { "pid", 1 }, { "addr", 2 }, { "region_size", 3 }, { "block_size", 4 },
	{ "node_id", 5 }, { "size", 6 }, { "requested_size", 7 }, { "usable_region_size", 8 },
	{ "memslot_size", 9 }, { "memslots_total", 10 }, { "memslots_active", 11 },
	{ "memslots_idle", 12 }, { "retire_delay_ms", 13 }, { "retire", 14 },
	{ "resident", 15 }, { "discard_pending", 16 }, { "violations", 17 },
	{ "last_violation", 18 }, { "plugged_blocks", 19 }, { "counters/acks", 20 },
	{ "counters/kvm_calls", 21 }, { "uevent", 22 }, { "debugfs/memslots", 23 },
	{ "debugfs/blocks", 24 },
	{ "trace", 25 },
	{ 0 }
};

static int open_attribute(struct run *run, const struct call *call, int flags)
{
	static const char debugfs[] = "debugfs/";
	int slot = arg_slot(call, 0);
	uint32_t id = slot == NO_SLOT ? arg_number(call, 0) : run->ids[slot];
	uint64_t number = arg_number(call, 1);
	const char *name;
	char path[128];

	if (number >= sizeof(attributes) / sizeof(attributes[0]) - 1)
		return -ENOENT;
	name = attributes[number].name;
	if (!strncmp(name, debugfs, strlen(debugfs)))
		snprintf(path, sizeof(path), VMEM_DEBUGFS "/vmem%u/%s", id,
			 name + strlen(debugfs));
	else if (!strcmp(name, "trace"))
		snprintf(path, sizeof(path), TRACEFS "/trace");
	else
		sysfs_path(path, sizeof(path), id, name);
	return result_of(open(path, flags | O_CLOEXEC));
}

static long do_sysfs(struct run *run, const struct call *call)
{
	return open_attribute(run, call, O_RDWR);
}

static long do_show(struct run *run, const struct call *call)
{
	int fd = open_attribute(run, call, O_RDONLY);
	char buffer[2 * PAGE];
	long result;

	if (fd < 0)
		return fd;
	result = result_of(read(fd, buffer, sizeof(buffer)));
	close(fd);
	return result;
}

static long do_store(struct run *run, const struct call *call)
{
	enum { DEV, NAME, TEXT, REPEAT };
	int fd = open_attribute(run, call, O_WRONLY);
	char text[2 * PAGE];
	size_t size = text_of(call, arg_number(call, REPEAT), text, sizeof(text));
	long result;

	if (fd < 0)
		return fd;
	result = result_of(write(fd, text, size));
	close(fd);
	return result;
}

static const struct name parameters[] = {
	{ "memslot_limit", 0 }, { "retire_delay_ms", 1 }, { "discard_backlog", 2 }, { "huge", 3 },
	{ 0 }
};

static long do_parameter(struct run *run, const struct call *call)
{
	char text[TEXT_SIZE + 1] = { 0 };

	if (arg_number(call, 0) >= sizeof(parameters) / sizeof(parameters[0]) - 1)
		return -ENOENT;
	memcpy(text, call->text, call->text_size);
	return parameter_write(parameters[arg_number(call, 0)].name, text);
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
	FD_CALL("write", 2, SLOT_NONE, do_write, SLOT_FILE, { "text", ARG_TEXT },
		{ "repeat", ARG_COUNT }),
	FD_CALL("poll", 2, SLOT_NONE, do_poll, SLOT_DEV, { "ms", ARG_COUNT }),
	FD_CALL("epoll", 2, SLOT_FILE, do_epoll, SLOT_DEV),
	FD_CALL("sysfs", 3, SLOT_FILE, do_sysfs, SLOT_DEV,
		{ "name", ARG_CHOICE, .names = attributes }),
	FD_CALL("show", 5, SLOT_NONE, do_show, SLOT_DEV,
		{ "name", ARG_CHOICE, .names = attributes }),
	FD_CALL("store", 6, SLOT_NONE, do_store, SLOT_DEV,
		{ "name", ARG_CHOICE, .names = attributes }, { "text", ARG_TEXT },
		{ "repeat", ARG_COUNT }),
	{
		.name = "parameter", .weight = 2, .result = SLOT_NONE, .execute = do_parameter,
		.args = {
			{ "name", ARG_CHOICE, .names = parameters },
			{ "text", ARG_TEXT },
		},
	},
	{ 0 }
};
