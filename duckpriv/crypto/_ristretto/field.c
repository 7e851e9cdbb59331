/* Square roots, inverses and canonical forms modulo p; rows of bytes to lanes and back. */
#include "field.h"

const uint64_t SQRT_M1[LIMBS] = {0x61b274a0ea0b0, 0xd5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e,
                                 0x2b8324804fc1d};
const uint64_t EDWARDS_D[LIMBS] = {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029,
                                   0x739c663a03cbb, 0x52036cee2b6ff};
const uint64_t EDWARDS_2D[LIMBS] = {0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052,
                                    0x6738cc7407977, 0x2406d9dc56dff};

fe fe_product(const fe *a, const fe *b) { return fe_multiply(a, b); }

/* Squares `count` numbers `times` times: several side by side fill the time that one takes from its
 * products to the next ones. */
static void square_all(fe *a, int times, int count) {
    for (int t = 0; t < times; t++)
        for (int i = 0; i < count; i++)
            a[i] = fe_square(&a[i]);
}

static void multiply_all(fe *a, const fe *b, int count) {
    for (int i = 0; i < count; i++)
        a[i] = fe_multiply(&a[i], &b[i]);
}

/* out = (a^(2^times)) * b */
static void raise_all(fe *out, const fe *a, int times, const fe *b, int count) {
    fe power[SIDE];
    for (int i = 0; i < count; i++)
        power[i] = a[i];
    square_all(power, times, count);
    for (int i = 0; i < count; i++)
        out[i] = fe_multiply(&power[i], &b[i]);
}

/* x^((p - 5) / 8) = x^(2^252 - 3), by the chain of Bernstein's Curve25519 (2006): x5 is
 * x^(2^5 - 1), and so on. */
static void power_58(fe *out, const fe *x, int count) {
    fe x2[SIDE], x5[SIDE], x10[SIDE], x20[SIDE], x50[SIDE], x100[SIDE], power[SIDE];
    raise_all(x2, x, 1, x, count);       /* 2^2 - 1 */
    raise_all(power, x2, 1, x, count);   /* 2^3 - 1 */
    raise_all(x5, power, 2, x2, count);  /* 2^5 - 1 */
    raise_all(x10, x5, 5, x5, count);
    raise_all(x20, x10, 10, x10, count);
    raise_all(power, x20, 20, x20, count); /* 2^40 - 1 */
    raise_all(x50, power, 10, x10, count);
    raise_all(x100, x50, 50, x50, count);
    raise_all(power, x100, 100, x100, count); /* 2^200 - 1 */
    raise_all(power, power, 50, x50, count);  /* 2^250 - 1 */
    raise_all(out, power, 2, x, count);
}

fe fe_inverse(const fe *a) {
    fe power, cube = fe_square(a);
    cube = fe_multiply(&cube, a);
    power_58(&power, a, 1);
    square_all(&power, 3, 1);
    return fe_multiply(&power, &cube); /* 8 (p - 5) / 8 + 3 = p - 2 */
}

wide canonical(const fe *a) {
    wide x = wide_of(a);
    vec carry = vec_zero();
    for (int i = 0; i < LIMBS; i++) {
        x.v[i] += carry;
        carry = x.v[i] >> FIELD_BITS;
        x.v[i] &= FIELD_MASK;
    }
    x.v[0] += times_19(carry);
    /* Now below 2^255 + 19: p fits once if x + 19 has a bit 255, and then x - p is x + 19 without
     * that bit. */
    carry = vec_all(19);
    for (int i = 0; i < LIMBS; i++)
        carry = (x.v[i] + carry) >> FIELD_BITS;
    carry = times_19(carry);
    for (int i = 0; i < LIMBS; i++) {
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
void square_root_of_ratio(fe *root, vec *was_square, const fe *u, const fe *v, int count) {
    fe v3[SIDE], x[SIDE], power[SIDE];
    for (int i = 0; i < count; i++) {
        fe v2 = fe_square(&v[i]), v6;
        v3[i] = fe_multiply(&v2, &v[i]);
        v6 = fe_square(&v3[i]);
        x[i] = fe_multiply(&v6, &v[i]);
        x[i] = fe_multiply(&x[i], &u[i]);
    }
    power_58(power, x, count);
    multiply_all(v3, u, count);
    multiply_all(power, v3, count);
    const fe i_root = fe_of_limbs(SQRT_M1);
    for (int i = 0; i < count; i++) {
        fe r = power[i], check = fe_square(&r), minus_u = fe_negative(&u[i]);
        check = fe_multiply(&check, &v[i]);
        fe minus_u_i = fe_multiply(&minus_u, &i_root), rotated = fe_multiply(&r, &i_root);
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
        for (int i = 0; i < LIMBS; i++) {
            uint64_t word;
            memcpy(&word, row + byte[i], sizeof word);
            lanes[i][lane] = word >> bit[i] & FIELD_MASK;
        }
        top[lane] = row[ROW - 1] >> 7;
    }
    for (int i = 0; i < LIMBS; i++)
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
