// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "ending.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "slowness.h"

int module_remove(void)
{
	return syscall(SYS_delete_module, "kvm_vmem", O_NONBLOCK) ? -errno : 0;
}

int module_load(void)
{
	return system("modprobe kvm_vmem") ? -EIO : 0;
}

int module_remove_soon(void)
{
	unsigned int tries = 600 * SLOWNESS;
	int ret;

	while ((ret = module_remove()) == -EAGAIN && tries--)
		usleep(100000);
	return ret;
}

int adopt_orphans(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1) ? -errno : 0;
}

bool all_dead(void)
{
	pid_t pid;

	do
		pid = waitpid(-1, NULL, WNOHANG);
	while (pid > 0);
	return pid < 0;
}

unsigned int environment(const char *name, unsigned int otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}

unsigned int pick(unsigned int *seed, unsigned int nr)
{
	return rand_r(seed) % nr;
}

uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}
