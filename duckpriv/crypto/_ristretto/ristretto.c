/* Encodings and the one-way map (RFC 9496, section 4.3) in lanes. Variables are named as there. */
#include "ristretto.h"

static const uint64_t SQRT_AD_MINUS_ONE[LIMBS] = {
    0x7f6a0497b2e1b, 0x1836f0a97afd2, 0x7d747f6be7638, 0x456079e7e6498, 0x376931bf2b834};
static const uint64_t INVSQRT_A_MINUS_D[LIMBS] = {
    0xfdaa805d40ea, 0x2eb482e57d339, 0x7610274bc58, 0x6510b613dc8ff, 0x786c8905cfaff};
static const uint64_t ONE_MINUS_D_SQ[LIMBS] = {
    0x409c1945fc176, 0x719abc6a1fc4f, 0x1c37f90b20684, 0x6bccca55eedf, 0x29072a8b2b3e};
static const uint64_t D_MINUS_ONE_SQ[LIMBS] = {
    0x55aaa44ed4d20, 0x59603c3332635, 0x26d3baf4a7928, 0x120a66e6997a9, 0x5968b37af66c2};

void decode(summand out[SIDE], vec good[SIDE], const uint8_t *rows, size_t count) {
    const fe one = fe_small(1), d = fe_of_limbs(EDWARDS_D);
    fe s[SIDE], u1[SIDE], u2[SIDE], v[SIDE], ratio[SIDE], ones[SIDE], root[SIDE];
    vec was_square[SIDE];
    for (int i = 0; i < SIDE; i++) {
        vec top_bit;
        wide limbs = load_limbs(rows, ROW, (size_t)i * LANES, count, &top_bit);
        s[i] = carried(limbs); /* limbs do not change: they are below 2^51 */
        wide own = canonical(&s[i]);
        vec differ = top_bit;
        for (int j = 0; j < LIMBS; j++)
            differ |= own.v[j] ^ limbs.v[j];
        good[i] = vec_equal(differ, vec_zero()) & ~-(limbs.v[0] & 1) & ~fe_is_zero(&s[i]);
        fe ss = fe_square(&s[i]);
        u1[i] = fe_subtract(&one, &ss);
        u2[i] = fe_add(&one, &ss);
        fe u1_sqr = fe_square(&u1[i]), u2_sqr = fe_square(&u2[i]);
        v[i] = fe_product(&d, &u1_sqr);
        v[i] = fe_add(&v[i], &u2_sqr);
        v[i] = fe_negative(&v[i]);
        ratio[i] = fe_product(&v[i], &u2_sqr);
        ones[i] = one;
    }
    square_root_of_ratio(root, was_square, ones, ratio);
    for (int i = 0; i < SIDE; i++) {
        fe den_x = fe_product(&root[i], &u2[i]), den_y = fe_product(&root[i], &den_x);
        den_y = fe_product(&den_y, &v[i]);
        fe x = fe_product(&s[i], &den_x), y = fe_product(&u1[i], &den_y);
        x = fe_add(&x, &x);
        x = fe_absolute(&x);
        out[i].t = fe_product(&x, &y);
        out[i].z = one;
        out[i].minus = fe_subtract(&y, &x);
        out[i].plus = fe_add(&y, &x);
        good[i] &= was_square[i] & ~fe_is_negative(&out[i].t) & ~fe_is_zero(&y);
    }
}

size_t count_bad(const vec *good, size_t count) {
    size_t bad = 0;
    for (size_t lane = 0; lane < count; lane++)
        bad += good[lane / LANES][lane % LANES] == 0;
    return bad;
}

void encode(uint8_t *rows, const summand p[SIDE], size_t count) {
    const fe i_root = fe_of_limbs(SQRT_M1), magic = fe_of_limbs(INVSQRT_A_MINUS_D);
    const fe ones[SIDE] = {fe_small(1), fe_small(1)};
    fe x0[SIDE], y0[SIDE], z0[SIDE], u1[SIDE], u2[SIDE], ratio[SIDE], root[SIDE];
    vec was_square[SIDE];
    for (int i = 0; i < SIDE; i++) {
        x0[i] = fe_subtract(&p[i].plus, &p[i].minus);
        y0[i] = fe_add(&p[i].plus, &p[i].minus);
        z0[i] = fe_add(&p[i].z, &p[i].z);
        fe above = fe_add(&z0[i], &y0[i]), below = fe_subtract(&z0[i], &y0[i]);
        u1[i] = fe_product(&above, &below);
        u2[i] = fe_product(&x0[i], &y0[i]);
        fe u2_sqr = fe_square(&u2[i]);
        ratio[i] = fe_product(&u1[i], &u2_sqr);
    }
    square_root_of_ratio(root, was_square, ones, ratio);
    for (int i = 0; i < SIDE && count > (size_t)i * LANES; i++) {
        fe den1 = fe_product(&root[i], &u1[i]), den2 = fe_product(&root[i], &u2[i]);
        fe z_inv = fe_product(&den1, &den2), t0 = fe_add(&p[i].t, &p[i].t);
        z_inv = fe_product(&z_inv, &t0);
        fe ix0 = fe_product(&x0[i], &i_root), iy0 = fe_product(&y0[i], &i_root);
        fe enchanted = fe_product(&den1, &magic), tz = fe_product(&t0, &z_inv);
        vec rotate = fe_is_negative(&tz);
        fe x = fe_select(rotate, &iy0, &x0[i]), y = fe_select(rotate, &ix0, &y0[i]);
        fe den_inv = fe_select(rotate, &enchanted, &den2), xz = fe_product(&x, &z_inv);
        fe minus_y = fe_negative(&y);
        y = fe_select(fe_is_negative(&xz), &minus_y, &y);
        fe s = fe_subtract(&z0[i], &y);
        s = fe_product(&s, &den_inv);
        s = fe_absolute(&s);
        const size_t first = (size_t)i * LANES;
        store_field(rows + first * ROW, &s, at_most(count - first, LANES));
    }
}

/* MAP of SIDE groups of numbers. */
static void map(completed out[SIDE], const fe t[SIDE]) {
    const fe one = fe_small(1), d = fe_of_limbs(EDWARDS_D), i_root = fe_of_limbs(SQRT_M1);
    const fe one_minus_d_sq = fe_of_limbs(ONE_MINUS_D_SQ), d_minus_one_sq = fe_of_limbs(D_MINUS_ONE_SQ);
    const fe sqrt_ad_minus_one = fe_of_limbs(SQRT_AD_MINUS_ONE), minus_one = fe_negative(&one);
    fe r[SIDE], u[SIDE], v[SIDE], s[SIDE];
    vec was_square[SIDE];
    for (int i = 0; i < SIDE; i++) {
        fe t2 = fe_square(&t[i]), r_and_1, rd, r_and_d;
        r[i] = fe_product(&i_root, &t2);
        r_and_1 = fe_add(&r[i], &one);
        u[i] = fe_product(&r_and_1, &one_minus_d_sq);
        rd = fe_product(&r[i], &d);
        rd = fe_subtract(&minus_one, &rd);
        r_and_d = fe_add(&r[i], &d);
        v[i] = fe_product(&rd, &r_and_d);
    }
    square_root_of_ratio(s, was_square, u, v);
    for (int i = 0; i < SIDE; i++) {
        fe st = fe_product(&s[i], &t[i]);
        st = fe_absolute(&st);
        st = fe_negative(&st);
        fe root = fe_select(was_square[i], &s[i], &st), c = fe_select(was_square[i], &minus_one, &r[i]);
        fe n = fe_subtract(&r[i], &one);
        n = fe_product(&n, &c);
        n = fe_product(&n, &d_minus_one_sq);
        n = fe_subtract(&n, &v[i]);
        fe ss = fe_square(&root), w0 = fe_product(&root, &v[i]);
        out[i] = (completed){.e = fe_add(&w0, &w0),
                             .f = fe_add(&one, &ss),
                             .g = fe_product(&n, &sqrt_ad_minus_one),
                             .h = fe_subtract(&one, &ss)};
    }
}

summand mapped(const uint8_t *rows, size_t first, size_t count) {
    fe t[SIDE];
    completed both[SIDE];
    vec unused;
    for (int i = 0; i < SIDE; i++)
        t[i] = carried(load_limbs(rows + i * ROW, UNIFORM_ROW, first, count, &unused));
    map(both, t);
    summand a = summand_of(&both[0]), b = summand_of(&both[1]);
    addend added = addend_of(&b);
    completed sum = sum_of(&a, &added, vec_zero());
    return summand_of(&sum);
}

/* Twice a point has an encoding that takes an inversion and no square root, and inversions are
 * shared (Montgomery's trick; de Valence 2018, RistrettoPoint::double_and_compress_batch of curve25519-dalek). */
void encode_begin(encoding *one, const point *p) {
    completed twice = doubled(p);
    one->e = twice.e;
    one->f = twice.g;
    one->g = twice.h;
    one->h = twice.f;
    one->eg = fe_product(&one->e, &one->g);
    one->fh = fe_product(&one->f, &one->h);
}

/* What is to be inverted: 1 for the identity, of which it is 0. */
static fe divisor(const encoding *one) {
    fe product = fe_product(&one->eg, &one->fh), unit = fe_small(1);
    return fe_select(fe_is_zero(&product), &unit, &product);
}

void encode_all(uint8_t *rows, encoding *all, size_t count) {
    const fe i_root = fe_of_limbs(SQRT_M1), invsqrt_a_minus_d = fe_of_limbs(INVSQRT_A_MINUS_D);
    const size_t groups = (count + LANES - 1) / LANES;
    fe product = fe_small(1);
    for (size_t i = 0; i < groups; i++) {
        fe own = divisor(&all[i]);
        all[i].before = product;
        product = fe_product(&product, &own);
    }
    fe inverse = fe_inverse(&product);
    for (size_t i = groups; i-- > 0;) {
        const encoding *one = &all[i];
        fe own = divisor(one), inv = fe_product(&inverse, &one->before);
        inverse = fe_product(&inverse, &own);
        fe z_inv = fe_product(&one->eg, &inv), t_inv = fe_product(&one->fh, &inv);
        fe tz = fe_product(&one->eg, &z_inv);
        vec rotate = fe_is_negative(&tz);
        fe minus_e = fe_negative(&one->e), f_i = fe_product(&one->f, &i_root);
        fe e = fe_select(rotate, &one->g, &one->e), g = fe_select(rotate, &minus_e, &one->g);
        fe h = fe_select(rotate, &f_i, &one->h), magic = fe_select(rotate, &i_root, &invsqrt_a_minus_d);
        fe he = fe_product(&h, &e);
        he = fe_product(&he, &z_inv);
        fe minus_g = fe_negative(&g);
        g = fe_select(fe_is_negative(&he), &minus_g, &g);
        fe s = fe_subtract(&h, &g), scale = fe_product(&g, &t_inv);
        scale = fe_product(&scale, &magic);
        s = fe_product(&s, &scale);
        s = fe_absolute(&s);
        store_field(rows + i * LANES * ROW, &s, at_most(count - i * LANES, LANES));
    }
}

LANES_END
