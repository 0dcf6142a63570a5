// SPDX-License-Identifier: GPL-2.0
/*
 * Memory without the module: a memfd, and memslots made by this process. It is
 * here to compare with, and does what QEMU 10 does (hw/virtio/virtio-mem.c): the
 * rules for requests, the size of memslots, that a memslot is deleted as soon as
 * it has no plugged block. Within a memslot the guest reaches unplugged blocks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "vmem_user.h"
#include "vmm.h"

#define MINIMUM_BLOCK_SIZE MIB

static uint64_t thp_size(void)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "r");
	unsigned long long size = 0;

	if (file) {
		if (fscanf(file, "%llu", &size) != 1)
			size = 0;
		fclose(file);
	}
	return size >= MINIMUM_BLOCK_SIZE ? size : MINIMUM_BLOCK_SIZE;
}

/* It grows, and shrinks only when all is unplugged. */
static void update_usable_size(struct vmem *vmem, bool may_shrink)
{
	struct user *user = to_user(vmem);
	uint64_t wanted = align_up(user->requested_size + VMEM_USABLE_EXTENT,
				   vmem->options.block_size);

	if (!user->requested_size)
		wanted = 0;
	if (wanted > vmem->options.size)
		wanted = vmem->options.size;
	if (wanted > user->usable_size || may_shrink)
		user->usable_size = wanted;
}

/* virtio_mem_decide_memslots(): a power of two, at least 1 GiB and a block. */
static uint64_t decide_memslot_size(const struct vmem_options *options)
{
	uint64_t size = GIB;

	while (size < options->block_size || options->size > size * VMEM_MAX_MEMSLOTS)
		size *= 2;
	return size;
}

uint64_t user_size_of_memslot(struct vmem *vmem, uint64_t index)
{
	uint64_t size = to_user(vmem)->memslot_size, rest = vmem->options.size - index * size;

	return rest < size ? rest : size;
}

int user_set_memslot(struct vmem *vmem, uint64_t index, bool map)
{
	struct user *user = to_user(vmem);
	uint64_t offset = index * user->memslot_size;
	struct kvm_userspace_memory_region region = {
		.slot = vmem->memslot + index,
		.flags = user->dirty_log ? KVM_MEM_LOG_DIRTY_PAGES : 0,
		.guest_phys_addr = vmem->options.addr + offset,
		.memory_size = map ? user_size_of_memslot(vmem, index) : 0,
		.userspace_addr = (uintptr_t)vmem->hva + offset,
	};

	return ioctl(user->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno : 0;
}

/* What the user may ask for; the module checks its own. */
static void check_options(struct vmem_options *options)
{
	if (!options->block_size)
		options->block_size = thp_size();
	if (options->block_size < MINIMUM_BLOCK_SIZE ||
	    (options->block_size & (options->block_size - 1)))
		die(VMM_EXIT_USAGE, "--vmem %s: block is a power of two, at least 1M",
		    options->label);
	if (options->size % options->block_size || options->addr % options->block_size ||
	    options->requested_size % options->block_size)
		die(VMM_EXIT_USAGE, "--vmem %s: sizes and addr are multiples of the block, %lluK",
		    options->label, (unsigned long long)(options->block_size / KIB));
	if (options->memslot_size || options->prealloc)
		die(VMM_EXIT_USAGE, "--vmem %s: memslot and prealloc need --vmem-mode group",
		    options->label);
}

static void map_memory(struct vmem *vmem, struct user *user)
{
	const uint64_t size = vmem->options.size;
	void *hva = memory_reserve(size, GIB);

	user->memfd = memfd_create("vmem", MFD_CLOEXEC);
	if (!hva || user->memfd < 0 || ftruncate(user->memfd, size) < 0 ||
	    mmap(hva, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
		 user->memfd, 0) == MAP_FAILED)
		die(VMM_EXIT_FAILED, "--vmem %s: no memory: %s", vmem->options.label,
		    strerror(errno));
	/* Without CONFIG_TRANSPARENT_HUGEPAGE it is refused, and all is well. */
	madvise(hva, size, MADV_HUGEPAGE);
	madvise(hva, size, MADV_DONTDUMP);
	vmem->hva = hva;
}

static void user_open(struct vmem *vmem, int vm_fd)
{
	struct vmem_options *options = &vmem->options;
	struct user *user = calloc(1, sizeof(*user));
	int ret;

	if (!user)
		die(VMM_EXIT_FAILED, "no memory");
	vmem->state = user;
	user->vm_fd = vm_fd;
	check_options(options);
	user->memslot_size = vmem->mode == VMEM_STATIC ? options->size :
							 decide_memslot_size(options);
	user->plugged = calloc(options->size / options->block_size, sizeof(*user->plugged));
	user->memslot_blocks = calloc(VMEM_MAX_MEMSLOTS, sizeof(*user->memslot_blocks));
	if (!user->plugged || !user->memslot_blocks)
		die(VMM_EXIT_FAILED, "no memory");
	map_memory(vmem, user);
	user->requested_size = options->requested_size;
	update_usable_size(vmem, false);

	if (vmem->mode == VMEM_STATIC) {
		ret = user_set_memslot(vmem, 0, true);
		if (ret < 0)
			die(VMM_EXIT_FAILED, "--vmem %s: KVM refuses the memslot: %s",
			    options->label, strerror(-ret));
	}
}

static bool find_blocks(struct vmem *vmem, uint64_t gpa, uint64_t nb, struct blocks *blocks)
{
	const uint64_t block = vmem->options.block_size;
	uint64_t usable = to_user(vmem)->usable_size;
	uint64_t offset = gpa - vmem->options.addr;

	if (gpa % block || !nb || gpa < vmem->options.addr || offset >= usable ||
	    nb > (usable - offset) / block)
		return false;
	blocks->first = offset / block;
	blocks->end = blocks->first + nb;
	return true;
}

static uint64_t count_plugged(struct vmem *vmem, const struct blocks *blocks)
{
	uint64_t nb = 0;

	for (uint64_t i = blocks->first; i < blocks->end; i++)
		nb += to_user(vmem)->plugged[i];
	return nb;
}

static uint64_t memslot_of(struct vmem *vmem, uint64_t block)
{
	return block * vmem->options.block_size / to_user(vmem)->memslot_size;
}

/* Counts blocks as plugged or not; deletes memslots that have none left. */
void user_mark(struct vmem *vmem, const struct blocks *blocks, bool plugged)
{
	struct user *user = to_user(vmem);

	for (uint64_t i = blocks->first; i < blocks->end; i++) {
		uint64_t memslot = memslot_of(vmem, i);

		if (user->plugged[i] == plugged)
			continue;
		user->plugged[i] = plugged;
		user->plugged_size += plugged ? vmem->options.block_size :
						-vmem->options.block_size;
		user->memslot_blocks[memslot] += plugged ? 1 : -1;
		if (!plugged && !user->memslot_blocks[memslot] && vmem->mode != VMEM_STATIC)
			user_set_memslot(vmem, memslot, false);
	}
}

static int discard(struct vmem *vmem, const struct blocks *blocks)
{
	const uint64_t block = vmem->options.block_size;

	return fallocate(to_user(vmem)->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 blocks->first * block, (blocks->end - blocks->first) * block);
}

/* All of the memslots, or none. */
int user_map_memslots(struct vmem *vmem, const struct blocks *blocks)
{
	struct user *user = to_user(vmem);
	uint64_t first = memslot_of(vmem, blocks->first), last = memslot_of(vmem, blocks->end - 1);
	uint64_t i;
	int ret = 0;

	if (vmem->mode == VMEM_STATIC)
		return 0;
	for (i = first; i <= last && ret == 0; i++)
		if (!user->memslot_blocks[i])
			ret = user_set_memslot(vmem, i, true);
	if (ret == 0)
		return 0;
	for (i--; i-- > first;)
		if (!user->memslot_blocks[i])
			user_set_memslot(vmem, i, false);
	return ret;
}

static uint16_t plug(struct vmem *vmem, uint64_t gpa, uint16_t nb)
{
	struct user *user = to_user(vmem);
	struct blocks blocks;

	if (!find_blocks(vmem, gpa, nb, &blocks))
		return VIRTIO_MEM_RESP_ERROR;
	if (user->plugged_size + nb * vmem->options.block_size > user->requested_size)
		return VIRTIO_MEM_RESP_NACK;
	if (count_plugged(vmem, &blocks))
		return VIRTIO_MEM_RESP_ERROR;
	if (user->frozen)
		return VIRTIO_MEM_RESP_BUSY;
	if (user_map_memslots(vmem, &blocks) < 0)
		return VIRTIO_MEM_RESP_BUSY;
	user_mark(vmem, &blocks, true);
	return VIRTIO_MEM_RESP_ACK;
}

static uint16_t unplug(struct vmem *vmem, uint64_t gpa, uint16_t nb)
{
	struct blocks blocks;

	if (!find_blocks(vmem, gpa, nb, &blocks) || count_plugged(vmem, &blocks) != nb)
		return VIRTIO_MEM_RESP_ERROR;
	if (to_user(vmem)->frozen || discard(vmem, &blocks) < 0)
		return VIRTIO_MEM_RESP_BUSY;
	user_mark(vmem, &blocks, false);
	return VIRTIO_MEM_RESP_ACK;
}

static uint16_t unplug_all(struct vmem *vmem)
{
	struct blocks all = { .end = vmem->options.size / vmem->options.block_size };

	if (to_user(vmem)->plugged_size) {
		if (to_user(vmem)->frozen || discard(vmem, &all) < 0)
			return VIRTIO_MEM_RESP_BUSY;
		user_mark(vmem, &all, false);
	}
	update_usable_size(vmem, true);
	return VIRTIO_MEM_RESP_ACK;
}

static uint16_t state(struct vmem *vmem, uint64_t gpa, uint16_t nb, uint16_t *out)
{
	struct blocks blocks;
	uint64_t plugged;

	if (!find_blocks(vmem, gpa, nb, &blocks))
		return VIRTIO_MEM_RESP_ERROR;
	plugged = count_plugged(vmem, &blocks);
	*out = plugged == nb ? VIRTIO_MEM_STATE_PLUGGED :
	       plugged	     ? VIRTIO_MEM_STATE_MIXED :
			       VIRTIO_MEM_STATE_UNPLUGGED;
	return VIRTIO_MEM_RESP_ACK;
}

static int user_handle(struct vmem *vmem, const struct virtio_mem_req *request,
		       struct virtio_mem_resp *response)
{
	switch (request->type) {
	case VIRTIO_MEM_REQ_PLUG:
		response->type = plug(vmem, request->u.plug.addr, request->u.plug.nb_blocks);
		return 0;
	case VIRTIO_MEM_REQ_UNPLUG:
		response->type = unplug(vmem, request->u.unplug.addr, request->u.unplug.nb_blocks);
		return 0;
	case VIRTIO_MEM_REQ_UNPLUG_ALL:
		response->type = unplug_all(vmem);
		return 0;
	case VIRTIO_MEM_REQ_STATE:
		response->type = state(vmem, request->u.state.addr, request->u.state.nb_blocks,
				       &response->u.state.state);
		return 0;
	default:
		return -EPROTO;
	}
}

static void user_get_config(struct vmem *vmem, struct virtio_mem_config *config)
{
	struct user *user = to_user(vmem);

	*config = (struct virtio_mem_config){
		.block_size = vmem->options.block_size,
		.node_id = vmem->options.node >= 0 ? vmem->options.node : 0,
		.addr = vmem->options.addr,
		.region_size = vmem->options.size,
		.usable_region_size = user->usable_size,
		.plugged_size = user->plugged_size,
		.requested_size = user->requested_size,
	};
}

static bool user_is_plugged(struct vmem *vmem, uint64_t gpa, uint64_t size)
{
	const uint64_t block = vmem->options.block_size;
	uint64_t offset = gpa - vmem->options.addr;
	struct blocks blocks = {
		.first = offset / block,
		.end = align_up(offset + size, block) / block,
	};

	return count_plugged(vmem, &blocks) == blocks.end - blocks.first;
}

static int user_set_requested_size(struct vmem *vmem, uint64_t size)
{
	if (size % vmem->options.block_size || size > vmem->options.size)
		return -EINVAL;
	pthread_mutex_lock(&vmem->device.lock);
	to_user(vmem)->requested_size = size;
	update_usable_size(vmem, false);
	pthread_mutex_unlock(&vmem->device.lock);
	vmem_requested_size_changed(vmem);
	return 0;
}

static int user_reset(struct vmem *vmem)
{
	return unplug_all(vmem) == VIRTIO_MEM_RESP_ACK ? 0 : -EBUSY;
}

const struct vmem_ops vmem_user_ops = {
	.open = user_open,
	.handle = user_handle,
	.get_config = user_get_config,
	.is_plugged = user_is_plugged,
	.set_requested_size = user_set_requested_size,
	.reset = user_reset,
	.freeze = user_freeze,
	.next_plugged = user_next_plugged,
	.next_data = user_next_data,
	.set_dirty_log = user_set_dirty_log,
	.fetch_dirty = user_fetch_dirty,
	.restore = user_restore,
};
