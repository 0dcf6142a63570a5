// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "metadata.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CGROUP		"/sys/fs/cgroup/metadata"
#define WARM_UP_SIZE	(2 * GiB)
#define REGION_SLOT	1
#define SMM		(1U << 16)	/* KVM's address space 1 */

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

/* Once it stays the same for a moment. */
uint64_t metadata_charge(void)
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

const char *metadata_paging(void)
{
	char value[8];

	if (read_file("/sys/module/kvm_amd/parameters/npt", value, sizeof(value)) <= 0 &&
	    read_file("/sys/module/kvm_intel/parameters/ept", value, sizeof(value)) <= 0)
		errx(1, "neither kvm_amd nor kvm_intel is loaded");
	return *value == 'Y' || *value == '1' ? "tdp" : "shadow";
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

/* Returns what KVM says. */
static int map_memslots(const struct metadata *what, struct metadata_vm *vm)
{
	uint32_t slot = REGION_SLOT;
	uint64_t offset;
	int ret = 0;

	for (offset = 0; !ret && offset < what->plugged_size; offset += what->memslot_size) {
		ret = vm_set_memslot(vm->vm.fd, slot, METADATA_ADDR + offset,
				     what->memslot_size, vm->backing.addr + offset);
		if (!ret && what->smm)
			ret = vm_set_memslot(vm->vm.fd, slot | SMM, METADATA_ADDR + offset,
					     what->memslot_size, vm->backing.addr + offset);
		slot++;
	}
	return ret;
}

static void map_group(const struct metadata *what, struct metadata_vm *vm)
{
	const struct rig_options options = {
		.addr = METADATA_ADDR,
		.requested_size = what->plugged_size,
		.request_nothing = true,
	};
	struct kvm_vmem_attach attach;
	struct kvm_vmem_setup setup;

	fill_setup(&setup, &vm->backing, &options);
	check(vmem_setup(vm->dev, &setup), "KVM_VMEM_SETUP");
	if (what->backing == BACKING_PROTECTED)
		check(backing_map_device(&vm->backing, vm->dev), "mapping the device");
	fill_attach(&attach, &vm->vm, &vm->backing);
	attach.address_spaces = what->smm ? 3 : 1;
	check(vmem_attach(vm->dev, &attach), "KVM_VMEM_ATTACH");
	if (what->plugged_size &&
	    vmem_plug(vm->dev, METADATA_ADDR, what->plugged_size / setup.out_block_size) !=
	    VIRTIO_MEM_RESP_ACK)
		errx(1, "KVM_VMEM_PLUG is not acknowledged");
}

/* What has to be there before. */
static void prepare(const struct metadata *what, struct metadata_vm *vm)
{
	vm->dev = -1;
	check(vm_create(&vm->vm, 1), "creating a VM");
	if (what->smm && vm_check_extension(&vm->vm, KVM_CAP_X86_SMM) <= 0)
		errx(1, "KVM has no SMM");
	check(backing_create(&vm->backing, what->backing, what->region_size, 0),
	      "mapping the region");
}

static void open_device(struct metadata_vm *vm)
{
	vm->dev = vmem_open();
	if (vm->dev < 0)
		errx(1, VMEM_PATH ": %s", strerror(-vm->dev));
}

static void map_region(struct metadata *what, struct metadata_vm *vm)
{
	double start;

	if (!what->memslot_size)
		open_device(vm);
	start = milliseconds();
	if (what->memslot_size)
		what->error = map_memslots(what, vm);
	else
		map_group(what, vm);
	what->ms = milliseconds() - start;
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
	return value < limit ? value : limit;
}

static void warm_up(const struct metadata *what)
{
	struct metadata small = *what;
	struct metadata_vm vm;

	small.region_size = WARM_UP_SIZE;
	small.plugged_size = at_most(what->plugged_size, WARM_UP_SIZE);
	small.memslot_size = at_most(what->memslot_size, WARM_UP_SIZE);
	prepare(&small, &vm);
	map_region(&small, &vm);
	check(small.error, "KVM_SET_USER_MEMORY_REGION");
	if (vm.dev >= 0)
		close(vm.dev);
	vm_destroy(&vm.vm);
	backing_destroy(&vm.backing);
}

static void measure(struct metadata *what)
{
	struct metadata_vm vm;
	uint64_t before;

	enter_cgroup();
	warm_up(what);
	prepare(what, &vm);

	before = metadata_charge();
	map_region(what, &vm);
	if (what->error)
		return;
	what->kib = (metadata_charge() - before + KiB - 1) / KiB;
	if (what->then)
		what->then(what, &vm);
}

void metadata_measure(struct metadata *what)
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
		measure(what);
		fflush(stdout);
		_exit(write(results[1], what, sizeof(*what)) != sizeof(*what));
	}
	if (waitpid(pid, &status, 0) != pid || status ||
	    read(results[0], what, sizeof(*what)) != sizeof(*what))
		errx(1, "a measurement failed");
	close(results[0]);
	close(results[1]);
	/* The next one starts with a control group that was never used. */
	while (rmdir(CGROUP) && errno == EBUSY)
		usleep(10000);
}
