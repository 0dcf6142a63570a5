/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The stock Linux guest under vmem-vmm, and what its operator does.
 *
 * Functions return -errno, as in linux.h. Times are seconds.
 */
#ifndef KVM_VMEM_TEST_LINUX_VMM_H
#define KVM_VMEM_TEST_LINUX_VMM_H

#include <stdarg.h>
#include <stdint.h>

#include "linux.h"

/* For how long an emulated guest may take to plug or unplug a few GiB. */
#define LINUX_RESIZE_TIME (120 * SLOWNESS)
/* For how long vmem-vmm and vmemctl may take to end. */
#define LINUX_END_TIME (30 * SLOWNESS)

/**
 * linux_vmm_start() - start vmem-vmm with the stock guest
 * @guest: The guest
 * @append: The kernel's command line
 * @...: Further options, up to NULL
 *
 * Return: as linux_start().
 */
int linux_vmm_start(struct linux_guest *guest, const char *append, ...)
	__attribute__((sentinel));

/**
 * linux_vmm_boot() - start vmem-vmm, and wait until the guest is ready
 * @guest: The guest
 * @append: The kernel's command line
 * @...: Further options, up to NULL
 *
 * Return: 0 or -errno.
 */
int linux_vmm_boot(struct linux_guest *guest, const char *append, ...)
	__attribute__((sentinel));

/**
 * linux_tool() - run a program that ends by itself
 * @output: For all that it says
 * @size: Of @output
 * @seconds: For how long at most
 * @program: The program, looked for in PATH
 * @...: Its arguments, up to NULL
 *
 * Return: its exit status, or -errno.
 */
int linux_tool(char *output, size_t size, int seconds, const char *program, ...)
	__attribute__((sentinel));

/**
 * linux_device() - find a device by its label
 * @label: The label
 *
 * Return: the device's id, or -ENOENT.
 */
int linux_device(const char *label);

/**
 * linux_number() - read a file of a device in sysfs
 * @id: The device
 * @name: The file
 *
 * Return: the number in it, or all ones if there is none.
 */
uint64_t linux_number(int id, const char *name);

/**
 * linux_wait_file() - wait until a file of a device in sysfs has a value
 * @id: The device
 * @name: The file
 * @value: The value
 * @seconds: For how long at most
 *
 * Return: 0, -ETIMEDOUT, or another -errno if it cannot be read.
 */
int linux_wait_file(int id, const char *name, uint64_t value, int seconds);

/**
 * linux_control() - have vmem-vmm do something by its control socket
 * @path: The socket
 * @command: The command, without a newline
 * @answer: For the answer, without a newline
 * @size: Of @answer
 *
 * Return: 0 or -errno.
 */
int linux_control(const char *path, const char *command, char *answer, size_t size);

#endif /* KVM_VMEM_TEST_LINUX_VMM_H */
