// SPDX-License-Identifier: GPL-2.0
/* The VMM's memory and mappings, and accesses: its own, by system calls, by a guest. */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "access.h"

char *host_mapping_addr(const struct host_slot *slot, uint64_t which)
{
	return slot->mappings[which].addr;
}

void host_drop_mapping(struct host_slot *slot, uint64_t which)
{
	struct host_mapping *mapping = &slot->mappings[which];

	if (which == MAPPING_MAIN && slot->has_user) {
		backing_destroy(&slot->user);
		slot->has_user = false;
	} else if (mapping->addr) {
		munmap(mapping->addr, mapping->size);
	}
	memset(mapping, 0, sizeof(*mapping));
}

void host_memory(struct host *host, const struct op *op, struct answer *answer)
{
	static const enum backing_kind kinds[] = {
		[MEMORY_ANON] = BACKING_ANON,
		[MEMORY_MEMFD] = BACKING_MEMFD,
		[MEMORY_TMPFS] = BACKING_TMPFS,
		[MEMORY_HUGETLB] = BACKING_HUGETLB,
	};
	struct host_slot *slot = &host->slots[op->slot];
	uint64_t size = op->args[MEMORY_SIZE];

	host_drop_mapping(slot, MAPPING_MAIN);
	if (!answer_return(answer, backing_create(&slot->user, kinds[op->args[MEMORY_KIND]], size,
						  op->args[MEMORY_OFFSET])))
		return;
	slot->has_user = true;
	slot->mappings[MAPPING_MAIN] = (struct host_mapping){ slot->user.addr, size, 0 };
	answer_value(answer, "addr", (uintptr_t)slot->user.addr);
}

void host_seal(struct host *host, const struct op *op, struct answer *answer)
{
	answer_return(answer, fcntl(host->slots[op->slot].user.fd, F_ADD_SEALS,
				    F_SEAL_FUTURE_WRITE) ? -errno : 0);
}

void host_map(struct host *host, const struct op *op, struct answer *answer)
{
	static const int prots[] = {
		[PROT_IS_RW] = PROT_READ | PROT_WRITE,
		[PROT_IS_R] = PROT_READ,
		[PROT_IS_RWX] = PROT_READ | PROT_WRITE | PROT_EXEC,
	};
	struct host_slot *slot = &host->slots[op->slot];
	struct host_mapping *mapping = &slot->mappings[op->args[MAP_WHICH]];
	int flags = op->args[MAP_SHARING] == IS_SHARED ? MAP_SHARED : MAP_PRIVATE;
	uint64_t offset = op->args[MAP_OFFSET], size = op->args[MAP_SIZE];
	void *addr;

	if (slot->dev >= 0)
		host_drop_mapping(slot, op->args[MAP_WHICH]);
	if (op->args[MAP_BY] == BY_MEMORY_FD)
		addr = host_map_memory_fd(slot, size, prots[op->args[MAP_PROT]], flags, offset);
	else
		addr = mmap(NULL, size, prots[op->args[MAP_PROT]], flags, slot->dev, offset);
	if (!answer_return(answer, addr == MAP_FAILED ? -errno : 0))
		return;
	*mapping = (struct host_mapping){ addr, size, offset };
	answer_value(answer, "addr", (uintptr_t)addr);
	answer_value(answer, "misaligned", ((uintptr_t)addr - (slot->addr + offset)) % GIB);
}

void host_unmap(struct host *host, const struct op *op, struct answer *answer)
{
	(void)answer;
	host_drop_mapping(&host->slots[op->slot], op->args[UNMAP_WHICH]);
}

/* Words through a pipe: the kernel accesses them. Returns 0 or -errno. */
static int pipe_word(bool is_write, void *addr, uint64_t *value)
{
	const void *from = is_write ? value : addr;
	void *to = is_write ? addr : value;
	int ends[2], ret = 0;

	if (pipe2(ends, O_CLOEXEC))
		return -EPIPE;
	if (write(ends[1], from, sizeof(*value)) != sizeof(*value) ||
	    read(ends[0], to, sizeof(*value)) != sizeof(*value))
		ret = -errno;
	close(ends[0]);
	close(ends[1]);
	return ret;
}

static void vmm_words(struct host_slot *slot, const struct op *op, struct answer *answer)
{
	enum words_via via = op->args[WORDS_VIA];
	const struct host_mapping *mapping =
		&slot->mappings[via == VIA_EXTRA ? MAPPING_EXTRA : MAPPING_MAIN];
	char *addr = mapping->addr + (op->args[WORDS_OFFSET] - mapping->offset);
	bool is_write = op->kind == OP_WRITE_WORDS;
	uint64_t i, value;
	int ret = 0;

	for (i = 0; i < op->args[WORDS_COUNT]; i++, addr += op->args[WORDS_STRIDE]) {
		value = op->args[WORDS_VALUE] + i;
		if (via == VIA_PIPE)
			ret = pipe_word(is_write, addr, &value);
		else
			ret = is_write ? try_write(addr, value) : try_read(addr, &value);
		if (ret)
			break;
		if (!is_write)
			answer_value(answer, "word", value);
	}
	if (via == VIA_PIPE)
		answer_return(answer, ret);
	else if (ret)
		answer_value(answer, "signal", -ret);
	answer_value(answer, "done", i);
}

static void guest_words(struct host_slot *slot, const struct op *op, struct answer *answer)
{
	struct vcpu *vcpu = &slot->vm->vcpus[slot->vcpu];
	uint64_t i, gpa = slot->addr + op->args[WORDS_OFFSET], mmio = 0, value;

	if (op->kind == OP_WRITE_WORDS) {
		if (answer_return(answer, guest_fill(vcpu, gpa, op->args[WORDS_COUNT],
						     op->args[WORDS_STRIDE],
						     op->args[WORDS_VALUE])))
			answer_value(answer, "mmio", vcpu->nr_mmio);
		return;
	}
	for (i = 0; i < op->args[WORDS_COUNT]; i++, gpa += op->args[WORDS_STRIDE]) {
		if (!answer_return(answer, guest_read(vcpu, gpa, &value)))
			return;
		mmio += vcpu->nr_mmio;
		answer_value(answer, "word", value);
	}
	answer_value(answer, "mmio", mmio);
}

void host_words(struct host *host, const struct op *op, struct answer *answer)
{
	struct host_slot *slot = &host->slots[op->slot];

	if (op->args[WORDS_VIA] == VIA_GUEST)
		guest_words(slot, op, answer);
	else
		vmm_words(slot, op, answer);
}

void host_discard(struct host *host, const struct op *op, struct answer *answer)
{
	struct host_slot *slot = &host->slots[op->slot];
	uint64_t offset = op->args[DISCARD_OFFSET], size = op->args[DISCARD_SIZE];

	if (slot->has_user)
		answer_return(answer, backing_discard(&slot->user, offset, size));
	else
		answer_return(answer, madvise(slot->mappings[MAPPING_MAIN].addr + offset, size,
					      MADV_REMOVE) ? -errno : 0);
}
