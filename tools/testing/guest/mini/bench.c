// SPDX-License-Identifier: GPL-2.0
/*
 * How long a request takes, from the notification until the used index moves:
 * state_us is what the way to the VMM and back costs, plug_us and unplug_us what
 * consecutive blocks cost one by one, replug_us and reunplug_us the same block
 * again and again, with no other plugged.
 */
#include "devices.h"

#define MOST	1024
#define ROUNDS	256

static uint64_t samples[MOST];
static unsigned int nr_samples;

static void sift_down(unsigned int at, unsigned int nr)
{
	unsigned int child;
	uint64_t moved = samples[at];

	for (; (child = 2 * at + 1) < nr; at = child) {
		if (child + 1 < nr && samples[child + 1] > samples[child])
			child++;
		if (samples[child] <= moved)
			break;
		samples[at] = samples[child];
	}
	samples[at] = moved;
}

static void sort(void)
{
	unsigned int i;
	uint64_t greatest;

	for (i = nr_samples / 2; i; i--)
		sift_down(i - 1, nr_samples);
	for (i = nr_samples; i > 1; i--) {
		greatest = samples[0];
		samples[0] = samples[i - 1];
		samples[i - 1] = greatest;
		sift_down(0, i - 1);
	}
}

static void report(const char *what)
{
	uint64_t values[3];
	unsigned int i;
	char text[3][32];

	sort();
	values[0] = samples[nr_samples / 2];
	values[1] = samples[0];
	values[2] = samples[nr_samples - 1];
	for (i = 0; i < 3; i++) {
		uint64_t ns = ticks_to_ns(values[i]);

		if (clock_is_known())
			format_into(text[i], sizeof(text[i]), "%llu.%03llu",
				    (unsigned long long)ns / 1000,
				    (unsigned long long)ns % 1000);
		else
			format_into(text[i], sizeof(text[i]), "%llu",
				    (unsigned long long)values[i]);
	}
	print("mini: bench %s_%s median=%s min=%s max=%s n=%u\n", what,
	      clock_is_known() ? "us" : "ticks", text[0], text[1], text[2], nr_samples);
	nr_samples = 0;
}

static void measure(uint16_t type, uint64_t n)
{
	uint64_t start;

	vmem_prepare(type, block(n), 1);
	virtio_offer(&vmem, 0);
	start = ticks();
	virtio_notify(&vmem);
	if (!virtio_await(&vmem, vmem.avail->idx) || response.type != VIRTIO_MEM_RESP_ACK) {
		print("mini: bench: FAILED request %u of block %llu: response %d\n", type,
		      (unsigned long long)n, response.type);
		power_off();
	}
	samples[nr_samples++] = ticks() - start;
}

void run_benchmark(void)
{
	uint64_t i, nr = boot_number("n", ROUNDS), fit = config.requested_size / config.block_size;

	if (nr > MOST)
		nr = MOST;
	if (nr > fit)
		nr = fit;
	if (!nr) {
		print("mini: bench: FAILED no block may be plugged\n");
		return;
	}
	for (i = 0; i < nr; i++)
		measure(VIRTIO_MEM_REQ_STATE, 0);
	report("state");
	for (i = 0; i < nr; i++)
		measure(VIRTIO_MEM_REQ_PLUG, i);
	report("plug");
	for (i = 0; i < nr; i++)
		measure(VIRTIO_MEM_REQ_UNPLUG, nr - 1 - i);
	report("unplug");
	/* They are written where the others are read from: one after the other. */
	for (i = 0; i < nr; i++) {
		measure(VIRTIO_MEM_REQ_PLUG, 0);
		vmem_unplug(0, 1);
	}
	report("replug");
	for (i = 0; i < nr; i++) {
		vmem_plug(0, 1);
		measure(VIRTIO_MEM_REQ_UNPLUG, 0);
	}
	report("reunplug");
}
