// SPDX-License-Identifier: GPL-2.0
/*
 * Who else can have a device, by its file or its memory, when the VMM is killed. The
 * device is there for as long as its file is, and no VM, but where its process lives on;
 * when it is let go of nothing is left.
 */
#include "harness.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "access.h"
#include "actor.h"
#include "counts.h"
#include "ending.h"

#define REGION (4 * GiB)
#define BLOCK (2 * MiB)
/* The first blocks that the actor leaves plugged. */
#define PLUGGED (2 * BLOCK)

FIXTURE(holder) {
	struct counts before;
	struct actor vmm;
	int dev;
};

#define holder_data FIXTURE_DATA(holder)

static int start_vmm(struct actor *vmm, int *dev)
{
	int socks[2], ret;

	*dev = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks))
		return -errno;
	ret = actor_start_vmm(vmm, BACKING_PROTECTED, socks[0]);
	close(socks[0]);
	if (!ret)
		*dev = recv_fd(socks[1]);
	close(socks[1]);
	if (ret || *dev < 0)
		return ret ? ret : *dev;
	return actor_is_ready(vmm) ? 0 : -EPIPE;
}

static int start_and_end_vmm(void)
{
	struct actor vmm;
	int dev, ret = start_vmm(&vmm, &dev);

	actor_destroy(&vmm);
	close(dev);
	return ret;
}

FIXTURE_SETUP(holder)
{
	test_ok(adopt_orphans());
	test_ok(counts_open());
	/* What is allocated once is no leak. */
	test_ok(start_and_end_vmm());
	test_becomes(0, module_refcount());
	test_ok(counts_read(&self->before, false));
	test_ok(start_vmm(&self->vmm, &self->dev));
}

FIXTURE_TEARDOWN(holder)
{
	actor_destroy(&self->vmm);
	close(self->dev);
	EXPECT_EQ(0, counts_grown(&self->before, false, 0));
	EXPECT_EQ(0, module_remove_soon());
	EXPECT_EQ(0, module_load());
	counts_close();
}

/* Killed, while somebody has the device. */
#define test_vmm_dies() do { \
	actor_destroy(&self->vmm); \
	self->vmm.pid = 0; \
	test_becomes(0, count_vms()); \
} while (0)

#define test_device_is_held() do { \
	ASSERT_EQ(1, count_devices()); \
	ASSERT_EQ(-EAGAIN, module_remove()); \
} while (0)

#define test_device_is_gone() do { \
	test_becomes(0, count_devices()); \
	ASSERT_EQ(0, counts_grown(&self->before, false, 0)); \
} while (0)

static void close_device(holder_data *self)
{
	close(self->dev);
	self->dev = -1;
}

TEST_F(holder, of_the_file)
{
	struct kvm_vmem_get_info info;

	test_vmm_dies();
	test_device_is_held();
	test_ok(vmem_get_info(self->dev, &info));
	ASSERT_EQ(PLUGGED, info.out_size);
	test_err(EIO, vmem_unplug_all(self->dev));
	close_device(self);
	test_device_is_gone();
}

TEST_F(holder, that_is_a_socket_which_nobody_reads)
{
	int socks[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));
	test_ok(send_fd(socks[0], self->dev));
	close_device(self);
	test_vmm_dies();
	test_device_is_held();
	ASSERT_EQ(0, close(socks[0]));
	test_device_is_held();
	ASSERT_EQ(0, close(socks[1]));
	test_device_is_gone();
}

/* Nobody can receive it any more: the kernel's garbage collector closes it. */
TEST_F(holder, that_is_a_socket_within_itself)
{
	unsigned int i;
	int socks[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));
	test_ok(send_fd(socks[0], self->dev));
	test_ok(send_fd(socks[0], socks[1]));
	close_device(self);
	test_vmm_dies();
	test_device_is_held();
	ASSERT_EQ(0, close(socks[0]));
	ASSERT_EQ(0, close(socks[1]));
	/* It looks when sockets close. */
	for (i = 0; i < 600 && count_devices(); i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
		close(socks[0]);
		close(socks[1]);
		usleep(10000);
	}
	test_device_is_gone();
}

/* Closed by a kernel thread, some time after the ring. */
TEST_F(holder, that_is_a_ring_of_io_uring)
{
	struct io_uring_params params = {};
	int ring = syscall(SYS_io_uring_setup, 4, &params);

	ASSERT_LE(0, ring);
	ASSERT_EQ(0, syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES,
			     &self->dev, 1));
	close_device(self);
	test_vmm_dies();
	test_device_is_held();
	ASSERT_EQ(0, close(ring));
	test_device_is_gone();
}

/* epoll has no reference: a file that is only watched is closed. */
TEST_F(holder, is_not_who_only_watches)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, epoll);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->dev, &event));
	close_device(self);
	test_vmm_dies();
	test_becomes(0, count_devices());
	ASSERT_EQ(0, close(epoll));
	test_device_is_gone();
}

/* No signal reaches a read() from outside of its process: the file stays. */
TEST_F(holder, that_waits_in_read)
{
	struct pollfd none = {};
	uint64_t nb;
	pid_t pid;

	/* There is nothing to read any more. */
	ASSERT_EQ(8, read(self->dev, &nb, sizeof(nb)));
	pid = fork();
	if (!pid)
		_exit(read(self->dev, &nb, sizeof(nb)) == 8);
	poll(&none, 0, 100);
	close_device(self);
	test_vmm_dies();
	test_device_is_held();
	ASSERT_EQ(0, waitpid(pid, NULL, WNOHANG));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	test_device_is_gone();
}

TEST_F(holder, of_a_file_of_the_memory)
{
	int memory = vmem_get_memory_fd(self->dev);
	char *map;

	ASSERT_LE(0, memory);
	map = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	ASSERT_NE(MAP_FAILED, map);
	test_ok(try_touch(map + PLUGGED));
	close_device(self);
	test_ok(try_touch(map + PLUGGED));
	test_vmm_dies();
	test_becomes(0, count_devices());
	ASSERT_EQ(-SIGBUS, try_touch(map + PLUGGED));
	ASSERT_EQ(-EAGAIN, module_remove());
	ASSERT_EQ(0, munmap(map, REGION));
	ASSERT_EQ(-EAGAIN, module_remove());
	ASSERT_EQ(0, close(memory));
	test_device_is_gone();
}

/* Pinned pages stay with who pinned them, and are nothing to the module. */
TEST_F(holder, of_a_page_in_a_pipe)
{
	char *map = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->dev, 0);
	struct iovec page = { .iov_base = map + PLUGGED, .iov_len = 4096 };
	uint64_t value;
	int ends[2];

	ASSERT_NE(MAP_FAILED, map);
	test_ok(try_write(page.iov_base, 0x1234));
	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(4096, vmsplice(ends[1], &page, 1, 0));
	ASSERT_EQ(0, munmap(map, REGION));
	close_device(self);
	test_vmm_dies();
	test_becomes(0, count_devices());
	test_ok(module_remove_soon());
	test_ok(module_load());

	ASSERT_EQ(sizeof(value), read(ends[0], &value, sizeof(value)));
	ASSERT_EQ(0x1234, value);
	close(ends[0]);
	close(ends[1]);
	test_device_is_gone();
}

/*
 * A process of its own, made by clone() with @flags: with the files or the memory of the
 * one that makes the VM and is killed.
 */
struct sharer {
	int sock;
	struct rig rig;
};

static int answer_requests(void *arg)
{
	struct sharer *sharer = arg;
	struct rig *rig = &sharer->rig;
	char byte;
	int ret;

	while (read(sharer->sock, &byte, 1) == 1) {
		ret = vmem_plug(rig->dev, rig->addr + GiB, 1);
		if (!ret)
			ret = vmem_unplug(rig->dev, rig->addr + GiB, 1);
		byte = -ret;
		if (write(sharer->sock, &byte, 1) != 1)
			break;
	}
	_exit(0);
}

static void clone_and_wait(int flags, int sock)
{
	const struct rig_options options = { .backing = BACKING_PROTECTED };
	static char stack[64 * KiB] __attribute__((aligned(16)));
	static struct sharer sharer;
	pid_t pid;

	sharer.sock = sock;
	if (rig_create(&sharer.rig, &options))
		_exit(1);
	/* The device keeps it. */
	vm_destroy(&sharer.rig.vm);
	pid = clone(answer_requests, stack + sizeof(stack), flags | SIGCHLD,
		    &sharer);
	if (pid < 0 || write(sock, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	for (;;)
		pause();
}

/* Both processes; their VMM's is killed. Returns the other one, or -errno. */
static pid_t start_sharer(holder_data *self, int flags, int *sock)
{
	int socks[2];
	pid_t pid;

	actor_destroy(&self->vmm);
	close_device(self);
	*sock = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, socks))
		return -errno;
	self->vmm = (struct actor){ .pid = fork(), .sock = -1 };
	if (!self->vmm.pid)
		clone_and_wait(flags, socks[1]);
	close(socks[1]);
	*sock = socks[0];
	return read(*sock, &pid, sizeof(pid)) == sizeof(pid) ? pid : -EPIPE;
}

static int ask(int sock)
{
	char byte = 0;

	return write(sock, &byte, 1) == 1 && read(sock, &byte, 1) == 1 ?
	       -byte : -EPIPE;
}

TEST_F(holder, that_shares_the_table_of_files)
{
	int sock;
	pid_t pid = start_sharer(self, CLONE_FILES, &sock);

	ASSERT_LT(0, pid);
	test_ok(ask(sock));
	test_vmm_dies();
	test_device_is_held();
	test_err(EIO, ask(sock));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	close(sock);
	test_device_is_gone();
}

/* Then the address space, which is the VM's, goes on: nothing ends. */
TEST_F(holder, that_shares_the_memory_keeps_the_vm)
{
	int sock;
	pid_t pid = start_sharer(self, CLONE_VM, &sock);

	ASSERT_LT(0, pid);
	test_ok(ask(sock));
	actor_destroy(&self->vmm);
	self->vmm.pid = 0;
	test_device_is_held();
	test_ok(ask(sock));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	close(sock);
	test_device_is_gone();
}

TEST_HARNESS_MAIN
