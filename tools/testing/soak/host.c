// SPDX-License-Identifier: GPL-2.0
/* What the host has: memory by what it is used for, and things that are counted. */
#define _GNU_SOURCE
#include "soak.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmem.h"

/* What is read until two times in a row are as good as alike. */
#define SETTLE_ROUNDS 60

/*
 * slack: what comes and goes by itself. The kernel's workers are as many as were needed
 * at a time in the last minutes, with a stack each.
 */
static const struct meminfo {
	const char *key, *name;
	uint64_t slack;
} meminfos[] = {
	/* A slab is as large as the objects in it that are left anywhere have it be. */
	{ "SUnreclaim:", "slabs", 512 },
	{ "SReclaimable:", "slabs that can be reclaimed", 512 },
	{ "VmallocUsed:", "vmalloc" },
	{ "MemFree:", "free memory" },
	{ "MemAvailable:", "available memory" },
	{ "Percpu:", "memory of CPUs", 128 },
	{ "KernelStack:", "kernel stacks", 128 },
	{ "PageTables:", "page tables", 128 },
	{ "Shmem:", "shmem", 256 },
	{ "AnonPages:", "anonymous memory", 512 },
};

static void add(struct host *host, const char *name, const char *unit, uint64_t value,
		uint64_t slack)
{
	host->figures[host->nr++] = (struct host_figure){
		.name = name,
		.unit = unit,
		.value = value,
		.slack = slack,
	};
}

static void read_meminfo(struct host *host)
{
	char text[8192], *line;
	unsigned int i;

	if (read_file("/proc/meminfo", text, sizeof(text)) < 0)
		return;
	for (i = 0; i < sizeof(meminfos) / sizeof(meminfos[0]); i++) {
		line = strstr(text, meminfos[i].key);
		add(host, meminfos[i].name, "KiB",
		    line ? strtoull(line + strlen(meminfos[i].key), NULL, 10) : 0,
		    meminfos[i].slack);
	}
}

/* The first number in a file, or after a word. */
static uint64_t number(const char *path, const char *word)
{
	char text[4096], *at = text;

	if (read_file(path, text, sizeof(text)) < 0)
		return 0;
	if (word)
		at = strstr(text, word);
	return at ? strtoull(at + (word ? strlen(word) : 0), NULL, 10) : 0;
}

static uint64_t nr_processes(void)
{
	glob_t found = {};
	uint64_t nr;

	glob("/proc/[0-9]*", GLOB_NOSORT, NULL, &found);
	nr = found.gl_pathc;
	globfree(&found);
	return nr;
}

void host_read(struct host *host)
{
	host->nr = 0;
	slabs_read(&host->slabs);
	add(host, "objects in slabs", "KiB", slabs_in_use(&host->slabs) / 1024, 0);
	read_meminfo(host);
	add(host, "devices", "", count_devices(), 0);
	add(host, "references to the module", "", module_refcount(), 0);
	add(host, "references to KVM", "", number("/sys/module/kvm/refcnt", NULL), 0);
	add(host, "open files", "", number("/proc/sys/fs/file-nr", NULL), 64);
	add(host, "memory cgroups that die", "",
	    number("/sys/fs/cgroup/cgroup.stat", "nr_dying_descendants "), 4);
	add(host, "tasks", "", nr_processes(), 8);
}

static void shrink_slabs(void)
{
	glob_t found = {};
	size_t i;

	glob("/sys/kernel/slab/*/shrink", GLOB_NOSORT, NULL, &found);
	for (i = 0; i < found.gl_pathc; i++)
		write_file(found.gl_pathv[i], "1");
	globfree(&found);
}

static uint64_t difference(const struct host_figure *a, const struct host_figure *b)
{
	return a->value > b->value ? a->value - b->value : b->value - a->value;
}

static bool is_alike(const struct host *a, const struct host *b)
{
	unsigned int i;

	for (i = 0; i < a->nr; i++)
		if (difference(&a->figures[i], &b->figures[i]) > a->figures[i].value / 1000)
			return false;
	return true;
}

void host_settle(void)
{
	struct host hosts[2] = {};
	unsigned int i;

	for (i = 0; i < SETTLE_ROUNDS; i++) {
		sync();
		write_file("/proc/sys/vm/drop_caches", "3");
		shrink_slabs();
		sleep(2);
		host_read(&hosts[i % 2]);
		if (i && is_alike(&hosts[0], &hosts[1]))
			break;
	}
}

bool host_compare(const struct host *before, const struct host *after)
{
	const struct host_figure *a, *b;
	bool is_good = true;
	unsigned int i;

	printf("\n%-28s %12s %12s %9s\n", "", "before", "after", "");
	for (i = 0; i < before->nr; i++) {
		a = &before->figures[i];
		b = &after->figures[i];
		bool is_same = difference(a, b) <= a->value / 100 ||
			       difference(a, b) <= a->slack;

		printf("%-28s %12llu %12llu %+8.2f %%  %s%s\n", a->name,
		       (unsigned long long)a->value, (unsigned long long)b->value,
		       a->value ? 100. * ((double)b->value - a->value) / a->value : 0., a->unit,
		       is_same ? "" : "  DIFFERS");
		is_good &= is_same;
	}
	printf("\n");
	slabs_compare(&before->slabs, &after->slabs);
	return is_good;
}
