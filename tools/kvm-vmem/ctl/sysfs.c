// SPDX-License-Identifier: GPL-2.0
#include "sysfs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

/* For how long a device may be in the making; a module of another version has no such file. */
#define PATIENCE_MS 1000

const char *const fact_files[NR_FACTS] = {
	[FACT_PID] = "pid",
	[FACT_ADDR] = "addr",
	[FACT_REGION_SIZE] = "region_size",
	[FACT_BLOCK_SIZE] = "block_size",
	[FACT_NODE_ID] = "node_id",
	[FACT_SIZE] = "size",
	[FACT_REQUESTED_SIZE] = "requested_size",
	[FACT_USABLE_REGION_SIZE] = "usable_region_size",
	[FACT_MEMSLOT_SIZE] = "memslot_size",
	[FACT_MEMSLOTS_TOTAL] = "memslots_total",
	[FACT_MEMSLOTS_ACTIVE] = "memslots_active",
	[FACT_MEMSLOTS_IDLE] = "memslots_idle",
	[FACT_FROZEN] = "frozen",
	[FACT_DIRTY_LOG] = "dirty_log",
	[FACT_RETIRE_DELAY_MS] = "retire_delay_ms",
	[FACT_RESIDENT] = "resident",
	[FACT_DISCARD_PENDING] = "discard_pending",
	[FACT_VIOLATIONS] = "violations",
	[FACT_LAST_VIOLATION] = "last_violation",
	[FACT_ACKS] = "counters/acks",
	[FACT_NACKS] = "counters/nacks",
	[FACT_BUSIES] = "counters/busies",
	[FACT_ERRORS] = "counters/errors",
	[FACT_KVM_CALLS] = "counters/kvm_calls",
};

int class_open(struct class *class, const char *path)
{
	class->path = path;
	class->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (class->fd >= 0)
		return 0;
	if (errno == ENOENT)
		return fail(STATUS_NO_MODULE,
			    "there is no %s: load the module: modprobe kvm-vmem", path);
	return fail(errno == EACCES ? STATUS_PERMISSION : STATUS_FAILED, "%s: %s", path,
		    strerror(errno));
}

int device_open(struct device *device, const struct class *class, const char *name)
{
	memset(device, 0, sizeof(*device));
	device->class = class;
	device->dir = -1;
	if ((size_t)snprintf(device->name, sizeof(device->name), "%s", name) >=
	    sizeof(device->name))
		return -ENOENT;
	device->dir = openat(class->fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return device->dir < 0 ? -errno : 0;
}

void device_close(struct device *device)
{
	if (device->dir >= 0)
		close(device->dir);
	device->dir = -1;
}

/* One read(), as the kernel answers in one; without the newline. */
static int read_line(int fd, char *buf, size_t size)
{
	ssize_t len = pread(fd, buf, size - 1, 0);

	if (len < 0)
		return -errno;
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = 0;
	return 0;
}

static int read_file(struct device *device, const char *name, char *buf, size_t size)
{
	int fd, ret;

	device->failed = name;
	fd = openat(device->dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = read_line(fd, buf, size);
	close(fd);
	return ret;
}

int device_read_label(struct device *device)
{
	int ret = read_file(device, "label", device->label, sizeof(device->label));

	/* The first file to come, and the first to go. */
	return ret == -ENOENT ? -ENODEV : ret;
}

/* @buf: the content of the fact's file. */
static int take_fact(struct device *device, enum fact fact, const char *buf)
{
	char *end;

	device->failed = fact_files[fact];
	errno = 0;
	device->facts[fact] = strtoull(buf, &end, strncmp(buf, "0x", 2) ? 10 : 16);
	if (isdigit((unsigned char)*buf) && !*end && !errno)
		return 0;
	snprintf(device->content, sizeof(device->content), "%s", buf);
	return -EBADMSG;
}

int device_read_fact(struct device *device, enum fact fact)
{
	char buf[sizeof(device->content)];
	int ret = read_file(device, fact_files[fact], buf, sizeof(buf));

	return ret ? ret : take_fact(device, fact, buf);
}

int device_reread_fact(struct device *device, enum fact fact, int fd)
{
	char buf[sizeof(device->content)];
	int ret = read_line(fd, buf, sizeof(buf));

	device->failed = fact_files[fact];
	return ret ? ret : take_fact(device, fact, buf);
}

int device_open_fact(struct device *device, enum fact fact)
{
	int fd;

	device->failed = fact_files[fact];
	fd = openat(device->dir, fact_files[fact], O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_all(struct device *device)
{
	int ret = device_read_label(device);
	unsigned int fact;

	for (fact = 0; fact < NR_FACTS && !ret; fact++)
		ret = device_read_fact(device, fact);
	return ret;
}

int device_read(struct device *device)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	int ret = read_all(device), tries;

	/* It may just be made: its files come one after another. */
	for (tries = 0; ret == -ENOENT && tries < PATIENCE_MS; tries++) {
		nanosleep(&moment, NULL);
		ret = read_all(device);
	}
	return ret;
}

int device_write_requested_size(struct device *device, uint64_t size)
{
	char buf[32];
	int fd, len, ret = 0;

	device->failed = "requested_size";
	fd = openat(device->dir, "requested_size", O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = snprintf(buf, sizeof(buf), "%" PRIu64 "\n", size);
	if (write(fd, buf, len) != len)
		ret = -errno;
	close(fd);
	return ret;
}

bool device_is_gone(const struct device *device)
{
	struct stat was, is;

	/*
	 * The kernel makes the files of a device one after another, and removes them in the
	 * same order. This is the first.
	 */
	if (faccessat(device->dir, "label", F_OK, 0))
		return true;
	return fstat(device->dir, &was) || fstatat(device->class->fd, device->name, &is, 0) ||
	       was.st_ino != is.st_ino || was.st_dev != is.st_dev;
}

bool device_went(const struct device *device, int error)
{
	return error == -ENODEV || (error && device_is_gone(device));
}

int device_failed(const struct device *device, int error)
{
	char *content;
	int status;

	if (device_went(device, error))
		return fail(STATUS_GONE, "%s is gone: its VM ended, or gave it up", device->name);
	switch (error) {
	case -ENOENT:
		return fail(STATUS_FAILED, "%s has no file %s: the module is not of this version",
			    device->name, device->failed);
	case -EACCES:
	case -EPERM:
		return fail(STATUS_PERMISSION, "no permission for %s/%s/%s", device->class->path,
			    device->name, device->failed);
	case -EBADMSG:
		content = printable(device->content);
		status = fail(STATUS_FAILED, "%s/%s/%s has '%s', which is no number",
			      device->class->path, device->name, device->failed, content);
		free(content);
		return status;
	}
	return fail(STATUS_FAILED, "%s/%s/%s: %s", device->class->path, device->name,
		    device->failed, strerror(-error));
}

char *printable(const char *string)
{
	char *out = must(malloc(4 * strlen(string) + 1)), *at = out;

	for (; *string; string++) {
		unsigned char c = *string;

		if (c >= ' ' && c <= '~')
			*at++ = c;
		else
			at += sprintf(at, "\\x%02x", c);
	}
	*at = 0;
	return out;
}

char *device_title(const struct device *device)
{
	char *label, *title;

	if (!*device->label)
		return text("%s", device->name);
	label = printable(device->label);
	title = text("%s (%s)", device->name, label);
	free(label);
	return title;
}
