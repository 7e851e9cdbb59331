/* Almost Montgomery multiplication of eight lanes in radix 2^52.
 *
 * Gueron and Krasnov 2012 ("Software implementation of modular exponentiation, using advanced
 * vector instructions architectures") and Gueron 2002 for leaving out the last subtraction: with
 * R > 16 N and factors below 4 N, the result a * b / R is below 2 N. The sums of
 * products are kept in 64 bits without carries, and made to 52-bit limbs once at the end.
 *
 * The work goes in tiles of 5 x 5 limbs: five limbs of one factor stay in registers while the other
 * one's pass by, with ten running sums. A pass over the number adds one tile row of a * b
 * and of q * N, where q (five limbs) makes the five lowest limbs of the sum 0.
 */
#include "montgomery.h"

#include <string.h>

#define UNROLL _Pragma("GCC unroll 10")

/* sum[0..9] += a[0..4] * b[0..4] */
INLINE void tile(vec sum[2 * TILE], const vec a[TILE], const vec b[TILE]) {
    UNROLL for (int i = 0; i < TILE; i++) {
        UNROLL for (int j = 0; j < TILE; j++) {
            sum[i + j] = vec_mul_low(sum[i + j], a[i], b[j]);
            sum[i + j + 1] = vec_mul_high(sum[i + j + 1], a[i], b[j]);
        }
    }
}

/* sum[0..9] += n[0..4] * q[0..4]; N is the same in all lanes. */
INLINE void tile_n(vec sum[2 * TILE], const uint64_t n[TILE], const vec q[TILE]) {
    UNROLL for (int i = 0; i < TILE; i++) {
        vec limb = vec_all(n[i]);
        UNROLL for (int j = 0; j < TILE; j++) {
            sum[i + j] = vec_mul_low(sum[i + j], limb, q[j]);
            sum[i + j + 1] = vec_mul_high(sum[i + j + 1], limb, q[j]);
        }
    }
}

/* Find q such that sum + q * N is 0 in its five lowest limbs; add q * n[0..4], and carry. */
INLINE void find_q(const modulus *m, vec sum[2 * TILE], vec q[TILE]) {
    const vec inverse = vec_all(m->n_inverse);
    UNROLL for (int j = 0; j < TILE; j++) {
        q[j] = vec_mul_low(vec_zero(), sum[j], inverse);
        UNROLL for (int i = 0; i < TILE; i++) {
            vec limb = vec_all(m->n[i]);
            sum[i + j] = vec_mul_low(sum[i + j], limb, q[j]);
            sum[i + j + 1] = vec_mul_high(sum[i + j + 1], limb, q[j]);
        }
        sum[j + 1] = vec_add(sum[j + 1], vec_shift_right(sum[j], LIMB_BITS));
    }
}

/* The upper five sums go on as the lower ones, and `next` come in (or 0). */
INLINE void slide(vec sum[2 * TILE], const vec *next) {
    UNROLL for (int j = 0; j < TILE; j++) {
        sum[j] = sum[TILE + j];
        sum[TILE + j] = next ? next[j] : vec_zero();
    }
}

INLINE void load_tile(vec to[TILE], const vec *from) {
    UNROLL for (int j = 0; j < TILE; j++)
        to[j] = from[j];
}

/* Carry sums below 2^63 into limbs of 52 bits. What passes the last limb is 0. */
static void carry(vec *out, const vec *sums, size_t limbs) {
    const vec mask = vec_all(LIMB_MASK);
    vec over = vec_zero();
    for (size_t i = 0; i < limbs; i++) {
        vec sum = vec_add(sums[i], over);
        out[i] = vec_and(sum, mask);
        over = vec_shift_right(sum, LIMB_BITS);
    }
}

void mont_multiply(const modulus *m, vec *out, const vec *a, const vec *b) {
    const size_t limbs = m->limbs;
    vec acc[m->stride];
    for (size_t i = 0; i < limbs; i++)
        acc[i] = vec_zero();
    for (size_t row = 0; row < limbs; row += TILE) {
        vec sum[2 * TILE], factor[TILE], passing[TILE], q[TILE];
        load_tile(factor, b + row);
        load_tile(sum, acc);
        load_tile(sum + TILE, acc + TILE);
        load_tile(passing, a);
        tile(sum, passing, factor);
        find_q(m, sum, q);
        size_t at = TILE;
        for (; at < limbs - TILE; at += TILE) {
            slide(sum, acc + at + TILE);
            load_tile(passing, a + at);
            tile(sum, passing, factor);
            tile_n(sum, m->n + at, q);
            load_tile(acc + at - TILE, sum);
        }
        slide(sum, NULL);
        load_tile(passing, a + at);
        tile(sum, passing, factor);
        tile_n(sum, m->n + at, q);
        load_tile(acc + at - TILE, sum);
        load_tile(acc + at, sum + TILE);
    }
    carry(out, acc, limbs);
}

/* acc[0..2 limbs) = a * a: the products of two different limbs once, doubled, then the squares. */
static void square_sums(vec *acc, const vec *a, size_t limbs) {
    for (size_t i = 0; i < 2 * limbs; i++)
        acc[i] = vec_zero();
    for (size_t row = 0; row + TILE < limbs; row += TILE) {
        vec sum[2 * TILE], factor[TILE], passing[TILE];
        load_tile(factor, a + row);
        load_tile(sum + TILE, acc + 2 * row + TILE);
        for (size_t at = row + TILE; at < limbs; at += TILE) {
            slide(sum, acc + row + at + TILE);
            load_tile(passing, a + at);
            tile(sum, passing, factor);
            load_tile(acc + row + at, sum);
        }
        load_tile(acc + row + limbs, sum + TILE);
    }
    for (size_t row = 0; row < limbs; row += TILE) {
        vec sum[2 * TILE], factor[TILE];
        load_tile(factor, a + row);
        UNROLL for (int j = 0; j < 2 * TILE; j++)
            sum[j] = vec_add(acc[2 * row + j], acc[2 * row + j]);
        tile(sum, factor, factor);
        load_tile(acc + 2 * row, sum);
        load_tile(acc + 2 * row + TILE, sum + TILE);
    }
}

void mont_square(const modulus *m, vec *out, const vec *a) {
    const size_t limbs = m->limbs;
    vec acc[2 * m->stride];
    square_sums(acc, a, limbs);
    for (size_t row = 0; row < limbs; row += TILE) {
        vec sum[2 * TILE], q[TILE];
        vec *base = acc + row;
        load_tile(sum, base);
        load_tile(sum + TILE, base + TILE);
        find_q(m, sum, q);
        for (size_t at = TILE; at < limbs; at += TILE) {
            slide(sum, base + at + TILE);
            tile_n(sum, m->n + at, q);
            load_tile(base + at, sum);
        }
        load_tile(base + limbs, sum + TILE);
    }
    carry(out, acc + limbs, limbs);
}

void set_all(vec *out, const uint64_t *limbs, size_t count) {
    for (size_t i = 0; i < count; i++)
        out[i] = vec_all(limbs[i]);
}

void mont_one(const modulus *m, vec *out) { set_all(out, m->r, m->limbs); }

void mont_enter(const modulus *m, vec *out, const vec *a) {
    vec r2[m->stride];
    set_all(r2, m->r2, m->limbs);
    mont_multiply(m, out, a, r2);
}

void mont_leave(const modulus *m, vec *out, const vec *a) {
    vec one[m->stride];
    for (size_t i = 0; i < m->limbs; i++)
        one[i] = vec_zero();
    one[0] = vec_all(1);
    mont_multiply(m, out, a, one);
    reduce_once(m, out);
}

void reduce_once(const modulus *m, vec *a) {
    const vec mask = vec_all(LIMB_MASK);
    vec difference[m->stride], borrow = vec_zero();
    for (size_t i = 0; i < m->limbs; i++) {
        vec d = vec_add(vec_sub(a[i], vec_all(m->n[i])), borrow);
        difference[i] = vec_and(d, mask);
        borrow = vec_shift_right_signed(d, LIMB_BITS); /* 0 or -1 */
    }
    for (size_t i = 0; i < m->limbs; i++) /* a where it was smaller, else the difference */
        a[i] = vec_add(difference[i], vec_and(borrow, vec_sub(a[i], difference[i])));
}

/* out[0..2 limbs) = a * b + c, c of `limbs` limbs, without a modulus. */
void plain_multiply_add(vec *out, const vec *a, const vec *b, const vec *c, size_t limbs) {
    for (size_t i = 0; i < limbs; i++) {
        out[i] = c[i];
        out[limbs + i] = vec_zero();
    }
    for (size_t i = 0; i < limbs; i++)
        for (size_t j = 0; j < limbs; j++) {
            out[i + j] = vec_mul_low(out[i + j], a[i], b[j]);
            out[i + j + 1] = vec_mul_high(out[i + j + 1], a[i], b[j]);
        }
    carry(out, out, 2 * limbs);
}

int modulus_set(modulus *m, const uint8_t *n, const uint8_t *r, const uint8_t *r2, size_t width,
                size_t limbs) {
    size_t bits = 8 * width;
    while (bits && !(n[width - (bits + 7) / 8] >> (bits - 1) % 8 & 1))
        bits--;
    if (limbs < SMALLEST_LIMBS || limbs > LARGEST_LIMBS || limbs % TILE || bits < 2 ||
        8 * width > LIMB_BITS * limbs || bits + 4 > LIMB_BITS * limbs || !(n[width - 1] & 1) ||
        !rows_are_below(n, width, r, 1) || !rows_are_below(n, width, r2, 1))
        return -1;
    memset(m, 0, sizeof *m);
    m->limbs = limbs;
    m->stride = (limbs + LANES - 1) / LANES * LANES;
    m->width = width;
    m->bits = bits;
    memcpy(m->n_bytes, n, width);
    limbs_of_bytes(m->n, 1, limbs, n, width);
    limbs_of_bytes(m->r, 1, limbs, r, width);
    limbs_of_bytes(m->r2, 1, limbs, r2, width);
    uint64_t inverse = 1; /* Newton: each step doubles the number of right bits */
    for (int i = 0; i < 6; i++)
        inverse *= 2 - m->n[0] * inverse;
    m->n_inverse = (0 - inverse) & LIMB_MASK;
    return 0;
}

LANES_END
