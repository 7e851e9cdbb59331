/* Products of limbs of 52 bits, as each back end has them.
 *
 * What is multiplied is a `factor` in each lane, or one limb for all lanes. A sum starts from what
 * sum_start says, and is right once it has got as many products as that was told. */
#ifndef MODARITH_MULTIPLY_H
#define MODARITH_MULTIPLY_H

#include "lanes.h"

#ifdef PRODUCTS_OF_DOUBLES

/* Two fused multiply-adds on doubles, rounded to zero, give the halves of a product (Emmart, Zheng
 * and Weems 2018, "Faster modular exponentiation using double precision floating point arithmetic
 * on the GPU"): a * b + 2^104 has the high 52 bits as its mantissa, and a * b less these, + 2^52,
 * the low ones. The exponents are added with the mantissas; sum_start takes them off.
 *
 * Constant-time: a factor is 0 or an integer from 1 to 2^52 - 1, never a denormal, an infinity or
 * NaN, and neither are the other operands: integers below 2^105 in magnitude. These are the values for which
 * the time of multiplications and additions was found to depend on operands (Kohlbrenner and
 * Shacham 2017, "On the effectiveness of mitigations against floating-point timing channels"). */
#define EXPONENT(power) ((UINT64_C(1023) + (power)) << 52) /* the bits of 2^power */

#ifdef BACKEND_AVX512
typedef __m512d factor;
INLINE factor factor_all(const limb_factor *x) { return _mm512_set1_pd(*x); }
INLINE factor fused(factor a, factor b, factor c) {
    return _mm512_fmadd_round_pd(a, b, c, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
}
#else
/* There is no rounding by instruction: see kernel_begin. */
typedef __m256d factor;
INLINE factor factor_all(const limb_factor *x) { return _mm256_broadcast_sd(x); }
INLINE factor fused(factor a, factor b, factor c) { return _mm256_fmadd_pd(a, b, c); }
#endif

/* A limb below 2^52 is the mantissa of 2^52 + limb. */
INLINE factor factor_of(vec a) {
    return (factor)(a | EXPONENT(52)) - (factor)vec_all(EXPONENT(52));
}

INLINE vec integer_of(factor a) {
    return (vec)(a + (factor)vec_all(EXPONENT(52))) ^ vec_all(EXPONENT(52));
}

INLINE factor high_half(factor a, factor b) { return fused(a, b, (factor)vec_all(EXPONENT(104))); }
INLINE factor low_half(factor a, factor b, factor high) {
    return fused(a, b, (factor)vec_all(EXPONENT(104) + 1) - high); /* 2^104 + 2^52 */
}

/* Otherwise the compiler keeps all products of a tile at a time, to add them in another order. */
#define KEEP(x) __asm__("" : "+v"(x))

INLINE void multiply_add(vec *low, vec *high, factor a, factor b) {
    factor h = high_half(a, b);
    *low += (vec)low_half(a, b, h);
    *high += (vec)h;
    KEEP(*low);
    KEEP(*high);
}

/* The low half of the product of the low 52 bits of `a`, and b. */
INLINE factor low_product(vec a, factor b) {
    factor f = factor_of(a & LIMB_MASK);
    return low_half(f, b, high_half(f, b)) - (factor)vec_all(EXPONENT(52));
}

INLINE vec sum_start(uint64_t lows, uint64_t highs) {
    return vec_all(0 - lows * EXPONENT(52) - highs * EXPONENT(104));
}

/* The limbs of `a` as factors, made in `room` where a limb is none. */
INLINE const factor *factors_of(factor *room, const vec *a, size_t limbs) {
    for (size_t i = 0; i < limbs; i++)
        room[i] = factor_of(a[i]);
    return room;
}

#else

typedef vec factor;
INLINE factor factor_of(vec a) { return a; }
INLINE vec integer_of(factor a) { return a; }
INLINE factor factor_all(const limb_factor *x) { return vec_all(*x); }
INLINE vec sum_start(uint64_t lows, uint64_t highs) {
    (void)lows;
    (void)highs;
    return vec_zero();
}
INLINE const factor *factors_of(factor *room, const vec *a, size_t limbs) {
    (void)room;
    (void)limbs;
    return a;
}

#ifndef PLAIN_C
INLINE void multiply_add(vec *low, vec *high, factor a, factor b) {
    *low = (vec)_mm512_madd52lo_epu64((__m512i)*low, (__m512i)a, (__m512i)b);
    *high = (vec)_mm512_madd52hi_epu64((__m512i)*high, (__m512i)a, (__m512i)b);
}
INLINE factor low_product(vec a, factor b) {
    return (vec)_mm512_madd52lo_epu64(_mm512_setzero_si512(), (__m512i)a, (__m512i)b);
}
#else
INLINE void multiply_add(vec *low, vec *high, factor a, factor b) {
    UNROLL for (int i = 0; i < LANES; i++) {
        unsigned __int128 product = (unsigned __int128)(a[i] & LIMB_MASK) * (b[i] & LIMB_MASK);
        (*low)[i] += (uint64_t)product & LIMB_MASK;
        (*high)[i] += (uint64_t)(product >> LIMB_BITS);
    }
}
INLINE factor low_product(vec a, factor b) { return (a * b) & LIMB_MASK; }
#endif

#endif
#endif
