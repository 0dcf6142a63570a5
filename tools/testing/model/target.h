/* SPDX-License-Identifier: GPL-2.0 */
/* What is compared with the model: the module, or in tests something that is wrong. */
#ifndef VMEM_MODEL_TARGET_H
#define VMEM_MODEL_TARGET_H

#include "answer.h"
#include "model.h"
#include "ops.h"

/**
 * struct target - what is compared with the model
 * @config: What it is like
 * @patience_ms: How late it may do what takes some time
 * @self: For its functions
 * @reset: Makes it as new: no devices, other VMs, the first parameters. Returns 0 or
 *	-errno
 * @run: Runs an operation that the model accepts
 * @watch: Looks at a slot while another thread uses it. Returns whether what it sees can
 *	be. NULL: cannot
 *
 * Threads may run operations at the same time, on slots of their own.
 */
struct target {
	struct model_config config;
	unsigned int patience_ms;
	void *self;
	int (*reset)(void *self);
	void (*run)(void *self, const struct op *op, struct answer *answer);
	bool (*watch)(void *self, unsigned int slot, struct difference *difference);
};

/* host.c: the module. Returns 0 or -errno, and what did not work in @what. */
int host_open(struct target *target, unsigned int nr_vcpus, const char **what);
void host_close(struct target *target);

/* fake.c: another model, with a mistake. */

/**
 * enum mistake - what a fake device does wrong
 * @MISTAKE_NONE: Nothing
 * @MISTAKE_USABLE: UNPLUG_ALL does not shrink the usable region
 * @MISTAKE_NACK: NACK is answered as ERROR
 * @MISTAKE_COUNTER: BUSY counts as ACK
 * @MISTAKE_IDLE: Idle memslots are not retired
 * @MISTAKE_EARLY: Idle memslots are retired at once
 * @MISTAKE_WORD: Memory is not what was written to it
 * @MISTAKE_EVENT: RESET signals no change of the size
 * @MISTAKE_LEAK: An unplugged block stays resident
 */
enum mistake {
	MISTAKE_NONE,
	MISTAKE_USABLE,
	MISTAKE_NACK,
	MISTAKE_COUNTER,
	MISTAKE_IDLE,
	MISTAKE_EARLY,
	MISTAKE_WORD,
	MISTAKE_EVENT,
	MISTAKE_LEAK,
};

/* Where it is. */
extern const struct model_config fake_host;

void fake_open(struct target *target, enum mistake mistake);
void fake_close(struct target *target);

#endif /* VMEM_MODEL_TARGET_H */
