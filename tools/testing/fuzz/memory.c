// SPDX-License-Identifier: GPL-2.0
/* Calls: mappings, and all that can be done to memory of theirs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>

#include "access.h"
#include "run.h"

#define PAGE		4096UL

/*
 * A mapping has a place of its own, so that programs do the same each time: where any
 * region fits, aligned for huge pages.
 */
#define WINDOW(slot)	(0x100000000000UL + ((uint64_t)(slot) << 42))

enum { PLACE_ANY, PLACE_WINDOW };

static const struct name places[] = {
	{ "any", PLACE_ANY }, { "window", PLACE_WINDOW }, { 0 }
};

static const struct name prots[] = {
	{ "rw", PROT_READ | PROT_WRITE }, { "read", PROT_READ }, { "write", PROT_WRITE },
	{ "exec", PROT_EXEC }, { "none", PROT_NONE }, { 0 }
};

static const struct name map_flags[] = {
	{ "shared", MAP_SHARED }, { "private", MAP_PRIVATE }, { "anonymous", MAP_ANONYMOUS },
	{ "noreserve", MAP_NORESERVE }, { "populate", MAP_POPULATE }, { "locked", MAP_LOCKED },
	{ "fixed", MAP_FIXED }, { "noreplace", MAP_FIXED_NOREPLACE }, { "hugetlb", MAP_HUGETLB },
	{ "growsdown", MAP_GROWSDOWN }, { "nonblock", MAP_NONBLOCK }, { "sync", MAP_SYNC },
	{ 0 }
};

static const struct name advices[] = {
	{ "normal", MADV_NORMAL }, { "random", MADV_RANDOM }, { "sequential", MADV_SEQUENTIAL },
	{ "willneed", MADV_WILLNEED }, { "dontneed", MADV_DONTNEED }, { "free", MADV_FREE },
	{ "remove", MADV_REMOVE }, { "dontfork", MADV_DONTFORK }, { "dofork", MADV_DOFORK },
	{ "mergeable", MADV_MERGEABLE }, { "unmergeable", MADV_UNMERGEABLE },
	{ "hugepage", MADV_HUGEPAGE }, { "nohugepage", MADV_NOHUGEPAGE },
	{ "dontdump", MADV_DONTDUMP }, { "dodump", MADV_DODUMP },
	{ "wipeonfork", MADV_WIPEONFORK }, { "keeponfork", MADV_KEEPONFORK },
	{ "cold", MADV_COLD }, { "pageout", MADV_PAGEOUT },
	{ "populate_read", MADV_POPULATE_READ }, { "populate_write", MADV_POPULATE_WRITE },
	{ "dontneed_locked", 24 }, { "collapse", 25 }, { "guard_install", 102 },
	{ "guard_remove", 103 }, { "hwpoison", MADV_HWPOISON },
	{ "soft_offline", 101 }, { 0 }
};

static struct mapping *result_map(struct run *run, const struct call *call)
{
	return &run->maps[call->result - NB_FD_SLOTS];
}

static long keep_map(struct mapping *map, void *addr, uint64_t size)
{
	if (addr == MAP_FAILED)
		return -errno;
	map->addr = addr;
	map->size = size;
	return 0;
}

static long do_mmap(struct run *run, const struct call *call)
{
	enum { FD, SIZE, OFFSET, PROT, FLAGS, PLACE };
	const struct value *where = &call->args[PLACE];
	uint64_t size = arg_number(call, SIZE);
	int flags = arg_number(call, FLAGS);
	void *addr = NULL;

	if (where->slot != NO_SLOT)
		addr = arg_addr(run, call, PLACE);
	else if (where->number == PLACE_WINDOW)
		addr = (void *)WINDOW(call->result - NB_FD_SLOTS);
	else if (where->number != PLACE_ANY)
		addr = (void *)where->number;
	/* Nor does it replace what this program needs itself. */
	if (where->slot == NO_SLOT && where->number != PLACE_WINDOW)
		flags &= ~MAP_FIXED;
	if (size > MOST_POPULATED)
		flags &= ~(MAP_POPULATE | MAP_LOCKED);
	addr = mmap(addr, size, arg_number(call, PROT), flags, arg_fd(run, call, FD),
		    arg_number(call, OFFSET));
	return keep_map(result_map(run, call), addr, size);
}

static long do_mremap(struct run *run, const struct call *call)
{
	enum { ADDR, SIZE, NEW_SIZE, FLAGS };
	struct mapping *map = result_map(run, call);
	uint64_t new_size = arg_number(call, NEW_SIZE);
	void *addr;

	addr = mremap(arg_addr(run, call, ADDR), arg_number(call, SIZE), new_size,
		      arg_number(call, FLAGS), WINDOW(map - run->maps));
	return keep_map(map, addr, new_size);
}

static long do_munmap(struct run *run, const struct call *call)
{
	return result_of(munmap(arg_addr(run, call, 0), arg_number(call, 1)));
}

static long do_mprotect(struct run *run, const struct call *call)
{
	return result_of(mprotect(arg_addr(run, call, 0), arg_number(call, 1),
				  arg_number(call, 2)));
}

/* MADV_HWPOISON and MADV_SOFT_OFFLINE: the host has that page no more. */
static bool poisons(uint64_t advice)
{
	return advice == MADV_HWPOISON || advice == 101;
}

static bool populates(uint64_t advice)
{
	return advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE ||
	       advice == MADV_WILLNEED || poisons(advice);
}

static long do_madvise(struct run *run, const struct call *call)
{
	uint64_t size = arg_number(call, 1), advice = arg_number(call, 2);

	if (populates(advice))
		size = at_most(size, poisons(advice) ? PAGE : MOST_POPULATED);
	return result_of(madvise(arg_addr(run, call, 0), size, advice));
}

static long do_mincore(struct run *run, const struct call *call)
{
	static __thread unsigned char pages[MOST_POPULATED / PAGE];

	return result_of(mincore(arg_addr(run, call, 0),
				 at_most(arg_number(call, 1), MOST_POPULATED), pages));
}

static long do_mlock(struct run *run, const struct call *call)
{
	char *addr = arg_addr(run, call, 0);
	uint64_t size = at_most(arg_number(call, 1), MOST_POPULATED);
	uint64_t flags = arg_number(call, 2);

	if (flags == MLOCK_ONFAULT || !flags)
		return result_of(mlock2(addr, size, flags));
	return result_of(munlock(addr, size));
}

static long do_msync(struct run *run, const struct call *call)
{
	return result_of(msync(arg_addr(run, call, 0), arg_number(call, 1), arg_number(call, 2)));
}

enum { TOUCH_READ, TOUCH_WRITE };

static const struct name touches[] = { { "read", TOUCH_READ }, { "write", TOUCH_WRITE }, { 0 } };

static long do_touch(struct run *run, const struct call *call)
{
	enum { ADDR, COUNT, STRIDE, HOW };
	char *addr = arg_addr(run, call, ADDR);
	uint64_t count = at_most(arg_number(call, COUNT), MOST_PAGES);
	long result = 0;

	for (uint64_t i = 0; i < count; i++) {
		int ret = arg_number(call, HOW) == TOUCH_WRITE ? try_write(addr, i) :
								 try_touch(addr);

		addr += arg_number(call, STRIDE);
		result = ret ? ret : result;
	}
	return result;
}

enum { COPY_VM_READ, COPY_VM_WRITE, COPY_MEM_READ, COPY_MEM_WRITE, COPY_OUT, COPY_IN, COPY_PIN };

static const struct name copies[] = {
	{ "vm_read", COPY_VM_READ }, { "vm_write", COPY_VM_WRITE },
	{ "mem_read", COPY_MEM_READ }, { "mem_write", COPY_MEM_WRITE },
	{ "out", COPY_OUT }, { "in", COPY_IN }, { "pin", COPY_PIN }, { 0 }
};

/* The pages stay in a pipe until the process ends, and so nobody closes it. */
static long pin_by_pipe(char *addr, uint64_t size)
{
	static __thread int ends[2];
	struct iovec iov = { addr, size };

	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC))
		return -errno;
	return result_of(vmsplice(ends[1], &iov, 1, SPLICE_F_NONBLOCK));
}

/* By a pipe: system calls that are given the address. */
static long copy_by_pipe(char *addr, uint64_t size, uint64_t how)
{
	int ends[2];
	long result;

	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC))
		return -errno;
	if (how == COPY_OUT)
		result = result_of(write(ends[1], addr, size));
	else if (write(ends[1], "in", 2) < 0)
		result = -errno;
	else
		result = result_of(read(ends[0], addr, size));
	close(ends[0]);
	close(ends[1]);
	return result;
}

static long do_copy(struct run *run, const struct call *call)
{
	static __thread char buffer[MOST_PAGES * 4096];
	char *addr = arg_addr(run, call, 0);
	uint64_t size = at_most(arg_number(call, 1), sizeof(buffer)), how = arg_number(call, 2);
	struct iovec here = { buffer, size }, there = { addr, size };
	long result;
	int mem;

	if (how == COPY_VM_READ)
		return result_of(process_vm_readv(getpid(), &here, 1, &there, 1, 0));
	if (how == COPY_VM_WRITE)
		return result_of(process_vm_writev(getpid(), &here, 1, &there, 1, 0));
	if (how == COPY_PIN)
		return pin_by_pipe(addr, size);
	if (how > COPY_MEM_WRITE)
		return copy_by_pipe(addr, size, how);
	mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	if (mem < 0)
		return -errno;
	result = result_of(how == COPY_MEM_READ ? pread(mem, buffer, size, (off_t)addr) :
						  pwrite(mem, buffer, size, (off_t)addr));
	close(mem);
	return result;
}

static long do_mbind(struct run *run, const struct call *call)
{
	unsigned long nodes = 1;

	return result_of(syscall(SYS_mbind, arg_addr(run, call, 0), arg_number(call, 1),
				 arg_number(call, 2), &nodes, 8 * sizeof(nodes),
				 arg_number(call, 3)));
}

static long do_remap_pages(struct run *run, const struct call *call)
{
	return result_of(syscall(SYS_remap_file_pages, arg_addr(run, call, 0),
				 arg_number(call, 1), 0, arg_number(call, 2), 0));
}

static long do_uffd(struct run *run, const struct call *call)
{
	struct uffdio_register range = {
		.range = { (uintptr_t)arg_addr(run, call, 0), arg_number(call, 1) },
		.mode = arg_number(call, 2),
	};
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_NONBLOCK | O_CLOEXEC);
	long result;

	if (fd < 0)
		return -errno;
	/* Closed at once: nobody serves faults, which would wait. */
	result = result_of(ioctl(fd, UFFDIO_API, &api));
	if (!result)
		result = result_of(ioctl(fd, UFFDIO_REGISTER, &range));
	close(fd);
	return result;
}

/* The file behind a mapping, as root may open it. */
static long do_map_file(struct run *run, const struct call *call)
{
	const struct mapping *map;
	char path[64];

	if (call->args[0].slot < NB_FD_SLOTS)
		return -EINVAL;
	map = &run->maps[call->args[0].slot - NB_FD_SLOTS];
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)map->addr,
		 (unsigned long)map->addr + map->size);
	return result_of(open(path, O_RDWR | O_CLOEXEC));
}

static const struct name remap_flags[] = {
	{ "maymove", MREMAP_MAYMOVE }, { "fixed", MREMAP_FIXED },
	{ "dontunmap", MREMAP_DONTUNMAP }, { 0 }
};

static const struct name sync_flags[] = {
	{ "async", MS_ASYNC }, { "sync", MS_SYNC }, { "invalidate", MS_INVALIDATE }, { 0 }
};

static const struct name lock_flags[] = {
	{ "now", 0 }, { "onfault", MLOCK_ONFAULT }, { "unlock", 2 }, { 0 }
};

static const struct name policies[] = {
	{ "default", MPOL_DEFAULT }, { "preferred", MPOL_PREFERRED }, { "bind", MPOL_BIND },
	{ "interleave", MPOL_INTERLEAVE }, { "local", MPOL_LOCAL }, { 0 }
};

static const struct name bind_flags[] = {
	{ "strict", MPOL_MF_STRICT }, { "move", MPOL_MF_MOVE }, { "move_all", MPOL_MF_MOVE_ALL },
	{ 0 }
};

static const struct name uffd_modes[] = {
	{ "missing", UFFDIO_REGISTER_MODE_MISSING }, { "wp", UFFDIO_REGISTER_MODE_WP },
	{ "minor", UFFDIO_REGISTER_MODE_MINOR }, { 0 }
};

#define RANGE		{ "addr", ARG_ADDR }, { "length", ARG_BYTES, .usual = 4096 }
#define MEMORY_CALL(_name, _weight, _execute, ...) { \
	.name = _name, .weight = _weight, .result = SLOT_NONE, .execute = _execute, \
	.args = { RANGE, ## __VA_ARGS__ } \
}

const struct call_spec memory_calls[] = {
	{
		.name = "mmap", .weight = 10, .result = SLOT_MAP, .execute = do_mmap,
		.args = {
			{ "fd", ARG_FD, SLOT_DEV, 0 },
			{ "length", ARG_BYTES, .usual = 4096 },
			{ "offset", ARG_BYTES },
			{ "prot", ARG_FLAGS, .usual = PROT_READ | PROT_WRITE, .names = prots },
			{ "flags", ARG_FLAGS, .usual = MAP_SHARED, .names = map_flags },
			{ "place", ARG_ADDR, .usual = PLACE_ANY, .names = places },
		},
	},
	{
		.name = "mremap", .weight = 3, .result = SLOT_MAP, .execute = do_mremap,
		.args = {
			RANGE,
			{ "new_length", ARG_BYTES },
			{ "flags", ARG_FLAGS, .usual = MREMAP_MAYMOVE, .names = remap_flags },
		},
	},
	MEMORY_CALL("munmap", 4, do_munmap),
	MEMORY_CALL("mprotect", 3, do_mprotect, { "prot", ARG_FLAGS, .names = prots }),
	MEMORY_CALL("madvise", 10, do_madvise, { "advice", ARG_CHOICE, .names = advices }),
	MEMORY_CALL("mincore", 1, do_mincore),
	MEMORY_CALL("mlock", 2, do_mlock, { "flags", ARG_CHOICE, .names = lock_flags }),
	MEMORY_CALL("msync", 1, do_msync,
		    { "flags", ARG_FLAGS, .usual = MS_SYNC, .names = sync_flags }),
	MEMORY_CALL("copy", 6, do_copy, { "how", ARG_CHOICE, .names = copies }),
	MEMORY_CALL("mbind", 2, do_mbind, { "policy", ARG_CHOICE, .names = policies },
		    { "flags", ARG_FLAGS, .names = bind_flags }),
	MEMORY_CALL("remap_pages", 1, do_remap_pages, { "page", ARG_COUNT }),
	MEMORY_CALL("uffd", 2, do_uffd, { "mode", ARG_FLAGS, .names = uffd_modes }),
	{
		.name = "touch", .weight = 12, .result = SLOT_NONE, .execute = do_touch,
		.args = {
			{ "addr", ARG_ADDR },
			{ "count", ARG_COUNT, .usual = 1 },
			{ "stride", ARG_BYTES, .usual = 4096 },
			{ "how", ARG_CHOICE, .names = touches },
		},
	},
	{
		.name = "map_file", .weight = 1, .result = SLOT_FILE, .execute = do_map_file,
		.args = { { "map", ARG_ADDR } },
	},
	{ 0 }
};
