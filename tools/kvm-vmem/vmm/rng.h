/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtio-rng (virtio 1.3, section 5.4): the smallest device there is, beside
 * virtio-mem to show that the transport is general.
 */
#ifndef RNG_H
#define RNG_H

#include "virtio.h"

/* Makes a device to be given to virtio_init(). */
struct virtio_device *rng_new(void);

#endif /* RNG_H */
