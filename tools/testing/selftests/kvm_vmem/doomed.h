/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VMM that does everything at once until it is killed: a guest that writes, and
 * requests, a migration, and accesses of its own; with several devices, and another
 * process that has some of its files or memory.
 */
#ifndef KVM_VMEM_TEST_DOOMED_H
#define KVM_VMEM_TEST_DOOMED_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#define DOOMED_MAX_DEVICES 3

/**
 * enum accomplice - another process, and what it has of the VMM
 * @ACCOMPLICE_NONE: There is none
 * @ACCOMPLICE_HOLDS_DEVICES: The devices' files
 * @ACCOMPLICE_HOLDS_MAPPINGS: The mappings
 * @ACCOMPLICE_HOLDS_MEMORY: A file of the memory of each device, and a mapping of it
 * @ACCOMPLICE_HOLDS_ALL: All that a child of fork() has, the VM and its vCPUs included
 * @ACCOMPLICE_ASKS: The devices' files, and makes requests
 * @ACCOMPLICE_IS_SENT: A socket, in which the devices' files are
 * @NR_ACCOMPLICES: How many there are
 */
enum accomplice {
	ACCOMPLICE_NONE,
	ACCOMPLICE_HOLDS_DEVICES,
	ACCOMPLICE_HOLDS_MAPPINGS,
	ACCOMPLICE_HOLDS_MEMORY,
	ACCOMPLICE_HOLDS_ALL,
	ACCOMPLICE_ASKS,
	ACCOMPLICE_IS_SENT,
	NR_ACCOMPLICES
};

/**
 * struct doomed - what the VMM shares with its killer
 * @seed: Of all that it does by chance
 * @want_devices: How many devices it is to have
 * @accomplice: Who else there is
 * @accomplice_pid: The other process
 * @nr_devices: How many devices are set up
 * @ids: Their numbers in sysfs
 * @lives: All threads are running
 * @preallocating: A PLUG with preallocation runs
 * @logging: Dirty pages are logged
 * @frozen: A device is frozen
 * @nr_guest: Commands that the guest has done
 */
struct doomed {
	unsigned int seed;
	unsigned int want_devices;
	enum accomplice accomplice;
	atomic_int accomplice_pid;
	atomic_uint nr_devices;
	uint32_t ids[DOOMED_MAX_DEVICES];
	atomic_bool lives;
	atomic_bool preallocating;
	atomic_bool logging;
	atomic_bool frozen;
	atomic_uint nr_guest;
};

/* In a process of its own. Returns only if something fails. */
int doomed_live(struct doomed *doomed);

#endif /* KVM_VMEM_TEST_DOOMED_H */
