// SPDX-License-Identifier: GPL-2.0
/*
 * Eight VMs, each a process with a device of its own, grow by 16 GiB each, by requests of
 * 128 MiB: all at once, and one after another. They have nothing in common but the host.
 * Beside it the same of VMMs that give KVM the memslots themselves (kvm).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define NB_VMS 8
#define NB_RUNS 5
#define REGION TiB
#define SIZE (16 * GiB)
#define BLOCK (2 * MiB)
#define REQUEST (128 * MiB)

/**
 * struct grower - a process that has a VM grow
 * @go: Written to when it is to begin, and to end
 * @done: Read from when it is ready, and when it has grown
 * @pid: The process
 */
struct grower {
	int go;
	int done;
	pid_t pid;
};

static void await(int fd)
{
	char byte;

	bench_check(read(fd, &byte, 1) == 1 ? 0 : -EPIPE, "the other process");
}

static void tell(int fd)
{
	bench_check(write(fd, "", 1) == 1 ? 0 : -EPIPE, "the other process");
}

static void grow_group(int go, int done)
{
	struct bench_device device;

	bench_create(&device, REGION, BLOCK);
	tell(done);
	await(go);
	bench_plug(&device, SIZE, REQUEST);
	tell(done);
	await(go);
	bench_destroy(&device);
}

static void grow_kvm(int go, int done)
{
	struct backing backing;
	struct vm vm;

	bench_check(vm_create(&vm, 1), "a VM");
	bench_check(backing_create(&backing, BACKING_MEMFD, REGION, 0), "memory");
	tell(done);
	await(go);
	bench_map(&vm, &backing, SIZE, GiB);
	tell(done);
	await(go);
	vm_destroy(&vm);
	backing_destroy(&backing);
}

static void start(struct grower *grower, void (*grow)(int go, int done))
{
	int go[2], done[2];

	if (pipe(go) || pipe(done))
		bench_fail(-errno, "a pipe");
	fflush(stdout);
	grower->pid = fork();
	bench_check(grower->pid < 0 ? -errno : 0, "fork");
	if (!grower->pid) {
		grow(go[0], done[1]);
		exit(0);
	}
	close(go[0]);
	close(done[1]);
	grower->go = go[1];
	grower->done = done[0];
	await(grower->done);
}

static void end(struct grower *grower)
{
	int status;

	tell(grower->go);
	bench_check(waitpid(grower->pid, &status, 0) != grower->pid || status ? -EIO : 0,
		    "the other process");
	close(grower->go);
	close(grower->done);
}

/* Until all have grown, in ms. */
static double run(unsigned int nb, void (*grow)(int go, int done))
{
	struct grower growers[NB_VMS];
	uint64_t begin;
	unsigned int i;
	double ms;

	for (i = 0; i < nb; i++)
		start(&growers[i], grow);
	begin = bench_ns();
	for (i = 0; i < nb; i++)
		tell(growers[i].go);
	for (i = 0; i < nb; i++)
		await(growers[i].done);
	ms = bench_ms_since(begin);
	for (i = 0; i < nb; i++)
		end(&growers[i]);
	return ms;
}

static void measure(const char *mode, void (*grow)(int go, int done))
{
	double together[NB_RUNS], alone[NB_RUNS] = { 0 };
	unsigned int i, vm;

	for (i = 0; i < NB_RUNS; i++) {
		together[i] = run(NB_VMS, grow);
		for (vm = 0; vm < NB_VMS; vm++)
			alone[i] += run(1, grow);
	}
	bench_report("together_ms", mode, "at once", together, NB_RUNS, "ms");
	bench_report("together_ms", mode, "one by one", alone, NB_RUNS, "ms");
}

void bench_together(void)
{
	measure("group", grow_group);
	measure("kvm", grow_kvm);
}
