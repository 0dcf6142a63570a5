/* SPDX-License-Identifier: GPL-2.0 */
/* What a program that sweeps has beside its steps, which are the variants. */
#ifndef KVM_VMEM_TEST_SWEEP_FIXTURE_H
#define KVM_VMEM_TEST_SWEEP_FIXTURE_H

#include "harness.h"
#include "fail.h"
#include "sweep.h"

FIXTURE(sweep) {};

FIXTURE_VARIANT(sweep) {
	struct sweep_step step;
};

FIXTURE_SETUP(sweep) {}

FIXTURE_TEARDOWN(sweep)
{
	fail_choose(0, NULL);
}

TEST_F(sweep, does_all_or_nothing)
{
	ASSERT_TRUE(sweep_run(&variant->step));
}

#endif /* KVM_VMEM_TEST_SWEEP_FIXTURE_H */
