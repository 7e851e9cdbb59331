/* Between rows of bytes, numbers in one piece, and lanes. */
#include "montgomery.h"

#include <string.h>

#define LARGEST_BYTES (2 * LARGEST_LIMBS * LIMB_BITS / 8)

/* 1 where a < b, both big-endian; constant-time. */
static uint64_t is_below(const uint8_t *a, const uint8_t *b, size_t width) {
    uint64_t borrow = 0;
    size_t end = width;
    for (; end >= 8; end -= 8) {
        uint64_t x, y;
        memcpy(&x, a + end - 8, 8);
        memcpy(&y, b + end - 8, 8);
        x = __builtin_bswap64(x);
        y = __builtin_bswap64(y);
        /* the highest bit of x - y - borrow's borrow (Warren, Hacker's Delight, 2-13) */
        borrow = ((~x & y) | ((~x | y) & (x - y - borrow))) >> 63;
    }
    for (; end > 0; end--)
        borrow = ((uint64_t)a[end - 1] - b[end - 1] - borrow) >> 63;
    return borrow;
}

/* Whether every row is below N. */
int rows_are_below(const uint8_t *n, size_t width, const uint8_t *rows, size_t count) {
    uint64_t all = 1;
    for (size_t i = 0; i < count; i++)
        all &= is_below(rows + i * width, n, width);
    return (int)all;
}

/* limbs[0], limbs[step], …: a big-endian number of `width` bytes in `count` limbs. */
void limbs_of_bytes(uint64_t *limbs, size_t step, size_t count, const uint8_t *bytes,
                    size_t width) {
    uint8_t padded[LARGEST_BYTES + 16];
    size_t whole = count * LIMB_BITS / 8 + 9;
    memset(padded, 0, whole - width);
    memcpy(padded + whole - width, bytes, width);
    for (size_t i = 0; i < count; i++) {
        size_t bit = i * LIMB_BITS;
        uint64_t word;
        memcpy(&word, padded + whole - bit / 8 - 8, 8);
        limbs[i * step] = (__builtin_bswap64(word) >> bit % 8) & LIMB_MASK;
    }
}

static void bytes_of_limbs(uint8_t *bytes, size_t width, const uint64_t *limbs, size_t step,
                           size_t count) {
    uint8_t padded[LARGEST_BYTES + 16];
    size_t end = sizeof padded;
    unsigned __int128 bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < count; i++) {
        bits |= (unsigned __int128)limbs[i * step] << held;
        held += LIMB_BITS;
        if (held >= 64) {
            uint64_t word = __builtin_bswap64((uint64_t)bits);
            end -= 8;
            memcpy(padded + end, &word, 8);
            bits >>= 64;
            held -= 64;
        }
    }
    uint64_t word = __builtin_bswap64((uint64_t)bits);
    memcpy(padded + end - 8, &word, 8);
    memcpy(bytes, padded + sizeof padded - width, width);
}

/* Lanes without a row get 1, which is a unit and below every N. */
static void load_each(vec *out, size_t limbs, const uint8_t *const row[LANES], size_t width) {
    uint64_t *lanes = (uint64_t *)out;
    for (size_t lane = 0; lane < LANES; lane++) {
        if (row[lane]) {
            limbs_of_bytes(lanes + lane, LANES, limbs, row[lane], width);
        } else {
            for (size_t i = 0; i < limbs; i++)
                lanes[i * LANES + lane] = i == 0;
        }
    }
}

static void row_of_each(const uint8_t *row[LANES], const uint8_t *rows, size_t width, size_t count) {
    for (size_t lane = 0; lane < LANES; lane++)
        row[lane] = lane < count ? rows + lane * width : NULL;
}

void load_rows(vec *out, size_t limbs, const uint8_t *rows, size_t width, size_t count) {
    const uint8_t *row[LANES];
    row_of_each(row, rows, width, count);
    load_each(out, limbs, row, width);
}

void load_each_below(const modulus *m, vec *out, const uint8_t *const row[LANES], vec *below) {
    load_each(out, m->limbs, row, m->width);
    vec borrow = vec_zero();
    for (size_t i = 0; i < m->limbs; i++)
        borrow = vec_carry(out[i] - m->n[i] + borrow);
    *below &= borrow; /* -1 where it was smaller */
}

void load_below(const modulus *m, vec *out, const uint8_t *rows, size_t count, vec *below) {
    const uint8_t *row[LANES];
    row_of_each(row, rows, m->width, count);
    load_each_below(m, out, row, below);
}

int all_below(vec below) {
    uint64_t all = ~UINT64_C(0);
    for (int lane = 0; lane < LANES; lane++)
        all &= below[lane];
    return all ? 0 : NOT_BELOW;
}

void store_rows(uint8_t *rows, size_t width, const vec *a, size_t limbs, size_t count) {
    const uint64_t *lanes = (const uint64_t *)a;
    for (size_t lane = 0; lane < count; lane++)
        bytes_of_limbs(rows + lane * width, width, lanes + lane, LANES, limbs);
}

void load_pieces(const modulus *m, vec *out, const uint64_t *const piece[LANES]) {
    for (size_t i = 0; i < m->stride; i += LANES) {
        vec in[LANES];
        for (int lane = 0; lane < LANES; lane++)
            in[lane] = vec_load(piece[lane] + i);
        transpose(out + i, in);
    }
}

void store_pieces(const modulus *m, uint64_t *const piece[LANES], const vec *a) {
    for (size_t i = 0; i < m->stride; i += LANES) {
        vec rows[LANES];
        transpose(rows, a + i);
        for (int lane = 0; lane < LANES; lane++)
            vec_store(piece[lane] + i, rows[lane]);
    }
}

/* The deepest calls, of RSA, hold some thirteen numbers and a padded row. */
int wiped(const modulus *m, int result) {
    uint8_t below[16 * m->stride * sizeof(vec) + 4 * LARGEST_BYTES];
    wipe(below, sizeof below);
    return result;
}

LANES_END
