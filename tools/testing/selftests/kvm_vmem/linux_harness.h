/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How tests with a stock Linux guest say what they expect, besides guest_eq() and
 * guest_le() of linux.h.
 */
#ifndef KVM_VMEM_TEST_LINUX_HARNESS_H
#define KVM_VMEM_TEST_LINUX_HARNESS_H

#include "harness.h"

#include "linux_vmm.h"

/* A guest boots, and is emulated. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT (230 * SLOWNESS)

/* The command succeeds in the guest. */
#define guest_runs(guest, command) \
	guest_eq(guest, 0, linux_run(guest, command, NULL, 0, LINUX_RESIZE_TIME))

/* A file of the device in sysfs has the value, sooner or later. */
#define guest_file(guest, id, name, value) \
	guest_eq(guest, 0, linux_wait_file(id, name, value, LINUX_COMMAND_TIME))

/* The guest has that much memory, sooner or later. */
#define guest_memtotal(guest, memtotal) \
	ASSERT_EQ(0, linux_wait_memtotal(guest, memtotal, LINUX_COMMAND_TIME)) { \
		TH_LOG("MemTotal: %lld", (long long)linux_memtotal(guest)); \
		linux_explain(guest); \
	}

/*
 * The operator asks for a size and waits for the guest; what vmemctl says is in @said,
 * an array.
 */
#define guest_resize(guest, said, label, size) \
	ASSERT_EQ(0, linux_tool(said, sizeof(said), LINUX_RESIZE_TIME, "vmemctl", "resize", \
				label, size, "--wait", NULL)) { \
		TH_LOG("vmemctl: %s", said); \
		linux_explain(guest); \
	}

/* The guest does not get there. */
#define guest_stalls(guest, said, label, size) \
	ASSERT_EQ(VMEMCTL_STALLED, \
		  linux_tool(said, sizeof(said), LINUX_RESIZE_TIME, "vmemctl", "resize", label, \
			     size, "--wait", "--stall", "6", NULL)) { \
		TH_LOG("vmemctl: %s", said); \
		linux_explain(guest); \
	}

/* Of vmemctl. */
#define VMEMCTL_STALLED 6

#endif /* KVM_VMEM_TEST_LINUX_HARNESS_H */
