// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop.h"
#include "vmm.h"

static int epoll = -1;
/* What is of the guest: one file to the other epoll. */
static struct loop_source of_guest = { .fd = -1 };
static atomic_bool stopped;
static struct loop_source waker;

/*
 * One event at a time: a handler may remove a source, and its event must not
 * be one that was fetched before.
 */
static void handle_next(int from, int timeout)
{
	struct epoll_event event;
	int n = epoll_wait(from, &event, 1, timeout);

	if (n < 0 && errno != EINTR)
		die(VMM_EXIT_FAILED, "epoll_wait: %s", strerror(errno));
	if (n == 1) {
		struct loop_source *source = event.data.ptr;

		source->handle(source, event.events);
	}
}

static void guest_ready(struct loop_source *source, uint32_t events)
{
	(void)events;
	handle_next(source->fd, 0);
}

static void woken(struct loop_source *source, uint32_t events)
{
	(void)events;
	eventfd_clear(source->fd);
}

static int control(int operation, struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(source->of_guest ? of_guest.fd : epoll, operation, source->fd,
			 &event) < 0 ? -errno : 0;
}

static void loop_init(void)
{
	epoll = epoll_create1(EPOLL_CLOEXEC);
	of_guest.fd = epoll_create1(EPOLL_CLOEXEC);
	of_guest.handle = guest_ready;
	waker.handle = woken;
	if (epoll < 0 || of_guest.fd < 0 || control(EPOLL_CTL_ADD, &of_guest, EPOLLIN) < 0 ||
	    loop_add_eventfd(&waker) < 0)
		die(VMM_EXIT_FAILED, "no event loop: %s", strerror(errno));
}

int loop_add(struct loop_source *source, uint32_t events)
{
	if (epoll < 0)
		loop_init();
	return control(EPOLL_CTL_ADD, source, events);
}

void loop_change(struct loop_source *source, uint32_t events)
{
	control(EPOLL_CTL_MOD, source, events);
}

void loop_remove(struct loop_source *source)
{
	control(EPOLL_CTL_DEL, source, 0);
}

int loop_add_eventfd(struct loop_source *source)
{
	source->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (source->fd < 0)
		return -errno;
	return loop_add(source, EPOLLIN);
}

void eventfd_clear(int fd)
{
	eventfd_t count;

	eventfd_read(fd, &count);
}

void eventfd_signal(int fd)
{
	eventfd_write(fd, 1);
}

void loop_hold_guest(bool hold)
{
	loop_change(&of_guest, hold ? 0 : EPOLLIN);
}

void loop_run(void)
{
	while (!stopped)
		handle_next(epoll, -1);
}

void loop_stop(void)
{
	stopped = true;
	eventfd_signal(waker.fd);
}
