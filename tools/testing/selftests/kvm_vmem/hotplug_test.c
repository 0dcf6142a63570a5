// SPDX-License-Identifier: GPL-2.0
/*
 * A CPU of the host's comes and goes while memory is preallocated by several, and a guest
 * runs.
 *
 * KVM_VMEM_SECONDS in the environment: for how long (5).
 */
#include "harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "access.h"
#include "ending.h"

#define CPU "/sys/devices/system/cpu/cpu1/online"
#define PAGE 4096
/* More than one worker takes at a time. */
#define NR_BLOCKS 48

FIXTURE(hotplug) {
	struct rig rig;
	pthread_t thread;
	atomic_bool stop;
	atomic_uint nr_changes;
	atomic_int error;
};

#define hotplug_data FIXTURE_DATA(hotplug)

FIXTURE_SETUP(hotplug)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
		.block_size = MiB,
		.prealloc = true,
	};

	self->rig.dev = -1;
	self->rig.vm.fd = -1;
	self->rig.vm.kvm = -1;
	self->rig.backing.fd = -1;
	if (access(CPU, W_OK))
		SKIP(return, "there is no second CPU");
	test_ok(rig_create(&self->rig, &options));
	test_ok(vmem_plug(self->rig.dev, self->rig.addr + GiB, 1));
}

FIXTURE_TEARDOWN(hotplug)
{
	write_file(CPU, "1");
	rig_destroy(&self->rig);
}

static void *change_cpus(void *arg)
{
	hotplug_data *self = arg;
	bool online = false;
	int ret;

	while (!atomic_load(&self->stop)) {
		ret = write_file(CPU, online ? "1" : "0");
		if (ret)
			atomic_store(&self->error, ret);
		online = !online;
		atomic_fetch_add(&self->nr_changes, 1);
	}
	return NULL;
}

TEST_F_TIMEOUT(hotplug, of_cpus_does_no_harm_to_preallocation, 600 * SLOWNESS)
{
	int64_t end = now_us() + environment("KVM_VMEM_SECONDS", 5) * 1000000LL;
	struct rig *rig = &self->rig;
	unsigned int nr = 0;

	ASSERT_EQ(0, pthread_create(&self->thread, NULL, change_cpus, self));
	/* As long as it takes for the CPU to come back twice. */
	while (now_us() < end || atomic_load(&self->nr_changes) < 4) {
		test_ack(vmem_plug(rig->dev, rig->addr, NR_BLOCKS));
		ASSERT_EQ((NR_BLOCKS + 1) * MiB,
			  device_value(rig->setup.out_id, "resident"));
		test_ok(guest_fill(&rig->vm.vcpus[0], rig->addr + GiB,
				   MiB / PAGE, PAGE, nr));
		test_ack(vmem_unplug_sync(rig->dev, rig->addr, NR_BLOCKS));
		nr++;
	}
	atomic_store(&self->stop, true);
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	test_ok(atomic_load(&self->error));
	ASSERT_EQ(0, guest_verify(&rig->vm.vcpus[0], rig->addr + GiB,
				  MiB / PAGE, PAGE, nr - 1));
	TH_LOG("%u plugs, %u changes", nr, atomic_load(&self->nr_changes));
}

TEST_HARNESS_MAIN
