// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
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
	pthread_t thread;
	bool has_thread;
	struct loop_source done;	/* The thread has ended, with this: */
	int result;
	struct loop_source cancel;	/* Nobody waits for it but the channel. */
	uint64_t start_ms;
	uint64_t stopped_ms;
} migrate = { .channel = { .fd = -1 } };

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static void say_wrong(const char *what, int error)
{
	snprintf(migrate.status.wrong, sizeof(migrate.status.wrong), "%s: %s", what,
		 strerror(-error));
}

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
	if (migrate.stopped_ms)
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
static void *migrate_thread(void *data)
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

static void join_thread(void)
{
	if (migrate.has_thread)
		pthread_join(migrate.thread, NULL);
	migrate.has_thread = false;
	eventfd_clear(migrate.done.fd);
}

static int send_state(void)
{
	struct machine_state *state = calloc(1, sizeof(*state));
	struct format_machine description;
	char wrong[STREAM_WRONG_SIZE];
	int ret = -ENOMEM;

	if (state)
		ret = state_save(state, wrong, sizeof(wrong));
	if (ret < 0 && state)
		snprintf(migrate.status.wrong, sizeof(migrate.status.wrong),
			 "its state cannot be read: %s", wrong);
	state_describe(&description);
	if (ret == 0)
		ret = outgoing_state(&migrate.writer, &description, state);
	free(state);
	return ret;
}

/* What the other side says may be anything, and goes to a terminal. */
static void take_reason(void)
{
	char reason[FORMAT_MOST_REASON] = "";
	size_t length = migrate.reader.section.length;

	memcpy(reason, migrate.reader.payload,
	       length < sizeof(reason) ? length : sizeof(reason) - 1);
	for (char *c = reason; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	snprintf(migrate.status.wrong, sizeof(migrate.status.wrong), "the destination says: %s",
		 reason);
}

/* Waits for an answer, which has to be this one. */
static int expect(enum stream_type answer)
{
	int ret = stream_read(&migrate.reader);

	if (ret < 0) {
		snprintf(migrate.status.wrong, sizeof(migrate.status.wrong),
			 "no answer of the destination: %s", strerror(-ret));
		return ret;
	}
	if (migrate.reader.section.type == answer)
		return 0;
	if (migrate.reader.section.type == STREAM_REFUSED)
		take_reason();
	else
		snprintf(migrate.status.wrong, sizeof(migrate.status.wrong),
			 "the destination answers with a section of type %u",
			 migrate.reader.section.type);
	return -EPROTO;
}

/* Whoever closed the connection may have said why before. */
static void ask_why(int error)
{
	say_wrong("the stream cannot be written", error);
	if (migrate.to_file || error == -ECANCELED || error == -ETIMEDOUT)
		return;
	migrate.channel.patience_ms = 0;
	if (stream_read(&migrate.reader) == 0 && migrate.reader.section.type == STREAM_REFUSED)
		take_reason();
}

static int send_rest(void)
{
	int ret = precopy_finish(&migrate.precopy);

	if (ret == 0)
		ret = send_state();
	if (ret == 0 && migrate.to_file && fsync(migrate.channel.fd) < 0)
		ret = -errno;
	migrate.precopy.progress.wire_bytes = migrate.writer.nb_bytes;
	if (ret < 0 && !*migrate.status.wrong)
		ask_why(ret);
	return ret;
}

static void complete(void)
{
	migrate.status.state = MIGRATE_COMPLETED;
	migrate.precopy.progress.wire_bytes = migrate.writer.nb_bytes;
	migrate.status.elapsed_ms = now_ms() - migrate.start_ms;
	migrate.status.downtime_ms = now_ms() - migrate.stopped_ms;
	channel_close(&migrate.channel);
	machine_stop(VMM_EXIT_ENDED, NULL);
}

/* It is here that the guest changes sides. */
static void hand_over(void)
{
	int ret = expect(STREAM_READY);

	if (ret == 0) {
		ret = stream_write(&migrate.writer, STREAM_GO, 0, NULL, 0);
		if (ret < 0)
			say_wrong("the stream cannot be written", ret);
	}
	if (ret < 0) {
		go_on(MIGRATE_FAILED);
		return;
	}
	migrate.status.state = MIGRATE_UNDECIDED;
	if (expect(STREAM_RUNNING) == 0) {
		complete();
		return;
	}
	complain("migration to %s: %s, after it was told to go", migrate.status.target,
		 migrate.status.wrong);
	complain("if the guest runs there, 'quit' at the control socket; else 'resume'");
}

/* The thread has ended: the guest is stopped, or the migration has failed. */
static void thread_done(struct loop_source *source, uint32_t events)
{
	(void)source;
	(void)events;
	join_thread();
	if (migrate.status.state != MIGRATE_ACTIVE)
		return;
	if (migrate.result < 0) {
		if (!*migrate.status.wrong)
			ask_why(migrate.result);
		go_on(MIGRATE_FAILED);
		return;
	}
	migrate.channel.patience_ms = CHANNEL_PATIENCE_MS;
	migrate.stopped_ms = now_ms();
	vcpus_pause();
	if (machine_is_changing()) {
		snprintf(migrate.status.wrong, sizeof(migrate.status.wrong),
			 "the guest reboots or ends");
		go_on(MIGRATE_FAILED);
	} else if (send_rest() < 0) {
		go_on(MIGRATE_FAILED);
	} else if (migrate.to_file) {
		complete();
	} else {
		hand_over();
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

static int start_thread(void)
{
	int ret = freeze_vmems(true);

	if (ret < 0)
		return ret;
	ret = dirty_start(&migrate.precopy.dirty);
	if (ret < 0) {
		freeze_vmems(false);
		return ret;
	}
	ret = pthread_create(&migrate.thread, NULL, migrate_thread, NULL);
	if (ret == 0) {
		migrate.has_thread = true;
		return 0;
	}
	dirty_stop(&migrate.precopy.dirty);
	freeze_vmems(false);
	return -ret;
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

const char *migrate_start(const char *target, bool to_file, const struct migrate_limits *limits)
{
	int ret;

	if (migrate.status.state == MIGRATE_ACTIVE || migrate.status.state == MIGRATE_UNDECIDED)
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
	migrate.start_ms = now_ms();
	migrate.stopped_ms = 0;
	migrate.status.memory_size = memory_size();
	ret = start_thread();
	if (ret == 0) {
		migrate.status.state = MIGRATE_ACTIVE;
		return NULL;
	}
	channel_close(&migrate.channel);
	if (to_file)
		unlink(target);
	return strerror(-ret);
}

/* Has the thread end, whatever it waits for. Return: whether there was a migration. */
static bool end_early(const char *why)
{
	if (migrate.status.state != MIGRATE_ACTIVE)
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
	if (end_early("it is not complete"))
		give_up(MIGRATE_FAILED, "ends here");
}

bool migrate_resume(void)
{
	if (migrate.status.state != MIGRATE_UNDECIDED)
		return false;
	go_on(MIGRATE_FAILED);
	return true;
}

void migrate_get_status(struct migrate_status *status)
{
	*status = migrate.status;
	if (status->state == MIGRATE_ACTIVE)
		status->elapsed_ms = now_ms() - migrate.start_ms;
	status->progress = &migrate.precopy.progress;
}
