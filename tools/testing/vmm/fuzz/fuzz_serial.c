// SPDX-License-Identifier: GPL-2.0
/*
 * The 16550 of vmem-vmm under libFuzzer: a guest that accesses any register, somebody who
 * types, and an output that takes no more at times. What comes out is what the guest sent
 * while the port had room, in order; what it reads is what was typed.
 */
#include <stdarg.h>

/* All that it includes, before its system calls are others. */
#include <poll.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "input.h"
#include "steps.h"

static int fake_poll(struct pollfd *fds, nfds_t nb, int timeout);
static ssize_t fake_read(int fd, void *data, size_t size);
static ssize_t fake_write(int fd, const void *data, size_t size);

#define poll fake_poll
#define read fake_read
#define write fake_write
#include "serial.c"
#undef poll
#undef read
#undef write

/* What is on its way in one direction. */
struct way {
	uint8_t bytes[1 << 16];
	size_t in, out;
};

/* Of the run. */
static struct {
	struct input *input;
	struct way sent, typed;
	uint8_t to_type;
	bool escape;
	bool has_room;
	bool input_polled, output_polled;
	bool input_ended, input_removed;
	bool ended_by_user;
} run;

struct machine machine;

void machine_stop(enum vmm_exit status, const char *format, ...)
{
	must(status == VMM_EXIT_ENDED && run.ended_by_user);
}

void die(enum vmm_exit status, const char *format, ...)
{
	abort();
}

/* Again, that is: the guest has made room. */
int loop_add(struct loop_source *source, uint32_t events)
{
	must(source == &serial.input && run.input_removed);
	run.input_removed = false;
	run.input_polled = events;
	return 0;
}

void loop_change(struct loop_source *source, uint32_t events)
{
	if (source == &serial.input)
		run.input_polled = events;
	else
		run.output_polled = events;
}

void loop_remove(struct loop_source *source)
{
	must(source == &serial.input);
	must(run.input_ended || serial.nb_received == RECEIVED_SIZE);
	run.input_removed = true;
}

void eventfd_signal(int fd)
{
}

static void enter(struct way *way, uint8_t byte)
{
	if (way->in < sizeof(way->bytes))
		way->bytes[way->in++] = byte;
}

static bool is_full(const struct way *way)
{
	return way->in == sizeof(way->bytes);
}

static int fake_poll(struct pollfd *fds, nfds_t nb, int timeout)
{
	must(nb == 1 && fds->fd == STDOUT_FILENO && fds->events == POLLOUT && timeout == 0);
	return run.has_room;
}

static ssize_t fake_write(int fd, const void *data, size_t size)
{
	struct way *sent = &run.sent;

	must(fd == STDOUT_FILENO && size == 1 && (run.has_room || !serial.output_polled));
	must(sent->out < sent->in && sent->bytes[sent->out] == *(const uint8_t *)data);
	sent->out++;
	return 1;
}

/* As the manual has it: Ctrl-A is a prefix, and twice it is itself. */
static void type(uint8_t byte)
{
	const bool escaped = run.escape, prefix = byte == CTRL_A;

	run.escape = !escaped && prefix;
	if (escaped == prefix)
		enter(&run.typed, byte);
	else if (escaped && byte == 'x')
		run.ended_by_user = true;
}

/* That it works says nothing of errno, which is what it was. */
static ssize_t fake_read(int fd, void *data, size_t size)
{
	size_t nb = size < run.to_type ? size : run.to_type;

	must(fd == STDIN_FILENO && size && size <= RECEIVED_SIZE);
	if (run.input_ended)
		return 0;
	take(run.input, data, nb);
	for (size_t i = 0; i < nb; i++)
		type(((uint8_t *)data)[i]);
	run.to_type -= nb;
	return nb;
}

static void guest_reads(uint8_t offset)
{
	const bool is_data = offset == UART_RX && !(serial.lcr & UART_LCR_DLAB);
	const bool ready = serial_read(UART_LSR) & UART_LSR_DR;
	uint8_t value = serial_read(offset);

	if (!is_data)
		return;
	must(ready == (run.typed.out < run.typed.in));
	must(value == (ready ? run.typed.bytes[run.typed.out++] : 0));
}

static void guest_writes(uint8_t offset, uint8_t value)
{
	if (offset == UART_TX && !(serial.lcr & UART_LCR_DLAB) &&
	    !(serial.mcr & UART_MCR_LOOP) && serial.nb_transmit < TRANSMIT_SIZE)
		enter(&run.sent, value);
	serial_write(offset, value);
}

/* The event loop: whatever is ready and asked for. */
static void let_run(void)
{
	/* What failed before has nothing to do with it. */
	errno = EAGAIN;
	if (!run.input_removed && run.input_polled && (run.to_type || run.input_ended))
		input_ready(&serial.input, EPOLLIN);
	must(run.input_removed || !run.input_ended || !run.input_polled);
	if (run.output_polled && run.has_room)
		output_ready(&serial.output, EPOLLOUT);
}

static void step(enum serial_step step)
{
	uint8_t offset;

	switch (step) {
	case SERIAL_READ:
		guest_reads(take8(run.input) % SERIAL_NB_PORTS);
		break;
	case SERIAL_WRITE:
		offset = take8(run.input) % SERIAL_NB_PORTS;
		guest_writes(offset, take8(run.input));
		break;
	case SERIAL_TYPE:
		run.to_type = take8(run.input);
		break;
	case SERIAL_ROOM:
		run.has_room = take8(run.input) & 1;
		break;
	case SERIAL_RESET:
		serial_reset();
		break;
	default:
		run.input_ended = true;
	}
	let_run();
	must(serial.nb_received <= RECEIVED_SIZE && serial.nb_transmit <= TRANSMIT_SIZE);
	must(run.input_removed || run.input_polled == (serial.nb_received < RECEIVED_SIZE));
	must(!serial.nb_transmit || (serial.output_polled && run.output_polled));
	must(serial.interrupt_raised == (interrupt_id() != UART_IIR_NO_INT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	memset(&run, 0, sizeof(run));
	memset(&serial, 0, sizeof(serial));
	pthread_mutex_init(&serial.lock, NULL);
	serial.input.fd = STDIN_FILENO;
	serial.output_polled = take8(&input) & 1;
	run.input = &input;
	run.input_polled = true;
	while (input.size && !is_full(&run.sent) && !is_full(&run.typed))
		step(take8(&input) % SERIAL_NB_STEPS);
	run.input = NULL;
	return 0;
}
