// SPDX-License-Identifier: GPL-2.0
/*
 * The memslot group follows the plugged memory, and KVM is called for nothing
 * else. What KVM is called for is counted in KVM, too.
 */
#include "harness.h"
#include "trace.h"

#define BLOCK (2 * MiB)
#define NR_IDS 32764

FIXTURE(memslots) {
	struct rig rig;
	int dev;
	uint64_t addr;
	struct kvm_vmem_memslot_info list[16];
};

FIXTURE_SETUP(memslots)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.region_size = 3 * GiB + 6 * MiB,
	};

	test_ok(rig_create(&self->rig, &options));
	self->dev = self->rig.dev;
	self->addr = self->rig.addr;
}

FIXTURE_TEARDOWN(memslots)
{
	trace_stop();
	rig_destroy(&self->rig);
}

TEST_F(memslots, come_with_their_first_and_go_with_their_last_block)
{
	test_group(self->dev, 0, 0);
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_group(self->dev, 1, 0);
	test_ack(vmem_plug(self->dev, self->addr + BLOCK, 511));
	test_group(self->dev, 1, 0);
	test_ack(vmem_plug(self->dev, self->addr + 2 * GiB, 515));
	test_group(self->dev, 3, 0);
	test_ack(vmem_unplug(self->dev, self->addr, 511));
	test_group(self->dev, 3, 0);
	test_ack(vmem_unplug(self->dev, self->addr + 511 * BLOCK, 1));
	test_group(self->dev, 2, 0);
	test_ack(vmem_unplug_all(self->dev));
	test_group(self->dev, 0, 0);
}

TEST_F(memslots, are_listed_by_address)
{
	struct kvm_vmem_memslot_info *list = self->list;
	uintptr_t hva = (uintptr_t)self->rig.backing.addr;

	/* The last, smaller one first. */
	test_ack(vmem_plug(self->dev, self->addr + 3 * GiB, 2));
	test_ack(vmem_plug(self->dev, self->addr + GiB, 512));
	test_ack(vmem_plug(self->dev, self->addr + BLOCK, 3));
	ASSERT_EQ(3, vmem_get_memslots(self->dev, list, 16));

	ASSERT_EQ(NR_IDS - 4, list[0].id);
	ASSERT_EQ(0, list[0].address_space);
	ASSERT_EQ(self->addr, list[0].guest_phys_addr);
	ASSERT_EQ(GiB, list[0].memory_size);
	ASSERT_EQ(hva, list[0].userspace_addr);
	ASSERT_EQ(3 * BLOCK, list[0].plugged_size);
	ASSERT_EQ(KVM_VMEM_MEMSLOT_ACTIVE, list[0].state);
	ASSERT_EQ(0, list[0].__reserved);

	ASSERT_EQ(NR_IDS - 3, list[1].id);
	ASSERT_EQ(self->addr + GiB, list[1].guest_phys_addr);
	ASSERT_EQ(hva + GiB, list[1].userspace_addr);
	ASSERT_EQ(GiB, list[1].plugged_size);

	ASSERT_EQ(NR_IDS - 1, list[2].id);
	ASSERT_EQ(self->addr + 3 * GiB, list[2].guest_phys_addr);
	ASSERT_EQ(hva + 3 * GiB, list[2].userspace_addr);
	ASSERT_EQ(6 * MiB, list[2].memory_size);
	ASSERT_EQ(2 * BLOCK, list[2].plugged_size);
}

TEST_F(memslots, that_do_not_fit_into_the_list_are_EMSGSIZE)
{
	struct kvm_vmem_get_memslots arg = {
		.size = sizeof(arg),
		.nb_memslots = 2,
		.memslots = (uintptr_t)self->list,
	};

	test_ack(vmem_plug(self->dev, self->addr, 1536));
	memset(self->list, 0x55, sizeof(self->list));
	test_err(EMSGSIZE, vmem_ioctl(self->dev, KVM_VMEM_GET_MEMSLOTS, &arg));
	ASSERT_EQ(3, arg.out_nb_memslots);
	ASSERT_EQ(0x55555555, self->list[0].id);

	arg.nb_memslots = 3;
	test_ok(vmem_ioctl(self->dev, KVM_VMEM_GET_MEMSLOTS, &arg));
	ASSERT_EQ(3, arg.out_nb_memslots);
	ASSERT_NE(0x55555555, self->list[2].id);
	ASSERT_EQ(0x55555555, self->list[3].id);
}

TEST_F(memslots, are_not_listed_at_a_bad_address)
{
	ASSERT_EQ(0, vmem_get_memslots(self->dev, NULL, 0));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_err_unchanged(EFAULT, self->dev,
			   vmem_get_memslots(self->dev, NULL, 16));
}

/* Whether the VM has a memslot there: another one does not fit. */
static int probe(struct rig *rig, unsigned int address_space, uint64_t gpa)
{
	uint32_t slot = address_space << 16 | 1;
	int ret = vm_set_memslot(rig->vm.fd, slot, gpa, 4096,
				 rig->backing.addr);

	if (!ret)
		vm_set_memslot(rig->vm.fd, slot, gpa, 0, rig->backing.addr);
	return ret;
}

TEST_F(memslots, are_those_that_kvm_has)
{
	test_ok(probe(&self->rig, 0, self->addr));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_err(EEXIST, probe(&self->rig, 0, self->addr));
	test_err(EEXIST, probe(&self->rig, 0, self->addr + GiB - 4096));
	test_ok(probe(&self->rig, 0, self->addr + GiB));
	/* Not asked for. */
	test_ok(probe(&self->rig, 1, self->addr));
	test_ack(vmem_unplug(self->dev, self->addr, 1));
	test_ok(probe(&self->rig, 0, self->addr));
}

TEST_F(memslots, are_in_all_address_spaces_that_were_asked_for)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.address_spaces = 3,
	};
	struct kvm_vmem_memslot_info *list = self->list;
	struct rig *rig = &self->rig;

	rig_destroy(rig);
	ASSERT_EQ(0, rig_create(rig, &options));
	test_ack(vmem_plug(rig->dev, self->addr, 513));
	test_group(rig->dev, 2, 0);
	ASSERT_EQ(4, vmem_get_memslots(rig->dev, list, 16));
	ASSERT_EQ(0, list[0].address_space);
	ASSERT_EQ(1, list[1].address_space);
	ASSERT_EQ(list[0].id, list[1].id);
	ASSERT_EQ(list[0].guest_phys_addr, list[1].guest_phys_addr);
	ASSERT_EQ(self->addr + GiB, list[2].guest_phys_addr);
	ASSERT_EQ(1, list[3].address_space);
	test_err(EEXIST, probe(rig, 0, self->addr + GiB));
	test_err(EEXIST, probe(rig, 1, self->addr + GiB));

	test_ack(vmem_unplug(rig->dev, self->addr + GiB, 1));
	ASSERT_EQ(2, vmem_get_memslots(rig->dev, list, 16));
	test_ok(probe(rig, 0, self->addr + GiB));
	test_ok(probe(rig, 1, self->addr + GiB));
}

TEST_F(memslots, in_the_way_in_one_address_space_stop_the_plug_in_both)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.address_spaces = 3,
	};
	struct rig *rig = &self->rig;
	uint32_t slot = 1 << 16 | 1;

	rig_destroy(rig);
	ASSERT_EQ(0, rig_create(rig, &options));
	ASSERT_EQ(0, vm_set_memslot(rig->vm.fd, slot, self->addr + GiB, 4096,
				    rig->backing.addr));
	test_busy(vmem_plug(rig->dev, self->addr, 1024));
	ASSERT_EQ(0, vmem_get_memslots(rig->dev, NULL, 0));
	test_ok(probe(rig, 0, self->addr));
	test_ok(probe(rig, 1, self->addr));
	test_ok(probe(rig, 0, self->addr + GiB));
	test_group(rig->dev, 0, 0);
}

TEST_F(memslots, are_what_the_probe_of_these_tests_sees)
{
	test_ok(trace_start());
	ASSERT_EQ(0, trace_count());
	test_ok(probe(&self->rig, 0, self->addr));
	ASSERT_EQ(2, trace_count());
}

TEST_F(memslots, cost_no_call_of_kvm_while_they_stay_active)
{
	struct kvm_vmem_get_info before, after;
	unsigned int i;

	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_ok(vmem_get_info(self->dev, &before));
	test_ok(trace_start());
	for (i = 0; i < 20; i++) {
		test_ack(vmem_plug(self->dev, self->addr + BLOCK, 1 + i));
		test_ack(vmem_unplug(self->dev, self->addr + BLOCK, 1 + i));
	}
	ASSERT_EQ(0, trace_count());
	test_ok(vmem_get_info(self->dev, &after));
	ASSERT_EQ(before.out_nb_kvm_calls, after.out_nb_kvm_calls);
}

TEST_F(memslots, cost_one_call_of_kvm_each_to_come_and_to_go)
{
	test_ok(trace_start());
	test_ack(vmem_plug(self->dev, self->addr, 1));
	ASSERT_EQ(1, trace_count());
	test_ack(vmem_plug(self->dev, self->addr + BLOCK, 1538));
	ASSERT_EQ(4, trace_count());
	test_ack(vmem_unplug(self->dev, self->addr + GiB, 512));
	ASSERT_EQ(5, trace_count());
	test_ack(vmem_unplug_all(self->dev));
	ASSERT_EQ(8, trace_count());
}

TEST_F(memslots, cost_as_many_calls_as_the_module_says)
{
	struct kvm_vmem_get_info before, after;
	unsigned int i;

	test_ok(vmem_get_info(self->dev, &before));
	test_ok(trace_start());
	for (i = 0; i < 40; i++)
		vmem_plug(self->dev, self->addr + i * 77 % 1539 * BLOCK, 3);
	for (i = 0; i < 40; i++)
		vmem_unplug(self->dev, self->addr + i * 154 % 1539 * BLOCK, 3);
	test_ok(vmem_get_info(self->dev, &after));
	ASSERT_EQ(trace_count(),
		  (long)(after.out_nb_kvm_calls - before.out_nb_kvm_calls));
	ASSERT_LT(before.out_nb_kvm_calls, after.out_nb_kvm_calls);
}

TEST_F(memslots, of_a_static_region_cost_no_call_of_kvm)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.is_static = true,
	};

	rig_destroy(&self->rig);
	test_ok(rig_create(&self->rig, &options));
	test_group(self->rig.dev, 0, 1);
	test_ok(trace_start());
	test_ack(vmem_plug(self->rig.dev, self->addr, 1024));
	test_group(self->rig.dev, 1, 0);
	test_ack(vmem_unplug_all(self->rig.dev));
	test_group(self->rig.dev, 0, 1);
	ASSERT_EQ(0, trace_count());
}

TEST_F(memslots, can_be_as_small_as_a_block)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.region_size = 128 * MiB,
		.memslot_size = BLOCK,
	};

	rig_destroy(&self->rig);
	test_ok(rig_create(&self->rig, &options));
	test_ack(vmem_plug(self->rig.dev, self->addr, 64));
	test_group(self->rig.dev, 64, 0);
	test_ack(vmem_unplug(self->rig.dev, self->addr + BLOCK, 3));
	test_group(self->rig.dev, 61, 0);
	test_ok(probe(&self->rig, 0, self->addr + 2 * BLOCK));
	test_err(EEXIST, probe(&self->rig, 0, self->addr + 4 * BLOCK));
}

/* The virtio request has 16 bits for the number. */
TEST_F(memslots, come_for_as_many_blocks_as_a_guest_can_ask_for)
{
	const struct rig_options options = { .region_size = TiB };

	rig_destroy(&self->rig);
	test_ok(rig_create(&self->rig, &options));
	test_ok(trace_start());
	test_ack(vmem_plug(self->rig.dev, self->addr + BLOCK, 65535));
	test_group(self->rig.dev, 128, 0);
	ASSERT_EQ(128, trace_count());
	test_plugged_size(self->rig.dev, 65535 * BLOCK);
	test_ack(vmem_unplug(self->rig.dev, self->addr + BLOCK, 65535));
	test_group(self->rig.dev, 0, 0);
	ASSERT_EQ(256, trace_count());
}

static long mem_free_kib(void)
{
	char buf[4096];
	char *line;

	if (read_file("/proc/meminfo", buf, sizeof(buf)) < 0)
		return -1;
	line = strstr(buf, "MemFree:");
	return line ? atol(line + strlen("MemFree:")) : -1;
}

struct cost {
	long calls;
	long kib;
};

/* Attach a region and plug one GiB. */
static int measure(uint64_t region_size, struct cost *cost)
{
	const struct rig_options options = { .region_size = region_size };
	struct rig rig;
	long before;
	int ret;

	ret = rig_prepare(&rig, &options);
	if (ret)
		return ret;
	before = mem_free_kib();
	ret = trace_start();
	if (!ret)
		ret = rig_attach(&rig);
	if (!ret)
		ret = vmem_plug(rig.dev, rig.addr, 512);
	cost->calls = trace_count();
	cost->kib = before - mem_free_kib();
	trace_stop();
	rig_destroy(&rig);
	return ret;
}

/*
 * A memslot over 1 TiB would take 512 MiB of memory of a kernel that does not
 * allocate lazily, and KVM's own bitmaps would be 32 MiB of any.
 */
TEST_F(memslots, cost_the_same_whatever_the_size_of_the_region)
{
	struct cost small, large;

	test_ok(measure(2 * GiB, &small));
	test_ok(measure(TiB, &large));
	ASSERT_LT(0, small.calls);
	ASSERT_EQ(small.calls, large.calls);
	ASSERT_LT(large.kib, 16 * 1024);
}

TEST_HARNESS_MAIN
