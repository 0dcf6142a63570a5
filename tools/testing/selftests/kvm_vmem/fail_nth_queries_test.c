// SPDX-License-Identifier: GPL-2.0
/*
 * What a VMM and the operator ask and set, with each allocation and each copy made to
 * fail in turn.
 */
#include "harness.h"
#include "sweep_fixture.h"

#include <sys/epoll.h>

static int plug_and_unplug(struct sweep_bench *bench)
{
	uint64_t addr = bench->rig.addr;
	int ret = vmem_plug(bench->rig.dev, addr, 9);

	return ret ? ret : vmem_unplug(bench->rig.dev, addr, 8);
}

static int get_config(struct sweep_bench *bench)
{
	struct kvm_vmem_get_config config;
	int ret = vmem_get_config(bench->rig.dev, &config);

	if (ret)
		return ret;
	return config.out_plugged_size == bench->rig.block ? 0 : -EPROTO;
}

FIXTURE_VARIANT_ADD(sweep, get_config) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = plug_and_unplug, .call = get_config,
		  .stays = true, .allocations = SWEEP_NONE },
};

static int get_info(struct sweep_bench *bench)
{
	struct kvm_vmem_get_info info;
	int ret = vmem_get_info(bench->rig.dev, &info);

	if (ret)
		return ret;
	return info.out_nb_active == 1 && info.out_nb_idle == 1 ? 0 : -EPROTO;
}

FIXTURE_VARIANT_ADD(sweep, get_info) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = plug_and_unplug, .call = get_info,
		  .stays = true, .allocations = SWEEP_NONE },
};

static int get_memslots(struct sweep_bench *bench)
{
	struct kvm_vmem_memslot_info memslots[2] = {};
	int ret = vmem_get_memslots(bench->rig.dev, memslots, 2);

	if (ret < 0)
		return ret;
	return ret == 2 && memslots[1].plugged_size == bench->rig.block ?
	       0 : -EPROTO;
}

FIXTURE_VARIANT_ADD(sweep, get_memslots) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = plug_and_unplug, .call = get_memslots,
		  .stays = true },
};

static int request_half(struct sweep_bench *bench)
{
	return vmem_set_requested_size(bench->rig.dev,
				       bench->rig.setup.region_size / 2);
}

static int request_all(struct sweep_bench *bench)
{
	return vmem_set_requested_size(bench->rig.dev,
				       bench->rig.setup.region_size);
}

FIXTURE_VARIANT_ADD(sweep, set_requested_size) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .call = request_half, .undo = request_all,
		  .allocations = SWEEP_NONE },
};

static int add_eventfd(struct sweep_bench *bench)
{
	return vmem_add_eventfd(bench->rig.dev, KVM_VMEM_EVENT_SIZE,
				bench->eventfd);
}

static int remove_eventfd(struct sweep_bench *bench)
{
	return vmem_remove_eventfd(bench->rig.dev, KVM_VMEM_EVENT_SIZE,
				   bench->eventfd);
}

FIXTURE_VARIANT_ADD(sweep, add_an_eventfd) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .call = add_eventfd, .undo = remove_eventfd },
};

FIXTURE_VARIANT_ADD(sweep, remove_an_eventfd) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = add_eventfd, .call = remove_eventfd,
		  .undo = add_eventfd, .allocations = SWEEP_NONE },
};

static int prepare_remove(struct sweep_bench *bench)
{
	return vmem_action(bench->rig.dev, KVM_VMEM_PREPARE_REMOVE, 0);
}

static int cancel_remove(struct sweep_bench *bench)
{
	return vmem_action(bench->rig.dev, KVM_VMEM_PREPARE_REMOVE,
			   KVM_VMEM_PREPARE_REMOVE_CANCEL);
}

FIXTURE_VARIANT_ADD(sweep, prepare_remove) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.request_nothing = true,
		  .call = prepare_remove, .undo = cancel_remove,
		  .allocations = SWEEP_NONE },
};

FIXTURE_VARIANT_ADD(sweep, cancel_remove) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .options.request_nothing = true, .prepare = prepare_remove,
		  .call = cancel_remove, .undo = prepare_remove,
		  .allocations = SWEEP_NONE },
};

static int freeze(struct sweep_bench *bench)
{
	return vmem_action(bench->rig.dev, KVM_VMEM_FREEZE, 0);
}

static int thaw(struct sweep_bench *bench)
{
	return vmem_action(bench->rig.dev, KVM_VMEM_THAW, 0);
}

FIXTURE_VARIANT_ADD(sweep, freeze) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .call = freeze, .undo = thaw, .allocations = SWEEP_NONE },
};

FIXTURE_VARIANT_ADD(sweep, thaw) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = freeze, .call = thaw, .undo = freeze,
		  .allocations = SWEEP_NONE },
};

static int get_memory_fd(struct sweep_bench *bench)
{
	bench->fd = vmem_get_memory_fd(bench->rig.dev);
	return bench->fd < 0 ? bench->fd : 0;
}

static int close_memory_fd(struct sweep_bench *bench)
{
	return close(bench->fd) ? -errno : 0;
}

FIXTURE_VARIANT_ADD(sweep, get_memory_fd) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .call = get_memory_fd, .undo = close_memory_fd },
};

static int seek_data(struct sweep_bench *bench)
{
	return lseek(bench->rig.dev, 0, SEEK_DATA) == -1 && errno == ENXIO ?
	       0 : -EPROTO;
}

FIXTURE_VARIANT_ADD(sweep, lseek) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = plug_and_unplug, .call = seek_data,
		  .stays = true, .allocations = SWEEP_NONE,
		  .copies = SWEEP_NONE },
};

/* A number that could not be told is told next time. */
static int read_device(struct sweep_bench *bench)
{
	uint64_t changes;
	ssize_t len = read(bench->rig.dev, &changes, sizeof(changes));

	if (len < 0)
		return -errno;
	return changes == 2 ? 0 : -EPROTO;
}

static int change_size_twice(struct sweep_bench *bench)
{
	int ret = vmem_plug(bench->rig.dev, bench->rig.addr + 16 * MiB, 1);

	return ret ? ret : vmem_unplug(bench->rig.dev,
				       bench->rig.addr + 16 * MiB, 1);
}

FIXTURE_VARIANT_ADD(sweep, read) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = change_size_twice, .call = read_device,
		  .undo = change_size_twice, .allocations = SWEEP_NONE,
		  .copies = SWEEP_NONE },
};

static int poll_device(struct sweep_bench *bench)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int ret = epoll;

	if (ret >= 0)
		ret = epoll_ctl(epoll, EPOLL_CTL_ADD, bench->rig.dev, &event);
	if (ret >= 0)
		ret = epoll_wait(epoll, &event, 1, 0);
	if (ret < 0)
		ret = -errno;
	else
		ret = ret == 1 ? 0 : -EPROTO;
	if (epoll >= 0)
		close(epoll);
	return ret;
}

FIXTURE_VARIANT_ADD(sweep, poll) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = change_size_twice, .call = poll_device,
		  .stays = true },
};

/* A file that takes the device's lock, and the one that is no text. */
static int read_sysfs(struct sweep_bench *bench)
{
	uint32_t id = bench->rig.setup.out_id;
	uint64_t memslot_size;
	char blocks[64];
	int ret;

	ret = sysfs_read_u64(id, "memslot_size", &memslot_size);
	if (ret)
		return ret;
	if (memslot_size != bench->rig.setup.memslot_size)
		return -EPROTO;
	ret = sysfs_read(id, "plugged_blocks", blocks, sizeof(blocks));
	return ret < 0 ? ret : ret == 4 ? 0 : -EPROTO;
}

FIXTURE_VARIANT_ADD(sweep, sysfs) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = plug_and_unplug, .call = read_sysfs,
		  .stays = true },
};

static int operator_requests_half(struct sweep_bench *bench)
{
	return sysfs_write(bench->rig.setup.out_id, "requested_size", "32M");
}

FIXTURE_VARIANT_ADD(sweep, sysfs_requested_size) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .call = operator_requests_half, .undo = request_all },
};

static int operator_retires(struct sweep_bench *bench)
{
	return sysfs_write(bench->rig.setup.out_id, "retire", "1");
}

FIXTURE_VARIANT_ADD(sweep, sysfs_retire) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = change_size_twice, .call = operator_retires,
		  .undo = change_size_twice },
};

static int read_debugfs(struct sweep_bench *bench)
{
	static const char *const names[] = { "memslots", "blocks" };
	char path[128], text[4096];
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), VMEM_DEBUGFS "/vmem%u/%s",
			 bench->rig.setup.out_id, names[i]);
		ret = read_file(path, text, sizeof(text));
		if (ret < 0)
			return ret;
		if (!strstr(text, "plugged"))
			return -EPROTO;
	}
	return 0;
}

FIXTURE_VARIANT_ADD(sweep, debugfs) {
	.step = { .options.backing = BACKING_PROTECTED,
		  .prepare = plug_and_unplug, .call = read_debugfs,
		  .stays = true },
};

TEST_HARNESS_MAIN
