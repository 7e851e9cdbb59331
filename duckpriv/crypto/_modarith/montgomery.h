/* Numbers of eight lanes: `limbs` vecs each, below 4 N; results are below 2 N. */
#ifndef MODARITH_MONTGOMERY_H
#define MODARITH_MONTGOMERY_H

#include "kernel.h"
#include "lanes.h"

/* montgomery.c */
void mont_multiply(const modulus *m, vec *out, const vec *a, const vec *b);
void mont_square(const modulus *m, vec *out, const vec *a);
void mont_enter(const modulus *m, vec *out, const vec *a);  /* a * R */
void mont_leave(const modulus *m, vec *out, const vec *a);  /* a / R, below N */
void mont_one(const modulus *m, vec *out);
void reduce_once(const modulus *m, vec *a);                 /* below 2 N to below N */
void set_all(vec *out, const uint64_t *limbs, size_t count);
void plain_multiply_add(vec *out, const vec *a, const vec *b, const vec *c, size_t limbs);

/* rows.c */
void load_rows(vec *out, size_t limbs, const uint8_t *rows, size_t width, size_t count);
void store_rows(uint8_t *rows, size_t width, const vec *a, size_t limbs, size_t count);
/* Numbers in one piece, `stride` limbs each. */
void load_pieces(const modulus *m, vec *out, const uint64_t *const piece[LANES]);
void store_pieces(const modulus *m, uint64_t *const piece[LANES], const vec *a);

/* powers.c: x^e in Montgomery form, with each lane's own digits. */
size_t power_scratch(const modulus *m); /* in vecs */
void power_lanes(const modulus *m, vec *x, const uint8_t *const digits[LANES], size_t windows,
                 vec *scratch);
void *aligned_vecs(size_t count); /* free() frees it; NULL where there is no memory */

#endif
