/* Powers of one base from a table of all its byte powers (Brickell, Gordon, McCurley and Wilson
 * 1992, with all multiples stored): one multiplication for each byte of the exponent.
 *
 * Which entries are read depends on the exponents: randomness that is used once. */
#include "montgomery.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES 256

static uint64_t *entry(const power_table *table, size_t position, size_t digit) {
    return table->entries + (position * ENTRIES + digit) * table->m->stride;
}

int table_fill(power_table *table, const uint8_t *base) {
    const modulus *m = table->m;
    /* steps[i] = base^(256^i), the same in all lanes until eight are put side by side */
    size_t groups = (table->bytes + LANES - 1) / LANES;
    uint64_t *steps = calloc(groups * LANES * m->stride, sizeof *steps);
    vec *power = aligned_vecs(2 * m->stride);
    if (!steps || !power) {
        free(steps);
        free(power);
        return NO_MEMORY;
    }
    vec *step = power + m->stride;
    memset(power, 0, 2 * m->stride * sizeof(vec));
    load_rows(step, m->limbs, base, m->width, 1);
    mont_enter(m, step, step);
    for (size_t i = 0; i < groups * LANES; i++) {
        for (size_t limb = 0; limb < m->limbs; limb++)
            steps[i * m->stride + limb] = ((uint64_t *)(step + limb))[0];
        for (int bit = 0; bit < 8 && i + 1 < table->bytes; bit++)
            mont_square(m, step, step);
    }
    for (size_t group = 0; group < groups; group++) {
        const uint64_t *own[LANES];
        uint64_t unused[LANES * m->stride], *target[LANES];
        for (size_t lane = 0; lane < LANES; lane++)
            own[lane] = steps + (group * LANES + lane) * m->stride;
        load_pieces(m, step, own);
        mont_one(m, power);
        for (size_t digit = 0; digit < ENTRIES; digit++) {
            for (size_t lane = 0; lane < LANES; lane++) {
                size_t position = group * LANES + lane;
                target[lane] = position < table->bytes ? entry(table, position, digit)
                                                       : unused + lane * m->stride;
            }
            store_pieces(m, target, power);
            mont_multiply(m, power, power, step);
        }
    }
    free(steps);
    free(power);
    return 0;
}

/* out = base^exponent * factor; exponents are little-endian, table->bytes each. */
int table_powers_times(const power_table *table, uint8_t *out, const uint8_t *exponents,
                       const uint8_t *factors, size_t count) {
    const modulus *m = table->m;
    vec product[m->stride], power[m->stride];
    vec below = vec_all(~UINT64_C(0));
    for (size_t i = 0; i < count; i += LANES) {
        size_t lanes = count - i < LANES ? count - i : LANES;
        load_below(m, product, factors + i * m->width, lanes, &below);
        for (size_t position = 0; position < table->bytes; position++) {
            const uint64_t *piece[LANES];
            for (size_t lane = 0; lane < LANES; lane++) {
                const uint8_t *digits = exponents + (i + (lane < lanes ? lane : 0)) * table->bytes;
                piece[lane] = entry(table, position, digits[position]);
                if (position + 1 < table->bytes) {
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
