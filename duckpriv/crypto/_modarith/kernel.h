/* What the kernel offers to module.c, which has to run on every processor: nothing here needs more
 * than plain x86-64. */
#ifndef MODARITH_KERNEL_H
#define MODARITH_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "backend.h"

#define LIMB_BITS 52
#define LIMB_MASK ((UINT64_C(1) << LIMB_BITS) - 1)
#define SMALLEST_LIMBS (2 * TILE)
#define LARGEST_LIMBS 320 /* 16,636 bits; sums of 4 * 320 products of 52 bits fit in 64 bits */

#ifdef PRODUCTS_OF_DOUBLES
typedef double limb_factor;
#else
typedef uint64_t limb_factor;
#endif

/* Around whatever computes. AVX2 takes the rounding of its products, to zero, from a register of the
 * processor; with it all exceptions are masked, which are set for every product that is rounded. */
#if defined(BACKEND_AVX2) && !defined(PLAIN_C)
#include <xmmintrin.h>
static inline unsigned kernel_begin(void) {
    unsigned state = _mm_getcsr();
    _mm_setcsr(_MM_MASK_MASK | _MM_ROUND_TOWARD_ZERO);
    return state;
}
static inline void kernel_end(unsigned state) { _mm_setcsr(state); }
#else
static inline unsigned kernel_begin(void) { return 0; }
static inline void kernel_end(unsigned state) { (void)state; }
#endif

/* An odd modulus N. R = 2^(52 * limbs), R > 16 N. */
typedef struct {
    size_t limbs;   /* a multiple of TILE */
    size_t stride;  /* limbs of a number that stands in one piece: a multiple of LANES */
    size_t width;   /* bytes of a row; N may be shorter */
    size_t bits;    /* of N */
    uint64_t n[LARGEST_LIMBS];
    limb_factor n_factors[LARGEST_LIMBS]; /* N, to multiply with */
    limb_factor n_inverse;                /* -1/N mod 2^52 */
    uint64_t r[LARGEST_LIMBS];     /* R mod N: 1 in Montgomery form */
    uint64_t r2[LARGEST_LIMBS];    /* R^2 mod N */
    uint8_t n_bytes[LARGEST_LIMBS * LIMB_BITS / 8 + 8];
} modulus;

/* montgomery.c */
int modulus_set(modulus *m, const uint8_t *n, const uint8_t *r, const uint8_t *r2, size_t width,
                size_t limbs);

/* memory.c: overwrites secrets. */
void wipe(void *memory, size_t size);

/* rows.c: between rows of bytes (big-endian) and lanes. */
int rows_are_below(const uint8_t *n, size_t width, const uint8_t *rows, size_t count);
void limbs_of_bytes(uint64_t *limbs, size_t step, size_t count, const uint8_t *bytes, size_t width);
/* Returns `result`, and overwrites what the calls that made it have left on the stack: secrets and,
 * of constant-time functions or not, what the compiler kept there. */
int wiped(const modulus *m, int result);

/* Below, rows are `width` bytes each, big-endian and below N, and results are too. Functions return
 * 0, NO_MEMORY, or NOT_BELOW where a row is not below N: the results are then not to be used. */
#define NO_MEMORY (-1)
#define NOT_BELOW (-2)

/* products.c */
int rows_multiply(const modulus *m, uint8_t *out, const uint8_t *a, const uint8_t *b, size_t count);
int rows_prefix(const modulus *m, uint8_t *out, const uint8_t *x, size_t count);
int rows_unwind(const modulus *m, uint8_t *out, const uint8_t *x, const uint8_t *prefixes,
                const uint8_t *inverses, size_t count);
/* Rows in blocks of `rows` each: a number stands `offset` bytes behind the beginning of its row,
 * which has `stride` bytes. */
typedef struct {
    const uint8_t *const *blocks;
    size_t rows, stride, offset;
} row_blocks;
int rows_products(const modulus *m, uint8_t *out, const row_blocks *from, const int64_t *chosen,
                  const int64_t *bounds, size_t count);

/* powers.c. An exponent is digits of 4 bits, the most significant first. */
#define WINDOW 4
int rows_power(const modulus *m, uint8_t *out, const uint8_t *x, size_t count,
               const uint8_t *digits, size_t windows, int one_each);
int rows_power_sparse(const modulus *m, uint8_t *out, const uint8_t *x, size_t count,
                      const uint8_t *exponent, size_t bytes);

/* fixed_base.c: bases[i]^j in one piece at entries[i][j]. */
typedef struct {
    const modulus *m;
    size_t bases;
    uint64_t *entries;
} power_table;
int table_fill(power_table *table, const uint8_t *bases);
int table_powers_times(const power_table *table, uint8_t *out, const uint8_t *exponents,
                       const uint8_t *factors, size_t count);

/* multi_power.c. Pieces are numbers in Montgomery form. */
int pieces_of_rows(const modulus *m, uint64_t *pieces, const uint8_t *rows, size_t count);
int pieces_multiples(const modulus *m, uint64_t *multiples, const uint64_t *pieces, size_t count,
                     size_t largest);
int bucket_products(const modulus *m, uint8_t *out, const uint64_t *positive,
                    const uint64_t *negative, const int16_t *digits, const int64_t *starts,
                    size_t tasks, size_t rows, size_t largest);
int straus_products(const modulus *m, uint8_t *out, const uint64_t *positive,
                    const uint64_t *negative, const int16_t *digits, size_t outputs, size_t bases,
                    size_t windows, size_t bits, size_t largest);

/* rsa.c */
typedef struct {
    modulus p, q;
    uint8_t *p_digits, *q_digits; /* d mod p - 1 and d mod q - 1 */
    size_t windows;
    uint64_t q_inverse[LARGEST_LIMBS]; /* 1/q mod p, in Montgomery form */
    size_t width;                      /* bytes of N = p * q */
    uint8_t *n_bytes;
} rsa_key;
int rows_rsa(const rsa_key *key, uint8_t *out, const uint8_t *x, size_t count);

#endif
