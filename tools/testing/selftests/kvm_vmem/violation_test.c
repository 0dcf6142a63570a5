// SPDX-License-Identifier: GPL-2.0
/*
 * Who touches an unplugged block of protected backing gets nothing, whoever it
 * is and however it tries; and everyone who should know of it does. The device
 * has 4 GiB at 4 GiB and blocks of 2 MiB, the even ones of the first sixteen
 * plugged, so that there is a memslot to reach the odd ones through.
 */
#include "harness.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "access.h"

#define BLOCK (2 * MiB)
#define PAGE 4096
#define REGION (4 * GiB)
#define NR_BLOCKS 16
/* Some word of block 3. */
#define OFFSET (3 * BLOCK + 7 * PAGE + 16)

FIXTURE(violation) {
	struct rig rig;
	struct vcpu *vcpu;
	uint32_t id;
	int dev;
	char *memory;
	uint64_t addr;
};

FIXTURE_VARIANT(violation) {
	struct rig_options options;
};

FIXTURE_VARIANT_ADD(violation, dynamic) {
	{ .backing = BACKING_PROTECTED, .nr_vcpus = 1 }
};

FIXTURE_VARIANT_ADD(violation, one_memslot) {
	{ .backing = BACKING_PROTECTED, .nr_vcpus = 1, .is_static = true }
};

FIXTURE_VARIANT_ADD(violation, small_blocks) {
	{
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
		.block_size = MiB,
	}
};

FIXTURE_SETUP(violation)
{
	struct rig *rig = &self->rig;
	uint64_t i;

	test_ok(rig_create(rig, &variant->options));
	self->vcpu = &rig->vm.vcpus[0];
	self->id = rig->setup.out_id;
	self->dev = rig->dev;
	self->memory = rig->backing.addr;
	self->addr = rig->addr;
	for (i = 0; i < NR_BLOCKS; i += 2)
		test_ack(vmem_plug(self->dev, self->addr + i * BLOCK,
				   BLOCK / rig->block));
}

FIXTURE_TEARDOWN(violation)
{
	rig_destroy(&self->rig);
}

static uint64_t nr_violations(int dev)
{
	struct kvm_vmem_get_info info;

	return vmem_get_info(dev, &info) ? 0 : info.out_nb_violations;
}

static uint64_t last_violation(int dev)
{
	struct kvm_vmem_get_info info;

	return vmem_get_info(dev, &info) ? 0 : info.out_last_violation;
}

/* The kernel may try several times on behalf of one who does so once. */
#define test_violation(offset, call) do { \
	uint64_t before_ = nr_violations(self->dev), shown_; \
	char last_[64], expected_[64]; \
\
	call; \
	ASSERT_LT(before_, nr_violations(self->dev)); \
	ASSERT_EQ((offset) & ~(PAGE - 1), last_violation(self->dev)); \
	shown_ = device_value(self->id, "violations"); \
	ASSERT_EQ(nr_violations(self->dev), shown_); \
	snprintf(expected_, sizeof(expected_), "0x%llx", \
		 (unsigned long long)((offset) & ~(PAGE - 1))); \
	ASSERT_LT(0, sysfs_read(self->id, "last_violation", last_, \
				sizeof(last_))); \
	ASSERT_STREQ(expected_, last_); \
	ASSERT_EQ(0, device_value(self->id, "resident")); \
} while (0)

TEST_F(violation, of_the_vmm_is_sigbus)
{
	test_violation(OFFSET, ASSERT_EQ(-SIGBUS,
					 try_touch(self->memory + OFFSET)));
	test_violation(OFFSET, ASSERT_EQ(-SIGBUS,
					 try_write(self->memory + OFFSET, 1)));
	test_violation(BLOCK, ASSERT_EQ(-SIGBUS,
					try_touch(self->memory + BLOCK)));
	test_violation(2 * BLOCK - 8,
		       ASSERT_EQ(-SIGBUS, try_write(self->memory +
						    2 * BLOCK - 8, 1)));
}

TEST_F(violation, of_the_guest_is_efault)
{
	uint64_t value;

	test_violation(OFFSET, test_err(EFAULT,
					guest_read(self->vcpu,
						   self->addr + OFFSET,
						   &value)));
	test_violation(OFFSET, test_err(EFAULT,
					guest_write(self->vcpu,
						    self->addr + OFFSET, 1)));
	/* It may go on. */
	test_ok(guest_write(self->vcpu, self->addr + 2 * BLOCK, 5));
	ASSERT_EQ(5, *(uint64_t *)(self->memory + 2 * BLOCK));
}

TEST_F(violation, of_a_system_call_is_efault)
{
	char *unplugged = self->memory + OFFSET;
	char byte = 1, path[] = "/dev/shm/kvm_vmem.XXXXXX";
	int pipes[2], file = mkstemp(path);

	ASSERT_LE(0, file);
	unlink(path);
	ASSERT_EQ(1, write(file, &byte, 1));
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(1, write(pipes[1], &byte, 1));

	test_violation(OFFSET,
		       ASSERT_EQ(-1, read(pipes[0], unplugged, 1));
		       ASSERT_EQ(EFAULT, errno));
	test_violation(OFFSET,
		       ASSERT_EQ(-1, write(pipes[1], unplugged, 64));
		       ASSERT_EQ(EFAULT, errno));
	test_violation(OFFSET,
		       ASSERT_EQ(-1, pread(file, unplugged, 1, 0));
		       ASSERT_EQ(EFAULT, errno));
	test_violation(OFFSET,
		       ASSERT_EQ(-1, pwrite(file, unplugged, 64, 0));
		       ASSERT_EQ(EFAULT, errno));
	close(file);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(violation, a_system_call_ends_where_the_plugged_blocks_end)
{
	char buf[128] = {}, path[] = "/dev/shm/kvm_vmem.XXXXXX";
	uint64_t before = nr_violations(self->dev);
	int file = mkstemp(path);

	ASSERT_LE(0, file);
	unlink(path);
	ASSERT_EQ(128, write(file, buf, 128));
	ASSERT_EQ(50, pread(file, self->memory + BLOCK - 50, 128, 0));
	ASSERT_LT(before, nr_violations(self->dev));
	ASSERT_EQ(BLOCK, last_violation(self->dev));
	close(file);
}

static ssize_t process_vm(pid_t pid, bool is_write, void *remote)
{
	uint64_t value = 1;
	struct iovec here = { .iov_base = &value, .iov_len = sizeof(value) };
	struct iovec there = { .iov_base = remote, .iov_len = sizeof(value) };
	ssize_t ret = is_write ?
		      process_vm_writev(pid, &here, 1, &there, 1, 0) :
		      process_vm_readv(pid, &here, 1, &there, 1, 0);

	return ret < 0 ? -errno : ret;
}

/* A process without a mapping of its own reaches into the VMM. */
static bool reaches_in(pid_t pid, char *memory, bool is_plugged)
{
	ssize_t expected = is_plugged ? 8 : -EFAULT;

	munmap(memory, REGION);
	return process_vm(pid, false, memory + OFFSET) == expected &&
	       process_vm(pid, true, memory + OFFSET) == expected;
}

TEST_F(violation, of_a_process_that_reaches_into_the_vmm_is_efault)
{
	pid_t pid = getpid();

	test_violation(OFFSET,
		       test_child(reaches_in(pid, self->memory, false)));
	test_ack(vmem_plug(self->dev, self->addr + 3 * BLOCK,
			   BLOCK / self->rig.block));
	test_child(reaches_in(pid, self->memory, true));
	ASSERT_EQ(1, *(uint64_t *)(self->memory + OFFSET));
}

/* As a vhost-user back end does: one mapping of the device, by its fd. */
static bool is_held_to_the_bitmap(int sock, char *inherited)
{
	int i, dev = recv_fd(sock);
	bool good = true;
	char *memory;

	munmap(inherited, REGION);
	if (dev < 0)
		return false;
	memory = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_SHARED, dev, 0);
	if (memory == MAP_FAILED)
		return false;
	for (i = 0; i < NR_BLOCKS; i++)
		good &= try_write(memory + i * BLOCK, i) ==
			(i % 2 ? -SIGBUS : 0);
	good &= try_write(memory + OFFSET, 1) == -SIGBUS;
	return good;
}

TEST_F(violation, of_a_process_with_the_file_is_sigbus)
{
	uint64_t i, before = nr_violations(self->dev);
	int socks[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	test_ok(send_fd(socks[0], self->dev));
	test_child(is_held_to_the_bitmap(socks[1], self->memory));
	ASSERT_LE(before + NR_BLOCKS / 2 + 1, nr_violations(self->dev));
	ASSERT_EQ(OFFSET & ~(PAGE - 1), last_violation(self->dev));
	for (i = 0; i < NR_BLOCKS; i += 2)
		ASSERT_EQ(i, *(uint64_t *)(self->memory + i * BLOCK));
	close(socks[0]);
	close(socks[1]);
}

TEST_F(violation, every_one_is_counted)
{
	uint64_t i, before = nr_violations(self->dev), nb = 100;

	for (i = 0; i < nb; i++)
		ASSERT_EQ(-SIGBUS, try_touch(self->memory + BLOCK + i * PAGE));
	ASSERT_EQ(before + nb, nr_violations(self->dev));
	/* Nothing takes them back. */
	test_ack(vmem_unplug_all(self->dev));
	test_ok(vmem_action(self->dev, KVM_VMEM_RESET, 0));
	ASSERT_EQ(before + nb, nr_violations(self->dev));
}

TEST_F(violation, an_access_to_a_plugged_block_is_none)
{
	uint64_t i;

	for (i = 0; i < NR_BLOCKS; i += 2) {
		test_ok(try_write(self->memory + i * BLOCK, i));
		test_ok(try_touch(self->memory + (i + 1) * BLOCK - 8));
		test_ok(guest_write(self->vcpu, self->addr + i * BLOCK, i));
	}
	ASSERT_EQ(0, nr_violations(self->dev));
	ASSERT_EQ(0, last_violation(self->dev));
}

TEST_F(violation, is_signalled)
{
	int listeners[2], i;
	uint64_t value = 0;

	for (i = 0; i < 2; i++) {
		listeners[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		ASSERT_LE(0, listeners[i]);
		test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_VIOLATION,
					 listeners[i]));
	}
	test_ok(try_touch(self->memory));
	ASSERT_EQ(-1, read(listeners[0], &value, 8));
	ASSERT_EQ(EAGAIN, errno);

	ASSERT_EQ(-SIGBUS, try_touch(self->memory + BLOCK));
	ASSERT_EQ(-SIGBUS, try_touch(self->memory + BLOCK));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(8, read(listeners[i], &value, 8));
		ASSERT_EQ(2, value);
	}
	test_ok(vmem_remove_eventfd(self->dev, KVM_VMEM_EVENT_VIOLATION,
				    listeners[0]));
	test_err(EFAULT, guest_write(self->vcpu, self->addr + OFFSET, 1));
	ASSERT_EQ(-1, read(listeners[0], &value, 8));
	ASSERT_EQ(8, read(listeners[1], &value, 8));
	close(listeners[0]);
	close(listeners[1]);
}

#define TRACEFS "/sys/kernel/tracing"
#define TRACEPOINT TRACEFS "/events/kvm_vmem/kvm_vmem_violation/enable"

static int count_lines(const char *path, const char *needle)
{
	FILE *file = fopen(path, "re");
	char line[512];
	int count = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		count += !!strstr(line, needle);
	fclose(file);
	return count;
}

TEST_F(violation, is_traced)
{
	char needle[128];
	int fd, traced[3];

	snprintf(needle, sizeof(needle),
		 "kvm_vmem_violation: vmem%u addr=0x%llx", self->id,
		 (unsigned long long)((self->addr + OFFSET) & ~(PAGE - 1)));
	/* Empties it. */
	fd = open(TRACEFS "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC);
	ASSERT_LE(0, fd);
	close(fd);
	test_ok(write_file(TRACEPOINT, "1"));
	traced[0] = count_lines(TRACEFS "/trace", needle);
	try_touch(self->memory + OFFSET);
	try_touch(self->memory + OFFSET);
	traced[1] = count_lines(TRACEFS "/trace", needle);
	/* Before anything can end the test: others would be traced too. */
	test_ok(write_file(TRACEPOINT, "0"));
	try_touch(self->memory + OFFSET);
	traced[2] = count_lines(TRACEFS "/trace", needle);
	ASSERT_EQ(0, traced[0]);
	ASSERT_EQ(2, traced[1]);
	ASSERT_EQ(2, traced[2]);
}

/* What the kernel says from here on. */
static int follow_log(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (log >= 0)
		lseek(log, 0, SEEK_END);
	return log;
}

static int count_messages(int log, const char *needle)
{
	char record[1024];
	int count = 0;
	ssize_t len;

	for (;;) {
		len = read(log, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)
			continue;
		if (len <= 0)
			return count;
		record[len] = 0;
		count += !!strstr(record, needle);
	}
}

TEST_F(violation, the_kernel_log_is_limited_and_the_count_is_not)
{
	/* DEFAULT_RATELIMIT_BURST messages in DEFAULT_RATELIMIT_INTERVAL. */
	const unsigned int burst = 10, interval = 5;
	uint64_t i, before = nr_violations(self->dev), nb = 2000;
	int count, log = follow_log();
	int64_t start, seconds;

	ASSERT_LE(0, log);
	start = now_ms();
	for (i = 0; i < nb; i++)
		ASSERT_EQ(-SIGBUS, try_touch(self->memory + OFFSET));
	seconds = (now_ms() - start) / 1000;
	ASSERT_EQ(before + nb, nr_violations(self->dev));

	count = count_messages(log, "accessed an unplugged block");
	ASSERT_LE(1, count);
	ASSERT_GE(burst * (2 + seconds / interval), count);
	close(log);
}

TEST_F(violation, a_hostile_guest_gains_nothing)
{
	uint64_t i, before, nb = GiB / BLOCK;

	for (i = 0; i < NR_BLOCKS; i += 2)
		test_ok(guest_write(self->vcpu, self->addr + i * BLOCK, i));
	before = device_value(self->id, "resident");
	ASSERT_EQ(NR_BLOCKS / 2 * (self->rig.block < BLOCK ? PAGE : BLOCK),
		  before);
	for (i = 1; i < nb; i += i < NR_BLOCKS ? 2 : 1) {
		uint64_t counted = nr_violations(self->dev);

		test_err(EFAULT, guest_write(self->vcpu,
					     self->addr + i * BLOCK, 1));
		ASSERT_LT(counted, nr_violations(self->dev));
	}
	ASSERT_EQ(before, device_value(self->id, "resident"));
	ASSERT_EQ(before, cached_bytes(self->memory, GiB));
}

TEST_F(violation, a_block_is_protected_from_its_unplug_on)
{
	uint64_t i, value;

	for (i = 0; i < 20; i++) {
		test_ok(try_write(self->memory, i));
		test_ok(guest_write(self->vcpu, self->addr + 8, i));
		test_ack(vmem_unplug(self->dev, self->addr,
				     BLOCK / self->rig.block));
		ASSERT_EQ(-SIGBUS, try_touch(self->memory));
		test_err(EFAULT, guest_read(self->vcpu, self->addr + 8,
					    &value));
		test_ack(vmem_plug(self->dev, self->addr,
				   BLOCK / self->rig.block));
	}
}

/*
 * KVM takes the page for one that is being swapped in, and has the vCPU retry
 * for as long as it takes: until the VMM does something about it.
 */
FIXTURE(waiting) {
	struct rig rig;
	int event;
};

FIXTURE_SETUP(waiting)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
		.irqchip = true,
	};

	test_ok(rig_create(&self->rig, &options));
	self->event = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, self->event);
}

FIXTURE_TEARDOWN(waiting)
{
	close(self->event);
	rig_destroy(&self->rig);
}

TEST_F(waiting, vcpu_with_an_irqchip_gets_no_memory_and_is_reported)
{
	struct rig *rig = &self->rig;
	struct vcpu *vcpu = &rig->vm.vcpus[0];
	struct kvm_vmem_get_info info;
	uint64_t count;

	/* There is a memslot to reach the second block through. */
	test_ack(vmem_plug(rig->dev, rig->addr, 1));
	test_ok(vmem_add_eventfd(rig->dev, KVM_VMEM_EVENT_VIOLATION,
				 self->event));
	test_ok(vcpu_start(vcpu, GUEST_FILL, rig->addr + BLOCK, 1, 0, 42));
	ASSERT_EQ(sizeof(count), read(self->event, &count, sizeof(count)));
	ASSERT_EQ(0, device_value(rig->setup.out_id, "resident"));
	test_ok(vmem_get_info(rig->dev, &info));
	ASSERT_EQ(BLOCK, info.out_last_violation);

	/* What it asked for comes: it goes on. */
	test_ack(vmem_plug(rig->dev, rig->addr + BLOCK, 1));
	test_ok(vcpu_join(vcpu));
	ASSERT_EQ(42, *(uint64_t *)(rig->backing.addr + BLOCK));
}

TEST_HARNESS_MAIN
