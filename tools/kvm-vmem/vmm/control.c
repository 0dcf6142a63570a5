// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json.h>

#include "control.h"
#include "loop.h"
#include "machine.h"
#include "migrate.h"
#include "migrate_report.h"

#define LINE_SIZE 256

static struct {
	struct sockaddr_un address;
	struct loop_source listener;
	struct loop_source client;
	char line[LINE_SIZE];
	size_t used;
} control;

static struct json_object *failure(const char *what)
{
	struct json_object *answer = json_object_new_object();

	json_object_object_add(answer, "error", json_object_new_string(what));
	return answer;
}

static void add_number(struct json_object *object, const char *name, uint64_t value)
{
	json_object_object_add(object, name, json_object_new_uint64(value));
}

static struct json_object *requests_info(const struct vmem *vmem)
{
	static const char *const names[VMEM_NB_REQUESTS] = {
		[VIRTIO_MEM_REQ_PLUG] = "plug",
		[VIRTIO_MEM_REQ_UNPLUG] = "unplug",
		[VIRTIO_MEM_REQ_UNPLUG_ALL] = "unplug_all",
		[VIRTIO_MEM_REQ_STATE] = "state",
	};
	struct json_object *requests = json_object_new_object();

	for (unsigned int i = 0; i < VMEM_NB_REQUESTS; i++) {
		const struct vmem_statistics *statistics = &vmem->statistics[i];
		struct json_object *request = json_object_new_object();

		add_number(request, "count", statistics->nb);
		add_number(request, "total_us", statistics->total_ns / 1000);
		add_number(request, "most_us", statistics->most_ns / 1000);
		json_object_object_add(requests, names[i], request);
	}
	return requests;
}

static struct json_object *vmem_info(struct vmem *vmem)
{
	struct json_object *info = json_object_new_object();
	struct virtio_mem_config config;

	pthread_mutex_lock(&vmem->device.lock);
	vmem->ops->get_config(vmem, &config);
	json_object_object_add(info, "label", json_object_new_string(vmem->options.label));
	add_number(info, "addr", config.addr);
	add_number(info, "region_size", config.region_size);
	add_number(info, "block_size", config.block_size);
	add_number(info, "usable_region_size", config.usable_region_size);
	add_number(info, "size", config.plugged_size);
	add_number(info, "requested_size", config.requested_size);
	json_object_object_add(info, "requests", requests_info(vmem));
	pthread_mutex_unlock(&vmem->device.lock);
	return info;
}

static struct json_object *info(void)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *vmems = json_object_new_array();

	for (unsigned int i = 0; i < machine.nb_vmems; i++)
		json_object_array_add(vmems, vmem_info(machine.vmems[i]));
	json_object_object_add(answer, "vmem", vmems);
	return answer;
}

static struct vmem *find_vmem(const char *label)
{
	if (!*label)
		return machine.nb_vmems == 1 ? machine.vmems[0] : NULL;
	for (unsigned int i = 0; i < machine.nb_vmems; i++)
		if (!strcmp(label, machine.vmems[i]->options.label))
			return machine.vmems[i];
	return NULL;
}

static struct json_object *set_size(char *arguments)
{
	char *text = strtok_r(arguments, " ", &arguments);
	struct vmem *vmem = find_vmem(arguments);
	uint64_t size;
	int ret;

	if (!text || !size_parse(text, &size))
		return failure("resize takes a size, such as 4G");
	if (!vmem)
		return failure("which device? There is none, or there are several");
	if (migrate_holds_guest())
		return failure("the guest is on its way to somewhere else");
	ret = vmem->ops->set_requested_size(vmem, size);
	if (ret == -EINVAL)
		return failure("no multiple of the block size, or more than the region");
	return ret < 0 ? failure(strerror(-ret)) : vmem_info(vmem);
}

static struct json_object *quit(void)
{
	machine_stop(VMM_EXIT_ENDED, NULL);
	return json_object_new_object();
}

static struct json_object *status(void)
{
	return migrate_report();
}

static struct json_object *begin(const char *target, bool to_file,
				 const struct migrate_limits *limits)
{
	const char *wrong = migrate_start(target, to_file, limits);

	return wrong ? failure(wrong) : migrate_report();
}

/* To a file all is written once: it is faster than a guest may be. */
static struct json_object *begin_save(char *arguments)
{
	const struct migrate_limits limits = {
		.max_downtime_ms = machine.options->limits.max_downtime_ms,
		.max_rounds = 1,
	};

	if (!*arguments)
		return failure("save takes the name of a file that is not there yet");
	return begin(arguments, true, &limits);
}

static struct json_object *begin_migration(char *arguments)
{
	struct migrate_limits limits = machine.options->limits;
	char *target = strtok_r(arguments, " ", &arguments), *word;

	if (!target)
		return failure("migrate takes an address, unix:PATH or tcp:HOST:PORT");
	while ((word = strtok_r(NULL, " ", &arguments)))
		if (!limits_parse(word, &limits))
			return failure("migrate takes max-downtime=MS and max-rounds=N");
	return begin(target, false, &limits);
}

static struct json_object *cancel(void)
{
	if (!migrate_cancel())
		return failure("there is no migration to be cancelled, or it is too late");
	return migrate_report();
}

static struct json_object *resume(void)
{
	return migrate_resume() ? migrate_report() : failure("the guest is not in doubt");
}

/* One function or the other: whether the command has arguments. */
static const struct {
	const char *name;
	struct json_object *(*execute)(void);
	struct json_object *(*execute_with)(char *arguments);
} commands[] = {
	{ "resize", .execute_with = set_size },
	{ "info", .execute = info },
	{ "quit", .execute = quit },
	{ "save", .execute_with = begin_save },
	{ "migrate", .execute_with = begin_migration },
	{ "migrate-status", .execute = status },
	{ "migrate-cancel", .execute = cancel },
	{ "resume", .execute = resume },
};

static struct json_object *execute(char *line)
{
	char *command = strtok_r(line, " ", &line);

	for (unsigned int i = 0; command && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(command, commands[i].name))
			continue;
		if (commands[i].execute_with)
			return commands[i].execute_with(line);
		return *line ? failure("this command has no arguments") : commands[i].execute();
	}
	return failure("commands are resize, info, quit, save, migrate and others: vmem-vmm(1)");
}

/* A client that does not read its answers is let go. */
static bool answer(char *line)
{
	struct json_object *object = execute(line);
	char text[4096];
	int size;

	size = snprintf(text, sizeof(text), "%s\n",
			json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
	return size < (int)sizeof(text) &&
	       send(control.client.fd, text, size, MSG_DONTWAIT | MSG_NOSIGNAL) == size;
}

static void client_gone(void)
{
	loop_remove(&control.client);
	close(control.client.fd);
	loop_change(&control.listener, EPOLLIN);
}

static void client_ready(struct loop_source *source, uint32_t events)
{
	char *end;
	ssize_t n;

	(void)events;
	n = recv(source->fd, control.line + control.used, LINE_SIZE - control.used, MSG_DONTWAIT);
	if (n <= 0) {
		client_gone();
		return;
	}
	control.used += n;
	while ((end = memchr(control.line, '\n', control.used))) {
		size_t size = end + 1 - control.line;

		*end = '\0';
		if (!answer(control.line)) {
			client_gone();
			return;
		}
		control.used -= size;
		memmove(control.line, control.line + size, control.used);
	}
	/* A line that is too long will be none. */
	if (control.used == LINE_SIZE)
		client_gone();
}

static void listener_ready(struct loop_source *source, uint32_t events)
{
	(void)events;
	control.client.fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
	if (control.client.fd < 0)
		return;
	control.client.handle = client_ready;
	control.used = 0;
	loop_change(source, 0);
	if (loop_add(&control.client, EPOLLIN) < 0)
		client_gone();
}

int control_create(const char *path)
{
	struct stat status;
	int fd, ret;

	control.address.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(control.address.sun_path))
		return -ENAMETOOLONG;
	strcpy(control.address.sun_path, path);
	if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
		unlink(path);

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&control.address, sizeof(control.address)) < 0 ||
	    listen(fd, 1) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	control.listener = (struct loop_source){ .fd = fd, .handle = listener_ready };
	return loop_add(&control.listener, EPOLLIN);
}

void control_remove(void)
{
	if (control.listener.handle)
		unlink(control.address.sun_path);
}
