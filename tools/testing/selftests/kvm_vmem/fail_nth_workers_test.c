// SPDX-License-Identifier: GPL-2.0
/*
 * What workers do for a device, with each allocation of theirs made to fail in turn:
 * requests and close() of processes that are not the VM's, retirement, discards and
 * preallocation.
 */
#include "harness.h"
#include "sweep_fixture.h"

/* Returns what the function returns, in a process of its own. */
static int in_child(sweep_fn fn, struct sweep_bench *bench)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(abs(fn(bench)));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	status = WEXITSTATUS(status);
	/* No errno is as low as a response. */
	return status > VIRTIO_MEM_RESP_ERROR ? -status : status;
}

static int plug_here(struct sweep_bench *bench)
{
	return vmem_plug(bench->rig.dev, bench->rig.addr, 9);
}

static int unplug_here(struct sweep_bench *bench)
{
	return vmem_unplug_sync(bench->rig.dev, bench->rig.addr, 9);
}

static int retire(struct sweep_bench *bench)
{
	return sysfs_write(bench->rig.setup.out_id, "retire", "1");
}

static int unplug_and_retire(struct sweep_bench *bench)
{
	int ret = unplug_here(bench);

	return ret ? ret : retire(bench);
}

static int plug(struct sweep_bench *bench)
{
	return in_child(plug_here, bench);
}

FIXTURE_VARIANT_ADD(sweep, plug_by_another_process) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .elsewhere = true, .below = "kvm_vmem_vm_call_work",
		  .call = plug, .undo = unplug_and_retire,
		  .pages = SWEEP_ANY },
};

static int unplug(struct sweep_bench *bench)
{
	return in_child(unplug_here, bench);
}

FIXTURE_VARIANT_ADD(sweep, unplug_by_another_process) {
	.step = { .options.backing = BACKING_MEMFD,
		  .elsewhere = true, .below = "kvm_vmem_vm_call_work",
		  .prepare = plug_here, .call = unplug, .undo = plug_here,
		  .pages = SWEEP_ANY },
};

/* The process that has the device last is not the VM's. */
static int close_last(struct sweep_bench *bench)
{
	int dev = bench->rig.dev, fds[2], status = 0;
	pid_t pid;
	char byte;

	if (pipe(fds))
		return -errno;
	pid = fork();
	if (!pid) {
		close(fds[1]);
		_exit(read(fds[0], &byte, 1) || close(dev));
	}
	bench->rig.dev = -1;
	close(dev);
	close(fds[0]);
	close(fds[1]);
	return waitpid(pid, &status, 0) == pid && !status ? 0 : -ECHILD;
}

FIXTURE_VARIANT_ADD(sweep, close_by_another_process) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .elsewhere = true, .below = "kvm_vmem_vm_call_work",
		  .prepare = plug_here, .call = close_last,
		  .pages = SWEEP_ANY },
};

FIXTURE_VARIANT_ADD(sweep, close_of_a_memfd_by_another_process) {
	.step = { .options.backing = BACKING_MEMFD,
		  .options.address_spaces = 3,
		  .elsewhere = true, .below = "kvm_vmem_vm_call_work",
		  .prepare = plug_here, .call = close_last,
		  .pages = SWEEP_ANY },
};

static int become_idle(struct sweep_bench *bench)
{
	int ret = plug_here(bench);

	return ret ? ret : unplug_here(bench);
}

/* What cannot be retired stays idle until the next time. */
static int retire_all(struct sweep_bench *bench)
{
	struct kvm_vmem_get_info info;
	int ret = retire(bench);

	if (!ret)
		ret = vmem_get_info(bench->rig.dev, &info);
	return ret ? ret : info.out_nb_idle ? -ENOMEM : 0;
}

FIXTURE_VARIANT_ADD(sweep, retirement) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .elsewhere = true, .below = "kvm_vmem_retire_idle",
		  .prepare = become_idle, .call = retire_all,
		  .undo = become_idle,
		  .pages = SWEEP_ANY },
};

FIXTURE_VARIANT_ADD(sweep, retirement_from_two_address_spaces) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.address_spaces = 3,
		  .elsewhere = true, .below = "kvm_vmem_retire_idle",
		  .prepare = become_idle, .call = retire_all,
		  .undo = become_idle,
		  .pages = SWEEP_ANY },
};

static int unplug_later(struct sweep_bench *bench)
{
	return vmem_unplug(bench->rig.dev, bench->rig.addr, 9);
}

/* There is nothing that could fail. */
FIXTURE_VARIANT_ADD(sweep, discard) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.prealloc = true,
		  .elsewhere = true, .below = "shmem_truncate_range",
		  .prepare = plug_here, .call = unplug_later,
		  .undo = plug_here,
		  .allocations = SWEEP_NONE, .pages = SWEEP_NONE },
};

/* If there is no huge page small ones do. */
FIXTURE_VARIANT_ADD(sweep, preallocation) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.prealloc = true,
		  .elsewhere = true, .below = "kvm_vmem_prealloc_work",
		  .call = plug_here, .undo = unplug_and_retire },
};

static int plug_first(struct sweep_bench *bench)
{
	return vmem_plug(bench->rig.dev, bench->rig.addr, 1);
}

static int unplug_first(struct sweep_bench *bench)
{
	int ret = vmem_unplug_sync(bench->rig.dev, bench->rig.addr, 1);

	return ret ? ret : retire(bench);
}

/* They are 256, and all alike. */
FIXTURE_VARIANT_ADD(sweep, preallocation_of_small_pages) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.block_size = MiB, .options.prealloc = true,
		  .elsewhere = true, .below = "kvm_vmem_prealloc_work",
		  .call = plug_first, .undo = unplug_first,
		  .allocations = SWEEP_ANY, .pages = 10, .stride = 19 },
};

TEST_HARNESS_MAIN
