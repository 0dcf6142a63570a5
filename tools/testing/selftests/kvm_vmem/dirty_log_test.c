// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log of a group whose memslots come and go: what a guest wrote is
 * reported once, wherever it is, and never lost with a memslot.
 */
#include "harness.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "access.h"

#define PAGE 4096
#define BLOCK (2 * MiB)
#define BLOCK_PAGES (BLOCK / PAGE)
#define REGION (4 * GiB)
#define NB_PAGES (REGION / PAGE)
#define MEMSLOT_PAGES (GiB / PAGE)
#define NB_PLUGGED 4

FIXTURE(dirty_log) {
	struct rig rig;
	int dev;
	uint64_t addr;
	uint64_t *bitmap;
	uint32_t enable;
};

FIXTURE_VARIANT(dirty_log) {
	struct rig_options options;
	bool manual;
};

FIXTURE_VARIANT_ADD(dirty_log, protected)
{
	.options = { .backing = BACKING_PROTECTED },
};

FIXTURE_VARIANT_ADD(dirty_log, user)
{
	.options = { .backing = BACKING_MEMFD },
};

FIXTURE_VARIANT_ADD(dirty_log, one_memslot)
{
	.options = { .backing = BACKING_PROTECTED, .is_static = true },
};

FIXTURE_VARIANT_ADD(dirty_log, with_smm)
{
	.options = { .backing = BACKING_PROTECTED, .address_spaces = 3 },
};

FIXTURE_VARIANT_ADD(dirty_log, manual_protect)
{
	.options = { .backing = BACKING_PROTECTED },
	.manual = true,
};

static int enable_manual_protect(struct vm *vm)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args = { KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE },
	};

	return ioctl(vm->fd, KVM_ENABLE_CAP, &cap) ? -errno : 0;
}

FIXTURE_SETUP(dirty_log)
{
	struct rig_options options = variant->options;

	options.region_size = REGION;
	options.nr_vcpus = 1;
	test_ok(rig_prepare(&self->rig, &options));
	if (variant->manual)
		test_ok(enable_manual_protect(&self->rig.vm));
	test_ok(rig_attach(&self->rig));
	self->dev = self->rig.dev;
	self->addr = self->rig.addr;
	self->bitmap = calloc(NB_PAGES / 64, 8);
	ASSERT_NE(NULL, self->bitmap);
	test_ack(vmem_plug(self->dev, self->addr, NB_PLUGGED));
	self->enable = KVM_VMEM_DIRTY_LOG_ENABLE;
	if (variant->manual)
		self->enable |= KVM_VMEM_DIRTY_LOG_MANUAL_PROTECT;
}

FIXTURE_TEARDOWN(dirty_log)
{
	free(self->bitmap);
	rig_destroy(&self->rig);
}

static int set_log(int dev, uint32_t flags)
{
	return vmem_action(dev, KVM_VMEM_SET_DIRTY_LOG, flags);
}

static bool is_dirty(const uint64_t *bitmap, uint64_t page)
{
	return bitmap[page / 64] >> page % 64 & 1;
}

/* The guest writes to a page. */
#define test_write(page) \
	test_ok(guest_write(&self->rig.vm.vcpus[0], \
			    self->addr + (page) * PAGE, page))

/* All of the region has so many dirty pages. */
#define test_nb_dirty(nb) \
	ASSERT_EQ(nb, vmem_get_dirty_log(self->dev, 0, NB_PAGES, self->bitmap))

#define test_dirty(page) ASSERT_TRUE(is_dirty(self->bitmap, page))

TEST_F(dirty_log, has_what_the_guest_wrote_and_once)
{
	test_write(3);
	test_ok(set_log(self->dev, self->enable));
	test_nb_dirty(0);

	test_write(0);
	test_write(1);
	test_write(BLOCK_PAGES + 63);
	test_write(BLOCK_PAGES + 64);
	test_write(NB_PLUGGED * BLOCK_PAGES - 1);
	test_nb_dirty(5);
	test_dirty(0);
	test_dirty(1);
	test_dirty(BLOCK_PAGES + 63);
	test_dirty(BLOCK_PAGES + 64);
	test_dirty(NB_PLUGGED * BLOCK_PAGES - 1);
	test_nb_dirty(0);

	test_write(1);
	test_nb_dirty(1);
	test_dirty(1);
}

/* But for a page's first touch, of which KVM does not know what else it will be. */
TEST_F(dirty_log, does_not_have_what_the_guest_read)
{
	uint64_t value;

	test_write(0);
	test_ok(set_log(self->dev, self->enable));
	test_ok(guest_read(&self->rig.vm.vcpus[0], self->addr, &value));
	test_nb_dirty(0);
}

TEST_F(dirty_log, has_plugged_blocks_from_their_first_moment)
{
	uint64_t page = 2 * MEMSLOT_PAGES - BLOCK_PAGES;

	test_ok(set_log(self->dev, self->enable));
	/* In two memslots, neither of which KVM knew. */
	test_ack(vmem_plug(self->dev, self->addr + page * PAGE, 2));
	test_write(page);
	test_nb_dirty(2 * BLOCK_PAGES);
	test_dirty(page);
	test_dirty(page + 2 * BLOCK_PAGES - 1);

	test_nb_dirty(0);
	test_write(page + 1);
	test_write(page + BLOCK_PAGES);
	test_nb_dirty(2);
	test_dirty(page + 1);
	test_dirty(page + BLOCK_PAGES);
}

#define test_retire() do { \
	test_ok(sysfs_write(self->rig.setup.out_id, "retire", "1")); \
	if (!variant->options.is_static) \
		test_group(self->dev, 0, 0); \
} while (0)

TEST_F(dirty_log, has_what_was_in_a_memslot_that_is_gone)
{
	test_ok(set_log(self->dev, self->enable));
	test_write(7);
	test_ack(vmem_unplug(self->dev, self->addr, NB_PLUGGED));
	test_retire();
	test_nb_dirty(NB_PLUGGED * BLOCK_PAGES);
	test_nb_dirty(0);

	/* What is plugged again is zero, which is new to who has the old. */
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_nb_dirty(BLOCK_PAGES);
	test_ack(vmem_unplug_all(self->dev));
	test_nb_dirty(BLOCK_PAGES);
	test_nb_dirty(0);
}

TEST_F(dirty_log, of_a_memslot_that_came_back_is_complete)
{
	test_ok(set_log(self->dev, self->enable));
	test_ack(vmem_unplug(self->dev, self->addr, NB_PLUGGED));
	test_retire();
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_write(9);
	test_nb_dirty(NB_PLUGGED * BLOCK_PAGES);
	test_write(9);
	test_nb_dirty(1);
	test_dirty(9);
}

TEST_F(dirty_log, of_a_part_leaves_the_rest_for_later)
{
	test_ok(set_log(self->dev, self->enable));
	test_write(5);
	test_write(69);
	test_write(70);
	test_write(600);

	ASSERT_EQ(2, vmem_get_dirty_log(self->dev, 6, 65, self->bitmap));
	ASSERT_EQ(1ULL << 63, self->bitmap[0]);
	ASSERT_EQ(1, self->bitmap[1]);
	ASSERT_EQ(0, vmem_get_dirty_log(self->dev, 6, 65, self->bitmap));
	ASSERT_EQ(1, vmem_get_dirty_log(self->dev, 5, 1, self->bitmap));
	ASSERT_EQ(1, self->bitmap[0]);
	test_nb_dirty(1);
	test_dirty(600);
	test_nb_dirty(0);
}

TEST_F(dirty_log, of_memslots_holes_and_the_end_is_one)
{
	uint64_t last = NB_PAGES - 1;
	uint64_t middle = 2 * MEMSLOT_PAGES;

	test_ack(vmem_plug(self->dev, self->addr + middle * PAGE, 1));
	test_ack(vmem_plug(self->dev, self->addr + REGION - BLOCK, 1));
	test_ok(set_log(self->dev, self->enable));
	test_write(0);
	test_write(middle);
	test_write(last);

	ASSERT_EQ(2, vmem_get_dirty_log(self->dev, 1, NB_PAGES - 1,
					self->bitmap));
	ASSERT_TRUE(is_dirty(self->bitmap, middle - 1));
	ASSERT_TRUE(is_dirty(self->bitmap, last - 1));
	ASSERT_EQ(0, vmem_get_dirty_log(self->dev, MEMSLOT_PAGES,
					MEMSLOT_PAGES, self->bitmap));
	test_nb_dirty(1);
	test_dirty(0);
}

TEST_F(dirty_log, of_what_is_not_in_the_region_is_EINVAL)
{
	uint64_t *bitmap = self->bitmap;
	int dev = self->dev;

	test_ok(set_log(dev, self->enable));
	test_err(EINVAL, vmem_get_dirty_log(dev, 0, 0, bitmap));
	test_err(EINVAL, vmem_get_dirty_log(dev, 0, NB_PAGES + 1, bitmap));
	test_err(EINVAL, vmem_get_dirty_log(dev, 1, NB_PAGES, bitmap));
	test_err(EINVAL, vmem_get_dirty_log(dev, NB_PAGES, 1, bitmap));
	test_err(EINVAL, vmem_get_dirty_log(dev, ~0ULL, 2, bitmap));
	test_err(EINVAL, vmem_get_dirty_log(dev, 2, ~0ULL, bitmap));
}

TEST_F(dirty_log, that_cannot_be_written_is_not_lost)
{
	char *end = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, end);
	ASSERT_EQ(0, munmap(end + PAGE, PAGE));
	test_ok(set_log(self->dev, self->enable));
	test_write(0);
	test_write(4 * BLOCK_PAGES - 1);
	test_err(EFAULT, vmem_get_dirty_log(self->dev, 0, NB_PAGES, NULL));
	/* Room for the first pages only. */
	test_err(EFAULT, vmem_get_dirty_log(self->dev, 0, NB_PAGES,
					    (uint64_t *)end));
	test_nb_dirty(2);
	ASSERT_EQ(0, munmap(end, PAGE));
}

TEST_F(dirty_log, whose_answer_cannot_be_written_is_not_lost)
{
	struct kvm_vmem_get_dirty_log *get;

	get = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, get);
	get->size = sizeof(*get);
	get->nb_pages = NB_PAGES;
	get->bitmap = (uintptr_t)self->bitmap;
	ASSERT_EQ(0, mprotect(get, PAGE, PROT_READ));

	test_ok(set_log(self->dev, self->enable));
	test_write(0);
	test_write(4 * BLOCK_PAGES - 1);
	test_err(EFAULT, vmem_ioctl(self->dev, KVM_VMEM_GET_DIRTY_LOG, get));
	test_nb_dirty(2);
	ASSERT_EQ(0, munmap(get, PAGE));
}

TEST_F(dirty_log, that_is_not_on_is_ENOENT)
{
	test_err(ENOENT, vmem_get_dirty_log(self->dev, 0, 64, self->bitmap));
	test_ok(set_log(self->dev, self->enable));
	test_ok(set_log(self->dev, 0));
	test_err(ENOENT, vmem_get_dirty_log(self->dev, 0, 64, self->bitmap));
}

TEST_F(dirty_log, begins_anew_each_time)
{
	test_ok(set_log(self->dev, self->enable));
	test_write(0);
	test_ack(vmem_unplug(self->dev, self->addr + BLOCK, 1));
	test_ok(set_log(self->dev, 0));
	test_write(1);
	test_ack(vmem_plug(self->dev, self->addr + BLOCK, 1));
	test_ok(set_log(self->dev, self->enable));
	test_nb_dirty(0);
	test_write(2);
	test_nb_dirty(1);
	test_dirty(2);
}

TEST_F(dirty_log, twice_is_EALREADY)
{
	test_err_unchanged(EALREADY, self->dev, set_log(self->dev, 0));
	test_err_unchanged(EINVAL, self->dev,
			   set_log(self->dev,
				   KVM_VMEM_DIRTY_LOG_MANUAL_PROTECT));
	test_ok(set_log(self->dev, self->enable));
	test_err_unchanged(EALREADY, self->dev,
			   set_log(self->dev, self->enable));
	test_ok(set_log(self->dev, 0));
	test_err_unchanged(EALREADY, self->dev, set_log(self->dev, 0));
}

TEST_F(dirty_log, can_be_set_but_not_read_by_another_process)
{
	test_child(!set_log(self->dev, self->enable));
	test_write(0);
	test_child(vmem_get_dirty_log(self->dev, 0, 64, self->bitmap) == -EIO);
	test_nb_dirty(1);
}

TEST_F(dirty_log, is_told_with_the_state_of_the_device)
{
	uint32_t id = self->rig.setup.out_id;
	struct kvm_vmem_get_info info;

	ASSERT_EQ(0, device_value(id, "dirty_log"));
	test_ok(set_log(self->dev, self->enable));
	ASSERT_EQ(1, device_value(id, "dirty_log"));
	test_ok(vmem_get_info(self->dev, &info));
	ASSERT_TRUE(info.out_state & KVM_VMEM_INFO_DIRTY_LOG);
	test_ok(set_log(self->dev, 0));
	ASSERT_EQ(0, device_value(id, "dirty_log"));
	test_ok(vmem_get_info(self->dev, &info));
	ASSERT_FALSE(info.out_state & KVM_VMEM_INFO_DIRTY_LOG);
}

TEST_F(dirty_log, has_restored_blocks)
{
	struct rig_options options = variant->options;
	uint64_t plugged[REGION / BLOCK / 64];
	struct kvm_vmem_get_config config;
	struct kvm_vmem_set_bitmap set;
	struct rig rig;

	options.region_size = REGION;
	test_ok(vmem_get_config(self->dev, &config));
	test_ok(vmem_get_bitmap(self->dev, 0, REGION / BLOCK, plugged));
	fill_set_bitmap(&set, &config, plugged);
	test_ok(rig_create(&rig, &options));
	test_ok(set_log(rig.dev, KVM_VMEM_DIRTY_LOG_ENABLE));
	test_ok(vmem_set_bitmap(rig.dev, &set));
	ASSERT_EQ(NB_PLUGGED * BLOCK_PAGES,
		  vmem_get_dirty_log(rig.dev, 0, NB_PAGES, self->bitmap));
	rig_destroy(&rig);
}

/* The memslot that the group needs is taken: nothing of it may be logged. */
TEST_F(dirty_log, of_a_plug_that_fails_is_empty)
{
	uint64_t gpa = self->addr + 3 * GiB;

	if (variant->options.is_static)
		return;
	test_ok(set_log(self->dev, self->enable));
	test_ok(vm_set_memslot(self->rig.vm.fd, 7, gpa, PAGE,
			       self->rig.vm.ram));
	test_busy(vmem_plug(self->dev, gpa - BLOCK, 2));
	test_nb_dirty(0);
	test_ok(vm_set_memslot(self->rig.vm.fd, 7, gpa, 0, NULL));
	test_ack(vmem_plug(self->dev, gpa - BLOCK, 2));
	test_nb_dirty(2 * BLOCK_PAGES);
}

TEST_F(dirty_log, of_a_device_that_is_closed_is_nobodys)
{
	test_ok(set_log(self->dev, self->enable));
	test_write(0);
}

TEST_HARNESS_MAIN
