// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading the module, with allocations made to fail: it is loaded and works
 * as ever, or nothing of it is there and it can be loaded another time.
 *
 * Most of what is allocated is the kernel's own affair, and loading takes long: of each
 * part the first allocation fails, then the second, the fourth and so on.
 */
#include "harness.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "access.h"
#include "ending.h"
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
};

#define KUNIT_FILTER "/sys/module/kunit/parameters/filter_glob"

static int load(int fd)
{
	return syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
}

static bool is_loaded(void)
{
	return !access(VMEM_MODULE, F_OK);
}

/*
 * @below: the part: what is called by this function of the kernel's
 * @works: whether the module does what depends on it
 * @optional: it is loaded even without
 * @each: each allocation fails in turn, and not only the first, second, fourth...
 */
FIXTURE_VARIANT(module) {
	const char *below;
	bool (*works)(void);
	bool optional;
	bool each;
};

FIXTURE_SETUP(module)
{
	self->fd = open_module();
	ASSERT_LE(0, self->fd);
	ASSERT_TRUE(is_loaded());
	/* Its KUnit tests ran when the host booted. */
	test_ok(write_file(KUNIT_FILTER, "none"));
	test_ok(module_remove());
}

FIXTURE_TEARDOWN(module)
{
	fail_choose(0, NULL);
	if (!is_loaded())
		EXPECT_EQ(0, load(self->fd));
	EXPECT_EQ(0, write_file(KUNIT_FILTER, "*"));
}

static bool is_gone(void)
{
	return !is_loaded() && access(VMEM_PATH, F_OK) &&
	       access(VMEM_CLASS, F_OK) && access(VMEM_DEBUGFS, F_OK);
}

static bool gives_pages(uint64_t block_size, uint64_t resident)
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

/* Both kinds of backing files: with huge pages, and without. */
static bool has_memory(void)
{
	return gives_pages(2 * MiB, 2 * MiB) && gives_pages(MiB, 4 * KiB);
}

static bool opens(void)
{
	int dev = vmem_open();

	return dev >= 0 && !close(dev);
}

FIXTURE_VARIANT_ADD(module, workqueues) {
	.below = "alloc_workqueue_noprof", .works = opens,
};

FIXTURE_VARIANT_ADD(module, mounts) {
	.below = "vfs_get_tree", .works = has_memory, .each = true,
};

FIXTURE_VARIANT_ADD(module, options_of_mounts) {
	.below = "vfs_parse_monolithic_sep", .works = has_memory,
};

FIXTURE_VARIANT_ADD(module, class) {
	.below = "class_register", .works = opens,
};

FIXTURE_VARIANT_ADD(module, debugfs) {
	.below = "debugfs_create_dir", .works = opens, .optional = true,
};

FIXTURE_VARIANT_ADD(module, device) {
	.below = "misc_register", .works = opens,
};

/* What cannot be loaded is not there, and can be loaded another time. */
TEST_F(module, is_loaded_as_a_whole_or_not_at_all)
{
	unsigned int nth, nr_failed = 0, nr_refused = 0;
	int ret, failed = 1;

	test_ok(fail_choose(FAIL_MEMORY, variant->below));
	for (nth = 1; failed && nth < MAX_NTH; nth = variant->each ? nth + 1 : nth * 2) {
		test_ok(fail_arm(nth));
		ret = load(self->fd);
		failed = fail_disarm();
		ASSERT_LE(0, failed);
		nr_failed += failed;
		if (ret) {
			ASSERT_EQ(-ENOMEM, ret);
			ASSERT_TRUE(failed);
			nr_refused++;
		} else {
			ASSERT_TRUE(variant->works());
			test_ok(module_remove_soon());
		}
		ASSERT_TRUE(is_gone());
	}

	fprintf(stderr, "# %u calls, %u allocations failed: it was not loaded %u times\n",
		nr_failed + 1, nr_failed, nr_refused);
	ASSERT_EQ(0, failed);
	ASSERT_LE(1, nr_failed);
	ASSERT_EQ(variant->optional, !nr_refused);
}

FIXTURE(unload) {
	int fd;
};

FIXTURE_SETUP(unload)
{
	self->fd = open_module();
	ASSERT_LE(0, self->fd);
	test_ok(write_file(KUNIT_FILTER, "none"));
}

FIXTURE_TEARDOWN(unload)
{
	fail_choose(0, NULL);
	EXPECT_EQ(0, write_file(KUNIT_FILTER, "*"));
}

TEST_F(unload, succeeds_whatever_fails)
{
	unsigned int nth, nr_failed = 0;
	int failed = 1;

	test_ok(fail_choose(FAIL_MEMORY, NULL));
	for (nth = 1; failed && nth < MAX_NTH; nth *= 2) {
		test_ok(fail_arm(nth));
		ASSERT_EQ(0, module_remove()) {
			fail_disarm();
		}
		failed = fail_disarm();
		ASSERT_LE(0, failed);
		nr_failed += failed;
		ASSERT_TRUE(is_gone());
		test_ok(load(self->fd));
	}

	fprintf(stderr, "# %u calls, %u allocations failed\n", nr_failed + 1,
		nr_failed);
	ASSERT_EQ(0, failed);
	ASSERT_LE(1, nr_failed);
}

TEST_HARNESS_MAIN
