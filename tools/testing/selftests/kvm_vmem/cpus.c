// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "cpus.h"

#include <errno.h>
#include <sched.h>

static int visit(int cpu, void (*there)(void))
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return errno == EINVAL ? 0 : -errno;
	if (there)
		there();
	return 0;
}

int visit_cpus(void (*there)(void))
{
	cpu_set_t allowed;
	int cpu, ret = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return -errno;
	for (cpu = 0; cpu < CPU_SETSIZE && !ret; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			ret = visit(cpu, there);
	if (sched_setaffinity(0, sizeof(allowed), &allowed) && !ret)
		ret = -errno;
	return ret;
}
