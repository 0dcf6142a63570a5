// SPDX-License-Identifier: GPL-2.0
/* Sets of features: what makes a program worth to be kept, and small enough. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>

#include "features.h"

#include <kselftest_harness.h>

#define PLACE(n)	(FEATURE_PLACE | (n))
#define STEP(n)		(FEATURE_STEP | (n))

/* Ended by 0. */
static struct features set_of(uint64_t feature, ...)
{
	struct features features = features_allocate(16);
	va_list args;

	va_start(args, feature);
	for (; feature; feature = va_arg(args, uint64_t))
		features_add(&features, feature);
	va_end(args);
	features_sort(&features);
	return features;
}

FIXTURE(features)
{
	struct features some;
	struct features others;
};

FIXTURE_SETUP(features)
{
	features_forget();
	self->some = set_of(STEP(7), PLACE(3), PLACE(1), PLACE(3), 0ULL);
	self->others = set_of(PLACE(3), PLACE(4), STEP(7), 0ULL);
}

FIXTURE_TEARDOWN(features)
{
	features_free(&self->some);
	features_free(&self->others);
}

TEST_F(features, each_is_in_a_set_once)
{
	ASSERT_EQ(3, self->some.nb);
	ASSERT_EQ(PLACE(1), self->some.features[0]);
	ASSERT_EQ(PLACE(3), self->some.features[1]);
	ASSERT_EQ(STEP(7), self->some.features[2]);
	ASSERT_EQ(2, features_places(&self->some));
}

TEST_F(features, what_is_seen_once_and_not_again_is_not_common)
{
	struct features common = features_common(&self->some, &self->others);

	ASSERT_EQ(2, common.nb);
	ASSERT_TRUE(features_include(&self->some, &common));
	ASSERT_TRUE(features_include(&self->others, &common));
	ASSERT_FALSE(features_include(&common, &self->some));
	features_free(&common);
}

TEST_F(features, what_was_learned_is_not_unknown)
{
	struct features unknown;

	features_learn(&self->some);
	ASSERT_EQ(2, features_nb_places());
	ASSERT_EQ(1, features_nb_steps());
	unknown = features_unknown(&self->others);
	ASSERT_EQ(1, unknown.nb);
	ASSERT_EQ(PLACE(4), unknown.features[0]);
	features_free(&unknown);

	features_learn(&self->others);
	features_learn(&self->others);
	ASSERT_EQ(3, features_nb_places());
	unknown = features_unknown(&self->others);
	ASSERT_EQ(0, unknown.nb);
	features_free(&unknown);
}

TEST_F(features, the_known_places_are_all_there)
{
	struct features places, wanted = set_of(PLACE(1), PLACE(3), PLACE(4), 0ULL);

	features_learn(&self->some);
	features_learn(&self->others);
	places = features_known_places();
	ASSERT_EQ(3, places.nb);
	ASSERT_TRUE(features_include(&places, &wanted));
	features_free(&places);
	features_free(&wanted);
}

TEST_HARNESS_MAIN
