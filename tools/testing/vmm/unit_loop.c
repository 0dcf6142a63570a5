// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-vmm's event loop: while the guest is held, nothing that is of it is handled, all
 * else is, and nothing is forgotten.
 */
#include <stdarg.h>

#include "loop.h"
#include "vmm.h"

#include <kselftest_harness.h>

static struct loop_source device, operator, end;
static unsigned int nb_device, nb_operator;

void die(enum vmm_exit status, const char *format, ...)
{
	exit(status);
}

static void device_ready(struct loop_source *source, uint32_t events)
{
	eventfd_clear(source->fd);
	nb_device++;
}

static void operator_ready(struct loop_source *source, uint32_t events)
{
	eventfd_clear(source->fd);
	nb_operator++;
}

/* What waits is handled in order, and each more than once before this is. */
static void end_ready(struct loop_source *source, uint32_t events)
{
	static unsigned int nb;

	if (++nb % 10)
		return;
	eventfd_clear(source->fd);
	loop_stop();
}

/* Runs until there is nothing left to handle. */
static void run(void)
{
	eventfd_signal(end.fd);
	loop_run();
}

TEST(what_is_of_the_guest_waits_while_it_is_held)
{
	device = (struct loop_source){ .of_guest = true, .handle = device_ready };
	operator = (struct loop_source){ .handle = operator_ready };
	end = (struct loop_source){ .handle = end_ready };
	ASSERT_EQ(0, loop_add_eventfd(&device));
	ASSERT_EQ(0, loop_add_eventfd(&operator));
	ASSERT_EQ(0, loop_add_eventfd(&end));

	loop_hold_guest(true);
	eventfd_signal(device.fd);
	eventfd_signal(operator.fd);
	run();
	ASSERT_EQ(0, nb_device);
	ASSERT_EQ(1, nb_operator);
}

/* Each test is a process of its own. */
TEST(what_waited_is_handled_when_the_guest_goes_on)
{
	device = (struct loop_source){ .of_guest = true, .handle = device_ready };
	end = (struct loop_source){ .handle = end_ready };
	ASSERT_EQ(0, loop_add_eventfd(&device));
	ASSERT_EQ(0, loop_add_eventfd(&end));

	loop_hold_guest(true);
	eventfd_signal(device.fd);
	loop_hold_guest(false);
	run();
	ASSERT_EQ(1, nb_device);
}

TEST_HARNESS_MAIN
