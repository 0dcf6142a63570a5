// SPDX-License-Identifier: GPL-2.0
/* The calls that there are, by name and number, and programs as text. */
#define _GNU_SOURCE
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

static const struct call_spec *const groups[] = {
	device_calls, file_calls, memory_calls, guest_calls, operator_calls,
};

#define NB_GROUPS (sizeof(groups) / sizeof(groups[0]))
#define MAX_SPECS 128

const struct slot_range slot_ranges[NB_SLOT_KINDS] = {
	[SLOT_DEV] = { "dev", 0, 4 },
	[SLOT_VM] = { "vm", 4, 2 },
	[SLOT_EVENT] = { "event", 6, 2 },
	[SLOT_MEM] = { "mem", 8, 2 },
	[SLOT_FILE] = { "file", 10, 4 },
	[SLOT_MAP] = { "map", NB_FD_SLOTS, NB_MAP_SLOTS },
};

/* All calls in one table, made when it is first asked for. */
static const struct call_spec *specs[MAX_SPECS];
static unsigned int nb_specs;

static void number_specs(void)
{
	for (unsigned int i = 0; i < NB_GROUPS; i++)
		for (const struct call_spec *spec = groups[i]; spec->name; spec++)
			specs[nb_specs++] = spec;
}

const struct call_spec *call_spec(unsigned int number)
{
	if (!nb_specs)
		number_specs();
	return number < nb_specs ? specs[number] : NULL;
}

unsigned int nb_call_specs(void)
{
	call_spec(0);
	return nb_specs;
}

unsigned int call_spec_number(const struct call_spec *spec)
{
	unsigned int number = 0;

	while (call_spec(number) != spec)
		number++;
	return number;
}

const struct call_spec *find_call_spec(const char *name)
{
	const struct call_spec *spec;

	for (unsigned int i = 0; (spec = call_spec(i)); i++)
		if (!strcmp(spec->name, name))
			return spec;
	return NULL;
}

unsigned int nb_args(const struct call_spec *spec)
{
	unsigned int nb = 0;

	while (nb < MAX_ARGS && spec->args[nb].kind != ARG_NONE)
		nb++;
	return nb;
}

enum slot_kind slot_kind(int slot)
{
	for (int kind = 0; kind < NB_SLOT_KINDS; kind++)
		if (slot < slot_ranges[kind].first + slot_ranges[kind].nb)
			return kind;
	return SLOT_NONE;
}

static struct value usual_value(const struct arg_spec *arg)
{
	if (arg->kind == ARG_FD && (int64_t)arg->usual >= 0)
		return (struct value){ .slot = arg->usual };
	return (struct value){ .number = arg->usual, .slot = NO_SLOT };
}

void call_init(struct call *call, const struct call_spec *spec)
{
	assert(spec);
	memset(call, 0, sizeof(*call));
	call->spec = spec;
	call->result = spec->result == SLOT_NONE ? NO_SLOT : slot_ranges[spec->result].first;
	for (unsigned int i = 0; i < nb_args(spec); i++)
		call->args[i] = usual_value(&spec->args[i]);
}

/* A text that is being written. */
struct out {
	char *text;
	size_t size, used;
};

static void put(struct out *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct out *out, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(out->text + out->used, out->size - out->used, format, args);
	va_end(args);
	out->used += n;
	if (out->used >= out->size)
		out->used = out->size - 1;
}

static void put_slot(struct out *out, int slot)
{
	const struct slot_range *range = &slot_ranges[slot_kind(slot)];

	put(out, "%s%d", range->name, slot - range->first);
}

static void put_number(struct out *out, uint64_t number)
{
	if (number == ~0ULL)
		put(out, "-1");
	else
		put(out, number < 10 ? "%llu" : "0x%llx", (unsigned long long)number);
}

static void put_choice(struct out *out, const struct arg_spec *arg, uint64_t number)
{
	for (const struct name *name = arg->names; name && name->name; name++) {
		if (name->value == number) {
			put(out, "%s", name->name);
			return;
		}
	}
	put_number(out, number);
}

static void put_flags(struct out *out, const struct arg_spec *arg, uint64_t number)
{
	const char *separator = "";

	for (const struct name *name = arg->names; name->name; name++) {
		if (name->value && (number & name->value) == name->value) {
			put(out, "%s%s", separator, name->name);
			number &= ~name->value;
			separator = "|";
		}
	}
	if (number || !*separator) {
		put(out, "%s", separator);
		put_number(out, number);
	}
}

static void put_text(struct out *out, const struct call *call)
{
	put(out, "\"");
	for (unsigned int i = 0; i < call->text_size; i++) {
		unsigned char c = call->text[i];

		if (isprint(c) && !strchr("\"\\", c))
			put(out, "%c", c);
		else
			put(out, "\\x%02x", c);
	}
	put(out, "\"");
}

static void put_arg(struct out *out, const struct call *call, unsigned int i)
{
	const struct arg_spec *arg = &call->spec->args[i];
	const struct value *value = &call->args[i];

	if (arg->kind == ARG_TEXT) {
		put_text(out, call);
	} else if (value->slot != NO_SLOT) {
		put_slot(out, value->slot);
		if (value->number) {
			put(out, "+");
			put_number(out, value->number);
		}
	} else if (arg->kind == ARG_FLAGS) {
		put_flags(out, arg, value->number);
	} else {
		put_choice(out, arg, value->number);
	}
}

static bool is_usual(const struct call *call, unsigned int i)
{
	const struct arg_spec *arg = &call->spec->args[i];
	struct value usual = usual_value(arg);

	if (arg->kind == ARG_TEXT)
		return !call->text_size;
	return call->args[i].slot == usual.slot && call->args[i].number == usual.number;
}

static void put_call(struct out *out, const struct call *call)
{
	if (call->async)
		put(out, "async ");
	if (call->fail_nth)
		put(out, "fail=%u ", call->fail_nth);
	if (call->spec->result != SLOT_NONE) {
		put_slot(out, call->result);
		put(out, " = ");
	}
	put(out, "%s", call->spec->name);
	for (unsigned int i = 0; i < nb_args(call->spec); i++) {
		if (i && is_usual(call, i))
			continue;
		put(out, " ");
		if (i)
			put(out, "%s=", call->spec->args[i].name);
		put_arg(out, call, i);
	}
}

size_t program_print(const struct program *program, const char *separator, char *text,
		     size_t size)
{
	struct out out = { text, size, 0 };

	*text = '\0';
	for (unsigned int i = 0; i < program->nb_calls; i++) {
		put_call(&out, &program->calls[i]);
		if (*separator == '\n' || i + 1 < program->nb_calls)
			put(&out, "%s", separator);
	}
	return out.used;
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

/* Takes @word off, with what separates it from the next. */
static bool take_word(const char **text, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(*text, word, length) || !strchr(" \t", (*text)[length]) || !(*text)[length])
		return false;
	*text = skip_blanks(*text + length);
	return true;
}

static bool take_slot(const char **text, int8_t *slot)
{
	for (int kind = 0; kind < NB_SLOT_KINDS; kind++) {
		const struct slot_range *range = &slot_ranges[kind];
		size_t length = strlen(range->name);
		int number;

		if (strncmp(*text, range->name, length) || !isdigit((unsigned char)(*text)[length]))
			continue;
		number = (*text)[length] - '0';
		if (number >= range->nb || isalnum((unsigned char)(*text)[length + 1]))
			return false;
		*slot = range->first + number;
		*text += length + 1;
		return true;
	}
	return false;
}

static bool take_number(const char **text, const struct arg_spec *arg, uint64_t *number)
{
	size_t length = strcspn(*text, " \t\n;|+");
	char *end;

	for (const struct name *name = arg ? arg->names : NULL; name && name->name; name++) {
		if (strlen(name->name) == length && !strncmp(*text, name->name, length)) {
			*text += length;
			*number = name->value;
			return true;
		}
	}
	errno = 0;
	*number = strtoull(*text, &end, 0);
	if (errno || !length || end != *text + length)
		return false;
	*text = end;
	return true;
}

static bool take_flags(const char **text, const struct arg_spec *arg, uint64_t *number)
{
	uint64_t part;

	*number = 0;
	do {
		if (!take_number(text, arg, &part))
			return false;
		*number |= part;
	} while (*(*text)++ == '|');
	(*text)--;
	return true;
}

static bool take_text(const char **text, struct call *call)
{
	const char *at = *text;
	unsigned int c;

	if (*at++ != '"')
		return false;
	for (call->text_size = 0; *at && *at != '"'; call->text_size++) {
		if (call->text_size == TEXT_SIZE)
			return false;
		c = (unsigned char)*at++;
		if (c == '\\') {
			if (sscanf(at, "x%2x", &c) != 1)
				return false;
			at += 3;
		}
		call->text[call->text_size] = c;
	}
	*text = at + 1;
	return *at == '"';
}

static bool take_arg(const char **text, struct call *call, unsigned int i)
{
	const struct arg_spec *arg = &call->spec->args[i];
	struct value *value = &call->args[i];

	*value = (struct value){ .slot = NO_SLOT };
	if (arg->kind == ARG_TEXT)
		return take_text(text, call);
	if (take_slot(text, &value->slot)) {
		if (**text != '+')
			return true;
		(*text)++;
		return take_number(text, NULL, &value->number);
	}
	if (arg->kind == ARG_FLAGS)
		return take_flags(text, arg, &value->number);
	return take_number(text, arg, &value->number);
}

static bool at_end(const char *text)
{
	return strchr("\n;", *text) || *text == '#';
}

static bool take_args(const char **text, struct call *call)
{
	unsigned int nb = nb_args(call->spec);

	*text = skip_blanks(*text);
	if (nb && !at_end(*text) && !take_arg(text, call, 0))
		return false;
	for (*text = skip_blanks(*text); !at_end(*text); *text = skip_blanks(*text)) {
		size_t length = strcspn(*text, "= \t\n;");
		unsigned int i;

		for (i = 1; i < nb; i++)
			if (strlen(call->spec->args[i].name) == length &&
			    !strncmp(*text, call->spec->args[i].name, length))
				break;
		if (i >= nb || (*text)[length] != '=')
			return false;
		*text += length + 1;
		if (!take_arg(text, call, i))
			return false;
	}
	return true;
}

static bool take_call(const char **text, struct call *call)
{
	bool async = take_word(text, "async");
	unsigned int fail_nth = 0;
	int8_t result = NO_SLOT;
	const char *before;
	char name[32];
	size_t length;

	if (sscanf(*text, "fail=%3u", &fail_nth) == 1)
		*text = skip_blanks(*text + strcspn(*text, " \t\n;"));
	before = *text;
	if (take_slot(text, &result)) {
		*text = skip_blanks(*text);
		if (*(*text)++ != '=') {
			*text = before;
			return false;
		}
		*text = skip_blanks(*text);
	}
	length = strcspn(*text, " \t\n;");
	if (length >= sizeof(name))
		return false;
	memcpy(name, *text, length);
	name[length] = '\0';
	if (!find_call_spec(name))
		return false;
	call_init(call, find_call_spec(name));
	call->async = async;
	call->fail_nth = fail_nth;
	if (call->spec->result != (result == NO_SLOT ? SLOT_NONE : slot_kind(result)))
		return false;
	call->result = result;
	*text += length;
	return take_args(text, call);
}

int program_parse(struct program *program, const char **text)
{
	const char *at = *text;

	program->nb_calls = 0;
	for (;;) {
		at = skip_blanks(at);
		*text = at;
		if (*at == '#') {
			at += strcspn(at, "\n");
			at += *at == '\n';
			continue;
		}
		if (!*at || (*at == '\n' && program->nb_calls))
			return program->nb_calls ? 1 : 0;
		if (*at == '\n' || *at == ';') {
			at++;
			continue;
		}
		if (program->nb_calls == MAX_CALLS)
			return -1;
		if (!take_call(&at, &program->calls[program->nb_calls])) {
			*text = at;
			return -1;
		}
		program->nb_calls++;
		at += *at == '\n' || *at == ';';
	}
}
