/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sending guest memory while the guest runs: all of it once, then what was written to
 * meanwhile, round by round, until so little is left that the guest can be stopped for it.
 */
#ifndef PRECOPY_H
#define PRECOPY_H

#include <stdatomic.h>

#include "dirty.h"
#include "options.h"
#include "stream.h"

/**
 * struct precopy_progress - how far it is; read by any thread
 * @nb_rounds: Rounds that were begun
 * @nb_pages: Pages that were sent
 * @nb_zeros: Pages of zeros that were found, and sent as such or not at all
 * @nb_dirtied: Pages that were written to after they had been sent, counted each time
 * @nb_left: Pages that are to be sent in this round, and have not been
 * @wire_bytes: Bytes that were written, with all else
 * @bytes_per_second: Of the last round
 * @expected_downtime_ms: What sending the rest would have taken after it
 */
struct precopy_progress {
	atomic_ullong nb_rounds;
	atomic_ullong nb_pages;
	atomic_ullong nb_zeros;
	atomic_ullong nb_dirtied;
	atomic_ullong nb_left;
	atomic_ullong wire_bytes;
	atomic_ullong bytes_per_second;
	atomic_ullong expected_downtime_ms;
};

/**
 * struct precopy - a migration's memory
 * @writer: Where it goes
 * @limits: When to stop the guest
 * @progress: How far it is
 * @dirty: What is to be sent
 * @zeros_gpa: Pages of zeros that were found last, and follow each other
 * @nb_zeros: How many
 */
struct precopy {
	struct stream_writer *writer;
	struct migrate_limits limits;
	struct precopy_progress progress;
	struct dirty dirty;
	uint64_t zeros_gpa;
	uint64_t nb_zeros;
};

/* While the guest runs. Return: 0 (now the guest can be stopped), or -errno. */
int precopy_run(struct precopy *precopy);

/* While it does not. Return: 0 (all is sent), or -errno. */
int precopy_finish(struct precopy *precopy);

#endif /* PRECOPY_H */
