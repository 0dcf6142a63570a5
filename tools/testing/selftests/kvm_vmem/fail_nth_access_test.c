// SPDX-License-Identifier: GPL-2.0
/*
 * Page faults of protected backing, with each allocation and each copy made to fail in
 * turn. The VMM, the kernel on its behalf and the guest touch a plugged block: they get
 * its memory, or an error and another time the memory. Of an unplugged block they get
 * nothing, whatever fails.
 */
#include "harness.h"
#include "sweep_fixture.h"

#include <signal.h>
#include <sys/uio.h>

#include "access.h"

#define VALUE 0x1122334455667788ULL

static int plug(struct sweep_bench *bench)
{
	return vmem_plug(bench->rig.dev, bench->rig.addr, 1);
}

/* The block without memory. */
static int empty(struct sweep_bench *bench)
{
	int ret = vmem_unplug_sync(bench->rig.dev, bench->rig.addr, 1);

	return ret ? ret : plug(bench);
}

static int touch(struct sweep_bench *bench)
{
	return try_write(bench->rig.backing.addr, VALUE);
}

/* The kernel has whoever touches it try again until there is memory. */
FIXTURE_VARIANT_ADD(sweep, by_the_process) {
	.step = { .options.backing = BACKING_PROTECTED, .touches = true,
		  .prepare = plug, .call = touch, .undo = empty,
		  .copies = SWEEP_NONE },
};

FIXTURE_VARIANT_ADD(sweep, by_the_process_to_a_small_page) {
	.step = { .options.backing = BACKING_PROTECTED, .touches = true,
		  .options.block_size = MiB,
		  .prepare = plug, .call = touch, .undo = empty,
		  .copies = SWEEP_NONE },
};

static int read_into(struct sweep_bench *bench)
{
	ssize_t len = read(bench->spare, bench->rig.backing.addr, 8);

	return len == 8 ? 0 : -errno;
}

FIXTURE_VARIANT_ADD(sweep, by_read) {
	.step = { .options.backing = BACKING_PROTECTED, .touches = true,
		  .prepare = plug, .call = read_into, .undo = empty,
		  .also = -EFAULT, .copies = SWEEP_NONE },
};

static int write_remotely(struct sweep_bench *bench)
{
	uint64_t value = VALUE;
	struct iovec local = { &value, sizeof(value) };
	struct iovec remote = { bench->rig.backing.addr, sizeof(value) };
	ssize_t len = process_vm_writev(getpid(), &local, 1, &remote, 1, 0);

	if (len != sizeof(value))
		return -errno;
	return *(uint64_t *)bench->rig.backing.addr == VALUE ? 0 : -EPROTO;
}

FIXTURE_VARIANT_ADD(sweep, by_process_vm_writev) {
	.step = { .options.backing = BACKING_PROTECTED, .touches = true,
		  .options.block_size = MiB,
		  .prepare = plug, .call = write_remotely, .undo = empty,
		  .also = -EFAULT },
};

static int populate(struct sweep_bench *bench)
{
	return madvise(bench->rig.backing.addr, 16 * KiB,
		       MADV_POPULATE_WRITE) ? -errno : 0;
}

FIXTURE_VARIANT_ADD(sweep, by_madvise) {
	.step = { .options.backing = BACKING_PROTECTED, .touches = true,
		  .options.block_size = MiB,
		  .prepare = plug, .call = populate, .undo = empty,
		  .also = -EFAULT, .copies = SWEEP_NONE },
};

static int guest_touches(struct sweep_bench *bench)
{
	return guest_write(&bench->rig.vm.vcpus[0], bench->rig.addr, VALUE);
}

FIXTURE_VARIANT_ADD(sweep, by_the_guest) {
	.step = { .options.backing = BACKING_PROTECTED, .touches = true,
		  .options.nr_vcpus = 1,
		  .prepare = plug, .call = guest_touches, .undo = empty,
		  .also = -EFAULT, .copies = SWEEP_NONE },
};

FIXTURE_VARIANT_ADD(sweep, by_the_guest_to_a_small_page) {
	.step = { .options.backing = BACKING_PROTECTED, .touches = true,
		  .options.block_size = MiB, .options.nr_vcpus = 1,
		  .prepare = plug, .call = guest_touches, .undo = empty,
		  .also = -EFAULT, .copies = SWEEP_NONE },
};

/* An unplugged block of an active memslot, so that it gets as far as it can. */
static int touch_unplugged(struct sweep_bench *bench)
{
	int ret = try_touch(bench->rig.backing.addr + bench->rig.block);

	/* If the signal cannot be delivered, for want of a copy, it is another one. */
	if (ret == -SIGSEGV)
		return -EFAULT;
	return ret == -SIGBUS ? 0 : -EPROTO;
}

FIXTURE_VARIANT_ADD(sweep, to_an_unplugged_block_by_the_process) {
	.step = { .options.backing = BACKING_PROTECTED, .violates = true,
		  .prepare = plug, .call = touch_unplugged, .stays = true },
};

static int read_into_unplugged(struct sweep_bench *bench)
{
	char *addr = bench->rig.backing.addr + bench->rig.block;

	return read(bench->spare, addr, 8) == -1 && errno == EFAULT ?
	       0 : -EPROTO;
}

FIXTURE_VARIANT_ADD(sweep, to_an_unplugged_block_by_read) {
	.step = { .options.backing = BACKING_PROTECTED, .violates = true,
		  .prepare = plug, .call = read_into_unplugged, .stays = true,
		  .copies = SWEEP_NONE },
};

static int guest_touches_unplugged(struct sweep_bench *bench)
{
	int ret = guest_write(&bench->rig.vm.vcpus[0],
			      bench->rig.addr + bench->rig.block, VALUE);

	return ret == -EFAULT ? 0 : ret ? ret : -EPROTO;
}

FIXTURE_VARIANT_ADD(sweep, to_an_unplugged_block_by_the_guest) {
	.step = { .options.backing = BACKING_PROTECTED, .violates = true,
		  .options.nr_vcpus = 1,
		  .prepare = plug, .call = guest_touches_unplugged,
		  .stays = true },
};

TEST_HARNESS_MAIN
