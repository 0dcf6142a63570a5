// SPDX-License-Identifier: GPL-2.0
/*
 * Memory without the module, on its way elsewhere: the log of each memslot, as KVM has
 * it, and the memfd's holes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "memory.h"
#include "vmem_user.h"
#include "vmm.h"

int user_freeze(struct vmem *vmem, bool freeze)
{
	struct user *user = to_user(vmem);

	pthread_mutex_lock(&vmem->device.lock);
	user->frozen = freeze;
	pthread_mutex_unlock(&vmem->device.lock);
	/* A driver that was told BUSY waits for a minute if nothing changes. */
	if (!freeze && user->plugged_size != user->requested_size)
		vmem_requested_size_changed(vmem);
	return 0;
}

int user_next_plugged(struct vmem *vmem, uint64_t offset, uint64_t *start, uint64_t *end)
{
	const uint64_t block = vmem->options.block_size, nb = vmem->options.size / block;
	const uint8_t *plugged = to_user(vmem)->plugged, *first, *last;

	if (offset >= vmem->options.size)
		return 0;
	first = memchr(plugged + offset / block, 1, nb - offset / block);
	if (!first)
		return 0;
	last = memchr(first, 0, plugged + nb - first);
	*start = (first - plugged) * block;
	if (*start < offset)
		*start = offset;
	*end = last ? (last - plugged) * block : vmem->options.size;
	return 1;
}

int user_next_data(struct vmem *vmem, uint64_t offset, uint64_t *start, uint64_t *end)
{
	const int memfd = to_user(vmem)->memfd;
	off_t data, hole;
	int ret;

	while ((ret = user_next_plugged(vmem, offset, start, end)) > 0) {
		data = lseek(memfd, *start, SEEK_DATA);
		if (data < 0)
			return errno == ENXIO ? 0 : -errno;
		offset = data;
		if (offset >= *end)
			continue;
		hole = lseek(memfd, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		*start = data;
		if ((uint64_t)hole < *end)
			*end = hole;
		return 1;
	}
	return ret;
}

static uint64_t nb_memslots(struct vmem *vmem)
{
	uint64_t size = to_user(vmem)->memslot_size;

	return (vmem->options.size + size - 1) / size;
}

static bool is_mapped(struct vmem *vmem, uint64_t index)
{
	return vmem->mode == VMEM_STATIC || to_user(vmem)->memslot_blocks[index];
}

/* Of a bitmap with a bit for each page, as KVM has it. */
static uint64_t log_words(uint64_t size)
{
	return align_up(size / MEMORY_PAGE, 64) / 64;
}

static int update_memslots(struct vmem *vmem)
{
	int ret = 0;

	for (uint64_t i = 0; i < nb_memslots(vmem) && ret == 0; i++)
		if (is_mapped(vmem, i))
			ret = user_set_memslot(vmem, i, true);
	return ret;
}

int user_set_dirty_log(struct vmem *vmem, bool enable)
{
	struct user *user = to_user(vmem);
	int ret;

	if (enable && !user->log)
		user->log = calloc(log_words(user->memslot_size), sizeof(*user->log));
	if (enable && !user->log)
		return -ENOMEM;
	user->dirty_log = enable;
	ret = update_memslots(vmem);
	if (ret == 0 && enable)
		return 0;
	if (enable) {
		user->dirty_log = false;
		update_memslots(vmem);
	}
	free(user->log);
	user->log = NULL;
	return ret;
}

int user_fetch_dirty(struct vmem *vmem, uint64_t *pages)
{
	struct user *user = to_user(vmem);

	for (uint64_t i = 0; i < nb_memslots(vmem); i++) {
		struct kvm_dirty_log log = {
			.slot = vmem->memslot + i,
			.dirty_bitmap = user->log,
		};
		uint64_t *first = pages + log_words(i * user->memslot_size);
		uint64_t nb = log_words(user_size_of_memslot(vmem, i));

		if (!is_mapped(vmem, i))
			continue;
		if (ioctl(user->vm_fd, KVM_GET_DIRTY_LOG, &log) < 0)
			return -errno;
		for (uint64_t word = 0; word < nb; word++)
			if (user->log[word])
				first[word] |= user->log[word];
	}
	return 0;
}

static bool is_set(const uint64_t *bitmap, uint64_t block)
{
	return bitmap[block / 64] >> block % 64 & 1;
}

int user_restore(struct vmem *vmem, const struct virtio_mem_config *config,
		 const uint64_t *bitmap)
{
	const uint64_t block = vmem->options.block_size;
	struct user *user = to_user(vmem);
	struct blocks run = { 0 };
	int ret = 0;

	if (user->plugged_size)
		return -EBUSY;
	if (config->usable_region_size > vmem->options.size ||
	    config->usable_region_size % block || config->requested_size % block ||
	    config->requested_size > config->usable_region_size)
		return -EINVAL;
	user->requested_size = config->requested_size;
	user->usable_size = config->usable_region_size;
	for (; run.first < vmem->options.size / block && ret == 0; run.first = run.end) {
		run.end = run.first + 1;
		if (!is_set(bitmap, run.first))
			continue;
		if (run.end * block > user->usable_size)
			return -EINVAL;
		ret = user_map_memslots(vmem, &run);
		if (ret == 0)
			user_mark(vmem, &run, true);
	}
	return ret;
}
