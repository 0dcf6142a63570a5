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

/**
 * serial_create() - make the port
 * @vm_fd: The VM
 *
 * A terminal is set to pass on every key, and back at exit. Ctrl-A x ends the
 * machine, Ctrl-A Ctrl-A is Ctrl-A; whatever standard input is.
 *
 * Return: 0, or -errno
 */
int serial_create(int vm_fd);

/* Puts the registers back as they were. */
void serial_reset(void);

/* A vCPU's access to register @offset, below SERIAL_NB_PORTS. */
uint8_t serial_read(uint16_t offset);
void serial_write(uint16_t offset, uint8_t value);

#endif /* SERIAL_H */
