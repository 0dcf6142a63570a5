/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the inputs of fuzz_virtqueue, fuzz_virtio and fuzz_serial are made of: steps, a
 * byte each, and what a step takes. seeds.c writes some, which libFuzzer begins with.
 */
#ifndef FUZZ_STEPS_H
#define FUZZ_STEPS_H

/* Modulo their number, so that every byte is a step. */
enum virtqueue_step {
	QUEUE_SET_UP,		/* size (2 bytes), three addresses */
	QUEUE_DESCRIBE,		/* index (1), address, length (4), flags (2), next (2) */
	QUEUE_OFFER,		/* head (2) */
	QUEUE_RING,		/* flags (2), index (2) */
	QUEUE_POKE,		/* address, value (1) */
	QUEUE_NB_DRIVER_STEPS,	/* Those before are the driver's, done at any time. */
	QUEUE_POP = QUEUE_NB_DRIVER_STEPS,
	QUEUE_PUSH,		/* written (4) */
	QUEUE_READ,		/* size (1) */
	QUEUE_WRITE,		/* size (1) */
	QUEUE_UNPLUG,		/* how much stays plugged, in KiB (1) */
	QUEUE_TRAP,		/* how many driver steps follow at checks of memory (1) */
	QUEUE_NB_STEPS
};

/* An address is one of these (1 byte) and an offset (2), or with none of them 8 bytes. */
enum virtqueue_place {
	PLACE_RAM,
	PLACE_RAM_END,
	PLACE_HIGH,
	PLACE_HIGH_END,
	PLACE_PLUGGABLE,
	PLACE_PLUGGED_END,
	PLACE_PLUGGABLE_END,
	NB_PLACES
};

enum virtio_step {
	VIRTIO_READ,		/* number of the register (1) */
	VIRTIO_WRITE,		/* number of the register (1), value (4) */
	VIRTIO_ACCESS,		/* offset (2), width (1), value (8); as no driver does */
	VIRTIO_RAM,		/* offset (2), size (1), bytes */
	VIRTIO_BLOCKS,		/* offset (2), size (1), bytes */
	VIRTIO_NOTIFY,
	VIRTIO_RESET,
	VIRTIO_RESIZE,		/* requested blocks (1) */
	VIRTIO_DRIVE,		/* entries of the queue (1): all that a driver does first */
	VIRTIO_REQUEST,		/* type (2), block (1), how many (2), flags (1) */
	VIRTIO_NB_STEPS
};

/* Flags of VIRTIO_REQUEST. */
enum {
	REQUEST_IN_TWO = 1 << 0,	/* In two buffers. */
	REQUEST_IN_BLOCKS = 1 << 1,	/* The answer goes to pluggable memory. */
	REQUEST_SHORT = 1 << 2,		/* Too little room for the answer. */
};

enum serial_step {
	SERIAL_READ,		/* offset (1) */
	SERIAL_WRITE,		/* offset (1), value (1) */
	SERIAL_TYPE,		/* size (1), bytes */
	SERIAL_ROOM,		/* whether the output takes any more (1) */
	SERIAL_RESET,
	SERIAL_END,		/* nobody types any more */
	SERIAL_NB_STEPS
};

#endif /* FUZZ_STEPS_H */
