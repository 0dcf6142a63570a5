// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "machine.h"
#include "state.h"

void state_describe(struct format_machine *description)
{
	*description = (struct format_machine){
		.memory_size = machine.options->memory_size,
		.nb_cpus = machine.options->nb_cpus,
		.nb_vmems = machine.nb_vmems,
		.nb_devices = machine.nb_devices,
	};
	for (unsigned int i = 0; i < machine.nb_devices; i++)
		description->devices[i] = machine.devices[i]->ops->id;
}

void state_describe_vmem(unsigned int index, struct format_vmem *description)
{
	struct vmem *vmem = machine.vmems[index];
	struct virtio_mem_config config;

	vmem->ops->get_config(vmem, &config);
	*description = (struct format_vmem){
		.addr = config.addr,
		.region_size = config.region_size,
		.block_size = config.block_size,
		.usable_region_size = config.usable_region_size,
		.plugged_size = config.plugged_size,
		.requested_size = config.requested_size,
		.node = vmem->options.node,
	};
}

static int kvm_failed(char *wrong, size_t size, const char *what)
{
	int ret = -errno;

	snprintf(wrong, size, "%s: %s", what, strerror(errno));
	return ret;
}

static int cpu_failed(char *wrong, size_t size, unsigned int cpu,
		      const struct cpu_failure *failure)
{
	char msr[16] = "";

	if (failure->msr)
		snprintf(msr, sizeof(msr), " 0x%x", failure->msr);
	snprintf(wrong, size, "vCPU %u: %s%s: %s", cpu, failure->what, msr,
		 strerror(failure->error));
	return -failure->error;
}

static int save_cpus(struct machine_state *state, char *wrong, size_t size)
{
	struct cpu_failure failure = { 0 };

	for (unsigned int i = 0; i < machine.options->nb_cpus; i++)
		if (cpu_save(&machine.vcpus[i], &state->cpus[i], &failure) < 0)
			return cpu_failed(wrong, size, i, &failure);
	return 0;
}

int state_save(struct machine_state *state, char *wrong, size_t size)
{
	int ret = save_cpus(state, wrong, size);

	if (ret < 0)
		return ret;
	for (unsigned int i = 0; i < FORMAT_NB_IRQCHIPS; i++) {
		state->irqchips[i].chip_id = i;
		if (ioctl(machine.vm, KVM_GET_IRQCHIP, &state->irqchips[i]) < 0)
			return kvm_failed(wrong, size, "KVM_GET_IRQCHIP");
	}
	if (ioctl(machine.vm, KVM_GET_CLOCK, &state->clock) < 0)
		return kvm_failed(wrong, size, "KVM_GET_CLOCK");
	/* The guest's counter is not the host's and an offset. */
	if (cpu_tsc_is_scaled())
		state->clock.flags &= ~KVM_CLOCK_HOST_TSC;
	serial_save(&state->serial);
	for (unsigned int i = 0; i < machine.nb_devices; i++)
		virtio_save(machine.devices[i], &state->devices[i]);
	for (unsigned int i = 0; i < machine.nb_vmems; i++) {
		struct format_vmem now;

		state_describe_vmem(i, &now);
		state->vmems[i] = (struct format_vmem_sizes){
			.requested_size = now.requested_size,
			.usable_region_size = now.usable_region_size,
		};
	}
	return 0;
}

/*
 * The clock goes on from where it was, as the counters do: a guest that was saved finds
 * no time missing. Where KVM says which counter the clock goes with, here and there, they
 * go on together: a guest that compares them finds no difference either. This is the way
 * of "KVM_VCPU_TSC_OFFSET" in the kernel's Documentation/virt/kvm/devices/vcpu.rst.
 */
static int restore_clock(const struct machine_state *state, uint64_t *tsc_shift, char *wrong,
			 size_t size)
{
	const struct kvm_clock_data *there = &state->clock;
	const struct kvm_clock_data clock = { .clock = there->clock };
	const struct vcpu_tsc *tsc = &state->cpus[0].tsc;
	struct kvm_clock_data here = { 0 };
	struct cpu_failure failure = { 0 };

	if (ioctl(machine.vm, KVM_SET_CLOCK, &clock) < 0 ||
	    ioctl(machine.vm, KVM_GET_CLOCK, &here) < 0)
		return kvm_failed(wrong, size, "KVM_SET_CLOCK");
	if (!(there->flags & here.flags & KVM_CLOCK_HOST_TSC) ||
	    cpu_tsc_khz(&machine.vcpus[0]) != tsc->khz)
		return cpu_tsc_shift(&machine.vcpus[0], tsc, tsc_shift, &failure) < 0 ?
			cpu_failed(wrong, size, 0, &failure) : 0;
	/* KVM's clock may go back a little when it is set. */
	*tsc_shift = (__int128_t)(int64_t)(here.clock - there->clock) * tsc->khz / 1000000 +
		     there->host_tsc - here.host_tsc;
	return 0;
}

static int restore_cpus(const struct machine_state *state, uint64_t tsc_shift, char *wrong,
			size_t size)
{
	struct cpu_failure failure = { 0 };
	char lacks[64];

	for (unsigned int i = 0; i < machine.options->nb_cpus; i++) {
		if (cpu_lacks(&machine.vcpus[i], &state->cpus[i].cpuid, lacks, sizeof(lacks))) {
			snprintf(wrong, size, "this host's CPU, or its KVM, lacks %s", lacks);
			return -EOPNOTSUPP;
		}
		if (cpu_adopt(&machine.vcpus[i], &state->cpus[i], tsc_shift, &failure) < 0)
			return cpu_failed(wrong, size, i, &failure);
	}
	return 0;
}

/* After the local APICs, to which they pass on what they have. */
static int restore_irqchips(const struct machine_state *state, char *wrong, size_t size)
{
	struct kvm_irqchip irqchip;

	for (unsigned int i = 0; i < FORMAT_NB_IRQCHIPS; i++) {
		irqchip = state->irqchips[i];
		irqchip.chip_id = i;
		if (ioctl(machine.vm, KVM_SET_IRQCHIP, &irqchip) < 0)
			return kvm_failed(wrong, size, "KVM_SET_IRQCHIP");
	}
	return 0;
}

static int restore_devices(const struct machine_state *state, char *wrong, size_t size)
{
	int ret = 0;

	for (unsigned int i = 0; i < machine.nb_vmems && ret == 0; i++) {
		ret = vmem_restore_sizes(machine.vmems[i], state->vmems[i].requested_size,
					 state->vmems[i].usable_region_size);
		if (ret < 0)
			snprintf(wrong, size, "%s: its sizes: %s", machine.vmems[i]->options.label,
				 strerror(-ret));
	}
	for (unsigned int i = 0; i < machine.nb_devices && ret == 0; i++) {
		ret = virtio_restore(machine.devices[i], &state->devices[i]);
		if (ret < 0)
			snprintf(wrong, size, "no virtio device %u is in such a state", i);
	}
	if (ret == 0 && serial_restore(&state->serial) < 0) {
		snprintf(wrong, size, "no serial port is in such a state");
		ret = -EINVAL;
	}
	return ret;
}

int state_restore(const struct machine_state *state, char *wrong, size_t size)
{
	uint64_t tsc_shift = 0;
	int ret = restore_clock(state, &tsc_shift, wrong, size);

	if (ret == 0)
		ret = restore_cpus(state, tsc_shift, wrong, size);
	if (ret == 0)
		ret = restore_irqchips(state, wrong, size);
	return ret < 0 ? ret : restore_devices(state, wrong, size);
}
