// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmem.h"

#define TRACEFS		"/sys/kernel/tracing"
#define EVENT		"kvm_vmem_test"

/*
 * The first that the kernel has. The one with the underscores is what all calls
 * go through and no compiler inlines; without it, the other one is.
 */
static const char * const functions[] = {
	"__kvm_set_memory_region",
	"kvm_set_memory_region",
	NULL
};

static int append(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, line, strlen(line)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int trace_start(void)
{
	const char * const *function;
	char line[128];
	int ret = -ENOENT;

	trace_stop();
	for (function = functions; *function; function++) {
		snprintf(line, sizeof(line), "p:kprobes/" EVENT " kvm:%s\n",
			 *function);
		ret = append(TRACEFS "/kprobe_events", line);
		if (!ret)
			break;
	}
	if (ret)
		return ret;
	return write_file(TRACEFS "/events/kprobes/" EVENT "/enable", "1");
}

/* kprobe_profile: name, hits, misses. */
long trace_count(void)
{
	char line[256], name[128];
	long hits, misses, count = -ENOENT;
	FILE *file = fopen(TRACEFS "/kprobe_profile", "re");

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%127s %ld %ld", name, &hits, &misses) == 3 &&
		    !strcmp(name, EVENT))
			count = misses ? -EOVERFLOW : hits;
	fclose(file);
	return count;
}

void trace_stop(void)
{
	write_file(TRACEFS "/events/kprobes/" EVENT "/enable", "0");
	append(TRACEFS "/kprobe_events", "-:kprobes/" EVENT "\n");
}
