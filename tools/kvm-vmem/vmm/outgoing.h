/* SPDX-License-Identifier: GPL-2.0 */
/* A machine as sections of a stream: all but its memory, which is precopy.h's. */
#ifndef OUTGOING_H
#define OUTGOING_H

#include "format.h"

/* Return of all: 0, or -errno of the writer. */
int outgoing_machine(struct stream_writer *writer, const struct format_machine *machine);
int outgoing_vmem(struct stream_writer *writer, unsigned int index,
		  const struct format_vmem *vmem);

/* Plugged blocks of the device whose outgoing_vmem() came last, ascending. */
int outgoing_plugged(struct stream_writer *writer, unsigned int index,
		     const struct format_run *runs, size_t nb);

/* The state, and the end. */
int outgoing_state(struct stream_writer *writer, const struct format_machine *machine,
		   struct machine_state *state);

#endif /* OUTGOING_H */
