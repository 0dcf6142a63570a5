// SPDX-License-Identifier: GPL-2.0
/*
 * Memory from the kvm-vmem module, on its way elsewhere: all that a VMM needs of the
 * module for that, by its library.
 */
#include <errno.h>
#include <stdlib.h>

#include <kvm-vmem.h>

#include "memory.h"
#include "vmem_group.h"
#include "vmm.h"

/* The most of the region whose dirty pages are fetched at once, and its bitmap. */
#define WINDOW GIB
#define WINDOW_WORDS (WINDOW / MEMORY_PAGE / 64)

int group_freeze(struct vmem *vmem, bool freeze)
{
	int fd = to_group(vmem)->fd;

	return freeze ? kvm_vmem_freeze(fd) : kvm_vmem_thaw(fd);
}

int group_next_plugged(struct vmem *vmem, uint64_t offset, uint64_t *start, uint64_t *end)
{
	return kvm_vmem_next_plugged(to_group(vmem)->fd, offset, start, end);
}

int group_next_data(struct vmem *vmem, uint64_t offset, uint64_t *start, uint64_t *end)
{
	return kvm_vmem_next_data(to_group(vmem)->fd, offset, start, end);
}

int group_set_dirty_log(struct vmem *vmem, bool enable)
{
	return kvm_vmem_set_dirty_log(to_group(vmem)->fd, enable ? KVM_VMEM_DIRTY_LOG_ENABLE : 0);
}

static int fetch_window(struct vmem *vmem, uint64_t offset, uint64_t size, uint64_t *pages,
			uint64_t *window)
{
	uint64_t nb_dirty, nb_pages = size / MEMORY_PAGE;
	int ret;

	ret = kvm_vmem_get_dirty_log(to_group(vmem)->fd, offset / MEMORY_PAGE, nb_pages, window,
				     &nb_dirty);
	if (ret < 0 || !nb_dirty)
		return ret;
	pages += offset / MEMORY_PAGE / 64;
	for (uint64_t i = 0; i < (nb_pages + 63) / 64; i++)
		if (window[i])
			pages[i] |= window[i];
	return 0;
}

/*
 * Window by window, but for those without any plugged block: much of a region has none,
 * and its bitmap would be larger than what there is to fetch.
 */
int group_fetch_dirty(struct vmem *vmem, uint64_t *pages)
{
	uint64_t *window = malloc(WINDOW_WORDS * sizeof(*window));
	uint64_t offset = 0, start, end, size;
	int ret = window ? 1 : -ENOMEM;

	while (ret > 0) {
		ret = group_next_plugged(vmem, offset, &start, &end);
		if (ret <= 0)
			break;
		start &= -WINDOW;
		size = vmem->options.size - start < WINDOW ? vmem->options.size - start : WINDOW;
		offset = start + size;
		ret = fetch_window(vmem, start, size, pages, window);
		if (ret == 0)
			ret = 1;
	}
	free(window);
	return ret;
}

int group_restore(struct vmem *vmem, const struct virtio_mem_config *config,
		  const uint64_t *bitmap)
{
	return kvm_vmem_restore(to_group(vmem)->fd, config, bitmap);
}
