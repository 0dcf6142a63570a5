// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "migration.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "patience.h"
#include "vmem.h"

#define MAX_ARGUMENTS 32
/* Of /proc/net/unix (__SO_ACCEPTCON of the kernel), and of /proc/net/tcp (TCP_LISTEN). */
#define UNIX_LISTENS (1 << 16)
#define TCP_LISTENS 10

int vmm_start(struct linux_guest *guest, const struct vmm_kind *kind, const char *control, ...)
{
	const char *argv[MAX_ARGUMENTS] = {
		"vmem-vmm", "--kernel", MIGRATION_MINI, "--memory", MIGRATION_RAM,
		"--append", kind->strays ? MIGRATION_STRAY : MIGRATION_WORK,
		"--vmem-mode", kind->mode, "--vmem", kind->vmem,
		"--control", control,
	};
	unsigned int nb = 13;
	va_list options;

	va_start(options, control);
	while (nb < MAX_ARGUMENTS - 1) {
		argv[nb] = va_arg(options, const char *);
		if (!argv[nb])
			break;
		nb++;
	}
	va_end(options);
	argv[nb] = NULL;
	return linux_start(guest, argv);
}

/* What the kernel says of it: a connection, made to see, would be the only one. */
static bool is_in_table(const char *table, bool (*is_it)(const char *line, const void *what),
			const void *what)
{
	FILE *sockets = fopen(table, "r");
	bool found = false;
	char line[256];

	while (sockets && !found && fgets(line, sizeof(line), sockets))
		found = is_it(line, what);
	if (sockets)
		fclose(sockets);
	return found;
}

static bool is_unix_listener(const char *line, const void *path)
{
	unsigned int flags;
	char at[128];

	return sscanf(line, "%*s %*x %*x %x %*x %*x %*u %127s", &flags, at) == 2 &&
	       flags & UNIX_LISTENS && !strcmp(at, path);
}

static bool is_tcp_listener(const char *line, const void *port)
{
	unsigned int at, state;

	return sscanf(line, "%*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &at, &state) == 2 &&
	       state == TCP_LISTENS && at == *(const unsigned int *)port;
}

int wait_for_socket(const char *path, int seconds)
{
	return becomes(is_in_table("/proc/net/unix", is_unix_listener, path), seconds) ?
		       0 : -ETIMEDOUT;
}

int wait_for_port(unsigned int port, int seconds)
{
	return becomes(is_in_table("/proc/net/tcp", is_tcp_listener, &port) ||
		       is_in_table("/proc/net/tcp6", is_tcp_listener, &port), seconds) ?
		       0 : -ETIMEDOUT;
}

int work_check(struct linux_guest *guest, uint64_t *rounds, uint64_t *busies)
{
	uint64_t busy;
	size_t begin;
	int ret;

	ret = linux_send(guest, "c");
	if (!ret)
		ret = linux_wait_said(guest, "mini: work: ok rounds=", MIGRATION_TIME);
	begin = guest->seen;
	if (!ret)
		ret = linux_wait_said(guest, "\n", MIGRATION_TIME);
	if (ret)
		return ret;
	if (sscanf(guest->console.text + begin, "%" SCNu64 " busy=%" SCNu64, rounds, &busy) != 2)
		return -EPROTO;
	if (busies)
		*busies = busy;
	return 0;
}

int work_grow(struct linux_guest *guest)
{
	int ret = linux_send(guest, "g");

	return ret ?: linux_wait_said(guest, "mini: work: grown\n", MIGRATION_TIME);
}

uint64_t number_in(const char *json, const char *name)
{
	unsigned long long value;
	char member[64];
	const char *found;

	snprintf(member, sizeof(member), "\"%s\":", name);
	found = json ? strstr(json, member) : NULL;
	return found && sscanf(found + strlen(member), "%llu", &value) == 1 ? value : UINT64_MAX;
}

int wait_migrate_state(const char *control, const char *state, char *said, size_t size,
		       int seconds)
{
	char member[64];
	bool is_over;
	int ret = 0;

	snprintf(member, sizeof(member), "\"state\":\"%s\"", state);
	is_over = becomes((ret = linux_control(control, "migrate-status", said, size)) ||
			  strstr(said, member), seconds);
	return is_over ? ret : -ETIMEDOUT;
}
