/* SPDX-License-Identifier: GPL-2.0 */
/* What a stream goes through: a file, or a connected socket. */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Milliseconds for which nothing may move while a guest has to wait for it. */
#define CHANNEL_PATIENCE_MS 30000

/**
 * struct channel_address - where a machine goes, or comes from
 * @any: Its family tells which of the others it is
 * @un: A Unix address
 * @storage: A TCP address, of IPv4 or IPv6
 * @size: Of it
 */
struct channel_address {
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
	};
	socklen_t size;
};

/**
 * struct channel - an open channel
 * @fd: The file or socket
 * @cancel: An eventfd; what waits gives up with -ECANCELED when it is signalled. -1: none
 * @patience_ms: What waits gives up with -ETIMEDOUT if nothing moves for so long. -1: never
 */
struct channel {
	int fd;
	int cancel;
	int patience_ms;
};

/**
 * channel_parse() - read an address
 * @text: unix:PATH, tcp:IPV4:PORT or tcp:[IPV6]:PORT; hosts have no names here
 * @address: Filled in
 *
 * Return: whether it is one
 */
bool channel_parse(const char *text, struct channel_address *address);

/* These make @channel->fd. Return: 0, or -errno. */
int channel_connect(struct channel *channel, const struct channel_address *address);
/* Waits for the first who connects. Of a Unix address, the owner may. */
int channel_accept(struct channel *channel, const struct channel_address *address);
/* A file that is not there yet, for its owner. */
int channel_create(struct channel *channel, const char *path);
int channel_open(struct channel *channel, const char *path);

/* All of it, for struct stream_reader and stream_writer; @owner is a channel. */
int channel_read(void *owner, void *data, size_t size);
int channel_write(void *owner, const void *data, size_t size);

void channel_close(struct channel *channel);

#endif /* CHANNEL_H */
