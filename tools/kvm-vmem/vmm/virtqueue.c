// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>

#include <linux/virtio_ring.h>

#include "virtqueue.h"
#include "vmm.h"

/* Little endian, as this host is. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "x86 only");

bool virtqueue_set_ready(struct virtqueue *queue)
{
	queue->ready = queue->size && queue->size <= VIRTQUEUE_MAX_SIZE &&
		       !(queue->size & (queue->size - 1)) &&
		       !(queue->desc % VRING_DESC_ALIGN_SIZE) &&
		       !(queue->avail % VRING_AVAIL_ALIGN_SIZE) &&
		       !(queue->used % VRING_USED_ALIGN_SIZE);
	return queue->ready;
}

void virtqueue_reset(struct virtqueue *queue)
{
	*queue = (struct virtqueue){ 0 };
}

static struct vring_avail *avail_ring(const struct virtqueue *queue,
				      const struct guest_memory *memory)
{
	return memory_at(memory, queue->avail,
			 sizeof(struct vring_avail) + queue->size * sizeof(uint16_t));
}

static uint64_t used_ring_size(const struct virtqueue *queue)
{
	return sizeof(struct vring_used) + queue->size * sizeof(struct vring_used_elem);
}

static struct vring_used *used_ring(const struct virtqueue *queue,
				    const struct guest_memory *memory)
{
	return memory_at(memory, queue->used, used_ring_size(queue));
}

/* Adds a descriptor to the chain. */
static int add_buffer(struct virtqueue_chain *chain, const struct guest_memory *memory,
		      const struct vring_desc *desc)
{
	unsigned int n = chain->nb_readable + chain->nb_writable;

	/* Nobody negotiated indirect descriptors. */
	if (desc->flags & VRING_DESC_F_INDIRECT)
		return -EPROTO;
	/* Those that the device reads come first. */
	if (!(desc->flags & VRING_DESC_F_WRITE) && chain->nb_writable)
		return -EPROTO;
	if (!desc->len || !memory_at(memory, desc->addr, desc->len))
		return -EPROTO;
	if (desc->flags & VRING_DESC_F_WRITE)
		chain->nb_writable++;
	else
		chain->nb_readable++;
	chain->buffers[n] = (struct virtqueue_buffer){ .gpa = desc->addr, .size = desc->len };
	return 0;
}

static int walk(const struct virtqueue *queue, const struct guest_memory *memory,
		struct virtqueue_chain *chain)
{
	const volatile struct vring_desc *table;
	uint16_t next = chain->head;

	table = memory_at(memory, queue->desc, queue->size * sizeof(*table));
	if (!table)
		return -EPROTO;

	/* A chain that is longer than the table has a loop. */
	for (unsigned int n = 0; n < queue->size; n++) {
		struct vring_desc desc;

		if (next >= queue->size)
			return -EPROTO;
		desc = table[next];
		if (add_buffer(chain, memory, &desc) < 0)
			return -EPROTO;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return 0;
		next = desc.next;
	}
	return -EPROTO;
}

int virtqueue_pop(struct virtqueue *queue, const struct guest_memory *memory,
		  struct virtqueue_chain *chain)
{
	struct vring_avail *avail = avail_ring(queue, memory);
	uint16_t nb_new;

	if (!avail)
		return -EPROTO;
	/* The entries are read after the index that says that they are there. */
	nb_new = __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE) - queue->next_avail;
	if (!nb_new)
		return 0;
	if (nb_new > queue->size)
		return -EPROTO;

	chain->nb_readable = 0;
	chain->nb_writable = 0;
	chain->head = __atomic_load_n(&avail->ring[queue->next_avail % queue->size],
				      __ATOMIC_RELAXED);
	queue->next_avail++;
	return walk(queue, memory, chain) < 0 ? -EPROTO : 1;
}

int virtqueue_push(struct virtqueue *queue, const struct guest_memory *memory,
		   const struct virtqueue_chain *chain, uint32_t written)
{
	struct vring_used *used = used_ring(queue, memory);
	struct vring_avail *avail = avail_ring(queue, memory);

	if (!used || !avail)
		return -EPROTO;
	used->ring[queue->next_used % queue->size] = (struct vring_used_elem){
		.id = chain->head,
		.len = written,
	};
	queue->next_used++;
	__atomic_store_n(&used->idx, queue->next_used, __ATOMIC_RELEASE);
	memory_written(memory, queue->used, used_ring_size(queue));
	/* The driver changes its mind, then looks at the index (2.7.7). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !(__atomic_load_n(&avail->flags, __ATOMIC_RELAXED) & VRING_AVAIL_F_NO_INTERRUPT);
}

uint64_t chain_writable_size(const struct virtqueue_chain *chain)
{
	uint64_t size = 0;

	for (unsigned int i = 0; i < chain->nb_writable; i++)
		size += chain->buffers[chain->nb_readable + i].size;
	return size;
}

/* Copies to or from @nb buffers. */
static int copy(const struct virtqueue_buffer *buffers, unsigned int nb,
		const struct guest_memory *memory, void *data, size_t size, bool write)
{
	size_t done = 0;

	for (unsigned int i = 0; i < nb && done < size; i++) {
		size_t part = size - done < buffers[i].size ? size - done : buffers[i].size;
		char *at = memory_at(memory, buffers[i].gpa, part);

		if (!at)
			return -EPROTO;
		if (write) {
			memcpy(at, (char *)data + done, part);
			memory_written(memory, buffers[i].gpa, part);
		} else {
			memcpy((char *)data + done, at, part);
		}
		done += part;
	}
	return done;
}

int chain_read(const struct virtqueue_chain *chain, const struct guest_memory *memory,
	       void *data, size_t size)
{
	return copy(chain->buffers, chain->nb_readable, memory, data, size, false);
}

int chain_write(const struct virtqueue_chain *chain, const struct guest_memory *memory,
		const void *data, size_t size)
{
	return copy(chain->buffers + chain->nb_readable, chain->nb_writable, memory,
		    (void *)data, size, true);
}
