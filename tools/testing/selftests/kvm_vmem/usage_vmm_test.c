// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-vmm with what a user may do wrong, and on hosts that lack something: it ends
 * at once, says why and what to do about it, and has not touched the terminal.
 */
#include "harness.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "linux.h"

#define MINI "/lab/guest/mini"
#define END_TIME (20 * SLOWNESS)
#define NOBODY 65534
#define KVM_MINOR 232
#define MISC_MAJOR 10

/* What vmem-vmm ends with. */
#define ENDED 0
#define FAILED 1
#define USAGE 2

FIXTURE(vmm) {
	struct linux_guest vmm;
	char path[32];
};

FIXTURE_SETUP(vmm)
{
	int fd;

	strcpy(self->path, "/tmp/kvm_vmem.XXXXXX");
	fd = mkstemp(self->path);
	ASSERT_LE(0, fd);
	close(fd);
}

FIXTURE_TEARDOWN(vmm)
{
	linux_stop(&self->vmm);
	unlink(self->path);
}

/* Ends with this status, and a message that has @why in it. */
#define test_says(status_, why, ...) do { \
	const char *const argv_[] = { "vmem-vmm", __VA_ARGS__, NULL }; \
	const char *said_; \
\
	ASSERT_EQ(0, linux_start(&self->vmm, argv_)); \
	ASSERT_EQ(status_, linux_wait_exit(&self->vmm, END_TIME)) \
		linux_explain(&self->vmm); \
	said_ = self->vmm.messages.text ?: ""; \
	ASSERT_NE(NULL, strstr(said_, "vmem-vmm: ")) \
		TH_LOG("'%s'", said_); \
	ASSERT_NE(NULL, strstr(said_, why)) \
		TH_LOG("'%s'", said_); \
	ASSERT_EQ(NULL, self->vmm.console.text); \
	linux_stop(&self->vmm); \
} while (0)

/* The first bytes of a file. */
static int copy(const char *from, const char *to, size_t size)
{
	char *bytes = malloc(size);
	int in = open(from, O_RDONLY | O_CLOEXEC), out, ret = -1;

	out = open(to, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (bytes && read(in, bytes, size) == size && write(out, bytes, size) == size)
		ret = 0;
	close(in);
	close(out);
	free(bytes);
	return ret;
}

static off_t size_of(const char *path)
{
	struct stat status;

	return stat(path, &status) ? -1 : status.st_size;
}

TEST_F(vmm, without_a_kernel_says_so)
{
	test_says(USAGE, "--kernel", "--memory", "64M");
	test_says(USAGE, "No such file", "--kernel", "/nonexistent");
	test_says(USAGE, "directory", "--kernel", "/tmp");
	test_says(USAGE, "is no file", "--kernel", "/dev/zero");
	test_says(USAGE, "is no bzImage", "--kernel", self->path);
	test_says(USAGE, "is no bzImage", "--kernel", "/bin/busybox");
	test_says(USAGE, self->path, "--kernel", self->path);
}

TEST_F(vmm, with_a_part_of_a_kernel_says_so)
{
	off_t size = size_of(MINI);

	ASSERT_LT(4096, size);
	ASSERT_EQ(0, copy(MINI, self->path, size - 1));
	test_says(USAGE, "is truncated", "--kernel", self->path);
	ASSERT_EQ(0, copy(MINI, self->path, 2048));
	test_says(USAGE, "is truncated", "--kernel", self->path);
	ASSERT_EQ(0, copy(MINI, self->path, 512));
	test_says(USAGE, "is no bzImage", "--kernel", self->path);
}

TEST_F(vmm, with_files_that_are_too_large_says_so)
{
	ASSERT_EQ(0, truncate(self->path, 65 * MiB));
	test_says(USAGE, "does not fit into --memory", "--kernel", self->path, "--memory", "64M");
	test_says(USAGE, "does not fit into --memory", "--kernel", MINI, "--initrd", self->path,
		  "--memory", "64M");
	ASSERT_EQ(0, truncate(self->path, 60 * MiB));
	test_says(USAGE, "with this initrd", "--kernel", MINI, "--initrd", self->path,
		  "--memory", "64M");
}

TEST_F(vmm, with_sizes_that_are_none_says_so)
{
	test_says(USAGE, "'much'", "--kernel", MINI, "--memory", "much");
	test_says(USAGE, "'4X'", "--kernel", MINI, "--vmem", "4X");
	test_says(USAGE, "requested", "--kernel", MINI, "--vmem", "1G,requested=2G");
	test_says(USAGE, "vmem0", "--kernel", MINI, "--vmem", "1G,block=3M");
	test_says(USAGE, "vmem0", "--kernel", MINI, "--vmem", "1G,block=3M", "--vmem-mode",
		  "static");
	test_says(USAGE, "physical addresses", "--kernel", MINI, "--vmem", "1G,addr=2048T");
	test_says(USAGE, "other memory", "--kernel", MINI, "--vmem", "8G,addr=4G", "--vmem",
		  "1G,addr=8G");
}

TEST_F(vmm, with_a_command_line_that_is_too_long_says_so)
{
	static char append[4096];

	memset(append, 'a', sizeof(append) - 1);
	test_says(USAGE, "command line", "--kernel", MINI, "--append", append);
}

TEST_F(vmm, with_a_control_socket_that_cannot_be_says_so)
{
	test_says(FAILED, "--control", "--kernel", MINI, "--control", "/nonexistent/socket");
	test_says(FAILED, "--control", "--kernel", MINI, "--control", self->path);
	/* What was there is there still. */
	ASSERT_EQ(0, size_of(self->path));
}

/* A /dev that has nothing but KVM, or not even that. */
static int hide_devices(bool all)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("dev", "/dev", "tmpfs", 0, NULL))
		return -errno;
	if (!all && mknod("/dev/kvm", S_IFCHR | 0600, makedev(MISC_MAJOR, KVM_MINOR)))
		return -errno;
	return 0;
}

TEST_F(vmm, without_the_module_says_how_to_load_it)
{
	test_ok(hide_devices(false));
	test_says(FAILED, "modprobe kvm_vmem", "--kernel", MINI, "--vmem", "1G");
}

TEST_F(vmm, without_kvm_says_how_to_load_it)
{
	test_ok(hide_devices(true));
	test_says(FAILED, "modprobe kvm_amd", "--kernel", MINI);
}

/* As somebody in no group, who may use KVM or not. */
static int become_nobody(bool has_kvm)
{
	int ret = hide_devices(false);

	if (ret)
		return ret;
	if (chmod("/dev/kvm", has_kvm ? 0666 : 0600) ||
	    mknod("/dev/kvm-vmem", S_IFCHR | 0600, makedev(MISC_MAJOR, KVM_MINOR)) ||
	    setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return -errno;
	return 0;
}

TEST_F(vmm, without_permission_for_the_module_names_the_group)
{
	test_ok(become_nobody(true));
	test_says(FAILED, "/dev/kvm-vmem: join the group kvm", "--kernel", MINI,
		  "--vmem", "1G");
}

TEST_F(vmm, without_permission_for_kvm_names_the_group)
{
	test_ok(become_nobody(false));
	test_says(FAILED, "/dev/kvm: join the group kvm", "--kernel", MINI);
}

TEST_HARNESS_MAIN
