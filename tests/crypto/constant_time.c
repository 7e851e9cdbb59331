/* Whether the kernel's work depends on secrets. What it does with the argument
 *
 * valgrind  marks the secrets undefined, so that valgrind reports each branch and each address
 *           that depends on them (Langley's ctgrind);
 * trace     runs the processor's own instructions one by one, for three secrets, and compares which
 *           they are: valgrind does not know AVX-512. It also compares what is left on the
 *           stack, and asks the processor whether a product met a denormal number.
 *
 * With one more argument it branches on a secret, to show that this is found. */
#define _GNU_SOURCE
#include "kernel.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <valgrind/memcheck.h>

#define WIDTH 66 /* bytes: 528 bits, 15 or 16 limbs */
#define LIMBS ((WIDTH * 8 + 4 + LIMB_BITS * TILE - 1) / (LIMB_BITS * TILE) * TILE)
#define WINDOWS 2
#define ROWS (LANES + 1)
#define SECRETS 3
#define BASES 3
#define TRAP_FLAG 0x100 /* a signal after each instruction */

/* Everything that is secret. */
typedef struct {
    rsa_key key;
    uint8_t p_digits[WINDOWS], q_digits[WINDOWS];
    uint8_t x[ROWS * WIDTH];
    uint8_t exponents[ROWS * BASES];
} secrets;

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

static int leaks; /* whether to branch on a secret */

static void power_by_rsa(const secrets *s, size_t rows) {
    if (leaks && s->p_digits[1] == 7)
        puts("a branch on a secret");
    unsigned state = kernel_begin();
    wiped(&s->key.p, rows_rsa(&s->key, out, message, rows));
    kernel_end(state);
}

static void work(const secrets *s) {
    power_by_rsa(s, ROWS);
    unsigned state = kernel_begin();
    rows_are_below(modulo.n_bytes, WIDTH, s->x, ROWS);
    wiped(&modulo, rows_power(&modulo, out, s->x, ROWS, s->p_digits, WINDOWS, 0));
    kernel_end(state);
}

static int valgrind(void) {
    secrets *s = make_secrets(7);
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
    work(s);
    return 0;
}

/* How many instructions of this program ran (malloc's depend on the heap), and a hash (FNV-1a) of
 * their addresses. */
typedef struct {
    uint64_t steps, hash;
} steps;
static volatile steps seen;
static volatile int tracing;
extern const char __executable_start, etext;

static void on_step(int number, siginfo_t *about, void *context) {
    (void)number;
    (void)about;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    uint64_t at = (uint64_t)registers[REG_RIP];
    if (at >= (uint64_t)&__executable_start && at < (uint64_t)&etext) {
        seen.steps++;
        seen.hash = (seen.hash ^ at) * 1099511628211u;
    }
    if (!tracing)
        registers[REG_EFL] &= ~TRAP_FLAG;
}

__attribute__((noinline)) static steps trace(const secrets *s) {
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
    seen = (steps){0, 14695981039346656037u};
    tracing = 1;
    __asm__ volatile("sub $128, %%rsp\n pushfq\n orq %0, (%%rsp)\n popfq\n add $128, %%rsp"
                     : : "i"(TRAP_FLAG) : "cc", "memory"); /* below what the compiler may use */
    power_by_rsa(s, 1); /* one group: a step takes up to 0.1 ms on a virtual machine */
    tracing = 0;
    return seen;
}

#define STACK (1 << 20)
static ucontext_t here, there;
static secrets given; /* always in one place: an address is no secret */

static void on_the_stack(void) {
    work(&given);
    wiped(&modulo, table_powers_times(&table, out, given.exponents, given.x, ROWS));
}

/* What work leaves on a stack that was all zeros. */
static void leave(const secrets *s, uint8_t *left) {
    static uint8_t stack[STACK] __attribute__((aligned(64)));
    memset(stack, 0, STACK);
    given = *s;
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = STACK;
    there.uc_link = &here;
    makecontext(&there, on_the_stack, 0);
    swapcontext(&here, &there);
    memcpy(left, stack, STACK);
}

static int traced(void) {
    const secrets *s[SECRETS];
    steps ran[SECRETS];
    static uint8_t left[SECRETS][STACK];
    for (int i = 0; i < SECRETS; i++)
        s[i] = make_secrets((uint8_t)(3 + 4 * i));
    power_by_rsa(s[0], 1); /* the first calls of a library's functions look for them */
    for (int i = 0; i < SECRETS; i++)
        ran[i] = trace(s[i]);
    getcontext(&there);
    leave(s[0], left[0]); /* from here on malloc gives the same addresses */
    printf("%llu instructions\n", (unsigned long long)ran[0].steps);
    for (int i = 0; i < SECRETS; i++) {
        leave(s[i], left[i]);
        if (memcmp(&ran[i], &ran[0], sizeof ran[0]))
            return puts("which instructions run depends on a secret"), 1;
        if (memcmp(left[i], left[0], STACK))
            return puts("what is left on the stack depends on a secret"), 1;
    }
#ifdef BACKEND_AVX2 /* products of AVX-512 do not say; their operands are the same */
    unsigned state = kernel_begin();
    rows_rsa(&make_secrets(5)->key, out, message, ROWS);
    if (_mm_getcsr() & _MM_EXCEPT_MASK & ~_MM_EXCEPT_INEXACT)
        return puts("a product met a number that is no normal one"), 1;
    kernel_end(state);
#endif
    return 0;
}

int main(int count, char **arguments) {
    static uint8_t bases[BASES * WIDTH];
    if (!backend_runs())
        return puts("this processor does not run this back end"), 0;
    if (count < 2)
        return puts("valgrind or trace?"), 2;
    leaks = count > 2;
    memset(message, 1, sizeof message);
    modulo = prepared(200, 37);
    bases[WIDTH - 1] = bases[2 * WIDTH - 1] = bases[3 * WIDTH - 1] = 3;
    table = (power_table){&modulo, BASES, calloc(BASES * 256 * modulo.stride, 8)};
    unsigned state = kernel_begin();
    table_fill(&table, bases);
    kernel_end(state);
    return strcmp(arguments[1], "trace") ? valgrind() : traced();
}
