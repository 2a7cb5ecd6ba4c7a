/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

/** The number of elements of @array, which must be an array and not a pointer. */
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
