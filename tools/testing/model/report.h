/* SPDX-License-Identifier: GPL-2.0 */
/* What is said at the end, and of a difference. */
#ifndef VMEM_MODEL_REPORT_H
#define VMEM_MODEL_REPORT_H

#include "run.h"

void report_failure(const struct failure *failure);
/* A script that --replay takes. */
void report_script(const struct script *script, uint64_t seed, unsigned int nr_threads);
void report_counts(const struct counts *counts);
void report_counts_as_json(const struct counts *counts, uint64_t seed);

#endif /* VMEM_MODEL_REPORT_H */
