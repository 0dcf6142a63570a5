/* SPDX-License-Identifier: GPL-2.0 */
/* What vmemctl watch tells of: each as a line for people, or an object of JSON. */
#ifndef VMEMCTL_WATCH_H
#define VMEMCTL_WATCH_H

#include "sysfs.h"

enum event {
	EVENT_PRESENT,
	EVENT_ADDED,
	EVENT_REMOVED,
	EVENT_SIZE,
	EVENT_REQUESTED_SIZE,
	EVENT_MEMSLOTS,
	EVENT_VIOLATION,
};

/* @before: the device's facts before. Returns an exit status. */
int tell_event(const struct device *device, enum event event, const uint64_t *before, bool json);

#endif /* VMEMCTL_WATCH_H */
