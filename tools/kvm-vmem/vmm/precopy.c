// SPDX-License-Identifier: GPL-2.0
#include "clock.h"
#include "format.h"
#include "precopy.h"
#include "vmm.h"

static bool is_zero(const char *page)
{
	const uint64_t *words = (const uint64_t *)page;

	for (unsigned int i = 0; i < MEMORY_PAGE / sizeof(*words); i++)
		if (words[i])
			return false;
	return true;
}

/* In the first round the destination has nothing but zeros. */
static int send_zeros(struct precopy *precopy)
{
	const struct format_zeros zeros = {
		.gpa = precopy->zeros_gpa,
		.nb_pages = precopy->nb_zeros,
	};

	precopy->nb_zeros = 0;
	if (!zeros.nb_pages || precopy->progress.nb_rounds == 1)
		return 0;
	return stream_write(precopy->writer, STREAM_ZEROS, 0, &zeros, sizeof(zeros));
}

static int add_zero(struct precopy *precopy, uint64_t gpa)
{
	int ret = 0;

	precopy->progress.nb_zeros++;
	if (precopy->zeros_gpa + precopy->nb_zeros * MEMORY_PAGE != gpa)
		ret = send_zeros(precopy);
	if (!precopy->nb_zeros)
		precopy->zeros_gpa = gpa;
	precopy->nb_zeros++;
	return ret;
}

/*
 * What is sent is a copy, and the sum that of the copy: the guest goes on writing, of
 * which the next round knows.
 */
static int send_data(struct precopy *precopy, uint64_t gpa, const char *pages, uint64_t nb)
{
	const struct format_pages header = { .gpa = gpa };

	stream_begin(precopy->writer, STREAM_PAGES, 0);
	stream_add(precopy->writer, &header, sizeof(header));
	stream_add(precopy->writer, pages, nb * MEMORY_PAGE);
	precopy->progress.nb_pages += nb;
	return stream_end(precopy->writer);
}

/* Pages that follow each other, no more than go into a section. */
static int send_pages(struct precopy *precopy, uint64_t gpa, const char *pages, uint64_t nb)
{
	uint64_t done, nb_data;
	uint64_t left = precopy->progress.nb_left;
	int ret = 0;

	for (done = 0; done < nb && ret == 0; done += nb_data ? nb_data : 1) {
		nb_data = 0;
		while (done + nb_data < nb && !is_zero(pages + (done + nb_data) * MEMORY_PAGE))
			nb_data++;
		ret = nb_data ? send_data(precopy, gpa + done * MEMORY_PAGE,
					  pages + done * MEMORY_PAGE, nb_data) :
				add_zero(precopy, gpa + done * MEMORY_PAGE);
	}
	precopy->progress.nb_left = left > nb ? left - nb : 0;
	precopy->progress.wire_bytes = precopy->writer->nb_bytes;
	return ret;
}

/* Memory that is plugged, without a gap. */
static int send_memory(struct precopy *precopy, struct dirty_range *range, uint64_t start,
		       uint64_t end)
{
	uint64_t page = start / MEMORY_PAGE, nb;
	int ret = 0;

	for (; ret == 0; page += nb) {
		nb = dirty_take(range, &page, end / MEMORY_PAGE, STREAM_MOST_PAGES);
		if (!nb)
			break;
		ret = send_pages(precopy, range->range->gpa + page * MEMORY_PAGE,
				 range->range->hva + page * MEMORY_PAGE, nb);
	}
	return ret < 0 ? ret : send_zeros(precopy);
}

static int send_round(struct precopy *precopy)
{
	const struct format_round round = { .number = precopy->progress.nb_rounds++ };
	uint64_t offset, start, end;
	int ret;

	ret = stream_write(precopy->writer, STREAM_ROUND, 0, &round, sizeof(round));
	for (unsigned int i = 0; i < precopy->dirty.nb_ranges && ret >= 0; i++) {
		struct dirty_range *range = &precopy->dirty.ranges[i];

		for (offset = 0; ret >= 0; offset = end) {
			ret = dirty_next_memory(range, offset, &start, &end);
			if (ret <= 0)
				break;
			ret = send_memory(precopy, range, start, end);
		}
	}
	precopy->progress.nb_left = 0;
	return ret;
}

/* What was written to since. Return: how much there is to be sent, or -errno. */
static int64_t fetch(struct precopy *precopy, bool first)
{
	uint64_t before = precopy->progress.nb_left;
	int64_t nb;
	int ret = dirty_fetch(&precopy->dirty);

	nb = ret < 0 ? ret : dirty_count(&precopy->dirty);
	if (nb < 0)
		return nb;
	if (!first)
		precopy->progress.nb_dirtied += nb - before;
	precopy->progress.nb_left = nb;
	return nb;
}

/* Runs a round, and takes its time. */
static int timed_round(struct precopy *precopy)
{
	uint64_t bytes = precopy->writer->nb_bytes, start = now_ns(), ns;
	int ret = send_round(precopy);

	ns = now_ns() - start;
	bytes = precopy->writer->nb_bytes - bytes;
	/* One that had little to send says little. */
	if (bytes >= MIB || !precopy->progress.bytes_per_second)
		precopy->progress.bytes_per_second = bytes * 1000000000.0 / (ns ? ns : 1) + 1;
	return ret;
}

int precopy_run(struct precopy *precopy)
{
	struct precopy_progress *progress = &precopy->progress;
	int64_t nb;
	int ret;

	ret = dirty_add_all(&precopy->dirty);
	nb = ret < 0 ? ret : fetch(precopy, true);
	while (nb >= 0) {
		ret = timed_round(precopy);
		if (ret < 0)
			return ret;
		nb = fetch(precopy, false);
		if (nb < 0)
			break;
		progress->expected_downtime_ms =
			(uint64_t)nb * MEMORY_PAGE * 1000 / progress->bytes_per_second;
		if (progress->expected_downtime_ms <= precopy->limits.max_downtime_ms ||
		    progress->nb_rounds >= precopy->limits.max_rounds)
			return 0;
	}
	return nb;
}

int precopy_finish(struct precopy *precopy)
{
	int64_t nb = fetch(precopy, false);

	return nb < 0 ? nb : send_round(precopy);
}
