/* SPDX-License-Identifier: GPL-2.0 */
/* Waiting for a guest to follow its requested size, and showing how far it is. */
#ifndef VMEMCTL_WAIT_H
#define VMEMCTL_WAIT_H

#include "ctl.h"
#include "sysfs.h"

/**
 * enum outcome - how a wait ended
 * @OUTCOME_REACHED: The guest has the requested size
 * @OUTCOME_STALLED: It made no progress for too long
 * @OUTCOME_TIMEOUT: It took too long altogether
 * @OUTCOME_REPLACED: Somebody asked it for another size
 * @OUTCOME_FAILED: The device could not be read; the device's facts are stale
 */
enum outcome {
	OUTCOME_REACHED,
	OUTCOME_STALLED,
	OUTCOME_TIMEOUT,
	OUTCOME_REPLACED,
	OUTCOME_FAILED,
};

/**
 * struct wait - a wait
 * @device: For which guest
 * @title: Of the device
 * @target: The requested size
 * @from: Size at the start
 * @started_ms: When it began, by now_ms()
 * @progressed_ms: When the size was seen to change last
 * @error: Why it failed, as -errno
 */
struct wait {
	struct device *device;
	const char *title;
	uint64_t target;
	uint64_t from;
	int64_t started_ms;
	int64_t progressed_ms;
	int error;
};

/* Before the request is written: who interrupts from then on is told that it stays. */
void wait_catch_signals(void);

/* The device's facts are of before the request was written; counters stay that. */
enum outcome wait_for_guest(struct wait *wait, const struct options *options);

/* "1G of 2G", or "3G down to 2G". The caller frees it. */
char *way_text(const struct wait *wait);

/**
 * struct progress - how progress is shown
 * @is_terminal: As a bar that is drawn over; else as lines
 * @quiet: Not at all
 * @shown_ms: When that was last; 0: never
 * @shown_size: Which size
 */
struct progress {
	bool is_terminal;
	bool quiet;
	int64_t shown_ms;
	uint64_t shown_size;
};

void progress_begin(struct progress *progress, const struct options *options);
void progress_show(struct progress *progress, const struct wait *wait);
/* What was drawn stays, and what follows begins on a line of its own. */
void progress_end(struct progress *progress, const struct wait *wait);

#endif /* VMEMCTL_WAIT_H */
