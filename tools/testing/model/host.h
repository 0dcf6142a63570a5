/* SPDX-License-Identifier: GPL-2.0 */
/* The module, as its VMM and its operator use it. Between host*.c. */
#ifndef VMEM_MODEL_HOST_H
#define VMEM_MODEL_HOST_H

#include "target.h"

#include "vm.h"
#include "vmem.h"

#define NR_MAPPINGS	2
/* The host may be emulated and busy. */
#define PATIENCE_MS	60000

/**
 * struct host_mapping - a mapping
 * @addr: Where it is; NULL if it is not
 * @size: Its size
 * @offset: Offset of the device that it begins with; 0 for the VMM's own memory
 */
struct host_mapping {
	char *addr;
	uint64_t size;
	uint64_t offset;
};

/**
 * struct host_slot - a device, and what the VMM has for it
 * @lock: Held while the device comes or goes, and by who looks at it from aside
 * @dev: The device's file, or -1
 * @id: Its number in sysfs, or -1
 * @bitmap: Its plugged_blocks, or -1
 * @addr: Address of the region
 * @block: Block size
 * @has_user: The VMM has memory for it
 * @user: That memory
 * @mappings: By enum map_which; the first is not set if it is that of @user
 * @eventfds: Eventfds
 * @base: Address of the region in this process, after ATTACH
 * @vm: VM of which it is a device, or NULL
 * @vcpu: Number of the vCPU that touches its memory
 */
struct host_slot {
	pthread_mutex_t lock;
	int dev;
	int id;
	int bitmap;
	uint64_t addr;
	uint64_t block;
	bool has_user;
	struct backing user;
	struct host_mapping mappings[NR_MAPPINGS];
	int eventfds[NR_EVENTFDS];
	char *base;
	struct vm *vm;
	unsigned int vcpu;
};

/**
 * struct host - the module and a VMM
 * @nr_vcpus: vCPUs of each VM
 * @vms: The VMs
 * @page: Behind the VMM's own memslots
 * @null: /dev/null
 * @slots: The devices
 */
struct host {
	unsigned int nr_vcpus;
	struct vm vms[NR_VMS];
	void *page;
	int null;
	struct host_slot slots[NR_SLOTS];
};

/* host_device.c: calls of the device, and its files in sysfs */
void host_setup(struct host *host, const struct op *op, struct answer *answer);
void host_attach(struct host *host, const struct op *op, struct answer *answer);
void host_request(struct host *host, const struct op *op, struct answer *answer);
void host_action(struct host *host, const struct op *op, struct answer *answer);
void host_requested(struct host *host, const struct op *op, struct answer *answer);
void host_eventfd(struct host *host, const struct op *op, struct answer *answer);
void host_events(struct host *host, const struct op *op, struct answer *answer);
void host_read(struct host *host, const struct op *op, struct answer *answer);
void host_poll(struct host *host, const struct op *op, struct answer *answer);
void host_write_sysfs(struct host *host, const struct op *op, struct answer *answer);

/* host_show.c: what the device says of itself */
void host_config(struct host *host, const struct op *op, struct answer *answer);
void host_info(struct host *host, const struct op *op, struct answer *answer);
void host_memslots(struct host *host, const struct op *op, struct answer *answer);
void host_bitmap(struct host *host, const struct op *op, struct answer *answer);
void host_sysfs(struct host *host, const struct op *op, struct answer *answer);
void host_settle(struct host *host, const struct op *op, struct answer *answer);

/* host_migration.c */
void host_get_bitmap(struct host *host, const struct op *op, struct answer *answer);
void host_set_bitmap(struct host *host, const struct op *op, struct answer *answer);
void host_get_dirty_log(struct host *host, const struct op *op, struct answer *answer);
void host_lseek(struct host *host, const struct op *op, struct answer *answer);
void *host_map_memory_fd(struct host_slot *slot, uint64_t size, int prot, int flags,
			 uint64_t offset);

/* host_watch.c */
bool host_watch(void *self, unsigned int slot, struct difference *difference);

/* host_memory.c: mappings, and accesses to them */
char *host_mapping_addr(const struct host_slot *slot, uint64_t which);
void host_drop_mapping(struct host_slot *slot, uint64_t which);
void host_memory(struct host *host, const struct op *op, struct answer *answer);
void host_seal(struct host *host, const struct op *op, struct answer *answer);
void host_map(struct host *host, const struct op *op, struct answer *answer);
void host_unmap(struct host *host, const struct op *op, struct answer *answer);
void host_words(struct host *host, const struct op *op, struct answer *answer);
void host_discard(struct host *host, const struct op *op, struct answer *answer);

#endif /* VMEM_MODEL_HOST_H */
