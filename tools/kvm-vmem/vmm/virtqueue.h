/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A split virtqueue (virtio 1.3, section 2.7), seen from the device.
 *
 * The driver is hostile: it may write anything into the rings at any time. What
 * is read from there is read once, and checked before it is used.
 */
#ifndef VIRTQUEUE_H
#define VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"

/* The most entries that a driver may choose. */
#define VIRTQUEUE_MAX_SIZE 128

/**
 * struct virtqueue - one queue
 * @size: Number of entries, as the driver chose
 * @ready: The driver set it up
 * @desc: Guest physical address of the descriptor table
 * @avail: Likewise of the driver's ring
 * @used: Likewise of the device's ring
 * @next_avail: Next entry of the driver's ring to look at
 * @next_used: Next entry of the device's ring to write
 */
struct virtqueue {
	uint32_t size;
	bool ready;
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
	uint16_t next_avail;
	uint16_t next_used;
};

/* A buffer of a chain, in guest memory. */
struct virtqueue_buffer {
	uint64_t gpa;
	uint32_t size;
};

/**
 * struct virtqueue_chain - buffers that the driver made available together
 * @head: Identifies the chain to the driver
 * @nb_readable: Buffers that the device reads; they come first
 * @nb_writable: Buffers that the device writes
 * @buffers: Both
 */
struct virtqueue_chain {
	uint16_t head;
	unsigned int nb_readable;
	unsigned int nb_writable;
	struct virtqueue_buffer buffers[VIRTQUEUE_MAX_SIZE];
};

/**
 * virtqueue_set_ready() - what the driver set up is to be used
 * @queue: The queue
 *
 * Return: whether the size is one that the device offers, and the addresses are
 * aligned as the standard says
 */
bool virtqueue_set_ready(struct virtqueue *queue);

/* Forgets all that the driver set up. */
void virtqueue_reset(struct virtqueue *queue);

/**
 * virtqueue_pop() - take the next chain
 * @queue: A ready queue
 * @memory: Guest memory
 * @chain: Filled in
 *
 * All buffers of the chain are accessible guest memory, at least now.
 *
 * Return: 1, 0 (there is none), or -EPROTO (the driver broke the rules, the
 * device needs a reset)
 */
int virtqueue_pop(struct virtqueue *queue, const struct guest_memory *memory,
		  struct virtqueue_chain *chain);

/**
 * virtqueue_push() - give a chain back
 * @queue: The queue that it is from
 * @memory: Guest memory
 * @chain: The chain
 * @written: Bytes written into it
 *
 * Return: 1 (the driver wants an interrupt), 0 (it wants none), or -EPROTO
 */
int virtqueue_push(struct virtqueue *queue, const struct guest_memory *memory,
		   const struct virtqueue_chain *chain, uint32_t written);

/* Size of the writable buffers together, in bytes. */
uint64_t chain_writable_size(const struct virtqueue_chain *chain);

/**
 * chain_read() - copy from the readable buffers
 * @chain: The chain
 * @memory: Guest memory
 * @data: Where to
 * @size: How much
 *
 * Return: bytes copied, less than @size if the buffers are smaller, or -EPROTO
 */
int chain_read(const struct virtqueue_chain *chain, const struct guest_memory *memory,
	       void *data, size_t size);

/* Likewise into the writable buffers. */
int chain_write(const struct virtqueue_chain *chain, const struct guest_memory *memory,
		const void *data, size_t size);

#endif /* VIRTQUEUE_H */
