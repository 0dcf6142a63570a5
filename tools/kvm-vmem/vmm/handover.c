// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handover.h"
#include "outgoing.h"
#include "state.h"

static int send_state(struct handover *handover)
{
	struct machine_state *state = calloc(1, sizeof(*state));
	struct format_machine description;
	char wrong[STREAM_WRONG_SIZE];
	int ret = -ENOMEM;

	if (state)
		ret = state_save(state, wrong, sizeof(wrong));
	if (ret < 0 && state)
		snprintf(handover->wrong, sizeof(handover->wrong),
			 "its state cannot be read: %s", wrong);
	state_describe(&description);
	if (ret == 0)
		ret = outgoing_state(handover->writer, &description, state);
	free(state);
	return ret;
}

/* What the other side says may be anything, and goes to a terminal. */
static void take_reason(struct handover *handover)
{
	const struct stream_reader *reader = handover->reader;
	char reason[FORMAT_MOST_REASON] = "";
	size_t length = reader->section.length;

	memcpy(reason, reader->payload,
	       length < sizeof(reason) ? length : sizeof(reason) - 1);
	for (char *c = reason; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	snprintf(handover->wrong, sizeof(handover->wrong), "the destination says: %s", reason);
}

/* Waits for an answer, which has to be this one. */
static int expect(struct handover *handover, enum stream_type answer)
{
	const struct stream_section *section = &handover->reader->section;
	int ret = stream_read(handover->reader);

	if (ret < 0) {
		snprintf(handover->wrong, sizeof(handover->wrong),
			 "no answer of the destination: %s", strerror(-ret));
		return ret;
	}
	if (section->type == answer)
		return 0;
	if (section->type == STREAM_REFUSED)
		take_reason(handover);
	else
		snprintf(handover->wrong, sizeof(handover->wrong),
			 "the destination answers with a section of type %u", section->type);
	return -EPROTO;
}

void handover_ask_why(struct handover *handover, int error)
{
	snprintf(handover->wrong, sizeof(handover->wrong), "the stream cannot be written: %s",
		 strerror(-error));
	if (handover->to_file || error == -ECANCELED || error == -ETIMEDOUT)
		return;
	handover->channel->patience_ms = 0;
	if (stream_read(handover->reader) == 0 &&
	    handover->reader->section.type == STREAM_REFUSED)
		take_reason(handover);
}

static int send_rest(struct handover *handover)
{
	int ret = precopy_finish(handover->precopy);

	if (ret == 0)
		ret = send_state(handover);
	if (ret == 0 && handover->to_file && fsync(handover->channel->fd) < 0)
		ret = -errno;
	handover->precopy->progress.wire_bytes = handover->writer->nb_bytes;
	if (ret < 0 && !*handover->wrong)
		handover_ask_why(handover, ret);
	return ret;
}

static bool decide(struct handover *handover, enum handover_side side)
{
	int open = HANDOVER_OPEN;

	return atomic_compare_exchange_strong(&handover->side, &open, side);
}

bool handover_keep(struct handover *handover)
{
	return decide(handover, HANDOVER_KEPT) || handover->side == HANDOVER_KEPT;
}

/* What could not be written whole is not read either. */
static int tell_to_go(struct handover *handover)
{
	int ret;

	if (!decide(handover, HANDOVER_GONE))
		return -ECANCELED;
	ret = stream_write(handover->writer, STREAM_GO, 0, NULL, 0);
	handover->precopy->progress.wire_bytes = handover->writer->nb_bytes;
	if (ret == 0)
		return 0;
	handover->side = HANDOVER_KEPT;
	snprintf(handover->wrong, sizeof(handover->wrong), "the stream cannot be written: %s",
		 strerror(-ret));
	return ret;
}

int handover_run(struct handover *handover)
{
	int ret = send_rest(handover);

	if (ret < 0 || handover->to_file)
		return ret;
	ret = expect(handover, STREAM_READY);
	if (ret == 0)
		ret = tell_to_go(handover);
	return ret < 0 ? ret : expect(handover, STREAM_RUNNING);
}
