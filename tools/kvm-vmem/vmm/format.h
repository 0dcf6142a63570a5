/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is in the sections of a stream (stream.h): structures without holes, and those of
 * KVM's own. Documentation/virt/kvm_vmem/migration.rst explains them.
 */
#ifndef FORMAT_H
#define FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include <linux/kvm.h>

#include "cpu_state.h"
#include "options.h"
#include "serial.h"
#include "stream.h"
#include "virtio.h"

#define FORMAT_PAGE 4096ULL
#define FORMAT_NB_IRQCHIPS 3

/**
 * struct format_machine - MACHINE: what has to be the same on both sides
 * @memory_size: Boot memory
 * @nb_cpus: vCPUs
 * @nb_vmems: virtio-mem devices, which are the first of the devices
 * @nb_devices: virtio devices
 * @devices: VIRTIO_ID_* of each
 * @reserved: 0
 */
struct format_machine {
	uint64_t memory_size;
	uint32_t nb_cpus;
	uint32_t nb_vmems;
	uint32_t nb_devices;
	uint32_t devices[VIRTIO_MAX_DEVICES];
	uint32_t reserved;
};

/**
 * struct format_vmem - VMEM: a virtio-mem device
 * @addr: As in struct virtio_mem_config; so are the next ones
 * @region_size: Likewise
 * @block_size: Likewise
 * @usable_region_size: Likewise
 * @plugged_size: Likewise
 * @requested_size: Likewise
 * @node: NUMA node, or -1: the guest is told none
 * @reserved: 0
 *
 * The first three and the node have to be the same on both sides.
 */
struct format_vmem {
	uint64_t addr;
	uint64_t region_size;
	uint64_t block_size;
	uint64_t usable_region_size;
	uint64_t plugged_size;
	uint64_t requested_size;
	int32_t node;
	uint32_t reserved;
};

/* PLUGGED: an array of these, ascending; together they are the device's plugged size. */
struct format_run {
	uint64_t first_block;
	uint64_t nb_blocks;
};

/* ROUND: counted from 0. */
struct format_round {
	uint64_t number;
};

/* PAGES: pages of guest memory follow. */
struct format_pages {
	uint64_t gpa;
};

/* ZEROS: so many pages are zero. */
struct format_zeros {
	uint64_t gpa;
	uint64_t nb_pages;
};

/* VMEM_SIZES: what changed since VMEM. */
struct format_vmem_sizes {
	uint64_t requested_size;
	uint64_t usable_region_size;
};

/* REFUSED: why, with a terminating zero. */
#define FORMAT_MOST_REASON 256

/**
 * struct machine_state - all of a machine but its memory
 * @cpus: The vCPUs
 * @irqchips: KVM's interrupt controllers
 * @clock: KVM's clock
 * @serial: The serial port
 * @devices: virtio devices, by slot
 * @vmems: What of virtio-mem may have changed
 */
struct machine_state {
	struct vcpu_state cpus[OPTIONS_MAX_CPUS];
	struct kvm_irqchip irqchips[FORMAT_NB_IRQCHIPS];
	struct kvm_clock_data clock;
	struct serial_state serial;
	struct virtio_state devices[VIRTIO_MAX_DEVICES];
	struct format_vmem_sizes vmems[OPTIONS_MAX_VMEMS];
};

/* Of what there may be several. */
enum format_per {
	FORMAT_PER_MACHINE,
	FORMAT_PER_CPU,
	FORMAT_PER_IRQCHIP,
	FORMAT_PER_DEVICE,
	FORMAT_PER_VMEM,
};

/**
 * struct format_item - a part of struct machine_state that is a section of its own
 * @type: Of the section
 * @per: Of what there is one each
 * @name: For messages
 * @offset: Of the first of them in struct machine_state
 * @stride: From one to the next
 * @unit: Size of an element
 * @count: If it may have several elements: where the number of them is, from @offset on
 * @most: How many elements it may have; 1: it has one
 */
struct format_item {
	enum stream_type type;
	enum format_per per;
	const char *name;
	size_t offset;
	size_t stride;
	size_t unit;
	long count;
	uint32_t most;
};

#define FORMAT_NB_ITEMS 17

extern const struct format_item format_items[FORMAT_NB_ITEMS];

/* How many sections an item is for a machine. */
unsigned int format_nb_instances(const struct format_item *item,
				 const struct format_machine *machine);

/* Where an instance of an item is, and how many elements it has. */
void *format_data(const struct format_item *item, struct machine_state *state,
		  unsigned int instance);
uint32_t *format_count(const struct format_item *item, struct machine_state *state,
		       unsigned int instance);

#endif /* FORMAT_H */
