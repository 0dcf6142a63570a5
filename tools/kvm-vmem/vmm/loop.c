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
static atomic_bool stopped;
static struct loop_source waker;

static void woken(struct loop_source *source, uint32_t events)
{
	(void)events;
	eventfd_clear(source->fd);
}

static void loop_init(void)
{
	epoll = epoll_create1(EPOLL_CLOEXEC);
	waker.handle = woken;
	if (epoll < 0 || loop_add_eventfd(&waker) < 0)
		die(VMM_EXIT_FAILED, "no event loop: %s", strerror(errno));
}

static int control(int operation, struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(epoll, operation, source->fd, &event) < 0 ? -errno : 0;
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

/*
 * One event at a time: a handler may remove a source, and its event must not
 * be one that was fetched before.
 */
void loop_run(void)
{
	struct epoll_event event;
	int n;

	while (!stopped) {
		n = epoll_wait(epoll, &event, 1, -1);
		if (n < 0 && errno != EINTR)
			die(VMM_EXIT_FAILED, "epoll_wait: %s", strerror(errno));
		if (n == 1) {
			struct loop_source *source = event.data.ptr;

			source->handle(source, event.events);
		}
	}
}

void loop_stop(void)
{
	stopped = true;
	eventfd_signal(waker.fd);
}
