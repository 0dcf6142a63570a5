// SPDX-License-Identifier: GPL-2.0
/* What can be traced: each thing that a device does, with the facts of it. */
#include "harness.h"

#define BLOCK (2 * MiB)
#define TRACEFS "/sys/kernel/tracing"
#define ENABLE TRACEFS "/events/kvm_vmem/enable"

FIXTURE(tracepoints) {
	struct rig rig;
	char trace[32768];
};

FIXTURE_SETUP(tracepoints)
{
	const struct rig_options options = { .backing = BACKING_MEMFD };

	ASSERT_EQ(0, write_file(TRACEFS "/trace", "\n"));
	ASSERT_EQ(0, write_file(ENABLE, "1"));
	test_ok(rig_create(&self->rig, &options));
}

FIXTURE_TEARDOWN(tracepoints)
{
	write_file(ENABLE, "0");
	rig_destroy(&self->rig);
}

/* All of the trace so far; the file gives it in parts. */
static bool traced(char *trace, size_t size, const char *event,
		   const char *text)
{
	FILE *file = fopen(TRACEFS "/trace", "re");
	char *line, name[64];
	size_t len;

	if (!file)
		return false;
	len = fread(trace, 1, size - 1, file);
	fclose(file);
	trace[len] = 0;
	snprintf(name, sizeof(name), " %s: ", event);
	for (line = strtok(trace, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, name) && strstr(line, text))
			return true;
	return false;
}

#define test_traced(event, text) \
	ASSERT_TRUE(traced(self->trace, sizeof(self->trace), event, text)) \
		TH_LOG("%s %s", event, text)
#define test_not_traced(event, text) \
	ASSERT_FALSE(traced(self->trace, sizeof(self->trace), event, text)) \
		TH_LOG("%s %s", event, text)

TEST_F(tracepoints, tell_of_setup_and_attach)
{
	test_traced("kvm_vmem_setup", "vmem0 addr=0x100000000");
	test_traced("kvm_vmem_setup", "region_size=0x100000000");
	test_traced("kvm_vmem_setup", "block_size=0x200000");
	test_traced("kvm_vmem_attach", "memslots=4 of 0x40000000");
}

TEST_F(tracepoints, tell_of_every_request_and_its_response)
{
	uint64_t addr = self->rig.addr;
	int dev = self->rig.dev;

	test_ok(vmem_set_requested_size(dev, 2 * BLOCK));
	test_ack(vmem_plug(dev, addr, 2));
	test_nack(vmem_plug(dev, addr + 2 * BLOCK, 1));
	test_error(vmem_unplug(dev, addr + 2 * BLOCK, 1));
	test_ack(vmem_unplug(dev, addr, 1));
	test_ack(vmem_unplug_all(dev));

	test_traced("kvm_vmem_requested_size", "requested_size=0x400000");
	test_traced("kvm_vmem_request",
		    "plug addr=0x100000000 nb_blocks=2: ack, size=0x400000");
	test_traced("kvm_vmem_request",
		    "plug addr=0x100400000 nb_blocks=1: nack, size=0x400000");
	test_traced("kvm_vmem_request",
		    "unplug addr=0x100400000 nb_blocks=1: error");
	test_traced("kvm_vmem_request",
		    "unplug addr=0x100000000 nb_blocks=1: ack, size=0x200000");
	test_traced("kvm_vmem_request", "ack, size=0x0");
}

TEST_F(tracepoints, tell_of_memslots_and_discards)
{
	uint64_t addr = self->rig.addr + GiB;

	test_not_traced("kvm_vmem_memslot",
			"map memslot 0:32761 addr=0x140000000");
	test_ack(vmem_plug(self->rig.dev, addr, 1));
	test_traced("kvm_vmem_memslot",
		    "map memslot 0:32761 addr=0x140000000 size=0x40000000: 0");
	test_not_traced("kvm_vmem_discard", "offset=0x40000000");
	test_ack(vmem_unplug(self->rig.dev, addr, 1));
	test_traced("kvm_vmem_discard", "offset=0x40000000 size=0x200000: 0");
	test_traced("kvm_vmem_memslot", "unmap memslot 0:32761");
}

TEST_F(tracepoints, tell_what_kvm_refused)
{
	test_ok(vm_set_memslot(self->rig.vm.fd, 1, self->rig.addr, 4096,
			       self->rig.backing.addr));
	test_busy(vmem_plug(self->rig.dev, self->rig.addr, 1));
	/* EEXIST */
	test_traced("kvm_vmem_memslot",
		    "addr=0x100000000 size=0x40000000: -17");
	test_traced("kvm_vmem_request",
		    "plug addr=0x100000000 nb_blocks=1: busy, size=0x0");
}

TEST_F(tracepoints, tell_of_actions_and_of_why_they_were_refused)
{
	test_ok(vmem_action(self->rig.dev, KVM_VMEM_FREEZE, 0));
	test_traced("kvm_vmem_action", "freeze flags=0x0: 0");
	test_err(EALREADY, vmem_action(self->rig.dev, KVM_VMEM_FREEZE, 0));
	test_traced("kvm_vmem_action", "freeze flags=0x0: -114");
	test_ok(vmem_action(self->rig.dev, KVM_VMEM_THAW, 0));
	test_traced("kvm_vmem_action", "thaw flags=0x0: 0");
	test_ok(vmem_action(self->rig.dev, KVM_VMEM_SET_DIRTY_LOG,
			    KVM_VMEM_DIRTY_LOG_ENABLE));
	test_traced("kvm_vmem_action", "set_dirty_log flags=0x1: 0");
	test_ok(vmem_action(self->rig.dev, KVM_VMEM_RESET, 0));
	test_traced("kvm_vmem_action", "reset flags=0x0: 0");
	/* EBUSY */
	test_err(EBUSY, vmem_action(self->rig.dev, KVM_VMEM_PREPARE_REMOVE,
				    0));
	test_traced("kvm_vmem_action", "prepare_remove flags=0x0: -16");
}

TEST_F(tracepoints, tell_what_a_restored_device_was_to_be)
{
	const uint64_t plugged[2048 / 64] = { 1 };
	struct kvm_vmem_get_config config;
	struct kvm_vmem_set_bitmap set;

	test_ok(vmem_get_config(self->rig.dev, &config));
	fill_set_bitmap(&set, &config, plugged);
	set.node_id = 3;
	/* ENXIO */
	test_err(ENXIO, vmem_set_bitmap(self->rig.dev, &set));
	test_traced("kvm_vmem_set_bitmap", "node_id=3 nb_blocks=2048 size=0x0: -6");
	set.node_id = 0;
	test_ok(vmem_set_bitmap(self->rig.dev, &set));
	test_traced("kvm_vmem_set_bitmap",
		    "addr=0x100000000 region_size=0x100000000 block_size=0x200000");
	test_traced("kvm_vmem_set_bitmap",
		    "node_id=0 nb_blocks=2048 size=0x200000: 0");
}

TEST_HARNESS_MAIN
