/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control socket: a line a command, a line of JSON an answer.
 *
 *   resize SIZE [LABEL]   ask the guest to plug SIZE; LABEL if there are several
 *   info                  the devices, and what was asked of them
 *   quit                  end the machine
 *   save FILE             save it to a file, and end it
 *   migrate ADDRESS [max-downtime=MS] [max-rounds=N]
 *                         the same to another vmem-vmm
 *   migrate-status        how far that is, or how it ended
 *   migrate-cancel        have the guest go on
 *   resume                likewise, if it is not known whether it runs there
 */
#ifndef CONTROL_H
#define CONTROL_H

/**
 * control_create() - listen
 * @path: Where the Unix socket is to be; a socket that is there is replaced
 *
 * One client at a time; the next waits.
 *
 * Return: 0, or -errno
 */
int control_create(const char *path);

/* Removes the socket. */
void control_remove(void);

#endif /* CONTROL_H */
