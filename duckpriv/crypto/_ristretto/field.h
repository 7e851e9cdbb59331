/* Numbers modulo p = 2^255 - 19, LANES side by side, in five limbs of 51 bits.
 *
 * An `fe` is what can be multiplied: limbs below 2^51 + 2^16. A `wide` is what comes out of a
 * product, before carries: limbs below 2^59. A few of these may be added and subtracted first, so
 * that a formula carries once for each factor of its next products (as the IFMA back end of
 * curve25519-dalek does). */
#ifndef RISTRETTO_FIELD_H
#define RISTRETTO_FIELD_H

#include "../_modarith/multiply.h"
#include "curve.h"

#define LIMBS 5
#define FIELD_BITS 51
#define FIELD_MASK ((UINT64_C(1) << FIELD_BITS) - 1)

#define EACH_LIMB(i) UNROLL for (int i = 0; i < LIMBS; i++)

typedef struct {
    factor v[LIMBS];
} fe;

typedef struct {
    vec v[LIMBS];
} wide;

/* Limb i of p. */
INLINE uint64_t prime_limb(int i) { return FIELD_MASK - (i ? 0 : 18); }

INLINE vec times_19(vec a) { return a + (a << 1) + (a << 4); }

/* Of any limbs below 2^64: each gives what is above 51 bits to the next one. */
INLINE fe carried(wide a) {
    fe out;
    EACH_LIMB(i) {
        vec carry = a.v[i ? i - 1 : LIMBS - 1] >> FIELD_BITS;
        out.v[i] = factor_of((a.v[i] & FIELD_MASK) + (i ? carry : times_19(carry)));
    }
    return out;
}

/* The limbs of a number as integers. */
INLINE wide wide_of(const fe *a) {
    wide out;
    EACH_LIMB(i)
        out.v[i] = integer_of(a->v[i]);
    return out;
}

INLINE wide wide_add(wide a, wide b) {
    EACH_LIMB(i)
        a.v[i] += b.v[i];
    return a;
}

/* a - b + 2^9 p, for b with limbs below 2^59 or sums of two such less 2^14. */
INLINE wide wide_subtract(wide a, wide b) {
    EACH_LIMB(i)
        a.v[i] += (prime_limb(i) << 9) - b.v[i];
    return a;
}

INLINE fe fe_of_limbs(const uint64_t *limbs) {
    fe out;
    EACH_LIMB(i)
        out.v[i] = factor_of(vec_all(limbs[i]));
    return out;
}

INLINE fe fe_small(uint64_t x) { return fe_of_limbs((const uint64_t[LIMBS]){x}); }

INLINE fe fe_add(const fe *a, const fe *b) { return carried(wide_add(wide_of(a), wide_of(b))); }
INLINE fe fe_subtract(const fe *a, const fe *b) {
    return carried(wide_subtract(wide_of(a), wide_of(b)));
}
INLINE fe fe_negative(const fe *a) {
    fe zero = fe_small(0);
    return fe_subtract(&zero, a);
}

/* a where `mask` is all ones, b where it is 0. */
INLINE vec vec_select(vec mask, vec a, vec b) { return (mask & a) | (~mask & b); }
INLINE fe fe_select(vec mask, const fe *a, const fe *b) {
    fe out;
    EACH_LIMB(i)
        out.v[i] = (factor)vec_select(mask, (vec)a->v[i], (vec)b->v[i]);
    return out;
}

/* field.c. Products are calls: formulas with all of them inline do not fit where the processor keeps
 * instructions, and take up to a third longer. */
wide product(const fe *a, const fe *b);
wide square(const fe *a);
fe fe_product(const fe *a, const fe *b);
fe fe_square(const fe *a);
/* The one form below p, as integers. */
wide canonical(const fe *a);
vec fe_is_zero(const fe *a);     /* masks */
vec fe_is_negative(const fe *a); /* odd in canonical form (RFC 9496, section 2.1) */
fe fe_absolute(const fe *a);
fe fe_inverse(const fe *a); /* 0 of 0 */
/* SQRT_RATIO_M1 of RFC 9496, 4.2: the non-negative root of u/v, and where that is a square; of
 * sqrt(-1) u/v elsewhere. */
void square_root_of_ratio(fe root[SIDE], vec was_square[SIDE], const fe u[SIDE], const fe v[SIDE]);

/* Between rows of 32 bytes, little-endian, and lanes: from row `first` on, and the last of `count` rows in
 * lanes beyond. */
wide load_limbs(const uint8_t *rows, size_t stride, size_t first, size_t count, vec *top_bit);
void store_field(uint8_t *rows, const fe *a, size_t count);

/* RFC 9496, section 4.1 */
extern const uint64_t SQRT_M1[LIMBS], EDWARDS_D[LIMBS], EDWARDS_2D[LIMBS];

#endif
