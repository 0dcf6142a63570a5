/* SPDX-License-Identifier: GPL-2.0 */
/* The state of the machine: all of it but what is in its memory. */
#ifndef STATE_H
#define STATE_H

#include "format.h"

/* What the machine is, as far as it has to be the same on both sides. */
void state_describe(struct format_machine *description);
void state_describe_vmem(unsigned int index, struct format_vmem *description);

/**
 * state_save() - read the state
 * @state: Filled in
 * @wrong: What failed, if something did
 * @size: Of @wrong
 *
 * From the event loop, when no vCPU runs.
 *
 * Return: 0, or -errno
 */
int state_save(struct machine_state *state, char *wrong, size_t size);

/**
 * state_restore() - make the machine what another one is, or was
 * @state: From anywhere; guest memory is in place
 * @wrong: What failed, if something did
 * @size: Of @wrong
 *
 * Before any vCPU ran. If it fails the machine is good for nothing.
 *
 * Return: 0, or -errno
 */
int state_restore(const struct machine_state *state, char *wrong, size_t size);

#endif /* STATE_H */
