// SPDX-License-Identifier: GPL-2.0
/*
 * The corpus, with a device that is none: what a program reaches is a place for each call
 * that it has, and one more if it plugs what it attached before.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"
#include "execute.h"

#include <kselftest_harness.h>

#define PLACE_PLUGGED	1000
/* Is reached the first time and never again. */
#define PLACE_ONCE	2000

uint64_t nb_executed, nb_ended;
static bool is_flaky;

static int find_call(const struct program *program, const char *name)
{
	for (unsigned int i = 0; i < program->nb_calls; i++)
		if (!strcmp(program->calls[i].spec->name, name))
			return i;
	return -1;
}

struct features execute_program(const struct program *program)
{
	struct features reached = features_allocate(MAX_CALLS + 2);
	int attach = find_call(program, "attach");

	for (unsigned int i = 0; i < program->nb_calls; i++)
		features_add(&reached, FEATURE_PLACE |
				       (1 + call_spec_number(program->calls[i].spec)));
	if (attach >= 0 && find_call(program, "plug") > attach)
		features_add(&reached, FEATURE_PLACE | PLACE_PLUGGED);
	if (is_flaky && !nb_executed)
		features_add(&reached, FEATURE_PLACE | PLACE_ONCE);
	nb_executed++;
	features_sort(&reached);
	return reached;
}

static struct program parse(const char *text)
{
	static struct program program;

	if (program_parse(&program, &text) != 1)
		abort();
	return program;
}

static void try(const char *text)
{
	struct program program = parse(text);

	corpus_try(&program);
}

/* What is printed goes there instead. */
static FILE *said;

static void listen(void)
{
	fflush(stdout);
	said = tmpfile();
	if (!said || dup2(fileno(said), STDOUT_FILENO) < 0)
		abort();
}

static const char *heard(void)
{
	static char text[PROGRAM_TEXT_SIZE];

	fflush(stdout);
	if (fseek(said, 0, SEEK_SET))
		abort();
	text[fread(text, 1, sizeof(text) - 1, said)] = '\0';
	return text;
}

/* Each call for itself is no news. */
#define KNOWN	"dev0 = open; attach dev0; get_info dev0; reset dev0"

TEST(what_reaches_something_new_is_kept_and_printed)
{
	listen();
	try("dev0 = open");
	ASSERT_EQ(1, corpus_size());
	try("dev1 = open; dev2 = open");
	ASSERT_EQ(1, corpus_size());
	try("dev0 = open; get_info dev0");
	ASSERT_EQ(2, corpus_size());
	ASSERT_NE(NULL, strstr(heard(), "fuzz: new 1/1 dev0 = open rdwr\n"));
}

TEST(what_is_kept_is_made_smaller)
{
	listen();
	try(KNOWN);
	try("get_info dev0; reset dev0; get_info dev0; reset dev0; attach dev0; reset dev0; "
	    "plug dev0; get_info dev0");
	ASSERT_EQ(2, corpus_size());
	/* The last one is picked sooner or later. */
	for (int i = 0; find_call(corpus_pick(), "plug") < 0; i++)
		ASSERT_GT(1000, i);
	ASSERT_NE(NULL, strstr(heard(), "fuzz: new 2/2 attach dev0; reset dev0; plug dev0"))
		TH_LOG("%s", heard());
	ASSERT_EQ(NULL, strstr(heard(), "fuzz: new 2/2 get_info"));
}

TEST(as_few_and_small_programs_as_reach_all_are_distilled)
{
	unsigned int known;

	listen();
	try(KNOWN);
	known = corpus_size();
	/* Of these the second has all that the first has. */
	try("dev0 = open; plug dev0");
	try("attach dev0; get_info dev0; get_info dev0; plug dev0; freeze dev0");
	ASSERT_EQ(known + 2, corpus_size());
	features_forget();
	try("dev0 = open; attach dev0; get_info dev0; reset dev0");
	listen();
	corpus_distill(known);
	ASSERT_NE(NULL, strstr(heard(), "fuzz: keep attach dev0; plug dev0; freeze dev0\n"))
		TH_LOG("%s", heard());
	ASSERT_EQ(NULL, strstr(strstr(heard(), "keep") + 1, "keep"));
}

TEST(what_is_seen_once_and_not_again_is_not_distilled)
{
	listen();
	is_flaky = true;
	try(KNOWN);
	ASSERT_EQ(1, corpus_size());
	features_forget();
	nb_executed = 0;
	corpus_distill(0);
	ASSERT_NE(NULL, strstr(heard(), "fuzz: keep dev0 = open rdwr; attach dev0; "))
		TH_LOG("%s", heard());
	ASSERT_EQ(NULL, strstr(heard(), "0x7d0"));
}

TEST_HARNESS_MAIN
