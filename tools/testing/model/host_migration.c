// SPDX-License-Identifier: GPL-2.0
/* Calls of the device that a migration makes. */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t *create_words(uint64_t nr_bits, uint64_t *nr)
{
	uint64_t *words;

	*nr = (nr_bits + 63) / 64;
	words = calloc(*nr + 1, sizeof(*words));
	if (!words)
		abort();
	return words;
}

static void add_words(const uint64_t *words, uint64_t nr, const char *const *columns,
		      struct answer *answer)
{
	uint64_t i;

	answer_table(answer, columns, 1);
	for (i = 0; i < nr; i++)
		answer_row(answer, &words[i]);
}

void host_get_bitmap(struct host *host, const struct op *op, struct answer *answer)
{
	uint64_t nr, *words = create_words(op->args[BITMAP_NB], &nr);
	struct kvm_vmem_get_bitmap arg = {
		.size = sizeof(arg),
		.flags = op->args[BITMAP_FLAGS],
		.first_block = op->args[BITMAP_FIRST],
		.nb_blocks = op->args[BITMAP_NB],
		.bitmap = (uintptr_t)words,
	};

	if (answer_return(answer, vmem_ioctl(host->slots[op->slot].dev, KVM_VMEM_GET_BITMAP, &arg)))
		add_words(words, nr, word_columns, answer);
	free(words);
}

void host_set_bitmap(struct host *host, const struct op *op, struct answer *answer)
{
	uint64_t nr, i, *words = create_words(op->args[RESTORE_NB], &nr);
	struct kvm_vmem_set_bitmap arg = {
		.size = sizeof(arg),
		.flags = op->args[RESTORE_FLAGS],
		.addr = op->args[RESTORE_ADDR],
		.region_size = op->args[RESTORE_REGION],
		.block_size = op->args[RESTORE_BLOCK],
		.usable_region_size = op->args[RESTORE_USABLE],
		.node_id = op->args[RESTORE_NODE],
		.__reserved0 = op->args[RESTORE_RESERVED0],
		.__reserved1 = op->args[RESTORE_RESERVED1],
		.nb_blocks = op->args[RESTORE_NB],
		.bitmap = (uintptr_t)words,
	};

	for (i = 0; i < nr * 64; i++)
		words[i / 64] |= (uint64_t)op_restores(op, i) << i % 64;
	answer_return(answer, vmem_ioctl(host->slots[op->slot].dev, KVM_VMEM_SET_BITMAP, &arg));
	free(words);
}

void host_get_dirty_log(struct host *host, const struct op *op, struct answer *answer)
{
	uint64_t nr, i, dirty = 0, *words = create_words(op->args[BITMAP_NB], &nr);
	struct kvm_vmem_get_dirty_log arg = {
		.size = sizeof(arg),
		.flags = op->args[BITMAP_FLAGS],
		.first_page = op->args[BITMAP_FIRST],
		.nb_pages = op->args[BITMAP_NB],
		.bitmap = (uintptr_t)words,
	};

	if (answer_return(answer,
			  vmem_ioctl(host->slots[op->slot].dev, KVM_VMEM_GET_DIRTY_LOG, &arg))) {
		add_words(words, nr, dirty_columns, answer);
		for (i = 0; i < nr; i++)
			dirty += __builtin_popcountll(words[i]);
		answer_value(answer, "nb_is_right", arg.out_nb_dirty == dirty);
	}
	free(words);
}

void host_lseek(struct host *host, const struct op *op, struct answer *answer)
{
	off_t found = lseek(host->slots[op->slot].dev, op->args[LSEEK_OFFSET],
			    op->args[LSEEK_WHENCE]);

	if (answer_return(answer, found < 0 ? -errno : 0))
		answer_value(answer, "found", found);
}

/* The mapping stays when the file is closed. Returns MAP_FAILED with errno. */
void *host_map_memory_fd(struct host_slot *slot, uint64_t size, int prot, int flags,
			 uint64_t offset)
{
	struct kvm_vmem_get_memory_fd arg = { .size = sizeof(arg), .out_fd = -1 };
	int error = -vmem_ioctl(slot->dev, KVM_VMEM_GET_MEMORY_FD, &arg);
	void *addr = MAP_FAILED;

	if (!error) {
		addr = mmap(NULL, size, prot, flags, arg.out_fd, offset);
		error = errno;
		close(arg.out_fd);
	}
	errno = error;
	return addr;
}
