// SPDX-License-Identifier: GPL-2.0
/*
 * The module calls KVM through a page of the VMM's (see vm.c of the driver). A
 * VMM may put something there that it serves itself and then not serve it: a
 * worker that waited for that would keep the VMM, dead or alive, from closing
 * its device for ever.
 */
#include "harness.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "access.h"
#include "ending.h"
#include "mappings.h"

FIXTURE(worker_fault) {
	struct rig rig;
	void *page;
};

/* A memslot that is idle until somebody says so. */
static int create_idle(struct rig *rig, void **page)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.nr_vcpus = 1,
	};
	struct mappings before, after;
	int ret;

	ret = rig_prepare(rig, &options);
	if (ret)
		return ret;
	if (!read_mappings(&before))
		return -EIO;
	ret = rig_attach(rig);
	if (ret)
		return ret;
	if (!read_mappings(&after))
		return -EIO;
	*page = new_page(&before, &after);
	if (!*page)
		return -ENOENT;
	ret = sysfs_write(rig->setup.out_id, "retire_delay_ms", "3600000");
	if (ret)
		return ret;
	ret = vmem_plug(rig->dev, rig->addr, 1);
	if (!ret)
		ret = vmem_unplug(rig->dev, rig->addr, 1);
	return ret;
}

static int open_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	return uffd < 0 || ioctl(uffd, UFFDIO_API, &api) ? -errno : uffd;
}

/* Whoever touches the page waits for this process. */
static int serve_page(int uffd, void *page)
{
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)page, .len = 4096 },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return ioctl(uffd, UFFDIO_REGISTER, &range) ||
	       madvise(page, 4096, MADV_DONTNEED) ? -errno : 0;
}

FIXTURE_SETUP(worker_fault)
{
	ASSERT_EQ(0, count_devices());
	test_ok(create_idle(&self->rig, &self->page));
}

FIXTURE_TEARDOWN(worker_fault)
{
	rig_destroy(&self->rig);
	EXPECT_TRUE(all_gone());
}

static uint64_t nr_idle(uint32_t id)
{
	return device_value(id, "memslots_idle");
}

TEST_F(worker_fault, of_a_page_that_is_not_there_is_served)
{
	ASSERT_EQ(0, madvise(self->page, 4096, MADV_DONTNEED));
	test_ok(sysfs_write(self->rig.setup.out_id, "retire_delay_ms", "1"));
	test_becomes(0, nr_idle(self->rig.setup.out_id));
}

/* In a task that is not the VMM's, retirement runs in a worker. */
static bool retire_is_over(uint32_t id)
{
	pid_t pid = fork();

	if (!pid)
		_exit(sysfs_write(id, "retire", "1") ? 1 : 0);
	return becomes(waitpid(pid, NULL, WNOHANG) == pid, 30 * SLOWNESS);
}

TEST_F(worker_fault, that_the_vmm_does_not_serve_is_not_waited_for)
{
	uint32_t id = self->rig.setup.out_id;
	int uffd = open_uffd();

	ASSERT_LE(0, uffd);
	test_ok(serve_page(uffd, self->page));
	ASSERT_TRUE(retire_is_over(id));
	/* Protected all the same: what is idle cannot be touched. */
	ASSERT_EQ(1, nr_idle(id));
	test_err(EFAULT, guest_write(&self->rig.vm.vcpus[0], self->rig.addr,
				     1));

	/* It is tried again, and nobody has to ask. */
	test_ok(sysfs_write(id, "retire_delay_ms", "1"));
	ASSERT_EQ(0, close(uffd));
	test_becomes(0, nr_idle(id));
}

/* Another process' requests run in a worker, too. */
TEST_F(worker_fault, in_the_request_of_another_process_is_BUSY)
{
	uint64_t next = self->rig.addr + self->rig.setup.out_memslot_size;
	int uffd = open_uffd();

	ASSERT_LE(0, uffd);
	test_ok(serve_page(uffd, self->page));
	test_child(vmem_plug(self->rig.dev, next, 1) ==
		   VIRTIO_MEM_RESP_BUSY);
	test_state(VIRTIO_MEM_STATE_UNPLUGGED, self->rig.dev, next, 1);
	ASSERT_EQ(0, close(uffd));
	test_child(vmem_plug(self->rig.dev, next, 1) == VIRTIO_MEM_RESP_ACK);
}

/* A VMM whose device is closed before or after what serves the page. */
static int die_with_unserved_page(struct rig *old, bool uffd_first)
{
	struct rig rig;
	int uffd = -1;
	void *page;

	rig_destroy(old);
	if (uffd_first)
		uffd = open_uffd();
	if (create_idle(&rig, &page))
		return 1;
	if (!uffd_first)
		uffd = open_uffd();
	if (uffd < 0 || serve_page(uffd, page) ||
	    sysfs_write(rig.setup.out_id, "retire_delay_ms", "1"))
		return 1;
	/* The worker has come to the page; if not, this proves nothing. */
	sleep(SLOWNESS);
	return 0;
}

static bool vmm_dies(struct rig *old, bool uffd_first)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(die_with_unserved_page(old, uffd_first));
	return becomes(waitpid(pid, &status, WNOHANG) == pid, 60 * SLOWNESS) &&
	       WIFEXITED(status) && !WEXITSTATUS(status);
}

TEST_F(worker_fault, does_not_keep_a_vmm_from_dying)
{
	ASSERT_TRUE(vmm_dies(&self->rig, false));
	ASSERT_TRUE(vmm_dies(&self->rig, true));
}

struct stalled {
	int dev;
	void *buffer;
	int ret;
};

static void *list_memslots(void *arg)
{
	struct stalled *stalled = arg;

	stalled->ret = vmem_get_memslots(stalled->dev, stalled->buffer, 1);
	return NULL;
}

/* Nor does a call whose answer the VMM does not take. */
TEST_F(worker_fault, of_a_callers_buffer_does_not_hold_up_the_operator)
{
	struct stalled stalled = { .dev = self->rig.dev };
	uint32_t id = self->rig.setup.out_id;
	int uffd = open_uffd();
	pthread_t thread;
	pid_t pid;

	ASSERT_LE(0, uffd);
	stalled.buffer = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, stalled.buffer);
	test_ok(serve_page(uffd, stalled.buffer));
	ASSERT_EQ(0, pthread_create(&thread, NULL, list_memslots, &stalled));
	sleep(1);
	pid = fork();
	if (!pid)
		_exit(sysfs_write(id, "requested_size", "0") ? 1 : 0);
	EXPECT_TRUE(becomes(waitpid(pid, NULL, WNOHANG) == pid, 30 * SLOWNESS));
	ASSERT_EQ(0, close(uffd));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(1, stalled.ret);
	ASSERT_EQ(0, munmap(stalled.buffer, 4096));
}

TEST_HARNESS_MAIN
