// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"
#include "vmm.h"

#define POLL_US 10000
/* An emulated guest that zeroes 8 GiB page by page. */
#define RESIZE_S 1200
#define SAY_S 10
#define END_S 60
#define TRACING "/sys/kernel/tracing"
#define PROBE "bench_memslot"

/*
 * A module's idle memslots are retired a second after the last request, and then what
 * the guest uses is faulted in again, by a busy guest once a second. All is over when a
 * while brings no more than a guest does that only keeps its clock.
 */
#define SETTLE_S 3
#define QUIET_S 4
#define QUIET_FAULTS 64

bool vmm_is_here(const struct vmm_mode *mode)
{
	const char *path = mode->program->path;

	return !strchr(path, '/') || !access(path, X_OK);
}

void vmm_check(struct vmm *vmm, int ret, const char *what)
{
	if (ret >= 0)
		return;
	linux_explain(&vmm->guest);
	bench_say("%s", vmm->mode->name);
	bench_check(ret, what);
}

static void connect_control(struct vmm *vmm)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = VMM_CONTROL };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address)))
		vmm->control = fdopen(fd, "r");
	vmm_check(vmm, vmm->control ? 0 : -errno, VMM_CONTROL);
	if (vmm->mode->program->connect)
		vmm->mode->program->connect(vmm);
}

struct json_object *vmm_listen(struct vmm *vmm)
{
	struct json_object *object;
	char line[16384];

	if (!fgets(line, sizeof(line), vmm->control))
		vmm_check(vmm, -EPIPE, VMM_CONTROL);
	object = json_tokener_parse(line);
	if (object)
		return object;
	bench_say("%s", line);
	vmm_check(vmm, -EPROTO, "an answer");
	return NULL;
}

struct json_object *vmm_ask(struct vmm *vmm, const char *format, ...)
{
	va_list args;
	int ret;

	va_start(args, format);
	ret = vdprintf(fileno(vmm->control), format, args);
	va_end(args);
	vmm_check(vmm, ret < 0 ? -EPIPE : 0, VMM_CONTROL);
	return vmm_listen(vmm);
}

void vmm_boot(struct vmm *vmm, const struct vmm_mode *mode, const struct vmm_machine *machine)
{
	uint64_t start = bench_ns();

	vmm->mode = mode;
	vmm->machine = machine;
	/* What another has there, it has no more use for. */
	unlink(VMM_CONTROL);
	vmm_check(vmm, mode->program->start(vmm), mode->program->path);
	vmm_check(vmm, linux_wait_ready(&vmm->guest, 2 * LINUX_BOOT_TIME), "the guest's boot");
	connect_control(vmm);
	bench_say("%s: booted in %.1f s", mode->name, (bench_ns() - start) / 1e9);
}

void vmm_end(struct vmm *vmm)
{
	fclose(vmm->control);
	vmm_check(vmm, linux_end(&vmm->guest, SIGTERM, END_S), "the VMM's end");
	linux_stop(&vmm->guest);
}

void vmm_run(struct vmm *vmm, const char *command, int seconds)
{
	int status = linux_run(&vmm->guest, command, NULL, 0, seconds);

	vmm_check(vmm, status > 0 ? -EIO : status, command);
}

void vmm_append(const struct vmm *vmm, char append[VMM_APPEND_SIZE])
{
	snprintf(append, VMM_APPEND_SIZE, "%s%s", LINUX_APPEND, vmm->machine->append);
}

/*
 * Counts calls of KVM's function for memslots, whoever makes them: every VMM, and the
 * module. Only one VMM is resized at a time.
 */
static void count_kvm_calls(struct vmm *vmm)
{
	if (!access(TRACING "/events/kprobes/" PROBE "/enable", F_OK))
		return;
	vmm_check(vmm, write_file(TRACING "/kprobe_events", "p:" PROBE " __kvm_set_memory_region"),
		  "a probe");
	vmm_check(vmm, write_file(TRACING "/events/kprobes/" PROBE "/enable", "1"), "a probe");
}

static uint64_t nb_kvm_calls(struct vmm *vmm)
{
	unsigned long long hits = 0, value;
	char name[64];
	FILE *file = fopen(TRACING "/kprobe_profile", "re");

	vmm_check(vmm, file ? 0 : -errno, TRACING "/kprobe_profile");
	while (file && fscanf(file, "%63s %llu %*u", name, &value) == 2)
		if (!strcmp(name, PROBE))
			hits = value;
	if (file)
		fclose(file);
	return hits;
}

/* Page faults that KVM resolved for the guest. */
static uint64_t count_faults(struct vmm *vmm)
{
	char pattern[64], text[32];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "/sys/kernel/debug/kvm/%d-*/pf_fixed",
		 vmm->guest.pid);
	vmm_check(vmm, glob(pattern, 0, NULL, &found) ? -ENOENT : 0, pattern);
	vmm_check(vmm, read_file(found.gl_pathv[0], text, sizeof(text)), pattern);
	globfree(&found);
	return strtoull(text, NULL, 10);
}

static void await_size(struct vmm *vmm, uint64_t wanted, uint64_t start)
{
	uint64_t size, said = start, now;

	while ((size = vmm->mode->program->get_size(vmm)) != wanted) {
		now = bench_ns();
		if (now - start > RESIZE_S * 1000000000ULL)
			vmm_check(vmm, -ETIMEDOUT, "the guest's resize");
		if (now - said > SAY_S * 1000000000ULL) {
			said = now;
			bench_say("%s: %llu MiB after %.0f s", vmm->mode->name,
				  (unsigned long long)(size / MiB), (now - start) / 1e9);
		}
		usleep(POLL_US);
	}
}

static uint64_t settled_faults(struct vmm *vmm)
{
	uint64_t before, now;
	int i;

	sleep(SETTLE_S);
	now = count_faults(vmm);
	for (i = 0; i < END_S; i += QUIET_S) {
		before = now;
		sleep(QUIET_S);
		now = count_faults(vmm);
		if (now - before < QUIET_FAULTS)
			return now;
	}
	vmm_check(vmm, -ETIMEDOUT, "the guest's page faults");
	return now;
}

struct vmm_resized vmm_resize(struct vmm *vmm, uint64_t size)
{
	uint64_t faults = count_faults(vmm), calls, start;
	struct vmm_resized resized;

	count_kvm_calls(vmm);
	calls = nb_kvm_calls(vmm);
	start = bench_ns();
	vmm->mode->program->set_requested_size(vmm, size);
	await_size(vmm, size, start);
	resized.ms = bench_ms_since(start);
	resized.faults = settled_faults(vmm) - faults;
	resized.kvm_calls = nb_kvm_calls(vmm) - calls;
	bench_say("%s: %llu MiB: %.0f ms, %.0f faults, %.0f KVM calls", vmm->mode->name,
		  (unsigned long long)(size / MiB), resized.ms, resized.faults,
		  resized.kvm_calls);
	return resized;
}
