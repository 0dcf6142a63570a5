// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "counts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "cgroup.h"
#include "cpus.h"
#include "patience.h"
#include "vmem.h"

#define SLAB "/sys/kernel/slab"
#define THP "/sys/kernel/mm/transparent_hugepage"
#define PATH_SIZE 320
#define PERCPU_ROOM (64 * 1024)

/*
 * Their objects are those of user processes, VMs and devices alone: kernel threads,
 * which come and go, have none.
 */
static const char *const exact_caches[] = {
	"mm_struct", "files_cache", "filp", "shmem_inode_cache", "kvm_vcpu",
	"kvm_mmu_page_header",
};

/*
 * Addresses are free long before. /proc/vmallocinfo has those in use. What looks for
 * mistakes in a debug kernel keeps a store.
 */
static const char *const lazy_caches[] = {
	"vmap_area", "debug_objects_cache", "kmemleak_object", "kmemleak_scan_area",
};

/**
 * struct cache - a slab cache that is not merged into another one
 * @name: Its name, of those that are exact
 * @shrink: File that puts back what is free but kept at hand for a CPU, which
 *	counts as used
 */
struct cache {
	const char *name;
	int shrink;
};

/* Files are open all the time: opening one makes objects, too. */
static struct cache caches[MAX_COUNTS];
static unsigned int nr_caches;
static int slabinfo = -1;

#define is_one_of(name, names) \
	is_in(name, names, sizeof(names) / sizeof((names)[0]))

static bool is_in(const char *name, const char *const *names, unsigned int nr)
{
	while (nr--)
		if (!strcmp(name, names[nr]))
			return true;
	return false;
}

static bool is_exact(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_caches; i++)
		if (caches[i].name && !strcmp(caches[i].name, name))
			return true;
	return false;
}

/* One that is merged with others has their objects, too. */
static bool is_merged(const char *name)
{
	char path[PATH_SIZE], value[64];

	snprintf(path, sizeof(path), SLAB "/%s/aliases", name);
	return read_file(path, value, sizeof(value)) > 0 && atoi(value);
}

static int open_cache(const char *name, bool exact)
{
	char path[PATH_SIZE];
	int fd;

	snprintf(path, sizeof(path), SLAB "/%s/shrink", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (nr_caches == MAX_COUNTS)
		return -E2BIG;
	caches[nr_caches++] = (struct cache){ exact ? name : NULL, fd };
	return 0;
}

int counts_open(void)
{
	DIR *dir = opendir(SLAB);
	struct dirent *entry;
	unsigned int i;
	int ret = 0;

	if (!dir)
		return -errno;
	slabinfo = open("/proc/slabinfo", O_RDONLY | O_CLOEXEC);
	if (slabinfo < 0)
		ret = -errno;
	for (i = 0; !ret && i < sizeof(exact_caches) / sizeof(exact_caches[0]);
	     i++)
		if (!is_merged(exact_caches[i]))
			ret = open_cache(exact_caches[i], true);
	/* Links are other names of one. */
	while (!ret && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    !is_exact(entry->d_name))
			ret = open_cache(entry->d_name, false);
	closedir(dir);
	return ret;
}

void counts_close(void)
{
	while (nr_caches)
		close(caches[--nr_caches].shrink);
	close(slabinfo);
}

static void add(struct counts *counts, const char *name, uint64_t value,
		bool exact)
{
	struct count *count = &counts->list[counts->nb];

	if (counts->nb == MAX_COUNTS)
		return;
	snprintf(count->name, sizeof(count->name), "%s", name);
	count->value = value;
	count->exact = exact;
	count->room = 0;
	counts->nb++;
}

/*
 * sysfs allocates a buffer for what is written. It is not to be of one of the caches that
 * have hundreds of objects in a slab: those of the slab that a CPU has at hand are used ones.
 */
static int shrink(const struct cache *cache)
{
	static const char request[4000] = "1";

	return write(cache->shrink, request, sizeof(request)) == sizeof(request) ?
	       0 : -errno;
}

static int shrink_caches(bool all)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr_caches && !ret; i++)
		if (all || caches[i].name)
			ret = shrink(&caches[i]);
	return ret;
}

/* All of it before anything else. */
static ssize_t read_slabinfo(char *buf, size_t size)
{
	ssize_t len = 0, nb;

	while ((nb = pread(slabinfo, buf + len, size - 1 - len, len)) > 0)
		len += nb;
	buf[len] = 0;
	return nb < 0 ? -errno : len;
}

/* The files that were opened to count are in use until RCU frees them. */
static void wait_for_rcu(void)
{
	/* synchronize_rcu(), but not yet what it has run then. */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	usleep(50000);
}

static int add_caches(struct counts *counts, bool all)
{
	static char buf[MAX_COUNTS * 256];
	char *line, *rest, name[COUNT_NAME_SIZE];
	unsigned long long nb;
	ssize_t ret;
	bool exact;

	wait_for_rcu();
	ret = shrink_caches(all);
	if (!ret)
		ret = read_slabinfo(buf, sizeof(buf));
	if (ret < 0)
		return ret;
	for (line = strtok_r(buf, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "%39s %llu", name, &nb) != 2)
			continue;
		exact = is_exact(name);
		if (exact || (all && !is_one_of(name, lazy_caches)))
			add(counts, name, nb, exact);
	}
	return 0;
}

/*
 * What is freed stays populated, up to some pages for each CPU, and what is allocated is not
 * always where there are such: it counts by the page.
 */
static void add_percpu(struct counts *counts, uint64_t bytes)
{
	add(counts, "Percpu", bytes, false);
	counts->list[counts->nb - 1].room = PERCPU_ROOM;
}

static int add_memory(struct counts *counts)
{
	FILE *file;
	char line[128], name[COUNT_NAME_SIZE];
	unsigned long long kib;
	/* What CPUs have counted for themselves is added up. */
	int ret = write_file("/proc/sys/vm/stat_refresh", "1");

	if (ret)
		return ret;
	file = fopen("/proc/meminfo", "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%39[^:]: %llu", name, &kib) != 2)
			continue;
		if (!strcmp(name, "Shmem"))
			add(counts, name, kib << 10, true);
		else if (!strcmp(name, "Percpu"))
			add_percpu(counts, kib << 10);
	}
	fclose(file);
	return 0;
}

/* Of KVM and the module, by who allocated it. */
static int add_vmalloc(struct counts *counts)
{
	FILE *file = fopen("/proc/vmallocinfo", "re");
	uint64_t module = 0, kvm = 0;
	char line[512];

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		module += !!strstr(line, "[kvm_vmem]");
		kvm += !!strstr(line, "[kvm]") || strstr(line, "[kvm_amd]") ||
		       strstr(line, "[kvm_intel]");
	}
	fclose(file);
	add(counts, "vmalloc of kvm_vmem", module, true);
	add(counts, "vmalloc of kvm", kvm, true);
	return 0;
}

static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int nb = 0;

	if (!dir)
		return -errno;
	while (readdir(dir))
		nb++;
	closedir(dir);
	return nb;
}

/* Each has a directory, beside the sums of all. */
int count_vms(void)
{
	DIR *dir = opendir("/sys/kernel/debug/kvm");
	struct dirent *entry;
	int nb = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		nb += entry->d_type == DT_DIR && entry->d_name[0] != '.';
	closedir(dir);
	return nb;
}

static void add_references(struct counts *counts, const char *module)
{
	char path[PATH_SIZE], value[32];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	if (read_file(path, value, sizeof(value)) > 0)
		add(counts, module, strtoull(value, NULL, 10), true);
}

/*
 * khugepaged keeps the mm where it was when it went to sleep, even that of a process that
 * has ended, until it goes on: at any write here.
 */
static int wake_khugepaged(void)
{
	static const char path[] = THP "/khugepaged/scan_sleep_millisecs";
	char value[32];
	ssize_t ret = read_file(path, value, sizeof(value));

	return ret < 0 ? (int)ret : write_file(path, value);
}

int counts_read(struct counts *counts, bool all)
{
	/*
	 * An idle CPU keeps the mm of the process that it ran last, even one that has ended,
	 * until it runs another's (lazy TLB): it now runs this one's.
	 */
	int ret = visit_cpus(NULL);

	if (!ret)
		ret = wake_khugepaged();
	if (ret)
		return ret;
	counts->nb = 0;
	add_references(counts, "kvm_vmem");
	add_references(counts, "kvm");
	add_references(counts, "kvm_amd");
	add_references(counts, "kvm_intel");
	add(counts, "VMs in debugfs", count_vms(), true);
	add(counts, "devices in debugfs", count_entries(VMEM_DEBUGFS), true);
	add(counts, "devices in sysfs", count_devices(), true);
	/* A page that is charged keeps its cgroup. */
	if (has_memory_cgroups())
		add(counts, "dying cgroups", nr_dying_cgroups(), true);
	ret = add_memory(counts);
	if (!ret)
		ret = add_vmalloc(counts);
	return ret ? ret : add_caches(counts, all);
}

static int compare(const struct counts *before, const struct counts *now,
		   uint64_t slack, bool tell)
{
	const struct count *old = before->list, *new = now->list;
	unsigned int i, j;
	uint64_t limit;
	int grown = 0;

	for (i = 0; i < before->nb; i++) {
		for (j = 0; j < now->nb; j++)
			if (!strcmp(old[i].name, new[j].name))
				break;
		limit = old[i].value + old[i].room + (old[i].exact ? 0 : slack);
		if (j == now->nb || new[j].value <= limit)
			continue;
		grown++;
		if (tell)
			printf("# %s: %llu before, %llu now\n", old[i].name,
			       (unsigned long long)old[i].value,
			       (unsigned long long)new[j].value);
	}
	return grown;
}

int counts_grown(const struct counts *before, bool all, uint64_t slack)
{
	/*
	 * What is freed by RCU or a worker takes its time. kfree_rcu() collects for five seconds,
	 * and then waits for what it has collected before: each sysfs file that was read is such.
	 */
	int64_t end = now_ms() + 30000 * SLOWNESS;
	struct counts now;
	int ret, grown;
	bool last;

	for (;;) {
		last = now_ms() >= end;
		ret = counts_read(&now, all);
		if (ret)
			return ret;
		grown = compare(before, &now, slack, last);
		if (!grown || last)
			return grown;
		usleep(20000);
	}
}
