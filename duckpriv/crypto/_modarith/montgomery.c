/* Almost Montgomery multiplication of all lanes in radix 2^52.
 *
 * Gueron and Krasnov 2012 ("Software implementation of modular exponentiation, using advanced
 * vector instructions architectures") and Gueron 2002 for leaving out the last subtraction: with
 * R > 16 N and factors below 4 N, the result a * b / R is below 2 N. The sums of
 * products are kept in 64 bits without carries, and made to 52-bit limbs once at the end.
 *
 * The work goes in tiles of TILE x TILE limbs: TILE limbs of one factor stay in registers while the
 * other one's pass by, with 2 TILE running sums. A pass over the number adds one tile row of a * b
 * and of q * N, where q (TILE limbs) makes the TILE lowest limbs of the sum 0.
 */
#include "montgomery.h"
#include "multiply.h"

#include <string.h>

#define UNROLL _Pragma("GCC unroll 10")

#ifdef PRODUCTS_OF_DOUBLES
#define FIND_ONE_BY_ONE 1 /* a q takes a chain of some 28 cycles, half of what a tile takes */
#else
#define FIND_ONE_BY_ONE 0 /* some ten cycles */
#endif

/* sum += a * b, of TILE limbs each */
INLINE void tile(vec sum[2 * TILE], const factor a[TILE], const factor b[TILE]) {
    UNROLL for (int i = 0; i < TILE; i++) {
        UNROLL for (int j = 0; j < TILE; j++)
            multiply_add(&sum[i + j], &sum[i + j + 1], a[i], b[j]);
    }
}

/* sum += n * q, of TILE limbs each; N is the same in all lanes. */
INLINE void tile_n(vec sum[2 * TILE], const limb_factor n[TILE], const factor q[TILE]) {
    UNROLL for (int i = 0; i < TILE; i++) {
        factor limb = factor_all(n + i);
        UNROLL for (int j = 0; j < TILE; j++)
            multiply_add(&sum[i + j], &sum[i + j + 1], limb, q[j]);
    }
}

/* The upper sums go on as the lower ones. */
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

/* sums[0..2 limbs): what the columns of `products` products of `limbs` by `limbs` limbs start from. */
INLINE void start_columns(vec *sums, size_t limbs, uint64_t products) {
    const vec step = sum_start(products, products);
    vec rising = sum_start(products, 0);
    vec falling = sum_start(products * (limbs - 1), products * limbs);
    for (size_t i = 0; i < limbs; i++) {
        sums[i] = rising;
        sums[limbs + i] = falling;
        rising += step;
        falling -= step;
    }
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

/* The lowest sums of a row, and its q: such that sum + q * N is 0 in the TILE lowest limbs. */
typedef struct {
    vec sum[2 * TILE];
    factor q[TILE];
} head;

/* Find q[j], add its products with the TILE lowest limbs of N, and carry. */
INLINE void find_q(const modulus *m, head *h, size_t j) {
    vec sum[TILE + 1];
    UNROLL for (int i = 0; i <= TILE; i++)
        sum[i] = h->sum[j + (size_t)i];
    factor q = low_product(sum[0], factor_all(&m->n_inverse));
    UNROLL for (int i = 0; i < TILE; i++)
        multiply_add(&sum[i], &sum[i + 1], factor_all(m->n_factors + i), q);
    sum[1] += sum[0] >> LIMB_BITS;
    UNROLL for (int i = 1; i <= TILE; i++)
        h->sum[j + (size_t)i] = sum[i];
    h->q[j] = q;
}

/* acc[limbs..2 limbs) = (acc + a * b + q * N) / R, a row of TILE limbs of q and b at a time; without
 * a * b where a is NULL. A q follows from the one before through a chain of instructions, so those
 * of a row are found while the row before it goes on. */
INLINE void add_rows(const modulus *m, vec *acc, const factor *a, const factor *b) {
    const size_t limbs = m->limbs;
    head next;
    factor fixed[TILE], passing[TILE];
    load_tile(next.sum, acc);
    load_tile(next.sum + TILE, acc + TILE);
    if (a) {
        load_factors(fixed, b);
        load_factors(passing, a);
        tile(next.sum, passing, fixed);
    }
    UNROLL for (size_t j = 0; j < TILE; j++)
        find_q(m, &next, j);
    for (size_t row = 0; row < limbs; row += TILE) {
        vec sum[2 * TILE], *base = acc + row;
        factor q[TILE];
        const int last = row + TILE == limbs;
        size_t found = last ? TILE : 0;
        load_factors(q, next.q);
        if (a)
            load_factors(fixed, b + row);
        load_tile(sum + TILE, next.sum + TILE);
        for (size_t at = TILE; at < limbs; at += TILE) {
            slide(sum);
            load_tile(sum + TILE, base + at + TILE);
            if (a) {
                load_factors(passing, a + at);
                tile(sum, passing, fixed);
            }
            tile_n(sum, m->n_factors + at, q);
            if (at > TILE || last) {
                load_tile(base + at, sum);
            } else { /* these are the lowest sums of the next row */
                head ahead;
                load_tile(ahead.sum, sum);
                UNROLL for (int j = 0; j < TILE; j++)
                    ahead.sum[TILE + j] = vec_zero();
                if (a) {
                    factor fixed_next[TILE];
                    load_factors(fixed_next, b + row + TILE);
                    load_factors(passing, a);
                    tile(ahead.sum, passing, fixed_next);
                }
                if (!FIND_ONE_BY_ONE)
                    UNROLL for (size_t j = 0; j < TILE; j++)
                        find_q(m, &ahead, j);
                next = ahead;
            }
            if (FIND_ONE_BY_ONE && found < TILE)
                find_q(m, &next, found++);
        }
        load_tile(base + limbs, sum + TILE);
        for (; FIND_ONE_BY_ONE && found < TILE; found++)
            find_q(m, &next, found);
        if (!last)
            UNROLL for (int j = 0; j < TILE; j++)
                next.sum[TILE + j] += base[2 * TILE + j];
    }
}

void mont_multiply(const modulus *m, vec *out, const vec *a, const vec *b) {
    const size_t limbs = m->limbs;
    vec acc[2 * m->stride];
    factor room[2][m->stride];
    start_columns(acc, limbs, 2);
    add_rows(m, acc, factors_of(room[0], a, limbs), factors_of(room[1], b, limbs));
    carry(out, acc + limbs, limbs);
}

/* acc[0..2 limbs) = a * a: the products of two different limbs once, doubled, then the squares. */
static void square_sums(vec *acc, const factor *a, size_t limbs) {
    start_columns(acc, limbs, 1); /* doubled below: q * N is to come, too */
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
            sum[j] = 2 * acc[2 * row + j];
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
    add_rows(m, acc, NULL, NULL);
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
    start_columns(out, limbs, 1);
    for (size_t i = 0; i < limbs; i++)
        out[i] += c[i];
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
