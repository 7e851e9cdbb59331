/* The modular kernel's paths of secrets: see constant_time.h. */
#include "kernel.h"

#define WIDTH 66 /* bytes: 528 bits, 15 or 16 limbs */
#define LIMBS ((WIDTH * 8 + 4 + LIMB_BITS * TILE - 1) / (LIMB_BITS * TILE) * TILE)
#define WINDOWS 2
#define ROWS (LANES + 1)
#define BASES 3

/* Everything that is secret. */
typedef struct {
    rsa_key key;
    uint8_t p_digits[WINDOWS], q_digits[WINDOWS];
    uint8_t x[ROWS * WIDTH];
    uint8_t exponents[ROWS * BASES];
} secrets;

#include "constant_time.h"

static modulus modulo;
static power_table table;
static uint8_t message[ROWS * 2 * WIDTH], out[ROWS * 2 * WIDTH];

static modulus prepared(uint8_t first, uint8_t step) {
    uint8_t n[WIDTH], r[WIDTH] = {0}, r2[WIDTH] = {0};
    for (int i = 0; i < WIDTH; i++)
        n[i] = (uint8_t)(first + step * i);
    n[0] |= 128;
    n[WIDTH - 1] |= 1;
    r[WIDTH - 1] = 3; /* not R, but time does not depend on it */
    r2[WIDTH - 1] = 5;
    modulus m;
    if (modulus_set(&m, n, r, r2, WIDTH, LIMBS))
        abort();
    return m;
}

static secrets *make_secrets(uint8_t seed) {
    secrets *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
    memset(s, 0, sizeof *s);
    s->key.p = prepared((uint8_t)(200 + seed), 37);
    s->key.q = prepared((uint8_t)(210 + seed), (uint8_t)(37 * seed));
    s->key.p_digits = s->p_digits;
    s->key.q_digits = s->q_digits;
    s->key.windows = WINDOWS;
    s->key.width = 2 * WIDTH;
    for (int i = 0; i < WINDOWS; i++) {
        s->p_digits[i] = (uint8_t)(i * seed % 16);
        s->q_digits[i] = (uint8_t)((i + 1) * seed % 16);
    }
    for (size_t i = 0; i < sizeof s->x; i++)
        s->x[i] = i % WIDTH ? (uint8_t)(i * seed * 11) : 1;
    for (size_t i = 0; i < sizeof s->exponents; i++)
        s->exponents[i] = (uint8_t)(i * seed);
    return s;
}

static void power_by_rsa(const secrets *s, size_t rows) {
    if (leaks && s->p_digits[1] == 7)
        puts("a branch on a secret");
    wiped(&s->key.p, rows_rsa(&s->key, out, message, rows));
}

static void short_work(const secrets *s) { power_by_rsa(s, 1); }

static void work(const secrets *s) {
    power_by_rsa(s, ROWS);
    rows_are_below(modulo.n_bytes, WIDTH, s->x, ROWS);
    wiped(&modulo, rows_power(&modulo, out, s->x, ROWS, s->p_digits, WINDOWS, 0));
}

static void all_work(const secrets *s) {
    work(s);
    wiped(&modulo, table_powers_times(&table, out, s->exponents, s->x, ROWS));
}

static void hide(secrets *s) {
    VALGRIND_MAKE_MEM_UNDEFINED(s->p_digits, sizeof s->p_digits);
    VALGRIND_MAKE_MEM_UNDEFINED(s->q_digits, sizeof s->q_digits);
    VALGRIND_MAKE_MEM_UNDEFINED(s->x, sizeof s->x);
    for (modulus *m = &s->key.p; m; m = m == &s->key.p ? &s->key.q : NULL) {
        VALGRIND_MAKE_MEM_UNDEFINED(m->n, sizeof m->n);
        VALGRIND_MAKE_MEM_UNDEFINED(m->n_factors, sizeof m->n_factors);
        VALGRIND_MAKE_MEM_UNDEFINED(&m->n_inverse, sizeof m->n_inverse);
        VALGRIND_MAKE_MEM_UNDEFINED(m->r, sizeof m->r);
        VALGRIND_MAKE_MEM_UNDEFINED(m->r2, sizeof m->r2);
    }
    VALGRIND_MAKE_MEM_UNDEFINED(s->key.q_inverse, sizeof s->key.q_inverse);
}

static void prepare(void) {
    static uint8_t bases[BASES * WIDTH];
    memset(message, 1, sizeof message);
    modulo = prepared(200, 37);
    bases[WIDTH - 1] = bases[2 * WIDTH - 1] = bases[3 * WIDTH - 1] = 3;
    table = (power_table){&modulo, BASES, calloc(BASES * 256 * modulo.stride, 8)};
    unsigned state = kernel_begin();
    table_fill(&table, bases);
    kernel_end(state);
}
