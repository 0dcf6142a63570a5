/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A queue in memory of this process: two ranges with a hole between them, and one
 * whose second half is not plugged, and not even there.
 */
#ifndef VMM_TEST_RIG_H
#define VMM_TEST_RIG_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_ring.h>

#include "virtqueue.h"
#include "vmm.h"

#define N		VRING_DESC_F_NEXT
#define W		VRING_DESC_F_WRITE

#define RAM		0ULL
#define RAM_SIZE	(64 * KIB)
#define HIGH		(4 * GIB)
#define HIGH_SIZE	(16 * KIB)
#define PLUGGABLE	(8 * GIB)
#define PLUGGABLE_SIZE	(32 * KIB)
#define PLUGGED_SIZE	(16 * KIB)

#define DESC		(RAM + 4 * KIB)
#define AVAIL		(RAM + 8 * KIB)
#define USED		(RAM + 12 * KIB)
#define BUFFERS		(RAM + 16 * KIB)
#define SIZE		8

struct rig {
	struct guest_memory memory;
	struct virtqueue queue;
	struct virtqueue_chain chain;
	char *ram, *high, *pluggable;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

static inline bool is_plugged(void *owner, uint64_t gpa, uint64_t size)
{
	return gpa + size <= PLUGGABLE + PLUGGED_SIZE;
}

static inline void set_up(struct rig *rig)
{
	rig->queue = (struct virtqueue){
		.size = SIZE, .desc = DESC, .avail = AVAIL, .used = USED,
	};
}

static inline bool rig_create(struct rig *rig)
{
	const struct vring_desc good = { BUFFERS, 16, 0, 0 };
	unsigned int i;

	rig->ram = calloc(1, RAM_SIZE);
	rig->high = calloc(1, HIGH_SIZE);
	rig->pluggable = calloc(1, PLUGGED_SIZE);
	if (!rig->ram || !rig->high || !rig->pluggable)
		return false;
	memory_add(&rig->memory, &(struct memory_range){ RAM, RAM_SIZE, rig->ram });
	memory_add(&rig->memory, &(struct memory_range){ HIGH, HIGH_SIZE, rig->high });
	memory_add(&rig->memory, &(struct memory_range){
		PLUGGABLE, PLUGGABLE_SIZE, rig->pluggable, is_plugged,
	});
	rig->desc = (struct vring_desc *)(rig->ram + DESC);
	rig->avail = (struct vring_avail *)(rig->ram + AVAIL);
	rig->used = (struct vring_used *)(rig->ram + USED);
	/* Nothing is refused just because what is there is none. */
	for (i = 0; i < RAM_SIZE / sizeof(good); i++)
		((struct vring_desc *)rig->ram)[i] = good;
	memset(rig->avail, 0, 4 * KIB);
	memset(rig->used, 0, 4 * KIB);
	set_up(rig);
	return virtqueue_set_ready(&rig->queue);
}

static inline void rig_destroy(struct rig *rig)
{
	free(rig->ram);
	free(rig->high);
	free(rig->pluggable);
}

/* Makes a chain available. */
static inline void offer(struct rig *rig, uint16_t head)
{
	rig->avail->ring[rig->avail->idx % SIZE] = head;
	rig->avail->idx++;
}

static inline int pop(struct rig *rig)
{
	return virtqueue_pop(&rig->queue, &rig->memory, &rig->chain);
}

static inline int push(struct rig *rig, uint32_t written)
{
	return virtqueue_push(&rig->queue, &rig->memory, &rig->chain, written);
}

/* A chain of nothing but @desc is refused, and one of a good buffer is not. */
#define test_refused(...) do { \
	self->rig.desc[0] = (struct vring_desc){ BUFFERS, 16, 0, 0 }; \
	offer(&self->rig, 0); \
	ASSERT_EQ(1, pop(&self->rig)); \
	self->rig.desc[0] = (struct vring_desc)__VA_ARGS__; \
	offer(&self->rig, 0); \
	ASSERT_EQ(-EPROTO, pop(&self->rig)); \
} while (0)

#define test_accepted(...) do { \
	self->rig.desc[0] = (struct vring_desc)__VA_ARGS__; \
	offer(&self->rig, 0); \
	ASSERT_EQ(1, pop(&self->rig)); \
} while (0)

#endif /* VMM_TEST_RIG_H */
