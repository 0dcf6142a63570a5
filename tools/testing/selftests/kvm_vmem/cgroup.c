// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "patience.h"
#include "vmem.h"

#define PRINTK "/proc/sys/kernel/printk"
#define PATH_SIZE 128

bool has_memory_cgroups(void)
{
	return !access(CGROUP_ROOT "/memory.stat", R_OK);
}

static void file_path(const struct cgroup *cgroup, const char *file, char *path)
{
	snprintf(path, PATH_SIZE, "%s/%s", cgroup->path, file);
}

int cgroup_create(struct cgroup *cgroup, const char *name)
{
	char path[PATH_SIZE];

	memset(cgroup, 0, sizeof(*cgroup));
	cgroup->max = -1;
	snprintf(cgroup->path, sizeof(cgroup->path), CGROUP_ROOT "/%s", name);
	if (mkdir(cgroup->path, 0755))
		return -errno;
	file_path(cgroup, "memory.max", path);
	cgroup->max = open(path, O_WRONLY | O_CLOEXEC);
	return cgroup->max < 0 ? -errno : 0;
}

/*
 * On 6.1 a VM has a thread of KVM's in the cgroup of the process that made it, as long as
 * there is the VM: which may be for a moment longer than the process, if a worker has its
 * mm while it is killed.
 */
int cgroup_destroy(struct cgroup *cgroup)
{
	int ret;

	close(cgroup->max);
	becomes((ret = rmdir(cgroup->path) ? -errno : 0) != -EBUSY, 10 * SLOWNESS);
	return ret;
}

int cgroup_enter(const struct cgroup *cgroup)
{
	char path[PATH_SIZE];

	file_path(cgroup, "cgroup.procs", path);
	return write_file(path, "0");
}

int cgroup_leave(void)
{
	return write_file(CGROUP_ROOT "/cgroup.procs", "0");
}

int cgroup_set_limit(const struct cgroup *cgroup, uint64_t limit)
{
	char buf[32];
	int len = snprintf(buf, sizeof(buf), "%llu", (unsigned long long)limit);

	return pwrite(cgroup->max, buf, len, 0) == len ? 0 : -errno;
}

uint64_t cgroup_charged(const struct cgroup *cgroup)
{
	char path[PATH_SIZE], value[32];

	file_path(cgroup, "memory.current", path);
	return read_file(path, value, sizeof(value)) > 0 ?
	       strtoull(value, NULL, 10) : ~0ULL;
}

static uint64_t value_from(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	unsigned long long value;
	uint64_t found = ~0ULL;
	char key[64];

	if (!file)
		return found;
	while (fscanf(file, "%63s %llu", key, &value) == 2)
		if (!strcmp(key, name))
			found = value;
	fclose(file);
	return found;
}

uint64_t cgroup_value(const struct cgroup *cgroup, const char *file,
		      const char *name)
{
	char path[PATH_SIZE];

	file_path(cgroup, file, path);
	return value_from(path, name);
}

uint64_t cgroup_nr_oom_kills(const struct cgroup *cgroup)
{
	return cgroup_value(cgroup, "memory.events", "oom_kill");
}

void console_silence(char *saved, size_t size)
{
	if (read_file(PRINTK, saved, size) > 0)
		write_file(PRINTK, "1");
}

void console_restore(const char *saved)
{
	write_file(PRINTK, saved);
}

uint64_t nr_dying_cgroups(void)
{
	return value_from(CGROUP_ROOT "/cgroup.stat", "nr_dying_descendants");
}
