// SPDX-License-Identifier: GPL-2.0
/* vmemctl map: which blocks are plugged, as a picture. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "json.h"
#include "names.h"
#include "size.h"
#include "table.h"

#define MAX_ROWS 16
#define DEFAULT_WIDTH 80
/* "0x000100000000 " */
#define ADDRESS_WIDTH 15

/**
 * struct map - the picture
 * @device: Whose
 * @nb_blocks: How many blocks there are
 * @blocks_per_cell: How many are drawn together; a power of two
 * @cells_per_row: A power of two
 * @nb_cells: How many cells there are
 * @plugged: How many blocks of each are plugged
 * @runs: For JSON: the plugged blocks, instead
 * @nb_plugged: How many there are
 */
struct map {
	const struct device *device;
	uint64_t nb_blocks;
	uint64_t blocks_per_cell;
	uint64_t cells_per_row;
	uint64_t nb_cells;
	uint64_t *plugged;
	struct json_object *runs;
	uint64_t nb_plugged;
};

static void add_to_cells(struct map *map, uint64_t first, uint64_t nb)
{
	uint64_t room;

	while (nb) {
		room = map->blocks_per_cell - first % map->blocks_per_cell;
		if (room > nb)
			room = nb;
		map->plugged[first / map->blocks_per_cell] += room;
		first += room;
		nb -= room;
	}
}

static void add_to_json(struct map *map, uint64_t first, uint64_t nb)
{
	uint64_t block_size = map->device->facts[FACT_BLOCK_SIZE];
	struct json_object *run = must(json_object_new_object());

	json_add_number(run, "offset", first * block_size);
	json_add_number(run, "size", nb * block_size);
	if (json_object_array_add(map->runs, run))
		must(NULL);
}

static void add_run(struct map *map, uint64_t first, uint64_t nb)
{
	if (!nb)
		return;
	map->nb_plugged += nb;
	if (map->runs)
		add_to_json(map, first, nb);
	else
		add_to_cells(map, first, nb);
}

/* Reads the bitmap page by page. Returns -errno. */
static int read_blocks(struct map *map, int fd)
{
	uint64_t block = 0, run = 0;
	unsigned char bits[4096];
	ssize_t len, i;

	for (; block < map->nb_blocks; block += len * 8) {
		len = pread(fd, bits, sizeof(bits), block / 8);
		if (len < 0)
			return -errno;
		if (!len)
			return -EPROTO;
		for (i = 0; i < len * 8 && block + i < map->nb_blocks; i++) {
			if (bits[i / 8] >> i % 8 & 1) {
				run++;
			} else {
				add_run(map, block + i - run, run);
				run = 0;
			}
		}
	}
	add_run(map, map->nb_blocks - run, run);
	return 0;
}

static int fill(struct map *map, struct device *device)
{
	int fd, ret;

	device->failed = "plugged_blocks";
	fd = openat(device->dir, device->failed, O_RDONLY | O_CLOEXEC);
	ret = fd < 0 ? -errno : read_blocks(map, fd);
	if (fd >= 0)
		close(fd);
	if (ret == -EPROTO && !device_is_gone(device))
		return fail(STATUS_FAILED, "%s/%s/%s has less than a bit for each block",
			    device->class->path, device->name, device->failed);
	return ret ? device_failed(device, ret) : 0;
}

/* As many cells in a row as the terminal is wide, and as few blocks in each. */
static void scale(struct map *map, size_t width)
{
	size_t room = width >= 2 * ADDRESS_WIDTH ? width - ADDRESS_WIDTH : width;

	map->cells_per_row = 1;
	while (map->cells_per_row * 2 <= room)
		map->cells_per_row *= 2;
	map->blocks_per_cell = 1;
	while ((map->nb_blocks - 1) / map->blocks_per_cell >= map->cells_per_row * MAX_ROWS)
		map->blocks_per_cell *= 2;
	map->nb_cells = (map->nb_blocks - 1) / map->blocks_per_cell + 1;
	map->plugged = must(calloc(map->nb_cells, sizeof(*map->plugged)));
}

struct symbols {
	const char *plugged;
	const char *partly;
	const char *unplugged;
};

static const struct symbols *symbols(void)
{
	static const struct symbols unicode = { "\u2588", "\u2592", "\u00b7" };
	static const struct symbols ascii = { "#", "+", "." };

	return strcmp(nl_langinfo(CODESET), "UTF-8") ? &ascii : &unicode;
}

static const char *symbol(const struct map *map, uint64_t cell)
{
	uint64_t left = map->nb_blocks - cell * map->blocks_per_cell;

	if (!map->plugged[cell])
		return symbols()->unplugged;
	if (map->plugged[cell] == map->blocks_per_cell || map->plugged[cell] == left)
		return symbols()->plugged;
	return symbols()->partly;
}

static void draw(const struct map *map, size_t width)
{
	uint64_t cell_size = map->blocks_per_cell * map->device->facts[FACT_BLOCK_SIZE];
	uint64_t cell;

	for (cell = 0; cell < map->nb_cells; cell++) {
		if (cell % map->cells_per_row == 0 && width >= 2 * ADDRESS_WIDTH)
			printf("0x%012" PRIx64 " ",
			       map->device->facts[FACT_ADDR] + cell * cell_size);
		fputs(symbol(map, cell), stdout);
		if ((cell + 1) % map->cells_per_row == 0 || cell + 1 == map->nb_cells)
			putchar('\n');
	}
	printf("%s plugged  %s partly  %s unplugged\n", symbols()->plugged, symbols()->partly,
	       symbols()->unplugged);
}

static int print_map(struct map *map, struct device *device)
{
	size_t width = terminal_width() ?: DEFAULT_WIDTH;
	uint64_t block_size = device->facts[FACT_BLOCK_SIZE];
	char *title;
	int ret;

	scale(map, width);
	ret = fill(map, device);
	if (!ret) {
		title = device_title(device);
		printf("%s: %s of %s plugged, in blocks of %s; each sign is %s\n", title,
		       format_size(map->nb_plugged * block_size).text,
		       format_size(device->facts[FACT_REGION_SIZE]).text,
		       format_size(block_size).text,
		       format_size(map->blocks_per_cell * block_size).text);
		free(title);
		draw(map, width);
		ret = flush();
	}
	free(map->plugged);
	return ret;
}

static int print_json(struct map *map, struct device *device)
{
	static const enum fact facts[] = { FACT_ADDR, FACT_REGION_SIZE, FACT_BLOCK_SIZE };
	struct json_object *object;
	unsigned int i;
	int ret;

	map->runs = must(json_object_new_array());
	ret = fill(map, device);
	if (ret) {
		json_object_put(map->runs);
		return ret;
	}
	object = json_device_names(device);
	for (i = 0; i < sizeof(facts) / sizeof(*facts); i++)
		json_add_number(object, fact_files[facts[i]], device->facts[facts[i]]);
	json_add_number(object, "size", map->nb_plugged * device->facts[FACT_BLOCK_SIZE]);
	json_add(object, "plugged", map->runs);
	return json_print(object, false);
}

static int map_device(struct device *device, const struct options *options)
{
	uint64_t region_size, block_size;
	struct map map = { .device = device };

	region_size = device->facts[FACT_REGION_SIZE];
	block_size = device->facts[FACT_BLOCK_SIZE];
	if (!block_size || region_size < block_size)
		return fail(STATUS_FAILED, "%s makes no sense: %s in blocks of %s", device->name,
			    format_exact(region_size).text, format_exact(block_size).text);
	map.nb_blocks = region_size / block_size;
	return options->json ? print_json(&map, device) : print_map(&map, device);
}

int cmd_map(const struct options *options)
{
	return with_device(options, map_device);
}
