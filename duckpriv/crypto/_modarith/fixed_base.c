/* Products of powers of fixed bases, exponents of a byte each, from a table of all powers: one
 * multiplication for each base.
 *
 * Which entries are read depends on the exponents: randomness that is used once. */
#include "montgomery.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES 256

static uint64_t *entry(const power_table *table, size_t position, size_t digit) {
    return table->entries + (position * ENTRIES + digit) * table->m->stride;
}

int table_fill(power_table *table, const uint8_t *bases) {
    const modulus *m = table->m;
    vec *power = aligned_vecs(2 * m->stride);
    if (!power)
        return NO_MEMORY;
    vec *base = power + m->stride;
    memset(power, 0, 2 * m->stride * sizeof(vec));
    for (size_t i = 0; i < table->bases; i += LANES) {
        uint64_t unused[LANES * m->stride], *target[LANES];
        size_t lanes = table->bases - i < LANES ? table->bases - i : LANES;
        load_rows(base, m->limbs, bases + i * m->width, m->width, lanes);
        mont_enter(m, base, base);
        mont_one(m, power);
        for (size_t digit = 0; digit < ENTRIES; digit++) {
            for (size_t lane = 0; lane < LANES; lane++)
                target[lane] = lane < lanes ? entry(table, i + lane, digit)
                                            : unused + lane * m->stride;
            store_pieces(m, target, power);
            mont_multiply(m, power, power, base);
        }
    }
    free_vecs(power);
    return 0;
}

/* out = factor times the product of bases[i]^exponent[i]; table->bases exponents a row. */
int table_powers_times(const power_table *table, uint8_t *out, const uint8_t *exponents,
                       const uint8_t *factors, size_t count) {
    const modulus *m = table->m;
    vec product[m->stride], power[m->stride];
    vec below = vec_all(~UINT64_C(0));
    for (size_t i = 0; i < count; i += LANES) {
        size_t lanes = count - i < LANES ? count - i : LANES;
        load_below(m, product, factors + i * m->width, lanes, &below);
        for (size_t position = 0; position < table->bases; position++) {
            const uint64_t *piece[LANES];
            for (size_t lane = 0; lane < LANES; lane++) {
                const uint8_t *digits = exponents + (i + (lane < lanes ? lane : 0)) * table->bases;
                piece[lane] = entry(table, position, digits[position]);
                if (position + 1 < table->bases) {
                    const uint64_t *next = entry(table, position + 1, digits[position + 1]);
                    for (size_t limb = 0; limb < m->stride; limb += 8)
                        PREFETCH(next + limb);
                }
            }
            load_pieces(m, power, piece);
            /* product * (power * R) / R: the product itself is never in Montgomery form. */
            mont_multiply(m, product, product, power);
        }
        reduce_once(m, product);
        store_rows(out + i * m->width, m->width, product, m->limbs, lanes);
    }
    return all_below(below);
}

LANES_END
