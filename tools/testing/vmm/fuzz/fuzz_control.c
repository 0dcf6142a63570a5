// SPDX-License-Identifier: GPL-2.0
/*
 * The control socket of vmem-vmm under libFuzzer: a client that says anything, in pieces
 * of any size. Each line is answered by one line of JSON, or the client is let go.
 */
#include <stdarg.h>
#include <sys/ioctl.h>

/* control.c itself: what it does when a client has something to say is its own. */
#include "control.c"

#include "input.h"

#define MOST_VMEMS 2

struct machine machine;

/* Of the run: the client's end of the socket, and whether the other is open. */
static struct {
	int client;
	bool connected;
	bool stopped;
} run;

void die(enum vmm_exit status, const char *format, ...)
{
	abort();
}

void complain(const char *format, ...)
{
}

void machine_stop(enum vmm_exit status, const char *format, ...)
{
	must(status == VMM_EXIT_ENDED);
	run.stopped = true;
}

int loop_add(struct loop_source *source, uint32_t events)
{
	return 0;
}

void loop_change(struct loop_source *source, uint32_t events)
{
}

void loop_remove(struct loop_source *source)
{
	run.connected = false;
}

/* A migration, as far as the control socket has to do with it. */
static struct precopy_progress progress;
static struct migrate_status migration = { .progress = &progress };

const char *migrate_start(const char *target, bool to_file, const struct migrate_limits *limits)
{
	must(*target);
	if (migration.state == MIGRATE_ACTIVE)
		return "there is one";
	migration.state = MIGRATE_ACTIVE;
	snprintf(migration.target, sizeof(migration.target), "%s", target);
	return NULL;
}

bool migrate_cancel(void)
{
	bool active = migration.state == MIGRATE_ACTIVE;

	if (migration.state == MIGRATE_HANDOVER)
		migration.state = MIGRATE_UNDECIDED;
	if (active)
		migration.state = MIGRATE_HANDOVER;
	return active;
}

bool migrate_resume(void)
{
	bool undecided = migration.state == MIGRATE_UNDECIDED;

	if (undecided)
		migration.state = MIGRATE_FAILED;
	return undecided;
}

bool migrate_holds_guest(void)
{
	return migration.state == MIGRATE_HANDOVER;
}

void migrate_get_status(struct migrate_status *status)
{
	*status = migration;
}

static int set_requested_size(struct vmem *vmem, uint64_t size)
{
	if (size % (2 * MIB) || size > vmem->options.size)
		return -EINVAL;
	vmem->options.requested_size = size;
	return size == 42 * MIB ? -EIO : 0;
}

static void get_config(struct vmem *vmem, struct virtio_mem_config *config)
{
	*config = (struct virtio_mem_config){
		.block_size = 2 * MIB, .addr = 4 * GIB, .region_size = vmem->options.size,
		.requested_size = vmem->options.requested_size,
	};
}

static const struct vmem_ops ops = {
	.get_config = get_config, .set_requested_size = set_requested_size,
};

static void make_machine(unsigned int nb)
{
	static struct vmem vmems[MOST_VMEMS];
	static struct options options;

	machine.options = &options;
	machine.nb_vmems = nb;
	for (unsigned int i = 0; i < nb; i++) {
		vmems[i] = (struct vmem){ .ops = &ops, .options.size = GIB };
		snprintf(vmems[i].options.label, VMEM_LABEL_SIZE, "\"vmem%u\\", i);
		pthread_mutex_init(&vmems[i].device.lock, NULL);
		machine.vmems[i] = &vmems[i];
	}
}

static void connect_client(void)
{
	int ends[2];

	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	control.client.fd = ends[0];
	control.used = 0;
	run.client = ends[1];
	run.connected = true;
	run.stopped = false;
}

/* As the event loop has it: for as long as there is something to read. */
static void let_read(void)
{
	int left;

	while (run.connected && !ioctl(control.client.fd, FIONREAD, &left) && left)
		client_ready(&control.client, EPOLLIN);
}

/* Returns how many answers there are; each is an object. */
static unsigned int read_answers(void)
{
	static char text[1 << 20];
	ssize_t size = recv(run.client, text, sizeof(text) - 1, MSG_DONTWAIT);
	char *rest = text, *line;
	unsigned int nb = 0;

	if (size <= 0)
		return 0;
	must(text[size - 1] == '\n');
	text[size - 1] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		struct json_object *object = json_tokener_parse(line);

		must(object && json_object_is_type(object, json_type_object));
		json_object_put(object);
		nb++;
	}
	return nb;
}

static unsigned int count_lines(const uint8_t *data, size_t size)
{
	unsigned int nb = 0;

	for (size_t i = 0; i < size; i++)
		nb += data[i] == '\n';
	return nb;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	size_t piece, most;

	make_machine(take8(&input) % (MOST_VMEMS + 1));
	most = 1 + take8(&input);
	connect_client();
	while (input.size && run.connected) {
		unsigned int nb;

		piece = input.size < most ? input.size : most;
		must(send(run.client, input.data, piece, 0) == (ssize_t)piece);
		let_read();
		nb = read_answers();
		must(!run.connected || nb == count_lines(input.data, piece));
		must(!run.connected || control.used < LINE_SIZE);
		input.data += piece;
		input.size -= piece;
	}
	if (run.connected)
		close(control.client.fd);
	close(run.client);
	return 0;
}
