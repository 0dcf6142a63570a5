/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sweeps: a call is made again and again, and each time another allocation of its fails,
 * until none is left. It has to do all or nothing.
 *
 * A new call of the device's is a step: a FIXTURE_VARIANT_ADD() of sweep_fixture.h.
 */
#ifndef KVM_VMEM_TEST_SWEEP_H
#define KVM_VMEM_TEST_SWEEP_H

#include "fail.h"
#include "vmem.h"

#define SWEEP_NONE	(-1)
/* It depends on what the kernel has at hand. */
#define SWEEP_ANY	(-2)

/* How far a device got before the call. */
enum sweep_stage {
	SWEEP_ATTACHED = 0,
	SWEEP_NO_DEVICE,
	SWEEP_OPEN,
	SWEEP_SET_UP,
	SWEEP_MAPPED,
};

/**
 * struct sweep_bench - what a step works with
 * @rig: The device; its VM and, but for protected backing, its memory last for the sweep
 * @first: With two_devices: the one that the VM has already
 * @eventfd: An eventfd
 * @spare: /dev/zero, for what a step needs a file for
 * @fd: The step's own
 */
struct sweep_bench {
	struct rig rig;
	struct rig first;
	int eventfd;
	int spare;
	int fd;
};

typedef int (*sweep_fn)(struct sweep_bench *bench);

/**
 * struct sweep_step - a call, and all that is needed to make it again and again
 * @options: What the device is made of
 * @stage: How far it gets before
 * @two_devices: The VM has another one
 * @prepare: What it is then made to do; errors are -errno, and never expected
 * @call: The call. Returns 0 if it did what it should, a response of virtio-mem other than
 *	ACK, or -errno
 * @undo: Undoes the call; without it the device is made anew, without @stays
 * @stays: There is nothing to undo
 * @below: Only what is called by this function of the kernel's fails
 * @elsewhere: Not in the calling task, but in whatever has @below among its callers
 * @also: An errno that the call may fail with besides -ENOMEM (memory) and -EFAULT
 * @unanswered: It is done, even if the answer cannot be copied and it fails by that
 * @touches: It touches memory, which may be there even if the call fails
 * @violates: It accesses an unplugged block, which may be counted even if the call fails
 * @allocations: It makes at least so many; one if this is 0, and none at all if SWEEP_NONE
 * @copies: The same of copies from and to user space
 * @pages: The same of pages, with @elsewhere: there @allocations are of objects alone, and
 *	copies do not fail
 * @stride: There are so many of them, all alike, that only every @stride-th is to fail
 */
struct sweep_step {
	struct rig_options options;
	enum sweep_stage stage;
	bool two_devices;
	sweep_fn prepare;
	sweep_fn call;
	sweep_fn undo;
	bool stays;
	const char *below;
	bool elsewhere;
	int also;
	bool unanswered;
	bool touches;
	bool violates;
	int allocations;
	int copies;
	int pages;
	unsigned int stride;
};

/*
 * Whether every failure of every kind leaves all or nothing behind. Says on standard error
 * how many there were, and what went wrong.
 */
bool sweep_run(const struct sweep_step *step);

/* A line of what it says. */
void sweep_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* KVM_VMEM_TEST_SWEEP_H */
