/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine on its way to a file or to another vmem-vmm: the source's side.
 *
 * The guest runs while its memory is sent (precopy.h), by a thread, and is told BUSY by
 * its virtio-mem. Then the event loop stops it, and handles nothing of its devices any
 * more, while a thread sends the rest (handover.h). To a file that is all. Another vmem-vmm
 * has to say that it is READY; should anything fail before, the guest goes on here. Then
 * it is told to GO, and from there on the guest never runs here again: unless it does not
 * say that it is RUNNING, and the user does know better.
 */
#ifndef MIGRATE_H
#define MIGRATE_H

#include <stdbool.h>

#include "handover.h"
#include "precopy.h"

/**
 * enum migrate_state - how far a migration is
 * @MIGRATE_NONE: There was none
 * @MIGRATE_ACTIVE: It runs, and so does the guest
 * @MIGRATE_HANDOVER: The guest is stopped, and what is left of it is sent
 * @MIGRATE_COMPLETED: The machine is elsewhere, and ends here
 * @MIGRATE_FAILED: It failed, and the guest goes on
 * @MIGRATE_CANCELLED: Likewise, as the user wanted it
 * @MIGRATE_UNDECIDED: The guest is stopped; whether it runs elsewhere is not known
 */
enum migrate_state {
	MIGRATE_NONE,
	MIGRATE_ACTIVE,
	MIGRATE_HANDOVER,
	MIGRATE_COMPLETED,
	MIGRATE_FAILED,
	MIGRATE_CANCELLED,
	MIGRATE_UNDECIDED,
};

#define MIGRATE_WRONG_SIZE HANDOVER_WRONG_SIZE

/**
 * struct migrate_status - what is known of the last migration
 * @state: How far it is
 * @target: Where to
 * @wrong: Why it failed, if it did
 * @memory_size: Boot memory and what is plugged, in bytes
 * @elapsed_ms: For how long it has run, or ran
 * @downtime_ms: For how long the guest is or was stopped
 * @progress: How much was sent
 */
struct migrate_status {
	enum migrate_state state;
	char target[128];
	char wrong[MIGRATE_WRONG_SIZE];
	uint64_t memory_size;
	uint64_t elapsed_ms;
	uint64_t downtime_ms;
	const struct precopy_progress *progress;
};

/* All are called by the event loop. */

/**
 * migrate_start() - begin a migration
 * @target: An address (channel.h), or the path of a file
 * @to_file: Which
 * @limits: When to stop the guest
 *
 * Return: NULL, or why not
 */
const char *migrate_start(const char *target, bool to_file, const struct migrate_limits *limits);

/* Return: whether there was one to be cancelled, and it was not too late. */
bool migrate_cancel(void);

/* What is done to the machine does not go with a migration: it fails. */
void migrate_abort(const char *why);

/* The machine ends. */
void migrate_end(void);

/* The user knows that the guest runs nowhere else. Return: whether that was in doubt. */
bool migrate_resume(void);

/* Whether nothing of the guest may change, as it is being sent. */
bool migrate_holds_guest(void);

void migrate_get_status(struct migrate_status *status);

#endif /* MIGRATE_H */
