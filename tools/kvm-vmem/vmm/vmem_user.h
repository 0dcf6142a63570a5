/* SPDX-License-Identifier: GPL-2.0 */
/* Memory without the module: what vmem_user*.c share. */
#ifndef VMEM_USER_H
#define VMEM_USER_H

#include "vmem.h"

/**
 * struct user - a device without the module
 * @vm_fd: The VM
 * @memfd: Its memory
 * @requested_size: As in struct virtio_mem_config
 * @usable_size: Likewise
 * @plugged_size: Likewise
 * @memslot_size: Size of all memslots but the last
 * @plugged: A byte a block: whether it is plugged
 * @memslot_blocks: Plugged blocks in each memslot
 * @frozen: Which blocks are plugged stays so
 * @dirty_log: KVM logs dirty pages
 * @log: Where it puts those of a memslot
 *
 * All but what a thread may call while it is frozen is the event loop's.
 */
struct user {
	int vm_fd;
	int memfd;
	uint64_t requested_size;
	uint64_t usable_size;
	uint64_t plugged_size;
	uint64_t memslot_size;
	uint8_t *plugged;
	uint32_t *memslot_blocks;
	bool frozen;
	bool dirty_log;
	uint64_t *log;
};

static inline struct user *to_user(struct vmem *vmem)
{
	return vmem->state;
}

/* Blocks of the region, [first, end). */
struct blocks {
	uint64_t first;
	uint64_t end;
};

uint64_t user_size_of_memslot(struct vmem *vmem, uint64_t index);

/* Has KVM know a memslot as it is to be now, or delete it. Return: 0, or -errno. */
int user_set_memslot(struct vmem *vmem, uint64_t index, bool map);

/* Has KVM know the memslots of blocks: all, or none. Return: 0, or -errno. */
int user_map_memslots(struct vmem *vmem, const struct blocks *blocks);

/* Counts blocks as plugged or not; deletes memslots that have none left. */
void user_mark(struct vmem *vmem, const struct blocks *blocks, bool plugged);

/* For a migration; see struct vmem_ops. */
int user_freeze(struct vmem *vmem, bool freeze);
int user_next_plugged(struct vmem *vmem, uint64_t offset, uint64_t *start, uint64_t *end);
int user_next_data(struct vmem *vmem, uint64_t offset, uint64_t *start, uint64_t *end);
int user_set_dirty_log(struct vmem *vmem, bool enable);
int user_fetch_dirty(struct vmem *vmem, uint64_t *pages);
int user_restore(struct vmem *vmem, const struct virtio_mem_config *config,
		 const uint64_t *bitmap);

#endif /* VMEM_USER_H */
