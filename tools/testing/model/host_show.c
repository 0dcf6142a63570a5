// SPDX-License-Identifier: GPL-2.0
/* What the device says of itself: to the VMM, and to the operator. */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"

#define MAX_MEMSLOTS	(2 * 32764)

void host_config(struct host *host, const struct op *op, struct answer *answer)
{
	struct kvm_vmem_get_config config;

	if (!answer_return(answer, vmem_get_config(host->slots[op->slot].dev, &config)))
		return;
	answer_value(answer, "block_size", config.out_block_size);
	answer_value(answer, "addr", config.out_addr);
	answer_value(answer, "region_size", config.out_region_size);
	answer_value(answer, "usable_region_size", config.out_usable_region_size);
	answer_value(answer, "plugged_size", config.out_plugged_size);
	answer_value(answer, "requested_size", config.out_requested_size);
	answer_value(answer, "node_id", config.out_node_id);
	answer_value(answer, "reserved", config.__reserved0 | config.__reserved1);
}

void host_info(struct host *host, const struct op *op, struct answer *answer)
{
	struct kvm_vmem_get_info info;

	if (!answer_return(answer, vmem_get_info(host->slots[op->slot].dev, &info)))
		return;
	answer_value(answer, "id", info.out_id);
	answer_value(answer, "setup_flags", info.out_setup_flags);
	answer_value(answer, "device_state", info.out_state);
	answer_value(answer, "node_id", info.out_node_id);
	answer_value(answer, "addr", info.out_addr);
	answer_value(answer, "max_size", info.out_max_size);
	answer_value(answer, "size", info.out_size);
	answer_value(answer, "requested_size", info.out_requested_size);
	answer_value(answer, "usable_region_size", info.out_usable_region_size);
	answer_value(answer, "block_size", info.out_block_size);
	answer_value(answer, "memslot_size", info.out_memslot_size);
	answer_value(answer, "userspace_addr", info.out_userspace_addr);
	answer_value(answer, "alignment", info.out_alignment);
	answer_value(answer, "nb_memslots", info.out_nb_memslots);
	answer_value(answer, "nb_active", info.out_nb_active);
	answer_value(answer, "nb_idle", info.out_nb_idle);
	answer_value(answer, "first_memslot_id", info.out_first_memslot_id);
	answer_value(answer, "acks", info.out_nb_acks);
	answer_value(answer, "nacks", info.out_nb_nacks);
	answer_value(answer, "busies", info.out_nb_busies);
	answer_value(answer, "errors", info.out_nb_errors);
	answer_value(answer, "kvm_calls", info.out_nb_kvm_calls);
	answer_value(answer, "violations", info.out_nb_violations);
	answer_value(answer, "last_violation", info.out_last_violation);
	answer_text(answer, (const char *)info.out_label);
}

static void add_memslots(const struct kvm_vmem_memslot_info *infos, uint32_t nr,
			 struct answer *answer)
{
	uint32_t i;

	for (i = 0; i < nr; i++) {
		const uint64_t cells[] = {
			infos[i].id, infos[i].address_space, infos[i].guest_phys_addr,
			infos[i].memory_size, infos[i].userspace_addr, infos[i].plugged_size,
			infos[i].state,
		};

		answer_row(answer, cells);
	}
}

void host_memslots(struct host *host, const struct op *op, struct answer *answer)
{
	uint64_t room = op->args[MEMSLOTS_ROOM] < MAX_MEMSLOTS ? op->args[MEMSLOTS_ROOM] :
								 MAX_MEMSLOTS;
	struct kvm_vmem_memslot_info *infos = calloc(room + 1, sizeof(*infos));
	struct kvm_vmem_get_memslots arg = {
		.size = sizeof(arg),
		.nb_memslots = room,
		.memslots = (uintptr_t)infos,
	};
	int ret = vmem_ioctl(host->slots[op->slot].dev, KVM_VMEM_GET_MEMSLOTS, &arg);

	if (!infos)
		abort();
	answer_return(answer, ret);
	if (!ret || ret == -EMSGSIZE) {
		answer_table(answer, memslot_columns, ARRAY_SIZE(memslot_columns));
		answer_value(answer, "nb", arg.out_nb_memslots);
		/* What was not listed is as it was. */
		add_memslots(infos, !ret ? arg.out_nb_memslots : infos[0].memory_size ? 1 : 0,
			     answer);
	}
	free(infos);
}

void host_bitmap(struct host *host, const struct op *op, struct answer *answer)
{
	const struct host_slot *slot = &host->slots[op->slot];
	unsigned char buf[4096];
	ssize_t i, len;
	off_t pos = 0;
	uint64_t byte;

	if (slot->bitmap < 0) {
		answer_error(answer, ENOENT);
		return;
	}
	answer_table(answer, bitmap_columns, ARRAY_SIZE(bitmap_columns));
	do {
		len = pread(slot->bitmap, buf, sizeof(buf), pos);
		for (i = 0; i < len; i++) {
			byte = buf[i];
			answer_row(answer, &byte);
		}
		pos += len;
	} while (len > 0);
	answer_return(answer, len < 0 ? -errno : 0);
}

/* A number; UINT64_MAX if the file has none. */
static uint64_t read_value(const struct host_slot *slot, const char *name)
{
	char text[64], *end;
	uint64_t value;

	if (sysfs_read(slot->id, name, text, sizeof(text)) < 0)
		return UINT64_MAX;
	value = strtoull(text, &end, 0);
	return *text && !*end ? value : UINT64_MAX;
}

static void show(const struct host_slot *slot, const char *name, const char *file,
		 struct answer *answer)
{
	answer_value(answer, name, read_value(slot, file));
}

static void show_counters(const struct host_slot *slot, struct answer *answer)
{
	show(slot, "acks", "counters/acks", answer);
	show(slot, "nacks", "counters/nacks", answer);
	show(slot, "busies", "counters/busies", answer);
	show(slot, "errors", "counters/errors", answer);
	show(slot, "kvm_calls", "counters/kvm_calls", answer);
	show(slot, "violations", "violations", answer);
	show(slot, "last_violation", "last_violation", answer);
}

void host_sysfs(struct host *host, const struct op *op, struct answer *answer)
{
	static const char *const names[] = {
		"addr", "region_size", "block_size", "node_id", "size", "requested_size",
		"usable_region_size", "memslot_size", "memslots_total", "memslots_active",
		"memslots_idle", "frozen", "dirty_log", "retire_delay_ms",
	};
	const struct host_slot *slot = &host->slots[op->slot];
	uint64_t pending, pid;
	char label[64];
	unsigned int i;

	if (slot->id < 0) {
		answer_error(answer, ENOENT);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(names); i++)
		show(slot, names[i], names[i], answer);
	pid = read_value(slot, "pid");
	answer_value(answer, "pid_is_mine", pid == (uint64_t)getpid());
	answer_value(answer, "pid_is_none", !pid);
	show_counters(slot, answer);
	/* In this order: what is freed meanwhile is in neither. */
	pending = read_value(slot, "discard_pending");
	show(slot, "resident", "resident", answer);
	answer_value(answer, "discard_pending", pending);
	if (answer_return(answer, sysfs_read(slot->id, "label", label, sizeof(label))))
		answer_text(answer, label);
}

void host_settle(struct host *host, const struct op *op, struct answer *answer)
{
	const struct host_slot *slot = &host->slots[op->slot];
	unsigned int i;

	if (slot->id < 0) {
		answer_error(answer, ENOENT);
		return;
	}
	for (i = 0; i < PATIENCE_MS && read_value(slot, "discard_pending"); i++)
		usleep(1000);
	show(slot, "resident", "resident", answer);
	if (slot->has_user && slot->user.fd >= 0)
		answer_value(answer, "file", backing_resident(&slot->user));
}
