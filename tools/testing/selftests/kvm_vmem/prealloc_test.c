// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is there when the guest is told that it may use it, or is not to
 * be had: preallocation, and both kinds of VM at the limit of a memory cgroup.
 */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "access.h"

#define PAGE 4096

FIXTURE(prealloc) {
	struct rig rig;
	uint32_t id;
	int dev;
	char *memory;
	uint64_t addr;
	uint64_t block;
};

FIXTURE_VARIANT(prealloc) {
	uint64_t block_size;
};

/* With huge pages, and without. */
FIXTURE_VARIANT_ADD(prealloc, blocks_of_2_mib) {
	2 * MiB
};

FIXTURE_VARIANT_ADD(prealloc, blocks_of_1_mib) {
	MiB
};

FIXTURE_SETUP(prealloc)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
		.block_size = variant->block_size,
		.prealloc = true,
	};

	test_ok(rig_create(&self->rig, &options));
	self->id = self->rig.setup.out_id;
	self->dev = self->rig.dev;
	self->memory = self->rig.backing.addr;
	self->addr = self->rig.addr;
	self->block = self->rig.block;
}

FIXTURE_TEARDOWN(prealloc)
{
	rig_destroy(&self->rig);
}

static uint64_t resident(uint32_t id)
{
	return device_value(id, "resident");
}

TEST_F(prealloc, plugged_blocks_have_their_memory)
{
	uint64_t block = self->block;

	ASSERT_EQ(0, resident(self->id));
	test_ack(vmem_plug(self->dev, self->addr + block, 1));
	ASSERT_EQ(block, resident(self->id));
	/* Across memslots, and more than what a worker takes at a time. */
	test_ack(vmem_plug(self->dev, self->addr + GiB - 20 * block, 40));
	ASSERT_EQ(41 * block, resident(self->id));
	ASSERT_EQ(block, cached_bytes(self->memory + block, block));
	ASSERT_EQ(40 * block, cached_bytes(self->memory + GiB - 20 * block,
					   40 * block));
	ASSERT_EQ(-SIGBUS, try_touch(self->memory));
	test_ack(vmem_unplug_sync(self->dev, self->addr + block, 1));
	ASSERT_EQ(40 * block, resident(self->id));
}

TEST_F(prealloc, blocks_that_kvm_refuses_are_given_no_memory)
{
	uint64_t block = self->block, in_the_way = self->addr + GiB + 512 * MiB;
	struct vm *vm = &self->rig.vm;

	test_ok(vm_set_memslot(vm->fd, 1000, in_the_way, PAGE, vm->ram));
	test_busy(vmem_plug(self->dev, self->addr + GiB - block, 2));
	ASSERT_EQ(0, resident(self->id));
	test_group(self->dev, 0, 0);
	test_ok(vm_set_memslot(vm->fd, 1000, in_the_way, 0, vm->ram));
	test_ack(vmem_plug(self->dev, self->addr + GiB - block, 2));
	ASSERT_EQ(2 * block, resident(self->id));
}

TEST_F(prealloc, plugged_blocks_are_zero)
{
	uint64_t block = self->block, nb = 4, n, i;
	const uint64_t *words = (const uint64_t *)self->memory;

	for (n = 0; n < 4; n++) {
		test_ack(vmem_plug(self->dev, self->addr, nb));
		ASSERT_EQ(nb * block, resident(self->id));
		for (i = 0; i < nb * block / 8; i++)
			if (words[i])
				break;
		ASSERT_EQ(nb * block / 8, i);
		memset(self->memory, 0xff, nb * block);
		test_ack(vmem_unplug(self->dev, self->addr, nb));
	}
}

TEST_F(prealloc, a_refused_plug_allocates_nothing)
{
	test_ack(vmem_plug(self->dev, self->addr + self->block, 1));
	test_error(vmem_plug(self->dev, self->addr, 2));
	test_ok(vmem_set_requested_size(self->dev, 2 * self->block));
	test_nack(vmem_plug(self->dev, self->addr + 2 * self->block, 2));
	ASSERT_EQ(self->block, resident(self->id));
}

/*
 * A VMM that wants more than there is time for. Another process may ask for it, which is
 * to die instead.
 */
static int die_preallocating(int sock, uint64_t size, bool other)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.block_size = MiB,
		.prealloc = true,
	};
	pid_t pid = getpid();
	struct rig rig;

	if (rig_create(&rig, &options))
		return 1;
	if (other)
		pid = fork();
	if (pid && (write(sock, &rig.setup.out_id, 4) != 4 ||
		    write(sock, &pid, 4) != 4))
		return 1;
	if (pid && other)
		return waitpid(pid, NULL, 0) != pid ||
		       device_value(rig.setup.out_id, "resident");
	return vmem_plug(rig.dev, rig.addr, size / MiB) ? 1 : 0;
}

TEST(a_fatal_signal_ends_preallocation)
{
	uint64_t size = 2 * GiB, seen = 0, now, shmem = host_shmem();
	int socks[2], status;
	uint32_t id;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(die_preallocating(socks[1], size, false));
	close(socks[1]);
	ASSERT_EQ(4, read(socks[0], &id, 4));
	while (resident(id) < 16 * MiB)
		usleep(1000);
	kill(pid, SIGKILL);
	for (;;) {
		now = resident(id);
		/* ~0: the device is gone. */
		if (now == ~0ULL)
			break;
		seen = now > seen ? now : seen;
	}
	ASSERT_GT(size, seen);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	test_becomes(0, count_devices());
	test_at_most(shmem + 8 * MiB, host_shmem());
	close(socks[0]);
}

/* It works in a kernel thread, which is sent no signal. */
TEST(a_fatal_signal_ends_preallocation_for_another_process)
{
	uint64_t size = 4 * GiB;
	int socks[2], status;
	uint32_t id;
	pid_t vmm, pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	vmm = fork();
	ASSERT_LE(0, vmm);
	if (!vmm)
		_exit(die_preallocating(socks[1], size, true));
	close(socks[1]);
	ASSERT_EQ(4, read(socks[0], &id, 4));
	ASSERT_EQ(4, read(socks[0], &pid, 4));
	while (resident(id) < 16 * MiB)
		usleep(1000);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	/* Nothing is left to the VMM when the other process is gone. */
	ASSERT_EQ(vmm, waitpid(vmm, &status, 0));
	ASSERT_EQ(0, status);
	test_becomes(0, count_devices());
	close(socks[0]);
}

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP CGROUP_ROOT "/kvm_vmem_test"
#define LIMIT (64 * MiB)

/*
 * The process is in the cgroup: what it opens at the limit may fail. So the
 * file that lifts the limit is open already.
 */
FIXTURE(limit) {
	struct rig rig;
	int max;
	char printk[32];
};

/* A number after its name in one of the cgroup's files; ~0 if it is not there. */
static uint64_t cgroup_value(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	unsigned long long value;
	uint64_t found = ~0ULL;
	char key[64];

	if (!file)
		return found;
	while (fscanf(file, "%63s %llu", key, &value) == 2)
		if (!strcmp(key, name))
			found = value;
	fclose(file);
	return found;
}

static uint64_t nr_oom_kills(void)
{
	return cgroup_value(CGROUP "/memory.events", "oom_kill");
}

static int set_limit(int max, uint64_t limit)
{
	char buf[32];
	int len = snprintf(buf, sizeof(buf), "%llu", (unsigned long long)limit);

	return pwrite(max, buf, len, 0) == len ? 0 : -errno;
}

/*
 * The kernel tells of a cgroup out of memory with a stack trace, which is what
 * is looked for on the console. Here it is no news.
 */
static void hush(char *saved, size_t size)
{
	if (read_file("/proc/sys/kernel/printk", saved, size) > 0)
		write_file("/proc/sys/kernel/printk", "1");
}

FIXTURE_SETUP(limit)
{
	/* Not all make one. */
	self->rig.dev = -1;
	self->rig.vm.fd = -1;
	self->rig.backing.fd = -1;
	if (access(CGROUP_ROOT "/memory.stat", R_OK))
		SKIP(return, "no memory controller of cgroup 2");
	rmdir(CGROUP);
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	self->max = open(CGROUP "/memory.max", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, self->max);
	test_ok(set_limit(self->max, LIMIT));
	test_ok(write_file(CGROUP "/cgroup.procs", "0"));
	hush(self->printk, sizeof(self->printk));
}

FIXTURE_TEARDOWN(limit)
{
	set_limit(self->max, GiB);
	rig_destroy(&self->rig);
	write_file(CGROUP_ROOT "/cgroup.procs", "0");
	close(self->max);
	rmdir(CGROUP);
	write_file("/proc/sys/kernel/printk", self->printk);
}

static int create(struct rig *rig, bool prealloc)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
		.prealloc = prealloc,
	};

	return rig_create(rig, &options);
}

TEST_F(limit, a_plug_beyond_it_is_busy_and_leaves_nothing)
{
	uint64_t block = 2 * MiB, nb = LIMIT / block, i;
	struct rig *rig = &self->rig;
	uint32_t id;

	test_ok(create(rig, true));
	id = rig->setup.out_id;
	for (i = 0; i < 3; i++) {
		test_busy(vmem_plug(rig->dev, rig->addr, nb));
		ASSERT_EQ(0, resident(id));
		test_plugged_size(rig->dev, 0);
		test_group(rig->dev, 0, 0);
	}
	ASSERT_EQ(0, nr_oom_kills());

	test_ack(vmem_plug(rig->dev, rig->addr, nb / 2));
	ASSERT_EQ(nb / 2 * block, resident(id));
	test_busy(vmem_plug(rig->dev, rig->addr + GiB, nb));
	ASSERT_EQ(nb / 2 * block, resident(id));
	test_state(VIRTIO_MEM_STATE_PLUGGED, rig->dev, rig->addr, nb / 2);
	test_state(VIRTIO_MEM_STATE_UNPLUGGED, rig->dev, rig->addr + GiB, nb);
	ASSERT_EQ(0, nr_oom_kills());

	test_ok(set_limit(self->max, 4 * LIMIT));
	test_ack(vmem_plug(rig->dev, rig->addr + GiB, nb));
	ASSERT_EQ(3 * nb / 2 * block, resident(id));
}

TEST_F(limit, preallocated_memory_is_the_callers)
{
	struct rig *rig = &self->rig;

	test_ok(create(rig, true));
	test_ack(vmem_plug(rig->dev, rig->addr, 8));
	test_becomes(16 * MiB, cgroup_value(CGROUP "/memory.stat", "shmem"));
	test_ack(vmem_unplug_sync(rig->dev, rig->addr, 6));
	test_becomes(4 * MiB, cgroup_value(CGROUP "/memory.stat", "shmem"));
}

TEST_F(limit, memory_that_a_guest_touches_is_the_vmms)
{
	struct rig *rig = &self->rig;

	test_ok(create(rig, false));
	test_ack(vmem_plug(rig->dev, rig->addr, 8));
	test_ok(guest_fill(&rig->vm.vcpus[0], rig->addr, 8, 2 * MiB, 1));
	test_becomes(16 * MiB, cgroup_value(CGROUP "/memory.stat", "shmem"));
}

TEST_F(limit, a_guest_that_hits_it_can_go_on_when_it_is_lifted)
{
	/* Every page: huge ones that are not to be had are done without. */
	uint64_t nb = 2 * LIMIT / (2 * MiB), nr_pages = 2 * LIMIT / PAGE;
	struct rig *rig = &self->rig;
	struct vcpu *vcpu;
	int ret;

	/* Nobody is to be killed: the fault fails. */
	test_ok(create(rig, false));
	vcpu = &rig->vm.vcpus[0];
	test_ok(write_file("/proc/self/oom_score_adj", "-1000"));
	test_ack(vmem_plug(rig->dev, rig->addr, nb));
	ret = guest_fill(vcpu, rig->addr, nr_pages, PAGE, 1);
	ASSERT_EQ(0, set_limit(self->max, 8 * LIMIT));
	ASSERT_TRUE(ret == -EFAULT || ret == -ENOMEM)
		TH_LOG("ret %d", ret);
	ASSERT_GT(LIMIT, resident(rig->setup.out_id));
	/* That was no violation. */
	ASSERT_EQ(0, device_value(rig->setup.out_id, "violations"));
	ASSERT_EQ(0, nr_oom_kills());

	test_ok(guest_fill(vcpu, rig->addr, nr_pages, PAGE, 7));
	ASSERT_EQ(0, guest_verify(vcpu, rig->addr, nr_pages, PAGE, 7));
	ASSERT_EQ(2 * LIMIT, resident(rig->setup.out_id));
}

/* The child is the larger process of the two in the cgroup. */
static int touch_all(uint64_t nb)
{
	struct rig rig;
	uint64_t i;

	if (write_file("/proc/self/oom_score_adj", "1000") ||
	    create(&rig, false) || vmem_plug(rig.dev, rig.addr, nb))
		return 1;
	for (i = 0; i < nb * 2 * MiB; i += PAGE)
		if (try_write(rig.backing.addr + i, 1))
			return 1;
	return 0;
}

TEST_F(limit, a_vmm_that_is_killed_at_it_leaves_nothing)
{
	int status;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(touch_all(2 * LIMIT / (2 * MiB)));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	ASSERT_EQ(SIGKILL, WTERMSIG(status));
	ASSERT_EQ(1, nr_oom_kills());
	test_becomes(0, count_devices());
	test_becomes(0, cgroup_value(CGROUP "/memory.stat", "shmem"));
}

TEST_HARNESS_MAIN
