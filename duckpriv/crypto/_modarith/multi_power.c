/* Products of powers of many bases, for exponents in signed digits: by buckets (Pippenger 1976;
 * Bernstein, Doumen, Lange and Oosterwijk 2012, section 4), or from tables of the bases' powers
 * (Straus 1964). A negative digit takes the base's inverse.
 *
 * Eight products are computed side by side, each lane with its own digits. Which entries
 * are read depends on the digits: a party's own numbers on its own machine. */
#include "montgomery.h"

#include <stdlib.h>
#include <string.h>

int pieces_of_rows(const modulus *m, uint64_t *pieces, const uint8_t *rows, size_t count) {
    vec row[m->stride];
    uint64_t unused[LANES * m->stride], *target[LANES];
    memset(row, 0, m->stride * sizeof(vec));
    vec below = vec_all(~UINT64_C(0));
    for (size_t i = 0; i < count; i += LANES) {
        size_t lanes = count - i < LANES ? count - i : LANES;
        load_below(m, row, rows + i * m->width, lanes, &below);
        mont_enter(m, row, row);
        for (size_t lane = 0; lane < LANES; lane++)
            target[lane] = lane < lanes ? pieces + (i + lane) * m->stride : unused + lane * m->stride;
        store_pieces(m, target, row);
    }
    return all_below(below);
}

/* multiples[i][j] = pieces[i]^(j + 1), j < largest */
int pieces_multiples(const modulus *m, uint64_t *multiples, const uint64_t *pieces, size_t count,
                     size_t largest) {
    vec base[m->stride], power[m->stride];
    uint64_t unused[LANES * m->stride], *target[LANES];
    memset(power, 0, m->stride * sizeof(vec));
    for (size_t i = 0; i < count; i += LANES) {
        const uint64_t *piece[LANES];
        for (size_t lane = 0; lane < LANES; lane++)
            piece[lane] = pieces + (i + lane < count ? i + lane : i) * m->stride;
        load_pieces(m, base, piece);
        memcpy(power, base, m->stride * sizeof(vec));
        for (size_t j = 0; j < largest; j++) {
            if (j)
                mont_multiply(m, power, power, base);
            for (size_t lane = 0; lane < LANES; lane++)
                target[lane] = i + lane < count
                                   ? multiples + ((i + lane) * largest + j) * m->stride
                                   : unused + lane * m->stride;
            store_pieces(m, target, power);
        }
    }
    return 0;
}

/* For each task t the product over r < rows of base[starts[t] + r]^digits[t][r], with all digits
 * from -largest to largest. */
int bucket_products(const modulus *m, uint8_t *out, const uint64_t *positive,
                    const uint64_t *negative, const int16_t *digits, const int64_t *starts,
                    size_t tasks, size_t rows, size_t largest) {
    /* Bucket 0 takes what has digit 0, and is not used. */
    size_t buckets = largest + 1;
    uint64_t *memory = malloc(LANES * buckets * m->stride * sizeof *memory);
    if (!memory)
        return NO_MEMORY;
    vec base[m->stride], sum[m->stride], running[m->stride];
    memset(running, 0, m->stride * sizeof(vec));
    for (size_t task = 0; task < tasks; task += LANES) {
        size_t lanes = tasks - task < LANES ? tasks - task : LANES;
        for (size_t b = 0; b < LANES * buckets; b++)
            memcpy(memory + b * m->stride, m->r, m->stride * sizeof *memory);
        for (size_t r = 0; r < rows; r++) {
            const uint64_t *piece[LANES];
            uint64_t *bucket[LANES];
            for (size_t lane = 0; lane < LANES; lane++) {
                size_t own = task + (lane < lanes ? lane : 0);
                int digit = digits[own * rows + r];
                size_t at = ((size_t)starts[own] + r) * m->stride;
                piece[lane] = (digit < 0 ? negative : positive) + at;
                bucket[lane] = memory + (lane * buckets + (size_t)abs(digit)) * m->stride;
                if (r + 1 < rows) {
                    size_t next = (size_t)abs(digits[own * rows + r + 1]);
                    for (size_t limb = 0; limb < m->stride; limb += 8)
                        PREFETCH(memory + (lane * buckets + next) * m->stride + limb);
                }
            }
            load_pieces(m, base, piece);
            load_pieces(m, sum, (const uint64_t *const *)bucket);
            mont_multiply(m, sum, sum, base);
            store_pieces(m, bucket, sum);
        }
        /* The product of bucket[b]^b: the running product from the largest bucket down is
         * taken once for each b. */
        mont_one(m, running);
        mont_one(m, sum);
        for (size_t b = largest; b > 0; b--) {
            const uint64_t *bucket[LANES];
            for (size_t lane = 0; lane < LANES; lane++)
                bucket[lane] = memory + (lane * buckets + b) * m->stride;
            load_pieces(m, base, bucket);
            mont_multiply(m, running, running, base);
            mont_multiply(m, sum, sum, running);
        }
        mont_leave(m, sum, sum);
        store_rows(out + task * m->width, m->width, sum, m->limbs, lanes);
    }
    free(memory);
    return 0;
}

/* For each output o the product over bases b and windows w of
 * base[b]^(digits[w][o][b] * 2^(bits * w)), from the bases' multiples up to `largest`. */
int straus_products(const modulus *m, uint8_t *out, const uint64_t *positive,
                    const uint64_t *negative, const int16_t *digits, size_t outputs, size_t bases,
                    size_t windows, size_t bits, size_t largest) {
    uint64_t one[m->stride];
    vec power[m->stride], product[m->stride];
    memcpy(one, m->r, m->stride * sizeof *one);
    for (size_t o = 0; o < outputs; o += LANES) {
        size_t lanes = outputs - o < LANES ? outputs - o : LANES;
        mont_one(m, product);
        for (size_t w = windows; w-- > 0;) {
            if (w + 1 < windows)
                for (size_t i = 0; i < bits; i++)
                    mont_square(m, product, product);
            for (size_t b = 0; b < bases; b++) {
                const uint64_t *piece[LANES];
                for (size_t lane = 0; lane < LANES; lane++) {
                    size_t own = o + (lane < lanes ? lane : 0);
                    int digit = digits[(w * outputs + own) * bases + b];
                    size_t at = b * largest + (size_t)abs(digit) - 1;
                    piece[lane] = digit == 0  ? one
                                  : digit < 0 ? negative + at * m->stride
                                              : positive + at * m->stride;
                }
                load_pieces(m, power, piece);
                mont_multiply(m, product, product, power);
            }
        }
        mont_leave(m, product, product);
        store_rows(out + o * m->width, m->width, product, m->limbs, lanes);
    }
    return 0;
}

LANES_END
