// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "features.h"

uint64_t features_mix(uint64_t a, uint64_t b)
{
	a = (a ^ (b << 1) ^ (b >> 63)) * 0x9e3779b97f4a7c15ULL;
	return a ^ a >> 29;
}

static int compare(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

	return first < second ? -1 : first > second;
}

struct features features_allocate(size_t most)
{
	struct features features = { calloc(most + 1, sizeof(uint64_t)), 0 };

	if (!features.features)
		abort();
	return features;
}

void features_add(struct features *features, uint64_t feature)
{
	features->features[features->nb++] = feature;
}

void features_sort(struct features *features)
{
	size_t nb = 0;

	qsort(features->features, features->nb, sizeof(uint64_t), compare);
	for (size_t i = 0; i < features->nb; i++)
		if (!i || features->features[i] != features->features[i - 1])
			features->features[nb++] = features->features[i];
	features->nb = nb;
}

void features_free(struct features *features)
{
	free(features->features);
	*features = (struct features){ 0 };
}

bool features_include(const struct features *a, const struct features *b)
{
	size_t i = 0;

	for (size_t j = 0; j < b->nb; j++) {
		while (i < a->nb && a->features[i] < b->features[j])
			i++;
		if (i == a->nb || a->features[i] != b->features[j])
			return false;
	}
	return true;
}

struct features features_common(const struct features *a, const struct features *b)
{
	struct features common = features_allocate(a->nb);
	size_t i = 0;

	for (size_t j = 0; j < b->nb; j++) {
		while (i < a->nb && a->features[i] < b->features[j])
			i++;
		if (i < a->nb && a->features[i] == b->features[j])
			features_add(&common, b->features[j]);
	}
	return common;
}

size_t features_places(const struct features *features)
{
	size_t nb = 0;

	for (size_t i = 0; i < features->nb; i++)
		nb += (features->features[i] & FEATURE_MASK) == FEATURE_PLACE;
	return nb;
}

/* A hash table with room for far more than the module can have. */
#define KNOWN_SIZE (1U << 18)

static uint64_t known[KNOWN_SIZE];
static size_t nb_known, nb_places, nb_steps;

/* Where it is, or would be. */
static uint64_t *find(uint64_t feature)
{
	size_t i = features_mix(feature, 0) % KNOWN_SIZE;

	while (known[i] && known[i] != feature)
		i = (i + 1) % KNOWN_SIZE;
	return &known[i];
}

struct features features_unknown(const struct features *features)
{
	struct features unknown = features_allocate(features->nb);

	for (size_t i = 0; i < features->nb; i++)
		if (!*find(features->features[i]))
			features_add(&unknown, features->features[i]);
	return unknown;
}

void features_learn(const struct features *features)
{
	for (size_t i = 0; i < features->nb; i++) {
		uint64_t feature = features->features[i];

		if (*find(feature) || nb_known == KNOWN_SIZE / 2)
			continue;
		*find(feature) = feature;
		nb_known++;
		nb_places += (feature & FEATURE_MASK) == FEATURE_PLACE;
		nb_steps += (feature & FEATURE_MASK) == FEATURE_STEP;
	}
}

void features_forget(void)
{
	memset(known, 0, sizeof(known));
	nb_known = 0;
	nb_places = 0;
	nb_steps = 0;
}

size_t features_nb_places(void)
{
	return nb_places;
}

size_t features_nb_steps(void)
{
	return nb_steps;
}

struct features features_known_places(void)
{
	struct features places = features_allocate(nb_places);

	for (size_t i = 0; i < KNOWN_SIZE; i++)
		if ((known[i] & FEATURE_MASK) == FEATURE_PLACE && places.nb < nb_places)
			features_add(&places, known[i]);
	features_sort(&places);
	return places;
}
