/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices as sysfs shows them. A device is known by its open directory: its number may
 * be another's by the time that it is asked for once more.
 */
#ifndef VMEMCTL_SYSFS_H
#define VMEMCTL_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Everything in a device's directory that is a number, by the name of its file. */
enum fact {
	FACT_PID,
	FACT_ADDR,
	FACT_REGION_SIZE,
	FACT_BLOCK_SIZE,
	FACT_NODE_ID,
	FACT_SIZE,
	FACT_REQUESTED_SIZE,
	FACT_USABLE_REGION_SIZE,
	FACT_MEMSLOT_SIZE,
	FACT_MEMSLOTS_TOTAL,
	FACT_MEMSLOTS_ACTIVE,
	FACT_MEMSLOTS_IDLE,
	FACT_FROZEN,
	FACT_DIRTY_LOG,
	FACT_RETIRE_DELAY_MS,
	FACT_RESIDENT,
	FACT_DISCARD_PENDING,
	FACT_VIOLATIONS,
	FACT_LAST_VIOLATION,
	FACT_ACKS,
	FACT_NACKS,
	FACT_BUSIES,
	FACT_ERRORS,
	FACT_KVM_CALLS,
	NR_FACTS
};

extern const char *const fact_files[NR_FACTS];

/**
 * struct class - the directory with all devices
 * @path: Its path
 * @fd: The open directory
 */
struct class {
	const char *path;
	int fd;
};

/**
 * struct device - one of them
 * @class: Where it is
 * @name: Its directory there
 * @dir: The open directory
 * @label: What its VMM calls it; any bytes but newlines
 * @facts: What was read last, by enum fact
 * @failed: The file that could not be read or written
 * @content: What was in it, if it was no number
 */
struct device {
	const struct class *class;
	char name[32];
	int dir;
	char label[256];
	uint64_t facts[NR_FACTS];
	const char *failed;
	char content[64];
};

int class_open(struct class *class, const char *path);

/* These return -errno. -ENODEV: it went. -EBADMSG: not what a module writes. */
int device_open(struct device *device, const struct class *class, const char *name);
int device_read_label(struct device *device);
int device_read_fact(struct device *device, enum fact fact);
/* The label and all facts; waits for a device that is being made. */
int device_read(struct device *device);
int device_write_requested_size(struct device *device, uint64_t size);
/* A file of it for poll() and device_reread_fact(), or -errno. */
int device_open_fact(struct device *device, enum fact fact);
/* A fact from its open file; poll() waits for the next change from here on. */
int device_reread_fact(struct device *device, enum fact fact, int fd);

void device_close(struct device *device);

/* Whether it went or is going; its number may be another's. */
bool device_is_gone(const struct device *device);
/* Whether that is why something failed with -errno. */
bool device_went(const struct device *device, int error);

/* Says why something failed with -errno. Returns an exit status. */
int device_failed(const struct device *device, int error);

/* "vmem0", or "vmem0 (label)", fit for a terminal; the caller frees it. */
char *device_title(const struct device *device);
/* Fit for a terminal: what is not printable as \xNN. The caller frees it. */
char *printable(const char *string);

#endif /* VMEMCTL_SYSFS_H */
