// SPDX-License-Identifier: GPL-2.0
#include "format.h"
#include "vmm.h"

_Static_assert(sizeof(struct format_machine) == 56, "it has no holes");
_Static_assert(sizeof(struct format_vmem) == 56, "it has no holes");
_Static_assert(sizeof(struct vcpu_tsc) == 24, "it has no holes");
_Static_assert(sizeof(struct serial_state) == 104, "it has no holes");
_Static_assert(sizeof(struct virtio_state) == 72, "it has no holes");

#define SIZE_OF(member) sizeof(((struct machine_state *)NULL)->member)

#define ONE(section, text, per_what, member, array)				\
	{									\
		.type = (section), .name = (text), .per = (per_what),			\
		.offset = offsetof(struct machine_state, member),		\
		.stride = SIZE_OF(array), .unit = SIZE_OF(member), .most = 1,	\
	}

#define OF_CPU(section, text, member) ONE(section, text, FORMAT_PER_CPU, cpus[0].member, cpus[0])

#define LIST_OF_CPU(section, text, elements, number, most_of_them)		\
	{									\
		.type = (section), .name = (text), .per = FORMAT_PER_CPU,		\
		.offset = offsetof(struct machine_state, cpus[0].elements),	\
		.stride = SIZE_OF(cpus[0]), .unit = SIZE_OF(cpus[0].elements[0]), \
		.most = (most_of_them),						\
		.count = (long)offsetof(struct vcpu_state, number) -		\
			 (long)offsetof(struct vcpu_state, elements),		\
	}

const struct format_item format_items[FORMAT_NB_ITEMS] = {
	LIST_OF_CPU(STREAM_CPU_CPUID, "CPUID", cpuid.entries, cpuid.nent, CPU_MAX_CPUID),
	OF_CPU(STREAM_CPU_TSC, "TSC", tsc),
	OF_CPU(STREAM_CPU_SREGS, "system registers", sregs),
	{
		.type = STREAM_CPU_NESTED, .name = "nested guest", .per = FORMAT_PER_CPU,
		.offset = offsetof(struct machine_state, cpus[0].nested),
		.stride = SIZE_OF(cpus[0]), .unit = 1, .most = CPU_MAX_NESTED,
		.count = (long)offsetof(struct vcpu_state, nested_size) -
			 (long)offsetof(struct vcpu_state, nested),
	},
	OF_CPU(STREAM_CPU_REGS, "registers", regs),
	OF_CPU(STREAM_CPU_XSAVE, "FPU", xsave),
	OF_CPU(STREAM_CPU_XCRS, "XCRs", xcrs),
	OF_CPU(STREAM_CPU_DEBUGREGS, "debug registers", debugregs),
	OF_CPU(STREAM_CPU_LAPIC, "local APIC", lapic),
	OF_CPU(STREAM_CPU_MP_STATE, "run state", mp_state),
	OF_CPU(STREAM_CPU_EVENTS, "events", events),
	LIST_OF_CPU(STREAM_CPU_MSRS, "MSRs", msrs.entries, msrs.nmsrs, CPU_MAX_MSRS),
	ONE(STREAM_IRQCHIP, "interrupt controller", FORMAT_PER_IRQCHIP, irqchips[0], irqchips[0]),
	ONE(STREAM_CLOCK, "clock", FORMAT_PER_MACHINE, clock, clock),
	ONE(STREAM_SERIAL, "serial port", FORMAT_PER_MACHINE, serial, serial),
	ONE(STREAM_VIRTIO, "virtio device", FORMAT_PER_DEVICE, devices[0], devices[0]),
	ONE(STREAM_VMEM_SIZES, "sizes of virtio-mem", FORMAT_PER_VMEM, vmems[0], vmems[0]),
};

unsigned int format_nb_instances(const struct format_item *item,
				 const struct format_machine *machine)
{
	switch (item->per) {
	case FORMAT_PER_CPU:
		return machine->nb_cpus;
	case FORMAT_PER_IRQCHIP:
		return FORMAT_NB_IRQCHIPS;
	case FORMAT_PER_DEVICE:
		return machine->nb_devices;
	case FORMAT_PER_VMEM:
		return machine->nb_vmems;
	case FORMAT_PER_MACHINE:
		break;
	}
	return 1;
}

void *format_data(const struct format_item *item, struct machine_state *state,
		  unsigned int instance)
{
	return (char *)state + item->offset + instance * item->stride;
}

uint32_t *format_count(const struct format_item *item, struct machine_state *state,
		       unsigned int instance)
{
	return (uint32_t *)((char *)format_data(item, state, instance) + item->count);
}
