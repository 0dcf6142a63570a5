/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What /dev/kvm-vmem should do: a reference in user space, without any device.
 *
 * It is written from the documentation of the interface (include/uapi/linux/kvm_vmem.h,
 * Documentation/), from virtio 1.3, 5.15, and from QEMU's rules where those refer to
 * them; not from the driver, whose mistakes it would share. It is slow and simple: a
 * byte for each block, a structure for each memslot, all checks one after another.
 *
 * Where the documentation leaves something open, the answer does: several errnos if a
 * call has several faults, a range if a number is not fixed. What happened is then
 * learned (model_learn()), as it decides about what is to come.
 */
#ifndef VMEM_MODEL_MODEL_H
#define VMEM_MODEL_MODEL_H

#include <linux/kvm_vmem.h>
#include <linux/virtio_mem.h>
#include <stdbool.h>
#include <stdint.h>

#include "answer.h"
#include "memory.h"
#include "ops.h"

#define KIB	(1ULL << 10)
#define MIB	(1ULL << 20)
#define GIB	(1ULL << 30)
#define TIB	(1ULL << 40)

#define MODEL_MAX_OWN		16
#define MODEL_MAX_LISTENERS	64
#define MODEL_NR_EVENTS		4
/* What guests can address: VM_MAX_GPA of vm.h. */
#define MODEL_MAX_GUEST		(8 * TIB)
/* What a guest reads where there is no memory: VM_MMIO_VALUE. */
#define MODEL_MMIO_VALUE	0xa5a5a5a5a5a5a5a5ULL

/**
 * struct model_config - what the host is like
 * @huge: Protected backing may have huge pages
 * @thp_size: Size of a transparent huge page
 * @nr_memslot_ids: KVM_CAP_NR_MEMSLOTS
 * @nr_address_spaces: KVM_CAP_MULTI_ADDRESS_SPACE
 * @max_gpa: End of the guest physical addresses that KVM takes
 * @memslot_limit: Module parameter, at first
 * @backlog: Module parameter discard_backlog, at first; in MiB
 * @retire_delay: Module parameter, in milliseconds
 */
struct model_config {
	bool huge;
	uint64_t thp_size;
	uint32_t nr_memslot_ids;
	uint32_t nr_address_spaces;
	uint64_t max_gpa;
	uint64_t memslot_limit;
	uint64_t backlog;
	uint32_t retire_delay;
};

/* A number of which it is known that it is in a range. */
struct model_count {
	uint64_t min;
	uint64_t max;
};

/* A memslot of the VMM's own: a page. */
struct model_own {
	uint32_t id;
	uint64_t gpa;
};

/**
 * struct model_vm - a VM
 * @users: The VMM, as long as it has it, and the devices that are attached
 * @nr_own: How many memslots of its own the VMM has there
 * @own: Those memslots
 */
struct model_vm {
	unsigned int users;
	unsigned int nr_own;
	struct model_own own[MODEL_MAX_OWN];
};

/* A memslot of a group. */
struct model_memslot {
	bool known;
	uint32_t nr_plugged;
};

struct model_listener {
	uint32_t event;
	unsigned int eventfd;
};

/* What a device counts. */
struct model_counters {
	uint64_t responses[4];
	struct model_count kvm_calls;
	struct model_count violations;
	uint64_t last_violation;
	uint64_t size_changes;
};

/**
 * struct model_device - a device
 * @is_open: Its file is open
 * @is_setup: SETUP was done; what follows is valid
 * @attached: ATTACH was done
 * @removing: PREPARE_REMOVE was done
 * @frozen: FREEZE was done
 * @used: A block is or was plugged
 * @logging: SET_DIRTY_LOG was done
 * @id: Its number
 * @flags: Flags of SETUP
 * @node: NUMA node
 * @label: Label
 * @addr: Address of the region
 * @region: Size of the region
 * @block: Block size
 * @requested: Requested size
 * @usable: Usable region size
 * @size: Plugged size
 * @has_file: User backing has a file to discard from
 * @file_offset: Offset of the region there
 * @fixed_memslot: The VMM chose the memslot size
 * @limit: The VMM's limit of memslots, or 0
 * @memslot: Memslot size
 * @nr_memslots: How many memslots there are
 * @memslots: The memslots
 * @plugged: A byte for each block
 * @vm: The VM
 * @spaces: Mask of its address spaces
 * @which: Which mapping that has
 * @userspace_addr: Address of the region in this process
 * @first_id: First memslot id
 * @retire_delay: In milliseconds
 * @pending: How much may be waiting to be discarded, at most
 * @memory: Protected backing
 * @dirty: Its pages that have to be dirty are there
 * @maybe_dirty: Those that may be dirty are there, or in @dirty
 * @counters: What it counts
 * @nr_listeners: How many listeners there are
 * @listeners: The listeners
 */
struct model_device {
	bool is_open;
	bool is_setup;
	bool attached;
	bool removing;
	bool frozen;
	bool used;
	bool logging;
	uint32_t id;
	uint32_t flags;
	uint16_t node;
	char label[KVM_VMEM_LABEL_LEN];
	uint64_t addr;
	uint64_t region;
	uint64_t block;
	uint64_t requested;
	uint64_t usable;
	uint64_t size;
	bool has_file;
	uint64_t file_offset;
	bool fixed_memslot;
	uint32_t limit;
	uint64_t memslot;
	uint32_t nr_memslots;
	struct model_memslot *memslots;
	uint8_t *plugged;
	struct model_vm *vm;
	uint32_t spaces;
	enum map_which which;
	uint64_t userspace_addr;
	uint32_t first_id;
	uint32_t retire_delay;
	uint64_t pending;
	struct memory memory;
	struct memory dirty;
	struct memory maybe_dirty;
	struct model_counters counters;
	unsigned int nr_listeners;
	struct model_listener listeners[MODEL_MAX_LISTENERS];
};

/* What is mapped. */
enum model_source {
	SOURCE_NOTHING,
	SOURCE_DEVICE,	/* the device of the slot */
	SOURCE_GONE,	/* one that is closed */
	SOURCE_USER,	/* memory of the VMM's */
};

/**
 * struct model_mapping - a mapping of the VMM's
 * @source: What is mapped
 * @offset: Offset there
 * @size: Size
 * @writable: It can be written to
 * @addr: Where it is
 */
struct model_mapping {
	enum model_source source;
	uint64_t offset;
	uint64_t size;
	bool writable;
	uint64_t addr;
};

/**
 * struct model_user - memory of the VMM's for user backing
 * @exists: There is some
 * @kind: Where it comes from
 * @size: Size of the mapping
 * @offset: Offset of that in the file
 * @sealed: The file refuses to punch holes
 * @memory: What is in the file
 */
struct model_user {
	bool exists;
	enum memory_kind kind;
	uint64_t size;
	uint64_t offset;
	bool sealed;
	struct memory memory;
};

/**
 * struct model_slot - a device, and what its VMM has for it
 * @device: The device
 * @user: Memory for user backing
 * @mappings: Mappings, by enum map_which
 * @eventfds: How often each was signalled since it was read
 */
struct model_slot {
	struct model_device device;
	struct model_user user;
	struct model_mapping mappings[2];
	uint64_t eventfds[NR_EVENTFDS];
};

/**
 * struct model - devices, and the VMs of one VMM
 * @config: What the host is like
 * @memslot_limit: Module parameter
 * @backlog: Module parameter, in MiB
 * @vms: The VMs that the VMM has
 * @slots: The devices, and what is theirs
 *
 * Threads may share it if each has slots of its own, and what model_is_shared() names is
 * run by one at a time.
 */
struct model {
	struct model_config config;
	uint64_t memslot_limit;
	uint64_t backlog;
	struct model_vm *vms[NR_VMS];
	struct model_slot slots[NR_SLOTS];
};

void model_init(struct model *model, const struct model_config *config);
void model_destroy(struct model *model);

/*
 * Whether it makes sense, and can be told what happens: the VMM does nothing to its own
 * mappings and memslots that the documentation says nothing of.
 */
bool model_accepts(const struct model *model, const struct op *op);
/* Whether it concerns other slots. */
bool model_is_shared(enum op_kind kind);
void model_run(struct model *model, const struct op *op, struct answer *answer);
/* What the device answered where the model leaves something open. */
void model_learn(struct model *model, const struct op *op, const struct answer *actual);

/* Whether idle memslots wait to be retired, and for how long in all. */
bool model_retires(const struct model *model, unsigned int slot, uint64_t *ms);
/* That time is over. */
void model_retire(struct model *model, unsigned int slot);

/* Between the files of the model: */

/* model.c */
bool device_is(const struct model_device *device, uint32_t flag);
bool device_is_protected(const struct model_device *device);
bool device_is_dynamic(const struct model_device *device);
uint64_t device_usable(const struct model_device *device, uint64_t requested);
void model_open(struct model *model, const struct op *op, struct answer *answer);
void model_close(struct model *model, const struct op *op, struct answer *answer);
void model_requested(struct model *model, const struct op *op, struct answer *answer);
void model_requested_text(struct model *model, const struct op *op, struct answer *answer);
void model_prepare_remove(struct model *model, const struct op *op, struct answer *answer);
void model_retire_delay(struct model *model, const struct op *op, struct answer *answer);
void model_retire_now(struct model *model, const struct op *op, struct answer *answer);

/* model_setup.c */
bool is_power_of_two(uint64_t value);
uint64_t smallest_memslot(uint64_t region, uint64_t block, uint64_t limit);
uint64_t divide(uint64_t region, uint64_t memslot);
void *zeroed(uint64_t nr, size_t size);
void model_setup(struct model *model, const struct op *op, struct answer *answer);

/* model_vm.c */
void vm_put(struct model_vm *vm);
void vm_errors(const struct model_vm *vm, uint32_t id, uint64_t gpa, uint64_t size,
	       struct answer *answer);
bool vm_refuses(const struct model_vm *vm, uint32_t id, uint64_t gpa, uint64_t size);
void model_new_vm(struct model *model, const struct op *op, struct answer *answer);
void model_own(struct model *model, const struct op *op, struct answer *answer);
void model_disown(struct model *model, const struct op *op, struct answer *answer);
void model_attach(struct model *model, const struct op *op, struct answer *answer);

/* model_memslots.c */
/* Into memslots of that size, of which none is mapped. */
void device_divide(struct model_device *device, uint64_t memslot);
uint64_t memslot_size_of(const struct model_device *device, uint32_t index);
uint32_t count_memslots(const struct model_device *device, bool active);
void count_kvm_calls(struct model_device *device, uint64_t nr_memslots);
void memslots_mapped(struct model_slot *slot, uint64_t nr);
uint32_t memslots_refused(const struct model_device *device, uint64_t offset, uint64_t size,
			  uint32_t *nr_absent);
bool memslots_map(struct model_slot *slot, uint64_t offset, uint64_t size);
void memslots_forget_idle(struct model_slot *slot, uint64_t offset, uint64_t size);

/* model_requests.c */
bool range_is_valid(const struct model_device *device, uint64_t addr, uint64_t nb);
void set_plugged(struct model_device *device, uint64_t first, uint64_t nb, bool plugged);
void model_request(struct model *model, const struct op *op, struct answer *answer);
void model_reset(struct model *model, const struct op *op, struct answer *answer);

/* model_memory.c */
void slot_discard_file(struct model_slot *slot, uint64_t offset, uint64_t size);
void model_memory(struct model *model, const struct op *op, struct answer *answer);
void model_seal(struct model *model, const struct op *op, struct answer *answer);
void model_map(struct model *model, const struct op *op, struct answer *answer);
void model_unmap(struct model *model, const struct op *op, struct answer *answer);
void model_discard(struct model *model, const struct op *op, struct answer *answer);
void model_lseek(struct model *model, const struct op *op, struct answer *answer);

/* model_words.c */
void model_words(struct model *model, const struct op *op, struct answer *answer);

/* model_events.c */
void slot_signal(struct model_slot *slot, uint32_t event, uint64_t count);
void slot_size_changed(struct model_slot *slot);
void model_eventfd(struct model *model, const struct op *op, struct answer *answer);
void model_events(struct model *model, const struct op *op, struct answer *answer);
void model_read(struct model *model, const struct op *op, struct answer *answer);
void model_poll(struct model *model, const struct op *op, struct answer *answer);

/* model_migration.c */
void device_wrote(struct model_device *device, uint64_t offset);
void device_read(struct model_device *device, uint64_t offset);
void model_freeze(struct model *model, const struct op *op, struct answer *answer);
void model_get_bitmap(struct model *model, const struct op *op, struct answer *answer);
void model_set_bitmap(struct model *model, const struct op *op, struct answer *answer);
void model_dirty_log(struct model *model, const struct op *op, struct answer *answer);
void model_get_dirty_log(struct model *model, const struct op *op, struct answer *answer);

/* model_show.c */
void model_config(struct model *model, const struct op *op, struct answer *answer);
void model_info(struct model *model, const struct op *op, struct answer *answer);
void model_memslots(struct model *model, const struct op *op, struct answer *answer);
void model_bitmap(struct model *model, const struct op *op, struct answer *answer);
void model_sysfs(struct model *model, const struct op *op, struct answer *answer);
void model_settle(struct model *model, const struct op *op, struct answer *answer);

/* Columns of the tables; a device's answer names the same. */
extern const char *const memslot_columns[7];
extern const char *const bitmap_columns[1];
extern const char *const event_columns[1];
extern const char *const word_columns[1];
extern const char *const dirty_columns[1];

#endif /* VMEM_MODEL_MODEL_H */
