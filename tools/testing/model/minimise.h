/* SPDX-License-Identifier: GPL-2.0 */
/* Makes a script that shows a difference short. */
#ifndef VMEM_MODEL_MINIMISE_H
#define VMEM_MODEL_MINIMISE_H

#include "run.h"

/*
 * Leaves out of @script what it can without losing the difference, and makes arguments
 * simple. @failure is the difference, and how it shows at last. @nr_runs is how often
 * parts of it were run. Returns whether the difference shows again at all; if not,
 * @script is as it was.
 */
bool minimise(struct target *target, struct script *script, struct failure *failure,
	      unsigned int *nr_runs);

#endif /* VMEM_MODEL_MINIMISE_H */
