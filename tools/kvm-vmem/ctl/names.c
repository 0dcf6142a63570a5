// SPDX-License-Identifier: GPL-2.0
#include "names.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A few names tell an operator what was mistyped; hundreds do not. */
#define MAX_NAMED 8
/* Devices do not come and go that often. */
#define MAX_READINGS 16

static bool is_device_name(const char *name)
{
	if (strncmp(name, "vmem", 4) || !name[4])
		return false;
	for (name += 4; isdigit((unsigned char)*name); name++)
		;
	return !*name;
}

static int is_device(const struct dirent *entry)
{
	return is_device_name(entry->d_name);
}

/* Returns -errno if the device is there and cannot be opened. */
static int add_device(struct devices *devices, const struct class *class, const char *name)
{
	struct device device;
	int ret = device_open(&device, class, name);

	if (ret == -ENOENT || ret == -ENODEV)
		return 0;
	if (ret)
		return ret;
	devices->list = must(realloc(devices->list, (devices->nb + 1) * sizeof(device)));
	devices->list[devices->nb++] = device;
	return 0;
}

static void free_names(struct dirent **names, int nb)
{
	while (nb > 0)
		free(names[--nb]);
	free(names);
}

static bool are_same(struct dirent **names, int nb, struct dirent **others, int nb_others)
{
	int i;

	for (i = 0; i < nb && nb == nb_others; i++)
		if (strcmp(names[i]->d_name, others[i]->d_name))
			return false;
	return nb == nb_others;
}

/*
 * While devices go, the kernel may leave out others: it goes on from the one after the next
 * if the one where it was is gone (kernfs_dir_pos()). What it says twice is so. Returns how
 * many there are, or -1.
 */
static int read_names(const struct class *class, struct dirent ***names)
{
	struct dirent **before = NULL;
	int nb_before = -1, tries, nb = 0;
	bool same = false;

	for (tries = 0; tries < MAX_READINGS && !same; tries++) {
		*names = NULL;
		nb = scandirat(class->fd, ".", names, is_device, versionsort);
		same = nb < 0 || are_same(*names, nb, before, nb_before);
		free_names(before, nb_before);
		before = *names;
		nb_before = nb;
	}
	return nb;
}

int devices_open(struct devices *devices, const struct class *class)
{
	struct dirent **names = NULL;
	int i, ret, nb = read_names(class, &names);

	*devices = (struct devices){};
	ret = nb < 0 ? -errno : 0;
	for (i = 0; i < nb && !ret; i++)
		ret = add_device(devices, class, names[i]->d_name);
	free_names(names, nb);
	if (!ret)
		return 0;
	devices_close(devices);
	if (ret == -ENOENT)
		return fail(STATUS_NO_MODULE, "the module was unloaded");
	return fail(ret == -EACCES ? STATUS_PERMISSION : STATUS_FAILED, "%s: %s", class->path,
		    strerror(-ret));
}

int devices_read(struct devices *devices, const struct class *class)
{
	size_t i, nb = 0;
	int ret = devices_open(devices, class), error;

	for (i = 0; i < devices->nb && !ret; i++) {
		struct device *device = &devices->list[i];

		error = device_read(device);
		if (!error) {
			devices->list[nb++] = *device;
		} else if (device_went(device, error)) {
			device_close(device);
		} else {
			ret = device_failed(device, error);
			break;
		}
	}
	/* Those that were not looked at are closed with the rest. */
	while (ret && i < devices->nb)
		devices->list[nb++] = devices->list[i++];
	devices->nb = nb;
	if (ret)
		devices_close(devices);
	return ret;
}

void devices_close(struct devices *devices)
{
	while (devices->nb)
		device_close(&devices->list[--devices->nb]);
	free(devices->list);
	devices->list = NULL;
}

/* "vmem0 (web), vmem3", of the devices with a label, or of all if it is NULL. */
static char *name_some(const struct devices *devices, const char *label)
{
	char *names = text("%s", ""), *title, *longer;
	unsigned int nb = 0;
	size_t i;

	for (i = 0; i < devices->nb; i++) {
		const struct device *device = &devices->list[i];

		if (label && strcmp(device->label, label))
			continue;
		if (nb++ == MAX_NAMED) {
			longer = text("%s, ...", names);
			free(names);
			return longer;
		}
		title = label ? text("%s", device->name) : device_title(device);
		longer = text("%s%s%s", names, *names ? ", " : "", title);
		free(title);
		free(names);
		names = longer;
	}
	return names;
}

static int none_of_that_name(const struct devices *devices, const char *name)
{
	char *shown = printable(name), *names;
	int status;

	if (!devices->nb) {
		status = fail(STATUS_NO_DEVICE,
			      "there is no device '%s', nor any other: no VM has one", shown);
	} else {
		names = name_some(devices, NULL);
		status = fail(STATUS_NO_DEVICE, "there is no device '%s'; there are %s", shown,
			      names);
		free(names);
	}
	free(shown);
	return status;
}

static int several_of_that_label(const struct devices *devices, const char *label)
{
	char *shown = printable(label), *names = name_some(devices, label);
	int status;

	status = fail(STATUS_NO_DEVICE, "the label '%s' is that of %s: say which", shown, names);
	free(names);
	free(shown);
	return status;
}

/* Labels that cannot be read are those of devices that went, and of none. */
static struct device *find_label(struct devices *devices, const char *label, unsigned int *nb)
{
	struct device *found = NULL;
	size_t i;

	*nb = 0;
	for (i = 0; i < devices->nb; i++) {
		struct device *device = &devices->list[i];

		if (!device_read_label(device) && *label && !strcmp(device->label, label)) {
			found = device;
			++*nb;
		}
	}
	return found;
}

int device_find(struct device *device, const struct class *class, const char *name)
{
	struct devices devices;
	struct device *found;
	unsigned int nb;
	int ret;

	if (is_device_name(name)) {
		ret = device_open(device, class, name);
		if (!ret)
			ret = device_read_label(device);
		if (!ret)
			return 0;
		if (device->dir >= 0)
			ret = device_failed(device, ret);
		device_close(device);
		if (ret > 0)
			return ret;
	}
	ret = devices_open(&devices, class);
	if (ret)
		return ret;
	found = find_label(&devices, name, &nb);
	if (nb == 1) {
		*device = *found;
		/* Now it is the caller's. */
		found->dir = -1;
	} else if (nb) {
		ret = several_of_that_label(&devices, name);
	} else {
		ret = none_of_that_name(&devices, name);
	}
	devices_close(&devices);
	return ret;
}

int with_device(const struct options *options,
		int (*fn)(struct device *device, const struct options *options))
{
	struct device device;
	struct class class;
	int ret;

	ret = class_open(&class, options->sysfs);
	if (!ret)
		ret = device_find(&device, &class, options->words[0]);
	if (ret)
		return ret;
	ret = device_read(&device);
	ret = ret ? device_failed(&device, ret) : fn(&device, options);
	device_close(&device);
	return ret;
}
