// SPDX-License-Identifier: GPL-2.0
/*
 * Delta debugging (Zeller's ddmin, and then some): parts of the script are left out, each
 * time from a fresh start, and stay out if the same difference shows without them.
 */
#include "minimise.h"

#include <stdlib.h>
#include <string.h>

/* A difference may depend on the time that something takes. */
#define TRIES 3

struct minimiser {
	struct target *target;
	struct failure *failure;
	unsigned int nr_runs;
};

/* Cuts off what comes after the difference. */
static bool shows(struct minimiser *minimiser, struct script *script)
{
	struct failure failure = {};
	size_t position;

	minimiser->nr_runs++;
	if (run_script(minimiser->target, script->ops, script->nr, &failure, &position) !=
	    RUN_DIFFERS || !failure_is_same(&failure, minimiser->failure))
		return false;
	*minimiser->failure = failure;
	script->nr = position;
	return true;
}

static void copy(struct script *to, const struct script *from)
{
	size_t i;

	to->nr = 0;
	for (i = 0; i < from->nr; i++)
		script_add(to, &from->ops[i]);
}

/* Replaces @script by @candidate if that shows the difference, too. */
static bool take(struct minimiser *minimiser, struct script *script, struct script *candidate)
{
	if (!shows(minimiser, candidate))
		return false;
	copy(script, candidate);
	return true;
}

static void without_slots(struct minimiser *minimiser, struct script *script,
			  struct script *candidate)
{
	unsigned int slot;
	size_t i;

	for (slot = 0; slot < NR_SLOTS; slot++) {
		candidate->nr = 0;
		for (i = 0; i < script->nr; i++)
			if (script->ops[i].slot != slot)
				script_add(candidate, &script->ops[i]);
		if (candidate->nr < script->nr)
			take(minimiser, script, candidate);
	}
}

/* Returns whether any part of that size could be left out. */
static bool without_parts(struct minimiser *minimiser, struct script *script,
			  struct script *candidate, size_t size)
{
	bool shorter = false;
	size_t i, start = 0;

	while (start < script->nr) {
		candidate->nr = 0;
		for (i = 0; i < script->nr; i++)
			if (i < start || i >= start + size)
				script_add(candidate, &script->ops[i]);
		if (take(minimiser, script, candidate))
			shorter = true;
		else
			start += size;
	}
	return shorter;
}

/* Returns whether any argument could be 0, or a text empty. */
static bool simplify(struct minimiser *minimiser, struct script *script,
		     struct script *candidate)
{
	bool simpler = false;
	unsigned int arg;
	size_t i;

	for (i = 0; i < script->nr; i++) {
		for (arg = 0; arg <= OP_MAX_ARGS; arg++) {
			/* The text comes behind the arguments. */
			if (arg < OP_MAX_ARGS ? !script->ops[i].args[arg] : !script->ops[i].text[0])
				continue;
			copy(candidate, script);
			if (arg < OP_MAX_ARGS)
				candidate->ops[i].args[arg] = 0;
			else
				memset(candidate->ops[i].text, 0, sizeof(candidate->ops[i].text));
			simpler |= take(minimiser, script, candidate);
			if (i >= script->nr)
				return simpler;
		}
	}
	return simpler;
}

bool minimise(struct target *target, struct script *script, struct failure *failure,
	      unsigned int *nr_runs)
{
	struct minimiser minimiser = { target, failure, 0 };
	struct script candidate = {};
	bool again = false;
	unsigned int i;
	size_t size;

	for (i = 0; i < TRIES && !again; i++) {
		copy(&candidate, script);
		again = take(&minimiser, script, &candidate);
	}
	if (again) {
		without_slots(&minimiser, script, &candidate);
		for (size = (script->nr + 1) / 2; size; size /= 2)
			without_parts(&minimiser, script, &candidate, size);
		/* What is simpler may not need all of the rest. */
		while (without_parts(&minimiser, script, &candidate, 1) ||
		       simplify(&minimiser, script, &candidate))
			;
	}
	script_free(&candidate);
	*nr_runs = minimiser.nr_runs;
	return again;
}
