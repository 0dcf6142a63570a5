// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "ops.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"

/**
 * struct argument - an argument of an operation
 * @name: Its name
 * @words: Its values, if they are words: 0, 1... in this order
 */
struct argument {
	const char *name;
	const char *const *words;
};

static const char *const memory_words[] = { "anon", "memfd", "tmpfs", "hugetlb", NULL };
static const char *const fd_words[] = {
	"none", "own", "closed", "readonly", "null", "below", NULL,
};

static const char *const which_words[] = { "main", "extra", "none", NULL };
static const char *const prot_words[] = { "rw", "r", "rwx", NULL };
static const char *const sharing_words[] = { "shared", "private", NULL };
static const char *const by_words[] = { "device", "memory", NULL };
static const char *const vm_fd_words[] = { "good", "closed", "other", NULL };
static const char *const via_words[] = { "main", "extra", "pipe", "guest", NULL };

#define REQUEST { { "addr" }, { "nb" }, { "flags" } }
#define RANGE { { "first" }, { "nb" }, { "flags" } }
#define WORDS { { "via", via_words }, { "offset" }, { "count" }, { "stride" }, { "value" } }

static const struct {
	const char *name;
	struct argument args[OP_MAX_ARGS];
} types[NR_OPS] = {
	[OP_VM] = { "vm", { { "vm" } } },
	[OP_OWN] = { "own", { { "vm" }, { "id" }, { "offset" } } },
	[OP_DISOWN] = { "disown", { { "vm" }, { "id" } } },
	[OP_LIMIT] = { "limit", { { "limit" } } },
	[OP_BACKLOG] = { "backlog", { { "mib" } } },
	[OP_OPEN] = { "open", {} },
	[OP_CLOSE] = { "close", {} },
	[OP_MEMORY] = { "memory", { { "kind", memory_words }, { "size" }, { "offset" } } },
	[OP_SEAL] = { "seal", {} },
	[OP_SETUP] = { "setup", {
		{ "flags" }, { "addr" }, { "region" }, { "block" }, { "memslot" }, { "requested" },
		{ "offset" }, { "limit" }, { "fd", fd_words }, { "node" }, { "reserved0" },
		{ "reserved1" },
	} },
	[OP_MAP] = { "map", {
		{ "which", which_words }, { "offset" }, { "size" }, { "prot", prot_words },
		{ "sharing", sharing_words }, { "by", by_words },
	} },
	[OP_UNMAP] = { "unmap", { { "which", which_words } } },
	[OP_ATTACH] = { "attach", {
		{ "flags" }, { "vm" }, { "fd", vm_fd_words }, { "id" }, { "spaces" },
		{ "reserved" }, { "from" }, { "which", which_words }, { "delta" },
	} },
	[OP_PLUG] = { "plug", REQUEST },
	[OP_UNPLUG] = { "unplug", REQUEST },
	[OP_UNPLUG_ALL] = { "unplug_all", REQUEST },
	[OP_REPLUG] = { "replug", REQUEST },
	[OP_STATE] = { "state", REQUEST },
	[OP_RESET] = { "reset", { { "flags" } } },
	[OP_REQUESTED] = { "requested", { { "size" }, { "flags" } } },
	[OP_REQUESTED_TEXT] = { "requested_text", {} },
	[OP_PREPARE_REMOVE] = { "prepare_remove", { { "flags" } } },
	[OP_RETIRE_DELAY] = { "retire_delay", {} },
	[OP_RETIRE] = { "retire", {} },
	[OP_EVENTFD] = { "eventfd", { { "event" }, { "fd" }, { "flags" } } },
	[OP_EVENTS] = { "events", {} },
	[OP_READ] = { "read", { { "size" } } },
	[OP_POLL] = { "poll", {} },
	[OP_CONFIG] = { "config", {} },
	[OP_INFO] = { "info", {} },
	[OP_MEMSLOTS] = { "memslots", { { "room" } } },
	[OP_BITMAP] = { "bitmap", {} },
	[OP_SYSFS] = { "sysfs", {} },
	[OP_SETTLE] = { "settle", {} },
	[OP_WRITE_WORDS] = { "write_words", WORDS },
	[OP_READ_WORDS] = { "read_words", WORDS },
	[OP_DISCARD] = { "discard", { { "offset" }, { "size" } } },
	[OP_LSEEK] = { "lseek", { { "whence" }, { "offset" } } },
	[OP_FREEZE] = { "freeze", { { "flags" } } },
	[OP_THAW] = { "thaw", { { "flags" } } },
	[OP_GET_BITMAP] = { "get_bitmap", RANGE },
	[OP_SET_BITMAP] = { "set_bitmap", {
		{ "addr" }, { "region" }, { "block" }, { "usable" }, { "node" }, { "nb" },
		{ "first" }, { "set" }, { "first2" }, { "set2" }, { "reserved0" },
		{ "reserved1" }, { "flags" },
	} },
	[OP_DIRTY_LOG] = { "dirty_log", { { "flags" } } },
	[OP_GET_DIRTY_LOG] = { "get_dirty_log", RANGE },
};

static bool is_in(uint64_t block, uint64_t first, uint64_t nb)
{
	return block >= first && block - first < nb;
}

bool op_restores(const struct op *op, uint64_t block)
{
	return is_in(block, op->args[RESTORE_FIRST], op->args[RESTORE_SET]) ||
	       is_in(block, op->args[RESTORE_FIRST2], op->args[RESTORE_SET2]);
}

const char *op_name(enum op_kind kind)
{
	return types[kind].name;
}

static size_t print_argument(const struct argument *argument, uint64_t value, char *buf,
			     size_t size)
{
	unsigned int nr = 0;

	while (argument->words && argument->words[nr])
		nr++;
	if (value < nr)
		return snprintf(buf, size, " %s=%s", argument->name, argument->words[value]);
	return snprintf(buf, size, value < 4096 ? " %s=%" PRIu64 : " %s=0x%" PRIx64,
			argument->name, value);
}

static size_t print_text(const char *text, char *buf, size_t size)
{
	size_t len = snprintf(buf, size, " text=\"");

	for (; *text && len < size; text++)
		len += snprintf(buf + len, size - len,
				isprint((unsigned char)*text) && !strchr("\"\\", *text) ?
				"%c" : "\\x%02x", (unsigned char)*text);
	if (len < size)
		len += snprintf(buf + len, size - len, "\"");
	return len;
}

char *op_print(const struct op *op, char *buf, size_t size)
{
	const struct argument *args = types[op->kind].args;
	size_t len = snprintf(buf, size, "%s %u", op_name(op->kind), op->slot);
	unsigned int i;

	for (i = 0; i < OP_MAX_ARGS && args[i].name && len < size; i++)
		if (op->args[i])
			len += print_argument(&args[i], op->args[i], buf + len, size - len);
	if (op->text[0] && len < size)
		print_text(op->text, buf + len, size - len);
	return buf;
}

/* Returns whether there was a number, and nothing else. */
static bool parse_number(const char *word, uint64_t *value)
{
	char *end;

	*value = strtoull(word, &end, 0);
	return isdigit((unsigned char)word[0]) && !*end;
}

static const char *parse_argument(struct op *op, char *word)
{
	const struct argument *args = types[op->kind].args;
	char *value = strchr(word, '=');
	unsigned int i, j;

	if (!value)
		return "an argument has no value";
	*value++ = 0;
	for (i = 0; i < OP_MAX_ARGS && args[i].name; i++) {
		if (strcmp(args[i].name, word))
			continue;
		for (j = 0; args[i].words && args[i].words[j]; j++) {
			if (strcmp(args[i].words[j], value))
				continue;
			op->args[i] = j;
			return NULL;
		}
		return parse_number(value, &op->args[i]) ? NULL : "a value makes no sense";
	}
	return "there is no such argument";
}

static const char *parse_text(struct op *op, const char *text)
{
	unsigned int byte;
	size_t len = 0;

	for (; *text && *text != '"'; text++) {
		if (len == sizeof(op->text) - 1)
			return "the text is too long";
		if (*text != '\\') {
			op->text[len++] = *text;
			continue;
		}
		if (sscanf(text, "\\x%2x", &byte) != 1 || !byte)
			return "the text has a wrong escape";
		op->text[len++] = byte;
		text += 3;
	}
	return *text == '"' && !text[1] ? NULL : "the text does not end";
}

const char *op_parse(struct op *op, const char *line)
{
	char copy[1024], *rest = copy, *word, *text;
	const char *wrong = NULL;
	uint64_t slot;

	memset(op, 0, sizeof(*op));
	if (snprintf(copy, sizeof(copy), "%s", line) >= (int)sizeof(copy))
		return "the line is too long";
	text = strstr(copy, " text=\"");
	if (text) {
		*text = 0;
		wrong = parse_text(op, text + strlen(" text=\""));
	}

	word = strsep(&rest, " ");
	for (op->kind = 0; op->kind < NR_OPS; op->kind++)
		if (!strcmp(op_name(op->kind), word))
			break;
	if (op->kind == NR_OPS)
		return "there is no such operation";
	word = strsep(&rest, " ");
	if (!word || !parse_number(word, &slot) || slot >= NR_SLOTS)
		return "there is no such slot";
	op->slot = slot;
	while (!wrong && (word = strsep(&rest, " ")))
		if (*word)
			wrong = parse_argument(op, word);
	return wrong;
}

void script_add(struct script *script, const struct op *op)
{
	if (script->nr == script->room) {
		script->room = script->room ? script->room * 2 : 64;
		script->ops = reallocarray(script->ops, script->room, sizeof(*op));
		if (!script->ops)
			abort();
	}
	script->ops[script->nr++] = *op;
}

void script_free(struct script *script)
{
	free(script->ops);
	memset(script, 0, sizeof(*script));
}

const char *script_parse(struct script *script, const char *text, unsigned int *line)
{
	char *copy = strdup(text), *rest = copy, *word;
	const char *wrong = NULL;
	struct op op;

	if (!copy)
		abort();
	for (*line = 1; !wrong && (word = strsep(&rest, "\n")); ++*line) {
		if (!*word || *word == '#')
			continue;
		wrong = op_parse(&op, word);
		if (wrong)
			break;
		script_add(script, &op);
	}
	free(copy);
	return wrong;
}
