/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Drives the stock Linux guest of tools/testing/guest by its serial console, which is
 * the standard input and output of the VMM that runs it. Nothing here knows the VMM.
 *
 * Functions return -errno: -ETIMEDOUT when the time is over, -EPIPE when the VMM has
 * ended. Times are seconds. No wait is without a limit. After a command that took too
 * long nothing more can be run: its end may be taken for that of another.
 */
#ifndef KVM_VMEM_TEST_LINUX_H
#define KVM_VMEM_TEST_LINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "slowness.h"

/* Where the lab puts the guest. */
#define LINUX_KERNEL "/lab/guest/bzImage"
#define LINUX_INITRD "/lab/guest/initrd"

/*
 * What the guest's kernel is told. Memory that is plugged can be given back; an oops
 * ends the guest; an emulated CPU is slow without being stuck. QEMU's emulation does not
 * intercept XSETBV, so that KVM and the guest would not agree on what XSAVE saves.
 */
#define LINUX_APPEND \
	"console=ttyS0 loglevel=4 memhp_default_state=online_movable panic=-1 " \
	"oops=panic rcupdate.rcu_cpu_stall_timeout=60 watchdog_thresh=30 no_timer_check " \
	"noxsave"
/* More of it: virtio_mem is not loaded. */
#define LINUX_NO_DRIVER " kvm_vmem.guest=nodriver"

/* For how long an emulated guest may boot, and run a command, on a machine that is busy. */
#define LINUX_BOOT_TIME (120 * SLOWNESS)
#define LINUX_COMMAND_TIME (60 * SLOWNESS)

/**
 * struct linux_text - what was said
 * @text: It, with a NUL at the end; NULL as long as there is nothing
 * @length: Bytes of it
 */
struct linux_text {
	char *text;
	size_t length;
};

/**
 * struct linux_guest - a guest, and the VMM that runs it
 * @pid: The VMM's process; 0 when there is none, or none any more
 * @status: The VMM's exit status, when it has ended; 128 and the signal's number if it
 *	was killed; else -1
 * @keyboard_fd: What is typed on the guest's console
 * @console_fd: What the guest says there; -1 when it is closed
 * @messages_fd: The VMM's standard error; -1 when it is closed
 * @console: All that the guest said
 * @messages: All that the VMM said
 * @seen: How much of @console was an answer to something
 */
struct linux_guest {
	pid_t pid;
	int status;
	int keyboard_fd;
	int console_fd;
	int messages_fd;
	struct linux_text console;
	struct linux_text messages;
	size_t seen;
};

/**
 * linux_start() - start a VMM
 * @guest: The guest; need not be initialized
 * @argv: The VMM's program, looked for in PATH, and arguments
 *
 * The VMM is killed when the caller's thread ends.
 *
 * Return: 0, or -errno. A program that cannot be executed ends with status 127.
 */
int linux_start(struct linux_guest *guest, const char *const argv[]);

/**
 * linux_wait_ready() - wait until the guest has booted, or booted anew
 * @guest: The guest
 * @seconds: For how long at most
 *
 * Return: 0 or -errno.
 */
int linux_wait_ready(struct linux_guest *guest, int seconds);

/**
 * linux_wait_said() - wait until the guest has said something
 * @guest: The guest
 * @what: What, after what was waited for before
 * @seconds: For how long at most
 *
 * Return: 0 or -errno. What it says next is at @console.text + @seen.
 */
int linux_wait_said(struct linux_guest *guest, const char *what, int seconds);

/**
 * linux_send() - type something
 * @guest: The guest
 * @text: What; a command needs a newline
 *
 * For what has no answer: "reboot -f", "poweroff -f", and keys that are the VMM's.
 *
 * Return: 0 or -errno.
 */
int linux_send(struct linux_guest *guest, const char *text);

/**
 * linux_run() - run a command in the guest
 * @guest: The guest, which is ready
 * @command: For the guest's shell
 * @output: For what it prints, cut off at @size, without newlines at the end; or NULL
 * @size: Of @output
 * @seconds: For how long at most
 *
 * Return: the command's exit status, or -errno; -ECONNRESET if the guest booted anew.
 */
int linux_run(struct linux_guest *guest, const char *command, char *output, size_t size,
	      int seconds);

/**
 * linux_memtotal() - what the guest holds for all of its memory
 * @guest: The guest, which is ready
 *
 * Return: bytes, or -errno.
 */
int64_t linux_memtotal(struct linux_guest *guest);

/**
 * linux_wait_memtotal() - wait until the guest holds something for all of its memory
 * @guest: The guest, which is ready
 * @memtotal: Bytes
 * @seconds: For how long at most
 *
 * Linux plugs blocks first and makes memory of them then, so that the device has its size
 * for a moment before the guest has.
 *
 * Return: 0, -ETIMEDOUT, or another -errno.
 */
int linux_wait_memtotal(struct linux_guest *guest, int64_t memtotal, int seconds);

/**
 * linux_wait_exit() - wait until the VMM has ended
 * @guest: The guest
 * @seconds: For how long at most
 *
 * Return: its exit status, 128 and the number of the signal that killed it, or -errno.
 */
int linux_wait_exit(struct linux_guest *guest, int seconds);

/**
 * linux_end() - end the VMM by a signal
 * @guest: The guest
 * @signal: The signal
 * @seconds: For how long to wait at most
 *
 * Return: as linux_wait_exit().
 */
int linux_end(struct linux_guest *guest, int signal, int seconds);

/**
 * linux_explain() - print the end of what was said, for a test that fails
 * @guest: The guest
 */
void linux_explain(struct linux_guest *guest);

/**
 * linux_stop() - kill the VMM if it runs, and forget what was said
 * @guest: The guest; may be all zeros
 */
void linux_stop(struct linux_guest *guest);

/* For tests: when it is not so, they tell what the guest and the VMM said. */
#define guest_eq(guest, expected, seen) \
	ASSERT_EQ(expected, seen) linux_explain(guest)

#define guest_le(guest, expected, seen) \
	ASSERT_LE(expected, seen) linux_explain(guest)

#endif /* KVM_VMEM_TEST_LINUX_H */
