/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine taken from a stream. The stream is hostile: it may be cut, reordered, or of
 * anybody's making, and lie about all that it has. What it says is compared with what
 * this machine is, and with itself; memory is only where the machine has some. The
 * contents of memory and of the vCPUs are the guest's own, and KVM's to judge.
 *
 * Nothing here touches KVM, or a file.
 */
#ifndef INCOMING_H
#define INCOMING_H

#include <stdbool.h>

#include "format.h"

/**
 * struct incoming_ops - the machine that a stream is for
 * @plug: Plugs, in a device that has nothing plugged, what a bitmap says, in a bit a
 *	block; of the device's configuration, the geometry is this machine's. Returns 0
 *	or -errno
 * @memory: Where memory is, all of it; NULL if there is none, or it is not plugged
 */
struct incoming_ops {
	int (*plug)(void *owner, unsigned int index, const struct format_vmem *vmem,
		    const uint64_t *bitmap);
	void *(*memory)(void *owner, uint64_t gpa, uint64_t size);
};

/**
 * struct incoming - a stream, as far as it was read
 * @reader: The stream; its callback is set
 * @ops: The machine
 * @owner: What @ops get
 * @machine: What the machine is
 * @vmems: Likewise its devices: address, region size, block size, node
 * @state: Filled in
 * @stage: What may come next
 * @vmem: The device that is told of, and what it said of itself
 * @said: Likewise
 * @next_block: Those before it were told of
 * @bitmap: Its plugged blocks, as far as they are known
 * @nb_rounds: Rounds that were begun
 * @has: Which items there were, of which instance
 */
struct incoming {
	struct stream_reader reader;
	const struct incoming_ops *ops;
	void *owner;
	struct format_machine machine;
	struct format_vmem vmems[OPTIONS_MAX_VMEMS];
	struct machine_state *state;

	enum incoming_stage {
		INCOMING_NOTHING,
		INCOMING_VMEMS,
		INCOMING_MEMORY,
		INCOMING_STATE,
		INCOMING_END,
	} stage;
	unsigned int vmem;
	struct format_vmem said;
	uint64_t next_block;
	uint64_t *bitmap;
	uint64_t nb_rounds;
	bool has[FORMAT_NB_ITEMS][OPTIONS_MAX_CPUS];
};

/**
 * incoming_read() - read a stream up to its end
 * @incoming: The first of its members, down to @state, are set; the others are 0
 *
 * Return: 0, with all of @state filled in; or -errno with reader.wrong set. Memory may
 * have been plugged and written to by then
 */
int incoming_read(struct incoming *incoming);

#endif /* INCOMING_H */
