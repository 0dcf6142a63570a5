/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end of a migration: the guest is stopped, what is left of it is sent, and it
 * changes sides. A thread does that, so that the event loop can still say how far it is.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "channel.h"
#include "precopy.h"
#include "stream.h"

#define HANDOVER_WRONG_SIZE 512

/**
 * enum handover_side - which side's the guest is
 * @HANDOVER_OPEN: This one's, as long as nobody decides
 * @HANDOVER_KEPT: This one's: the other is not told to go
 * @HANDOVER_GONE: The other's: it is told to go, or has been
 */
enum handover_side {
	HANDOVER_OPEN,
	HANDOVER_KEPT,
	HANDOVER_GONE,
};

/**
 * struct handover - the end of a migration
 * @writer: Where the guest goes
 * @reader: What the other side says, if there is one
 * @channel: Of both
 * @precopy: The guest's memory
 * @to_file: Whether it is a file, which answers nothing
 * @side: Which side's it is; of enum handover_side. Read and written by any thread
 * @wrong: Why it failed, if it did; the caller's when handover_run() has returned
 */
struct handover {
	struct stream_writer *writer;
	struct stream_reader *reader;
	struct channel *channel;
	struct precopy *precopy;
	bool to_file;
	atomic_int side;
	char wrong[HANDOVER_WRONG_SIZE];
};

/**
 * handover_run() - hand the guest over; nothing of it changes meanwhile
 * @handover: All but @side and @wrong filled in
 *
 * Return: 0, and the guest is elsewhere; or -errno, and it goes on here, unless @side says
 * that it is the other's: then nobody knows.
 */
int handover_run(struct handover *handover);

/**
 * handover_keep() - have the guest stay here
 * @handover: From now on it does not tell the other side to go; it may still wait
 *
 * From any thread.
 *
 * Return: whether that is so; else it is too late.
 */
bool handover_keep(struct handover *handover);

/* Why a write failed: whoever closed the connection may have said so before. */
void handover_ask_why(struct handover *handover, int error);

#endif /* HANDOVER_H */
