/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The operations that the model and the module are given, and their text form, one a
 * line:
 *
 *	plug 0 addr=0x100000000 nb=3
 *
 * is a PLUG of the device in slot 0. A slot has one device at a time, its file open or
 * not, and what its VMM has for it: memory, mappings, eventfds. An operation says all
 * that it needs, so that any sequence of operations can be run, whatever is left out of
 * it. Arguments that are 0 need not be said.
 */
#ifndef VMEM_MODEL_OPS_H
#define VMEM_MODEL_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OP_MAX_ARGS	14
/* Longer than a label, to have one that does not end. */
#define OP_TEXT		80

#define NR_SLOTS	12
#define NR_VMS		3
#define NR_EVENTFDS	17	/* more than 64 listeners, with four events */

enum op_kind {
	OP_VM,
	OP_OWN,
	OP_DISOWN,
	OP_LIMIT,
	OP_BACKLOG,
	OP_OPEN,
	OP_CLOSE,
	OP_MEMORY,
	OP_SEAL,
	OP_SETUP,
	OP_MAP,
	OP_UNMAP,
	OP_ATTACH,
	OP_PLUG,
	OP_UNPLUG,
	OP_UNPLUG_ALL,
	OP_REPLUG,
	OP_STATE,
	OP_RESET,
	OP_REQUESTED,
	OP_REQUESTED_TEXT,
	OP_PREPARE_REMOVE,
	OP_RETIRE_DELAY,
	OP_RETIRE,
	OP_EVENTFD,
	OP_EVENTS,
	OP_READ,
	OP_POLL,
	OP_CONFIG,
	OP_INFO,
	OP_MEMSLOTS,
	OP_BITMAP,
	OP_SYSFS,
	OP_SETTLE,
	OP_WRITE_WORDS,
	OP_READ_WORDS,
	OP_DISCARD,
	OP_LSEEK,
	OP_FREEZE,
	OP_THAW,
	OP_GET_BITMAP,
	OP_SET_BITMAP,
	OP_DIRTY_LOG,
	OP_GET_DIRTY_LOG,
	NR_OPS
};

/* Positions of arguments. */
enum { VM_VM };
enum { OWN_VM, OWN_ID, OWN_OFFSET };
enum { DISOWN_VM, DISOWN_ID };
enum { LIMIT_LIMIT };
enum { BACKLOG_MIB };
enum { MEMORY_KIND, MEMORY_SIZE, MEMORY_OFFSET };
enum { SETUP_FLAGS, SETUP_ADDR, SETUP_REGION, SETUP_BLOCK, SETUP_MEMSLOT, SETUP_REQUESTED,
       SETUP_OFFSET, SETUP_LIMIT, SETUP_FD, SETUP_NODE, SETUP_RESERVED0, SETUP_RESERVED1 };
enum { MAP_WHICH, MAP_OFFSET, MAP_SIZE, MAP_PROT, MAP_SHARING, MAP_BY };
enum { UNMAP_WHICH };
enum { ATTACH_FLAGS, ATTACH_VM, ATTACH_FD, ATTACH_ID, ATTACH_SPACES, ATTACH_RESERVED,
       ATTACH_FROM, ATTACH_WHICH, ATTACH_DELTA };
enum { REQUEST_ADDR, REQUEST_NB, REQUEST_FLAGS };
enum { REQUESTED_SIZE, REQUESTED_FLAGS };
enum { ACTION_FLAGS };
enum { EVENTFD_EVENT, EVENTFD_FD, EVENTFD_FLAGS };
enum { READ_SIZE };
enum { MEMSLOTS_ROOM };
enum { WORDS_VIA, WORDS_OFFSET, WORDS_COUNT, WORDS_STRIDE, WORDS_VALUE };
enum { DISCARD_OFFSET, DISCARD_SIZE };
enum { LSEEK_WHENCE, LSEEK_OFFSET };
enum { BITMAP_FIRST, BITMAP_NB, BITMAP_FLAGS };
enum { RESTORE_ADDR, RESTORE_REGION, RESTORE_BLOCK, RESTORE_USABLE, RESTORE_NODE, RESTORE_NB,
       RESTORE_FIRST, RESTORE_SET, RESTORE_FIRST2, RESTORE_SET2, RESTORE_RESERVED0,
       RESTORE_RESERVED1, RESTORE_FLAGS };

/* Arguments that are words. */
enum memory_kind { MEMORY_ANON, MEMORY_MEMFD, MEMORY_TMPFS, MEMORY_HUGETLB };
enum setup_fd { FD_NONE, FD_OWN, FD_CLOSED, FD_READONLY, FD_NULL, FD_BELOW };
enum map_which { MAPPING_MAIN, MAPPING_EXTRA, MAPPING_NONE };
enum map_prot { PROT_IS_RW, PROT_IS_R, PROT_IS_RWX };
enum map_sharing { IS_SHARED, IS_PRIVATE };
enum map_by { BY_DEVICE, BY_MEMORY_FD };
enum attach_fd { VM_FD_GOOD, VM_FD_CLOSED, VM_FD_OTHER };
enum words_via { VIA_MAIN, VIA_EXTRA, VIA_PIPE, VIA_GUEST };

/* EVENTFD_FD beyond the eventfds. */
#define EVENTFD_CLOSED	NR_EVENTFDS
#define EVENTFD_OTHER	(NR_EVENTFDS + 1)

/**
 * struct op - an operation
 * @kind: Which one
 * @slot: Slot of the device
 * @args: Arguments; what they are depends on @kind
 * @text: What is written to a file in sysfs, or a label
 */
struct op {
	enum op_kind kind;
	unsigned int slot;
	uint64_t args[OP_MAX_ARGS];
	char text[OP_TEXT];
};

/* Of the bitmap that RESTORE_* describe; whether the bit is set. */
bool op_restores(const struct op *op, uint64_t block);

const char *op_name(enum op_kind kind);
/* Returns @buf. */
char *op_print(const struct op *op, char *buf, size_t size);
/* Returns NULL, or what is wrong with the line. */
const char *op_parse(struct op *op, const char *line);

/* A sequence of operations. */
struct script {
	struct op *ops;
	size_t nr;
	size_t room;
};

void script_add(struct script *script, const struct op *op);
void script_free(struct script *script);
/* Lines; empty ones and those that begin with # are left out. NULL, or what is wrong. */
const char *script_parse(struct script *script, const char *text, unsigned int *line);

#endif /* VMEM_MODEL_OPS_H */
