// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest sees of plugged and unplugged memory, and what the host gets
 * back. The device has 4 GiB at 4 GiB, blocks of 2 MiB, memslots of 1 GiB.
 */
#include "harness.h"

#define BLOCK (2 * MiB)
#define PAGE 4096
/* Pages that a test touches: first touches are slow in an emulated host. */
#define NR_PAGES 64

FIXTURE(guest) {
	struct rig rig;
	struct vcpu *vcpu;
	int dev;
	uint64_t addr;
	char *memory;
};

FIXTURE_VARIANT(guest) {
	struct rig_options options;
};

FIXTURE_VARIANT_ADD(guest, anonymous) {
	{ .backing = BACKING_ANON, .nr_vcpus = 2 }
};

FIXTURE_VARIANT_ADD(guest, memfd) {
	{ .backing = BACKING_MEMFD, .nr_vcpus = 2 }
};

FIXTURE_VARIANT_ADD(guest, memfd_discarded_by_the_vmm) {
	{ .backing = BACKING_MEMFD, .no_fd = true, .nr_vcpus = 2 }
};

FIXTURE_VARIANT_ADD(guest, tmpfs) {
	{ .backing = BACKING_TMPFS, .nr_vcpus = 2 }
};

FIXTURE_VARIANT_ADD(guest, hugetlb) {
	{ .backing = BACKING_HUGETLB, .nr_vcpus = 2 }
};

FIXTURE_VARIANT_ADD(guest, hugetlb_discarded_by_the_vmm) {
	{ .backing = BACKING_HUGETLB, .no_fd = true, .nr_vcpus = 2 }
};

FIXTURE_VARIANT_ADD(guest, memfd_two_address_spaces) {
	{ .backing = BACKING_MEMFD, .nr_vcpus = 2, .address_spaces = 3 }
};

FIXTURE_SETUP(guest)
{
	if (variant->options.backing == BACKING_HUGETLB)
		test_ok(need_hugepages(16));
	test_ok(rig_create(&self->rig, &variant->options));
	self->vcpu = &self->rig.vm.vcpus[0];
	self->dev = self->rig.dev;
	self->addr = self->rig.addr;
	self->memory = self->rig.backing.addr;
}

FIXTURE_TEARDOWN(guest)
{
	rig_destroy(&self->rig);
}

static uint64_t word_of_host(const char *memory, uint64_t offset)
{
	return *(volatile uint64_t *)(memory + offset);
}

/* What a VMM does: discard, if the module does not, and ask. */
static int give_back(struct rig *rig, uint64_t addr, uint32_t nb_blocks)
{
	if (rig->setup.backing_fd < 0 &&
	    backing_discard(&rig->backing, addr - rig->addr,
			    nb_blocks * rig->block))
		return -EIO;
	return vmem_unplug(rig->dev, addr, nb_blocks);
}

/* Outside of memory every access is an MMIO exit of the right address. */
#define test_no_memory(gpa) do { \
	uint64_t value_ = 0; \
\
	ASSERT_EQ(0, guest_read(self->vcpu, gpa, &value_)); \
	ASSERT_EQ(1, self->vcpu->nr_mmio); \
	ASSERT_EQ(gpa, self->vcpu->mmio_addr); \
	ASSERT_EQ(8, self->vcpu->mmio_len); \
	ASSERT_FALSE(self->vcpu->mmio_is_write); \
	ASSERT_EQ(VM_MMIO_VALUE, value_); \
	ASSERT_EQ(0, guest_write(self->vcpu, gpa, 1)); \
	ASSERT_EQ(1, self->vcpu->nr_mmio); \
	ASSERT_EQ(gpa, self->vcpu->mmio_addr); \
	ASSERT_TRUE(self->vcpu->mmio_is_write); \
} while (0)

#define test_memory(gpa, number) do { \
	ASSERT_EQ(0, guest_fill(self->vcpu, gpa, NR_PAGES, PAGE, number)); \
	ASSERT_EQ(0, self->vcpu->nr_mmio); \
	ASSERT_EQ(0, guest_verify(self->vcpu, gpa, NR_PAGES, PAGE, number)); \
	ASSERT_EQ(0, self->vcpu->nr_mmio); \
} while (0)

TEST_F(guest, what_it_writes_the_host_sees)
{
	uint64_t i;

	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_memory(self->addr, 1000);
	for (i = 0; i < NR_PAGES; i++)
		ASSERT_EQ(1000 + i, word_of_host(self->memory, i * PAGE));
}

TEST_F(guest, what_the_host_writes_it_sees)
{
	uint64_t i;

	test_ack(vmem_plug(self->dev, self->addr + 3 * GiB, 1));
	for (i = 0; i < NR_PAGES; i++)
		*(uint64_t *)(self->memory + 3 * GiB + i * PAGE) = 5 + i;
	ASSERT_EQ(0, guest_verify(self->vcpu, self->addr + 3 * GiB, NR_PAGES,
				  PAGE, 5));
	ASSERT_EQ(0, self->vcpu->nr_mmio);
}

TEST_F(guest, finds_no_memory_outside_of_plugged_memslots)
{
	test_no_memory(self->addr);
	test_ack(vmem_plug(self->dev, self->addr + GiB, 1));
	test_memory(self->addr + GiB, 1);
	/* The memslots before and behind, and outside of the region. */
	test_no_memory(self->addr + GiB - 8);
	test_no_memory(self->addr + 2 * GiB);
	test_no_memory(self->addr + 3 * GiB + BLOCK);
	test_no_memory(self->addr - 8);
	test_no_memory(self->addr + 4 * GiB);
	ASSERT_EQ(0, word_of_host(self->memory, GiB - 8));
	ASSERT_EQ(0, word_of_host(self->memory, 2 * GiB));
}

TEST_F(guest, finds_no_memory_after_unplug)
{
	test_ack(vmem_plug(self->dev, self->addr, 2));
	test_memory(self->addr, 1);
	test_ack(give_back(&self->rig, self->addr, 2));
	test_no_memory(self->addr);
	test_no_memory(self->addr + BLOCK);
}

TEST_F(guest, finds_zeros_after_a_replug)
{
	uint64_t value = 1;

	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_memory(self->addr, 1);
	test_ack(give_back(&self->rig, self->addr, 1));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_ok(guest_read(self->vcpu, self->addr, &value));
	ASSERT_EQ(0, self->vcpu->nr_mmio);
	ASSERT_EQ(0, value);
	test_ok(guest_read(self->vcpu, self->addr + 3 * PAGE, &value));
	ASSERT_EQ(0, value);
}

TEST_F(guest, keeps_its_other_blocks_when_one_is_unplugged)
{
	test_ack(vmem_plug(self->dev, self->addr, 3));
	test_memory(self->addr, 100);
	test_memory(self->addr + BLOCK, 200);
	test_memory(self->addr + 2 * BLOCK, 300);
	test_ack(give_back(&self->rig, self->addr + BLOCK, 1));
	ASSERT_EQ(0, guest_verify(self->vcpu, self->addr, NR_PAGES, PAGE, 100));
	ASSERT_EQ(0, guest_verify(self->vcpu, self->addr + 2 * BLOCK, NR_PAGES,
				  PAGE, 300));
	ASSERT_EQ(0, word_of_host(self->memory, BLOCK));
}

TEST_F(guest, reads_across_a_border_of_memslots)
{
	uint64_t border = self->addr + GiB - 32 * PAGE;

	test_ack(vmem_plug(self->dev, self->addr + GiB - BLOCK, 2));
	test_group(self->dev, 2, 0);
	test_memory(border, 7);
	ASSERT_EQ(7 + 32, word_of_host(self->memory, GiB));
}

TEST_F(guest, touches_memory_with_two_vcpus)
{
	struct vcpu *one = &self->rig.vm.vcpus[0];
	struct vcpu *two = &self->rig.vm.vcpus[1];
	uint64_t there = self->addr + 2 * GiB;

	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_ack(vmem_plug(self->dev, there, 1));
	test_ok(vcpu_start(one, GUEST_FILL, self->addr, NR_PAGES, PAGE, 100));
	test_ok(vcpu_start(two, GUEST_FILL, there, NR_PAGES, PAGE, 200));
	test_ok(vcpu_join(one));
	test_ok(vcpu_join(two));
	ASSERT_EQ(0, one->nr_mmio + two->nr_mmio);
	ASSERT_EQ(0, guest_verify(two, self->addr, NR_PAGES, PAGE, 100));
	ASSERT_EQ(0, guest_verify(one, there, NR_PAGES, PAGE, 200));
}

/* The vCPU runs all the while; nothing but MMIO or memory may happen to it. */
TEST_F(guest, runs_while_blocks_come_and_go)
{
	struct vcpu *busy = &self->rig.vm.vcpus[1];
	uint64_t scratch = self->addr + 3 * GiB;
	unsigned int i;

	test_ack(vmem_plug(self->dev, scratch, 1));
	test_ok(vcpu_start(busy, GUEST_FILL, scratch, 20000, 8, 1));
	for (i = 0; i < 10; i++) {
		test_ack(vmem_plug(self->dev, self->addr, 1));
		test_ok(guest_write(self->vcpu, self->addr, i));
		ASSERT_EQ(0, self->vcpu->nr_mmio);
		test_ack(give_back(&self->rig, self->addr, 1));
		test_ok(guest_write(self->vcpu, self->addr, i));
		ASSERT_EQ(1, self->vcpu->nr_mmio);
	}
	test_ok(vcpu_join(busy));
	ASSERT_EQ(0, busy->nr_mmio);
	ASSERT_EQ(0, guest_verify(busy, scratch, 20000, 8, 1));
}

FIXTURE(memory) {
	struct rig rig;
	struct vcpu *vcpu;
};

FIXTURE_VARIANT(memory) {
	enum backing_kind backing;
};

FIXTURE_VARIANT_ADD(memory, memfd) { BACKING_MEMFD };
FIXTURE_VARIANT_ADD(memory, tmpfs) { BACKING_TMPFS };
FIXTURE_VARIANT_ADD(memory, hugetlb) { BACKING_HUGETLB };

FIXTURE_SETUP(memory)
{
	const struct rig_options options = {
		.backing = variant->backing,
		.nr_vcpus = 1,
	};

	if (variant->backing == BACKING_HUGETLB)
		test_ok(need_hugepages(16));
	test_ok(rig_create(&self->rig, &options));
	self->vcpu = &self->rig.vm.vcpus[0];
}

FIXTURE_TEARDOWN(memory)
{
	rig_destroy(&self->rig);
}

#define test_touch(block) \
	ASSERT_EQ(0, guest_fill(self->vcpu, \
				self->rig.addr + (block) * BLOCK, NR_PAGES, \
				PAGE, 1))

/* What touching a block makes resident. */
#define TOUCHED (variant->backing == BACKING_HUGETLB ? BLOCK : \
		 (uint64_t)NR_PAGES * PAGE)

TEST_F(memory, of_a_block_that_is_plugged_is_not_allocated_before_use)
{
	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 8));
	ASSERT_EQ(0, backing_resident(&self->rig.backing));
	test_touch(0);
	ASSERT_EQ(TOUCHED, backing_resident(&self->rig.backing));
}

TEST_F(memory, of_a_block_goes_back_with_its_unplug)
{
	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 3));
	test_touch(0);
	test_touch(1);
	test_touch(2);
	ASSERT_EQ(3 * TOUCHED, backing_resident(&self->rig.backing));
	test_ack(vmem_unplug(self->rig.dev, self->rig.addr + BLOCK, 1));
	ASSERT_EQ(2 * TOUCHED, backing_resident(&self->rig.backing));
	test_ack(vmem_unplug(self->rig.dev, self->rig.addr, 1));
	test_ack(vmem_unplug(self->rig.dev, self->rig.addr + 2 * BLOCK, 1));
	ASSERT_EQ(0, backing_resident(&self->rig.backing));
}

TEST_F(memory, of_all_blocks_goes_back_with_UNPLUG_ALL)
{
	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 1024));
	test_touch(0);
	test_touch(511);
	test_touch(700);
	test_ack(vmem_unplug_all(self->rig.dev));
	ASSERT_EQ(0, backing_resident(&self->rig.backing));
}

TEST_F(memory, of_all_blocks_goes_back_with_RESET)
{
	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 1024));
	test_touch(0);
	test_touch(1023);
	test_ok(vmem_action(self->rig.dev, KVM_VMEM_RESET, 0));
	ASSERT_EQ(0, backing_resident(&self->rig.backing));
}

/* An unplugged block of an active memslot can be touched with user backing. */
TEST_F(memory, of_a_memslot_goes_back_with_its_last_block)
{
	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 2));
	test_ack(vmem_unplug(self->rig.dev, self->rig.addr, 1));
	test_touch(0);
	ASSERT_EQ(0, self->vcpu->nr_mmio);
	test_ack(vmem_unplug(self->rig.dev, self->rig.addr + BLOCK, 1));
	ASSERT_EQ(0, backing_resident(&self->rig.backing));
}

TEST(without_a_file_the_vmm_discards)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD, .no_fd = true, .nr_vcpus = 1,
	};
	struct rig rig;

	test_ok(rig_create(&rig, &options));
	test_ack(vmem_plug(rig.dev, rig.addr, 1));
	test_ok(guest_write(&rig.vm.vcpus[0], rig.addr, 1));
	test_ack(vmem_unplug(rig.dev, rig.addr, 1));
	ASSERT_EQ(PAGE, backing_resident(&rig.backing));
	rig_destroy(&rig);
}

TEST(a_static_region_is_accessible_as_a_whole)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD, .nr_vcpus = 1, .is_static = true,
	};
	struct kvm_vmem_memslot_info memslot;
	struct vcpu *vcpu;
	struct rig rig;

	test_ok(rig_create(&rig, &options));
	vcpu = &rig.vm.vcpus[0];
	ASSERT_EQ(1, vmem_get_memslots(rig.dev, &memslot, 1));
	ASSERT_EQ(4 * GiB, memslot.memory_size);
	ASSERT_EQ(KVM_VMEM_MEMSLOT_IDLE, memslot.state);

	test_ok(guest_write(vcpu, rig.addr + 4 * GiB - 8, 1));
	ASSERT_EQ(0, vcpu->nr_mmio);
	test_ack(vmem_plug(rig.dev, rig.addr, 1));
	test_ok(guest_write(vcpu, rig.addr, 1));
	ASSERT_EQ(0, vcpu->nr_mmio);
	ASSERT_EQ(1, vmem_get_memslots(rig.dev, &memslot, 1));
	ASSERT_EQ(KVM_VMEM_MEMSLOT_ACTIVE, memslot.state);
	ASSERT_EQ(BLOCK, memslot.plugged_size);

	/* Memory goes back, the memslot stays. */
	test_ack(vmem_unplug_all(rig.dev));
	ASSERT_EQ(0, backing_resident(&rig.backing));
	ASSERT_EQ(1, vmem_get_memslots(rig.dev, &memslot, 1));
	ASSERT_EQ(KVM_VMEM_MEMSLOT_IDLE, memslot.state);
	test_ok(guest_write(vcpu, rig.addr, 1));
	ASSERT_EQ(0, vcpu->nr_mmio);
	rig_destroy(&rig);
}

TEST(huge_pages_of_the_backing_are_huge_in_the_guest)
{
	const struct rig_options options = {
		.backing = BACKING_HUGETLB, .nr_vcpus = 1,
	};
	uint64_t before, after;
	struct rig rig;

	test_ok(need_hugepages(16));
	test_ok(rig_create(&rig, &options));
	test_ack(vmem_plug(rig.dev, rig.addr, 2));
	/* The VM's own memory may be a huge page, too: have it mapped before. */
	test_ok(guest_write(&rig.vm.vcpus[0], rig.addr - 8, 1));
	test_ok(kvm_stat(rig.vm.fd, "pages_2m", &before));
	test_ok(guest_write(&rig.vm.vcpus[0], rig.addr, 1));
	test_ok(guest_write(&rig.vm.vcpus[0], rig.addr + BLOCK, 1));
	test_ok(kvm_stat(rig.vm.fd, "pages_2m", &after));
	ASSERT_EQ(before + 2, after);
	rig_destroy(&rig);
}

TEST(a_region_of_one_tib_works_at_both_ends)
{
	const struct rig_options options = {
		.nr_vcpus = 1, .region_size = TiB,
	};
	struct vcpu *vcpu;
	uint64_t last;
	struct rig rig;

	test_ok(rig_create(&rig, &options));
	vcpu = &rig.vm.vcpus[0];
	last = rig.addr + TiB - BLOCK;
	test_ack(vmem_plug(rig.dev, rig.addr, 1));
	test_ack(vmem_plug(rig.dev, last, 1));
	test_group(rig.dev, 2, 0);
	test_ok(guest_write(vcpu, rig.addr, 1));
	ASSERT_EQ(0, vcpu->nr_mmio);
	test_ok(guest_write(vcpu, last + BLOCK - 8, 2));
	ASSERT_EQ(0, vcpu->nr_mmio);
	ASSERT_EQ(2, word_of_host(rig.backing.addr, TiB - 8));
	test_ok(guest_write(vcpu, rig.addr + 512 * GiB, 3));
	ASSERT_EQ(1, vcpu->nr_mmio);
	rig_destroy(&rig);
}

TEST_HARNESS_MAIN
