// SPDX-License-Identifier: GPL-2.0
/*
 * A host that goes to sleep with VMs on it: nothing of the module runs while processes
 * are frozen, nothing keeps them from being frozen, and all goes on afterwards.
 *
 * Real suspend to RAM where a clock can wake the host; else as far as the kernel's own
 * test of it goes (/sys/power/pm_test).
 */
#include "harness.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "access.h"
#include "counts.h"
#include "doomed.h"
#include "ending.h"

#define POWER "/sys/power"
#define DELAY "/sys/module/suspend/parameters/pm_test_delay"
#define ALARM "/sys/class/rtc/rtc0/wakealarm"
#define TRACEFS "/sys/kernel/tracing"
#define DISCARD_WQ "/sys/devices/virtual/workqueue/kvm_vmem_discard"

#define PAGE 4096

/*
 * Seconds. Processes are frozen within the first; retirement is due in the second; the
 * host stays frozen for longer.
 */
#define RETIRE_DELAY (2 * SLOWNESS)
#define NAP (4 * SLOWNESS)

/* The host has gone to sleep by then, or it would not hear the alarm. */
#define ALARM_DELAY "+8"

/*
 * Until the kernel gives up freezing processes: what is freeing memory ends first, and may
 * take long on a busy machine.
 */
#define PATIENCE_MS (120000 * SLOWNESS)

static int write_number(const char *path, unsigned int number)
{
	char buf[16];

	snprintf(buf, sizeof(buf), "%u", number);
	return write_file(path, buf);
}

/* Sleep as deep as @level of pm_test, for some seconds. */
static int nap(const char *level, unsigned int seconds)
{
	int ret = write_number(DELAY, seconds);

	if (!ret)
		ret = write_file(POWER "/pm_test", level);
	if (!ret)
		ret = write_file(POWER "/state", "mem");
	write_file(POWER "/pm_test", "none");
	return ret;
}

static int sleep_deeply(void)
{
	int ret;

	if (access(ALARM, W_OK))
		return nap("core", 1);
	write_file(ALARM, "0");
	ret = write_file(ALARM, ALARM_DELAY);
	return ret ? ret : write_file(POWER "/state", "mem");
}

FIXTURE(suspend) {
	struct rig rig;
	char patience[16];
	char *trace;
};

#define TRACE_SIZE (256 * KiB)

FIXTURE_SETUP(suspend)
{
	ASSERT_EQ(0, access(POWER "/pm_test", W_OK));
	ASSERT_LT(0, read_file(POWER "/pm_freeze_timeout", self->patience,
			       sizeof(self->patience)));
	test_ok(write_number(POWER "/pm_freeze_timeout", PATIENCE_MS));
	self->trace = malloc(TRACE_SIZE);
	ASSERT_NE(NULL, self->trace);
	self->rig.dev = -1;
	self->rig.vm.fd = -1;
	self->rig.vm.kvm = -1;
	self->rig.backing.fd = -1;
}

FIXTURE_TEARDOWN(suspend)
{
	write_file(POWER "/pm_freeze_timeout", self->patience);
	write_file(TRACEFS "/events/enable", "0");
	write_file(DISCARD_WQ "/max_active", "256");
	free(self->trace);
	rig_destroy(&self->rig);
}

static int start_tracing(void)
{
	if (write_file(TRACEFS "/trace", "\n") ||
	    write_file(TRACEFS "/events/power/suspend_resume/enable", "1"))
		return -EIO;
	return write_file(TRACEFS "/events/kvm_vmem/enable", "1");
}

static char *read_trace(char *trace)
{
	FILE *file = fopen(TRACEFS "/trace", "re");
	size_t len = 0;

	if (file) {
		len = fread(trace, 1, TRACE_SIZE - 1, file);
		fclose(file);
	}
	trace[len] = 0;
	return trace;
}

/* Lines from @from to @until that have @text. */
static unsigned int nr_lines(const char *from, const char *until,
			     const char *text)
{
	unsigned int nr = 0;

	while ((from = strstr(from, text)) && (!until || from < until)) {
		nr++;
		from += strlen(text);
	}
	return nr;
}

#define LARGE (512 * MiB)

/* Much memory in small pages; a byte that is to stay; and one worker to free it. */
static int use_memory(struct rig *rig)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
		.block_size = MiB,
	};
	struct vcpu *vcpu = &rig->vm.vcpus[0];
	int ret = rig_create(rig, &options);

	if (!ret)
		ret = write_file(DISCARD_WQ "/max_active", "1");
	if (!ret)
		ret = vmem_plug(rig->dev, rig->addr, LARGE / MiB);
	if (!ret)
		ret = vmem_plug(rig->dev, rig->addr + GiB, 1);
	if (!ret)
		ret = guest_fill(vcpu, rig->addr, LARGE / PAGE, PAGE, 1);
	if (!ret)
		ret = guest_write(vcpu, rig->addr + GiB, 7);
	return ret ? ret : vmem_set_requested_size(rig->dev, MiB);
}

/* What frees the first part keeps the worker from the rest for a while. */
static int unplug_memory(struct rig *rig)
{
	const uint64_t first = LARGE - 8 * MiB;
	int ret = vmem_unplug(rig->dev, rig->addr, first / MiB);

	if (!ret)
		ret = vmem_unplug(rig->dev, rig->addr + first, 4);
	if (!ret)
		ret = vmem_unplug(rig->dev, rig->addr + first + 4 * MiB, 4);
	return ret;
}

#define test_is_done(rig) do { \
	uint32_t id_ = (rig)->setup.out_id; \
\
	test_becomes(0, device_value(id_, "memslots_idle")); \
	test_becomes(0, device_value(id_, "discard_pending")); \
	ASSERT_EQ(PAGE, device_value(id_, "resident")); \
} while (0)

TEST_F_TIMEOUT(suspend, leaves_the_work_for_later, 300 * SLOWNESS)
{
	const char *frozen, *thawed;
	struct rig *rig = &self->rig;
	char delay[16];

	test_ok(use_memory(rig));
	test_ok(start_tracing());
	snprintf(delay, sizeof(delay), "%d", RETIRE_DELAY * 1000);
	test_ok(sysfs_write(rig->setup.out_id, "retire_delay_ms", delay));
	test_ok(unplug_memory(rig));
	test_ok(nap("freezer", NAP));

	test_is_done(rig);
	read_trace(self->trace);
	frozen = strstr(self->trace, "freeze_processes[0] end");
	ASSERT_NE(NULL, frozen);
	thawed = strstr(frozen, "thaw_processes[0] begin");
	ASSERT_NE(NULL, thawed);
	/*
	 * Retirement is due meanwhile. What was to be freed may have been, as it may
	 * take the host long to have all processes frozen.
	 */
	ASSERT_EQ(0, nr_lines(frozen, thawed, ": kvm_vmem_"));
	ASSERT_EQ(1, nr_lines(thawed, NULL, ": kvm_vmem_memslot: vmem0 unmap"));
}

TEST_F_TIMEOUT(suspend, to_ram_loses_nothing, 300 * SLOWNESS)
{
	struct rig *rig = &self->rig;
	struct vcpu *vcpu;
	uint64_t value;

	test_ok(use_memory(rig));
	vcpu = &rig->vm.vcpus[0];
	test_ok(unplug_memory(rig));
	test_ok(sleep_deeply());

	test_ok(guest_read(vcpu, rig->addr + GiB, &value));
	ASSERT_EQ(7, value);
	test_is_done(rig);
	test_ok(vmem_set_requested_size(rig->dev, 2 * MiB));
	test_ack(vmem_plug(rig->dev, rig->addr, 1));
	test_ok(guest_read(vcpu, rig->addr, &value));
	ASSERT_EQ(0, value);
}

/*
 * A PLUG that takes long. Freezing does not wait until it is done: it is begun anew
 * afterwards, of which neither the VMM nor the guest hears.
 */
#define MUCH (2 * GiB)

static int plug_much(struct rig *rig)
{
	return vmem_plug(rig->dev, rig->addr, MUCH / MiB);
}

static int restore_much(struct rig *rig)
{
	static uint64_t bitmap[4 * GiB / MiB / 64];
	struct kvm_vmem_get_config config;
	struct kvm_vmem_set_bitmap set;
	int ret = vmem_get_config(rig->dev, &config);

	memset(bitmap, 0xff, MUCH / MiB / 8);
	fill_set_bitmap(&set, &config, bitmap);
	return ret ? ret : vmem_set_bitmap(rig->dev, &set);
}

/* As the VMM, or as a process that it sent the device to. */
static pid_t start_much(struct rig *rig, int (*much)(struct rig *), bool other,
			int sock)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.block_size = MiB,
		.prealloc = true,
	};
	pid_t pid = fork();
	int status;

	if (pid)
		return pid;
	if (rig_create(rig, &options) ||
	    write(sock, &rig->setup.out_id, 4) != 4)
		_exit(1);
	if (other) {
		pid = fork();
		if (pid)
			_exit(waitpid(pid, &status, 0) != pid || status);
	}
	_exit(much(rig) || device_value(rig->setup.out_id, "resident") != MUCH);
}

/* It is in the middle of it. */
static uint64_t wait_for_much(uint32_t id)
{
	uint64_t resident;

	while ((resident = device_value(id, "resident")) < MUCH / 8)
		usleep(1000);
	return resident;
}

#define test_is_begun_anew(much, other) do { \
	int socks_[2], status_; \
	uint64_t before_; \
	uint32_t id_; \
	pid_t pid_; \
\
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks_)); \
	pid_ = start_much(&self->rig, much, other, socks_[1]); \
	ASSERT_LT(0, pid_); \
	close(socks_[1]); \
	ASSERT_EQ(4, read(socks_[0], &id_, 4)); \
	close(socks_[0]); \
	before_ = wait_for_much(id_); \
	test_ok(nap("freezer", 1)); \
	ASSERT_GT(before_, device_value(id_, "resident")); \
	ASSERT_EQ(pid_, waitpid(pid_, &status_, 0)); \
	ASSERT_EQ(0, status_); \
	test_becomes(0, count_devices()); \
} while (0)

TEST_F_TIMEOUT(suspend, has_preallocation_begin_anew, 300 * SLOWNESS)
{
	test_is_begun_anew(plug_much, false);
}

TEST_F_TIMEOUT(suspend, has_preallocation_for_another_process_begin_anew,
	       300 * SLOWNESS)
{
	test_is_begun_anew(plug_much, true);
}

TEST_F_TIMEOUT(suspend, has_a_restore_begin_anew, 300 * SLOWNESS)
{
	test_is_begun_anew(restore_much, false);
}

TEST_F_TIMEOUT(suspend, lets_who_waits_in_read_wait_on, 300 * SLOWNESS)
{
	const struct rig_options options = { .backing = BACKING_PROTECTED };
	struct rig *rig = &self->rig;
	struct pollfd none = {};
	uint64_t nb;
	int status;
	pid_t pid;

	test_ok(rig_create(rig, &options));
	pid = fork();
	if (!pid)
		_exit(read(rig->dev, &nb, sizeof(nb)) != sizeof(nb));
	poll(&none, 0, 100);
	test_ok(nap("freezer", 1));
	ASSERT_EQ(0, waitpid(pid, &status, WNOHANG));
	test_ack(vmem_plug(rig->dev, rig->addr, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

/* A guest, requests, a migration and another process, in the middle of everything. */
TEST_F_TIMEOUT(suspend, of_a_busy_vmm_is_no_end, 600 * SLOWNESS)
{
	struct doomed *doomed = mmap(NULL, sizeof(*doomed),
				     PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int i, done;
	struct counts before;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, doomed);
	doomed->seed = time(NULL);
	doomed->want_devices = DOOMED_MAX_DEVICES;
	doomed->accomplice = ACCOMPLICE_ASKS;
	TH_LOG("seed %u", doomed->seed);
	test_ok(adopt_orphans());
	test_ok(counts_open());
	/* The first time makes what is allocated once: files in /dev, for example. */
	test_ok(sleep_deeply());
	test_ok(counts_read(&before, false));

	pid = fork();
	if (!pid)
		_exit(-doomed_live(doomed));
	test_becomes(true, atomic_load(&doomed->lives));
	for (i = 0; i < 4; i++) {
		usleep(300000);
		done = atomic_load(&doomed->nr_guest);
		test_ok(i % 2 ? sleep_deeply() : nap("freezer", 1));
		test_becomes(true, atomic_load(&doomed->nr_guest) > done);
	}
	ASSERT_EQ(0, kill(pid, SIGKILL));
	test_becomes(true, all_dead());
	ASSERT_EQ(0, counts_grown(&before, false, 0));
	counts_close();
}

TEST_HARNESS_MAIN
