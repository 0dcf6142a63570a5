/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tests of what no driver does, in groups. Each begins with a device that was
 * just reset and has nothing plugged, says
 *
 *   mini: GROUP/TEST: ok
 *   mini: GROUP/TEST: FAILED and why
 *
 * and ends with a check that a reset brings the device back, and that the other
 * device works.
 */
#ifndef MINI_HOSTILE_H
#define MINI_HOSTILE_H

#include "devices.h"

/* Long enough for a device to do what it should not. */
#define MOMENT_US	3000

struct test {
	const char *name;
	void (*run)(void);
};

void run_tests(const char *group, const struct test *tests, unsigned int nr);

/* For tests that are lines of a table. */
void run_test(const char *group, const char *test, void (*run)(const void *arg), const void *arg);

/* Ends the test. */
__printf(1, 2)
void __noreturn fail(const char *format, ...);

#define check(condition, ...) do { \
	if (!(condition)) \
		fail(__VA_ARGS__); \
} while (0)

/*
 * The driver broke the rules: the device asks to be reset, with an interrupt if
 * it was driven, and does nothing more. @used: its index before.
 */
void expect_fault(struct virtio_device *dev, uint16_t used);

/* Nothing was used, and no reset is asked for. */
void expect_silence(const struct virtio_device *dev, uint16_t used);

/* The device answers a request, without a reset. */
void expect_answers(void);

/* Where a buffer or a ring is: of these, only some is the guest's to use. */
enum place {
	IN_RAM,			/* room that nobody else uses */
	RAM_END,		/* the first byte after */
	NOTHING,		/* neither memory nor device */
	ADDRESS_END,		/* 2^64 */
	REGISTERS,
	UNPLUGGED,		/* the start of an unplugged block */
	UNUSABLE,		/* beyond the usable region */
	REGION_START,		/* a plugged block; nothing before it */
	REGION_END,
	PLUGGED,		/* the start of a plugged block */
	PLUGGED_END,		/* an unplugged block follows */
	BLOCK_BORDER,		/* between two plugged ones */
	MEMSLOT_BORDER,		/* likewise, and two memslots if they are of 128 MiB */
};

uint64_t place(enum place place);

/* Plugs what place() says is plugged. */
bool plug_places(void);

void hostile_registers(void);
void hostile_features(void);
void hostile_setup(void);
void hostile_ring(void);
void hostile_chains(void);
void hostile_requests(void);
void hostile_memory(void);
void hostile_fuzz(void);

#endif /* MINI_HOSTILE_H */
