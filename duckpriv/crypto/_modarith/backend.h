/* Back ends: the same source is compiled once for each, as a Python module of its own, with one of
 * these macros. Nothing here needs more than plain x86-64. For other processors all of it compiles,
 * to plain C, and does not run. */
#ifndef MODARITH_BACKEND_H
#define MODARITH_BACKEND_H

#if defined(BACKEND_PORTABLE) || !defined(__x86_64__)
#define PLAIN_C
#else
#include <cpuid.h>
#endif

#if defined(BACKEND_IFMA) /* AVX-512 with integer products of 52 bits */
#define BACKEND_NAME ifma
#define BACKEND_NEEDS AVX512_SAVED, 0, bit_AVX512F | bit_AVX512IFMA
#define LANES 8
#define TILE 5
#elif defined(BACKEND_AVX512) /* AVX-512 with products of doubles */
#define BACKEND_NAME avx512
#define BACKEND_NEEDS AVX512_SAVED, 0, bit_AVX512F
#define LANES 8
#define TILE 5
#elif defined(BACKEND_AVX2) /* AVX2 with products of doubles */
#define BACKEND_NAME avx2
#define BACKEND_NEEDS AVX_SAVED, bit_FMA, bit_AVX2
#define LANES 4
#define TILE 4 /* eight sums, four limbs and what a product needs fill sixteen registers */
#elif defined(BACKEND_PORTABLE) /* plain C, for tests, sanitizers and valgrind */
#define BACKEND_NAME portable
#define LANES 8
#define TILE 5
#else
#error "which back end? Define BACKEND_IFMA, BACKEND_AVX512, BACKEND_AVX2 or BACKEND_PORTABLE"
#endif

#if (defined(BACKEND_AVX512) || defined(BACKEND_AVX2)) && !defined(PLAIN_C)
#define PRODUCTS_OF_DOUBLES
#endif

/* Whether the processor has what the back end needs, and the operating system saves its registers.
 * Not __builtin_cpu_supports: Zig, with which wheels are compiled, answers no to all of it. */
#ifdef PLAIN_C
static inline int backend_runs(void) {
#ifdef BACKEND_PORTABLE
    return 1;
#else
    return 0;
#endif
}
#else
#define AVX_SAVED 0x06    /* the registers of SSE and AVX */
#define AVX512_SAVED 0xe6 /* and those of AVX-512 */
static inline int processor_has(unsigned saved, unsigned in_1, unsigned in_7) {
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || (c & in_1) != in_1)
        return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & saved) == saved && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & in_7) == in_7;
}
static inline int backend_runs(void) { return processor_has(BACKEND_NEEDS); }
#endif

#endif
