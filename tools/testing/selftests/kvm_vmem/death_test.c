// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM that is killed at any moment leaves nothing: no device, no memory, no file, no
 * reference to an address space; and the module can be removed. That is tried all the
 * time.
 *
 * In the environment:
 * KVM_VMEM_KILLS: how many (50; on a debug kernel 30)
 * KVM_VMEM_SEED: where all begins that happens by chance (the time; it is printed)
 */
#include "harness.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "access.h"
#include "cgroup.h"
#include "counts.h"
#include "doomed.h"
#include "ending.h"

#define DEFAULT_KILLS (SLOWNESS > 1 ? 30 : 50)

/* Each kind of moment comes several times. */
#define ENOUGH_KILLS 100

/* All slab caches take a while to count. */
#define KILLS_PER_CENSUS 50

#define KILLS_PER_REMOVAL 5

/*
 * What others allocate meanwhile, as the kernel itself for the tracepoints of a module that
 * is loaded again; less than one object for each kill.
 */
#define SLACK(nr_kills) (45 + (nr_kills) * 9 / 10)

/**
 * enum moment - when to kill
 * @MOMENT_ANY: Whenever
 * @MOMENT_SETUP: While it sets up its devices
 * @MOMENT_DISCARD: Unplugged memory is still to be freed
 * @MOMENT_RETIREMENT: Memslots are about to retire
 * @MOMENT_PREALLOCATION: A PLUG with preallocation runs
 * @MOMENT_LOG: Dirty pages are logged, and fetched
 * @MOMENT_FROZEN: A device is frozen
 * @NR_MOMENTS: How many there are
 */
enum moment {
	MOMENT_ANY,
	MOMENT_SETUP,
	MOMENT_DISCARD,
	MOMENT_RETIREMENT,
	MOMENT_PREALLOCATION,
	MOMENT_LOG,
	MOMENT_FROZEN,
	NR_MOMENTS
};

static const char *const moment_names[] = {
	"whenever", "in setup", "discard pending", "retirement due",
	"in preallocation", "dirty log", "frozen",
};

FIXTURE(death) {
	struct doomed *doomed;
	struct counts before;
	unsigned int seed;
	/* An open device that keeps the module, or -1. */
	int keeper;
	bool is_removed;
	unsigned int nr_hits[NR_MOMENTS];
	unsigned int nr_refusals;
	unsigned int nr_removals;
	/* The first call that should have worked, and what it returned. */
	const char *wrong_call;
	int wrong;
};

#define death_data FIXTURE_DATA(death)

static void note(death_data *self, const char *call, int ret)
{
	if (self->wrong || !ret)
		return;
	self->wrong = ret;
	self->wrong_call = call;
}

#define expect_ok(self, call) note(self, #call, call)

FIXTURE_SETUP(death)
{
	self->keeper = -1;
	if (!has_memory_cgroups())
		SKIP(return, "no memory controller of cgroup 2");
	test_ok(adopt_orphans());
	self->doomed = mmap(NULL, sizeof(*self->doomed), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->doomed);
	self->seed = environment("KVM_VMEM_SEED", time(NULL));
	TH_LOG("KVM_VMEM_SEED=%u", self->seed);
	test_ok(counts_open());
	self->keeper = vmem_open();
	ASSERT_LE(0, self->keeper);
}

FIXTURE_TEARDOWN(death)
{
	close(self->keeper);
	counts_close();
	munmap(self->doomed, sizeof(*self->doomed));
	if (self->is_removed)
		module_load();
}

/* While a device is there it has to be refused. */
static void try_removal(death_data *self)
{
	int ret;

	if (self->is_removed)
		return;
	ret = module_remove();
	if (!ret)
		self->is_removed = true;
	if (!ret && self->keeper >= 0)
		note(self, "module_remove() of a module in use", -EEXIST);
	if (ret != -EAGAIN)
		note(self, "module_remove()", ret);
	self->nr_refusals += !!ret;
	usleep(200);
}

static void wait_us(death_data *self, unsigned int us)
{
	int64_t end = now_us() + us;

	do
		try_removal(self);
	while (now_us() < end);
}

static bool any_value(struct doomed *doomed, const char *name)
{
	unsigned int i, nr = atomic_load(&doomed->nr_devices);
	uint64_t value;

	for (i = 0; i < nr; i++) {
		value = device_value(doomed->ids[i], name);
		if (value && value != ~0ULL)
			return true;
	}
	return false;
}

static bool has_come(struct doomed *doomed, enum moment moment)
{
	switch (moment) {
	case MOMENT_SETUP:
		return !atomic_load(&doomed->lives);
	case MOMENT_DISCARD:
		return any_value(doomed, "discard_pending");
	case MOMENT_RETIREMENT:
		return any_value(doomed, "memslots_idle");
	case MOMENT_PREALLOCATION:
		return atomic_load(&doomed->preallocating);
	case MOMENT_LOG:
		return atomic_load(&doomed->logging);
	case MOMENT_FROZEN:
		return atomic_load(&doomed->frozen);
	default:
		return true;
	}
}

static void wait_for(death_data *self, enum moment moment, unsigned int *seed)
{
	struct doomed *doomed = self->doomed;
	int64_t end = now_us() + 3000000 * SLOWNESS;

	if (moment == MOMENT_SETUP) {
		wait_us(self, pick(seed, 30000 * SLOWNESS));
		return;
	}
	while (!atomic_load(&doomed->lives) && now_us() < end)
		try_removal(self);
	wait_us(self, pick(seed, 40000 * SLOWNESS));
	while (!has_come(doomed, moment) && now_us() < end)
		try_removal(self);
}

/* The accomplice dies before the VMM, with it, after it, or when it likes. */
static void kill_both(death_data *self, pid_t vmm, unsigned int *seed)
{
	pid_t accomplice = atomic_load(&self->doomed->accomplice_pid);
	unsigned int when = accomplice > 0 ? pick(seed, 4) : 3;

	if (when == 0) {
		kill(accomplice, SIGKILL);
		wait_us(self, pick(seed, 3000));
	}
	kill(vmm, SIGKILL);
	if (when == 1)
		wait_us(self, pick(seed, 3000));
	if (when == 1 || when == 2)
		kill(accomplice, SIGKILL);
	while (!all_dead())
		try_removal(self);
}

/* Nothing holds it any more but what is still to be closed. */
static void remove_for_good(death_data *self)
{
	if (!self->is_removed)
		expect_ok(self, module_remove_soon());
	self->nr_removals++;
	expect_ok(self, module_load());
	self->is_removed = false;
	self->keeper = vmem_open();
}

static void kill_one(death_data *self, unsigned int nr)
{
	unsigned int seed = self->seed + nr;
	enum moment moment = nr % NR_MOMENTS;
	struct doomed *doomed = self->doomed;
	struct cgroup cgroup;
	bool removal;
	pid_t vmm;

	memset(doomed, 0, sizeof(*doomed));
	doomed->seed = rand_r(&seed);
	doomed->want_devices = 2 + pick(&seed, DOOMED_MAX_DEVICES - 1);
	doomed->accomplice = pick(&seed, NR_ACCOMPLICES);

	/* Every page that it uses is charged to a cgroup that goes with it. */
	expect_ok(self, cgroup_create(&cgroup, "kvm_vmem_death"));
	vmm = fork();
	if (!vmm) {
		close(self->keeper);
		_exit(-cgroup_enter(&cgroup) ?: -doomed_live(doomed));
	}
	wait_for(self, moment, &seed);
	self->nr_hits[moment] += has_come(doomed, moment);

	/* Once in a while only the VMM's devices keep the module. */
	removal = nr % KILLS_PER_REMOVAL == 0 && atomic_load(&doomed->lives);
	if (removal) {
		close(self->keeper);
		self->keeper = -1;
	}
	kill_both(self, vmm, &seed);
	expect_ok(self, cgroup_destroy(&cgroup));
	if (removal)
		remove_for_good(self);
}

TEST_F_TIMEOUT(death, of_a_vmm_at_any_moment_leaves_nothing, 7200 * SLOWNESS)
{
	unsigned int nr, nr_kills = environment("KVM_VMEM_KILLS", DEFAULT_KILLS);
	unsigned int moment;
	bool all;

	/* What is allocated once is no leak. */
	for (nr = 0; nr < NR_MOMENTS; nr++)
		kill_one(self, nr);
	memset(self->nr_hits, 0, sizeof(self->nr_hits));
	test_ok(counts_read(&self->before, true));

	for (nr = 0; nr < nr_kills; nr++) {
		kill_one(self, nr);
		all = (nr + 1) % KILLS_PER_CENSUS == 0 || nr + 1 == nr_kills;
		ASSERT_EQ(0, counts_grown(&self->before, all, SLACK(nr)))
			TH_LOG("kill %u, %s", nr, moment_names[nr % NR_MOMENTS]);
		ASSERT_EQ(0, self->wrong)
			TH_LOG("kill %u, %s: %s", nr, moment_names[nr % NR_MOMENTS],
			       self->wrong_call);
		if (all)
			TH_LOG("%u of %u kills", nr + 1, nr_kills);
	}
	TH_LOG("%u removals of the module refused, %u not", self->nr_refusals,
	       self->nr_removals);
	for (moment = 0; moment < NR_MOMENTS; moment++) {
		TH_LOG("%s: %u", moment_names[moment], self->nr_hits[moment]);
		if (nr_kills >= ENOUGH_KILLS)
			ASSERT_LT(0, self->nr_hits[moment]);
	}
}

TEST_HARNESS_MAIN
