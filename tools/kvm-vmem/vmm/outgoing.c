// SPDX-License-Identifier: GPL-2.0
#include "outgoing.h"
#include "vmm.h"

#define MOST_RUNS (STREAM_MOST / sizeof(struct format_run))

int outgoing_machine(struct stream_writer *writer, const struct format_machine *machine)
{
	int ret = stream_write_preface(writer);

	return ret < 0 ? ret : stream_write(writer, STREAM_MACHINE, 0, machine, sizeof(*machine));
}

int outgoing_vmem(struct stream_writer *writer, unsigned int index,
		  const struct format_vmem *vmem)
{
	return stream_write(writer, STREAM_VMEM, index, vmem, sizeof(*vmem));
}

int outgoing_plugged(struct stream_writer *writer, unsigned int index,
		     const struct format_run *runs, size_t nb)
{
	size_t part;
	int ret = 0;

	for (; nb && ret == 0; nb -= part, runs += part) {
		part = nb < MOST_RUNS ? nb : MOST_RUNS;
		ret = stream_write(writer, STREAM_PLUGGED, index, runs, part * sizeof(*runs));
	}
	return ret;
}

static int write_item(struct stream_writer *writer, const struct format_item *item,
		      struct machine_state *state, unsigned int instance)
{
	uint32_t nb = item->most == 1 ? 1 : *format_count(item, state, instance);

	return stream_write(writer, item->type, instance, format_data(item, state, instance),
			    nb * item->unit);
}

int outgoing_state(struct stream_writer *writer, const struct format_machine *machine,
		   struct machine_state *state)
{
	int ret = 0;

	for (unsigned int i = 0; i < FORMAT_NB_ITEMS; i++) {
		const struct format_item *item = &format_items[i];
		unsigned int nb = format_nb_instances(item, machine);

		for (unsigned int instance = 0; instance < nb && ret == 0; instance++)
			ret = write_item(writer, item, state, instance);
	}
	return ret < 0 ? ret : stream_write(writer, STREAM_END, 0, NULL, 0);
}
