/* Exponentiation by fixed windows of four bits, constant-time in base and exponent: every
 * window takes four squarings and one product, with 1 too, and a table read touches every entry
 * (Gueron and Krasnov 2012, section 3; as OpenSSL's BN_mod_exp_mont_consttime does). */
#include "montgomery.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES (1 << WINDOW)

/* out = table[digit], a digit for each lane. */
static void select_entry(const modulus *m, vec *out, const vec *table, vec digit) {
    const size_t limbs = m->limbs;
    vec wanted[ENTRIES];
    for (int e = 0; e < ENTRIES; e++)
        wanted[e] = vec_equal(digit, vec_all((uint64_t)e));
    for (size_t i = 0; i < limbs; i++) {
        vec found = vec_zero();
        for (int e = 0; e < ENTRIES; e++)
            found |= wanted[e] & table[(size_t)e * limbs + i];
        out[i] = found;
    }
}

size_t power_scratch(const modulus *m) { return (ENTRIES + 1) * m->limbs; }

/* x = x^e in Montgomery form; digits[lane] are the lane's. */
void power_lanes(const modulus *m, vec *x, const uint8_t *const digits[LANES], size_t windows,
                 vec *scratch) {
    const size_t limbs = m->limbs;
    vec *table = scratch, *entry = scratch + ENTRIES * limbs;
    mont_one(m, table);
    memcpy(table + limbs, x, limbs * sizeof(vec));
    for (size_t e = 2; e < ENTRIES; e++) {
        if (e % 2)
            mont_multiply(m, table + e * limbs, table + (e - 1) * limbs, x);
        else
            mont_square(m, table + e * limbs, table + e / 2 * limbs);
    }
    mont_one(m, x);
    for (size_t w = 0; w < windows; w++) {
        vec digit;
        for (int lane = 0; lane < LANES; lane++)
            digit[lane] = digits[lane][w];
        select_entry(m, entry, table, digit);
        if (w == 0) {
            memcpy(x, entry, limbs * sizeof(vec));
            continue;
        }
        for (int i = 0; i < WINDOW; i++)
            mont_square(m, x, x);
        mont_multiply(m, x, x, entry);
    }
}

/* out = x^e; one exponent of `windows` digits for all rows, or one each. */
int rows_power(const modulus *m, uint8_t *out, const uint8_t *x, size_t count,
               const uint8_t *digits, size_t windows, int one_each) {
    vec *scratch = aligned_vecs(power_scratch(m)), row[m->stride];
    if (!scratch)
        return NO_MEMORY;
    vec below = vec_all(~UINT64_C(0));
    for (size_t i = 0; i < count; i += LANES) {
        size_t lanes = count - i < LANES ? count - i : LANES;
        const uint8_t *own[LANES];
        for (size_t lane = 0; lane < LANES; lane++)
            own[lane] = one_each && lane < lanes ? digits + (i + lane) * windows : digits;
        load_below(m, row, x + i * m->width, lanes, &below);
        mont_enter(m, row, row);
        power_lanes(m, row, own, windows, scratch);
        mont_leave(m, row, row);
        store_rows(out + i * m->width, m->width, row, m->limbs, lanes);
    }
    wipe(scratch, power_scratch(m) * sizeof(vec));
    free_vecs(scratch);
    return all_below(below);
}

/* out = x^e for a public exponent of few ones, such as 65537 or 2^96; big-endian, without leading
 * zeros. Square and multiply. */
int rows_power_sparse(const modulus *m, uint8_t *out, const uint8_t *x, size_t count,
                      const uint8_t *exponent, size_t bytes) {
    vec row[m->stride], power[m->stride];
    vec below = vec_all(~UINT64_C(0));
    for (size_t i = 0; i < count; i += LANES) {
        size_t lanes = count - i < LANES ? count - i : LANES;
        load_below(m, row, x + i * m->width, lanes, &below);
        mont_enter(m, row, row);
        mont_one(m, power);
        int begun = 0;
        for (size_t bit = 0; bit < 8 * bytes; bit++) {
            if (begun)
                mont_square(m, power, power);
            if (exponent[bit / 8] >> (7 - bit % 8) & 1) {
                if (begun)
                    mont_multiply(m, power, power, row);
                else
                    memcpy(power, row, m->limbs * sizeof(vec));
                begun = 1;
            }
        }
        mont_leave(m, power, power);
        store_rows(out + i * m->width, m->width, power, m->limbs, lanes);
    }
    return all_below(below);
}

LANES_END
