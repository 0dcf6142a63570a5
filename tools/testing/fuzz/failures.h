/* SPDX-License-Identifier: GPL-2.0 */
/* What fails when a call says "fail=N": what the module asks the kernel for. */
#ifndef FUZZ_FAILURES_H
#define FUZZ_FAILURES_H

#include <stdbool.h>

/* Once, after the module is loaded. Returns false if this kernel does not fail to order. */
bool failures_prepare(void);

#endif /* FUZZ_FAILURES_H */
