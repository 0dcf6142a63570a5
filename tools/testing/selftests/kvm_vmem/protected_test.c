// SPDX-License-Identifier: GPL-2.0
/*
 * Protected backing as a mapping: who may map it and how, and that whatever a
 * process does to its mappings, unplugged blocks stay out of reach and without
 * memory. The device has 4 GiB at 4 GiB, blocks of 2 MiB, memslots of 1 GiB;
 * blocks 0 and 2 are plugged.
 */
#include "harness.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "access.h"

#define BLOCK (2 * MiB)
#define PAGE 4096
#define REGION (4 * GiB)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define RW (PROT_READ | PROT_WRITE)

FIXTURE(protected) {
	struct rig rig;
	uint32_t id;
	int dev;
	char *memory;
	uint64_t addr;
	int refcount;
	uint64_t shmem;
};

FIXTURE_SETUP(protected)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
	};

	self->refcount = module_refcount();
	self->shmem = host_shmem();
	test_ok(rig_create(&self->rig, &options));
	self->id = self->rig.setup.out_id;
	self->dev = self->rig.dev;
	self->memory = self->rig.backing.addr;
	self->addr = self->rig.addr;
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_ack(vmem_plug(self->dev, self->addr + 2 * BLOCK, 1));
}

FIXTURE_TEARDOWN(protected)
{
	rig_destroy(&self->rig);
}

static uint64_t resident(uint32_t id)
{
	return device_value(id, "resident");
}

static char *map(int dev, int prot, uint64_t offset, uint64_t size)
{
	return mmap(NULL, size, prot, MAP_SHARED, dev, offset);
}

static int map_error(int dev, int prot, int flags, uint64_t offset,
		     uint64_t size)
{
	void *addr = mmap(NULL, size, prot, flags, dev, offset);

	if (addr == MAP_FAILED)
		return -errno;
	munmap(addr, size);
	return 0;
}

/* The four blocks of a mapping of the region's first: 0 and 2 are plugged. */
#define test_enforced(memory) do { \
	ASSERT_EQ(0, try_touch(memory)); \
	ASSERT_EQ(-SIGBUS, try_touch((memory) + BLOCK)); \
	ASSERT_EQ(-SIGBUS, try_write((memory) + 2 * BLOCK - 8, 1)); \
	ASSERT_EQ(0, try_touch((memory) + 2 * BLOCK)); \
	ASSERT_EQ(-SIGBUS, try_write((memory) + 3 * BLOCK, 1)); \
} while (0)

TEST_F(protected, a_private_mapping_is_refused)
{
	test_err(EINVAL, map_error(self->dev, RW, MAP_PRIVATE, 0, REGION));
	test_err(EINVAL, map_error(self->dev, PROT_READ, MAP_PRIVATE, 0, PAGE));
	test_ok(map_error(self->dev, RW, MAP_SHARED, 0, REGION));
}

TEST_F(protected, an_executable_mapping_is_refused)
{
	test_err(EACCES, map_error(self->dev, RW | PROT_EXEC, MAP_SHARED, 0,
				   REGION));
	test_err(EACCES, map_error(self->dev, PROT_EXEC, MAP_SHARED, 0, PAGE));
	ASSERT_EQ(-1, mprotect(self->memory, PAGE, PROT_READ | PROT_EXEC));
	ASSERT_EQ(EACCES, errno);
}

TEST_F(protected, a_mapping_beyond_the_region_is_refused)
{
	static const struct {
		uint64_t offset, size;
	} bad[] = {
		{ 0, REGION + PAGE },
		{ REGION, PAGE },
		{ REGION - PAGE, 2 * PAGE },
		{ PAGE, REGION },
		{ 1ULL << 62, PAGE },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		test_err(EINVAL, map_error(self->dev, RW, MAP_SHARED,
					   bad[i].offset, bad[i].size));
	test_ok(map_error(self->dev, RW, MAP_SHARED, REGION - PAGE, PAGE));
}

TEST_F(protected, a_part_maps_the_bytes_at_its_offset)
{
	uint64_t offset = 2 * BLOCK + 5 * PAGE, value;
	char *part = map(self->dev, RW, offset, BLOCK);

	ASSERT_NE(MAP_FAILED, part);
	test_ok(try_write(self->memory + offset, 0x1111));
	test_ok(try_write(self->memory + offset + 3 * PAGE, 0x2222));
	test_ok(try_read(part, &value));
	ASSERT_EQ(0x1111, value);
	test_ok(try_read(part + 3 * PAGE, &value));
	ASSERT_EQ(0x2222, value);
	/* Block 2 ends 5 pages before the part does. */
	test_ok(try_touch(part + BLOCK - 6 * PAGE));
	ASSERT_EQ(-SIGBUS, try_touch(part + BLOCK - 5 * PAGE));
	munmap(part, BLOCK);
}

TEST_F(protected, two_mappings_share_one_memory)
{
	char *other = map(self->dev, RW, 0, 4 * BLOCK);
	uint64_t value;

	ASSERT_NE(MAP_FAILED, other);
	test_ok(try_write(other + 8, 77));
	test_ok(try_read(self->memory + 8, &value));
	ASSERT_EQ(77, value);
	ASSERT_EQ(BLOCK, resident(self->id));
	test_enforced(other);
	/* Unplugging takes it from both. */
	test_ack(vmem_unplug(self->dev, self->addr, 1));
	ASSERT_EQ(-SIGBUS, try_touch(other + 8));
	ASSERT_EQ(-SIGBUS, try_touch(self->memory + 8));
	munmap(other, 4 * BLOCK);
}

TEST_F(protected, a_read_only_mapping_is_not_written)
{
	char *other = map(self->dev, PROT_READ, 0, 4 * BLOCK);
	uint64_t value = 1;

	ASSERT_NE(MAP_FAILED, other);
	test_ok(try_read(other, &value));
	ASSERT_EQ(0, value);
	ASSERT_EQ(-SIGSEGV, try_write(other, 1));
	ASSERT_EQ(-SIGBUS, try_touch(other + BLOCK));
	ASSERT_EQ(-SIGSEGV, try_write(other + BLOCK, 1));
	ASSERT_EQ(0, mprotect(other, 4 * BLOCK, RW));
	test_enforced(other);
	test_ok(try_write(other, 1));
	munmap(other, 4 * BLOCK);
}

TEST_F(protected, mremap_does_not_grow_a_mapping)
{
	char *other = map(self->dev, RW, 0, 2 * BLOCK);

	ASSERT_NE(MAP_FAILED, other);
	ASSERT_EQ(MAP_FAILED, mremap(other, 2 * BLOCK, 4 * BLOCK,
				     MREMAP_MAYMOVE));
	ASSERT_EQ(EFAULT, errno);
	/* An old size of 0 asks for a second mapping. */
	ASSERT_EQ(MAP_FAILED, mremap(other, 0, 2 * BLOCK, MREMAP_MAYMOVE));
	test_ok(try_touch(other));
	ASSERT_EQ(other, mremap(other, 2 * BLOCK, BLOCK, 0));
	ASSERT_EQ(-SIGSEGV, try_touch(other + BLOCK));
	test_ok(try_touch(other));
	munmap(other, BLOCK);
}

TEST_F(protected, a_moved_mapping_is_still_enforced)
{
	char *other = map(self->dev, RW, 0, 4 * BLOCK), *moved;
	char *target = mmap(NULL, 8 * BLOCK, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t value;

	ASSERT_NE(MAP_FAILED, other);
	ASSERT_NE(MAP_FAILED, target);
	test_ok(try_write(other, 0xabc));
	/* Not where it would be congruent. */
	target += 3 * PAGE;
	moved = mremap(other, 4 * BLOCK, 4 * BLOCK,
		       MREMAP_MAYMOVE | MREMAP_FIXED, target);
	ASSERT_EQ(target, moved);
	test_ok(try_read(moved, &value));
	ASSERT_EQ(0xabc, value);
	test_enforced(moved);
	ASSERT_EQ(-SIGSEGV, try_touch(other));
	test_ack(vmem_unplug(self->dev, self->addr, 1));
	ASSERT_EQ(-SIGBUS, try_touch(moved));
}

/* It would map the file behind the device as that file says, unguarded. */
TEST_F(protected, remap_file_pages_is_refused)
{
	ASSERT_EQ(-1, remap_file_pages(self->memory, 2 * BLOCK, 0, BLOCK / PAGE, 0));
	ASSERT_EQ(ENODEV, errno);
	test_enforced(self->memory);
}

TEST_F(protected, what_is_left_of_an_unmapped_mapping_is_enforced)
{
	char *other = map(self->dev, RW, 0, 6 * BLOCK);

	ASSERT_NE(MAP_FAILED, other);
	ASSERT_EQ(0, munmap(other + 2 * BLOCK, 2 * BLOCK));
	test_ok(try_touch(other));
	ASSERT_EQ(-SIGBUS, try_touch(other + BLOCK));
	ASSERT_EQ(-SIGSEGV, try_touch(other + 2 * BLOCK));
	ASSERT_EQ(-SIGBUS, try_touch(other + 4 * BLOCK));
	test_ack(vmem_plug(self->dev, self->addr + 4 * BLOCK, 1));
	test_ok(try_write(other + 4 * BLOCK, 5));
	ASSERT_EQ(5, *(uint64_t *)(self->memory + 4 * BLOCK));
	munmap(other, 6 * BLOCK);
}

TEST_F(protected, mprotect_of_a_part_leaves_the_rest_enforced)
{
	char *other = map(self->dev, RW, 0, 4 * BLOCK);

	ASSERT_NE(MAP_FAILED, other);
	ASSERT_EQ(0, mprotect(other + PAGE, 2 * BLOCK, PROT_NONE));
	test_ok(try_touch(other));
	ASSERT_EQ(-SIGSEGV, try_touch(other + PAGE));
	ASSERT_EQ(-SIGSEGV, try_touch(other + BLOCK));
	ASSERT_EQ(-SIGBUS, try_touch(other + 3 * BLOCK));
	ASSERT_EQ(0, mprotect(other + PAGE, 2 * BLOCK, RW));
	test_enforced(other);
	munmap(other, 4 * BLOCK);
}

TEST_F(protected, unplugged_blocks_get_no_memory_from_madvise)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_REMOVE, MADV_WILLNEED, MADV_HUGEPAGE,
		MADV_COLD, MADV_PAGEOUT, MADV_COLLAPSE, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE,
	};
	unsigned int i;

	for (i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		madvise(self->memory + BLOCK, BLOCK, advice[i]);
		ASSERT_EQ(0, resident(self->id))
			TH_LOG("advice %d", advice[i]);
		ASSERT_EQ(-SIGBUS, try_touch(self->memory + BLOCK));
	}
	ASSERT_EQ(-1, madvise(self->memory + BLOCK, BLOCK,
			      MADV_POPULATE_WRITE));
	ASSERT_EQ(EFAULT, errno);
	ASSERT_EQ(-1, madvise(self->memory + BLOCK, BLOCK, MADV_COLLAPSE));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(0, resident(self->id));
}

TEST_F(protected, populating_stops_at_an_unplugged_block)
{
	ASSERT_EQ(-1, madvise(self->memory, 4 * BLOCK, MADV_POPULATE_WRITE));
	ASSERT_EQ(EFAULT, errno);
	ASSERT_EQ(BLOCK, resident(self->id));
	ASSERT_EQ(0, madvise(self->memory + 2 * BLOCK, BLOCK,
			     MADV_POPULATE_WRITE));
	ASSERT_EQ(2 * BLOCK, resident(self->id));
	/* MAP_POPULATE is best effort, as everywhere. */
	ASSERT_EQ(self->memory + 2 * BLOCK,
		  mmap(self->memory + 2 * BLOCK, 2 * BLOCK, RW,
		       MAP_SHARED | MAP_FIXED | MAP_POPULATE, self->dev,
		       2 * BLOCK));
	ASSERT_EQ(2 * BLOCK, resident(self->id));
}

TEST_F(protected, madvise_of_a_plugged_block_is_that_of_a_file)
{
	uint64_t value;

	test_ok(try_write(self->memory, 0x33));
	ASSERT_EQ(0, madvise(self->memory, BLOCK, MADV_DONTNEED));
	test_ok(try_read(self->memory, &value));
	ASSERT_EQ(0x33, value);
	ASSERT_EQ(BLOCK, resident(self->id));
	ASSERT_EQ(0, madvise(self->memory, BLOCK, MADV_REMOVE));
	ASSERT_EQ(0, resident(self->id));
	test_ok(guest_read(&self->rig.vm.vcpus[0], self->addr, &value));
	ASSERT_EQ(0, value);
	test_ok(try_read(self->memory, &value));
	ASSERT_EQ(0, value);
}

TEST_F(protected, mlock_allocates_plugged_blocks_only)
{
	ASSERT_EQ(0, mlock(self->memory, BLOCK));
	ASSERT_EQ(BLOCK, resident(self->id));
	ASSERT_EQ(-1, mlock(self->memory + BLOCK, BLOCK));
	ASSERT_EQ(ENOMEM, errno);
	ASSERT_EQ(BLOCK, resident(self->id));
	test_ack(vmem_unplug_sync(self->dev, self->addr, 1));
	ASSERT_EQ(0, resident(self->id));
	ASSERT_EQ(-SIGBUS, try_touch(self->memory));
}

TEST_F(protected, a_fork_shares_the_memory)
{
	test_ok(try_write(self->memory, 1));
	test_child(*(uint64_t *)self->memory == 1 &&
		   !try_write(self->memory, 2) &&
		   !try_write(self->memory + 2 * BLOCK, 3) &&
		   try_write(self->memory + BLOCK, 3) == -SIGBUS &&
		   resident(self->id) == 2 * BLOCK);
	ASSERT_EQ(2, *(uint64_t *)self->memory);
	ASSERT_EQ(3, *(uint64_t *)(self->memory + 2 * BLOCK));
	ASSERT_EQ(2 * BLOCK, resident(self->id));
}

/* A child that does the second half when it is told to. */
static int fork_and_wait(int *child_sock, pid_t *pid)
{
	int socks[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, socks))
		return -errno;
	*pid = fork();
	if (*pid < 0)
		return -errno;
	close(socks[!*pid]);
	*child_sock = socks[!!*pid];
	return 0;
}

TEST_F(protected, a_childs_mapping_outlives_the_device)
{
	int sock = -1, status;
	char byte = 0;
	pid_t pid = -1;

	test_ok(try_write(self->memory, 1));
	test_ok(fork_and_wait(&sock, &pid));
	if (!pid) {
		bool good = !try_touch(self->memory);

		close(self->dev);
		good &= write(sock, &byte, 1) == 1;
		good &= read(sock, &byte, 1) == 1;
		/* The parent closed the device: all blocks are unplugged. */
		good &= try_touch(self->memory) == -SIGBUS;
		good &= try_touch(self->memory + BLOCK) == -SIGBUS;
		good &= try_write(self->memory + 2 * BLOCK, 1) == -SIGBUS;
		good &= !munmap(self->memory, REGION);
		_exit(!good);
	}
	ASSERT_EQ(1, read(sock, &byte, 1));
	test_ok(try_touch(self->memory));
	rig_destroy(&self->rig);
	ASSERT_LT(self->refcount, module_refcount());
	ASSERT_EQ(1, write(sock, &byte, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	test_becomes(self->refcount, module_refcount());
	close(sock);
}

TEST_F(protected, a_file_that_survived_exec_keeps_the_device)
{
	int pipes[2], status;
	pid_t pid;

	test_ok(try_write(self->memory, 9));
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		fcntl(self->dev, F_SETFD, 0);
		dup2(pipes[0], 0);
		execl("/bin/sh", "sh", "-c", "read line", NULL);
		_exit(1);
	}
	close(pipes[0]);
	/* The parent's mapping goes with its file; the child has only that. */
	rig_destroy(&self->rig);
	ASSERT_EQ(1, count_devices());
	ASSERT_EQ(BLOCK, resident(self->id));
	ASSERT_EQ(1, write(pipes[1], "\n", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	test_becomes(0, count_devices());
	test_becomes(self->refcount, module_refcount());
	close(pipes[1]);
}

TEST_F(protected, closing_the_device_takes_all_memory_from_its_mappings)
{
	/* Much more than what the host's counter may be off. */
	uint64_t i, nb = 32;

	test_ack(vmem_plug(self->dev, self->addr + GiB, nb));
	for (i = 0; i < nb; i++)
		test_ok(try_write(self->memory + GiB + i * BLOCK, i));
	test_ok(try_write(self->memory, 1));
	ASSERT_EQ((nb + 1) * BLOCK, resident(self->id));
	ASSERT_EQ(self->refcount + 2, module_refcount());

	vm_destroy(&self->rig.vm);
	close(self->dev);
	self->rig.dev = -1;
	for (i = 0; i < nb; i++)
		ASSERT_EQ(-SIGBUS, try_touch(self->memory + GiB + i * BLOCK));
	ASSERT_EQ(-SIGBUS, try_write(self->memory, 1));
	test_at_most(self->shmem + 8 * MiB, host_shmem());

	ASSERT_EQ(self->refcount + 1, module_refcount());
	munmap(self->memory, REGION);
	test_becomes(self->refcount, module_refcount());
}

TEST_F(protected, the_module_stays_while_a_mapping_lives)
{
	vm_destroy(&self->rig.vm);
	close(self->dev);
	self->rig.dev = -1;
	test_becomes(0, count_devices());
	ASSERT_EQ(-1, syscall(SYS_delete_module, "kvm_vmem", O_NONBLOCK));
	ASSERT_EQ(EAGAIN, errno);
	ASSERT_EQ(-SIGBUS, try_touch(self->memory));
}

TEST_F(protected, mappings_suit_the_largest_pages)
{
	struct kvm_vmem_get_info info;
	uint64_t offset = GiB + 5 * BLOCK;
	char *part = map(self->dev, RW, offset, BLOCK), *fixed;

	test_ok(vmem_get_info(self->dev, &info));
	ASSERT_EQ(GiB, info.out_alignment);
	ASSERT_EQ(0, ((uintptr_t)self->memory ^ self->addr) % GiB);
	ASSERT_NE(MAP_FAILED, part);
	ASSERT_EQ(0, ((uintptr_t)part ^ (self->addr + offset)) % GiB);
	/* Who says where, gets it there. */
	fixed = mmap(part, PAGE, RW, MAP_SHARED | MAP_FIXED, self->dev, 0);
	ASSERT_EQ(part, fixed);
	test_ok(try_touch(fixed));
	munmap(part, BLOCK);
}

TEST_F(protected, the_file_is_neither_resized_nor_sealed)
{
	test_ok(try_write(self->memory, 4));
	ASSERT_EQ(-1, ftruncate(self->dev, 0));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(-1, ftruncate(self->dev, 2 * REGION));
	ASSERT_EQ(-1, fallocate(self->dev, 0, BLOCK, BLOCK));
	ASSERT_EQ(-1, fallocate(self->dev, FALLOC_FL_PUNCH_HOLE |
				FALLOC_FL_KEEP_SIZE, 0, BLOCK));
	ASSERT_EQ(-1, fcntl(self->dev, F_ADD_SEALS, F_SEAL_WRITE));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(-1, fcntl(self->dev, F_GET_SEALS));
	ASSERT_EQ(BLOCK, resident(self->id));
	ASSERT_EQ(4, *(uint64_t *)self->memory);
}

static void map_files_path(char *path, size_t size, char *memory)
{
	snprintf(path, size, "/proc/self/map_files/%llx-%llx",
		 (unsigned long long)(uintptr_t)memory,
		 (unsigned long long)(uintptr_t)memory + REGION);
}

TEST_F(protected, not_even_root_opens_the_file_behind_a_mapping)
{
	static const int flags[] = {
		O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_TRUNC, O_RDWR | O_DIRECT,
	};
	char path[128];
	unsigned int i;

	test_ok(try_write(self->memory, 6));
	map_files_path(path, sizeof(path), self->memory);
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		ASSERT_EQ(-1, open(path, flags[i] | O_CLOEXEC));
		/* O_TRUNC meets the seals before it meets the file. */
		ASSERT_TRUE(errno == EACCES ||
			    (flags[i] & O_TRUNC && errno == EPERM));
	}
	ASSERT_EQ(6, *(uint64_t *)self->memory);
	ASSERT_EQ(BLOCK, resident(self->id));
}

TEST_F(protected, not_even_root_resizes_the_file_behind_a_mapping)
{
	static const uint64_t sizes[] = { 0, PAGE, REGION - PAGE, 2 * REGION };
	char path[128];
	unsigned int i;

	test_ok(try_write(self->memory, 6));
	map_files_path(path, sizeof(path), self->memory);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ASSERT_EQ(-1, truncate(path, sizes[i]));
		ASSERT_EQ(EPERM, errno);
	}
	ASSERT_EQ(6, *(uint64_t *)self->memory);
	test_ack(vmem_plug(self->dev, self->addr + REGION - BLOCK, 1));
	test_ok(try_write(self->memory + REGION - 8, 1));
}

TEST_F(protected, userfaultfd_is_refused)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)self->memory, .len = BLOCK },
	};
	static const uint64_t modes[] = {
		UFFDIO_REGISTER_MODE_MISSING, UFFDIO_REGISTER_MODE_WP,
		UFFDIO_REGISTER_MODE_MINOR,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	unsigned int i;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, UFFDIO_API, &api));
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		reg.mode = modes[i];
		ASSERT_EQ(-1, ioctl(fd, UFFDIO_REGISTER, &reg));
		ASSERT_EQ(EINVAL, errno);
	}
	close(fd);
}

TEST_F(protected, a_mapping_is_left_out_of_core_dumps)
{
	char line[256], range[64];
	bool here = false, dumped = true;
	FILE *smaps = fopen("/proc/self/smaps", "r");

	ASSERT_NE(NULL, smaps);
	snprintf(range, sizeof(range), "%lx-", (unsigned long)self->memory);
	while (fgets(line, sizeof(line), smaps)) {
		if (!strncmp(line, range, strlen(range)))
			here = true;
		else if (here && !strncmp(line, "VmFlags:", 8))
			break;
	}
	fclose(smaps);
	ASSERT_TRUE(here);
	dumped = !strstr(line, " dd");
	ASSERT_FALSE(dumped);
}

TEST_HARNESS_MAIN
