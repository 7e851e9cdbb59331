/* Square roots, inverses and canonical forms modulo p; rows of bytes to lanes and back. */
#include "field.h"

const uint64_t SQRT_M1[LIMBS] = {0x61b274a0ea0b0, 0xd5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e,
                                 0x2b8324804fc1d};
const uint64_t EDWARDS_D[LIMBS] = {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029,
                                   0x739c663a03cbb, 0x52036cee2b6ff};
const uint64_t EDWARDS_2D[LIMBS] = {0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052,
                                    0x6738cc7407977, 0x2406d9dc56dff};

/* Columns of weights 2^(51 i), i = 0 to 9, to limbs: 2^255 is 19. */
INLINE wide folded(const vec *column) {
    wide out;
    EACH_LIMB(i)
        out.v[i] = column[i] + times_19(column[i + LIMBS]);
    return out;
}

#define COLUMNS (2 * LIMBS)

/* The high half of a product of 52-bit numbers counts twice in the next column. */
INLINE wide multiplied(const fe *a, const fe *b) {
    vec column[COLUMNS], twice = vec_zero();
    UNROLL for (int c = 0; c < COLUMNS; c++) {
        const uint64_t products = (uint64_t)(c < LIMBS ? c + 1 : COLUMNS - 1 - c);
        vec low = sum_start(products, 0), high = sum_start(0, products);
        EACH_LIMB(i)
            if (c >= i && c < i + LIMBS)
                multiply_add(&low, &high, a->v[i], b->v[c - i]);
        column[c] = low + twice;
        twice = high + high;
    }
    return folded(column);
}

/* Products of different limbs count twice, and high halves twice in the next column. */
INLINE wide squared(const fe *a) {
    vec column[COLUMNS], high_of_square = vec_zero(), high_of_pairs = vec_zero();
    UNROLL for (int c = 0; c < COLUMNS; c++) {
        const uint64_t pairs = (uint64_t)((c < LIMBS ? c + 1 : COLUMNS - 1 - c) / 2);
        vec once = vec_zero(), twice = high_of_square + sum_start(pairs, 0);
        const vec four_times = high_of_pairs;
        high_of_square = vec_zero();
        high_of_pairs = sum_start(0, pairs);
        EACH_LIMB(i)
            if (2 * i < c && c - i < LIMBS)
                multiply_add(&twice, &high_of_pairs, a->v[i], a->v[c - i]);
        if (c % 2 == 0) {
            once = sum_start(1, 0);
            high_of_square = sum_start(0, 1);
            multiply_add(&once, &high_of_square, a->v[c / 2], a->v[c / 2]);
        }
        twice += four_times + four_times;
        column[c] = once + twice + twice;
    }
    return folded(column);
}

wide product(const fe *a, const fe *b) { return multiplied(a, b); }
wide square(const fe *a) { return squared(a); }
fe fe_product(const fe *a, const fe *b) { return carried(multiplied(a, b)); }
fe fe_square(const fe *a) { return carried(squared(a)); }

#define EACH_SIDE(i) UNROLL for (int i = 0; i < SIDE; i++)

/* Squares SIDE numbers `times` times: side by side they fill the time that one takes from its
 * products to the next ones. */
static void square_all(fe a[SIDE], int times) {
    for (int t = 0; t < times; t++)
        EACH_SIDE(i)
            a[i] = fe_square(&a[i]);
}

/* out = (a^(2^times)) * b */
static void raise_all(fe out[SIDE], const fe a[SIDE], int times, const fe b[SIDE]) {
    fe power[SIDE];
    EACH_SIDE(i)
        power[i] = a[i];
    square_all(power, times);
    EACH_SIDE(i)
        out[i] = fe_product(&power[i], &b[i]);
}

/* x^((p - 5) / 8) = x^(2^252 - 3), by the chain of Bernstein's Curve25519 (2006): x5 is
 * x^(2^5 - 1), and so on. */
static void power_58(fe out[SIDE], const fe x[SIDE]) {
    fe x2[SIDE], x5[SIDE], x10[SIDE], x20[SIDE], x50[SIDE], x100[SIDE], power[SIDE];
    raise_all(x2, x, 1, x);       /* 2^2 - 1 */
    raise_all(power, x2, 1, x);   /* 2^3 - 1 */
    raise_all(x5, power, 2, x2);  /* 2^5 - 1 */
    raise_all(x10, x5, 5, x5);
    raise_all(x20, x10, 10, x10);
    raise_all(power, x20, 20, x20); /* 2^40 - 1 */
    raise_all(x50, power, 10, x10);
    raise_all(x100, x50, 50, x50);
    raise_all(power, x100, 100, x100); /* 2^200 - 1 */
    raise_all(power, power, 50, x50);  /* 2^250 - 1 */
    raise_all(out, power, 2, x);
}

fe fe_inverse(const fe *a) {
    const fe x[SIDE] = {*a, *a}, square = fe_square(a); /* one is for nothing */
    fe power[SIDE], cube = fe_product(&square, a);
    power_58(power, x);
    square_all(power, 3);
    return fe_product(&power[0], &cube); /* 8 (p - 5) / 8 + 3 = p - 2 */
}

wide canonical(const fe *a) {
    wide x = wide_of(a);
    vec carry = vec_zero();
    EACH_LIMB(i) {
        x.v[i] += carry;
        carry = x.v[i] >> FIELD_BITS;
        x.v[i] &= FIELD_MASK;
    }
    x.v[0] += times_19(carry);
    /* Now below 2^255 + 19: p fits once if x + 19 has a bit 255, and then x - p is x + 19 without
     * that bit. */
    carry = vec_all(19);
    EACH_LIMB(i)
        carry = (x.v[i] + carry) >> FIELD_BITS;
    carry = times_19(carry);
    EACH_LIMB(i) {
        x.v[i] += carry;
        carry = x.v[i] >> FIELD_BITS;
        x.v[i] &= FIELD_MASK;
    }
    return x;
}

vec fe_is_zero(const fe *a) {
    wide x = canonical(a);
    return vec_equal(x.v[0] | x.v[1] | x.v[2] | x.v[3] | x.v[4], vec_zero());
}

vec fe_is_negative(const fe *a) { return -(canonical(a).v[0] & 1); }

fe fe_absolute(const fe *a) {
    fe negative = fe_negative(a);
    return fe_select(fe_is_negative(a), &negative, a);
}

static vec fe_equal(const fe *a, const fe *b) {
    fe difference = fe_subtract(a, b);
    return fe_is_zero(&difference);
}

/* RFC 9496, section 4.2 */
void square_root_of_ratio(fe root[SIDE], vec was_square[SIDE], const fe u[SIDE], const fe v[SIDE]) {
    fe uv3[SIDE], uv7[SIDE], power[SIDE];
    EACH_SIDE(i) {
        fe v2 = fe_square(&v[i]), v3 = fe_product(&v2, &v[i]), v4 = fe_square(&v2);
        uv3[i] = fe_product(&v3, &u[i]);
        uv7[i] = fe_product(&uv3[i], &v4);
    }
    power_58(power, uv7);
    const fe i_root = fe_of_limbs(SQRT_M1);
    EACH_SIDE(i) {
        fe r = fe_product(&uv3[i], &power[i]), check = fe_square(&r), minus_u = fe_negative(&u[i]);
        check = fe_product(&check, &v[i]);
        fe minus_u_i = fe_product(&minus_u, &i_root), rotated = fe_product(&r, &i_root);
        vec right = fe_equal(&check, &u[i]), flipped = fe_equal(&check, &minus_u);
        vec flipped_i = fe_equal(&check, &minus_u_i);
        r = fe_select(flipped | flipped_i, &rotated, &r);
        root[i] = fe_absolute(&r);
        was_square[i] = right | flipped;
    }
}

wide load_limbs(const uint8_t *rows, size_t stride, size_t first, size_t count, vec *top_bit) {
    static const int byte[LIMBS] = {0, 6, 12, 19, 24}, bit[LIMBS] = {0, 3, 6, 1, 12};
    wide out;
    uint64_t lanes[LIMBS][LANES], top[LANES];
    for (size_t lane = 0; lane < LANES; lane++) {
        const uint8_t *row = rows + (first + lane < count ? first + lane : count - 1) * stride;
        EACH_LIMB(i) {
            uint64_t word;
            memcpy(&word, row + byte[i], sizeof word);
            lanes[i][lane] = word >> bit[i] & FIELD_MASK;
        }
        top[lane] = row[ROW - 1] >> 7;
    }
    EACH_LIMB(i)
        out.v[i] = vec_load(lanes[i]);
    *top_bit = -vec_load(top);
    return out;
}

void store_field(uint8_t *rows, const fe *a, size_t count) {
    wide x = canonical(a);
    uint64_t words[ROW / 8][LANES];
    for (int i = 0; i < ROW / 8; i++) /* word i begins 13 i bits within limb i */
        vec_store(words[i], x.v[i] >> 13 * i | x.v[i + 1] << (FIELD_BITS - 13 * i));
    for (size_t lane = 0; lane < count; lane++)
        for (int i = 0; i < ROW / 8; i++)
            memcpy(rows + lane * ROW + 8 * i, &words[i][lane], 8);
}

LANES_END
