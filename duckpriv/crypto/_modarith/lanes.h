/* LANES numbers side by side: a vec holds one 52-bit limb of each. It is a register, except in the
 * portable back end, where the compiler makes plain C of it. */
#ifndef MODARITH_LANES_H
#define MODARITH_LANES_H

#include <string.h>

#include "kernel.h"

#define INLINE static inline __attribute__((always_inline))
/* Before loops that have to be unrolled, so that what they work on stands in registers. */
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 20")
#endif

#if defined(PLAIN_C)
#elif defined(BACKEND_IFMA)
#define TARGET "avx512f,avx512ifma"
#elif defined(BACKEND_AVX512)
#define TARGET "avx512f"
#elif defined(BACKEND_AVX2)
#define TARGET "avx2,fma"
#endif

#define LANES_END
#ifdef TARGET
#define PRAGMA(text) _Pragma(#text)
#ifdef __clang__
#define PUSH_TARGET(features) \
    PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
PUSH_TARGET(TARGET)
#undef LANES_END
#define LANES_END _Pragma("clang attribute pop") /* at the end of each file */
#else
#define PUSH_TARGET(features) PRAGMA(GCC target(features))
PUSH_TARGET(TARGET)
#endif
#include <immintrin.h>
#endif

typedef uint64_t vec __attribute__((vector_size(8 * LANES), may_alias));

INLINE vec vec_all(uint64_t x) { return (vec){0} + x; }
INLINE vec vec_zero(void) { return (vec){0}; }
/* What passes 52 bits, with its sign, of numbers from -2^62 to 2^62: AVX2 has no signed shift. */
INLINE vec vec_carry(vec a) {
    return ((a + (UINT64_C(1) << 62)) >> LIMB_BITS) - (UINT64_C(1) << (62 - LIMB_BITS));
}
/* 64-bit ones where lanes are equal, zeros elsewhere: x | -x has its highest bit set if and only
 * if x is not 0; no comparison, no branch. */
INLINE vec vec_equal(vec a, vec b) { return (((a ^ b) | -(a ^ b)) >> 63) - 1; }
INLINE vec vec_load(const uint64_t *from) {
    vec a;
    memcpy(&a, from, sizeof a);
    return a;
}
INLINE void vec_store(uint64_t *to, vec a) { memcpy(to, &a, sizeof a); }
#define PREFETCH(address) __builtin_prefetch(address)

/* memory.c */
void *aligned_vecs(size_t count); /* NULL where there is no memory */
void free_vecs(void *memory);

/* out[j] gets limb j of LANES numbers that stand each in one piece. */
INLINE void transpose(vec *out, const vec *in) {
#if defined(PLAIN_C)
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < LANES; j++)
            out[j][i] = in[i][j];
#elif LANES == 8
    __m512i a[8], b[8];
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm512_unpacklo_epi64((__m512i)in[i], (__m512i)in[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi64((__m512i)in[i], (__m512i)in[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            b[i + j] = _mm512_shuffle_i64x2(a[i + j], a[i + 2 + j], 0x88);
            b[i + 2 + j] = _mm512_shuffle_i64x2(a[i + j], a[i + 2 + j], 0xdd);
        }
    for (int j = 0; j < 4; j++) {
        out[j] = (vec)_mm512_shuffle_i64x2(b[j], b[4 + j], 0x88);
        out[4 + j] = (vec)_mm512_shuffle_i64x2(b[j], b[4 + j], 0xdd);
    }
#else
    __m256i a[4];
    for (int i = 0; i < 4; i += 2) {
        a[i] = _mm256_unpacklo_epi64((__m256i)in[i], (__m256i)in[i + 1]);
        a[i + 1] = _mm256_unpackhi_epi64((__m256i)in[i], (__m256i)in[i + 1]);
    }
    for (int j = 0; j < 2; j++) {
        out[j] = (vec)_mm256_permute2x128_si256(a[j], a[2 + j], 0x20);
        out[2 + j] = (vec)_mm256_permute2x128_si256(a[j], a[2 + j], 0x31);
    }
#endif
}

#endif
