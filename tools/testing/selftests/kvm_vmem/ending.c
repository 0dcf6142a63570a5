// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "ending.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "patience.h"
#include "vmem.h"

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
	int ret;

	becomes((ret = module_remove()) != -EAGAIN, 60 * SLOWNESS);
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

/* Files may be closed by a task that is still to run: a kill -9 is waited for. */
bool all_gone(void)
{
	return becomes(!count_devices() && !module_refcount(), 60 * SLOWNESS);
}
