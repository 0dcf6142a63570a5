// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading the module, with each allocation made to fail in turn: it is
 * loaded and works as ever, or nothing of it is there and it can be loaded another time.
 */
#include "harness.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "access.h"
#include "fail.h"

#define MAX_NTH 1000

static int open_module(void)
{
	char path[512] = "", *name, *end;
	struct utsname uts;
	size_t len;
	FILE *file;

	uname(&uts);
	len = snprintf(path, sizeof(path), "/lib/modules/%s/", uts.release);
	name = path + len;
	strcpy(name, "modules.dep");
	file = fopen(path, "re");
	if (!file)
		return -errno;
	do {
		end = fgets(name, sizeof(path) - len, file);
	} while (end && !strstr(name, "kvm_vmem.ko:"));
	fclose(file);
	if (!end)
		return -ENOENT;
	*strchr(name, ':') = 0;
	return open(path, O_RDONLY | O_CLOEXEC);
}

FIXTURE(module) {
	int fd;
	char filter[64];
};

#define KUNIT_FILTER "/sys/module/kunit/parameters/filter_glob"

static int load(int fd)
{
	return syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
}

static int unload(void)
{
	return syscall(SYS_delete_module, "kvm_vmem", 0) ? -errno : 0;
}

static bool is_loaded(void)
{
	return !access(VMEM_MODULE, F_OK);
}

FIXTURE_SETUP(module)
{
	self->fd = open_module();
	ASSERT_LE(0, self->fd);
	ASSERT_TRUE(is_loaded());
	/* Its KUnit tests ran when the host booted. */
	test_ok(write_file(KUNIT_FILTER, "none"));
	test_ok(unload());
}

FIXTURE_TEARDOWN(module)
{
	fail_choose(0, NULL);
	EXPECT_EQ(0, write_file(KUNIT_FILTER, "*"));
	if (!is_loaded())
		EXPECT_EQ(0, load(self->fd));
}

static bool is_gone(void)
{
	return !is_loaded() && access(VMEM_PATH, F_OK) &&
	       access(VMEM_CLASS, F_OK) && access(VMEM_DEBUGFS, F_OK);
}

/* Both kinds of backing files: with huge pages, and without. */
static bool has_memory(uint64_t block_size, uint64_t resident)
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED,
		.region_size = 64 * MiB,
		.memslot_size = 16 * MiB,
		.block_size = block_size,
	};
	struct rig rig;
	bool ok;

	ok = !rig_create(&rig, &options) &&
	     vmem_plug(rig.dev, rig.addr, 1) == VIRTIO_MEM_RESP_ACK &&
	     !try_write(rig.backing.addr, 1) &&
	     device_value(rig.setup.out_id, "resident") == resident;
	rig_destroy(&rig);
	return ok;
}

static bool works(void)
{
	return has_memory(2 * MiB, 2 * MiB) && has_memory(MiB, 4 * KiB);
}

/* What cannot be loaded is not there, and can be loaded another time. */
TEST_F(module, is_loaded_as_a_whole_or_not_at_all)
{
	unsigned int nth = 0, nr_refused = 0;
	int ret, failed;

	test_ok(fail_choose(FAIL_MEMORY, "do_one_initcall"));
	do {
		test_ok(fail_arm(++nth));
		ret = load(self->fd);
		failed = fail_disarm();
		ASSERT_LE(0, failed);
		if (ret) {
			ASSERT_EQ(-ENOMEM, ret);
			ASSERT_TRUE(failed);
			ASSERT_TRUE(is_gone());
			nr_refused++;
			test_ok(load(self->fd));
		}
		ASSERT_TRUE(works());
		test_ok(unload());
		ASSERT_TRUE(is_gone());
	} while (failed && nth < MAX_NTH);

	TH_LOG("%u allocations failed, %u times it was not loaded", nth - 1,
	       nr_refused);
	ASSERT_EQ(0, failed);
	ASSERT_LE(20, nr_refused);
}

TEST_F(module, is_unloaded_whatever_fails)
{
	unsigned int nth = 0;
	int failed;

	test_ok(fail_choose(FAIL_MEMORY, NULL));
	do {
		test_ok(load(self->fd));
		test_ok(fail_arm(++nth));
		ASSERT_EQ(0, unload()) {
			fail_disarm();
		}
		failed = fail_disarm();
		ASSERT_LE(0, failed);
		ASSERT_TRUE(is_gone());
	} while (failed && nth < MAX_NTH);

	TH_LOG("%u allocations failed", nth - 1);
	ASSERT_EQ(0, failed);
	ASSERT_LE(1, nth - 1);
}

TEST_HARNESS_MAIN
