// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM in a memory cgroup: what of its device is charged to it, what happens at the
 * limit, and that nothing of it is left when it was killed there.
 */
#include "harness.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "access.h"
#include "cgroup.h"

#define PAGE 4096
#define BLOCK (2 * MiB)
#define LIMIT (64 * MiB)
#define LIMIT_BLOCKS (LIMIT / BLOCK)

/* The process is in the cgroup; what it opens at the limit may fail. */
FIXTURE(memcg) {
	struct rig rig;
	struct cgroup cgroup;
	char console[32];
};

FIXTURE_SETUP(memcg)
{
	/* Not all make one. */
	self->rig.dev = -1;
	self->rig.vm.fd = -1;
	self->rig.vm.kvm = -1;
	self->rig.backing.fd = -1;
	if (!has_memory_cgroups())
		SKIP(return, "no memory controller of cgroup 2");
	test_ok(cgroup_create(&self->cgroup, "kvm_vmem_test"));
	test_ok(cgroup_set_limit(&self->cgroup, LIMIT));
	console_silence(self->console, sizeof(self->console));
	test_ok(cgroup_enter(&self->cgroup));
}

FIXTURE_TEARDOWN(memcg)
{
	cgroup_set_limit(&self->cgroup, GiB);
	rig_destroy(&self->rig);
	cgroup_leave();
	EXPECT_EQ(0, cgroup_destroy(&self->cgroup));
	console_restore(self->console);
}

static int create(struct rig *rig, bool prealloc)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
		.region_size = TiB,
		.prealloc = prealloc,
	};

	return rig_create(rig, &options);
}

static uint64_t resident(const struct rig *rig)
{
	return device_value(rig->setup.out_id, "resident");
}

static uint64_t stat_value(const struct cgroup *cgroup, const char *name)
{
	return cgroup_value(cgroup, "memory.stat", name);
}

TEST_F(memcg, memory_that_a_guest_touches_is_the_vmms)
{
	struct rig *rig = &self->rig;

	test_ok(create(rig, false));
	test_ack(vmem_plug(rig->dev, rig->addr, 8));
	test_ok(guest_fill(&rig->vm.vcpus[0], rig->addr, 8, BLOCK, 1));
	test_becomes(16 * MiB, stat_value(&self->cgroup, "shmem"));
}

TEST_F(memcg, preallocated_memory_is_the_callers)
{
	struct rig *rig = &self->rig;

	test_ok(create(rig, true));
	test_ack(vmem_plug(rig->dev, rig->addr, 8));
	test_becomes(16 * MiB, stat_value(&self->cgroup, "shmem"));
	test_ack(vmem_unplug_sync(rig->dev, rig->addr, 6));
	test_becomes(4 * MiB, stat_value(&self->cgroup, "shmem"));
}

/* One that is in no cgroup but the root's. */
static bool plugs_and_logs(const struct rig *rig)
{
	return !cgroup_leave() && !vmem_plug(rig->dev, rig->addr, 8) &&
	       !vmem_plug(rig->dev, rig->addr + GiB - BLOCK, 2) &&
	       !vmem_action(rig->dev, KVM_VMEM_SET_DIRTY_LOG,
			    KVM_VMEM_DIRTY_LOG_ENABLE);
}

TEST_F(memcg, what_another_process_asks_for_is_the_vmms)
{
	struct rig *rig = &self->rig;
	uint64_t kernel;

	test_ok(create(rig, true));
	kernel = stat_value(&self->cgroup, "kernel");
	test_child(plugs_and_logs(rig));
	test_becomes(20 * MiB, stat_value(&self->cgroup, "shmem"));
	/* A bit for each page of two memslots, with KVM and in the module. */
	test_becomes(true, stat_value(&self->cgroup, "kernel") >=
			   kernel + 2 * 2 * GiB / PAGE / 8);
}

/* In a cgroup of its own: who touches a page first pays for it. */
static bool touches_elsewhere(const struct rig *rig,
			      const struct cgroup *cgroup, uint64_t size)
{
	uint64_t i;

	if (cgroup_enter(cgroup))
		return false;
	for (i = 0; i < size; i += PAGE)
		if (try_write(rig->backing.addr + i, 1))
			return false;
	return true;
}

TEST_F(memcg, of_a_back_end_pays_for_what_it_touches_first)
{
	struct rig *rig = &self->rig;
	struct cgroup other;
	int status;
	pid_t pid;

	test_ok(create(rig, false));
	test_ack(vmem_plug(rig->dev, rig->addr, LIMIT_BLOCKS));
	test_ok(cgroup_create(&other, "kvm_vmem_back_end"));
	test_ok(cgroup_set_limit(&other, LIMIT / 2));
	test_child(touches_elsewhere(rig, &other, LIMIT / 4));
	test_becomes(LIMIT / 4, stat_value(&other, "shmem"));
	ASSERT_EQ(0, stat_value(&self->cgroup, "shmem"));

	/* At the limit it is killed, and not the VMM. */
	pid = fork();
	if (!pid)
		_exit(touches_elsewhere(rig, &other, LIMIT));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	ASSERT_EQ(SIGKILL, WTERMSIG(status));
	ASSERT_EQ(1, cgroup_nr_oom_kills(&other));
	ASSERT_EQ(0, cgroup_nr_oom_kills(&self->cgroup));
	test_ack(vmem_unplug_sync(rig->dev, 0, 0));
	test_becomes(0, stat_value(&other, "shmem"));
	test_ok(cgroup_destroy(&other));
}

TEST_F(memcg, limit_makes_a_preallocating_plug_busy_and_leaves_nothing)
{
	uint64_t nb = LIMIT_BLOCKS, i;
	struct rig *rig = &self->rig;

	test_ok(create(rig, true));
	for (i = 0; i < 3; i++) {
		test_busy(vmem_plug(rig->dev, rig->addr, nb));
		ASSERT_EQ(0, resident(rig));
		test_plugged_size(rig->dev, 0);
		test_group(rig->dev, 0, 0);
	}
	ASSERT_EQ(0, cgroup_nr_oom_kills(&self->cgroup));

	test_ack(vmem_plug(rig->dev, rig->addr, nb / 2));
	ASSERT_EQ(nb / 2 * BLOCK, resident(rig));
	test_busy(vmem_plug(rig->dev, rig->addr + GiB, nb));
	ASSERT_EQ(nb / 2 * BLOCK, resident(rig));
	test_state(VIRTIO_MEM_STATE_PLUGGED, rig->dev, rig->addr, nb / 2);
	test_state(VIRTIO_MEM_STATE_UNPLUGGED, rig->dev, rig->addr + GiB, nb);
	ASSERT_EQ(0, cgroup_nr_oom_kills(&self->cgroup));

	test_ok(cgroup_set_limit(&self->cgroup, 4 * LIMIT));
	test_ack(vmem_plug(rig->dev, rig->addr + GiB, nb));
	ASSERT_EQ(3 * nb / 2 * BLOCK, resident(rig));
}

TEST_F(memcg, limit_refuses_a_preallocating_restore_and_leaves_nothing)
{
	static uint64_t plugged[TiB / BLOCK / 64];
	struct kvm_vmem_get_config config;
	struct kvm_vmem_set_bitmap set;
	struct rig *rig = &self->rig;

	test_ok(create(rig, true));
	memset(plugged, 0xff, LIMIT_BLOCKS / 8);
	test_ok(vmem_get_config(rig->dev, &config));
	fill_set_bitmap(&set, &config, plugged);
	test_err_unchanged(ENOMEM, rig->dev, vmem_set_bitmap(rig->dev, &set));
	ASSERT_EQ(0, resident(rig));
	ASSERT_EQ(0, cgroup_nr_oom_kills(&self->cgroup));
	test_ok(cgroup_set_limit(&self->cgroup, 2 * LIMIT));
	test_ok(vmem_set_bitmap(rig->dev, &set));
	ASSERT_EQ(LIMIT, resident(rig));
}

/*
 * What KVM and the module need for memslots and logs is memory of the process like
 * any other: who may be killed for it is killed, who may not is refused it.
 */
static int be_spared(void)
{
	return write_file("/proc/self/oom_score_adj", "-1000");
}

/* Hardly anything is left. */
static int tighten(const struct cgroup *cgroup)
{
	return cgroup_set_limit(cgroup, cgroup_charged(cgroup) + 16 * KiB);
}

TEST_F(memcg, limit_makes_a_plug_that_needs_memslots_busy)
{
	struct rig *rig = &self->rig;
	uint32_t active = 0, across = 8 * GiB / BLOCK;
	struct kvm_vmem_get_info info;
	int ret = 0;

	test_ok(be_spared());
	test_ok(create(rig, false));
	test_ok(tighten(&self->cgroup));
	/* Eight memslots each time, all or none. */
	while (!ret && active < TiB / GiB) {
		ret = vmem_plug(rig->dev, rig->addr + active * GiB, across);
		if (!ret)
			active += 8;
	}
	test_ok(cgroup_set_limit(&self->cgroup, LIMIT));
	test_busy(ret);
	test_group(rig->dev, active, 0);
	test_ok(vmem_get_info(rig->dev, &info));
	ASSERT_EQ(active * GiB, info.out_size);
	ASSERT_EQ(0, cgroup_nr_oom_kills(&self->cgroup));

	test_ack(vmem_plug(rig->dev, rig->addr + active * GiB, across));
	test_group(rig->dev, active + 8, 0);
}

TEST_F(memcg, limit_refuses_a_dirty_log_and_leaves_none)
{
	uint64_t bitmap[PAGE / 64];
	struct rig *rig = &self->rig;

	test_ok(be_spared());
	test_ok(create(rig, false));
	test_ack(vmem_plug(rig->dev, rig->addr, 32 * GiB / BLOCK));
	test_ok(tighten(&self->cgroup));
	test_err_unchanged(ENOMEM, rig->dev,
			   vmem_action(rig->dev, KVM_VMEM_SET_DIRTY_LOG,
				       KVM_VMEM_DIRTY_LOG_ENABLE));
	test_err(ENOENT, vmem_get_dirty_log(rig->dev, 0, PAGE, bitmap));
	ASSERT_EQ(0, cgroup_nr_oom_kills(&self->cgroup));

	test_ok(cgroup_set_limit(&self->cgroup, LIMIT));
	test_ok(vmem_action(rig->dev, KVM_VMEM_SET_DIRTY_LOG,
			    KVM_VMEM_DIRTY_LOG_ENABLE));
	test_ok(guest_write(&rig->vm.vcpus[0], rig->addr, 1));
	ASSERT_EQ(1, vmem_get_dirty_log(rig->dev, 0, PAGE, bitmap));
}

TEST_F(memcg, limit_that_a_guest_hits_can_be_lifted)
{
	/* Every page: huge ones that are not to be had are done without. */
	uint64_t nb = 2 * LIMIT_BLOCKS, nr_pages = 2 * LIMIT / PAGE;
	struct rig *rig = &self->rig;
	struct vcpu *vcpu;
	int ret;

	/* Nobody is to be killed: the fault fails. */
	test_ok(be_spared());
	test_ok(create(rig, false));
	vcpu = &rig->vm.vcpus[0];
	test_ack(vmem_plug(rig->dev, rig->addr, nb));
	ret = guest_fill(vcpu, rig->addr, nr_pages, PAGE, 1);
	test_ok(cgroup_set_limit(&self->cgroup, 8 * LIMIT));
	ASSERT_TRUE(ret == -EFAULT || ret == -ENOMEM)
		TH_LOG("ret %d", ret);
	ASSERT_GT(LIMIT, resident(rig));
	/* That was no violation. */
	ASSERT_EQ(0, device_value(rig->setup.out_id, "violations"));
	ASSERT_EQ(0, cgroup_nr_oom_kills(&self->cgroup));

	test_ok(guest_fill(vcpu, rig->addr, nr_pages, PAGE, 7));
	ASSERT_EQ(0, guest_verify(vcpu, rig->addr, nr_pages, PAGE, 7));
	ASSERT_EQ(2 * LIMIT, resident(rig));
}

/*
 * The process is not in the cgroup: a VMM is, and another process that has nothing to do
 * with it. Nothing of the VMM stays charged, or the cgroup would not be gone.
 */
FIXTURE(memcg_of_others) {
	struct cgroup cgroup;
	char console[32];
	pid_t bystander;
};

static pid_t start_in(const struct cgroup *cgroup)
{
	pid_t pid = fork();

	if (!pid && cgroup_enter(cgroup))
		_exit(1);
	return pid;
}

FIXTURE_SETUP(memcg_of_others)
{
	if (!has_memory_cgroups())
		SKIP(return, "no memory controller of cgroup 2");
	/* What others have left is no matter. */
	test_becomes(0, nr_dying_cgroups());
	test_ok(cgroup_create(&self->cgroup, "kvm_vmem_test"));
	test_ok(cgroup_set_limit(&self->cgroup, LIMIT));
	console_silence(self->console, sizeof(self->console));
	self->bystander = start_in(&self->cgroup);
	while (!self->bystander)
		pause();
}

FIXTURE_TEARDOWN(memcg_of_others)
{
	EXPECT_EQ(0, waitpid(self->bystander, NULL, WNOHANG));
	kill(self->bystander, SIGKILL);
	waitpid(self->bystander, NULL, 0);
	EXPECT_EQ(0, cgroup_destroy(&self->cgroup));
	console_restore(self->console);
	EXPECT_TRUE(becomes(!nr_dying_cgroups(), 60 * SLOWNESS));
}

/* Returns only if it is not killed. */
static int touch_all(bool guest)
{
	struct rig rig;
	uint64_t i;

	if (create(&rig, false) ||
	    vmem_plug(rig.dev, rig.addr, 2 * LIMIT_BLOCKS))
		return 1;
	if (guest)
		guest_fill(&rig.vm.vcpus[0], rig.addr, 2 * LIMIT / PAGE, PAGE,
			   1);
	for (i = 0; !guest && i < 2 * LIMIT; i += PAGE)
		try_write(rig.backing.addr + i, 1);
	return 1;
}

#define test_is_killed(guest) do { \
	pid_t pid_ = start_in(&self->cgroup); \
	int status_; \
\
	if (!pid_) \
		_exit(touch_all(guest)); \
	ASSERT_EQ(pid_, waitpid(pid_, &status_, 0)); \
	ASSERT_TRUE(WIFSIGNALED(status_)); \
	ASSERT_EQ(SIGKILL, WTERMSIG(status_)); \
	ASSERT_EQ(1, cgroup_nr_oom_kills(&self->cgroup)); \
	test_becomes(0, count_devices()); \
	test_becomes(0, stat_value(&self->cgroup, "shmem")); \
	/* The other process has its part of it. */ \
	test_at_most(MiB, cgroup_charged(&self->cgroup)); \
} while (0)

TEST_F(memcg_of_others, kills_a_vmm_at_its_limit_and_nothing_is_left)
{
	test_is_killed(false);
}

TEST_F(memcg_of_others, kills_a_vmm_whose_guest_hits_it_and_nothing_is_left)
{
	test_is_killed(true);
}

/* Memory, memslots, a dirty log: what is charged goes with the VMM. */
static int use_much(void)
{
	struct rig rig;

	if (create(&rig, true) || vmem_plug(rig.dev, rig.addr, 8) ||
	    vmem_plug(rig.dev, rig.addr + GiB - BLOCK, 2) ||
	    vmem_action(rig.dev, KVM_VMEM_SET_DIRTY_LOG,
			KVM_VMEM_DIRTY_LOG_ENABLE) ||
	    guest_fill(&rig.vm.vcpus[0], rig.addr, 8, BLOCK, 1))
		return 1;
	return vmem_unplug(rig.dev, rig.addr, 4) || kill(getpid(), SIGKILL);
}

TEST_F(memcg_of_others, of_a_vmm_that_was_killed_is_empty)
{
	pid_t pid = start_in(&self->cgroup);
	int status;

	if (!pid)
		_exit(use_much());
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	test_becomes(0, count_devices());
	test_becomes(0, stat_value(&self->cgroup, "shmem"));
	test_at_most(MiB, cgroup_charged(&self->cgroup));
}

TEST_HARNESS_MAIN
