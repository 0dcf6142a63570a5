// SPDX-License-Identifier: GPL-2.0
/*
 * The input of vmem-vmm's serial port: what standard input has arrives at the guest, in
 * order and to its end, and whoever waits for it holds up nobody. The event loop is this
 * test, which has a port of its own for each test, in a process of its own.
 */
#include <fcntl.h>
#include <linux/serial_reg.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "loop.h"
#include "machine.h"
#include "serial.h"

#include <kselftest_harness.h>

#define NOT_WATCHED	UINT32_MAX
/* More than the port holds, and a pipe more than that. */
#define INPUT_SIZE	1000

/* What the port asked of the loop. */
static struct loop_source *input;
static uint32_t input_events = NOT_WATCHED;

int loop_add(struct loop_source *source, uint32_t events)
{
	if (!input)
		input = source;
	if (source != input)
		return 0;
	/* As epoll has it. */
	if (input_events != NOT_WATCHED)
		return -EEXIST;
	input_events = events;
	return 0;
}

void loop_change(struct loop_source *source, uint32_t events)
{
	if (source == input && input_events != NOT_WATCHED)
		input_events = events;
}

void loop_remove(struct loop_source *source)
{
	if (source == input)
		input_events = NOT_WATCHED;
}

void eventfd_signal(int fd)
{
}

void machine_stop(enum vmm_exit status, const char *format, ...)
{
}

/* Of KVM, to have an interrupt. */
int ioctl(int fd, unsigned long request, ...)
{
	return 0;
}

/* What epoll would say of the pipe, of which it always tells that it has no writer. */
static uint32_t pipe_events(bool ended)
{
	if (input_events == NOT_WATCHED)
		return 0;
	return (input_events & EPOLLIN) | (ended ? EPOLLHUP : 0);
}

FIXTURE(serial) {
	int pipe[2];
};

FIXTURE_SETUP(serial)
{
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC));
	ASSERT_EQ(STDIN_FILENO, dup2(self->pipe[0], STDIN_FILENO));
	ASSERT_EQ(0, serial_create(-1));
	ASSERT_NE(NULL, input);
	ASSERT_EQ(EPOLLIN, input_events);
}

FIXTURE_TEARDOWN(serial)
{
}

TEST_F(serial, input_that_has_ended_is_not_waited_for)
{
	ASSERT_EQ(0, close(self->pipe[1]));
	/* What failed long before says nothing of it. */
	errno = EINTR;
	input->handle(input, EPOLLHUP);
	ASSERT_EQ(NOT_WATCHED, input_events);
}

TEST_F(serial, input_that_ends_before_the_guest_reads_it_arrives)
{
	unsigned int i, nb = 0;
	uint8_t byte;

	for (i = 0; i < INPUT_SIZE; i++) {
		byte = 'A' + i % 26;
		ASSERT_EQ(1, write(self->pipe[1], &byte, 1));
	}
	ASSERT_EQ(0, close(self->pipe[1]));

	for (i = 0; i < 10 * INPUT_SIZE; i++) {
		if (pipe_events(true))
			input->handle(input, pipe_events(true));
		/* A guest that is slower than the loop. */
		if (i % 3 || !(serial_read(UART_LSR) & UART_LSR_DR))
			continue;
		ASSERT_EQ('A' + nb % 26, serial_read(UART_RX));
		nb++;
	}
	ASSERT_EQ(INPUT_SIZE, nb);
	ASSERT_EQ(NOT_WATCHED, input_events);
}

TEST_F(serial, a_port_that_is_full_waits_for_nothing)
{
	unsigned int i;

	for (i = 0; i < INPUT_SIZE; i++)
		ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ASSERT_EQ(0, close(self->pipe[1]));
	for (i = 0; i < 100 && pipe_events(true); i++)
		input->handle(input, pipe_events(true));
	ASSERT_GT(100, i)
		TH_LOG("it would be told for ever that the pipe has no writer");
	ASSERT_EQ('x', serial_read(UART_RX));
	ASSERT_EQ(EPOLLIN, input_events);
}

/* A port that comes from elsewhere, and is full, is like any other. */
TEST_F(serial, a_port_that_comes_full_takes_input_again)
{
	struct serial_state state = { .nb_received = SERIAL_RECEIVED_SIZE };
	unsigned int i;

	memset(state.received, 'a', sizeof(state.received));
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ASSERT_EQ(0, serial_restore(&state));
	ASSERT_EQ(NOT_WATCHED, input_events);
	for (i = 0; i < SERIAL_RECEIVED_SIZE; i++)
		ASSERT_EQ('a', serial_read(UART_RX));
	ASSERT_EQ(EPOLLIN, input_events);
	input->handle(input, EPOLLIN);
	ASSERT_EQ('x', serial_read(UART_RX));
}

static void *handle_input(void *arg)
{
	*(volatile pid_t *)arg = gettid();
	input->handle(input, EPOLLIN);
	return NULL;
}

static bool is_asleep(pid_t task)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", task);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(file);
	return state == 'S';
}

/* Somebody else who reads the terminal was faster: there is nothing any more. */
TEST_F(serial, a_guest_does_not_wait_for_who_waits_for_input)
{
	volatile pid_t task = 0;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, handle_input, (void *)&task));
	while (!task || !is_asleep(task))
		usleep(1000);
	ASSERT_EQ(0, serial_read(UART_LSR) & UART_LSR_DR);
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ('x', serial_read(UART_RX));
}

TEST_HARNESS_MAIN
