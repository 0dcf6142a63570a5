// SPDX-License-Identifier: GPL-2.0
/*
 * Measures, inside the emulated host, what a region of 1 TiB with 1 GiB plugged
 * costs: as one memslot, and as a group of the module's. Prints a JSON object a
 * line for each measurement, and a line with what the guest found.
 *
 *	demo tdp|shadow		what kvm_amd or kvm_intel was loaded for
 *
 * The memory is what the kernel charges to a memory control group of the VMM's
 * own, from before the device is opened until the 1 GiB is usable. KVM's metadata
 * is charged there (GFP_KERNEL_ACCOUNT) and so is all that the module allocates
 * for a device. memory.current is exact but for pages that a CPU has charged in
 * advance, up to 64, which would drown the group; lowering memory.high below it
 * makes the kernel give those back first. (memory.stat is no help: its fields are
 * summed up only every so often.) The guest has not run yet, so that neither guest
 * memory nor page tables are part of it.
 *
 * The time is that of the ioctls. Code that runs for the first time is slow under
 * emulation, so both ways are gone once before, with a small region. Then one
 * memslot takes seconds and is measured once; the group takes milliseconds, and
 * the median of some rounds is told.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmem.h"

#define CGROUP		"/sys/fs/cgroup/demo"
#define REGION_ADDR	(4 * GiB)
#define REGION_SIZE	TiB
#define PLUGGED_SIZE	GiB
#define WARM_UP_SIZE	(2 * GiB)
#define GROUP_ROUNDS	5
#define REGION_SLOT	1
#define SMM		(1U << 16)	/* KVM's address space 1 */

struct measurement {
	const char *paging;
	bool smm;
	bool group;
	uint64_t kib;
	double ms;
};

static void check(int ret, const char *what)
{
	if (ret)
		errx(1, "%s: %s", what, strerror(-ret));
}

static uint64_t read_charge(void)
{
	char buf[32];

	if (read_file(CGROUP "/memory.current", buf, sizeof(buf)) <= 0)
		errx(1, "cannot read the memory of the control group");
	return strtoull(buf, NULL, 10);
}

/* What is charged and in use, once that stays the same for a moment. */
static uint64_t charge(void)
{
	uint64_t last = 0, now = read_charge();
	char high[32];
	int i;

	for (i = 0; i < 50 && now != last; i++) {
		last = now;
		snprintf(high, sizeof(high), "%" PRIu64, now - 4096);
		check(write_file(CGROUP "/memory.high", high), "memory.high");
		check(write_file(CGROUP "/memory.high", "max"), "memory.high");
		usleep(20000);
		now = read_charge();
	}
	return now;
}

static double milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* One CPU, so that there is one set of pages charged in advance. */
static void enter_cgroup(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		err(1, "sched_setaffinity");
	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		err(1, CGROUP);
	check(write_file(CGROUP "/cgroup.procs", "0"), "cgroup.procs");
}

static void map_static(struct vm *vm, struct backing *backing, bool smm)
{
	check(vm_set_memslot(vm->fd, REGION_SLOT, REGION_ADDR, backing->size,
			     backing->addr), "KVM_SET_USER_MEMORY_REGION");
	if (smm)
		check(vm_set_memslot(vm->fd, REGION_SLOT | SMM, REGION_ADDR,
				     backing->size, backing->addr),
		      "KVM_SET_USER_MEMORY_REGION with SMM");
}

static void map_group(int dev, struct vm *vm, struct backing *backing, bool smm)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.addr = REGION_ADDR,
		.region_size = backing->size,
		.requested_size = PLUGGED_SIZE,
	};
	struct kvm_vmem_attach attach;
	struct kvm_vmem_setup setup;

	fill_setup(&setup, backing, &options);
	check(vmem_setup(dev, &setup), "KVM_VMEM_SETUP");
	fill_attach(&attach, vm, backing);
	attach.address_spaces = smm ? 3 : 1;
	check(vmem_attach(dev, &attach), "KVM_VMEM_ATTACH");
	if (vmem_plug(dev, REGION_ADDR, PLUGGED_SIZE / setup.out_block_size) !=
	    VIRTIO_MEM_RESP_ACK)
		errx(1, "KVM_VMEM_PLUG is not acknowledged");
}

/* The guest writes a word: does it get through to the host's memory? */
static bool guest_reaches(struct vm *vm, struct backing *backing, uint64_t offset)
{
	const uint64_t value = 0x6b766d2d766d656d ^ offset;
	uint64_t seen;

	check(guest_write(&vm->vcpus[0], REGION_ADDR + offset, value), "KVM_RUN");
	if (vm->vcpus[0].nr_mmio) {
		if (vm->vcpus[0].mmio_addr != REGION_ADDR + offset)
			errx(1, "an MMIO exit elsewhere");
		return false;
	}
	memcpy(&seen, backing->addr + offset, sizeof(seen));
	if (seen != value)
		errx(1, "the host does not see what the guest wrote");
	return true;
}

static void ask_guest(const struct measurement *m, struct vm *vm,
		      struct backing *backing)
{
	bool plugged = guest_reaches(vm, backing, 0) &&
		       guest_reaches(vm, backing, PLUGGED_SIZE - 8);
	bool unplugged = guest_reaches(vm, backing, PLUGGED_SIZE) ||
			 guest_reaches(vm, backing, REGION_SIZE - 8);

	printf("guest %s%s %s plugged=%s unplugged=%s\n", m->paging,
	       m->smm ? "+smm" : "", m->group ? "group" : "static",
	       plugged ? "reached" : "mmio", unplugged ? "reached" : "mmio");
}

/* What has to be there before. */
static void prepare(const struct measurement *m, struct vm *vm,
		    struct backing *backing, uint64_t size)
{
	check(vm_create(vm, 1), "creating a VM");
	if (m->smm && vm_check_extension(vm, KVM_CAP_X86_SMM) <= 0)
		errx(1, "KVM has no SMM");
	check(backing_create(backing, BACKING_MEMFD, size, 0),
	      "mapping the region");
}

/* Returns the milliseconds until the region is there, with 1 GiB plugged. */
static double map_region(const struct measurement *m, int dev, struct vm *vm,
			 struct backing *backing)
{
	double start = milliseconds();

	if (m->group)
		map_group(dev, vm, backing, m->smm);
	else
		map_static(vm, backing, m->smm);
	return milliseconds() - start;
}

static int open_device(const struct measurement *m)
{
	int dev = m->group ? vmem_open() : -1;

	if (m->group && dev < 0)
		errx(1, VMEM_PATH ": %s", strerror(-dev));
	return dev;
}

static void warm_up(const struct measurement *m)
{
	struct backing backing;
	struct vm vm;
	int dev;

	prepare(m, &vm, &backing, WARM_UP_SIZE);
	dev = open_device(m);
	map_region(m, dev, &vm, &backing);
	if (dev >= 0)
		close(dev);
	vm_destroy(&vm);
	backing_destroy(&backing);
}

/* In a process of its own. */
static void measure(struct measurement *m)
{
	struct backing backing;
	uint64_t before;
	struct vm vm;
	int dev;

	enter_cgroup();
	warm_up(m);
	prepare(m, &vm, &backing, REGION_SIZE);

	before = charge();
	dev = open_device(m);
	m->ms = map_region(m, dev, &vm, &backing);
	m->kib = (charge() - before + KiB - 1) / KiB;

	ask_guest(m, &vm, &backing);
}

static void print(const struct measurement *m)
{
	struct utsname kernel;

	uname(&kernel);
	printf("{\"config\":\"%s%s\",\"mode\":\"%s\",\"metadata_kib\":%" PRIu64
	       ",\"ready_ms\":%.3f,\"kernel\":\"%s\"}\n",
	       m->paging, m->smm ? "+smm" : "", m->group ? "group" : "static",
	       m->kib, m->ms, kernel.release);
}

static void run(struct measurement *m)
{
	int results[2], status;
	pid_t pid;

	fflush(stdout);
	if (pipe(results))
		err(1, "pipe");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		measure(m);
		fflush(stdout);
		_exit(write(results[1], m, sizeof(*m)) != sizeof(*m));
	}
	if (waitpid(pid, &status, 0) != pid || status ||
	    read(results[0], m, sizeof(*m)) != sizeof(*m))
		errx(1, "a measurement failed");
	close(results[0]);
	close(results[1]);
	/* The next one starts with a control group that was never used. */
	while (rmdir(CGROUP) && errno == EBUSY)
		usleep(10000);
}

static int by_time(const void *a, const void *b)
{
	const struct measurement *x = a, *y = b;

	return (x->ms > y->ms) - (x->ms < y->ms);
}

static void run_rounds(const struct measurement *what)
{
	struct measurement m[GROUP_ROUNDS];
	int i, rounds = what->group ? GROUP_ROUNDS : 1;

	for (i = 0; i < rounds; i++) {
		m[i] = *what;
		run(&m[i]);
	}
	qsort(m, rounds, sizeof(m[0]), by_time);
	print(&m[rounds / 2]);
}

int main(int argc, char **argv)
{
	struct measurement m = { 0 };
	int i;

	if (argc != 2 || (strcmp(argv[1], "tdp") && strcmp(argv[1], "shadow")))
		errx(2, "usage: demo tdp|shadow");
	m.paging = argv[1];
	for (i = 0; i < 4; i++) {
		m.smm = i & 2;
		m.group = i & 1;
		run_rounds(&m);
	}
	return 0;
}
