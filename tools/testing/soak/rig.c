// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM of the smallest kind, with a device of any kind: a guest that fills what it
 * plugged and finds it as it was, while another vCPU and the VMM touch what they should
 * not. It ends in any order of its files, or is killed.
 */
#define _GNU_SOURCE
#include "soak.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "vmem.h"

#define PAGE 4096
/* What is touched of a region. */
#define NR_BLOCKS 32
#define MAX_BLOCKS 8
/* In a cgroup, beside a whole number of blocks. */
#define SPARE (2 * MiB)

struct life {
	struct rig rig;
	struct rig_options options;
	/* The VMM's own knowledge; only the requester's. */
	bool plugged[NR_BLOCKS];
	uint64_t value;
	pthread_t toucher;
	bool has_toucher;
	volatile bool stop;
};

/* Each with everything that goes with it. */
static const struct rig_options kinds[] = {
	{ .backing = BACKING_PROTECTED },
	{ .backing = BACKING_PROTECTED, .memslot_size = 16 * MiB },
	{ .backing = BACKING_PROTECTED, .block_size = MiB, .memslot_size = 8 * MiB },
	{ .backing = BACKING_PROTECTED, .block_size = MiB, .prealloc = true },
	{ .backing = BACKING_PROTECTED, .block_size = 4 * MiB, .region_size = 1024 * GiB },
	{ .backing = BACKING_PROTECTED, .is_static = true },
	{ .backing = BACKING_PROTECTED, .address_spaces = 3, .memslot_size = 16 * MiB },
	{ .backing = BACKING_MEMFD, .memslot_size = 16 * MiB },
	{ .backing = BACKING_MEMFD, .is_static = true },
	{ .backing = BACKING_TMPFS, .block_size = MiB, .memslot_size = 8 * MiB },
	{ .backing = BACKING_HUGETLB, .memslot_size = 16 * MiB },
	{ .backing = BACKING_ANON, .no_fd = true, .memslot_size = 16 * MiB },
};

static uint64_t offset_of(const struct life *life, unsigned int block)
{
	return block * life->rig.block;
}

/* Returns whether it was acknowledged. BUSY is for memory that is short. */
static bool request(struct life *life, int response)
{
	soak_count(SOAK_REQUESTS, 1);
	if (response == VIRTIO_MEM_RESP_ACK)
		return true;
	if (response < 0)
		soak_wrong("no response: %s", strerror(-response));
	if (response == VIRTIO_MEM_RESP_BUSY)
		soak_count(SOAK_BUSY, 1);
	return false;
}

static bool all(const struct life *life, unsigned int first, unsigned int nb, bool plugged)
{
	while (nb--)
		if (life->plugged[first + nb] != plugged)
			return false;
	return true;
}

/* What a guest does with memory that it was given; it was zero. */
static void use(struct life *life, unsigned int first, unsigned int nb)
{
	uint64_t at = life->rig.addr + offset_of(life, first);
	/* Each page of some; else a word a block. */
	uint64_t stride = soak_chance(10) ? PAGE : life->rig.block;
	struct vcpu *vcpu = &life->rig.vm.vcpus[0];
	uint64_t count, was;
	int ret;

	assert(stride);
	count = nb * life->rig.block / stride;
	ret = guest_read(vcpu, at, &was);
	if (ret || was || vcpu->nr_mmio)
		soak_wrong("plugged memory: %d, has 0x%llx, %lu exits", ret,
			   (unsigned long long)was, vcpu->nr_mmio);
	life->value += count;
	ret = guest_fill(vcpu, at, count, stride, life->value);
	if (ret || vcpu->nr_mmio)
		soak_wrong("filling plugged memory: %d, %lu exits", ret, vcpu->nr_mmio);
	if (guest_verify(vcpu, at, count, stride, life->value))
		soak_wrong("plugged memory does not keep what is written to it");
	soak_count(SOAK_PAGES, count);
}

static void plug(struct life *life, unsigned int first, unsigned int nb)
{
	bool is_due = all(life, first, nb, false);

	if (!request(life, vmem_plug(life->rig.dev, life->rig.addr + offset_of(life, first), nb)))
		return;
	if (!is_due)
		soak_wrong("what was plugged is plugged again");
	memset(&life->plugged[first], true, nb);
	use(life, first, nb);
}

static void unplug(struct life *life, unsigned int first, unsigned int nb)
{
	uint64_t addr = life->rig.addr + offset_of(life, first);
	bool is_due = all(life, first, nb, true);
	int response;

	if (is_due && life->options.no_fd)
		backing_discard(&life->rig.backing, offset_of(life, first),
				nb * life->rig.block);
	if (soak_chance(20))
		response = vmem_unplug_sync(life->rig.dev, addr, nb);
	else
		response = vmem_unplug(life->rig.dev, addr, nb);
	if (request(life, response) != is_due)
		soak_wrong("unplugging %s blocks: response %d", is_due ? "plugged" : "other",
			   response);
	if (is_due)
		memset(&life->plugged[first], false, nb);
}

static void unplug_all(struct life *life)
{
	if (life->options.no_fd)
		backing_discard(&life->rig.backing, 0, offset_of(life, NR_BLOCKS));
	if (soak_chance(50)) {
		request(life, vmem_unplug_all(life->rig.dev));
	} else {
		int ret = vmem_action(life->rig.dev, KVM_VMEM_RESET, 0);

		if (ret)
			soak_wrong("a reset failed: %s", strerror(-ret));
	}
	memset(life->plugged, false, sizeof(life->plugged));
}

static void turn(struct life *life)
{
	unsigned int nb = 1 + soak_random(MAX_BLOCKS);
	unsigned int first = soak_random(NR_BLOCKS - nb + 1);
	struct kvm_vmem_get_info info;

	switch (soak_random(40)) {
	case 0:
		unplug_all(life);
		break;
	case 1 ... 20:
		plug(life, first, nb);
		break;
	case 21 ... 37:
		unplug(life, first, nb);
		break;
	default:
		if (vmem_get_info(life->rig.dev, &info))
			soak_wrong("no information of a device");
	}
	soak_pause_ms(soak_random(10));
}

/* A vCPU and the VMM, wherever they please; what they get is not their doing. */
static void *touch(void *arg)
{
	struct life *life = arg;
	unsigned int seed = life->value;
	uint64_t offset, word;
	int ret;

	while (!life->stop) {
		offset = offset_of(life, rand_r(&seed) % NR_BLOCKS) +
			 rand_r(&seed) % (life->rig.block / PAGE) * PAGE;
		if (rand_r(&seed) % 2)
			ret = guest_read(&life->rig.vm.vcpus[1], life->rig.addr + offset, &word);
		else
			ret = try_read(life->rig.backing.addr + offset, &word);
		if (ret && ret != -EFAULT && ret != -SIGBUS)
			soak_wrong("reading memory: %s", strerror(-ret));
		if (ret)
			soak_count(SOAK_DENIED, 1);
		usleep(1000);
	}
	return NULL;
}

static void begin(struct life *life)
{
	int ret = rig_create(&life->rig, &life->options);

	if (ret)
		soak_wrong("there is no device: %s", strerror(-ret));
	soak_count(SOAK_VMMS, 1);
	if (life->options.nr_vcpus < 2)
		return;
	life->has_toucher = !pthread_create(&life->toucher, NULL, touch, life);
}

/* Somebody else has all that it had for a while. */
static void leave_a_child(void)
{
	if (fork())
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	usleep(soak_random(500000));
	_exit(0);
}

static void end(struct life *life)
{
	life->stop = true;
	if (life->has_toucher)
		pthread_join(life->toucher, NULL);
	if (soak_chance(20))
		leave_a_child();
	switch (soak_random(4)) {
	case 0:
		rig_destroy(&life->rig);
		break;
	case 1:
		vm_destroy(&life->rig.vm);
		rig_destroy(&life->rig);
		break;
	case 2:
		backing_destroy(&life->rig.backing);
		rig_destroy(&life->rig);
		break;
	}
	while (wait(NULL) > 0)
		;
}

int rig_live(void)
{
	static struct life life;

	life.options = kinds[soak_random(sizeof(kinds) / sizeof(kinds[0]))];
	/* Of hugetlb there are few pages, which a second vCPU would take for nothing. */
	life.options.nr_vcpus = life.options.backing == BACKING_HUGETLB ? 1 : 2;
	life.options.irqchip = life.options.nr_vcpus == 1;
	life.value = 1 + soak_random(1000000);
	begin(&life);
	while (!soak_ends())
		turn(&life);
	end(&life);
	return 0;
}

static int write_limit(const char *dir, uint64_t limit)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), "%s/memory.max", dir);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)limit);
	return write_file(path, text);
}

static uint64_t used_in(const char *dir)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), "%s/memory.current", dir);
	return read_file(path, text, sizeof(text)) > 0 ? strtoull(text, NULL, 10) : 0;
}

/*
 * With less memory than it wants: what it is not given, it is not given at all. The
 * limit leaves room for what the VM itself needs, once all of it was touched: at the
 * limit the kernel would kill the VMM, and say so at length.
 */
int rig_live_in_cgroup(void)
{
	static struct life life = {
		.options = {
			.backing = BACKING_PROTECTED,
			.nr_vcpus = 1,
			.block_size = 4 * MiB,
			.prealloc = true,
		},
		.value = 1,
	};
	char dir[64], path[96];
	int ret;

	snprintf(dir, sizeof(dir), SOAK_CGROUP "%d", getpid());
	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	if (mkdir(dir, 0755) || write_file(path, "0"))
		soak_wrong("%s: %s", dir, strerror(errno));
	begin(&life);
	plug(&life, 0, NR_BLOCKS);
	ret = vmem_unplug_sync(life.rig.dev, 0, 0);
	if (ret != VIRTIO_MEM_RESP_ACK)
		soak_wrong("unplugging all: response %d", ret);
	memset(life.plugged, false, sizeof(life.plugged));
	if (write_limit(dir, used_in(dir) + NR_BLOCKS / 3 * life.rig.block + SPARE))
		soak_wrong("%s: there is no limit", dir);
	while (!soak_ends())
		turn(&life);
	write_limit(dir, GiB);
	end(&life);
	return 0;
}
