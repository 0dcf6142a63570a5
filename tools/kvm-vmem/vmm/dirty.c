// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "dirty.h"
#include "machine.h"

static int set_memslot_log(const struct dirty_range *range, bool enable)
{
	struct kvm_userspace_memory_region region = {
		.slot = range->memslot,
		.flags = enable ? KVM_MEM_LOG_DIRTY_PAGES : 0,
		.guest_phys_addr = range->range->gpa,
		.memory_size = range->range->size,
		.userspace_addr = (uintptr_t)range->range->hva,
	};

	return ioctl(machine.vm, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno : 0;
}

static int start_range(struct dirty_range *range)
{
	int ret = 0;

	range->pages = memory_bitmap(range->range);
	if (!range->vmem)
		range->log = memory_bitmap(range->range);
	if (!range->pages || (!range->vmem && !range->log))
		ret = -ENOMEM;
	else if (range->vmem)
		ret = range->vmem->ops->set_dirty_log(range->vmem, true);
	else
		ret = set_memslot_log(range, true);
	if (ret == 0)
		return 0;
	memory_bitmap_free(range->range, range->log);
	memory_bitmap_free(range->range, range->pages);
	return ret;
}

/* A log that does not stop costs time, and nothing else. */
static void stop_range(struct dirty_range *range)
{
	if (range->vmem)
		range->vmem->ops->set_dirty_log(range->vmem, false);
	else
		set_memslot_log(range, false);
	memory_bitmap_free(range->range, range->log);
	memory_bitmap_free(range->range, range->pages);
}

void dirty_stop(struct dirty *dirty)
{
	while (dirty->nb_ranges)
		stop_range(&dirty->ranges[--dirty->nb_ranges]);
	memory_log_written(&machine.memory, false);
}

int dirty_start(struct dirty *dirty)
{
	int ret = memory_log_written(&machine.memory, true);

	dirty->nb_ranges = 0;
	while (ret == 0 && dirty->nb_ranges < machine.memory.nb_ranges) {
		struct dirty_range *range = &dirty->ranges[dirty->nb_ranges];

		/* Boot memory comes first, and its memslots. */
		*range = (struct dirty_range){
			.range = &machine.memory.ranges[dirty->nb_ranges],
			.vmem = machine.memory.ranges[dirty->nb_ranges].owner,
			.memslot = dirty->nb_ranges,
		};
		ret = start_range(range);
		if (ret == 0)
			dirty->nb_ranges++;
	}
	if (ret < 0)
		dirty_stop(dirty);
	return ret;
}

int dirty_next_memory(const struct dirty_range *range, uint64_t offset, uint64_t *start,
		      uint64_t *end)
{
	if (range->vmem)
		return range->vmem->ops->next_plugged(range->vmem, offset, start, end);
	*start = offset;
	*end = range->range->size;
	return offset < range->range->size;
}

static int next_data(const struct dirty_range *range, uint64_t offset, uint64_t *start,
		     uint64_t *end)
{
	return range->vmem ? range->vmem->ops->next_data(range->vmem, offset, start, end) :
			     dirty_next_memory(range, offset, start, end);
}

static void add_pages(struct dirty_range *range, uint64_t start, uint64_t end)
{
	for (uint64_t page = start / MEMORY_PAGE; page * MEMORY_PAGE < end; page++)
		range->pages[page / 64] |= 1ULL << page % 64;
}

int dirty_add_all(struct dirty *dirty)
{
	uint64_t offset, start, end;
	int ret = 0;

	for (unsigned int i = 0; i < dirty->nb_ranges && ret >= 0; i++) {
		struct dirty_range *range = &dirty->ranges[i];

		for (offset = 0; (ret = next_data(range, offset, &start, &end)) > 0; offset = end)
			add_pages(range, start, end);
	}
	return ret;
}

static int fetch_log(struct dirty_range *range)
{
	struct kvm_dirty_log log = {
		.slot = range->memslot,
		.dirty_bitmap = range->log,
	};

	if (range->vmem)
		return range->vmem->ops->fetch_dirty(range->vmem, range->pages);
	if (ioctl(machine.vm, KVM_GET_DIRTY_LOG, &log) < 0)
		return -errno;
	for (uint64_t word = 0; word < range->range->size / MEMORY_PAGE / 64; word++)
		range->pages[word] |= range->log[word];
	return 0;
}

int dirty_fetch(struct dirty *dirty)
{
	uint64_t offset, start, end;
	int ret = 0;

	for (unsigned int i = 0; i < dirty->nb_ranges && ret >= 0; i++) {
		struct dirty_range *range = &dirty->ranges[i];

		ret = fetch_log(range);
		for (offset = 0; ret >= 0; offset = end) {
			ret = dirty_next_memory(range, offset, &start, &end);
			if (ret <= 0)
				break;
			memory_fetch_written(range->range, start, end, range->pages);
		}
	}
	return ret;
}

static uint64_t count_range(const struct dirty_range *range, uint64_t start, uint64_t end)
{
	uint64_t nb = 0;

	for (uint64_t word = start / MEMORY_PAGE / 64; word * 64 * MEMORY_PAGE < end; word++)
		nb += __builtin_popcountll(range->pages[word]);
	return nb;
}

int64_t dirty_count(const struct dirty *dirty)
{
	uint64_t offset, start, end;
	int64_t nb = 0;
	int ret = 0;

	for (unsigned int i = 0; i < dirty->nb_ranges && ret >= 0; i++) {
		const struct dirty_range *range = &dirty->ranges[i];

		for (offset = 0; (ret = dirty_next_memory(range, offset, &start, &end)) > 0;
		     offset = end)
			nb += count_range(range, start, end);
	}
	return ret < 0 ? ret : nb;
}

static bool is_set(const struct dirty_range *range, uint64_t page)
{
	return range->pages[page / 64] >> page % 64 & 1;
}

uint64_t dirty_take(struct dirty_range *range, uint64_t *page, uint64_t end, uint64_t most)
{
	uint64_t nb = 0;

	while (*page < end && !is_set(range, *page))
		*page += *page % 64 == 0 && !range->pages[*page / 64] ? 64 : 1;
	while (nb < most && *page + nb < end && is_set(range, *page + nb)) {
		range->pages[(*page + nb) / 64] &= ~(1ULL << (*page + nb) % 64);
		nb++;
	}
	return nb;
}
