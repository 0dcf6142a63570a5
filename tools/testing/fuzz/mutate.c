// SPDX-License-Identifier: GPL-2.0
/* Random changes to programs: calls that come, go, move and change. */
#define _GNU_SOURCE
#include <string.h>

#include "generate.h"
#include "random.h"

/* Some, one after the other. Most programs have to do something before. */
static void insert_calls(struct program *program)
{
	unsigned int at = one_in(2) ? program->nb_calls : below(program->nb_calls + 1);
	struct call *call;

	do {
		call = program_insert(program, at);
		if (call)
			generate_call(call, program, at++);
	} while (call && !one_in(3));
}

static void repeat_call(struct program *program)
{
	unsigned int from = below(program->nb_calls), to = below(program->nb_calls + 1);
	struct call copy = program->calls[from], *call = program_insert(program, to);

	if (call)
		*call = copy;
}

static void move_call(struct program *program)
{
	unsigned int from = below(program->nb_calls);
	struct call copy = program->calls[from];

	program_remove(program, from);
	*program_insert(program, below(program->nb_calls + 1)) = copy;
}

/* The beginning of one and the end of another. */
static void splice(struct program *program, const struct program *other)
{
	unsigned int at = below(program->nb_calls + 1), from = below(other->nb_calls);

	program->nb_calls = at;
	while (from < other->nb_calls && program->nb_calls < MAX_CALLS)
		program->calls[program->nb_calls++] = other->calls[from++];
}

/* Nearby, or of another order of magnitude. */
static uint64_t vary(uint64_t number)
{
	static const uint64_t steps[] = { 1, 4096, 1 << 20, 2 << 20, 1 << 30 };

	switch (below(6)) {
	case 0:
		return number + one_of(steps);
	case 1:
		return number - one_of(steps);
	case 2:
		return number << 1;
	case 3:
		return number >> 1;
	case 4:
		return number ^ 1ULL << below(64);
	default:
		return -number;
	}
}

static void change_text(struct call *call)
{
	if (!call->text_size || one_in(3)) {
		call->text_size = below(TEXT_SIZE + 1);
		memset(call->text, '1', call->text_size);
	}
	if (call->text_size)
		call->text[below(call->text_size)] = random_bits();
}

static void change_arg(struct program *program)
{
	unsigned int at = below(program->nb_calls), nb, i;
	struct call *call = &program->calls[at];
	const struct arg_spec *arg;

	nb = nb_args(call->spec);
	if (!nb)
		return;
	i = below(nb);
	arg = &call->spec->args[i];
	if (arg->kind == ARG_TEXT && one_in(2))
		change_text(call);
	else if (arg->kind == ARG_FD || arg->kind == ARG_TEXT || one_in(2))
		generate_arg(call, i, program, at);
	else
		call->args[i].number = vary(call->args[i].number);
}

static void change_way(struct program *program)
{
	struct call *call = &program->calls[below(program->nb_calls)];

	if (one_in(2))
		call->async = !call->async;
	else
		call->fail_nth = one_in(3) ? 0 : 1 + below(12);
	if (call->result != NO_SLOT && one_in(4)) {
		const struct slot_range *range = &slot_ranges[call->spec->result];

		call->result = range->first + below(range->nb);
	}
}

void mutate(struct program *program, const struct program *other)
{
	do {
		if (!program->nb_calls) {
			insert_calls(program);
			continue;
		}
		switch (below(12)) {
		case 0:
			program_remove(program, below(program->nb_calls));
			break;
		case 1:
			repeat_call(program);
			break;
		case 2:
			move_call(program);
			break;
		case 3:
			splice(program, other);
			break;
		case 4:
			change_way(program);
			break;
		case 5:
		case 6:
		case 7:
			insert_calls(program);
			break;
		default:
			change_arg(program);
		}
	} while (!one_in(3));
	if (!program->nb_calls)
		insert_calls(program);
}
