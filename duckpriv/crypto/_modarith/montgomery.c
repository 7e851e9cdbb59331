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
#include "multiply.h"

#include <string.h>

#define UNROLL _Pragma("GCC unroll 10")

/* sum[0..9] += a[0..4] * b[0..4] */
INLINE void tile(vec sum[2 * TILE], const factor a[TILE], const factor b[TILE]) {
    UNROLL for (int i = 0; i < TILE; i++) {
        UNROLL for (int j = 0; j < TILE; j++)
            multiply_add(&sum[i + j], &sum[i + j + 1], a[i], b[j]);
    }
}

/* sum[0..9] += n[0..4] * q[0..4]; N is the same in all lanes. */
INLINE void tile_n(vec sum[2 * TILE], const limb_factor n[TILE], const factor q[TILE]) {
    UNROLL for (int i = 0; i < TILE; i++) {
        factor limb = factor_all(n + i);
        UNROLL for (int j = 0; j < TILE; j++)
            multiply_add(&sum[i + j], &sum[i + j + 1], limb, q[j]);
    }
}

/* Find q such that sum + q * N is 0 in its five lowest limbs; add q * n[0..4], and carry. */
INLINE void find_q(const modulus *m, vec sum[2 * TILE], factor q[TILE]) {
    const factor inverse = factor_all(&m->n_inverse);
    UNROLL for (int j = 0; j < TILE; j++) {
        q[j] = low_product(sum[j], inverse);
        UNROLL for (int i = 0; i < TILE; i++)
            multiply_add(&sum[i + j], &sum[i + j + 1], factor_all(m->n_factors + i), q[j]);
        sum[j + 1] += sum[j] >> LIMB_BITS;
    }
}

/* The upper five sums go on as the lower ones. */
INLINE void slide(vec sum[2 * TILE]) {
    UNROLL for (int j = 0; j < TILE; j++)
        sum[j] = sum[TILE + j];
}

INLINE void load_tile(vec to[TILE], const vec *from) {
    UNROLL for (int j = 0; j < TILE; j++)
        to[j] = from[j];
}

INLINE void load_factors(factor to[TILE], const factor *from) {
    UNROLL for (int j = 0; j < TILE; j++)
        to[j] = from[j];
}

/* What the sum of column `column` starts from where a * b and q * N, of `limbs` limbs, are added. */
INLINE vec column_start(size_t limbs, size_t column) {
    return column < limbs ? sum_start(2 * (column + 1), 2 * column)
                          : sum_start(2 * (2 * limbs - 1 - column), 2 * (2 * limbs - column));
}

/* Carry sums below 2^63 into limbs of 52 bits. What passes the last limb is 0. */
static void carry(vec *out, const vec *sums, size_t limbs) {
    vec over = vec_zero();
    for (size_t i = 0; i < limbs; i++) {
        vec sum = sums[i] + over;
        out[i] = sum & LIMB_MASK;
        over = sum >> LIMB_BITS;
    }
}

void mont_multiply(const modulus *m, vec *out, const vec *a, const vec *b) {
    const size_t limbs = m->limbs;
    vec acc[m->stride];
    factor room[2][m->stride];
    const factor *fa = factors_of(room[0], a, limbs), *fb = factors_of(room[1], b, limbs);
    for (size_t i = 0; i < limbs; i++)
        acc[i] = column_start(limbs, i);
    for (size_t row = 0; row < limbs; row += TILE) {
        vec sum[2 * TILE];
        factor fixed[TILE], passing[TILE], q[TILE];
        load_factors(fixed, fb + row);
        load_tile(sum, acc);
        load_tile(sum + TILE, acc + TILE);
        load_factors(passing, fa);
        tile(sum, passing, fixed);
        find_q(m, sum, q);
        for (size_t at = TILE; at < limbs; at += TILE) {
            slide(sum);
            if (at + TILE < limbs)
                load_tile(sum + TILE, acc + at + TILE);
            else
                UNROLL for (int j = 0; j < TILE; j++)
                    sum[TILE + j] = column_start(limbs, limbs + row + (size_t)j);
            load_factors(passing, fa + at);
            tile(sum, passing, fixed);
            tile_n(sum, m->n_factors + at, q);
            load_tile(acc + at - TILE, sum);
        }
        load_tile(acc + limbs - TILE, sum + TILE);
    }
    carry(out, acc, limbs);
}

/* acc[0..2 limbs) = a * a: the products of two different limbs once, doubled, then the squares. */
static void square_sums(vec *acc, const factor *a, size_t limbs) {
    for (size_t i = 0; i < 2 * limbs; i++)
        acc[i] = vec_zero();
    for (size_t row = 0; row + TILE < limbs; row += TILE) {
        vec sum[2 * TILE];
        factor fixed[TILE], passing[TILE];
        load_factors(fixed, a + row);
        load_tile(sum + TILE, acc + 2 * row + TILE);
        for (size_t at = row + TILE; at < limbs; at += TILE) {
            slide(sum);
            load_tile(sum + TILE, acc + row + at + TILE);
            load_factors(passing, a + at);
            tile(sum, passing, fixed);
            load_tile(acc + row + at, sum);
        }
        load_tile(acc + row + limbs, sum + TILE);
    }
    for (size_t row = 0; row < limbs; row += TILE) {
        vec sum[2 * TILE];
        factor fixed[TILE];
        load_factors(fixed, a + row);
        UNROLL for (int j = 0; j < 2 * TILE; j++)
            sum[j] = 2 * acc[2 * row + j] + column_start(limbs, 2 * row + (size_t)j);
        tile(sum, fixed, fixed);
        load_tile(acc + 2 * row, sum);
        load_tile(acc + 2 * row + TILE, sum + TILE);
    }
}

void mont_square(const modulus *m, vec *out, const vec *a) {
    const size_t limbs = m->limbs;
    vec acc[2 * m->stride];
    factor room[m->stride];
    square_sums(acc, factors_of(room, a, limbs), limbs);
    for (size_t row = 0; row < limbs; row += TILE) {
        vec sum[2 * TILE];
        factor q[TILE];
        vec *base = acc + row;
        load_tile(sum, base);
        load_tile(sum + TILE, base + TILE);
        find_q(m, sum, q);
        for (size_t at = TILE; at < limbs; at += TILE) {
            slide(sum);
            load_tile(sum + TILE, base + at + TILE);
            tile_n(sum, m->n_factors + at, q);
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
    vec difference[m->stride], borrow = vec_zero();
    for (size_t i = 0; i < m->limbs; i++) {
        vec d = a[i] - m->n[i] + borrow;
        difference[i] = d & LIMB_MASK;
        borrow = vec_carry(d); /* 0 or -1 */
    }
    for (size_t i = 0; i < m->limbs; i++) /* a where it was smaller, else the difference */
        a[i] = difference[i] + (borrow & (a[i] - difference[i]));
}

/* out[0..2 limbs) = a * b + c, c of `limbs` limbs, without a modulus. */
void plain_multiply_add(vec *out, const vec *a, const vec *b, const vec *c, size_t limbs) {
    factor room[2][limbs];
    const factor *fa = factors_of(room[0], a, limbs), *fb = factors_of(room[1], b, limbs);
    for (size_t i = 0; i < limbs; i++) {
        out[i] = c[i] + sum_start(i + 1, i);
        out[limbs + i] = sum_start(limbs - 1 - i, limbs - i);
    }
    for (size_t i = 0; i < limbs; i++)
        for (size_t j = 0; j < limbs; j++)
            multiply_add(&out[i + j], &out[i + j + 1], fa[i], fb[j]);
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
    m->n_inverse = (limb_factor)((0 - inverse) & LIMB_MASK);
    for (size_t i = 0; i < limbs; i++)
        m->n_factors[i] = (limb_factor)m->n[i];
    return 0;
}

LANES_END
