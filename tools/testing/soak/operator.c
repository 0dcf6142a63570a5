// SPDX-License-Identifier: GPL-2.0
/*
 * Operators: they read all that there is to read, turn what can be turned, and run
 * vmemctl; and devices go while they do. Files and devices that are gone are no surprise.
 */
#define _GNU_SOURCE
#include "soak.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux_vmm.h"
#include "vmem.h"

static const char *const files[] = {
	VMEM_CLASS "/vmem*/*",
	VMEM_CLASS "/vmem*/counters/*",
	VMEM_DEBUGFS "/vmem*/*",
	VMEM_MODULE "/parameters/*",
};

/* Returns how much there was, or -errno. */
static int read_whole(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), sum = 0;
	char buf[4096];
	ssize_t len;

	if (fd < 0)
		return -errno;
	do {
		len = read(fd, buf, sizeof(buf));
		sum += len > 0 ? len : 0;
	} while (len > 0);
	if (len < 0)
		sum = -errno;
	close(fd);
	return sum;
}

/* What cannot be read, and what is no file, was asked for by the pattern. */
static bool is_expected(int ret)
{
	return ret >= 0 || ret == -ENOENT || ret == -ENODEV || ret == -EISDIR ||
	       ret == -EACCES || ret == -EIO;
}

static void read_all(const char *pattern)
{
	glob_t found = {};
	size_t i;
	int ret;

	glob(pattern, 0, NULL, &found);
	for (i = 0; i < found.gl_pathc; i++) {
		ret = read_whole(found.gl_pathv[i]);
		if (!is_expected(ret))
			soak_wrong("%s: %s", found.gl_pathv[i], strerror(-ret));
		soak_count(SOAK_READS, ret > 0);
	}
	globfree(&found);
}

int reader_live(void)
{
	unsigned int i;

	while (!soak_ends()) {
		for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
			read_all(files[i]);
		soak_pause_ms(soak_random(200));
	}
	return 0;
}

/* What is written to devices that have no operator of their own. */
static const struct {
	const char *name, *value;
} knobs[] = {
	{ "retire", "1" },
	{ "retire_delay_ms", "0" },
	{ "retire_delay_ms", "50" },
	{ "retire_delay_ms", "1000" },
	{ "requested_size", "64M" },
	{ "requested_size", "128M" },
	{ "requested_size", "256M" },
	{ "requested_size", "-1" },
	{ "requested_size", "1E" },
};

/* Rigs have the label "test". Others count on what they asked for. */
static bool is_rig(const char *device)
{
	char path[192], label[64];

	snprintf(path, sizeof(path), "%s/label", device);
	return read_file(path, label, sizeof(label)) > 0 && !strcmp(label, "test");
}

static void turn_a_knob(const char *device)
{
	unsigned int knob = soak_random(sizeof(knobs) / sizeof(knobs[0]));
	char path[192];
	int ret;

	if (!is_rig(device))
		return;
	snprintf(path, sizeof(path), "%s/%s", device, knobs[knob].name);
	ret = write_file(path, knobs[knob].value);
	if (ret && ret != -ENOENT && ret != -ENODEV && ret != -EINVAL && ret != -EBUSY)
		soak_wrong("%s to %s: %s", knobs[knob].value, path, strerror(-ret));
	soak_count(SOAK_RESIZES, !ret);
}

int writer_live(void)
{
	glob_t found;
	size_t i;

	while (!soak_ends()) {
		memset(&found, 0, sizeof(found));
		glob(VMEM_CLASS "/vmem*", 0, NULL, &found);
		for (i = 0; i < found.gl_pathc; i++)
			turn_a_knob(found.gl_pathv[i]);
		globfree(&found);
		write_file(VMEM_MODULE "/parameters/discard_backlog",
			   soak_chance(50) ? "1024" : "0");
		soak_pause_ms(soak_random(500));
	}
	return 0;
}

/*
 * 2: the device cannot have that size; 3: there is none, or several; 7: it went. For
 * those who list, there is no surprise.
 */
static bool is_status(int status)
{
	return status == 0 || status == 2 || status == 3 || status == 7;
}

int vmemctl_live(void)
{
	static const char *const commands[][2] = {
		{ "list", "--json" }, { "list", NULL }, { "show", "test" }, { "map", "test" },
		{ "top", NULL }, { "resize", "test" },
	};
	unsigned int i;
	char said[256];
	int ret;

	while (!soak_ends()) {
		i = soak_random(sizeof(commands) / sizeof(commands[0]));
		ret = linux_tool(said, sizeof(said), 300, "vmemctl", commands[i][0],
				 commands[i][1],
				 strcmp(commands[i][0], "resize") ? NULL : "+2M", NULL);
		if (!is_status(ret))
			soak_wrong("vmemctl %s: %d: %s", commands[i][0], ret, said);
		soak_pause_ms(soak_random(1000));
	}
	return 0;
}

/* Somebody has to, or the events are only lost. */
int tracer_live(void)
{
	int fd = open("/sys/kernel/tracing/trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char buf[4096];

	if (fd < 0)
		soak_wrong("no trace_pipe: %s", strerror(errno));
	while (!soak_ends())
		if (read(fd, buf, sizeof(buf)) <= 0)
			soak_pause_ms(50);
	close(fd);
	return 0;
}
