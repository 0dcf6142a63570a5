/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A 16550 at COM1, on standard input and output.
 */
#ifndef SERIAL_H
#define SERIAL_H

#include <stdint.h>

#define SERIAL_PORT 0x3f8
#define SERIAL_NB_PORTS 8
#define SERIAL_GSI 4

/* Bytes that came in and that the guest did not fetch, and that have yet to go out. */
#define SERIAL_RECEIVED_SIZE 64
#define SERIAL_TRANSMIT_SIZE 16

/**
 * struct serial_state - the port, for a migration
 * @nb_received: How many of @received there are
 * @nb_transmit: Likewise of @transmit
 * @received: Bytes that the guest has not fetched
 * @transmit: Bytes that have yet to go out
 * @ier: Interrupt Enable Register
 * @lcr: Line Control Register
 * @mcr: Modem Control Register
 * @fcr: FIFO Control Register
 * @scratch: Scratch Register
 * @divisor: Divisor Latch, the low byte first
 * @transmit_interrupt: The port became empty, and the guest was not told
 * @escape: Ctrl-A was typed
 * @reserved: 0
 */
struct serial_state {
	uint32_t nb_received;
	uint32_t nb_transmit;
	uint8_t received[SERIAL_RECEIVED_SIZE];
	uint8_t transmit[SERIAL_TRANSMIT_SIZE];
	uint8_t ier;
	uint8_t lcr;
	uint8_t mcr;
	uint8_t fcr;
	uint8_t scratch;
	uint8_t divisor[2];
	uint8_t transmit_interrupt;
	uint8_t escape;
	uint8_t reserved[7];
};

/**
 * serial_create() - make the port
 * @vm_fd: The VM
 *
 * Ctrl-A x ends the machine, Ctrl-A Ctrl-A is Ctrl-A; whatever standard input is.
 *
 * Return: 0, or -errno
 */
int serial_create(int vm_fd);

/* A terminal passes on every key, from now until exit. */
void serial_set_terminal(void);

/* Puts the registers back as they were. */
void serial_reset(void);

/* Reads and writes all of it, for a migration. Return of the latter: 0, or -EINVAL. */
void serial_save(struct serial_state *state);
int serial_restore(const struct serial_state *state);

/* What was restored begins to work. */
void serial_go_on(void);

/* A vCPU's access to register @offset, below SERIAL_NB_PORTS. */
uint8_t serial_read(uint16_t offset);
void serial_write(uint16_t offset, uint8_t value);

#endif /* SERIAL_H */
