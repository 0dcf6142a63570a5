// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "clock.h"
#include "handover.h"
#include "loop.h"
#include "machine.h"
#include "migrate.h"
#include "outgoing.h"
#include "state.h"

/* There is one at a time. The thread has it until the event loop has joined it. */
static struct {
	struct migrate_status status;
	bool to_file;
	struct channel_address address;
	struct channel channel;
	struct stream_writer writer;
	struct stream_reader reader;
	struct precopy precopy;
	struct handover handover;
	pthread_t thread;
	bool has_thread;
	struct loop_source done;	/* The thread has ended, with this: */
	int result;
	struct loop_source cancel;	/* Nobody waits for it but the channel. */
	uint64_t start_ms;
	uint64_t stopped_ms;
} migrate = { .channel = { .fd = -1 } };

static int freeze_vmems(bool freeze)
{
	int ret = 0;
	unsigned int i;

	for (i = 0; i < machine.nb_vmems && ret == 0; i++)
		ret = machine.vmems[i]->ops->freeze(machine.vmems[i], freeze);
	if (ret == 0 || !freeze)
		return ret;
	for (i--; i-- > 0;)
		machine.vmems[i]->ops->freeze(machine.vmems[i], false);
	return ret;
}

/* Nothing of it is left. */
static void give_up(enum migrate_state state, const char *guest)
{
	migrate.status.state = state;
	migrate.status.elapsed_ms = now_ms() - migrate.start_ms;
	if (migrate.stopped_ms)
		migrate.status.downtime_ms = now_ms() - migrate.stopped_ms;
	channel_close(&migrate.channel);
	if (migrate.to_file)
		unlink(migrate.status.target);
	complain("migration to %s: %s; the guest %s", migrate.status.target,
		 migrate.status.wrong, guest);
}

/* The guest is here again, as if nothing had been. */
static void go_on(enum migrate_state state)
{
	give_up(state, "goes on");
	dirty_stop(&migrate.precopy.dirty);
	freeze_vmems(false);
	if (!migrate.stopped_ms)
		return;
	loop_hold_guest(false);
	vcpus_go_on();
}

static int send_plugged(unsigned int index)
{
	struct vmem *vmem = machine.vmems[index];
	const uint64_t block = vmem->options.block_size;
	struct format_run runs[64];
	uint64_t offset = 0, start, end;
	size_t nb = 0;
	int ret, sent = 0;

	while (sent == 0 && (ret = vmem->ops->next_plugged(vmem, offset, &start, &end)) > 0) {
		runs[nb++] = (struct format_run){ start / block, (end - start) / block };
		offset = end;
		if (nb < ARRAY_SIZE(runs))
			continue;
		sent = outgoing_plugged(&migrate.writer, index, runs, nb);
		nb = 0;
	}
	if (sent < 0 || ret < 0)
		return sent < 0 ? sent : ret;
	return outgoing_plugged(&migrate.writer, index, runs, nb);
}

static int send_geometry(void)
{
	struct format_machine description;
	struct format_vmem vmem;
	int ret;

	state_describe(&description);
	ret = outgoing_machine(&migrate.writer, &description);
	for (unsigned int i = 0; i < machine.nb_vmems && ret == 0; i++) {
		state_describe_vmem(i, &vmem);
		ret = outgoing_vmem(&migrate.writer, i, &vmem);
		if (ret == 0)
			ret = send_plugged(i);
	}
	return ret;
}

/* All that is done while the guest runs. A file is on its disk before the guest stops. */
static void *precopy_thread(void *data)
{
	int ret = 0;

	(void)data;
	if (!migrate.to_file)
		ret = channel_connect(&migrate.channel, &migrate.address);
	if (ret == 0)
		ret = send_geometry();
	if (ret == 0)
		ret = precopy_run(&migrate.precopy);
	if (ret == 0 && migrate.to_file && fdatasync(migrate.channel.fd) < 0)
		ret = -errno;
	migrate.result = ret;
	eventfd_signal(migrate.done.fd);
	return NULL;
}

static int start_thread(void *(*run)(void *data))
{
	int ret = pthread_create(&migrate.thread, NULL, run, NULL);

	migrate.has_thread = ret == 0;
	return -ret;
}

static void join_thread(void)
{
	if (migrate.has_thread)
		pthread_join(migrate.thread, NULL);
	migrate.has_thread = false;
	eventfd_clear(migrate.done.fd);
}

/* The guest is elsewhere. */
static void complete(void)
{
	migrate.status.state = MIGRATE_COMPLETED;
	migrate.status.elapsed_ms = now_ms() - migrate.start_ms;
	migrate.status.downtime_ms = now_ms() - migrate.stopped_ms;
	channel_close(&migrate.channel);
	machine_stop(VMM_EXIT_ENDED, NULL);
}

static void leave_undecided(void)
{
	migrate.status.state = MIGRATE_UNDECIDED;
	complain("migration to %s: %s, after it was told to go", migrate.status.target,
		 migrate.status.wrong);
	complain("if the guest runs there, 'quit' at the control socket; else 'resume'");
}

static void handed_over(void)
{
	strcpy(migrate.status.wrong, migrate.handover.wrong);
	if (migrate.result == 0)
		complete();
	else if (migrate.handover.side == HANDOVER_GONE)
		leave_undecided();
	else
		go_on(MIGRATE_FAILED);
}

/* All that is done while the guest is stopped. */
static void *handover_thread(void *data)
{
	(void)data;
	migrate.result = handover_run(&migrate.handover);
	eventfd_signal(migrate.done.fd);
	return NULL;
}

/* From here on nothing of the guest changes, until it goes on. */
static void hand_over(void)
{
	migrate.channel.patience_ms = CHANNEL_PATIENCE_MS;
	migrate.stopped_ms = now_ms();
	vcpus_pause();
	loop_hold_guest(true);
	migrate.status.state = MIGRATE_HANDOVER;
	if (machine_is_changing())
		strcpy(migrate.status.wrong, "the guest reboots or ends");
	else if (start_thread(handover_thread) < 0)
		strcpy(migrate.status.wrong, "there is no thread");
	if (*migrate.status.wrong)
		go_on(MIGRATE_FAILED);
}

/* The thread has ended: the guest can be stopped, or is gone, or something has failed. */
static void thread_done(struct loop_source *source, uint32_t events)
{
	(void)source;
	(void)events;
	join_thread();
	if (migrate.status.state == MIGRATE_HANDOVER) {
		handed_over();
	} else if (migrate.status.state == MIGRATE_ACTIVE && migrate.result == 0) {
		hand_over();
	} else if (migrate.status.state == MIGRATE_ACTIVE) {
		handover_ask_why(&migrate.handover, migrate.result);
		strcpy(migrate.status.wrong, migrate.handover.wrong);
		go_on(MIGRATE_FAILED);
	}
}

static int make_sources(void)
{
	int ret = 0;

	if (!migrate.done.handle) {
		migrate.done.handle = thread_done;
		ret = loop_add_eventfd(&migrate.done);
		if (ret == 0)
			ret = loop_add_eventfd(&migrate.cancel);
		if (ret == 0)
			loop_remove(&migrate.cancel);
	}
	eventfd_clear(migrate.cancel.fd);
	return ret;
}

/* What can fail before anything of the guest is touched. */
static int prepare(const char *target)
{
	int ret = make_sources();

	if (ret < 0)
		return ret;
	migrate.channel = (struct channel){
		.fd = -1, .cancel = migrate.cancel.fd, .patience_ms = -1,
	};
	if (migrate.to_file)
		return channel_create(&migrate.channel, target);
	return channel_parse(target, &migrate.address) ? 0 : -EINVAL;
}

static int start_precopy(void)
{
	int ret = freeze_vmems(true);

	if (ret < 0)
		return ret;
	ret = dirty_start(&migrate.precopy.dirty);
	if (ret == 0)
		ret = start_thread(precopy_thread);
	if (ret == 0)
		return 0;
	dirty_stop(&migrate.precopy.dirty);
	freeze_vmems(false);
	return ret;
}

static uint64_t memory_size(void)
{
	uint64_t size = machine.options->memory_size;
	struct format_vmem vmem;

	for (unsigned int i = 0; i < machine.nb_vmems; i++) {
		state_describe_vmem(i, &vmem);
		size += vmem.plugged_size;
	}
	return size;
}

static bool is_under_way(void)
{
	return migrate.status.state == MIGRATE_ACTIVE || migrate.status.state == MIGRATE_HANDOVER;
}

const char *migrate_start(const char *target, bool to_file, const struct migrate_limits *limits)
{
	int ret;

	if (is_under_way() || migrate.status.state == MIGRATE_UNDECIDED)
		return "there is a migration already";
	if (strlen(target) >= sizeof(migrate.status.target))
		return "its name is too long";
	migrate.status = (struct migrate_status){ .state = MIGRATE_NONE };
	strcpy(migrate.status.target, target);
	migrate.to_file = to_file;
	ret = prepare(target);
	if (ret == -EINVAL)
		return "an address is unix:PATH or tcp:HOST:PORT, with numbers for HOST and PORT";
	if (ret < 0)
		return strerror(-ret);
	migrate.writer.write = channel_write;
	migrate.writer.owner = &migrate.channel;
	migrate.writer.nb_sections = 0;
	migrate.writer.nb_bytes = 0;
	migrate.reader.read = channel_read;
	migrate.reader.owner = &migrate.channel;
	migrate.reader.nb_sections = 0;
	migrate.precopy = (struct precopy){ .writer = &migrate.writer, .limits = *limits };
	migrate.handover = (struct handover){
		.writer = &migrate.writer,
		.reader = &migrate.reader,
		.channel = &migrate.channel,
		.precopy = &migrate.precopy,
		.to_file = to_file,
	};
	migrate.start_ms = now_ms();
	migrate.stopped_ms = 0;
	migrate.status.memory_size = memory_size();
	ret = start_precopy();
	if (ret == 0) {
		migrate.status.state = MIGRATE_ACTIVE;
		return NULL;
	}
	channel_close(&migrate.channel);
	if (to_file)
		unlink(target);
	return strerror(-ret);
}

/*
 * Has the thread end, whatever it waits for. Return: whether there was a migration, which
 * ends with that: none whose guest may be elsewhere.
 */
static bool end_early(const char *why)
{
	if (!is_under_way() || !handover_keep(&migrate.handover))
		return false;
	eventfd_signal(migrate.cancel.fd);
	join_thread();
	snprintf(migrate.status.wrong, sizeof(migrate.status.wrong), "%s", why);
	return true;
}

bool migrate_cancel(void)
{
	if (!end_early("cancelled"))
		return false;
	go_on(MIGRATE_CANCELLED);
	return true;
}

void migrate_abort(const char *why)
{
	if (end_early(why))
		go_on(MIGRATE_FAILED);
}

void migrate_end(void)
{
	if (end_early("it is not complete")) {
		give_up(MIGRATE_FAILED, "ends here");
	} else if (is_under_way()) {
		/* It was told to go: whether it did is known soon. */
		join_thread();
		handed_over();
	}
}

bool migrate_resume(void)
{
	if (migrate.status.state != MIGRATE_UNDECIDED)
		return false;
	go_on(MIGRATE_FAILED);
	return true;
}

bool migrate_holds_guest(void)
{
	return migrate.status.state == MIGRATE_HANDOVER;
}

void migrate_get_status(struct migrate_status *status)
{
	*status = migrate.status;
	if (is_under_way())
		status->elapsed_ms = now_ms() - migrate.start_ms;
	if (status->state == MIGRATE_HANDOVER)
		status->downtime_ms = now_ms() - migrate.stopped_ms;
	status->progress = &migrate.precopy.progress;
}
