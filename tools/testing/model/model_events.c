// SPDX-License-Identifier: GPL-2.0
/* Who is told of what, in the model. */
#include "model.h"

#include <assert.h>
#include <errno.h>

const char *const event_columns[1] = { "count" };

void slot_signal(struct model_slot *slot, uint32_t event, uint64_t count)
{
	const struct model_device *device = &slot->device;
	unsigned int i;

	for (i = 0; i < device->nr_listeners; i++)
		if (device->listeners[i].event == event)
			slot->eventfds[device->listeners[i].eventfd] += count;
}

void slot_size_changed(struct model_slot *slot)
{
	slot->device.counters.size_changes++;
	slot_signal(slot, KVM_VMEM_EVENT_SIZE, 1);
}

static unsigned int find_listener(const struct model_device *device, uint64_t event, uint64_t fd)
{
	unsigned int i;

	for (i = 0; i < device->nr_listeners; i++)
		if (device->listeners[i].event == event && device->listeners[i].eventfd == fd)
			break;
	return i;
}

void model_eventfd(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_device *device = &model->slots[op->slot].device;
	uint64_t event = op->args[EVENTFD_EVENT], fd = op->args[EVENTFD_FD];
	bool remove = op->args[EVENTFD_FLAGS] & KVM_VMEM_EVENTFD_DEASSIGN;
	unsigned int found = find_listener(device, event, fd);

	if (event >= MODEL_NR_EVENTS)
		answer_error(answer, EINVAL);
	if (fd == EVENTFD_CLOSED)
		answer_error(answer, EBADF);
	if (fd == EVENTFD_OTHER)
		answer_error(answer, EINVAL);
	if (fd < NR_EVENTFDS && event < MODEL_NR_EVENTS) {
		if (remove && found == device->nr_listeners)
			answer_error(answer, ENOENT);
		if (!remove && found < device->nr_listeners)
			answer_error(answer, EEXIST);
	}
	if (!remove && device->nr_listeners == MODEL_MAX_LISTENERS)
		answer_error(answer, ENOSPC);
	if (answer->nr_errors)
		return;
	if (remove) {
		assert(found < device->nr_listeners);
		device->listeners[found] = device->listeners[--device->nr_listeners];
	} else {
		assert(device->nr_listeners < MODEL_MAX_LISTENERS);
		device->listeners[device->nr_listeners++] =
			(struct model_listener){ event, fd };
	}
}

/* What the VMM's eventfds have been told since they were read. */
void model_events(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_slot *slot = &model->slots[op->slot];
	unsigned int i;

	answer_table(answer, event_columns, ARRAY_SIZE(event_columns));
	for (i = 0; i < NR_EVENTFDS; i++) {
		answer_row(answer, &slot->eventfds[i]);
		slot->eventfds[i] = 0;
	}
}

/* Of a file that is O_NONBLOCK. */
void model_read(struct model *model, const struct op *op, struct answer *answer)
{
	struct model_device *device = &model->slots[op->slot].device;

	if (op->args[READ_SIZE] < sizeof(uint64_t))
		answer_error(answer, EINVAL);
	else if (!device->counters.size_changes)
		answer_error(answer, EAGAIN);
	if (answer->nr_errors)
		return;
	answer_value(answer, "changes", device->counters.size_changes);
	device->counters.size_changes = 0;
}

void model_poll(struct model *model, const struct op *op, struct answer *answer)
{
	answer_value(answer, "readable",
		     model->slots[op->slot].device.counters.size_changes > 0);
}
