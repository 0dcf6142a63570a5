// SPDX-License-Identifier: GPL-2.0
/* ATTACH: which mappings it takes, and what it does. See vm_fd_test, sharing_test. */
#include "harness.h"

#include <sys/socket.h>

/* x86: KVM_CAP_NR_MEMSLOTS */
#define NR_IDS 32764

/* A device that only has to be attached: 4 GiB of memfd at 4 GiB. */
FIXTURE(attach) {
	struct rig rig;
	struct kvm_vmem_attach good;
};

FIXTURE_SETUP(attach)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.nr_vcpus = 1,
	};

	test_ok(rig_prepare(&self->rig, &options));
	self->good = self->rig.attach;
}

FIXTURE_TEARDOWN(attach)
{
	rig_destroy(&self->rig);
}

/* Nothing of the device's is left in the VM: another memslot can be there. */
static int map_all_over(struct rig *rig, unsigned int address_space)
{
	uint32_t slot = address_space << 16 | 1;
	int ret = vm_set_memslot(rig->vm.fd, slot, rig->addr, rig->backing.size,
				 rig->backing.addr);

	if (!ret)
		ret = vm_set_memslot(rig->vm.fd, slot, rig->addr, 0,
				     rig->backing.addr);
	return ret;
}

/* The device is as before, and can be attached well. */
#define test_refused(error) do { \
	test_err_unchanged(error, self->rig.dev, rig_attach(&self->rig)); \
	test_ok(map_all_over(&self->rig, 0)); \
	self->rig.attach = self->good; \
	test_ok(rig_attach(&self->rig)); \
	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 1)); \
} while (0)

TEST_F(attach, an_unmapped_address_is_EFAULT)
{
	self->rig.attach.userspace_addr = 0;
	test_refused(EFAULT);
}

TEST_F(attach, an_address_of_the_kernel_is_EFAULT)
{
	self->rig.attach.userspace_addr = -8 * GiB;
	test_refused(EFAULT);
}

TEST_F(attach, an_address_that_overflows_is_EFAULT)
{
	self->rig.attach.userspace_addr = -2 * MiB;
	test_refused(EFAULT);
}

TEST_F(attach, a_mapping_that_ends_early_is_EFAULT)
{
	char *end = self->rig.backing.addr + self->rig.backing.size;

	ASSERT_EQ(0, munmap(end - 4096, 4096));
	test_err_unchanged(EFAULT, self->rig.dev, rig_attach(&self->rig));
}

TEST_F(attach, a_hole_in_the_mapping_is_EFAULT)
{
	ASSERT_EQ(0, munmap(self->rig.backing.addr + 2 * GiB, 4096));
	test_err_unchanged(EFAULT, self->rig.dev, rig_attach(&self->rig));
}

/* A hole of one page is where the kernel would put a page of the module's. */
TEST_F(attach, a_hole_in_a_mapping_without_a_file_is_EFAULT)
{
	const struct rig_options options = { .backing = BACKING_ANON };
	struct rig rig;

	test_ok(rig_prepare(&rig, &options));
	ASSERT_EQ(0, munmap(rig.backing.addr + 2 * GiB, 4096));
	test_err_unchanged(EFAULT, rig.dev, rig_attach(&rig));
	test_err_unchanged(EFAULT, rig.dev, rig_attach(&rig));
	rig_destroy(&rig);
}

static int count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int c, nb = 0;

	if (!maps)
		return -1;
	while ((c = getc(maps)) != EOF)
		nb += c == '\n';
	fclose(maps);
	return nb;
}

TEST_F(attach, leaves_no_mapping_behind)
{
	const struct rig_options options = { .backing = BACKING_MEMFD };
	int before = count_mappings();
	struct rig rig;

	test_ok(rig_prepare(&rig, &options));
	rig.attach.first_memslot_id = NR_IDS;
	test_err(EINVAL, rig_attach(&rig));
	rig_destroy(&rig);
	ASSERT_EQ(before, count_mappings());
	test_ok(rig_create(&rig, &options));
	rig_destroy(&rig);
	ASSERT_EQ(before, count_mappings());
}

TEST_F(attach, a_mapping_that_cannot_be_written_is_EACCES)
{
	char *addr = self->rig.backing.addr;

	ASSERT_EQ(0, mprotect(addr, self->rig.backing.size, PROT_READ));
	test_err_unchanged(EACCES, self->rig.dev, rig_attach(&self->rig));
	ASSERT_EQ(0, mprotect(addr, self->rig.backing.size,
			      PROT_READ | PROT_WRITE));
	test_ok(rig_attach(&self->rig));
}

TEST_F(attach, a_page_that_cannot_be_written_is_EACCES)
{
	char *addr = self->rig.backing.addr + 3 * GiB;

	ASSERT_EQ(0, mprotect(addr, 4096, PROT_READ));
	test_err_unchanged(EACCES, self->rig.dev, rig_attach(&self->rig));
	ASSERT_EQ(0, mprotect(addr, 4096, PROT_READ | PROT_WRITE));
	test_ok(rig_attach(&self->rig));
}

/* Map something else over a part of the region. */
static int map_over(struct rig *rig, uint64_t from, uint64_t size, int flags,
		    int fd, uint64_t offset)
{
	return mmap(rig->backing.addr + from, size, PROT_READ | PROT_WRITE,
		    flags | MAP_FIXED | MAP_NORESERVE, fd, offset) == MAP_FAILED;
}

TEST_F(attach, a_mapping_of_another_file_is_EINVAL)
{
	int other = memfd_create("other", 0);

	ASSERT_EQ(0, ftruncate(other, 4 * GiB));
	ASSERT_EQ(0, map_over(&self->rig, 0, 4 * GiB, MAP_SHARED, other, 0));
	test_err_unchanged(EINVAL, self->rig.dev, rig_attach(&self->rig));
}

TEST_F(attach, a_part_that_maps_another_file_is_EINVAL)
{
	ASSERT_EQ(0, map_over(&self->rig, 3 * GiB, 4096,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	test_err_unchanged(EINVAL, self->rig.dev, rig_attach(&self->rig));
}

TEST_F(attach, a_mapping_at_another_offset_is_EINVAL)
{
	ASSERT_EQ(0, map_over(&self->rig, 0, GiB, MAP_SHARED,
			      self->rig.backing.fd, GiB));
	test_err_unchanged(EINVAL, self->rig.dev, rig_attach(&self->rig));
	ASSERT_EQ(0, map_over(&self->rig, 0, GiB, MAP_SHARED,
			      self->rig.backing.fd, 0));
	test_ok(rig_attach(&self->rig));
}

TEST_F(attach, a_private_mapping_of_the_file_is_EINVAL)
{
	ASSERT_EQ(0, map_over(&self->rig, 0, 4 * GiB, MAP_PRIVATE,
			      self->rig.backing.fd, 0));
	test_err_unchanged(EINVAL, self->rig.dev, rig_attach(&self->rig));
}

TEST_F(attach, anonymous_memory_instead_of_the_file_is_EINVAL)
{
	ASSERT_EQ(0, map_over(&self->rig, 0, 4 * GiB,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	test_err_unchanged(EINVAL, self->rig.dev, rig_attach(&self->rig));
}

TEST_F(attach, huge_pages_larger_than_a_block_are_EINVAL)
{
	const struct rig_options options = {
		.backing = BACKING_HUGETLB,
		.no_fd = true,
		.block_size = MiB,
	};
	struct rig rig;

	test_ok(rig_prepare(&rig, &options));
	test_err_unchanged(EINVAL, rig.dev, rig_attach(&rig));
	rig_destroy(&rig);
}

TEST_F(attach, an_address_misaligned_against_the_block_is_EINVAL)
{
	self->rig.attach.userspace_addr += MiB;
	test_refused(EINVAL);
}

TEST_F(attach, an_address_misaligned_against_the_page_is_EINVAL)
{
	self->rig.attach.userspace_addr += 1;
	test_refused(EINVAL);
}

TEST_F(attach, no_address_space_is_EINVAL)
{
	self->rig.attach.address_spaces = 0;
	test_refused(EINVAL);
}

TEST_F(attach, the_smm_address_space_alone_is_EINVAL)
{
	self->rig.attach.address_spaces = 2;
	test_refused(EINVAL);
}

TEST_F(attach, an_address_space_that_the_vm_has_not_is_ENOENT)
{
	self->rig.attach.address_spaces = 1 | 4;
	test_refused(ENOENT);
}

TEST_F(attach, all_address_spaces_that_can_be_asked_for_are_ENOENT)
{
	self->rig.attach.address_spaces = ~0U;
	test_refused(ENOENT);
}

static int map_page_of_vmm(struct rig *rig, uint64_t gpa, uint64_t size)
{
	return vm_set_memslot(rig->vm.fd, 1, gpa, size, rig->backing.addr);
}

TEST_F(attach, a_memslot_at_the_end_of_the_region_is_EEXIST)
{
	uint64_t gpa = self->rig.addr + 4 * GiB - 4096;

	test_ok(map_page_of_vmm(&self->rig, gpa, 4096));
	test_err_unchanged(EEXIST, self->rig.dev, rig_attach(&self->rig));
	test_ok(map_page_of_vmm(&self->rig, gpa, 0));
	test_ok(rig_attach(&self->rig));
}

TEST_F(attach, a_memslot_at_the_start_of_the_region_is_EEXIST)
{
	test_ok(map_page_of_vmm(&self->rig, self->rig.addr, 4096));
	test_err_unchanged(EEXIST, self->rig.dev, rig_attach(&self->rig));
	test_ok(map_page_of_vmm(&self->rig, self->rig.addr, 0));
	test_ok(rig_attach(&self->rig));
}

TEST_F(attach, a_memslot_next_to_the_region_is_no_obstacle)
{
	test_ok(map_page_of_vmm(&self->rig, self->rig.addr + 4 * GiB, 4096));
	test_ok(rig_attach(&self->rig));
	test_ack(vmem_plug(self->rig.dev, self->rig.addr + 3 * GiB, 512));
}

TEST_F(attach, a_memslot_in_a_static_region_is_EEXIST)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.is_static = true,
	};
	struct rig rig;

	test_ok(rig_prepare(&rig, &options));
	test_ok(map_page_of_vmm(&rig, rig.addr + 2 * GiB, 4096));
	test_err_unchanged(EEXIST, rig.dev, rig_attach(&rig));
	test_ok(map_page_of_vmm(&rig, rig.addr + 2 * GiB, 0));
	test_ok(rig_attach(&rig));
	rig_destroy(&rig);
}

TEST_F(attach, a_region_beyond_the_physical_addresses_of_the_vm_is_EINVAL)
{
	const struct rig_options options = {
		.addr = 1ULL << 52,
	};
	struct rig rig;

	test_ok(rig_prepare(&rig, &options));
	test_err_unchanged(EINVAL, rig.dev, rig_attach(&rig));
	rig_destroy(&rig);
}

TEST_F(attach, discards_the_file)
{
	char *addr = self->rig.backing.addr;

	addr[0] = 1;
	addr[4 * GiB - 1] = 1;
	ASSERT_EQ(8192, backing_resident(&self->rig.backing));
	test_ok(rig_attach(&self->rig));
	ASSERT_EQ(0, backing_resident(&self->rig.backing));
	ASSERT_EQ(0, addr[0]);
}

TEST_F(attach, leaves_memory_outside_of_the_region_in_the_file)
{
	const struct rig_options options = { .region_size = GiB };
	struct kvm_vmem_attach attach;
	struct kvm_vmem_setup setup;
	struct backing backing;
	char *file;
	int dev;

	test_ok(backing_create(&backing, BACKING_MEMFD, GiB, GiB));
	ASSERT_EQ(0, ftruncate(backing.fd, 3 * GiB));
	file = mmap(NULL, 3 * GiB, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_NORESERVE, backing.fd, 0);
	ASSERT_NE(MAP_FAILED, file);
	file[GiB - 1] = 1;
	file[GiB] = 2;
	file[2 * GiB - 1] = 3;
	file[2 * GiB] = 4;

	dev = vmem_open();
	fill_setup(&setup, &backing, &options);
	test_ok(vmem_setup(dev, &setup));
	fill_attach(&attach, &self->rig.vm, &backing);
	test_ok(vmem_attach(dev, &attach));
	ASSERT_EQ(1, file[GiB - 1]);
	ASSERT_EQ(0, file[GiB]);
	ASSERT_EQ(0, file[2 * GiB - 1]);
	ASSERT_EQ(4, file[2 * GiB]);
}

TEST_F(attach, leaves_no_memslot_with_dynamic_memslots)
{
	test_ok(rig_attach(&self->rig));
	ASSERT_EQ(0, vmem_get_memslots(self->rig.dev, NULL, 0));
	test_group(self->rig.dev, 0, 0);
	test_ok(map_all_over(&self->rig, 0));
}

TEST_F(attach, says_what_it_did)
{
	struct kvm_vmem_get_info info;

	test_ok(rig_attach(&self->rig));
	test_ok(vmem_get_info(self->rig.dev, &info));
	ASSERT_EQ(KVM_VMEM_INFO_ATTACHED, info.out_state);
	ASSERT_EQ((uintptr_t)self->rig.backing.addr, info.out_userspace_addr);
	ASSERT_EQ(GiB, info.out_alignment);
	ASSERT_EQ(NR_IDS - 4, info.out_first_memslot_id);
	ASSERT_EQ(4, info.out_nb_memslots);
	ASSERT_EQ(GiB, self->rig.attach.out_memslot_size);
}

static bool setup_by_launcher(int sock)
{
	const struct rig_options options = { .region_size = GiB };
	const struct backing none = { .size = GiB, .fd = -1 };
	struct kvm_vmem_setup setup;
	int dev = vmem_open();

	fill_setup(&setup, &none, &options);
	return dev >= 0 && !vmem_setup(dev, &setup) && !send_fd(sock, dev);
}

TEST_F(attach, a_device_can_be_set_up_by_a_launcher)
{
	struct kvm_vmem_attach attach;
	struct backing backing;
	int socks[2], dev;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	test_child(setup_by_launcher(socks[1]));
	dev = recv_fd(socks[0]);
	ASSERT_LE(0, dev);

	test_ok(backing_create(&backing, BACKING_ANON, GiB, 0));
	fill_attach(&attach, &self->rig.vm, &backing);
	test_ok(vmem_attach(dev, &attach));
}

TEST_HARNESS_MAIN
