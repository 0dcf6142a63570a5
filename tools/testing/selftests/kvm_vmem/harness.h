/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's own harness, and how these tests say what they expect. */
#ifndef KVM_VMEM_TEST_HARNESS_H
#define KVM_VMEM_TEST_HARNESS_H

#define _GNU_SOURCE
#include <kselftest_harness.h>

#include "slowness.h"
#include "vmem.h"

/* The host may be emulated. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT (120 * SLOWNESS)

#define test_ok(call) ASSERT_EQ(0, (call))
#define test_err(error, call) ASSERT_EQ(-(error), (call))

#define test_ack(call) ASSERT_EQ(VIRTIO_MEM_RESP_ACK, (call))
#define test_nack(call) ASSERT_EQ(VIRTIO_MEM_RESP_NACK, (call))
#define test_busy(call) ASSERT_EQ(VIRTIO_MEM_RESP_BUSY, (call))
#define test_error(call) ASSERT_EQ(VIRTIO_MEM_RESP_ERROR, (call))

/* The call fails, and nothing of the device changes. */
#define test_err_unchanged(error, dev, call) do { \
	struct kvm_vmem_get_info before_ = vmem_facts(dev); \
	struct kvm_vmem_get_info after_; \
\
	ASSERT_EQ(-(error), (call)); \
	after_ = vmem_facts(dev); \
	ASSERT_TRUE(vmem_same(&before_, &after_)); \
} while (0)

#define test_state(state, dev, addr, nb_blocks) do { \
	uint16_t state_ = 0xffff; \
\
	ASSERT_EQ(VIRTIO_MEM_RESP_ACK, \
		  vmem_state(dev, addr, nb_blocks, &state_)); \
	ASSERT_EQ(state, state_); \
} while (0)

/*
 * In a fixture that has a rig and, in good, the argument by which it can be
 * attached: ATTACH fails, the device is as before, and can be attached well.
 */
#define test_attach_refused(error) do { \
	test_err_unchanged(error, self->rig.dev, rig_attach(&self->rig)); \
	self->rig.attach = self->good; \
	test_ok(rig_attach(&self->rig)); \
	test_ack(vmem_plug(self->rig.dev, self->rig.addr, 1)); \
} while (0)

/* What KVM knows of the group. */
#define test_group(dev, active, idle) do { \
	struct kvm_vmem_get_info info_; \
\
	ASSERT_EQ(0, vmem_get_info(dev, &info_)); \
	ASSERT_EQ(active, info_.out_nb_active); \
	ASSERT_EQ(idle, info_.out_nb_idle); \
} while (0)

#define test_plugged_size(dev, plugged) do { \
	struct kvm_vmem_get_info info_; \
\
	ASSERT_EQ(0, vmem_get_info(dev, &info_)); \
	ASSERT_EQ(plugged, info_.out_size); \
} while (0)

/*
 * What a child process returns is the test's result: the harness's assertions
 * do not work there.
 */
#define test_child(expr) do { \
	pid_t pid_ = fork(); \
	int status_ = 0; \
\
	ASSERT_LE(0, pid_); \
	if (!pid_) \
		_exit((expr) ? 0 : 1); \
	ASSERT_EQ(pid_, waitpid(pid_, &status_, 0)); \
	ASSERT_EQ(0, status_); \
} while (0)

#endif /* KVM_VMEM_TEST_HARNESS_H */
