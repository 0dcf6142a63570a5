/* SPDX-License-Identifier: GPL-2.0 */
/* Memory from the kvm-vmem module: what vmem_group*.c share. */
#ifndef VMEM_GROUP_H
#define VMEM_GROUP_H

#include "loop.h"
#include "vmem.h"

/**
 * struct group - a device of the module's
 * @fd: The device
 * @vmem: The virtio-mem device in front of it
 * @config: Tells that the requested size was set
 * @violation: Tells that unplugged memory was accessed
 */
struct group {
	int fd;
	struct vmem *vmem;
	struct loop_source config;
	struct loop_source violation;
};

static inline struct group *to_group(struct vmem *vmem)
{
	return vmem->state;
}

/* For a migration; see struct vmem_ops. */
int group_freeze(struct vmem *vmem, bool freeze);
int group_next_plugged(struct vmem *vmem, uint64_t offset, uint64_t *start, uint64_t *end);
int group_next_data(struct vmem *vmem, uint64_t offset, uint64_t *start, uint64_t *end);
int group_set_dirty_log(struct vmem *vmem, bool enable);
int group_fetch_dirty(struct vmem *vmem, uint64_t *pages);
int group_restore(struct vmem *vmem, const struct virtio_mem_config *config,
		  const uint64_t *bitmap);

#endif /* VMEM_GROUP_H */
