/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every part of vmemctl shares: exit statuses, options, messages.
 *
 * Functions return 0 or an exit status after they said what is wrong, unless they are
 * said to return -errno, which their caller explains.
 */
#ifndef VMEMCTL_CTL_H
#define VMEMCTL_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define DEFAULT_SYSFS "/sys/class/kvm_vmem"

/**
 * enum status - exit statuses, documented in vmemctl(1)
 * @STATUS_OK: Done
 * @STATUS_FAILED: Failed in another way than the following
 * @STATUS_USAGE: The arguments make no sense, or not for this device
 * @STATUS_NO_DEVICE: No device has that name, or several have that label
 * @STATUS_NO_MODULE: The module is not loaded
 * @STATUS_PERMISSION: No permission
 * @STATUS_STALLED: The guest did not get there
 * @STATUS_GONE: The device went in the meantime
 */
enum status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_NO_DEVICE = 3,
	STATUS_NO_MODULE = 4,
	STATUS_PERMISSION = 5,
	STATUS_STALLED = 6,
	STATUS_GONE = 7,
};

/**
 * struct options - the command line
 * @sysfs: Directory of the devices
 * @json: Print JSON
 * @wait: Wait for the guest
 * @timeout_ms: For how long at most; 0: for as long as it gets on
 * @stall_ms: How long it may make no progress; 0: any time
 * @interval_ms: How often to look; 0: only when told
 * @words: What is no option, after the command
 * @nb_words: How many
 */
struct options {
	const char *sysfs;
	bool json;
	bool wait;
	int64_t timeout_ms;
	int64_t stall_ms;
	int64_t interval_ms;
	char **words;
	int nb_words;
};

/* The commands: one file each. */
int cmd_list(const struct options *options);
int cmd_show(const struct options *options);
int cmd_resize(const struct options *options);
int cmd_watch(const struct options *options);
int cmd_top(const struct options *options);
int cmd_map(const struct options *options);
int cmd_export(const struct options *options);

/*
 * One line on standard error, after what was printed so far, and once the terminal is
 * given back. Returns @status.
 */
int fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A string of the caller's to free; the program ends where there is no memory. */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *must(void *memory);

/* Sends what was printed on its way; whether that works is for flush() to say. */
void flush_some(void);
int flush(void);

int64_t now_ms(void);

#endif /* VMEMCTL_CTL_H */
