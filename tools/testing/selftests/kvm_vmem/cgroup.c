// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpus.h"
#include "patience.h"
#include "vmem.h"

#define PRINTK "/proc/sys/kernel/printk"
#define PATH_SIZE 128

/* How many cgroups a CPU keeps at most: one before Linux 6.16 (NR_MEMCG_STOCK). */
#define CPU_STOCK 7

bool has_memory_cgroups(void)
{
	return !access(CGROUP_ROOT "/memory.stat", R_OK);
}

static void file_path(const struct cgroup *cgroup, const char *file, char *path)
{
	/* gcc takes the paths in an array of cgroups for one long one. */
	snprintf(path, PATH_SIZE, "%.*s/%s", (int)sizeof(cgroup->path), cgroup->path,
		 file);
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

static bool is_populated(const struct cgroup *cgroup)
{
	return cgroup_value(cgroup, "cgroup.events", "populated");
}

static void use_a_page(void)
{
	char *page = mmap(NULL, 1, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	*(volatile char *)page = 1;
	munmap(page, 1);
}

/* In a process of its own, which stays in the last one. */
static int use_pages_in(const struct cgroup *others, unsigned int nr)
{
	int ret = 0;

	for (; nr && !ret; nr--, others++)
		ret = cgroup_enter(others) ?: visit_cpus(use_a_page);
	return ret;
}

static int use_pages_elsewhere(const struct cgroup *others, unsigned int nr)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(-use_pages_in(others, nr));
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static int remove_cgroup(struct cgroup *cgroup)
{
	int ret;

	close(cgroup->max);
	becomes((ret = rmdir(cgroup->path) ? -errno : 0) != -EBUSY, 10 * SLOWNESS);
	return ret;
}

/*
 * A CPU keeps a reference to the cgroup that it last charged a page to, and to what it has
 * charged in advance. When a cgroup goes, only those are let go of that have something left
 * of it (drain_all_stock()): by chance one stays, until the CPU charges another cgroup. So
 * others take its place. They have something left.
 */
static int make_cpus_forget(void)
{
	struct cgroup others[CPU_STOCK];
	unsigned int nr, i;
	char name[32];
	int ret = 0, err;

	for (nr = 0; nr < CPU_STOCK && !ret; nr++) {
		snprintf(name, sizeof(name), "kvm_vmem_other_%u", nr);
		ret = cgroup_create(&others[nr], name);
	}
	if (!ret)
		ret = use_pages_elsewhere(others, nr);
	for (i = 0; i < nr; i++) {
		err = remove_cgroup(&others[i]);
		ret = ret ?: err;
	}
	return ret;
}

/*
 * On 6.1 a VM has a thread of KVM's in the cgroup of the process that made it, as long as
 * there is the VM: which may be for a moment longer than the process, if a worker has its
 * mm while it is killed.
 */
int cgroup_destroy(struct cgroup *cgroup)
{
	bool is_empty = becomes(!is_populated(cgroup), 10 * SLOWNESS);
	int forgotten = is_empty ? make_cpus_forget() : 0;
	int removed = remove_cgroup(cgroup);

	return removed ?: forgotten;
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
