// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "vmem.h"
#include "watch.h"

#define SELF		"vmem-fuzz"

/* For how long what is closed may take to go. The host is emulated. */
#define TRIES		3000
#define TRY_US		10000

/* Whose users are counted; those that there are. */
static const char *const modules[] = { "kvm_vmem", "kvm", "kvm_amd", "kvm_intel" };

#define NB_MODULES (sizeof(modules) / sizeof(modules[0]))

/* As they are when the module is loaded. */
static const struct {
	const char *name, *value;
} parameters[] = {
	{ "memslot_limit", "4096" },
	{ "retire_delay_ms", "1000" },
	{ "discard_backlog", "1024" },
};

static int kmsg;
static long nb_users[NB_MODULES];

/* What splats.awk looks for, which has the last word. */
bool watch_is_complaint(const char *line)
{
	static const char *const words[] = {
		"WARNING:", "BUG:", "Oops", "general protection fault", "cut here",
		"Call Trace:", "Kernel panic", "KASAN:", "UBSAN:", "refcount_t:",
		"list_add corruption", "list_del corruption", "possible recursive",
		"possible circular", "possible irq lock", "inconsistent lock state",
		"suspicious RCU", "bad unlock balance", "held lock freed", "locks still held",
		"sleeping function called", "scheduling while atomic", "blocked for more than",
		"soft lockup", "detected stalls", "ODEBUG:", "Bad page", "Bad rss-counter",
		"page allocation failure", "still in use", "unable to handle",
	};

	for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(line, words[i]))
			return true;
	return false;
}

/* -1 if there is no such module. */
static long count_users(const char *module)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	return read_file(path, text, sizeof(text)) > 0 ? atol(text) : -1;
}

bool watch_begin(void)
{
	/* No number comes twice. */
	write_file("/proc/sys/kernel/pid_max", "4194304");
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)
		return false;
	for (unsigned int i = 0; i < NB_MODULES; i++)
		nb_users[i] = count_users(modules[i]);
	return nb_users[0] == 0;
}

static const char *find_complaint(void)
{
	static char complaint[256];
	char record[8192], *text;
	ssize_t size;

	while ((size = read(kmsg, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		if (size < 0)
			continue;
		record[size] = '\0';
		text = strchr(record, ';');
		if (!text || !watch_is_complaint(text))
			continue;
		snprintf(complaint, sizeof(complaint), "%.*s", (int)strcspn(text + 1, "\n"),
			 text + 1);
		return complaint;
	}
	return NULL;
}

static const char *find_users(void)
{
	static char text[64];

	for (unsigned int i = 0; i < NB_MODULES; i++) {
		if (count_users(modules[i]) == nb_users[i])
			continue;
		snprintf(text, sizeof(text), "references to %s are left: %ld", modules[i],
			 count_users(modules[i]) - nb_users[i]);
		return text;
	}
	return count_devices() ? "devices are left in sysfs" : NULL;
}

const char *watch_finding(void)
{
	const char *users = find_users(), *complaint;

	for (int i = 0; users && i < TRIES; i++) {
		usleep(TRY_US);
		users = find_users();
	}
	complaint = find_complaint();
	return complaint ? complaint : users;
}

void watch_restore(void)
{
	for (unsigned int i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
		parameter_write(parameters[i].name, parameters[i].value);
}

void watch_trace(void)
{
	write_file("/sys/kernel/tracing/events/kvm_vmem/enable", "1");
}

static void print_stack(const char *pid)
{
	char path[300], text[4096];

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	if (read_file(path, text, sizeof(text)) <= 0 || strcmp(text, SELF))
		return;
	snprintf(path, sizeof(path), "/proc/%s/stack", pid);
	if (read_file(path, text, sizeof(text)) > 0)
		printf("process %s:\n%s\n", pid, text);
}

void watch_print_stacks(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (atoi(entry->d_name) > 0 && atoi(entry->d_name) != getpid())
			print_stack(entry->d_name);
	if (dir)
		closedir(dir);
}
