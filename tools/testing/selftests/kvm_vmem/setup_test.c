// SPDX-License-Identifier: GPL-2.0
/* SETUP: which geometries are taken, and what the module decides. */
#include "harness.h"

#include <fcntl.h>
#include <sys/eventfd.h>

#define DYNAMIC (KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS | \
		 KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE | \
		 KVM_VMEM_SETUP_USER_BACKING)
#define STATIC (KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE | \
		KVM_VMEM_SETUP_USER_BACKING)

FIXTURE(setup) {
	int dev;
	struct kvm_vmem_setup arg;
	struct kvm_vmem_get_info info;
};

FIXTURE_SETUP(setup)
{
	self->dev = vmem_open();
	ASSERT_LE(0, self->dev);
	self->arg.flags = DYNAMIC;
	self->arg.addr = 4 * GiB;
	self->arg.region_size = 4 * GiB;
	self->arg.block_size = 2 * MiB;
	self->arg.backing_fd = -1;
}

FIXTURE_TEARDOWN(setup)
{
	close(self->dev);
}

/* A refused SETUP can be done again, and well. */
#define test_refused(error) do { \
	struct kvm_vmem_setup good_ = { \
		.flags = DYNAMIC, \
		.region_size = GiB, \
		.backing_fd = -1, \
	}; \
\
	test_err(error, vmem_setup(self->dev, &self->arg)); \
	test_err(ENODEV, vmem_get_info(self->dev, &self->info)); \
	test_ok(vmem_setup(self->dev, &good_)); \
} while (0)

FIXTURE(wrong_setup) {
	int dev;
};

FIXTURE_VARIANT(wrong_setup) {
	struct kvm_vmem_setup arg;
	int error;
};

#define REFUSED(variant_name, expected, ...) \
	FIXTURE_VARIANT_ADD(wrong_setup, variant_name) { \
		.arg = { \
			.flags = DYNAMIC, \
			.addr = 4 * GiB, \
			.region_size = 4 * GiB, \
			.block_size = 2 * MiB, \
			.backing_fd = -1, \
			__VA_ARGS__ \
		}, \
		.error = expected, \
	}

/* Each overrides a member of a good one. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
REFUSED(block_size_of_three_mib, EINVAL,
	.block_size = 3 * MiB, .region_size = 6 * GiB);
REFUSED(block_size_below_one_mib, EINVAL, .block_size = 512 * KiB);
REFUSED(block_size_of_one, EINVAL, .block_size = 1);
REFUSED(block_size_huge, EINVAL, .block_size = 1ULL << 63);
REFUSED(block_size_of_all_ones, EINVAL, .block_size = ~0ULL);
REFUSED(block_size_beyond_the_region, EINVAL,
	.block_size = 8 * GiB, .addr = 8 * GiB);
REFUSED(region_size_zero, EINVAL, .region_size = 0);
REFUSED(region_size_of_half_a_block, EINVAL, .region_size = MiB);
REFUSED(region_size_misaligned, EINVAL, .region_size = GiB + MiB);
REFUSED(region_size_of_all_ones, EINVAL, .region_size = ~0ULL);
REFUSED(addr_misaligned, EINVAL, .addr = 4 * GiB + MiB);
REFUSED(addr_off_by_one, EINVAL, .addr = 4 * GiB + 1);
REFUSED(end_that_overflows, EOVERFLOW, .addr = -2 * MiB);
REFUSED(end_of_two_to_the_64, EOVERFLOW, .addr = -4 * GiB);
REFUSED(huge_region_that_overflows, EOVERFLOW, .region_size = -2 * MiB);
REFUSED(memslot_size_of_three_gib, EINVAL, .memslot_size = 3 * GiB);
REFUSED(memslot_size_below_the_block, EINVAL, .memslot_size = MiB);
REFUSED(memslot_size_beyond_kvm, EINVAL, .memslot_size = 8 * TiB);
REFUSED(memslot_size_of_all_ones, EINVAL, .memslot_size = ~0ULL);
REFUSED(memslot_size_without_dynamic, EINVAL,
	.flags = STATIC, .memslot_size = GiB);
REFUSED(memslot_size_that_needs_too_many, ENOSPC,
	.memslot_size = 2 * MiB, .memslot_limit = 2047);
REFUSED(memslot_size_that_needs_more_than_the_host_has, ENOSPC,
	.memslot_size = 2 * MiB, .region_size = 64 * GiB,
	.memslot_limit = ~0U);
REFUSED(dynamic_without_unplugged_inaccessible, EINVAL,
	.flags = KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS |
		 KVM_VMEM_SETUP_USER_BACKING);
REFUSED(protected_backing_of_accessible_blocks, EINVAL,
	.flags = KVM_VMEM_SETUP_PREALLOC);
REFUSED(prealloc, EOPNOTSUPP, .flags = DYNAMIC | KVM_VMEM_SETUP_PREALLOC);
REFUSED(requested_size_misaligned, EINVAL, .requested_size = MiB);
REFUSED(requested_size_beyond_the_region, EINVAL,
	.requested_size = 4 * GiB + 2 * MiB);
REFUSED(requested_size_of_all_ones, EINVAL, .requested_size = ~0ULL);
REFUSED(backing_offset_without_a_file, EINVAL, .backing_offset = 2 * MiB);
REFUSED(backing_fd_that_is_not_open, EBADF, .backing_fd = 987);
REFUSED(backing_fd_below_minus_one, EBADF, .backing_fd = -2);
REFUSED(label_without_end, EINVAL,
	.label = { [0 ... KVM_VMEM_LABEL_LEN - 1] = 'x' });
REFUSED(label_with_newline, EINVAL, .label = "a\nb");
REFUSED(label_with_control_character, EINVAL, .label = "\x01");
REFUSED(label_beyond_ascii, EINVAL, .label = "\xc3\xa4");
REFUSED(label_with_delete, EINVAL, .label = "\x7f");
#pragma GCC diagnostic pop

FIXTURE_SETUP(wrong_setup)
{
	self->dev = vmem_open();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(wrong_setup)
{
	close(self->dev);
}

TEST_F(wrong_setup, is_refused_and_can_be_corrected)
{
	struct kvm_vmem_setup good = variant->arg;
	struct kvm_vmem_setup arg = variant->arg;
	struct kvm_vmem_get_info info;
	int devices = count_devices();

	test_err(variant->error, vmem_setup(self->dev, &arg));
	test_err(ENODEV, vmem_get_info(self->dev, &info));
	ASSERT_EQ(devices, count_devices());

	memset(&good, 0, sizeof(good));
	good.flags = DYNAMIC;
	good.region_size = GiB;
	good.backing_fd = -1;
	test_ok(vmem_setup(self->dev, &good));
	ASSERT_EQ(devices + 1, count_devices());
}

static void back_by(struct kvm_vmem_setup *arg, int fd)
{
	arg->backing_fd = fd;
}

TEST_F(setup, a_file_open_for_reading_only_is_EBADF)
{
	char path[64];
	int fd = memfd_create("ro", 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, 4 * GiB));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	back_by(&self->arg, open(path, O_RDONLY));
	ASSERT_LE(0, self->arg.backing_fd);
	test_refused(EBADF);
}

TEST_F(setup, a_file_that_cannot_punch_holes_is_EOPNOTSUPP)
{
	back_by(&self->arg, open("/dev/null", O_RDWR));
	ASSERT_LE(0, self->arg.backing_fd);
	test_refused(EOPNOTSUPP);
}

TEST_F(setup, an_eventfd_is_no_backing)
{
	back_by(&self->arg, eventfd(0, 0));
	ASSERT_LE(0, self->arg.backing_fd);
	test_refused(EOPNOTSUPP);
}

TEST_F(setup, a_device_is_no_backing)
{
	back_by(&self->arg, vmem_open());
	ASSERT_LE(0, self->arg.backing_fd);
	test_refused(EOPNOTSUPP);
}

TEST_F(setup, a_pipe_is_no_backing)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	back_by(&self->arg, fds[1]);
	test_refused(EOPNOTSUPP);
}

TEST_F(setup, a_block_is_not_smaller_than_a_huge_page_of_the_file)
{
	back_by(&self->arg, memfd_create("huge", MFD_HUGETLB));
	ASSERT_LE(0, self->arg.backing_fd);
	self->arg.block_size = MiB;
	test_refused(EINVAL);
}

TEST_F(setup, a_misaligned_offset_in_the_file_is_EINVAL)
{
	back_by(&self->arg, memfd_create("file", 0));
	ASSERT_LE(0, self->arg.backing_fd);
	ASSERT_EQ(0, ftruncate(self->arg.backing_fd, 8 * GiB));
	self->arg.backing_offset = MiB;
	test_refused(EINVAL);
}

TEST_F(setup, an_offset_that_overflows_in_the_file_is_refused)
{
	int ret;

	back_by(&self->arg, memfd_create("file", 0));
	ASSERT_LE(0, self->arg.backing_fd);
	self->arg.backing_offset = (1ULL << 63) - 2 * MiB;
	ret = vmem_setup(self->dev, &self->arg);
	ASSERT_TRUE(ret == -EINVAL || ret == -EOVERFLOW);
	test_err(ENODEV, vmem_get_info(self->dev, &self->info));
}

TEST_F(setup, a_memfd_is_a_backing)
{
	back_by(&self->arg, memfd_create("file", 0));
	ASSERT_LE(0, self->arg.backing_fd);
	ASSERT_EQ(0, ftruncate(self->arg.backing_fd, 8 * GiB));
	self->arg.backing_offset = 4 * GiB;
	test_ok(vmem_setup(self->dev, &self->arg));
	/* The device has its own reference. */
	ASSERT_EQ(0, close(self->arg.backing_fd));
	test_ok(vmem_get_info(self->dev, &self->info));
}

static uint64_t thp_size(void)
{
	char buf[32];

	if (read_file("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size",
		      buf, sizeof(buf)) < 0)
		return 0;
	return strtoull(buf, NULL, 10);
}

TEST_F(setup, the_default_block_is_a_transparent_huge_page)
{
	self->arg.block_size = 0;
	test_ok(vmem_setup(self->dev, &self->arg));
	ASSERT_EQ(thp_size(), self->arg.out_block_size);
	ASSERT_EQ(0, self->arg.block_size);
}

TEST_F(setup, the_default_block_is_at_least_a_huge_page_of_the_file)
{
	self->arg.block_size = 0;
	back_by(&self->arg, memfd_create("huge", MFD_HUGETLB));
	ASSERT_LE(0, self->arg.backing_fd);
	test_ok(vmem_setup(self->dev, &self->arg));
	ASSERT_EQ(2 * MiB, self->arg.out_block_size);
}

FIXTURE(division) {
	int dev;
};

FIXTURE_VARIANT(division) {
	uint32_t flags;
	uint64_t region_size, block_size, memslot_size;
	uint32_t memslot_limit;
	uint64_t chosen;
	uint32_t nb;
};

#define DIVISION(variant_name, ...) \
	FIXTURE_VARIANT_ADD(division, variant_name) { __VA_ARGS__ }

DIVISION(one_memslot_per_gib, DYNAMIC, 4 * GiB, 2 * MiB, 0, 0, GiB, 4);
DIVISION(last_memslot_smaller, DYNAMIC, 4 * GiB + 2 * MiB, 2 * MiB, 0, 0,
	 GiB, 5);
DIVISION(one_tib, DYNAMIC, TiB, 2 * MiB, 0, 0, GiB, 1024);
DIVISION(limit_of_256, DYNAMIC, TiB, 2 * MiB, 0, 256, 4 * GiB, 256);
DIVISION(limit_of_255, DYNAMIC, TiB, 2 * MiB, 0, 255, 8 * GiB, 128);
DIVISION(limit_of_1, DYNAMIC, TiB, 2 * MiB, 0, 1, TiB, 1);
DIVISION(limit_of_the_host, DYNAMIC, 8 * TiB, 2 * MiB, 0, ~0U, 2 * GiB, 4096);
DIVISION(block_larger_than_one_gib, DYNAMIC, 8 * GiB, 4 * GiB, 0, 0,
	 4 * GiB, 2);
DIVISION(explicit_as_small_as_a_block, DYNAMIC, GiB, 2 * MiB, 2 * MiB, 0,
	 2 * MiB, 512);
DIVISION(explicit_of_exactly_the_limit, DYNAMIC, 4 * GiB, 2 * MiB, 128 * MiB,
	 32, 128 * MiB, 32);
/* What a memslot then really is. */
DIVISION(explicit_larger_than_the_region, DYNAMIC, GiB, 2 * MiB, 4 * GiB, 0,
	 GiB, 1);

FIXTURE_SETUP(division)
{
	self->dev = vmem_open();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(division)
{
	close(self->dev);
}

TEST_F(division, follows_the_rule)
{
	struct kvm_vmem_setup arg = {
		.flags = variant->flags,
		.addr = 4 * TiB,
		.region_size = variant->region_size,
		.block_size = variant->block_size,
		.memslot_size = variant->memslot_size,
		.memslot_limit = variant->memslot_limit,
		.backing_fd = -1,
	};
	struct kvm_vmem_get_info info;

	test_ok(vmem_setup(self->dev, &arg));
	ASSERT_EQ(variant->chosen, arg.out_memslot_size);
	ASSERT_EQ(variant->nb, arg.out_nb_memslots);
	test_ok(vmem_get_info(self->dev, &info));
	ASSERT_EQ(variant->chosen, info.out_memslot_size);
	ASSERT_EQ(variant->nb, info.out_nb_memslots);
	ASSERT_EQ(0, info.out_nb_active);
	ASSERT_EQ(0, info.out_nb_idle);
}

TEST_F(setup, without_dynamic_memslots_there_is_one)
{
	self->arg.flags = STATIC;
	self->arg.region_size = TiB;
	test_ok(vmem_setup(self->dev, &self->arg));
	ASSERT_EQ(1, self->arg.out_nb_memslots);
	ASSERT_LE(TiB, self->arg.out_memslot_size);
}

TEST_F(setup, without_dynamic_memslots_unplugged_may_be_accessible)
{
	self->arg.flags = KVM_VMEM_SETUP_USER_BACKING;
	test_ok(vmem_setup(self->dev, &self->arg));
	ASSERT_EQ(1, self->arg.out_nb_memslots);
	test_ok(vmem_get_info(self->dev, &self->info));
	ASSERT_EQ(KVM_VMEM_SETUP_USER_BACKING, self->info.out_setup_flags);
}

TEST_F(setup, a_static_region_beyond_4_tib_has_the_largest_memslots_of_kvm)
{
	self->arg.flags = STATIC;
	self->arg.region_size = 16 * TiB;
	test_ok(vmem_setup(self->dev, &self->arg));
	ASSERT_EQ(4, self->arg.out_nb_memslots);
	ASSERT_EQ(4 * TiB, self->arg.out_memslot_size);
}

TEST_F(setup, the_limit_of_the_host_is_a_module_parameter)
{
	const char *path = VMEM_MODULE "/parameters/memslot_limit";
	char buf[32];
	int ret;

	ASSERT_LT(0, read_file(path, buf, sizeof(buf)));
	ASSERT_STREQ("4096", buf);
	ASSERT_EQ(0, write_file(path, "16"));
	self->arg.region_size = TiB;
	ret = vmem_setup(self->dev, &self->arg);
	ASSERT_EQ(0, write_file(path, buf));
	ASSERT_EQ(0, ret);
	ASSERT_EQ(64 * GiB, self->arg.out_memslot_size);
	ASSERT_EQ(16, self->arg.out_nb_memslots);
}

TEST_F(setup, a_limit_of_no_memslot_cannot_be_set)
{
	const char *path = VMEM_MODULE "/parameters/memslot_limit";
	char buf[32];

	test_err(EINVAL, write_file(path, "0"));
	test_err(EINVAL, write_file(path, "-1"));
	test_err(EINVAL, write_file(path, "many"));
	ASSERT_LT(0, read_file(path, buf, sizeof(buf)));
	ASSERT_STREQ("4096", buf);
}

TEST_F(setup, is_what_the_device_then_says)
{
	struct kvm_vmem_get_config config;

	self->arg.requested_size = GiB;
	self->arg.node_id = 3;
	strcpy((char *)self->arg.label, "vm one, dimm 0");
	test_ok(vmem_setup(self->dev, &self->arg));

	test_ok(vmem_get_config(self->dev, &config));
	ASSERT_EQ(2 * MiB, config.out_block_size);
	ASSERT_EQ(4 * GiB, config.out_addr);
	ASSERT_EQ(4 * GiB, config.out_region_size);
	ASSERT_EQ(GiB + 256 * MiB, config.out_usable_region_size);
	ASSERT_EQ(0, config.out_plugged_size);
	ASSERT_EQ(GiB, config.out_requested_size);
	ASSERT_EQ(3, config.out_node_id);

	test_ok(vmem_get_info(self->dev, &self->info));
	ASSERT_EQ(self->arg.out_id, self->info.out_id);
	ASSERT_EQ(DYNAMIC, self->info.out_setup_flags);
	ASSERT_EQ(0, self->info.out_state);
	ASSERT_EQ(3, self->info.out_node_id);
	ASSERT_EQ(4 * GiB, self->info.out_addr);
	ASSERT_EQ(4 * GiB, self->info.out_max_size);
	ASSERT_EQ(0, self->info.out_size);
	ASSERT_EQ(GiB, self->info.out_requested_size);
	ASSERT_EQ(GiB + 256 * MiB, self->info.out_usable_region_size);
	ASSERT_EQ(2 * MiB, self->info.out_block_size);
	ASSERT_EQ(0, self->info.out_userspace_addr);
	ASSERT_EQ(0, self->info.out_alignment);
	ASSERT_EQ(0, self->info.out_first_memslot_id);
	ASSERT_EQ(0, self->info.out_nb_kvm_calls);
	ASSERT_STREQ("vm one, dimm 0", (char *)self->info.out_label);
}

TEST_F(setup, a_label_of_63_characters_is_taken)
{
	memset(self->arg.label, '~', KVM_VMEM_LABEL_LEN - 1);
	test_ok(vmem_setup(self->dev, &self->arg));
	test_ok(vmem_get_info(self->dev, &self->info));
	ASSERT_EQ(0, memcmp(self->arg.label, self->info.out_label,
			    KVM_VMEM_LABEL_LEN));
}

TEST_F(setup, devices_have_ids_of_their_own)
{
	struct kvm_vmem_setup other = self->arg;
	int dev = vmem_open();

	ASSERT_LE(0, dev);
	test_ok(vmem_setup(self->dev, &self->arg));
	test_ok(vmem_setup(dev, &other));
	ASSERT_NE(self->arg.out_id, other.out_id);
	ASSERT_EQ(0, close(dev));
}

TEST_HARNESS_MAIN
