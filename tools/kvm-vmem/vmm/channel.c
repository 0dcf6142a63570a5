// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel.h"
#include "vmm.h"

/* A host that is gone says nothing: it is asked after so many seconds, so often. */
#define TCP_IDLE_S 10
#define TCP_INTERVAL_S 5
#define TCP_PROBES 3

static bool parse_unix(const char *path, struct channel_address *address)
{
	if (!*path || strlen(path) >= sizeof(address->un.sun_path))
		return false;
	address->un.sun_family = AF_UNIX;
	strcpy(address->un.sun_path, path);
	address->size = sizeof(address->un);
	return true;
}

static bool parse_port(const char *text, in_port_t *port)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*port = htons(value);
	return *text >= '0' && *text <= '9' && !*end && value && value <= UINT16_MAX;
}

/* Without names: looking them up needs libraries that a static program cannot have. */
static bool parse_tcp(const char *text, struct channel_address *address)
{
	struct sockaddr_in *in = (void *)&address->storage;
	struct sockaddr_in6 *in6 = (void *)&address->storage;
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	size_t length = colon ? colon - text : 0;

	if (!length || length >= sizeof(host))
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	if (host[0] == '[' && host[length - 1] == ']') {
		host[length - 1] = '\0';
		in6->sin6_family = AF_INET6;
		address->size = sizeof(*in6);
		return inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1 &&
		       parse_port(colon + 1, &in6->sin6_port);
	}
	in->sin_family = AF_INET;
	address->size = sizeof(*in);
	return inet_pton(AF_INET, host, &in->sin_addr) == 1 && parse_port(colon + 1, &in->sin_port);
}

bool channel_parse(const char *text, struct channel_address *address)
{
	memset(address, 0, sizeof(*address));
	if (!strncmp(text, "unix:", 5))
		return parse_unix(text + 5, address);
	return !strncmp(text, "tcp:", 4) && parse_tcp(text + 4, address);
}

/* Until something can be done, or -errno. */
static int wait_for(const struct channel *channel, short events)
{
	struct pollfd files[] = {
		{ .fd = channel->fd, .events = events },
		{ .fd = channel->cancel, .events = POLLIN },
	};
	int n;

	do {
		n = poll(files, ARRAY_SIZE(files), channel->patience_ms);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (files[1].revents)
		return -ECANCELED;
	return n ? 0 : -ETIMEDOUT;
}

static int open_socket(const struct channel_address *address)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

/* It is what a Unix socket has no need of. */
static void keep_alive(int fd)
{
	const struct {
		int level;
		int name;
		int value;
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, TCP_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, TCP_INTERVAL_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, TCP_PROBES },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, CHANNEL_PATIENCE_MS },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(options); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

static int finish_connecting(struct channel *channel)
{
	socklen_t size = sizeof(int);
	int error = 0, ret;

	ret = wait_for(channel, POLLOUT);
	if (ret < 0)
		return ret;
	if (getsockopt(channel->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -errno;
	return -error;
}

int channel_connect(struct channel *channel, const struct channel_address *address)
{
	channel->fd = open_socket(address);
	if (channel->fd < 0)
		return channel->fd;
	keep_alive(channel->fd);
	if (connect(channel->fd, &address->any, address->size) == 0)
		return 0;
	return errno == EINPROGRESS ? finish_connecting(channel) : -errno;
}

static void unlink_socket(const struct channel_address *address)
{
	struct stat status;

	if (address->any.sa_family == AF_UNIX && lstat(address->un.sun_path, &status) == 0 &&
	    S_ISSOCK(status.st_mode))
		unlink(address->un.sun_path);
}

static int listen_at(int fd, const struct channel_address *address)
{
	const int yes = 1;
	mode_t mask;
	int ret;

	unlink_socket(address);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	mask = umask(0177);
	ret = bind(fd, &address->any, address->size);
	umask(mask);
	return ret < 0 || listen(fd, 1) < 0 ? -errno : 0;
}

int channel_accept(struct channel *channel, const struct channel_address *address)
{
	int listener = open_socket(address), fd = -1, ret;

	channel->fd = listener;
	if (listener < 0)
		return listener;
	ret = listen_at(listener, address);
	if (ret == 0)
		ret = wait_for(channel, POLLIN);
	if (ret == 0) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		ret = fd < 0 ? -errno : 0;
		unlink_socket(address);
		keep_alive(fd);
	}
	close(listener);
	channel->fd = fd;
	return ret;
}

int channel_create(struct channel *channel, const char *path)
{
	channel->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return channel->fd < 0 ? -errno : 0;
}

int channel_open(struct channel *channel, const char *path)
{
	channel->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return channel->fd < 0 ? -errno : 0;
}

int channel_read(void *owner, void *data, size_t size)
{
	const struct channel *channel = owner;
	ssize_t n;
	int ret;

	for (size_t done = 0; done < size; done += n) {
		ret = wait_for(channel, POLLIN);
		if (ret < 0)
			return ret;
		n = read(channel->fd, (char *)data + done, size - done);
		if (n == 0)
			return -ENODATA;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n < 0)
			n = 0;
	}
	return 0;
}

int channel_write(void *owner, const void *data, size_t size)
{
	const struct channel *channel = owner;
	ssize_t n;
	int ret;

	for (size_t done = 0; done < size; done += n) {
		ret = wait_for(channel, POLLOUT);
		if (ret < 0)
			return ret;
		n = write(channel->fd, (const char *)data + done, size - done);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n < 0)
			n = 0;
	}
	return 0;
}

void channel_close(struct channel *channel)
{
	if (channel->fd >= 0)
		close(channel->fd);
	channel->fd = -1;
}
