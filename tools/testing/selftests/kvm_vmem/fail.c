// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmem.h"

/* Where the kernel can be made to fail; all of them are in a task's one count. */
static const struct {
	const char *name;
	unsigned int kind;
} points[] = {
	{ "failslab", FAIL_SLAB },
	{ "fail_page_alloc", FAIL_PAGES },
	{ "fail_usercopy", FAIL_COPIES },
	{ "fail_futex", 0 },
};

/* Below which code. By default anywhere. */
struct range {
	uint64_t start;
	uint64_t end;
};

static const struct range anywhere = { 0, UINT64_MAX };
static const struct range nowhere = { 1, 1 };
static struct range chosen;
/* The task's file of that name. */
static int fail_nth = -1;

static int set(const char *point, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int set(const char *point, const char *name, const char *format, ...)
{
	char path[128], value[32];
	va_list args;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", point, name);
	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	return write_file(path, value);
}

/* What has to be among the callers ("require"), or must not be ("reject"). */
static int set_range(const char *point, const char *which, struct range range)
{
	char name[32];
	int ret;

	snprintf(name, sizeof(name), "%s-start", which);
	ret = set(point, name, "%#" PRIx64, range.start);
	if (ret)
		return ret;
	snprintf(name, sizeof(name), "%s-end", which);
	return set(point, name, "%#" PRIx64, range.end);
}

/* Those that may sleep, and a user's pages, fail too. */
static int spare_nothing(const char *point, unsigned int kind)
{
	int ret = 0;

	if (kind & FAIL_MEMORY)
		ret = set(point, "ignore-gfp-wait", "N");
	if (!ret && kind & FAIL_PAGES)
		ret = set(point, "ignore-gfp-highmem", "N");
	if (!ret && kind & FAIL_PAGES)
		ret = set(point, "min-order", "0");
	return ret;
}

/* Its name and, if that is NULL, where it ends: at the lowest address above. */
static int read_symbols(const char *name, struct range *range)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	size_t len = name ? strlen(name) : 0;
	char line[512], *end;
	uint64_t addr;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		/* "address type name", and for modules a tab and "[module]" */
		addr = strtoull(line, &end, 16);
		if (name && !strncmp(end + 3, name, len) &&
		    (end[3 + len] == '\n' || end[3 + len] == '\t'))
			range->start = addr;
		if (!name && addr > range->start && addr < range->end)
			range->end = addr;
	}
	fclose(file);
	return 0;
}

static int find_function(const char *name, struct range *range)
{
	int ret;

	*range = anywhere;
	ret = read_symbols(name, range);
	if (!ret && !range->start)
		ret = -ENOENT;
	return ret ? ret : read_symbols(NULL, range);
}

/*
 * vmalloc() complains with a backtrace if it fails, unless its caller does not want that,
 * and KVM does not say so. What it allocates for KVM does not fail therefore. Found out
 * only once, before the harness forks a process for each test.
 */
static struct range spared;
static int spared_error;

static void __attribute__((constructor)) find_spared(void)
{
	spared_error = find_function("__vmalloc_node_range_noprof", &spared);
}

static int set_point(unsigned int i, bool use)
{
	const char *point = points[i].name;
	const char *verbose = getenv("KVM_VMEM_FAIL_VERBOSE");
	int ret;

	ret = set(point, "probability", "0");
	if (!ret)
		ret = set(point, "verbose", "%s", verbose ?: "0");
	if (!ret)
		ret = set_range(point, "require", use ? chosen : nowhere);
	if (!ret)
		ret = set_range(point, "reject", spared);
	/* Without a look at the stack it is below nothing. */
	if (!ret)
		ret = set(point, "stacktrace-depth", "%d", use ? 32 : 0);
	return ret ? ret : spare_nothing(point, points[i].kind);
}

int fail_choose(unsigned int kinds, const char *below)
{
	int ret = spared_error;
	unsigned int i;

	if (fail_nth < 0)
		fail_nth = open("/proc/thread-self/fail-nth",
				O_RDWR | O_CLOEXEC);
	if (fail_nth < 0)
		return -errno;
	chosen = anywhere;
	if (!ret && below)
		ret = find_function(below, &chosen);
	for (i = 0; !ret && i < sizeof(points) / sizeof(points[0]); i++)
		ret = set_point(i, points[i].kind & kinds);
	return ret;
}

int fail_arm(unsigned int nth)
{
	char value[16];
	int len = snprintf(value, sizeof(value), "%u", nth);

	return pwrite(fail_nth, value, len, 0) == len ? 0 : -errno;
}

int fail_disarm(void)
{
	char value[16] = {};
	ssize_t len = pread(fail_nth, value, sizeof(value) - 1, 0);
	int ret;

	/* What is read is copied: then it is this that failed. */
	if (len < 0 && errno != EFAULT)
		return -errno;
	ret = fail_arm(0);
	if (ret == -EFAULT) {
		len = -1;
		ret = fail_arm(0);
	}
	if (ret)
		return ret;
	return len > 0 && !atoi(value);
}

static int point_of(unsigned int kind)
{
	unsigned int i = 0;

	while (points[i].kind != kind)
		i++;
	return i;
}

static int times_left(const char *point)
{
	char path[128], value[32];
	int ret;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/times", point);
	ret = read_file(path, value, sizeof(value));
	return ret < 0 ? ret : atoi(value);
}

static void allocate_slab(void)
{
	close(eventfd(0, 0));
}

/* More than the one that a pipe keeps. */
static void allocate_pages(void)
{
	static char buf[4 * 4096];
	int fds[2];

	if (pipe(fds))
		return;
	if (write(fds[1], buf, sizeof(buf)) < 0)
		errno = 0;
	close(fds[0]);
	close(fds[1]);
}

static int start(const char *point, unsigned int nth)
{
	int ret = set(point, "times", "1");

	if (!ret)
		ret = set(point, "interval", "%u", nth);
	return ret ? ret : set(point, "probability", "100");
}

/*
 * The kernel has the n-th of a count fail that goes on from one time to the next, and cannot
 * be set: so let this task have the last n-th.
 */
static int begin_count(unsigned int kind, const char *point, unsigned int nth)
{
	int ret, left = 1, tries = 10000;

	ret = set(point, "task-filter", "Y");
	if (!ret)
		ret = write_file("/proc/thread-self/make-it-fail", "1");
	if (!ret)
		ret = set_range(point, "require", anywhere);
	if (!ret)
		ret = start(point, nth);
	while (!ret && left > 0 && tries--) {
		if (kind == FAIL_SLAB)
			allocate_slab();
		else
			allocate_pages();
		left = times_left(point);
		/* That was it. */
		if (left == -ENOMEM)
			left = times_left(point);
	}
	write_file("/proc/thread-self/make-it-fail", "0");
	if (!ret && left)
		ret = left < 0 ? left : -ETIMEDOUT;
	return ret;
}

int fail_arm_elsewhere(unsigned int kind, unsigned int nth)
{
	const char *point = points[point_of(kind)].name;
	int ret = begin_count(kind, point, nth);

	if (!ret)
		ret = set(point, "probability", "0");
	if (!ret)
		ret = set(point, "task-filter", "N");
	if (!ret)
		ret = set_range(point, "require", chosen);
	return ret ? ret : start(point, nth);
}

int fail_disarm_elsewhere(unsigned int kind)
{
	const char *point = points[point_of(kind)].name;
	int ret = set(point, "probability", "0");
	int left = times_left(point);

	if (ret || left < 0)
		return ret ? ret : left;
	return !left;
}
