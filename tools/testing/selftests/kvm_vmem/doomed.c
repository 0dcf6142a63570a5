// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "doomed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "access.h"
#include "ending.h"
#include "vmem.h"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#endif

#define PAGE 4096
#define REGION (256 * MiB)
#define MEMSLOT (32 * MiB)
#define NR_VCPUS 2
/* Guests touch this much of a region, so that something is plugged there. */
#define BUSY_PART (96 * MiB)

/* Short, so that retirement is often due. */
#define RETIRE_DELAY_MS "15"

struct vmm {
	struct doomed *doomed;
	struct vm vm;
	unsigned int nr_devices;
	struct rig devices[DOOMED_MAX_DEVICES];
	int life_line[2];
	int event;
	uint64_t *bitmap;
};

struct worker {
	struct vmm *vmm;
	unsigned int index;
	unsigned int seed;
};

static const struct rig_options kinds[] = {
	{
		.backing = BACKING_PROTECTED,
		.memslot_size = MEMSLOT,
	},
	{
		.backing = BACKING_PROTECTED,
		.memslot_size = MEMSLOT,
		.block_size = MiB,
		.prealloc = true,
	},
	{
		.backing = BACKING_MEMFD,
		.memslot_size = MEMSLOT,
	},
	{
		.backing = BACKING_PROTECTED,
		.is_static = true,
	},
	{
		.backing = BACKING_PROTECTED,
		.memslot_size = MEMSLOT,
		.address_spaces = 3,
	},
};

static int add_device(struct vmm *vmm, const struct rig_options *options)
{
	struct rig *rig = &vmm->devices[vmm->nr_devices];
	uint64_t addr = (4 + 4 * vmm->nr_devices) * GiB;
	int ret;

	rig->dev = vmem_open();
	if (rig->dev < 0)
		return rig->dev;
	ret = backing_create(&rig->backing, options->backing, REGION, 0);
	if (ret)
		return ret;
	fill_setup(&rig->setup, &rig->backing, options);
	rig->setup.addr = addr;
	rig->addr = addr;
	ret = vmem_setup(rig->dev, &rig->setup);
	if (ret)
		return ret;
	rig->block = rig->setup.out_block_size;
	vmm->doomed->ids[vmm->nr_devices] = rig->setup.out_id;
	vmm->nr_devices++;
	atomic_store(&vmm->doomed->nr_devices, vmm->nr_devices);
	if (options->backing == BACKING_PROTECTED)
		ret = backing_map_device(&rig->backing, rig->dev);
	if (ret)
		return ret;
	fill_attach(&rig->attach, &vmm->vm, &rig->backing);
	if (options->address_spaces)
		rig->attach.address_spaces = options->address_spaces;
	ret = vmem_attach(rig->dev, &rig->attach);
	if (ret)
		return ret;
	vmem_add_eventfd(rig->dev, KVM_VMEM_EVENT_SIZE, vmm->event);
	return sysfs_write(rig->setup.out_id, "retire_delay_ms",
			   RETIRE_DELAY_MS);
}

static struct rig *any_device(struct vmm *vmm, unsigned int *seed)
{
	return &vmm->devices[pick(seed, vmm->nr_devices)];
}

static void ask(struct vmm *vmm, struct rig *rig, unsigned int *seed)
{
	unsigned int nr_blocks = BUSY_PART / rig->block;
	unsigned int first = pick(seed, nr_blocks);
	unsigned int nb = 1 + pick(seed, 12);
	uint64_t addr = rig->addr + first * rig->block;
	bool prealloc = rig->setup.flags & KVM_VMEM_SETUP_PREALLOC;

	switch (pick(seed, 32)) {
	case 0:
		vmem_unplug_all(rig->dev);
		break;
	case 1:
		vmem_action(rig->dev, KVM_VMEM_RESET, 0);
		break;
	case 2:
		vmem_unplug_sync(rig->dev, addr, nb);
		break;
	case 3:
		vmem_set_requested_size(rig->dev, REGION);
		break;
	case 4 ... 16:
		vmem_unplug(rig->dev, addr, nb);
		break;
	default:
		atomic_store(&vmm->doomed->preallocating, prealloc);
		vmem_plug(rig->dev, addr, nb);
		atomic_store(&vmm->doomed->preallocating, false);
	}
}

static void *run_vcpu(void *arg)
{
	struct worker *worker = arg;
	struct vmm *vmm = worker->vmm;
	struct vcpu *vcpu = &vmm->vm.vcpus[worker->index];
	struct rig *rig;

	for (;;) {
		rig = any_device(vmm, &worker->seed);
		guest_fill(vcpu, rig->addr + pick(&worker->seed,
						  BUSY_PART / PAGE) * PAGE,
			   1 + pick(&worker->seed, 64), PAGE, 1);
		atomic_fetch_add(&vmm->doomed->nr_guest, 1);
	}
	return NULL;
}

static void *run_requests(void *arg)
{
	struct worker *worker = arg;

	for (;;)
		ask(worker->vmm, any_device(worker->vmm, &worker->seed),
		    &worker->seed);
	return NULL;
}

static void *run_accesses(void *arg)
{
	struct worker *worker = arg;
	struct rig *rig;

	for (;;) {
		rig = any_device(worker->vmm, &worker->seed);
		try_write(rig->backing.addr +
			  pick(&worker->seed, BUSY_PART / PAGE) * PAGE, 1);
	}
	return NULL;
}

static void *run_migration(void *arg)
{
	struct worker *worker = arg;
	struct vmm *vmm = worker->vmm;
	unsigned int round;
	struct rig *rig;

	for (;;) {
		rig = any_device(vmm, &worker->seed);
		if (pick(&worker->seed, 2) &&
		    !vmem_action(rig->dev, KVM_VMEM_FREEZE, 0))
			atomic_store(&vmm->doomed->frozen, true);
		vmem_action(rig->dev, KVM_VMEM_SET_DIRTY_LOG,
			    KVM_VMEM_DIRTY_LOG_ENABLE);
		atomic_store(&vmm->doomed->logging, true);
		vmem_get_bitmap(rig->dev, 0, REGION / rig->block, vmm->bitmap);
		for (round = pick(&worker->seed, 8); round; round--)
			vmem_get_dirty_log(rig->dev, 0, REGION / PAGE,
					   vmm->bitmap);
		atomic_store(&vmm->doomed->logging, false);
		vmem_action(rig->dev, KVM_VMEM_SET_DIRTY_LOG, 0);
		atomic_store(&vmm->doomed->frozen, false);
		vmem_action(rig->dev, KVM_VMEM_THAW, 0);
	}
	return NULL;
}

static void *run_reader(void *arg)
{
	struct worker *worker = arg;
	uint64_t nb;

	for (;;)
		if (read(worker->vmm->devices[0].dev, &nb, sizeof(nb)) < 0)
			usleep(1000);
	return NULL;
}

/* As an accomplice: the VMM lives on for so long. Forever is -1. */
static bool vmm_lives(struct vmm *vmm, int ms)
{
	struct pollfd end = { .fd = vmm->life_line[0] };

	return poll(&end, 1, ms) <= 0;
}

static void close_devices(struct vmm *vmm)
{
	struct rig *rig;

	for (rig = vmm->devices; rig < &vmm->devices[vmm->nr_devices]; rig++)
		close(rig->dev);
}

static void unmap_devices(struct vmm *vmm)
{
	unsigned int i;

	for (i = 0; i < vmm->nr_devices; i++)
		backing_destroy(&vmm->devices[i].backing);
}

/* In place of what it inherited. */
static void take_memory(struct vmm *vmm)
{
	struct backing *backing;
	unsigned int i;
	void *memory;
	int fd;

	for (i = 0; i < vmm->nr_devices; i++) {
		backing = &vmm->devices[i].backing;
		fd = vmem_get_memory_fd(vmm->devices[i].dev);
		if (fd < 0)
			continue;
		memory = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_SHARED,
			      fd, 0);
		munmap(backing->reserved, backing->reserved_size);
		backing->addr = memory;
	}
}

static void touch_all(struct vmm *vmm, unsigned int *seed)
{
	unsigned int i;

	for (i = 0; i < vmm->nr_devices; i++)
		if (vmm->devices[i].backing.addr)
			try_write(vmm->devices[i].backing.addr +
				  pick(seed, BUSY_PART / PAGE) * PAGE, 1);
}

static void be_accomplice(struct vmm *vmm, int sock)
{
	unsigned int seed = vmm->doomed->seed + 100;
	unsigned int turns;

	/* Or it would never hear of the end. */
	close(vmm->life_line[1]);
	if (vmm->doomed->accomplice == ACCOMPLICE_HOLDS_MEMORY)
		take_memory(vmm);
	if (vmm->doomed->accomplice != ACCOMPLICE_HOLDS_ALL)
		vm_destroy(&vmm->vm);

	switch (vmm->doomed->accomplice) {
	case ACCOMPLICE_IS_SENT:
		unmap_devices(vmm);
		close_devices(vmm);
		break;
	case ACCOMPLICE_HOLDS_DEVICES:
		unmap_devices(vmm);
		break;
	case ACCOMPLICE_HOLDS_MAPPINGS:
	case ACCOMPLICE_HOLDS_MEMORY:
		close_devices(vmm);
		break;
	case ACCOMPLICE_ASKS:
		while (vmm_lives(vmm, 0))
			ask(vmm, any_device(vmm, &seed), &seed);
		break;
	default:
		break;
	}

	while (vmm_lives(vmm, 1))
		touch_all(vmm, &seed);
	for (turns = pick(&seed, 20); turns; turns--) {
		touch_all(vmm, &seed);
		ask(vmm, any_device(vmm, &seed), &seed);
		usleep(500);
	}
	close(sock);
	_exit(0);
}

static int start_accomplice(struct vmm *vmm)
{
	int socks[2];
	unsigned int i;
	pid_t pid;

	if (vmm->doomed->accomplice == ACCOMPLICE_NONE)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks))
		return -errno;
	pid = fork();
	if (!pid) {
		close(socks[1]);
		be_accomplice(vmm, socks[0]);
	}
	close(socks[0]);
	atomic_store(&vmm->doomed->accomplice_pid, pid);
	if (vmm->doomed->accomplice == ACCOMPLICE_IS_SENT)
		for (i = 0; i < vmm->nr_devices; i++)
			send_fd(socks[1], vmm->devices[i].dev);
	return pid < 0 ? -errno : 0;
}

static int start_threads(struct vmm *vmm)
{
	void *(*const runs[])(void *) = {
		run_vcpu, run_vcpu, run_requests, run_requests, run_accesses,
		run_migration, run_reader,
	};
	static struct worker workers[ARRAY_SIZE(runs)];
	pthread_t thread;
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < ARRAY_SIZE(runs); i++) {
		workers[i] = (struct worker) {
			.vmm = vmm,
			.index = i,
			.seed = vmm->doomed->seed + i,
		};
		ret = pthread_create(&thread, NULL, runs[i], &workers[i]);
	}
	return -ret;
}

int doomed_live(struct doomed *doomed)
{
	static struct vmm vmm;
	unsigned int seed = doomed->seed;
	unsigned int i;
	int ret;

	vmm.doomed = doomed;
	vmm.bitmap = malloc(REGION / PAGE / 8);
	vmm.event = eventfd(0, EFD_CLOEXEC);
	if (!vmm.bitmap || vmm.event < 0 ||
	    pipe2(vmm.life_line, O_CLOEXEC))
		return -errno;
	ret = vm_create(&vmm.vm, NR_VCPUS);
	for (i = 0; !ret && i < doomed->want_devices; i++)
		ret = add_device(&vmm, i < 2 ? &kinds[i] :
				 &kinds[pick(&seed, ARRAY_SIZE(kinds))]);
	if (!ret)
		ret = start_accomplice(&vmm);
	if (!ret)
		ret = start_threads(&vmm);
	atomic_store(&doomed->lives, !ret);
	if (ret)
		return ret;
	for (;;)
		pause();
}
