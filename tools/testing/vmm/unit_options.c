// SPDX-License-Identifier: GPL-2.0
/* vmem-vmm's command line: what it takes, and what it says of what it does not. */
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "options.h"
#include "vmm.h"

#include <kselftest_harness.h>

#define MOST_ARGS	16
#define LABEL_63	"123456789-123456789-123456789-123456789-123456789-123456789-123"

/* What the child that parses leaves behind. */
struct outcome {
	struct options options;
	char said[512];
};

static struct outcome *outcome;

void die(enum vmm_exit status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(outcome->said, sizeof(outcome->said), format, args);
	va_end(args);
	_exit(status);
}

/*
 * Returns the exit status; 0 if the program goes on. Arguments are separated by
 * blanks.
 */
static int parse(const char *line)
{
	char copy[256], *argv[MOST_ARGS] = { "vmem-vmm" }, *words = copy;
	int argc, status;
	pid_t pid;

	if (!outcome)
		outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(outcome, 0, sizeof(*outcome));
	pid = fork();
	if (!pid) {
		snprintf(copy, sizeof(copy), "%s", line);
		for (argc = 1; argc < MOST_ARGS - 1; argc++) {
			argv[argc] = strtok_r(words, " ", &words);
			if (!argv[argc])
				break;
		}
		/* The help, and what getopt says. */
		if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
			abort();
		optind = 0;
		options_parse(&outcome->options, argc, argv);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

#define test_taken(line) ASSERT_EQ(0, parse("--kernel k " line)) \
	TH_LOG("%s: %s", line, outcome->said)

#define test_refused(line, why) do { \
	ASSERT_EQ(VMM_EXIT_USAGE, parse("--kernel k " line)) \
		TH_LOG("%s", line); \
	ASSERT_NE(NULL, strstr(outcome->said, why)) \
		TH_LOG("%s: %s", line, outcome->said); \
} while (0)

struct size {
	const char *text;
	uint64_t size;
	bool good;
};

static const struct size sizes[] = {
	{ "0", 0, true },
	{ "1", 1, true },
	{ "4096", 4096, true },
	{ "1K", KIB, true },
	{ "1k", KIB, true },
	{ "3M", 3 * MIB, true },
	{ "3m", 3 * MIB, true },
	{ "2G", 2 * GIB, true },
	{ "1T", 1024 * GIB, true },
	{ "0x100000000", 4 * GIB, true },
	{ "0xfG", 15 * GIB, true },
	/* Nobody means octal. */
	{ "010", 10, true },
	{ "0256M", 256 * MIB, true },
	{ "18446744073709551615", UINT64_MAX, true },
	{ "0xffffffffffffffff", UINT64_MAX, true },
	{ "16777215T", 16777215ULL << 40, true },
	{ "16777216T" },
	{ "17179869184G" },
	{ "18014398509481984K" },
	{ "18446744073709551616" },
	{ "0x10000000000000000" },
	{ "99999999999999999999999999" },
	{ "" },
	{ " " },
	{ "K" },
	{ "G" },
	{ "-1" },
	{ "-1G" },
	{ "+1" },
	{ " 1" },
	{ "1 " },
	{ "1 G" },
	{ "1GB" },
	{ "1GG" },
	{ "1P" },
	{ "1.5G" },
	{ "1,5G" },
	{ "0x" },
	{ "0xg" },
	{ "x1" },
	{ "1e3" },
	{ "four" },
	{ "1\n" },
	{ "\xff" },
	{ "1\xff" },
};

TEST(a_size_is_digits_and_at_most_one_letter)
{
	uint64_t size;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size = 12345;
		ASSERT_EQ(sizes[i].good, size_parse(sizes[i].text, &size))
			TH_LOG("'%s'", sizes[i].text);
		ASSERT_EQ(sizes[i].good ? sizes[i].size : 12345, size)
			TH_LOG("'%s'", sizes[i].text);
	}
}

TEST(there_are_defaults)
{
	test_taken("");
	ASSERT_EQ(1, outcome->options.nb_cpus);
	ASSERT_EQ(256 * MIB, outcome->options.memory_size);
	ASSERT_EQ(VMEM_GROUP, outcome->options.mode);
	ASSERT_EQ(0, outcome->options.nb_vmems);
	ASSERT_EQ(NULL, outcome->options.initrd);
	ASSERT_EQ(NULL, outcome->options.control);
	ASSERT_TRUE(outcome->options.rng);
}

TEST(there_is_a_kernel_and_nothing_else)
{
	ASSERT_EQ(VMM_EXIT_USAGE, parse(""));
	ASSERT_EQ(VMM_EXIT_USAGE, parse("--kernel"));
	ASSERT_EQ(VMM_EXIT_USAGE, parse("--no-such-option"));
	ASSERT_EQ(VMM_EXIT_USAGE, parse("-z"));
	test_refused("word", "what is 'word'?");
	test_refused("--no-rng=1", "");
	ASSERT_EQ(0, parse("--help"));
}

TEST(memory_is_whole_mebibytes_within_bounds)
{
	test_taken("--memory 32M");
	ASSERT_EQ(32 * MIB, outcome->options.memory_size);
	test_taken("-m 1T");
	ASSERT_EQ(1024 * GIB, outcome->options.memory_size);
	test_refused("--memory 31M", "--memory is from 32M");
	test_refused("--memory 0", "--memory is from 32M");
	test_refused("--memory 1025G", "--memory is from 32M");
	test_refused("--memory 16777216T", "--memory takes a size");
	test_refused("--memory 65537K", "multiple of 1M");
	test_refused("--memory much", "takes a size, such as 4G, not 'much'");
	test_refused("--memory -1", "takes a size");
	test_refused("--memory 64M,pages=4K", "what is 'pages=4K'?");
	test_refused("--memory 64M,hugepages", "what is");
	test_refused("--memory 64M,hugepages=maybe", "what is");
	test_taken("--memory 64M,hugepages=off");
	ASSERT_FALSE(outcome->options.huge_pages);
}

TEST(cpus_are_counted)
{
	test_taken("--cpus 64");
	ASSERT_EQ(64, outcome->options.nb_cpus);
	test_refused("--cpus 0", "--cpus takes a number from 1 to 64");
	test_refused("--cpus 65", "--cpus takes a number");
	test_refused("--cpus -1", "--cpus takes a number");
	test_refused("--cpus 1x", "--cpus takes a number");
	test_refused("--cpus 4294967297", "--cpus takes a number");
	test_refused("--cpus 18446744073709551617", "--cpus takes a number");
	test_refused("--cpus two", "--cpus takes a number");
}

TEST(a_vmem_has_what_it_is_given)
{
	const struct vmem_options *vmem;

	test_taken("--vmem 1T,requested=4G,block=2M,label=web1,node=3,addr=8G,memslot=1G,prealloc");
	vmem = outcome->options.vmems;
	ASSERT_EQ(1, outcome->options.nb_vmems);
	ASSERT_EQ(1024 * GIB, vmem->size);
	ASSERT_EQ(4 * GIB, vmem->requested_size);
	ASSERT_EQ(2 * MIB, vmem->block_size);
	ASSERT_STREQ("web1", vmem->label);
	ASSERT_EQ(3, vmem->node);
	ASSERT_EQ(8 * GIB, vmem->addr);
	ASSERT_EQ(GIB, vmem->memslot_size);
	ASSERT_TRUE(vmem->prealloc);

	test_taken("--vmem 1G --vmem 2G");
	ASSERT_EQ(2, outcome->options.nb_vmems);
	ASSERT_EQ(2 * GIB, vmem[1].size);
	ASSERT_EQ(0, vmem[1].requested_size);
	ASSERT_EQ(0, vmem[1].addr);
	ASSERT_EQ(-1, vmem[1].node);
	ASSERT_STREQ("vmem0", vmem[0].label);
	ASSERT_STREQ("vmem1", vmem[1].label);
}

TEST(a_vmem_that_is_wrong_is_refused)
{
	test_refused("--vmem big", "--vmem takes a size, such as 4G, not 'big'");
	test_refused("--vmem 0", "--vmem is from 1M");
	test_refused("--vmem 16777215T", "--vmem is from 1M");
	test_refused("--vmem ,requested=1G", "--vmem takes a size");
	test_refused("--vmem 1G,requested=2G", "--vmem requested is from");
	test_refused("--vmem 1G,requested", "--vmem requested takes a size");
	test_refused("--vmem 1G,requested=", "--vmem requested takes a size");
	test_refused("--vmem 1G,block=512K", "--vmem block is from");
	test_refused("--vmem 1G,block=2G", "--vmem block is from");
	test_refused("--vmem 1G,color=red", "--vmem: what is 'color=red'?");
	test_refused("--vmem 1G,prealloc=yes", "prealloc takes no value");
	test_refused("--vmem 1G,node=256", "--vmem node takes a number");
	test_refused("--vmem 1G,node=-1", "--vmem node takes a number");
	test_refused("--vmem 1G,addr=1G", "--vmem addr is from 4096M");
	test_refused("--vmem 1G,memslot=1K", "--vmem memslot is from");
	test_refused("--vmem 1G --vmem 1G --vmem 1G --vmem 1G --vmem 1G", "at most 4 times");
}

TEST(a_label_is_a_short_and_printable_name_of_one_device)
{
	test_refused("--vmem 1G,label", "a label has 1 to 63 characters");
	test_refused("--vmem 1G,label=", "a label has 1 to 63 characters");
	test_refused("--vmem 1G,label=a\nb", "printable");
	test_refused("--vmem 1G,label=\xc3\xa4", "printable");
	test_refused("--vmem 1G,label=a --vmem 1G,label=a", "two with the label 'a'");
	test_refused("--vmem 1G,label=vmem1 --vmem 1G", "two with the label 'vmem1'");
	test_taken("--vmem 1G,label=" LABEL_63);
	test_refused("--vmem 1G,label=" LABEL_63 "4", "a label has 1 to 63 characters");
}

TEST(a_mode_is_one_of_three)
{
	test_taken("--vmem-mode group");
	ASSERT_EQ(VMEM_GROUP, outcome->options.mode);
	test_taken("--vmem-mode static");
	ASSERT_EQ(VMEM_STATIC, outcome->options.mode);
	test_taken("--vmem-mode dynamic-user");
	ASSERT_EQ(VMEM_DYNAMIC_USER, outcome->options.mode);
	test_refused("--vmem-mode dynamic", "group, static or dynamic-user, not 'dynamic'");
	test_refused("--vmem-mode=", "group, static or dynamic-user");
}

TEST_HARNESS_MAIN
