// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "access.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vmem.h"

#define PAGE	4096

static __thread sigjmp_buf jump;
static __thread volatile sig_atomic_t armed;

static void on_signal(int sig)
{
	if (armed)
		siglongjmp(jump, sig);
	/* A bug of the test's: let it die of it. */
	signal(sig, SIG_DFL);
}

static void catch_signals(void)
{
	/* Not blocked in the handler, as it is left by a jump. */
	struct sigaction action = {
		.sa_handler = on_signal,
		.sa_flags = SA_NODEFER,
	};

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

static int try_access(void *addr, uint64_t *value, int is_write)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	volatile uint64_t *word = addr;
	int sig;

	pthread_once(&once, catch_signals);
	sig = sigsetjmp(jump, 0);
	if (!sig) {
		armed = 1;
		if (is_write)
			*word = *value;
		else
			*value = *word;
	}
	armed = 0;
	return -sig;
}

int try_read(const void *addr, uint64_t *value)
{
	return try_access((void *)addr, value, 0);
}

int try_write(void *addr, uint64_t value)
{
	return try_access(addr, &value, 1);
}

int try_touch(const void *addr)
{
	uint64_t value;

	return try_access((void *)addr, &value, 0);
}

uint64_t device_value(uint32_t id, const char *name)
{
	uint64_t value;

	return sysfs_read_u64(id, name, &value) ? ~0ULL : value;
}

uint64_t host_shmem(void)
{
	unsigned long long kib = ~0ULL >> 10;
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];

	if (!file)
		return ~0ULL;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Shmem: %llu kB", &kib) == 1)
			break;
	fclose(file);
	return kib << 10;
}

uint64_t cached_bytes(void *addr, uint64_t size)
{
	unsigned char *pages = malloc(size / PAGE);
	uint64_t i, bytes = 0;

	if (!pages || mincore(addr, size, pages)) {
		free(pages);
		return ~0ULL;
	}
	for (i = 0; i < size / PAGE; i++)
		bytes += pages[i] & 1 ? PAGE : 0;
	free(pages);
	return bytes;
}

static void parameter_path(char *path, size_t size, const char *name)
{
	snprintf(path, size, VMEM_MODULE "/parameters/%s", name);
}

int parameter_write(const char *name, const char *value)
{
	char path[128];

	parameter_path(path, sizeof(path), name);
	return write_file(path, value);
}

int parameter_read(const char *name, char *buf, size_t size)
{
	char path[128];

	parameter_path(path, sizeof(path), name);
	return read_file(path, buf, size);
}
