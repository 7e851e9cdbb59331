/* Encodings and the one-way map (RFC 9496, section 4.3) in lanes. */
#ifndef RISTRETTO_RISTRETTO_H
#define RISTRETTO_RISTRETTO_H

#include "points.h"

/* Points of at most SIDE groups of rows; `good` has masks of the lanes whose row is a canonical
 * encoding, and not the identity's. Lanes beyond `count` rows repeat the last one. z is 1. */
void decode(summand out[SIDE], vec good[SIDE], const uint8_t *rows, size_t count);
/* How many rows of a part of so many. */
INLINE size_t at_most(size_t rows, size_t most) { return rows < most ? rows : most; }
size_t count_bad(const vec *good, size_t count); /* of so many lanes */
void encode(uint8_t *rows, const summand p[SIDE], size_t count);
/* The sum of the map of both halves of rows of 64 bytes, from `first` on. */
summand mapped(const uint8_t *rows, size_t first, size_t count);

/* What encodes twice a point, for many groups of lanes with one inversion. */
typedef struct {
    fe e, f, g, h, eg, fh, before;
} encoding;
void encode_begin(encoding *one, const point *p);
void encode_all(uint8_t *rows, encoding *all, size_t count);

#endif
