/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What calls work on while a program runs, in a process of its own: its resources and the
 * thread that does the call. Several threads use them at once and nobody locks them, as is
 * wanted; what they break is their process.
 */
#ifndef FUZZ_RUN_H
#define FUZZ_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "program.h"
#include "vm.h"

#define NB_ASYNC	3
#define NB_THREADS	(1 + NB_ASYNC)
#define NB_VMS		2

/* For one call to touch, populate or copy: none may take the host's memory. */
#define MOST_PAGES	16
#define MOST_POPULATED	(64UL << 20)

struct mapping {
	char *addr;
	uint64_t size;
};

/**
 * struct run - a program that runs
 * @fds: Files by slot; -1: none
 * @ids: The device that SETUP made of the file in a slot
 * @maps: Mappings by slot, from the first mapping's on
 * @vms: The VMs as they were made; slots have only their files
 * @is_copy: This process is a fork of the one that is watched
 */
struct run {
	int fds[NB_FD_SLOTS];
	uint32_t ids[NB_FD_SLOTS];
	struct mapping maps[NB_MAP_SLOTS];
	struct vm vms[NB_VMS];
	bool is_copy;
};

/* The page behind which there is nothing, of the calling thread. */
char *thread_guard(void);

/* Values of arguments, as the call sees them. */
int arg_fd(const struct run *run, const struct call *call, unsigned int i);
uint64_t arg_number(const struct call *call, unsigned int i);
char *arg_addr(const struct run *run, const struct call *call, unsigned int i);
/* The slot of a file argument, or NO_SLOT. */
int arg_slot(const struct call *call, unsigned int i);
/* The text of a call, and that again as often as it says. Returns how much it is. */
size_t arg_text(const struct call *call, uint64_t repeat, char *text, size_t size);

static inline uint64_t at_most(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

/* What calls return: the result of a system call as it is in the kernel. */
long result_of(long ret);

/**
 * run_program() - run a program in this process, which ends
 * @program: The program
 *
 * The threads' coverage is recorded in what cover_open() has opened.
 */
void run_program(const struct program *program) __attribute__((noreturn));

/* Whether what calls return is printed. */
extern bool run_shows;

/* Runs the calls from number @from on; what fork does in the child. */
void run_calls(struct run *run, const struct program *program, unsigned int from);

/* Of a fork of the process: goes on behind the call that forked, and ends. */
void run_rest(struct run *run, const struct call *call) __attribute__((noreturn));

#endif /* FUZZ_RUN_H */
