/* SPDX-License-Identifier: GPL-2.0 */
/* Which devices there are, and which one is meant. */
#ifndef VMEMCTL_NAMES_H
#define VMEMCTL_NAMES_H

#include "ctl.h"
#include "sysfs.h"

/**
 * struct devices - all of them, in the order of their numbers
 * @list: The devices
 * @nb: How many
 */
struct devices {
	struct device *list;
	size_t nb;
};

/* Open, not read. Those that go meanwhile are not in it. */
int devices_open(struct devices *devices, const struct class *class);
/* The same, and reads them. */
int devices_read(struct devices *devices, const struct class *class);
void devices_close(struct devices *devices);

/* By name (vmem0) or label. The device has its label read. */
int device_find(struct device *device, const struct class *class, const char *name);

/* Runs @fn on the device that is the first argument; it has been read. */
int with_device(const struct options *options,
		int (*fn)(struct device *device, const struct options *options));

#endif /* VMEMCTL_NAMES_H */
