// SPDX-License-Identifier: GPL-2.0
/* Calls: what the operator does. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "run.h"
#include "vmem.h"

#define PAGE	4096UL
#define TRACEFS	"/sys/kernel/tracing"

/* What the operator sees of a device, and of all of them, by number; first what may be written. */
static const struct name attributes[] = {
	{ "requested_size", 0 }, { "retire_delay_ms", 1 }, { "retire", 2 }, { "label", 3 },
	{ "pid", 4 }, { "addr", 5 }, { "region_size", 6 }, { "block_size", 7 }, { "node_id", 8 },
	{ "size", 9 }, { "usable_region_size", 10 }, { "memslot_size", 11 },
	{ "memslots_total", 12 }, { "memslots_active", 13 }, { "memslots_idle", 14 },
	{ "frozen", 15 }, { "dirty_log", 16 }, { "resident", 17 }, { "discard_pending", 18 },
	{ "violations", 19 }, { "last_violation", 20 }, { "plugged_blocks", 21 },
	{ "counters/acks", 22 }, { "counters/kvm_calls", 23 }, { "uevent", 24 },
	{ "debugfs/memslots", 25 }, { "debugfs/blocks", 26 }, { "trace", 27 },
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
	size_t size = arg_text(call, arg_number(call, REPEAT), text, sizeof(text));
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

#define DEVICE_CALL(_name, _weight, _result, _execute, ...) { \
	.name = _name, .weight = _weight, .result = _result, .execute = _execute, \
	.args = { { "dev", ARG_FD, SLOT_DEV, 0 }, ## __VA_ARGS__ } \
}

const struct call_spec operator_calls[] = {
	DEVICE_CALL("sysfs", 3, SLOT_FILE, do_sysfs,
		    { "name", ARG_CHOICE, .names = attributes }),
	DEVICE_CALL("show", 5, SLOT_NONE, do_show,
		    { "name", ARG_CHOICE, .names = attributes }),
	DEVICE_CALL("store", 6, SLOT_NONE, do_store,
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
