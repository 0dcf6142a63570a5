/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's word that a device came or went, which poll() on sysfs has not. */
#ifndef VMEMCTL_UEVENT_H
#define VMEMCTL_UEVENT_H

#include <stdbool.h>

/* A socket to poll, or -1: some containers have none, and some hear nothing. */
int uevent_open(void);

/* Reads all there is. Returns whether it is about devices of the module. */
bool uevent_read(int fd);

#endif /* VMEMCTL_UEVENT_H */
