// SPDX-License-Identifier: GPL-2.0
/* Sockets between a vmem-vmm and another one, or what pretends to be one. */
#define _GNU_SOURCE
#include "migration.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return address;
}

/* @fd, or if that is not what it should be, -errno. */
static int usable(int fd, bool is_usable)
{
	int ret = is_usable ? fd : -errno;

	if (!is_usable && fd >= 0)
		close(fd);
	return ret;
}

int listen_at(const char *path)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(path);
	return usable(fd, fd >= 0 && !bind(fd, (struct sockaddr *)&address, sizeof(address)) &&
			  !listen(fd, 1));
}

int accept_one(int listener, int seconds)
{
	struct pollfd poll_fd = { .fd = listener, .events = POLLIN };
	int fd;

	if (poll(&poll_fd, 1, seconds * 1000) != 1)
		return -ETIMEDOUT;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int connect_to(const char *path)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return usable(fd, fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

int send_all(int fd, const void *data, size_t size)
{
	ssize_t n;

	for (size_t done = 0; done < size; done += n) {
		n = send(fd, (const char *)data + done, size - done, MSG_NOSIGNAL);
		if (n < 0)
			return -errno;
	}
	return 0;
}

int64_t swallow(int fd, uint64_t size)
{
	char bytes[65536];
	uint64_t done = 0;
	ssize_t n;

	while (done < size) {
		n = read(fd, bytes, size - done < sizeof(bytes) ? size - done : sizeof(bytes));
		if (n <= 0)
			break;
		done += n;
	}
	return done;
}

/* No more than up to @limit, unless that is 0. Returns false at the end. */
static bool pass_on(int from, int to, uint64_t *passed, uint64_t limit)
{
	char bytes[65536];
	uint64_t most = limit && limit - *passed < sizeof(bytes) ? limit - *passed : sizeof(bytes);
	ssize_t n = read(from, bytes, most);

	if (n <= 0 || send_all(to, bytes, n))
		return false;
	*passed += n;
	return !limit || *passed < limit;
}

/* Who refuses says why, and goes away: what it said may still be there. */
static void pass_on_rest(struct relay *relay, int source, int target)
{
	char bytes[4096];
	ssize_t n;

	while ((n = recv(target, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0 &&
	       !send_all(source, bytes, n))
		relay->backward += n;
}

static void relay_between(struct relay *relay, int source, int target)
{
	struct pollfd fds[] = {
		{ .fd = source, .events = POLLIN }, { .fd = target, .events = POLLIN },
	};
	bool goes_on = true;

	while (goes_on && poll(fds, 2, -1) > 0) {
		if (fds[1].revents)
			goes_on = pass_on(target, source, &relay->backward, relay->cut_answers);
		if (goes_on && fds[0].revents)
			goes_on = pass_on(source, target, &relay->forward, relay->cut_after);
	}
	if (!relay->cut_after && !relay->cut_answers)
		pass_on_rest(relay, source, target);
}

static void *relay_thread(void *data)
{
	struct relay *relay = data;
	int source = accept_one(relay->listener, MIGRATION_TIME);
	int target = connect_to(relay->target);

	if (source >= 0 && target >= 0)
		relay_between(relay, source, target);
	if (source >= 0)
		close(source);
	if (target >= 0)
		close(target);
	return NULL;
}

int relay_start(struct relay *relay, const char *path, const char *target)
{
	relay->listener = listen_at(path);
	relay->target = target;
	relay->forward = 0;
	relay->backward = 0;
	if (relay->listener < 0)
		return relay->listener;
	return -pthread_create(&relay->thread, NULL, relay_thread, relay);
}

void relay_join(struct relay *relay)
{
	pthread_join(relay->thread, NULL);
	close(relay->listener);
}
