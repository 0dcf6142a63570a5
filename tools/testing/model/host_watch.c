// SPDX-License-Identifier: GPL-2.0
/*
 * Looks at devices that others use at the same time: nothing of what it sees need be
 * true any more, but all of one answer is of one moment and has to fit together.
 */
#define _GNU_SOURCE
#include "host.h"

#include <inttypes.h>
#include <stdio.h>

static const char *what_is_wrong(const struct kvm_vmem_get_info *info)
{
	if (info->out_size % info->out_block_size || info->out_size > info->out_usable_region_size)
		return "size";
	if (info->out_requested_size % info->out_block_size ||
	    info->out_requested_size > info->out_usable_region_size)
		return "requested_size";
	if (info->out_usable_region_size > info->out_max_size)
		return "usable_region_size";
	if (!info->out_nb_active != !info->out_size ||
	    info->out_size > info->out_nb_active * info->out_memslot_size)
		return "nb_active";
	if (info->out_nb_active + info->out_nb_idle > info->out_nb_memslots)
		return "nb_idle";
	if ((info->out_nb_active || info->out_nb_idle) &&
	    !(info->out_state & KVM_VMEM_INFO_ATTACHED))
		return "device_state";
	return NULL;
}

static bool watch_info(const struct host_slot *slot, struct difference *difference)
{
	struct kvm_vmem_get_info info;
	const char *wrong;

	if (slot->id < 0)
		return true;
	wrong = vmem_get_info(slot->dev, &info) ? "error" : what_is_wrong(&info);
	if (!wrong)
		return true;
	snprintf(difference->name, sizeof(difference->name), "%s", wrong);
	snprintf(difference->text, sizeof(difference->text),
		 "vmem%d, seen by another thread: %s does not fit: size 0x%" PRIx64
		 ", requested 0x%" PRIx64 ", usable 0x%" PRIx64 ", %u active, %u idle", slot->id,
		 wrong, (uint64_t)info.out_size, (uint64_t)info.out_requested_size,
		 (uint64_t)info.out_usable_region_size, info.out_nb_active, info.out_nb_idle);
	return false;
}

/* Whichever device that is, if it is there at all, and for how long. */
static void look_at_files(unsigned int id)
{
	static const char *const names[] = {
		"label", "pid", "size", "memslot_size", "memslots_active", "resident",
		"discard_pending", "violations", "counters/kvm_calls", "plugged_blocks",
	};
	char buf[4096];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		sysfs_read(id, names[i], buf, sizeof(buf));
}

bool host_watch(void *self, unsigned int nr, struct difference *difference)
{
	struct host *host = self;
	struct host_slot *slot = &host->slots[nr];
	bool fits;

	pthread_mutex_lock(&slot->lock);
	fits = watch_info(slot, difference);
	pthread_mutex_unlock(&slot->lock);
	look_at_files(nr);
	return fits;
}
