// SPDX-License-Identifier: GPL-2.0
/* The stock Linux guest under vmem-vmm, and what its operator does. */
#define _GNU_SOURCE
#include "linux_vmm.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "patience.h"
#include "vmem.h"

#define MAX_ARGUMENTS 32

static void add_arguments(const char *argv[], unsigned int nb, va_list arguments)
{
	for (; nb < MAX_ARGUMENTS - 1; nb++) {
		argv[nb] = va_arg(arguments, const char *);
		if (!argv[nb])
			return;
	}
	argv[nb] = NULL;
}

static int start(struct linux_guest *guest, const char *append, va_list options)
{
	const char *argv[MAX_ARGUMENTS] = {
		"vmem-vmm", "--kernel", LINUX_KERNEL, "--initrd", LINUX_INITRD, "--append", append,
	};

	add_arguments(argv, 7, options);
	return linux_start(guest, argv);
}

int linux_vmm_start(struct linux_guest *guest, const char *append, ...)
{
	va_list options;
	int ret;

	va_start(options, append);
	ret = start(guest, append, options);
	va_end(options);
	return ret;
}

int linux_vmm_boot(struct linux_guest *guest, const char *append, ...)
{
	va_list options;
	int ret;

	va_start(options, append);
	ret = start(guest, append, options);
	va_end(options);
	return ret ?: linux_wait_ready(guest, LINUX_BOOT_TIME);
}

int linux_tool(char *output, size_t size, int seconds, const char *program, ...)
{
	const char *argv[MAX_ARGUMENTS] = { program };
	struct linux_guest tool;
	va_list arguments;
	int ret;

	va_start(arguments, program);
	add_arguments(argv, 1, arguments);
	va_end(arguments);
	ret = linux_start(&tool, argv);
	if (ret)
		return ret;
	ret = linux_wait_exit(&tool, seconds);
	snprintf(output, size, "%s%s", tool.console.text ?: "", tool.messages.text ?: "");
	linux_stop(&tool);
	return ret;
}

int linux_device(const char *label)
{
	DIR *dir = opendir("/sys/class/kvm_vmem");
	struct dirent *entry;
	char has[64];
	int id, found = -ENOENT;

	if (!dir)
		return -errno;
	while (found < 0 && (entry = readdir(dir)))
		if (sscanf(entry->d_name, "vmem%d", &id) == 1 &&
		    sysfs_read(id, "label", has, sizeof(has)) > 0 && !strcmp(has, label))
			found = id;
	closedir(dir);
	return found;
}

uint64_t linux_number(int id, const char *name)
{
	uint64_t value;

	return sysfs_read_u64(id, name, &value) ? UINT64_MAX : value;
}

int linux_wait_file(int id, const char *name, uint64_t value, int seconds)
{
	uint64_t has;
	int ret = 0;
	bool is_over = becomes((ret = sysfs_read_u64(id, name, &has)) || has == value, seconds);

	return is_over ? ret : -ETIMEDOUT;
}

/* Up to the newline, which the VMM sends last. */
static int receive_line(int fd, char *line, size_t size)
{
	size_t length = 0;
	ssize_t ret;

	do {
		if (length == size)
			return -EMSGSIZE;
		ret = recv(fd, line + length, size - length, 0);
		if (ret <= 0)
			return ret ? -errno : -EPIPE;
		length += ret;
	} while (line[length - 1] != '\n');
	line[length - 1] = 0;
	return 0;
}

int linux_control(const char *path, const char *command, char *answer, size_t size)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = LINUX_END_TIME };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[128];
	int ret = 0;

	if (fd < 0)
		return -errno;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	snprintf(line, sizeof(line), "%s\n", command);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		ret = -errno;
	if (!ret)
		ret = receive_line(fd, answer, size);
	close(fd);
	return ret;
}
