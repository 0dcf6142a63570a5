// SPDX-License-Identifier: GPL-2.0
/* Programs of the fuzzer and their text: what is printed can be replayed. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "program.h"
#include "random.h"
#include "watch.h"

#include <kselftest_harness.h>

#define NB_PROGRAMS 5000

/* Of one at a time. */
static struct program first, second;
static char text[PROGRAM_TEXT_SIZE], again[PROGRAM_TEXT_SIZE];

static int parse(const char *from)
{
	return program_parse(&first, &from);
}

/* A chain of changes, anew now and then. */
static void next_program(unsigned int i)
{
	if (i % 16 == 0) {
		generate(&first);
	} else {
		generate(&second);
		mutate(&first, &second);
	}
}

TEST(a_program_is_read_as_it_was_printed)
{
	static const char *const separators[] = { "\n", "; " };
	const char *at;

	random_seed(1);
	for (unsigned int i = 0; i < NB_PROGRAMS; i++) {
		next_program(i);
		ASSERT_LT(program_print(&first, separators[i % 2], text, sizeof(text)),
			  sizeof(text) - 1);
		at = text;
		ASSERT_EQ(1, program_parse(&second, &at))
			TH_LOG("%s\nat: %s", text, at);
		ASSERT_EQ(0, *at == '\n' ? at[1] : *at);
		ASSERT_EQ(first.nb_calls, second.nb_calls);
		program_print(&second, separators[i % 2], again, sizeof(again));
		ASSERT_STREQ(text, again);
	}
}

TEST(a_program_has_calls_and_no_more_than_there_is_room_for)
{
	random_seed(2);
	for (unsigned int i = 0; i < NB_PROGRAMS; i++) {
		next_program(i);
		ASSERT_LT(0, first.nb_calls);
		ASSERT_GE(MAX_CALLS, first.nb_calls);
		for (unsigned int j = 0; j < first.nb_calls; j++) {
			const struct call *call = &first.calls[j];

			ASSERT_EQ(call->spec->result,
				  call->result == NO_SLOT ? SLOT_NONE : slot_kind(call->result));
		}
	}
}

TEST(the_same_seed_makes_the_same_programs)
{
	random_seed(3);
	generate(&first);
	program_print(&first, "\n", text, sizeof(text));
	random_seed(3);
	generate(&first);
	program_print(&first, "\n", again, sizeof(again));
	ASSERT_STREQ(text, again);
	random_seed(4);
	generate(&first);
	program_print(&first, "\n", again, sizeof(again));
	ASSERT_STRNE(text, again);
}

TEST(every_call_is_made_at_random)
{
	static unsigned int nb[128];
	unsigned int i, j;

	ASSERT_GE(128, nb_call_specs());
	random_seed(5);
	for (i = 0; i < NB_PROGRAMS; i++) {
		next_program(i);
		for (j = 0; j < first.nb_calls; j++)
			nb[call_spec_number(first.calls[j].spec)]++;
	}
	for (i = 0; i < nb_call_specs(); i++)
		ASSERT_LT(0, nb[i])
			TH_LOG("%s", call_spec(i)->name);
}

TEST(what_is_left_out_is_usual)
{
	ASSERT_EQ(1, parse("setup dev1 addr=0x100000000 label=\"a\\x3b b\" # a comment\n"));
	ASSERT_EQ(1, first.nb_calls);
	program_print(&first, "\n", text, sizeof(text));
	ASSERT_STREQ("setup dev1 addr=0x100000000 label=\"a; b\"\n", text);
	ASSERT_EQ(1, parse("async  fail=3 dev2 = dup dev0;touch map1+4096 count=2"));
	ASSERT_EQ(2, first.nb_calls);
	program_print(&first, "; ", text, sizeof(text));
	ASSERT_STREQ("async fail=3 dev2 = dup dev0; touch map1+0x1000 count=2", text);
}

TEST(what_is_no_program_is_refused)
{
	static const char *const wrong[] = {
		"what", "setup dev4", "setup dev0 addr", "setup dev0 addr=", "setup dev0 addr=x",
		"setup dev0 nothing=1", "dev0 = setup dev0", "open", "dev0 = vm",
		"vm0 = open = open", "setup dev0 flags=dynamic|", "setup dev0 label=\"", "async",
		"map0 = mmap dev0 4096",
		"setup dev0 addr=0x1ffffffffffffffff",
	};
	unsigned int i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ASSERT_EQ(-1, parse(wrong[i]))
			TH_LOG("number %u", i);
	ASSERT_EQ(0, parse(""));
	ASSERT_EQ(0, parse(" # nothing\n\n"));
}

TEST(programs_in_a_file_are_separated_by_empty_lines)
{
	const char *at = "# two\n\ndev0 = open\nget_info dev0\n\n# second\ndev1 = open\n";

	ASSERT_EQ(1, program_parse(&first, &at));
	ASSERT_EQ(2, first.nb_calls);
	ASSERT_EQ(1, program_parse(&first, &at));
	ASSERT_EQ(1, first.nb_calls);
	ASSERT_EQ(0, program_parse(&first, &at));
}

static int not_hidden(const struct dirent *entry)
{
	return *entry->d_name != '.';
}

TEST(the_corpus_is_read)
{
	static char corpus[1 << 20];
	struct dirent **entries;
	int nb = scandir(CORPUS, &entries, not_hidden, alphasort);

	ASSERT_LT(0, nb);
	while (nb--) {
		const char *at = corpus;
		char path[512];
		FILE *file;
		int ret;

		snprintf(path, sizeof(path), CORPUS "/%s", entries[nb]->d_name);
		file = fopen(path, "re");
		ASSERT_NE(NULL, file);
		corpus[fread(corpus, 1, sizeof(corpus) - 1, file)] = '\0';
		fclose(file);
		while ((ret = program_parse(&first, &at)) > 0)
			;
		ASSERT_EQ(0, ret)
			TH_LOG("%s: %.60s", path, at);
		free(entries[nb]);
	}
	free(entries);
}

TEST(complaints_of_the_kernel_are_known)
{
	ASSERT_TRUE(watch_is_complaint("BUG: KASAN: slab-use-after-free in kvm_vmem_put"));
	ASSERT_TRUE(watch_is_complaint("WARNING: CPU: 0 PID: 1 at kvm_vmem_kvm_set_memslot"));
	ASSERT_TRUE(watch_is_complaint("WARNING: possible circular locking dependency detected"));
	ASSERT_FALSE(watch_is_complaint("kvm_vmem: vmem0 (a): x[1] accessed an unplugged block"));
}

TEST_HARNESS_MAIN
