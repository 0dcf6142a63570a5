// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <linux/serial_reg.h>

#include "loop.h"
#include "machine.h"
#include "serial.h"

#define CTRL_A 1
#define RECEIVED_SIZE SERIAL_RECEIVED_SIZE
/* Of a 16550A. A driver that found the port empty sends as much without a look. */
#define TRANSMIT_SIZE SERIAL_TRANSMIT_SIZE

/*
 * What the guest sends is written at once, or kept until there is room: the guest
 * sees a port that is busy, and nothing here ever waits for whoever reads.
 */
static struct {
	pthread_mutex_t lock;		/* Protects all but the sources. */
	int interrupt;
	bool interrupt_raised;
	struct loop_source input;
	struct loop_source output;
	bool output_polled;		/* Else it is a file, and always ready. */
	bool escape;			/* Ctrl-A was typed. */

	uint8_t received[RECEIVED_SIZE];
	unsigned int nb_received;
	uint8_t transmit[TRANSMIT_SIZE];
	unsigned int nb_transmit;
	bool transmit_interrupt;	/* The port became empty, and nobody was told. */

	uint8_t ier;
	uint8_t lcr;
	uint8_t mcr;
	uint8_t fcr;
	uint8_t scratch;
	uint8_t divisor[2];
} serial = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct termios terminal;

static void restore_terminal(void)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
}

void serial_set_terminal(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &terminal) < 0)
		return;
	raw = terminal;
	cfmakeraw(&raw);
	/* For our own messages. */
	raw.c_oflag |= OPOST;
	atexit(restore_terminal);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static uint8_t interrupt_id(void)
{
	if ((serial.ier & UART_IER_RDI) && serial.nb_received)
		return UART_IIR_RDI;
	if ((serial.ier & UART_IER_THRI) && serial.transmit_interrupt)
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

/* The line is edge-triggered: an edge when a reason for it appears. */
static void update_interrupt(void)
{
	bool raise = interrupt_id() != UART_IIR_NO_INT;

	if (raise && !serial.interrupt_raised)
		eventfd_signal(serial.interrupt);
	serial.interrupt_raised = raise;
}

static bool output_has_room(void)
{
	struct pollfd output = { .fd = STDOUT_FILENO, .events = POLLOUT };

	/* With nobody there to read, writing fails at once. */
	return poll(&output, 1, 0) == 1;
}

/* What nobody will ever read is lost. */
static void transmit_now(void)
{
	unsigned int sent = 0;

	while (sent < serial.nb_transmit && (!serial.output_polled || output_has_room()))
		if (write(STDOUT_FILENO, &serial.transmit[sent++], 1) < 0)
			errno = 0;
	serial.nb_transmit -= sent;
	memmove(serial.transmit, serial.transmit + sent, serial.nb_transmit);
	if (serial.nb_transmit)
		loop_change(&serial.output, EPOLLOUT);
	else
		serial.transmit_interrupt = true;
}

static void transmit(uint8_t value)
{
	/* A guest that does not look at all. */
	if (serial.nb_transmit == TRANSMIT_SIZE)
		return;
	serial.transmit[serial.nb_transmit++] = value;
	serial.transmit_interrupt = false;
	transmit_now();
}

static void output_ready(struct loop_source *source, uint32_t events)
{
	(void)events;
	pthread_mutex_lock(&serial.lock);
	loop_change(source, 0);
	if (serial.nb_transmit)
		transmit_now();
	update_interrupt();
	pthread_mutex_unlock(&serial.lock);
}

/* Whether a byte is for us, and not for the guest. */
static bool is_escape(uint8_t byte)
{
	if (!serial.escape && byte == CTRL_A) {
		serial.escape = true;
		return true;
	}
	if (serial.escape && byte == 'x')
		machine_stop(VMM_EXIT_ENDED, NULL);
	else if (!serial.escape || byte == CTRL_A)
		return serial.escape = false;
	serial.escape = false;
	return true;
}

/*
 * A port that is full does not wait for its input at all: that a pipe has no writer would
 * be told whatever it waits for.
 */
static void input_ready(struct loop_source *source, uint32_t events)
{
	uint8_t bytes[RECEIVED_SIZE];
	size_t room;
	ssize_t n;

	(void)events;
	pthread_mutex_lock(&serial.lock);
	room = RECEIVED_SIZE - serial.nb_received;
	pthread_mutex_unlock(&serial.lock);

	/* Without the lock: others may have read a terminal's input before. */
	n = read(source->fd, bytes, room);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		loop_remove(source);
		return;
	}

	pthread_mutex_lock(&serial.lock);
	for (ssize_t i = 0; i < n; i++)
		if (!is_escape(bytes[i]))
			serial.received[serial.nb_received++] = bytes[i];
	if (serial.nb_received == RECEIVED_SIZE)
		loop_remove(source);
	update_interrupt();
	pthread_mutex_unlock(&serial.lock);
}

static uint8_t receive(void)
{
	uint8_t byte = serial.received[0];

	if (!serial.nb_received)
		return 0;
	if (serial.nb_received-- == RECEIVED_SIZE)
		loop_add(&serial.input, EPOLLIN);
	for (unsigned int i = 0; i < serial.nb_received; i++)
		serial.received[i] = serial.received[i + 1];
	return byte;
}

int serial_create(int vm_fd)
{
	struct kvm_irqfd irqfd = { .gsi = SERIAL_GSI };

	serial.interrupt = eventfd(0, EFD_CLOEXEC);
	if (serial.interrupt < 0)
		return -errno;
	irqfd.fd = serial.interrupt;
	if (ioctl(vm_fd, KVM_IRQFD, &irqfd) < 0)
		return -errno;

	serial.input = (struct loop_source){
		.fd = STDIN_FILENO, .of_guest = true, .handle = input_ready,
	};
	/* Input from a file, or none at all, is none. */
	loop_add(&serial.input, EPOLLIN);
	/* Of its own, as it may be the same file as the input. */
	serial.output = (struct loop_source){
		.fd = dup(STDOUT_FILENO), .of_guest = true, .handle = output_ready,
	};
	serial.output_polled = serial.output.fd >= 0 && loop_add(&serial.output, 0) == 0;
	return 0;
}

void serial_reset(void)
{
	pthread_mutex_lock(&serial.lock);
	serial.ier = 0;
	serial.lcr = 0;
	serial.mcr = 0;
	serial.fcr = 0;
	serial.transmit_interrupt = false;
	update_interrupt();
	pthread_mutex_unlock(&serial.lock);
}

void serial_save(struct serial_state *state)
{
	pthread_mutex_lock(&serial.lock);
	*state = (struct serial_state){
		.nb_received = serial.nb_received,
		.nb_transmit = serial.nb_transmit,
		.ier = serial.ier,
		.lcr = serial.lcr,
		.mcr = serial.mcr,
		.fcr = serial.fcr,
		.scratch = serial.scratch,
		.divisor = { serial.divisor[0], serial.divisor[1] },
		.transmit_interrupt = serial.transmit_interrupt,
		.escape = serial.escape,
	};
	memcpy(state->received, serial.received, serial.nb_received);
	memcpy(state->transmit, serial.transmit, serial.nb_transmit);
	pthread_mutex_unlock(&serial.lock);
}

int serial_restore(const struct serial_state *state)
{
	if (state->nb_received > RECEIVED_SIZE || state->nb_transmit > TRANSMIT_SIZE)
		return -EINVAL;
	pthread_mutex_lock(&serial.lock);
	serial.nb_received = state->nb_received;
	memcpy(serial.received, state->received, state->nb_received);
	if (serial.nb_received == RECEIVED_SIZE)
		loop_remove(&serial.input);
	serial.ier = state->ier & 0x0f;
	serial.lcr = state->lcr;
	serial.mcr = state->mcr;
	serial.fcr = state->fcr;
	serial.scratch = state->scratch;
	memcpy(serial.divisor, state->divisor, sizeof(serial.divisor));
	serial.transmit_interrupt = state->transmit_interrupt;
	serial.escape = state->escape;
	serial.nb_transmit = state->nb_transmit;
	memcpy(serial.transmit, state->transmit, state->nb_transmit);
	serial.interrupt_raised = false;
	pthread_mutex_unlock(&serial.lock);
	return 0;
}

/* An interrupt may have been on its way: a guest that is told twice looks twice. */
void serial_go_on(void)
{
	pthread_mutex_lock(&serial.lock);
	if (serial.nb_transmit)
		transmit_now();
	update_interrupt();
	pthread_mutex_unlock(&serial.lock);
}

static uint8_t read_interrupt_id(void)
{
	uint8_t id = interrupt_id();

	if (id == UART_IIR_THRI)
		serial.transmit_interrupt = false;
	return id | (serial.fcr & UART_FCR_ENABLE_FIFO ? 0xc0 : 0);
}

static uint8_t read_register(uint16_t offset)
{
	const bool dlab = serial.lcr & UART_LCR_DLAB;

	switch (offset) {
	case UART_RX:
		return dlab ? serial.divisor[0] : receive();
	case UART_IER:
		return dlab ? serial.divisor[1] : serial.ier;
	case UART_IIR:
		return read_interrupt_id();
	case UART_LCR:
		return serial.lcr;
	case UART_MCR:
		return serial.mcr;
	case UART_LSR:
		return (serial.nb_received ? UART_LSR_DR : 0) |
		       (serial.nb_transmit ? 0 : UART_LSR_THRE | UART_LSR_TEMT);
	case UART_MSR:
		/* In loopback, by which drivers tell a port from none, the outputs. */
		if (serial.mcr & UART_MCR_LOOP)
			return (serial.mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) |
			       (serial.mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
			       (serial.mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) |
			       (serial.mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0);
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	case UART_SCR:
		return serial.scratch;
	}
	return 0xff;
}

static void write_register(uint16_t offset, uint8_t value)
{
	const bool dlab = serial.lcr & UART_LCR_DLAB;

	switch (offset) {
	case UART_TX:
		if (dlab)
			serial.divisor[0] = value;
		else if (!(serial.mcr & UART_MCR_LOOP))
			transmit(value);
		break;
	case UART_IER:
		if (dlab) {
			serial.divisor[1] = value;
			break;
		}
		/* Enabled while the port is empty, the interrupt comes at once. */
		if (!(serial.ier & UART_IER_THRI) && (value & UART_IER_THRI))
			serial.transmit_interrupt = !serial.nb_transmit;
		serial.ier = value & 0x0f;
		break;
	case UART_FCR:
		serial.fcr = value;
		break;
	case UART_LCR:
		serial.lcr = value;
		break;
	case UART_MCR:
		serial.mcr = value;
		break;
	case UART_SCR:
		serial.scratch = value;
		break;
	}
}

uint8_t serial_read(uint16_t offset)
{
	uint8_t value;

	pthread_mutex_lock(&serial.lock);
	value = read_register(offset);
	update_interrupt();
	pthread_mutex_unlock(&serial.lock);
	return value;
}

void serial_write(uint16_t offset, uint8_t value)
{
	pthread_mutex_lock(&serial.lock);
	write_register(offset, value);
	update_interrupt();
	pthread_mutex_unlock(&serial.lock);
}
