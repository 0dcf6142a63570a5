// SPDX-License-Identifier: GPL-2.0
/*
 * vmemctl watch: what happens, as it happens. The kernel tells: of changes by poll() on
 * the devices' files, of devices by uevents. A look now and then is for containers that
 * hear no uevents.
 */
#include "watch.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ctl.h"
#include "names.h"
#include "uevent.h"

/* In this order they are told. */
static const enum fact files[] = {
	FACT_REQUESTED_SIZE,
	FACT_SIZE,
	FACT_MEMSLOTS_ACTIVE,
	FACT_MEMSLOTS_IDLE,
	FACT_VIOLATIONS,
};

#define NR_FILES (sizeof(files) / sizeof(*files))

struct watched {
	struct device device;
	int fds[NR_FILES];
};

/**
 * struct watch - what is watched
 * @options: The command line
 * @class: All devices
 * @list: Those that are watched
 * @nb: How many
 * @uevents: Where devices are told of, or -1
 * @look_ms: When to look again, by now_ms()
 * @polls: For poll(): standard output, @uevents, and the files of each device
 */
struct watch {
	const struct options *options;
	struct class class;
	struct watched *list;
	size_t nb;
	int uevents;
	int64_t look_ms;
	struct pollfd *polls;
};

enum { POLL_OUTPUT, POLL_UEVENTS, POLL_FIRST_FILE };

static void watched_close(struct watched *watched)
{
	unsigned int i;

	for (i = 0; i < NR_FILES; i++)
		if (watched->fds[i] >= 0)
			close(watched->fds[i]);
	device_close(&watched->device);
}

/* What is read here is what later changes are told against. Returns -errno. */
static int watched_open(struct watched *watched)
{
	struct device *device = &watched->device;
	int ret = device_read(device);
	unsigned int i;

	memset(watched->fds, -1, sizeof(watched->fds));
	for (i = 0; i < NR_FILES && !ret; i++) {
		watched->fds[i] = device_open_fact(device, files[i]);
		ret = watched->fds[i] < 0 ? watched->fds[i] :
		      device_reread_fact(device, files[i], watched->fds[i]);
	}
	return ret;
}

/* Takes @device over. */
static int watch_add(struct watch *watch, struct device *device, enum event event)
{
	struct watched watched = { .device = *device };
	int ret = watched_open(&watched);

	if (ret) {
		/* That it went at once is not worth a word. */
		ret = device_went(&watched.device, ret) ? 0 : device_failed(&watched.device, ret);
		watched_close(&watched);
		return ret;
	}
	watch->list = must(realloc(watch->list, (watch->nb + 1) * sizeof(watched)));
	watch->list[watch->nb++] = watched;
	return tell_event(&watched.device, event, NULL, watch->options->json);
}

static int watch_remove(struct watch *watch, size_t i)
{
	int ret = tell_event(&watch->list[i].device, EVENT_REMOVED, NULL, watch->options->json);

	watched_close(&watch->list[i]);
	memmove(&watch->list[i], &watch->list[i + 1],
		(--watch->nb - i) * sizeof(*watch->list));
	return ret;
}

static bool is_watched(const struct watch *watch, const struct device *device)
{
	size_t i;

	for (i = 0; i < watch->nb; i++)
		if (!strcmp(watch->list[i].device.name, device->name))
			return true;
	return false;
}

static int add_named(struct watch *watch)
{
	struct device device;
	int i, ret = 0;

	for (i = 0; i < watch->options->nb_words && !ret; i++) {
		ret = device_find(&device, &watch->class, watch->options->words[i]);
		if (!ret && is_watched(watch, &device))
			device_close(&device);
		else if (!ret)
			ret = watch_add(watch, &device, EVENT_PRESENT);
	}
	return ret;
}

static int add_all(struct watch *watch, enum event event)
{
	struct devices devices;
	size_t i;
	int ret = devices_open(&devices, &watch->class);

	for (i = 0; i < devices.nb && !ret; i++) {
		if (is_watched(watch, &devices.list[i]))
			continue;
		ret = watch_add(watch, &devices.list[i], event);
		devices.list[i].dir = -1;
	}
	devices_close(&devices);
	return ret;
}

static enum event event_of(enum fact fact)
{
	switch (fact) {
	case FACT_SIZE:
		return EVENT_SIZE;
	case FACT_REQUESTED_SIZE:
		return EVENT_REQUESTED_SIZE;
	case FACT_VIOLATIONS:
		return EVENT_VIOLATION;
	default:
		return EVENT_MEMSLOTS;
	}
}

/* Tells what changed. Both numbers of memslots are one event. */
static int tell_changes(struct watch *watch, struct watched *watched, const uint64_t *before)
{
	const uint64_t *facts = watched->device.facts;
	bool told_memslots = false;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < NR_FILES && !ret; i++) {
		enum event event = event_of(files[i]);

		if (facts[files[i]] == before[files[i]] ||
		    (event == EVENT_MEMSLOTS && told_memslots))
			continue;
		told_memslots |= event == EVENT_MEMSLOTS;
		ret = tell_event(&watched->device, event, before, watch->options->json);
	}
	return ret;
}

/*
 * Reads all files anew, so that what poll() had to tell is settled; for a device that is
 * gone it never is.
 */
static int look_at(struct watch *watch, size_t i, bool *gone)
{
	struct watched *watched = &watch->list[i];
	struct device *device = &watched->device;
	uint64_t before[NR_FACTS];
	unsigned int j;
	int ret = 0;

	memcpy(before, device->facts, sizeof(before));
	for (j = 0; j < NR_FILES && !ret; j++)
		ret = device_reread_fact(device, files[j], watched->fds[j]);
	if (!ret && device->facts[FACT_VIOLATIONS] != before[FACT_VIOLATIONS])
		ret = device_read_fact(device, FACT_LAST_VIOLATION);
	if (device_went(device, ret)) {
		*gone = true;
		return 0;
	}
	if (ret)
		return device_failed(device, ret);
	return tell_changes(watch, watched, before);
}

static void fill_polls(struct watch *watch)
{
	struct pollfd *poll;
	size_t i, j;

	watch->polls = must(realloc(watch->polls, (POLL_FIRST_FILE + watch->nb * NR_FILES) *
				    sizeof(*watch->polls)));
	/* Errors alone: whether anybody reads it still. */
	watch->polls[POLL_OUTPUT] = (struct pollfd){ .fd = STDOUT_FILENO };
	watch->polls[POLL_UEVENTS] = (struct pollfd){ .fd = watch->uevents, .events = POLLIN };
	poll = &watch->polls[POLL_FIRST_FILE];
	for (i = 0; i < watch->nb; i++)
		for (j = 0; j < NR_FILES; j++)
			*poll++ = (struct pollfd){ .fd = watch->list[i].fds[j],
						   .events = POLLPRI };
}

static bool is_told_of(const struct watch *watch, size_t i)
{
	const struct pollfd *poll = &watch->polls[POLL_FIRST_FILE + i * NR_FILES];
	unsigned int j;

	for (j = 0; j < NR_FILES; j++)
		if (poll[j].revents)
			return true;
	return false;
}

/* Which devices came and went? */
static int look_around(struct watch *watch)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < watch->nb && !ret;) {
		if (device_is_gone(&watch->list[i].device))
			ret = watch_remove(watch, i);
		else
			i++;
	}
	if (ret)
		return ret;
	if (access(watch->class.path, F_OK))
		return fail(STATUS_NO_MODULE, "the module was unloaded");
	return watch->options->nb_words ? 0 : add_all(watch, EVENT_ADDED);
}

/* For poll(): how long it is until the next look. */
static int time_left(const struct watch *watch)
{
	int64_t left = watch->look_ms - now_ms();

	if (!watch->options->interval_ms)
		return -1;
	return left > 0 ? left : 0;
}

/* Waits, and tells what happened. */
static int watch_once(struct watch *watch)
{
	bool look = false, due;
	int ret = 0;
	size_t i;

	fill_polls(watch);
	if (poll(watch->polls, POLL_FIRST_FILE + watch->nb * NR_FILES, time_left(watch)) < 0)
		return errno == EINTR ? 0 : fail(STATUS_FAILED, "poll: %s", strerror(errno));
	/* As if it had been written to. */
	if (watch->polls[POLL_OUTPUT].revents)
		return STATUS_FAILED;

	due = !time_left(watch);
	if (due)
		watch->look_ms = now_ms() + watch->options->interval_ms;
	for (i = 0; i < watch->nb && !ret; i++)
		if (due || is_told_of(watch, i))
			ret = look_at(watch, i, &look);
	if (watch->polls[POLL_UEVENTS].revents)
		look |= uevent_read(watch->uevents);
	return !ret && (due || look) ? look_around(watch) : ret;
}

/* Five files a device; the usual limit is 1024. */
static void allow_many_files(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int watch_until_end(struct watch *watch)
{
	bool named = watch->options->nb_words;
	int ret;

	ret = named ? add_named(watch) : add_all(watch, EVENT_PRESENT);
	while (!ret) {
		if (named && !watch->nb)
			return STATUS_GONE;
		ret = watch_once(watch);
	}
	return ret;
}

int cmd_watch(const struct options *options)
{
	struct watch watch = { .options = options };
	int ret;

	ret = class_open(&watch.class, options->sysfs);
	if (ret)
		return ret;
	allow_many_files();
	/* Before the first look, so that nothing falls in between. */
	watch.uevents = uevent_open();
	watch.look_ms = now_ms() + options->interval_ms;
	ret = watch_until_end(&watch);
	while (watch.nb)
		watched_close(&watch.list[--watch.nb]);
	free(watch.list);
	free(watch.polls);
	return ret;
}
