/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm_vmem

#if !defined(_KVM_VMEM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _KVM_VMEM_TRACE_H

#include <linux/tracepoint.h>
#include <linux/virtio_mem.h>

#include "kvm_vmem.h"

#define KVM_VMEM_REQUESTS				\
	{ VIRTIO_MEM_REQ_PLUG,		"plug" },	\
	{ VIRTIO_MEM_REQ_UNPLUG,	"unplug" },	\
	{ VIRTIO_MEM_REQ_UNPLUG_ALL,	"unplug_all" },	\
	{ VIRTIO_MEM_REQ_STATE,		"state" }

#define KVM_VMEM_RESPONSES				\
	{ VIRTIO_MEM_RESP_ACK,		"ack" },	\
	{ VIRTIO_MEM_RESP_NACK,		"nack" },	\
	{ VIRTIO_MEM_RESP_BUSY,		"busy" },	\
	{ VIRTIO_MEM_RESP_ERROR,	"error" }

#define KVM_VMEM_ACTIONS					\
	{ KVM_VMEM_CMD_FREEZE,		"freeze" },		\
	{ KVM_VMEM_CMD_THAW,		"thaw" },		\
	{ KVM_VMEM_CMD_SET_DIRTY_LOG,	"set_dirty_log" },	\
	{ KVM_VMEM_CMD_RESET,		"reset" },		\
	{ KVM_VMEM_CMD_PREPARE_REMOVE,	"prepare_remove" }

TRACE_EVENT(kvm_vmem_setup,
	TP_PROTO(const struct kvm_vmem *dev),
	TP_ARGS(dev),
	TP_STRUCT__entry(
		__field(int, id)
		__field(u64, addr)
		__field(u64, region_size)
		__field(u64, block_size)
		__field(u32, flags)
	),
	TP_fast_assign(
		__entry->id = dev->id;
		__entry->addr = dev->grid.addr;
		__entry->region_size = dev->grid.region_size;
		__entry->block_size = kvm_vmem_grid_block_size(&dev->grid);
		__entry->flags = dev->setup_flags;
	),
	TP_printk("vmem%d addr=0x%llx region_size=0x%llx block_size=0x%llx flags=0x%x",
		  __entry->id, __entry->addr, __entry->region_size,
		  __entry->block_size, __entry->flags)
);

TRACE_EVENT(kvm_vmem_attach,
	TP_PROTO(const struct kvm_vmem *dev),
	TP_ARGS(dev),
	TP_STRUCT__entry(
		__field(int, id)
		__field(u64, userspace_addr)
		__field(u64, memslot_size)
		__field(unsigned int, nb_memslots)
		__field(unsigned int, first_id)
		__field(unsigned int, address_spaces)
	),
	TP_fast_assign(
		__entry->id = dev->id;
		__entry->userspace_addr = dev->userspace_addr;
		__entry->memslot_size = kvm_vmem_grid_size_of(&dev->grid, 0);
		__entry->nb_memslots = dev->grid.nb_memslots;
		__entry->first_id = dev->claim.first_id;
		__entry->address_spaces = dev->address_spaces;
	),
	TP_printk("vmem%d userspace_addr=0x%llx memslots=%u of 0x%llx from id %u, address spaces 0x%x",
		  __entry->id, __entry->userspace_addr, __entry->nb_memslots,
		  __entry->memslot_size, __entry->first_id,
		  __entry->address_spaces)
);

TRACE_EVENT(kvm_vmem_request,
	TP_PROTO(const struct kvm_vmem *dev, unsigned int type, u64 addr,
		 u32 nb_blocks, unsigned int response),
	TP_ARGS(dev, type, addr, nb_blocks, response),
	TP_STRUCT__entry(
		__field(int, id)
		__field(unsigned int, type)
		__field(u64, addr)
		__field(u32, nb_blocks)
		__field(unsigned int, response)
		__field(u64, size)
	),
	TP_fast_assign(
		__entry->id = dev->id;
		__entry->type = type;
		__entry->addr = addr;
		__entry->nb_blocks = nb_blocks;
		__entry->response = response;
		__entry->size = dev->size;
	),
	TP_printk("vmem%d %s addr=0x%llx nb_blocks=%u: %s, size=0x%llx",
		  __entry->id,
		  __print_symbolic(__entry->type, KVM_VMEM_REQUESTS),
		  __entry->addr, __entry->nb_blocks,
		  __print_symbolic(__entry->response, KVM_VMEM_RESPONSES),
		  __entry->size)
);

TRACE_EVENT(kvm_vmem_action,
	TP_PROTO(const struct kvm_vmem *dev, unsigned int cmd, u32 flags,
		 int ret),
	TP_ARGS(dev, cmd, flags, ret),
	TP_STRUCT__entry(
		__field(int, id)
		__field(unsigned int, cmd)
		__field(u32, flags)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->id = dev->id;
		__entry->cmd = cmd;
		__entry->flags = flags;
		__entry->ret = ret;
	),
	TP_printk("vmem%d %s flags=0x%x: %d", __entry->id,
		  __print_symbolic(__entry->cmd, KVM_VMEM_ACTIONS),
		  __entry->flags, __entry->ret)
);

TRACE_EVENT(kvm_vmem_set_bitmap,
	TP_PROTO(const struct kvm_vmem *dev,
		 const struct kvm_vmem_set_bitmap *cmd, u64 size, int ret),
	TP_ARGS(dev, cmd, size, ret),
	TP_STRUCT__entry(
		__field(int, id)
		__field(u64, addr)
		__field(u64, region_size)
		__field(u64, block_size)
		__field(u64, usable_region_size)
		__field(u64, nb_blocks)
		__field(u64, size)
		__field(u16, node_id)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->id = dev->id;
		__entry->addr = cmd->addr;
		__entry->region_size = cmd->region_size;
		__entry->block_size = cmd->block_size;
		__entry->usable_region_size = cmd->usable_region_size;
		__entry->nb_blocks = cmd->nb_blocks;
		__entry->size = size;
		__entry->node_id = cmd->node_id;
		__entry->ret = ret;
	),
	TP_printk("vmem%d addr=0x%llx region_size=0x%llx block_size=0x%llx usable_region_size=0x%llx node_id=%u nb_blocks=%llu size=0x%llx: %d",
		  __entry->id, __entry->addr, __entry->region_size,
		  __entry->block_size, __entry->usable_region_size,
		  __entry->node_id, __entry->nb_blocks, __entry->size,
		  __entry->ret)
);

TRACE_EVENT(kvm_vmem_requested_size,
	TP_PROTO(const struct kvm_vmem *dev),
	TP_ARGS(dev),
	TP_STRUCT__entry(
		__field(int, id)
		__field(u64, requested_size)
		__field(u64, usable_region_size)
	),
	TP_fast_assign(
		__entry->id = dev->id;
		__entry->requested_size = dev->requested_size;
		__entry->usable_region_size = dev->usable_region_size;
	),
	TP_printk("vmem%d requested_size=0x%llx usable_region_size=0x%llx",
		  __entry->id, __entry->requested_size,
		  __entry->usable_region_size)
);

TRACE_EVENT(kvm_vmem_memslot,
	TP_PROTO(const struct kvm_vmem *dev, unsigned int as_id,
		 unsigned int slot, u64 addr, u64 size, int ret),
	TP_ARGS(dev, as_id, slot, addr, size, ret),
	TP_STRUCT__entry(
		__field(int, id)
		__field(unsigned int, as_id)
		__field(unsigned int, slot)
		__field(u64, addr)
		__field(u64, size)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->id = dev->id;
		__entry->as_id = as_id;
		__entry->slot = slot;
		__entry->addr = addr;
		__entry->size = size;
		__entry->ret = ret;
	),
	TP_printk("vmem%d %s memslot %u:%u addr=0x%llx size=0x%llx: %d",
		  __entry->id, __entry->size ? "map" : "unmap", __entry->as_id,
		  __entry->slot, __entry->addr, __entry->size, __entry->ret)
);

TRACE_EVENT(kvm_vmem_discard,
	TP_PROTO(const struct kvm_vmem *dev, u64 offset, u64 size, int ret),
	TP_ARGS(dev, offset, size, ret),
	TP_STRUCT__entry(
		__field(int, id)
		__field(u64, offset)
		__field(u64, size)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->id = dev->id;
		__entry->offset = offset;
		__entry->size = size;
		__entry->ret = ret;
	),
	TP_printk("vmem%d offset=0x%llx size=0x%llx: %d", __entry->id,
		  __entry->offset, __entry->size, __entry->ret)
);

TRACE_EVENT(kvm_vmem_violation,
	TP_PROTO(const struct kvm_vmem *dev, u64 offset),
	TP_ARGS(dev, offset),
	TP_STRUCT__entry(
		__field(int, id)
		__field(u64, addr)
	),
	TP_fast_assign(
		__entry->id = dev->id;
		__entry->addr = dev->grid.addr + offset;
	),
	TP_printk("vmem%d addr=0x%llx", __entry->id, __entry->addr)
);

#endif /* _KVM_VMEM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
