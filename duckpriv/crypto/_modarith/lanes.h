/* Eight numbers side by side: a vec holds one 52-bit limb of each of eight lanes.
 *
 * With AVX-512 IFMA a vec is a register. With MODARITH_PORTABLE (or another processor) it is an
 * array and the same source compiles to plain C: for tests, sanitizers and valgrind. */
#ifndef MODARITH_LANES_H
#define MODARITH_LANES_H

#include "kernel.h"

#define INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__) && !defined(MODARITH_PORTABLE)

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512ifma"))), apply_to = function)
#define LANES_END _Pragma("clang attribute pop") /* at the end of each file */
#else
#define LANES_END
#pragma GCC target("avx512f,avx512ifma")
#endif
#include <immintrin.h>

typedef __m512i vec;

INLINE vec vec_zero(void) { return _mm512_setzero_si512(); }
INLINE vec vec_all(uint64_t x) { return _mm512_set1_epi64((long long)x); }
INLINE vec vec_add(vec a, vec b) { return _mm512_add_epi64(a, b); }
INLINE vec vec_sub(vec a, vec b) { return _mm512_sub_epi64(a, b); }
INLINE vec vec_and(vec a, vec b) { return _mm512_and_si512(a, b); }
INLINE vec vec_or(vec a, vec b) { return _mm512_or_si512(a, b); }
INLINE vec vec_shift_right(vec a, unsigned bits) { return _mm512_srli_epi64(a, bits); }
INLINE vec vec_shift_right_signed(vec a, unsigned bits) { return _mm512_srai_epi64(a, bits); }
/* sum + the low (high) 52 bits of the product of the low 52 bits of a and b */
INLINE vec vec_mul_low(vec sum, vec a, vec b) { return _mm512_madd52lo_epu64(sum, a, b); }
INLINE vec vec_mul_high(vec sum, vec a, vec b) { return _mm512_madd52hi_epu64(sum, a, b); }
/* 64-bit ones where lanes are equal, zeros elsewhere */
INLINE vec vec_equal(vec a, vec b) {
    return _mm512_maskz_set1_epi64(_mm512_cmpeq_epi64_mask(a, b), -1);
}

/* out[j] gets limb j of eight numbers that stand each in one piece; `limbs` is a multiple of 8. */
INLINE void transpose_8(vec *out, const vec *in) {
    vec a[8], b[8];
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm512_unpacklo_epi64(in[i], in[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi64(in[i], in[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            b[i + j] = _mm512_shuffle_i64x2(a[i + j], a[i + 2 + j], 0x88);
            b[i + 2 + j] = _mm512_shuffle_i64x2(a[i + j], a[i + 2 + j], 0xdd);
        }
    for (int j = 0; j < 4; j++) {
        out[j] = _mm512_shuffle_i64x2(b[j], b[4 + j], 0x88);
        out[4 + j] = _mm512_shuffle_i64x2(b[j], b[4 + j], 0xdd);
    }
}
INLINE vec vec_load(const uint64_t *from) { return _mm512_loadu_si512(from); }
INLINE void vec_store(uint64_t *to, vec a) { _mm512_storeu_si512(to, a); }
#define PREFETCH(address) _mm_prefetch((const char *)(address), _MM_HINT_T0)

#else

#define LANES_END

typedef struct __attribute__((aligned(64))) {
    uint64_t lane[LANES];
} vec;

#define EACH(expression)                      \
    vec r;                                    \
    for (int i = 0; i < LANES; i++)           \
        r.lane[i] = (expression);             \
    return r

INLINE uint64_t product_low(uint64_t a, uint64_t b) {
    return ((a & LIMB_MASK) * (b & LIMB_MASK)) & LIMB_MASK;
}
INLINE uint64_t product_high(uint64_t a, uint64_t b) {
    return (uint64_t)(((unsigned __int128)(a & LIMB_MASK) * (b & LIMB_MASK)) >> LIMB_BITS);
}

INLINE vec vec_all(uint64_t x) { EACH(x); }
INLINE vec vec_zero(void) { return vec_all(0); }
INLINE vec vec_add(vec a, vec b) { EACH(a.lane[i] + b.lane[i]); }
INLINE vec vec_sub(vec a, vec b) { EACH(a.lane[i] - b.lane[i]); }
INLINE vec vec_and(vec a, vec b) { EACH(a.lane[i] & b.lane[i]); }
INLINE vec vec_or(vec a, vec b) { EACH(a.lane[i] | b.lane[i]); }
INLINE vec vec_shift_right(vec a, unsigned bits) { EACH(a.lane[i] >> bits); }
INLINE vec vec_shift_right_signed(vec a, unsigned bits) {
    EACH((uint64_t)((int64_t)a.lane[i] >> bits));
}
INLINE vec vec_mul_low(vec sum, vec a, vec b) {
    EACH(sum.lane[i] + product_low(a.lane[i], b.lane[i]));
}
INLINE vec vec_mul_high(vec sum, vec a, vec b) {
    EACH(sum.lane[i] + product_high(a.lane[i], b.lane[i]));
}
/* x | -x has its highest bit set if and only if x is not 0; no comparison, no branch. */
INLINE vec vec_equal(vec a, vec b) {
    EACH((((a.lane[i] ^ b.lane[i]) | (0 - (a.lane[i] ^ b.lane[i]))) >> 63) - 1);
}
INLINE void transpose_8(vec *out, const vec *in) {
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++)
            out[j].lane[i] = in[i].lane[j];
}
INLINE vec vec_load(const uint64_t *from) { EACH(from[i]); }
INLINE void vec_store(uint64_t *to, vec a) {
    for (int i = 0; i < LANES; i++)
        to[i] = a.lane[i];
}
#define PREFETCH(address) (void)(address)

#endif
#endif
