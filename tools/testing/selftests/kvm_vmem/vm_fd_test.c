// SPDX-License-Identifier: GPL-2.0
/* ATTACH: which files are the VM of the process that calls, and which are not. */
#include "harness.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/* A device that only has to be attached: 4 GiB of memfd at 4 GiB. */
FIXTURE(vm_fd) {
	struct rig rig;
	struct kvm_vmem_attach good;
};

FIXTURE_SETUP(vm_fd)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.nr_vcpus = 1,
	};

	test_ok(rig_prepare(&self->rig, &options));
	self->good = self->rig.attach;
}

FIXTURE_TEARDOWN(vm_fd)
{
	rig_destroy(&self->rig);
}

TEST_F(vm_fd, a_closed_fd_is_EBADF)
{
	self->rig.attach.vm_fd = 987;
	test_attach_refused(EBADF);
}

TEST_F(vm_fd, a_negative_fd_is_EBADF)
{
	self->rig.attach.vm_fd = -1;
	test_attach_refused(EBADF);
}

FIXTURE(no_vm) {
	struct rig rig;
	struct kvm_vmem_attach good;
	int fd;
};

FIXTURE_VARIANT(no_vm) {
	int (*open)(const struct rig *rig);
};

static int open_eventfd(const struct rig *rig)
{
	return eventfd(0, 0);
}

static int open_null(const struct rig *rig)
{
	return open("/dev/null", O_RDWR);
}

static int open_directory(const struct rig *rig)
{
	return open("/", O_PATH);
}

static int open_kvm(const struct rig *rig)
{
	return dup(rig->vm.kvm);
}

static int open_vcpu(const struct rig *rig)
{
	return dup(rig->vm.vcpus[0].fd);
}

static int open_memfd(const struct rig *rig)
{
	return dup(rig->backing.fd);
}

/* Named like a VM's, but not KVM's. */
static int open_impostor(const struct rig *rig)
{
	return memfd_create("kvm-vm", 0);
}

static int open_itself(const struct rig *rig)
{
	return dup(rig->dev);
}

FIXTURE_VARIANT_ADD(no_vm, eventfd) { open_eventfd };
FIXTURE_VARIANT_ADD(no_vm, dev_null) { open_null };
FIXTURE_VARIANT_ADD(no_vm, dev_kvm) { open_kvm };
FIXTURE_VARIANT_ADD(no_vm, vcpu) { open_vcpu };
FIXTURE_VARIANT_ADD(no_vm, memfd) { open_memfd };
FIXTURE_VARIANT_ADD(no_vm, impostor) { open_impostor };
FIXTURE_VARIANT_ADD(no_vm, the_device_itself) { open_itself };

FIXTURE_SETUP(no_vm)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.nr_vcpus = 1,
	};

	test_ok(rig_prepare(&self->rig, &options));
	self->good = self->rig.attach;
	self->fd = variant->open(&self->rig);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(no_vm)
{
	close(self->fd);
	rig_destroy(&self->rig);
}

TEST_F(no_vm, is_EINVAL)
{
	self->rig.attach.vm_fd = self->fd;
	test_attach_refused(EINVAL);
}

TEST_F(vm_fd, a_path_only_fd_is_EBADF)
{
	self->rig.attach.vm_fd = open_directory(&self->rig);
	ASSERT_LE(0, self->rig.attach.vm_fd);
	test_attach_refused(EBADF);
}

/* In a child: all of its own but the VM, which is the parent's. */
static bool attach_to_vm_of_parent(struct rig *parent)
{
	const struct rig_options options = {};
	struct rig rig;

	if (rig_prepare(&rig, &options))
		return false;
	rig.attach.vm_fd = parent->vm.fd;
	return rig_attach(&rig) == -EIO &&
	       vmem_plug(rig.dev, rig.addr, 1) == -ENODEV;
}

TEST_F(vm_fd, a_vm_of_another_process_is_EIO)
{
	test_child(attach_to_vm_of_parent(&self->rig));
	/* Also if the module knows the VM. */
	test_ok(rig_attach(&self->rig));
	test_child(attach_to_vm_of_parent(&self->rig));
	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 1));
}

TEST_F(vm_fd, a_vm_whose_process_is_gone_is_EIO)
{
	int socks[2], vm_fd;
	struct vm vm;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	test_child(!vm_create(&vm, 0) && !send_fd(socks[1], vm.fd));
	vm_fd = recv_fd(socks[0]);
	ASSERT_LE(0, vm_fd);
	self->rig.attach.vm_fd = vm_fd;
	test_attach_refused(EIO);
	ASSERT_EQ(0, close(vm_fd));
}

TEST_HARNESS_MAIN
