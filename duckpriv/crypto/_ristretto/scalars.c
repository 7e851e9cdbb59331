/* Scalars: integers modulo the group's order l = 2^252 + 27742317777372353535851937790883648493.
 * No branch and no address depends on them. */
#include "curve.h"

#include <string.h>

typedef unsigned __int128 two_words;

static const uint64_t ORDER[5] = {0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0, 0x1000000000000000, 0};
static const uint64_t INVERSE[5] = {0xed9ce5a30a2c131b, 0x2106215d086329a7, 0xffffffffffffffeb,
                                    0xffffffffffffffff, 0xf}; /* 2^512 / l, rounded down */

/* a = a - b; returns the borrow. */
static uint64_t subtract(uint64_t *a, const uint64_t *b, int words) {
    uint64_t borrow = 0;
    for (int i = 0; i < words; i++) {
        two_words difference = (two_words)a[i] - b[i] - borrow;
        a[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
    return borrow;
}

/* a = a + (b & mask); returns the carry. */
static uint64_t add(uint64_t *a, const uint64_t *b, uint64_t mask, int words) {
    two_words sum = 0;
    for (int i = 0; i < words; i++) {
        sum += (two_words)a[i] + (b[i] & mask);
        a[i] = (uint64_t)sum;
        sum >>= 64;
    }
    return (uint64_t)sum;
}

static void multiply(uint64_t out[10], const uint64_t a[5], const uint64_t b[5]) {
    memset(out, 0, 10 * sizeof *out);
    for (int i = 0; i < 5; i++) {
        two_words sum = 0;
        for (int j = 0; j < 5; j++) {
            sum += (two_words)a[i] * b[j] + out[i + j];
            out[i + j] = (uint64_t)sum;
            sum >>= 64;
        }
        out[i + 5] = (uint64_t)sum;
    }
}

int scalars_are_below(const uint8_t *rows, size_t count) {
    uint64_t all = 1;
    for (size_t i = 0; i < count; i++) {
        uint64_t words[4];
        memcpy(words, rows + i * ROW, ROW);
        all &= subtract(words, ORDER, 4);
    }
    return (int)all;
}

/* Barrett's method (Handbook of Applied Cryptography, 14.42, with words of 64 bits): what is
 * estimated from the highest words lacks at most 2 of the quotient. */
void scalars_reduce(uint8_t *out, const uint8_t *wide_rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t x[8], product[10], quotient[5];
        memcpy(x, wide_rows + i * UNIFORM_ROW, UNIFORM_ROW);
        multiply(product, x + 3, INVERSE);
        memcpy(quotient, product + 5, sizeof quotient);
        multiply(product, quotient, ORDER);
        subtract(x, product, 5);
        for (int times = 0; times < 2; times++)
            add(x, ORDER, -subtract(x, ORDER, 5), 5);
        memcpy(out + i * ROW, x, ROW);
    }
}

/* Adds a word to each word. */
static void raise(uint64_t words[4], uint64_t by) {
    const uint64_t all[4] = {by, by, by, by};
    add(words, all, ~UINT64_C(0), 4);
}

void scalar_halved(uint64_t words[4], const uint8_t *row) {
    memcpy(words, row, ROW);
    add(words, ORDER, -(words[0] & 1), 4); /* below 2^254 */
    for (int i = 0; i < 4; i++)
        words[i] = words[i] >> 1 | (i < 3 ? words[i + 1] << 63 : 0);
    raise(words, 0x8888888888888888);
}

void scalar_raised(uint8_t *out, const uint8_t *row) {
    uint64_t words[4];
    memcpy(words, row, ROW);
    raise(words, 0x8080808080808080);
    memcpy(out, words, ROW);
}
