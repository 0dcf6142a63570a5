// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "sweep_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"

/*
 * Ask for a memslot where the VM's own RAM is. If there is one of that id, KVM finds that
 * it would get another address, and if there is none, that it would overlap.
 */
static bool kvm_has_memslot(struct vm *vm, unsigned int address_space,
			    unsigned int id)
{
	return vm_set_memslot(vm->fd, address_space << 16 | id, 0, 4 * KiB,
			      vm->ram) != -EEXIST;
}

static uint64_t look_at_kvm(struct vm *vm, unsigned int address_spaces)
{
	unsigned int as_id, i;
	uint64_t knows = 0;

	for (as_id = 0; address_spaces >> as_id; as_id++)
		for (i = 0; i < SWEEP_REGION_SIZE / SWEEP_MEMSLOT_SIZE; i++)
			knows = knows << 1 |
				kvm_has_memslot(vm, as_id, SWEEP_FIRST_ID + i);
	return knows;
}

static void look_at_device(const struct sweep_step *step, int dev,
			   struct sweep_state *state)
{
	char path[128];
	uint32_t id;
	int fd;

	state->facts = vmem_facts(dev);
	state->nb_memslots = vmem_get_memslots(dev, state->memslots,
					       SWEEP_MAX_MEMSLOTS);
	if (step->violates) {
		state->facts.out_nb_violations = 0;
		state->facts.out_last_violation = 0;
	}
	if (!state->facts.out_block_size)
		return;

	id = state->facts.out_id;
	while (device_value(id, "discard_pending"))
		usleep(1000);
	if (!step->touches)
		state->resident = device_value(id, "resident");
	sysfs_path(path, sizeof(path), id, "plugged_blocks");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, state->plugged, sizeof(state->plugged)) < 0)
		state->plugged[0] = ~0;
	close(fd);
}

static unsigned long vm_pages(void)
{
	char buf[128];

	return read_file("/proc/self/statm", buf, sizeof(buf)) < 0 ?
	       0 : strtoul(buf, NULL, 10);
}

void sweep_look(const struct sweep_step *step, struct sweep_bench *bench,
		struct sweep_state *state)
{
	memset(state, 0, sizeof(*state));
	look_at_device(step, bench->rig.dev, state);
	state->kvm_knows = look_at_kvm(&bench->rig.vm,
				       step->options.address_spaces ?: 1);
	state->devices = count_devices();
	state->references = module_refcount();
	state->lowest_fd = dup(bench->spare);
	close(state->lowest_fd);
	state->vm_pages = vm_pages();
}

#define differs(member) do { \
	if (memcmp(&now->member, &wanted->member, sizeof(now->member))) \
		sweep_say("  %s is %#lx instead of %#lx", #member, \
			  (unsigned long)now->member, \
			  (unsigned long)wanted->member); \
} while (0)

void sweep_say_difference(const struct sweep_state *now,
			  const struct sweep_state *wanted)
{
	differs(facts.out_state);
	differs(facts.out_id);
	differs(facts.out_size);
	differs(facts.out_requested_size);
	differs(facts.out_usable_region_size);
	differs(facts.out_userspace_addr);
	differs(facts.out_nb_active);
	differs(facts.out_nb_idle);
	differs(facts.out_nb_violations);
	differs(nb_memslots);
	differs(plugged[0]);
	differs(resident);
	differs(kvm_knows);
	differs(devices);
	differs(references);
	differs(lowest_fd);
	differs(vm_pages);
}
