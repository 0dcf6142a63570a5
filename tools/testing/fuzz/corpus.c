// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"
#include "execute.h"
#include "generate.h"
#include "random.h"

#define MOST_PROGRAMS	8192
#define MOST_FILE	(1 << 20)

static struct program *corpus[MOST_PROGRAMS];
static unsigned int nb_programs;

static void keep(const struct program *program)
{
	struct program *copy;

	if (nb_programs == MOST_PROGRAMS)
		return;
	copy = malloc(sizeof(*copy));
	if (!copy)
		err(1, "the corpus");
	*copy = *program;
	corpus[nb_programs++] = copy;
}

static unsigned int line_of(const char *text, const char *at)
{
	unsigned int line = 1;

	while (text < at)
		line += *text++ == '\n';
	return line;
}

unsigned int corpus_read_file(const char *path)
{
	static char text[MOST_FILE];
	static struct program program;
	FILE *file = fopen(path, "re");
	const char *at = text;
	unsigned int nb = 0;
	size_t size;
	int ret;

	if (!file)
		err(2, "%s", path);
	size = fread(text, 1, sizeof(text) - 1, file);
	text[size] = '\0';
	fclose(file);
	while ((ret = program_parse(&program, &at)) > 0) {
		keep(&program);
		nb++;
	}
	if (ret < 0)
		errx(2, "%s:%u: what is '%.*s'?", path, line_of(text, at),
		     (int)strcspn(at, "\n"), at);
	return nb;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

unsigned int corpus_read(const char *directory)
{
	int nb_files, i;
	struct dirent **entries;
	unsigned int nb = 0;
	char path[512];

	nb_files = scandir(directory, &entries, NULL, by_name);
	if (nb_files < 0)
		err(2, "%s", directory);
	for (i = 0; i < nb_files; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
		if (*entries[i]->d_name != '.')
			nb += corpus_read_file(path);
		free(entries[i]);
	}
	free(entries);
	return nb;
}

void corpus_replay(void)
{
	for (unsigned int i = 0; i < nb_programs; i++) {
		struct features reached = execute_program(corpus[i]);

		features_learn(&reached);
		features_free(&reached);
	}
}

/* Without @nb calls from @at on, if it then still reaches @wanted. */
static bool leave_out(struct program *program, unsigned int at, unsigned int nb,
		      const struct features *wanted)
{
	static struct program smaller;
	struct features reached;
	bool enough;

	smaller = *program;
	while (nb--)
		program_remove(&smaller, at);
	reached = execute_program(&smaller);
	enough = features_include(&reached, wanted);
	if (enough)
		*program = smaller;
	features_free(&reached);
	return enough;
}

/* Leaves out what is not needed to reach @wanted: many calls at once, then fewer: @least. */
static void minimize(struct program *program, const struct features *wanted, unsigned int least)
{
	for (unsigned int nb = program->nb_calls / 2; nb >= least; nb /= 2) {
		unsigned int at = program->nb_calls;

		while (at >= nb && program->nb_calls > nb) {
			at -= nb;
			leave_out(program, at, nb, wanted);
			if (at > program->nb_calls)
				at = program->nb_calls;
		}
	}
}

static void print_new(const struct program *program, const struct features *unknown)
{
	static char text[PROGRAM_TEXT_SIZE];

	program_print(program, "; ", text, sizeof(text));
	printf("fuzz: new %zu/%zu %s\n", features_places(unknown), unknown->nb, text);
}

/* What is seen once and not again depends on when what happened. */
static void triage(const struct program *program, const struct features *unknown)
{
	static struct program small;
	struct features again = execute_program(program);
	struct features stable = features_common(unknown, &again);

	small = *program;
	/* Roughly, or there is no time for anything else; --distill does it well. */
	if (features_places(&stable))
		minimize(&small, &stable, (small.nb_calls + 3) / 4);
	if (stable.nb || features_places(unknown)) {
		keep(&small);
		print_new(&small, stable.nb ? &stable : unknown);
	}
	features_free(&stable);
	features_free(&again);
}

void corpus_try(const struct program *program)
{
	struct features reached = execute_program(program);
	struct features unknown = features_unknown(&reached);

	if (unknown.nb)
		triage(program, &unknown);
	features_learn(&reached);
	features_free(&unknown);
	features_free(&reached);
}

const struct program *corpus_pick(void)
{
	static struct program fresh;

	if (nb_programs) {
		/* Those that came last are the least known. */
		unsigned int recent = nb_programs > 64 && one_in(2) ? 64 : nb_programs;

		return corpus[nb_programs - 1 - below(recent)];
	}
	generate(&fresh);
	return &fresh;
}

unsigned int corpus_size(void)
{
	return nb_programs;
}

static struct features places_of(const struct program *program)
{
	struct features places = execute_program(program);

	/* They are the first. */
	places.nb = features_places(&places);
	return places;
}

static void print_kept(struct program *program, const struct features *places)
{
	static char text[PROGRAM_TEXT_SIZE];

	minimize(program, places, 1);
	program_print(program, "; ", text, sizeof(text));
	printf("fuzz: keep %s\n", text);
	cover_print_places("fuzz: for", places);
}

/* Of those from @first on, the one that reaches the most that is not yet known. */
static unsigned int find_best(const struct features *reached, unsigned int first,
			      struct features *best)
{
	unsigned int which = 0;

	*best = (struct features){ 0 };
	for (unsigned int i = first; i < nb_programs; i++) {
		struct features unknown = features_unknown(&reached[i]);

		if (unknown.nb > best->nb) {
			features_free(best);
			*best = unknown;
			which = i;
		} else {
			features_free(&unknown);
		}
	}
	return which;
}

void corpus_distill(unsigned int first)
{
	struct features *reached = calloc(nb_programs + 1, sizeof(*reached));
	struct features best, again, always;

	if (!reached)
		err(1, "the corpus");
	for (unsigned int i = first; i < nb_programs; i++)
		reached[i] = places_of(corpus[i]);
	for (;;) {
		unsigned int which = find_best(reached, first, &best);

		if (!best.nb)
			break;
		again = places_of(corpus[which]);
		always = features_common(&best, &again);
		if (always.nb) {
			print_kept(corpus[which], &always);
			features_learn(&always);
		}
		/* What it reached only once is another one's to reach. */
		features_free(&reached[which]);
		features_free(&best);
		features_free(&again);
		features_free(&always);
	}
	for (unsigned int i = first; i < nb_programs; i++)
		features_free(&reached[i]);
	free(reached);
}
