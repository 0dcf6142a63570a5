/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The event loop of the main thread: everything but the vCPUs happens there.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/**
 * struct loop_source - a file that the loop waits for
 * @fd: The file
 * @of_guest: Whether it can change something of the guest; set before it is added
 * @handle: Called in the main thread, with the events (EPOLLIN...)
 */
struct loop_source {
	int fd;
	bool of_guest;
	void (*handle)(struct loop_source *source, uint32_t events);
};

/**
 * loop_add() - wait for a file
 * @source: Filled in; stays with the caller
 * @events: EPOLLIN, EPOLLOUT or 0 for none yet
 *
 * From any thread, but for the first one.
 *
 * Return: 0, or -errno; -EPERM for a regular file, which is always ready
 */
int loop_add(struct loop_source *source, uint32_t events);

/* Changes the events. From any thread. */
void loop_change(struct loop_source *source, uint32_t events);

/* From the main thread. */
void loop_remove(struct loop_source *source);

/**
 * loop_add_eventfd() - make an eventfd, and wait for it
 * @source: Its handle is set
 *
 * Return: 0, or -errno
 */
int loop_add_eventfd(struct loop_source *source);

/* Reads an eventfd, so that it can be signalled anew. */
void eventfd_clear(int fd);
void eventfd_signal(int fd);

/* Has what is of the guest wait, or no longer. From the main thread. */
void loop_hold_guest(bool hold);

/* Handles events until loop_stop(). */
void loop_run(void);

/* From any thread, or a handler. */
void loop_stop(void);

#endif /* LOOP_H */
