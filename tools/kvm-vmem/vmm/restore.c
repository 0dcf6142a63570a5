// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "incoming.h"
#include "machine.h"
#include "restore.h"
#include "state.h"

/* The thread is the event loop's, which does not run yet. */
static struct channel channel = { .fd = -1, .cancel = -1, .patience_ms = -1 };
static struct incoming incoming;
static struct stream_writer answers;

static int plug(void *owner, unsigned int index, const struct format_vmem *said,
		const uint64_t *bitmap)
{
	struct vmem *vmem = machine.vmems[index];
	const struct virtio_mem_config config = {
		.addr = said->addr,
		.region_size = said->region_size,
		.block_size = said->block_size,
		.node_id = said->node >= 0 ? said->node : 0,
		.usable_region_size = said->usable_region_size,
		.plugged_size = said->plugged_size,
		.requested_size = said->requested_size,
	};

	(void)owner;
	return vmem->ops->restore(vmem, &config, bitmap);
}

static void *memory(void *owner, uint64_t gpa, uint64_t size)
{
	(void)owner;
	return memory_at(&machine.memory, gpa, size);
}

static const struct incoming_ops ops = { .plug = plug, .memory = memory };

/* Reads all of it, and makes the machine so. Return: 0, or -errno with what is wrong. */
static int read_machine(void)
{
	int ret;

	incoming.reader.read = channel_read;
	incoming.reader.owner = &channel;
	incoming.ops = &ops;
	state_describe(&incoming.machine);
	for (unsigned int i = 0; i < machine.nb_vmems; i++)
		state_describe_vmem(i, &incoming.vmems[i]);
	incoming.state = calloc(1, sizeof(*incoming.state));
	if (!incoming.state)
		die(VMM_EXIT_FAILED, "no memory");
	ret = incoming_read(&incoming);
	if (ret == 0)
		ret = state_restore(incoming.state, incoming.reader.wrong,
				    sizeof(incoming.reader.wrong));
	free(incoming.state);
	return ret;
}

void restore_from_file(const char *path, int signals)
{
	int ret = channel_open(&channel, path);
	char more;

	if (ret < 0)
		die(VMM_EXIT_USAGE, "%s: %s", path, strerror(-ret));
	channel.cancel = signals;
	ret = read_machine();
	if (ret == 0 && channel_read(&channel, &more, 1) != -ENODATA)
		ret = stream_is_wrong(&incoming.reader, "the stream goes on after its end");
	channel_close(&channel);
	if (ret == -ECANCELED)
		exit(VMM_EXIT_ENDED);
	if (ret < 0)
		die(VMM_EXIT_USAGE, "%s: %s", path, incoming.reader.wrong);
}

static int answer(enum stream_type type, const char *text)
{
	answers.write = channel_write;
	answers.owner = &channel;
	return stream_write(&answers, type, 0, text, text ? strlen(text) + 1 : 0);
}

/* Nothing of it is kept: the process ends, and all of its memory is gone. */
static void __attribute__((noreturn)) refuse(const char *text, int error)
{
	/* The user wants it so. */
	if (error == -ECANCELED)
		exit(VMM_EXIT_ENDED);
	if (!*incoming.reader.wrong)
		stream_is_wrong(&incoming.reader, "%s", strerror(-error));
	channel.patience_ms = CHANNEL_PATIENCE_MS;
	if (channel.fd >= 0)
		answer(STREAM_REFUSED, incoming.reader.wrong);
	die(VMM_EXIT_FAILED, "--incoming %s: %s", text, incoming.reader.wrong);
}

void restore_from_peer(const char *text, int signals)
{
	struct channel_address address;
	int ret;

	if (!channel_parse(text, &address))
		die(VMM_EXIT_USAGE,
		    "--incoming takes unix:PATH or tcp:HOST:PORT, in numbers, not '%s'", text);
	channel.cancel = signals;
	ret = channel_accept(&channel, &address);
	if (ret == 0) {
		ret = read_machine();
		if (ret == 0)
			ret = answer(STREAM_READY, NULL);
		/* Whoever does not tell us to go may go on itself. */
		if (ret == 0)
			ret = stream_read(&incoming.reader);
		if (ret == 0 && incoming.reader.section.type != STREAM_GO)
			ret = stream_is_wrong(&incoming.reader,
					      "told something else than to go");
	}
	if (ret < 0)
		refuse(text, ret);
	/* From here on it runs here, whatever becomes of this. */
	channel.cancel = -1;
	channel.patience_ms = CHANNEL_PATIENCE_MS;
	answer(STREAM_RUNNING, NULL);
	channel_close(&channel);
}
