/* Rows of points, maps and scalars. */
#include "ristretto.h"

#include <string.h>

/* A scalar is 64 digits of 4 bits, each from -8 to 7. */
enum { DIGITS = 64, DIGIT_BITS = 4, ENTRIES = 8, BLOCK = 32 };

/* entries[|digit| - 1], with the sign in `minus`, or the identity; all entries are read. `digit` is 8 too
 * large. */
static addend chosen(const addend *entries, vec digit, vec *minus) {
    vec value = digit - 8, below = -(value >> 63), size = (value ^ below) - below;
    const fe zero = fe_small(0), one = fe_small(1), two = fe_small(2);
    addend found = {one, one, two, zero};
    factor *limbs = (factor *)&found;
    UNROLL for (int e = 0; e < ENTRIES; e++) {
        const vec wanted = vec_equal(size, vec_all((uint64_t)e + 1));
        UNROLL for (int i = 0; i < 4 * LIMBS; i++)
            limbs[i] = (factor)vec_select(wanted, (vec)((const factor *)&entries[e])[i], (vec)limbs[i]);
    }
    *minus = below;
    return found;
}

/* scalar * p by fixed windows. `scalar` is a number and 0x88…8, so that its digits of 4 bits are
 * each 8 too large: no carry is needed to make them signed. */
static void scalar_multiply(point *product, const summand *p, const vec scalar[4]) {
    addend entries[ENTRIES];
    completed next;
    summand sum = *p;
    entries[0] = addend_of(p);
    for (int e = 1; e < ENTRIES; e++) {
        next = sum_of(&sum, &entries[0], vec_zero());
        sum = summand_of(&next);
        entries[e] = addend_of(&sum);
    }
    sum = no_point();
    for (int d = DIGITS - 1;; d--) {
        vec minus, digit = scalar[d / 16] >> d % 16 * DIGIT_BITS & 15;
        addend entry = chosen(entries, digit, &minus);
        next = sum_of(&sum, &entry, minus);
        *product = point_of(&next);
        if (d == 0)
            return;
        /* Each formula stands here once, so that the loop fits where instructions are cached. */
        for (int i = 0;; i++) {
            next = doubled(product);
            if (i == DIGIT_BITS - 1)
                break;
            *product = point_of(&next);
        }
        sum = summand_of(&next);
    }
}

static void load_scalars(vec scalar[4], scalar_rows scalars, size_t first, size_t count) {
    uint64_t lanes[4][LANES];
    for (size_t lane = 0; lane < LANES; lane++) {
        uint64_t words[4];
        size_t row = first + (lane < count ? lane : count - 1);
        scalar_halved(words, scalars.rows + row * scalars.step);
        for (int i = 0; i < 4; i++)
            lanes[i][lane] = words[i];
    }
    for (int i = 0; i < 4; i++)
        scalar[i] = vec_load(lanes[i]);
}

/* out = scalar * p: half the scalar, and then twice the point. */
static int multiply_rows(uint8_t *out, const uint8_t *points, const uint8_t *uniform,
                         scalar_rows scalars, size_t count, size_t *bad) {
    encoding *products = (encoding *)aligned_vecs(BLOCK * sizeof(encoding) / sizeof(vec));
    if (!products)
        return NO_MEMORY;
    *bad = 0;
    for (size_t at = 0; at < count; at += BLOCK * LANES) {
        const size_t end = at + at_most(count - at, BLOCK * LANES);
        encoding *next = products;
        for (size_t i = at; i < end; i += COMPUTED_ROWS) {
            const size_t part = at_most(end - i, COMPUTED_ROWS);
            summand p[SIDE];
            vec good[SIDE], scalar[4];
            if (points) {
                decode(p, good, points + i * ROW, part);
                *bad += count_bad(good, part);
            }
            for (size_t done = 0; done < part; done += LANES) {
                const size_t lanes = at_most(part - done, LANES);
                if (uniform)
                    p[done / LANES] = mapped(uniform + i * UNIFORM_ROW, done, part);
                load_scalars(scalar, scalars, i + done, lanes);
                point product;
                scalar_multiply(&product, &p[done / LANES], scalar);
                encode_begin(next++, &product);
            }
        }
        encode_all(out + at * ROW, products, end - at);
    }
    wipe(products, BLOCK * sizeof(encoding));
    free_vecs((vec *)products);
    return 0;
}

int rows_multiply_points(uint8_t *out, const uint8_t *points, scalar_rows scalars, size_t count,
                         size_t *bad) {
    return multiply_rows(out, points, NULL, scalars, count, bad);
}

int rows_map_multiply(uint8_t *out, const uint8_t *uniform, scalar_rows scalars, size_t count) {
    size_t none;
    return multiply_rows(out, NULL, uniform, scalars, count, &none);
}

void rows_map(uint8_t *out, const uint8_t *uniform, size_t count) {
    for (size_t i = 0; i < count; i += COMPUTED_ROWS) {
        const size_t part = at_most(count - i, COMPUTED_ROWS);
        summand p[SIDE];
        for (size_t side = 0; side < SIDE; side++)
            p[side] = mapped(uniform + i * UNIFORM_ROW, side * LANES, part);
        encode(out + i * ROW, p, part);
    }
}

size_t rows_bad(const uint8_t *points, size_t count) {
    size_t bad = 0;
    for (size_t i = 0; i < count; i += COMPUTED_ROWS) {
        const size_t part = at_most(count - i, COMPUTED_ROWS);
        summand unused[SIDE];
        vec good[SIDE];
        decode(unused, good, points + i * ROW, part);
        bad += count_bad(good, part);
    }
    return bad;
}

void rows_field(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t count) {
    for (size_t i = 0; i < count; i++) {
        fe x = fe_of_limbs(a + i * LIMBS), y = fe_of_limbs(b + i * LIMBS);
        const fe results[3] = {fe_product(&x, &y), fe_square(&x), fe_subtract(&x, &y)};
        uint64_t *row = out + i * (FIELD_RESULTS / sizeof *out);
        for (int j = 0; j < 3 * LIMBS; j++)
            row[j] = integer_of(results[j / LIMBS].v[j % LIMBS])[LANES - 1];
        store_field((uint8_t *)(row + 3 * LIMBS), &results[0], 1);
    }
}

int curve_wiped(int result) {
    uint8_t below[128 * LIMBS * sizeof(vec)];
    wipe(below, sizeof below);
    return result;
}

LANES_END
