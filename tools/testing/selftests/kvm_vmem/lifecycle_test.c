// SPDX-License-Identifier: GPL-2.0
/*
 * Devices, VMs and processes end in any order. Whatever it was, afterwards
 * nothing is left: no device, no memslot, no reference to the module.
 */
#include "harness.h"

#include "ending.h"
#include "mappings.h"

#include <fcntl.h>
#include <sys/socket.h>

#define BLOCK (2 * MiB)

FIXTURE(lifecycle) {
	struct rig rig;
	int socks[2];
};

FIXTURE_SETUP(lifecycle)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.nr_vcpus = 1,
	};

	ASSERT_EQ(0, count_devices());
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				self->socks));
	test_ok(rig_create(&self->rig, &options));
}

FIXTURE_TEARDOWN(lifecycle)
{
	rig_destroy(&self->rig);
	close(self->socks[0]);
	close(self->socks[1]);
	EXPECT_TRUE(all_gone());
}

/* The memslots of the device are gone: the VMM can put its own there. */
static int map_over(struct rig *rig)
{
	return vm_set_memslot(rig->vm.fd, 1, rig->addr, 4 * GiB,
			      rig->backing.addr);
}

TEST_F(lifecycle, a_device_counts_as_a_user_of_the_module)
{
	ASSERT_EQ(1, module_refcount());
	ASSERT_EQ(1, count_devices());
}

TEST_F(lifecycle, close_of_the_device_takes_its_memslots_away)
{
	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 1024));
	test_err(EEXIST, map_over(&self->rig));
	ASSERT_EQ(0, close(self->rig.dev));
	self->rig.dev = -1;
	ASSERT_EQ(0, count_devices());
	test_ok(map_over(&self->rig));
}

TEST_F(lifecycle, close_of_the_device_leaves_the_memory_to_the_vmm)
{
	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 1));
	test_ok(guest_write(&self->rig.vm.vcpus[0], self->rig.addr, 7));
	ASSERT_EQ(0, close(self->rig.dev));
	self->rig.dev = -1;
	ASSERT_EQ(7, *(uint64_t *)self->rig.backing.addr);
}

TEST_F(lifecycle, the_vm_can_be_closed_before_the_device)
{
	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 1));
	vm_destroy(&self->rig.vm);
	/* The device keeps the VM. */
	test_ack(vmem_plug(self->rig.dev, self->rig.addr + GiB, 1));
	test_ack(vmem_unplug(self->rig.dev, self->rig.addr, 1));
	test_group(self->rig.dev, 1, 0);
}

TEST_F(lifecycle, the_memory_can_be_unmapped_before_all)
{
	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 1));
	ASSERT_EQ(0, munmap(self->rig.backing.reserved,
			    self->rig.backing.reserved_size));
	self->rig.backing.reserved_size = 0;
	test_ack(vmem_plug(self->rig.dev, self->rig.addr + GiB, 1));
	test_ack(vmem_unplug_all(self->rig.dev));
}

TEST_F(lifecycle, a_device_without_setup_can_be_closed)
{
	int dev = vmem_open();

	ASSERT_LE(0, dev);
	ASSERT_EQ(2, module_refcount());
	ASSERT_EQ(0, close(dev));
	ASSERT_EQ(1, module_refcount());
}

TEST_F(lifecycle, a_device_without_attach_can_be_closed)
{
	const struct rig_options options = { .backing = BACKING_MEMFD };
	struct rig other;

	test_ok(rig_prepare(&other, &options));
	ASSERT_EQ(2, count_devices());
	rig_destroy(&other);
	ASSERT_EQ(1, count_devices());
}

TEST_F(lifecycle, a_device_whose_attach_failed_can_be_closed)
{
	const struct rig_options options = { .backing = BACKING_MEMFD };
	struct rig other;

	test_ok(rig_prepare(&other, &options));
	other.attach.vm_fd = self->rig.vm.fd;
	test_err(EEXIST, rig_attach(&other));
	other.attach.vm_fd = -1;
	test_err(EBADF, rig_attach(&other));
	rig_destroy(&other);
	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 1));
}

TEST_F(lifecycle, a_duplicate_of_the_fd_keeps_the_device)
{
	int dev = dup(self->rig.dev);

	ASSERT_EQ(0, close(self->rig.dev));
	self->rig.dev = dev;
	test_ack(vmem_plug(dev, self->rig.addr, 1));
	ASSERT_EQ(1, count_devices());
}

TEST_F(lifecycle, another_process_can_make_requests)
{
	struct rig *rig = &self->rig;

	test_child(vmem_plug(rig->dev, rig->addr, 600) ==
		   VIRTIO_MEM_RESP_ACK);
	test_group(rig->dev, 2, 0);
	test_ok(guest_write(&rig->vm.vcpus[0], rig->addr + GiB, 7));
	ASSERT_EQ(0, rig->vm.vcpus[0].nr_mmio);
	ASSERT_EQ(7, *(uint64_t *)(rig->backing.addr + GiB));
	test_child(vmem_unplug(rig->dev, rig->addr + GiB, 88) ==
		   VIRTIO_MEM_RESP_ACK);
	test_group(rig->dev, 1, 0);
	ASSERT_EQ(0, backing_resident(&rig->backing));
	test_child(!vmem_action(rig->dev, KVM_VMEM_RESET, 0));
	test_group(rig->dev, 0, 0);
}

/* In a process that has no other file of the VMM's. */
static bool receive_and_close(int sock)
{
	int dev = recv_fd(sock);

	return dev >= 0 && !close(dev);
}

TEST_F(lifecycle, another_process_can_be_the_last_to_close)
{
	pid_t pid;
	int status;

	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 1024));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(self->rig.dev);
		_exit(!receive_and_close(self->socks[0]));
	}
	/* From here on, the device is in the socket or with the child. */
	test_ok(send_fd(self->socks[1], self->rig.dev));
	ASSERT_EQ(0, close(self->rig.dev));
	self->rig.dev = -1;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_TRUE(all_gone());
	test_ok(map_over(&self->rig));
}

TEST_F(lifecycle, a_device_in_a_socket_that_closes_is_gone)
{
	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 1));
	test_ok(send_fd(self->socks[1], self->rig.dev));
	ASSERT_EQ(0, close(self->rig.dev));
	self->rig.dev = -1;
	ASSERT_EQ(1, count_devices());
	ASSERT_EQ(0, close(self->socks[0]));
	ASSERT_EQ(0, close(self->socks[1]));
	ASSERT_TRUE(all_gone());
	test_ok(map_over(&self->rig));
}

/* A VMM that plugs, tells its parent, and waits to be killed. */
static void be_a_vmm(int sock, bool pass_vm)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.nr_vcpus = 1,
	};
	struct rig rig;

	if (rig_create(&rig, &options) ||
	    vmem_plug(rig.dev, rig.addr, 1024) != VIRTIO_MEM_RESP_ACK ||
	    guest_fill(&rig.vm.vcpus[0], rig.addr, 16, 4096, 1) ||
	    send_fd(sock, rig.dev) || (pass_vm && send_fd(sock, rig.vm.fd)))
		_exit(1);
	for (;;)
		pause();
}

static pid_t start_vmm(int socks[2], bool pass_vm)
{
	pid_t pid = fork();

	if (!pid)
		be_a_vmm(socks[1], pass_vm);
	return pid;
}

static int end_vmm(pid_t pid)
{
	return kill(pid, SIGKILL) || waitpid(pid, NULL, 0) != pid;
}

TEST_F(lifecycle, a_killed_vmm_leaves_nothing)
{
	pid_t pid;
	int dev;

	pid = start_vmm(self->socks, false);
	ASSERT_LE(0, pid);
	dev = recv_fd(self->socks[0]);
	ASSERT_LE(0, dev);
	ASSERT_EQ(2, count_devices());
	ASSERT_EQ(0, close(dev));
	ASSERT_EQ(0, end_vmm(pid));
	rig_destroy(&self->rig);
	ASSERT_TRUE(all_gone());
}

TEST_F(lifecycle, requests_to_a_killed_vmm_are_EIO)
{
	uint64_t addr = 4 * GiB;
	struct kvm_vmem_get_info info;
	pid_t pid;
	int dev;

	pid = start_vmm(self->socks, false);
	dev = recv_fd(self->socks[0]);
	ASSERT_LE(0, dev);
	ASSERT_EQ(0, end_vmm(pid));
	test_err_unchanged(EIO, dev, vmem_plug(dev, addr + 2 * GiB, 1));
	test_err_unchanged(EIO, dev, vmem_unplug(dev, addr, 1));
	test_err_unchanged(EIO, dev, vmem_unplug_all(dev));
	test_err_unchanged(EIO, dev, vmem_action(dev, KVM_VMEM_RESET, 0));
	/* What needs no VM is still answered. */
	test_ok(vmem_get_info(dev, &info));
	ASSERT_EQ(2 * GiB, info.out_size);
	test_ok(vmem_set_requested_size(dev, GiB));
	ASSERT_EQ(0, close(dev));
}

/* Plugs and unplugs until the VM is gone; returns the last errno. */
static int ask_until_gone(int dev)
{
	int ret;

	do {
		ret = vmem_plug(dev, 7 * GiB, 1);
		if (!ret)
			ret = vmem_unplug(dev, 7 * GiB, 1);
	} while (!ret);
	return ret;
}

TEST_F(lifecycle, requests_to_a_vmm_that_is_being_killed_are_ACK_or_EIO)
{
	unsigned int i;
	pid_t vmm, killer;
	int dev;

	for (i = 0; i < 5; i++) {
		vmm = start_vmm(self->socks, false);
		dev = recv_fd(self->socks[0]);
		ASSERT_LE(0, dev);
		killer = fork();
		if (!killer) {
			usleep(5000 + 7000 * i);
			_exit(kill(vmm, SIGKILL));
		}
		test_err(EIO, ask_until_gone(dev));
		ASSERT_EQ(killer, waitpid(killer, NULL, 0));
		ASSERT_EQ(vmm, waitpid(vmm, NULL, 0));
		ASSERT_EQ(0, close(dev));
	}
}

TEST_F(lifecycle, requests_to_a_killed_vmm_whose_vm_lives_are_EIO)
{
	pid_t pid;
	int dev, vm;

	pid = start_vmm(self->socks, true);
	dev = recv_fd(self->socks[0]);
	vm = recv_fd(self->socks[0]);
	ASSERT_LE(0, dev);
	ASSERT_LE(0, vm);
	ASSERT_EQ(0, end_vmm(pid));
	test_err_unchanged(EIO, dev, vmem_plug(dev, 6 * GiB, 1));
	ASSERT_EQ(0, close(vm));
	test_err_unchanged(EIO, dev, vmem_unplug(dev, 4 * GiB, 1));
	ASSERT_EQ(0, close(dev));
}

TEST_F(lifecycle, the_vm_of_a_killed_vmm_can_be_closed_last)
{
	pid_t pid;
	int dev, vm;

	pid = start_vmm(self->socks, true);
	dev = recv_fd(self->socks[0]);
	vm = recv_fd(self->socks[0]);
	ASSERT_EQ(0, end_vmm(pid));
	ASSERT_EQ(0, close(dev));
	ASSERT_EQ(1, count_devices());
	ASSERT_EQ(0, close(vm));
}

/* A child that was forked after ATTACH has the fd, but is not the VM's process. */
TEST_F(lifecycle, a_forked_child_that_lives_on_keeps_the_device)
{
	pid_t pid;
	char byte;

	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 1));
	pid = fork();
	if (!pid)
		_exit(read(self->socks[0], &byte, 1) != 1 ||
		      vmem_plug(self->rig.dev, self->rig.addr + GiB, 1) !=
		      VIRTIO_MEM_RESP_ACK);
	ASSERT_EQ(0, close(self->rig.dev));
	self->rig.dev = -1;
	ASSERT_EQ(1, count_devices());
	test_err(EEXIST, map_over(&self->rig));
	ASSERT_EQ(1, write(self->socks[1], "", 1));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_TRUE(all_gone());
	test_ok(map_over(&self->rig));
}

/* exec() is the end of the VM's address space; the fd may survive it. */
static bool exec_with_device(bool keep)
{
	const struct rig_options options = { .backing = BACKING_MEMFD };
	struct rig rig;

	if (rig_create(&rig, &options) ||
	    vmem_plug(rig.dev, rig.addr, 1024) != VIRTIO_MEM_RESP_ACK)
		return false;
	if (keep)
		fcntl(rig.dev, F_SETFD, 0);
	execl("/proc/self/exe", "lifecycle", "--exit", NULL);
	return false;
}

TEST_F(lifecycle, exec_closes_the_device)
{
	test_child(exec_with_device(false));
	ASSERT_EQ(1, count_devices());
}

TEST_F(lifecycle, exec_with_the_device_open_leaves_nothing_either)
{
	test_child(exec_with_device(true));
	ASSERT_EQ(1, count_devices());
}

TEST_F(lifecycle, hundreds_of_devices_come_and_go)
{
	const struct rig_options options = { .region_size = 2 * GiB };
	struct kvm_vmem_attach attach;
	struct kvm_vmem_setup setup;
	struct backing backing;
	unsigned int i;
	int dev;

	test_ok(backing_create(&backing, BACKING_MEMFD, 2 * GiB, 0));
	for (i = 0; i < 200; i++) {
		dev = vmem_open();
		ASSERT_LE(0, dev);
		fill_setup(&setup, &backing, &options);
		setup.addr = 16 * GiB;
		test_ok(vmem_setup(dev, &setup));
		/* The lowest id that is free. */
		ASSERT_EQ(1 - self->rig.setup.out_id, setup.out_id);
		fill_attach(&attach, &self->rig.vm, &backing);
		test_ok(vmem_attach(dev, &attach));
		if (i % 2)
			test_ack(vmem_plug(dev, setup.addr, 600));
		ASSERT_EQ(0, close(dev));
	}
	backing_destroy(&backing);
}

TEST_F(lifecycle, many_devices_can_be_there_at_once)
{
	struct kvm_vmem_setup setup;
	int devs[100];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(devs); i++) {
		setup = (struct kvm_vmem_setup) {
			.flags = KVM_VMEM_SETUP_USER_BACKING,
			.region_size = GiB,
			.backing_fd = -1,
		};
		devs[i] = vmem_open();
		test_ok(vmem_setup(devs[i], &setup));
	}
	ASSERT_EQ(101, count_devices());
	for (i = 0; i < ARRAY_SIZE(devs); i++)
		ASSERT_EQ(0, close(devs[i]));
	ASSERT_EQ(1, count_devices());
}

/* The page by which the module calls KVM is in the VMM's hands. */
TEST_F(lifecycle, a_vmm_can_unmap_the_page_that_attach_mapped)
{
	const struct rig_options options = { .backing = BACKING_ANON };
	struct mappings before, after;
	struct rig other;
	void *page;

	test_ok(rig_prepare(&other, &options));
	ASSERT_TRUE(read_mappings(&before));
	test_ok(rig_attach(&other));
	ASSERT_TRUE(read_mappings(&after));
	page = new_page(&before, &after);
	ASSERT_NE(NULL, page);

	ASSERT_EQ(0, munmap(page, 4096));
	test_ack(vmem_plug(other.dev, other.addr, 1024));
	test_ack(vmem_unplug_all(other.dev));
	ASSERT_EQ(0, mprotect(new_page(&before, &after), 4096, PROT_READ));
	test_ack(vmem_plug(other.dev, other.addr, 1));
	rig_destroy(&other);
}

/* What exec_with_device() runs. */
static void __attribute__((constructor)) exit_at_once(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--exit"))
		_exit(0);
}

/* What tmpfs makes of the parameter is known when the module is loaded, and not later. */
TEST(module_with_a_policy_of_pages_that_tmpfs_has_not_is_not_loaded)
{
	ASSERT_EQ(0, module_remove_soon());
	EXPECT_NE(0, system("modprobe kvm_vmem huge=enormous 2>/dev/null"));
	EXPECT_NE(0, access(VMEM_MODULE, F_OK));
	EXPECT_NE(0, access(VMEM_PATH, F_OK));
	ASSERT_EQ(0, module_load());
}

TEST_HARNESS_MAIN
