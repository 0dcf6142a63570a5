// SPDX-License-Identifier: GPL-2.0
/*
 * Retirement: memslots without plugged blocks stay with KVM until it is quiet,
 * and go together. The device has 2 GiB at 4 GiB, blocks of 2 MiB, memslots of
 * 128 MiB; unless a test says so, nothing retires by itself.
 */
#include "harness.h"

#include <sys/eventfd.h>
#include <sys/mman.h>

#include "access.h"
#include "trace.h"

#define BLOCK (2 * MiB)
#define PAGE 4096
#define MEMSLOT (128 * MiB)
#define REGION (2 * GiB)
#define NR_MEMSLOTS 12
#define NEVER "3600000"

FIXTURE(retire) {
	struct rig rig;
	uint32_t id;
	int dev;
	uint64_t addr;
	int listener;
};

FIXTURE_SETUP(retire)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
		.region_size = REGION,
		.memslot_size = MEMSLOT,
	};

	test_ok(rig_create(&self->rig, &options));
	self->id = self->rig.setup.out_id;
	self->dev = self->rig.dev;
	self->addr = self->rig.addr;
	test_ok(sysfs_write(self->id, "retire_delay_ms", NEVER));
	self->listener = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, self->listener);
	test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_MEMSLOTS,
				 self->listener));
	test_ok(trace_start());
}

FIXTURE_TEARDOWN(retire)
{
	trace_stop();
	close(self->listener);
	rig_destroy(&self->rig);
}

static uint64_t nr_idle(int dev)
{
	struct kvm_vmem_get_info info;

	return vmem_get_info(dev, &info) ? ~0ULL : info.out_nb_idle;
}

static uint64_t nr_kvm_calls(int dev)
{
	struct kvm_vmem_get_info info;

	return vmem_get_info(dev, &info) ? ~0ULL : info.out_nb_kvm_calls;
}

static uint64_t nr_events(int listener)
{
	uint64_t value;

	return read(listener, &value, 8) == 8 ? value : 0;
}

/* As KVM says, and as the device says. */
#define test_kvm_calls(nr, calls) do { \
	long before_ = trace_count(); \
	uint64_t counted_ = nr_kvm_calls(self->dev); \
\
	ASSERT_LE(0, before_); \
	calls; \
	ASSERT_EQ(before_ + (nr), trace_count()); \
	ASSERT_EQ(counted_ + (nr), nr_kvm_calls(self->dev)); \
} while (0)

#define test_plug_memslots(nr) do { \
	uint64_t m_; \
\
	for (m_ = 0; m_ < (nr); m_++) \
		test_ack(vmem_plug(self->dev, self->addr + m_ * MEMSLOT, 1)); \
	nr_events(self->listener); \
} while (0)

#define test_unplug_memslots(nr) do { \
	uint64_t m_; \
\
	for (m_ = 0; m_ < (nr); m_++) \
		test_ack(vmem_unplug(self->dev, self->addr + m_ * MEMSLOT, \
				     1)); \
} while (0)

TEST_F(retire, the_last_unplug_leaves_the_memslot_idle)
{
	struct kvm_vmem_memslot_info memslots[2];

	test_plug_memslots(2);
	test_kvm_calls(0, test_ack(vmem_unplug(self->dev, self->addr, 1)));
	test_group(self->dev, 1, 1);
	ASSERT_EQ(0, nr_events(self->listener));
	ASSERT_EQ(1, device_value(self->id, "memslots_active"));
	ASSERT_EQ(1, device_value(self->id, "memslots_idle"));

	ASSERT_EQ(2, vmem_get_memslots(self->dev, memslots, 2));
	ASSERT_EQ(KVM_VMEM_MEMSLOT_IDLE, memslots[0].state);
	ASSERT_EQ(0, memslots[0].plugged_size);
	ASSERT_EQ(self->addr, memslots[0].guest_phys_addr);
	ASSERT_EQ(MEMSLOT, memslots[0].memory_size);
	ASSERT_EQ(KVM_VMEM_MEMSLOT_ACTIVE, memslots[1].state);
	ASSERT_EQ(BLOCK, memslots[1].plugged_size);
	/* KVM has it indeed: the guest's access is one to memory. */
	test_err(EFAULT, guest_write(&self->rig.vm.vcpus[0], self->addr, 1));
}

TEST_F(retire, an_idle_memslot_is_plugged_again_without_a_kvm_call)
{
	uint64_t value;

	test_plug_memslots(1);
	test_ok(guest_write(&self->rig.vm.vcpus[0], self->addr, 1));
	test_kvm_calls(0,
		       test_unplug_memslots(1);
		       test_ack(vmem_plug(self->dev, self->addr + 3 * BLOCK,
					  2)));
	test_group(self->dev, 1, 0);
	ASSERT_EQ(0, nr_events(self->listener));
	test_ok(guest_read(&self->rig.vm.vcpus[0], self->addr + 3 * BLOCK,
			   &value));
	ASSERT_EQ(0, value);
}

/* KVM takes the second of the three memslots and not the third. */
TEST_F(retire, a_plug_that_is_refused_leaves_idle_memslots_and_tells_nobody)
{
	test_plug_memslots(1);
	test_unplug_memslots(1);
	test_ok(vm_set_memslot(self->rig.vm.fd, 1, self->addr + 2 * MEMSLOT,
			       PAGE, self->rig.backing.addr));
	test_kvm_calls(3, test_busy(vmem_plug(self->dev, self->addr,
					      3 * MEMSLOT / BLOCK)));
	test_group(self->dev, 0, 1);
	ASSERT_EQ(0, nr_events(self->listener));
	test_kvm_calls(0, test_ack(vmem_plug(self->dev, self->addr, 1)));
}

TEST_F(retire, idle_memslots_go_together_when_it_is_quiet)
{
	test_plug_memslots(NR_MEMSLOTS + 1);
	test_kvm_calls(0, test_unplug_memslots(NR_MEMSLOTS));
	test_group(self->dev, 1, NR_MEMSLOTS);
	test_kvm_calls(NR_MEMSLOTS,
		       test_ok(sysfs_write(self->id, "retire_delay_ms", "50"));
		       test_becomes(0, nr_idle(self->dev)));
	test_group(self->dev, 1, 0);
	/* One event for all. */
	ASSERT_EQ(1, nr_events(self->listener));
	ASSERT_EQ(0, device_value(self->id, "memslots_idle"));
}

TEST_F(retire, needs_no_further_request)
{
	test_ok(sysfs_write(self->id, "retire_delay_ms", "200"));
	test_plug_memslots(3);
	test_unplug_memslots(3);
	test_becomes(0, nr_idle(self->dev));
	test_group(self->dev, 0, 0);
	ASSERT_LE(1, nr_events(self->listener));
}

TEST_F(retire, activity_postpones_it)
{
	int64_t delay = 1500, start, begun;
	unsigned int nr_quiet = 0;

	test_ok(sysfs_write(self->id, "retire_delay_ms", "1500"));
	test_plug_memslots(2);
	test_ack(vmem_unplug(self->dev, self->addr, 1));
	for (start = now_ms(); now_ms() < start + 2 * delay; nr_quiet++) {
		begun = now_ms();
		usleep(100000);
		/* On the other memslot. */
		test_ack(vmem_plug(self->dev, self->addr + MEMSLOT + BLOCK,
				   1));
		test_ack(vmem_unplug(self->dev, self->addr + MEMSLOT + BLOCK,
				     1));
		/* A busy host may have slept for longer than the delay. */
		if (now_ms() >= begun + delay)
			SKIP(return, "the host is too slow");
		test_group(self->dev, 1, 1);
	}
	ASSERT_LE(2, nr_quiet);
	test_becomes(0, nr_idle(self->dev));
	test_group(self->dev, 1, 0);
}

/* Each retirement in between would cost it its mappings once more. */
TEST_F(retire, waits_for_a_guest_that_shrinks_slowly)
{
	test_ok(sysfs_write(self->id, "retire_delay_ms", "200"));
	test_plug_memslots(3);
	test_ok(vmem_set_requested_size(self->dev, BLOCK));
	test_kvm_calls(0,
		       test_unplug_memslots(1);
		       usleep(1000000));
	test_group(self->dev, 2, 1);
	test_kvm_calls(2,
		       test_ack(vmem_unplug(self->dev, self->addr + MEMSLOT, 1));
		       test_becomes(0, nr_idle(self->dev)));
	test_group(self->dev, 1, 0);
	ASSERT_EQ(1, nr_events(self->listener));
}

TEST_F(retire, does_not_wait_for_ever_for_a_guest_that_cannot_shrink)
{
	test_ok(sysfs_write(self->id, "retire_delay_ms", "20"));
	test_plug_memslots(2);
	test_ok(vmem_set_requested_size(self->dev, 0));
	test_unplug_memslots(1);
	test_becomes(0, nr_idle(self->dev));
	test_group(self->dev, 1, 0);
}

TEST_F(retire, does_not_wait_for_a_guest_that_need_not_shrink_after_all)
{
	test_plug_memslots(2);
	test_ok(vmem_set_requested_size(self->dev, 0));
	test_unplug_memslots(1);
	/* Or a minute. */
	test_ok(sysfs_write(self->id, "retire_delay_ms", "1000"));
	test_ok(vmem_set_requested_size(self->dev, BLOCK));
	test_becomes(0, nr_idle(self->dev));
	test_group(self->dev, 1, 0);
}

TEST_F(retire, a_postponed_retirement_spares_what_was_plugged_again)
{
	test_plug_memslots(2);
	test_unplug_memslots(2);
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_kvm_calls(1, test_ok(sysfs_write(self->id, "retire", "1")));
	test_group(self->dev, 1, 0);
	test_ok(guest_write(&self->rig.vm.vcpus[0], self->addr, 1));
}

TEST_F(retire, comes_on_demand)
{
	test_plug_memslots(4);
	test_unplug_memslots(3);
	test_kvm_calls(0, test_ok(sysfs_write(self->id, "retire", "0")));
	test_group(self->dev, 1, 3);
	test_err(EINVAL, sysfs_write(self->id, "retire", "x"));
	test_err(EINVAL, sysfs_write(self->id, "retire", "2"));
	test_err(EINVAL, sysfs_write(self->id, "retire", "10"));
	test_err(EINVAL, sysfs_write(self->id, "retire", "1x"));
	test_group(self->dev, 1, 3);
	test_kvm_calls(3, test_ok(sysfs_write(self->id, "retire", "1\n")));
	test_group(self->dev, 1, 0);
	ASSERT_EQ(1, nr_events(self->listener));
	/* And with nothing to do. */
	test_kvm_calls(0, test_ok(sysfs_write(self->id, "retire", "1")));
	ASSERT_EQ(0, nr_events(self->listener));
}

TEST_F(retire, on_demand_is_nothing_before_attach)
{
	const struct rig_options options = { .backing = BACKING_PROTECTED };
	struct rig rig;

	test_ok(rig_prepare(&rig, &options));
	test_ok(sysfs_write(rig.setup.out_id, "retire", "1"));
	test_ok(sysfs_write(rig.setup.out_id, "retire_delay_ms", "1"));
	test_ok(rig_attach(&rig));
	test_group(rig.dev, 0, 0);
	rig_destroy(&rig);
}

TEST_F(retire, is_at_once_when_all_is_unplugged)
{
	test_plug_memslots(4);
	test_unplug_memslots(2);
	test_kvm_calls(4, test_ack(vmem_unplug_all(self->dev)));
	test_group(self->dev, 0, 0);
	ASSERT_EQ(1, nr_events(self->listener));
	/* Also if nothing is plugged any more. */
	test_plug_memslots(2);
	test_unplug_memslots(2);
	test_kvm_calls(2, test_ack(vmem_unplug_all(self->dev)));
	test_group(self->dev, 0, 0);
}

TEST_F(retire, is_at_once_at_reset)
{
	test_plug_memslots(4);
	test_unplug_memslots(2);
	test_kvm_calls(4, test_ok(vmem_action(self->dev, KVM_VMEM_RESET, 0)));
	test_group(self->dev, 0, 0);
	ASSERT_EQ(1, nr_events(self->listener));
}

TEST_F(retire, is_at_once_at_close)
{
	struct rig *rig = &self->rig;
	long before;

	test_plug_memslots(4);
	test_unplug_memslots(2);
	before = trace_count();
	ASSERT_EQ(-EEXIST, vm_set_memslot(rig->vm.fd, 1, self->addr, REGION,
					  rig->backing.addr));
	close(self->dev);
	rig->dev = -1;
	ASSERT_EQ(before + 1 + 4, trace_count());
	/* KVM lets others have the addresses. */
	test_ok(vm_set_memslot(rig->vm.fd, 1, self->addr, REGION,
			       rig->backing.addr));
}

TEST_F(retire, user_backing_does_not_wait)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.region_size = REGION,
		.memslot_size = MEMSLOT,
		.addr = 16 * GiB,
	};
	struct rig rig;
	long before;

	test_ok(rig_create(&rig, &options));
	test_ok(sysfs_write(rig.setup.out_id, "retire_delay_ms", NEVER));
	test_ack(vmem_plug(rig.dev, rig.addr, 1));
	before = trace_count();
	test_ack(vmem_unplug(rig.dev, rig.addr, 1));
	test_group(rig.dev, 0, 0);
	ASSERT_EQ(before + 1, trace_count());
	rig_destroy(&rig);
}

TEST_F(retire, the_delay_is_a_number_of_milliseconds)
{
	static const struct {
		const char *text;
		int error;
	} bad[] = {
		{ "x", EINVAL }, { "-1", EINVAL }, { "1s", EINVAL },
		{ "\n", EINVAL }, { "1 2", EINVAL }, { "0x", EINVAL },
		{ "4294967296", ERANGE },
	};
	unsigned int i;

	test_ok(sysfs_write(self->id, "retire_delay_ms", "1234\n"));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		test_err(bad[i].error, sysfs_write(self->id, "retire_delay_ms",
						   bad[i].text));
		ASSERT_EQ(1234, device_value(self->id, "retire_delay_ms"));
	}
	test_ok(sysfs_write(self->id, "retire_delay_ms", "4294967295"));
	ASSERT_EQ(4294967295, device_value(self->id, "retire_delay_ms"));
	/* That is a long time, and not a negative one. */
	test_plug_memslots(1);
	test_unplug_memslots(1);
	usleep(100000);
	test_group(self->dev, 0, 1);
	test_ok(sysfs_write(self->id, "retire_delay_ms", "0"));
	test_becomes(0, nr_idle(self->dev));
}

TEST_F(retire, new_devices_begin_with_the_parameter)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.addr = 16 * GiB,
	};
	char saved[32], value[2][32];
	struct rig rig;

	ASSERT_LT(0, parameter_read("retire_delay_ms", saved, sizeof(saved)));
	test_ok(parameter_write("retire_delay_ms", "4321"));
	test_ok(rig_create(&rig, &options));
	parameter_write("retire_delay_ms", saved);
	ASSERT_LT(0, sysfs_read(rig.setup.out_id, "retire_delay_ms", value[0],
				sizeof(value[0])));
	ASSERT_LT(0, sysfs_read(self->id, "retire_delay_ms", value[1],
				sizeof(value[1])));
	ASSERT_STREQ("4321", value[0]);
	ASSERT_STREQ(NEVER, value[1]);
	rig_destroy(&rig);
	test_ok(rig_create(&rig, &options));
	ASSERT_LT(0, sysfs_read(rig.setup.out_id, "retire_delay_ms", value[0],
				sizeof(value[0])));
	ASSERT_STREQ(saved, value[0]);
	rig_destroy(&rig);
}

/*
 * What the guest lives in: ordinary memory in pages of 4 KiB, where KVM had to
 * fix a fault for every page, and has to again after each time it zaps all.
 */
#define WORKING_SET_SLOT 1
#define WORKING_SET_ADDR GiB
#define WORKING_SET_PAGES 2048
/* The guest's page tables, code and command. */
#define SLACK 64

static char *add_working_set(struct vm *vm)
{
	char *memory = mmap(NULL, WORKING_SET_PAGES * PAGE,
			    PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	madvise(memory, WORKING_SET_PAGES * PAGE, MADV_NOHUGEPAGE);
	if (vm_set_memslot(vm->fd, WORKING_SET_SLOT, WORKING_SET_ADDR,
			   WORKING_SET_PAGES * PAGE, memory))
		return NULL;
	return memory;
}

/* How many faults it costs the guest to go through its working set. */
static long refaults(struct vcpu *vcpu)
{
	uint64_t before, after;

	if (kvm_stat(vcpu->fd, "pf_fixed", &before) ||
	    guest_verify(vcpu, WORKING_SET_ADDR, WORKING_SET_PAGES, PAGE, 1) ||
	    kvm_stat(vcpu->fd, "pf_fixed", &after))
		return -EIO;
	return after - before;
}

#define test_working_set(vm, vcpu, memory) do { \
	(memory) = add_working_set(vm); \
	ASSERT_NE(NULL, memory); \
	ASSERT_EQ(0, guest_fill(vcpu, WORKING_SET_ADDR, WORKING_SET_PAGES, \
				PAGE, 1)); \
	ASSERT_EQ(0, refaults(vcpu)); \
} while (0)

TEST_F(retire, shrinking_costs_the_guest_its_working_set_once)
{
	struct vcpu *vcpu = &self->rig.vm.vcpus[0];
	char *memory;
	uint64_t m;
	long faults;

	test_plug_memslots(NR_MEMSLOTS);
	for (m = 0; m < NR_MEMSLOTS; m++)
		test_ok(guest_write(vcpu, self->addr + m * MEMSLOT, m));
	test_working_set(&self->rig.vm, vcpu, memory);

	for (m = 0; m < NR_MEMSLOTS; m++) {
		test_ack(vmem_unplug(self->dev, self->addr + m * MEMSLOT, 1));
		ASSERT_EQ(0, refaults(vcpu));
	}
	test_group(self->dev, 0, NR_MEMSLOTS);
	test_ok(sysfs_write(self->id, "retire", "1"));
	test_group(self->dev, 0, 0);
	faults = refaults(vcpu);
	ASSERT_LE(0, faults);
	ASSERT_GE(WORKING_SET_PAGES + SLACK, faults);
	ASSERT_EQ(0, refaults(vcpu));
	munmap(memory, WORKING_SET_PAGES * PAGE);
}

/* What the one above saves. It also shows that refaults() can tell. */
TEST(shrinking_user_backing_costs_the_guest_its_working_set_each_time)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.nr_vcpus = 1,
		.region_size = REGION,
		.memslot_size = MEMSLOT,
	};
	struct vcpu *vcpu;
	struct rig rig;
	char *memory;
	uint64_t m;

	test_ok(rig_create(&rig, &options));
	vcpu = &rig.vm.vcpus[0];
	for (m = 0; m < 2; m++)
		test_ack(vmem_plug(rig.dev, rig.addr + m * MEMSLOT, 1));
	test_working_set(&rig.vm, vcpu, memory);
	for (m = 0; m < 2; m++) {
		test_ack(vmem_unplug(rig.dev, rig.addr + m * MEMSLOT, 1));
		ASSERT_LE(WORKING_SET_PAGES, refaults(vcpu));
	}
	rig_destroy(&rig);
	munmap(memory, WORKING_SET_PAGES * PAGE);
}

TEST_HARNESS_MAIN
