/* Whether a kernel's work depends on secrets. What the program does with its argument
 *
 * valgrind  marks the secrets undefined, so that valgrind reports each branch and each address
 *           that depends on them (Langley's ctgrind);
 * trace     runs the processor's own instructions one by one, for several secrets, and compares
 *           which they are: valgrind does not know AVX-512. It also compares what is left on the
 *           stack, and asks the processor whether a product met a denormal number.
 *
 * With one more argument it branches on a secret, to show that this is found.
 *
 * Before this is included, `secrets` has to be a type, whose values can be copied. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <valgrind/memcheck.h>

#ifndef SECRETS
#define SECRETS 3
#endif
#define TRAP_FLAG 0x100 /* a signal after each instruction */

/* What each program has: */
static void prepare(void);
static secrets *make_secrets(uint8_t seed);
static void hide(secrets *s);             /* mark them undefined */
static void short_work(const secrets *s); /* is traced: one group of rows */
static void work(const secrets *s);       /* valgrind looks at it */
static void all_work(const secrets *s);   /* leaves nothing on the stack */

static int leaks;            /* whether to branch on a secret */
static unsigned met_strange; /* operands that are no normal numbers, and the like */

static void run(void (*part)(const secrets *), const secrets *s) {
    unsigned state = kernel_begin();
    part(s);
#ifdef BACKEND_AVX2 /* products of AVX-512 do not say; their operands are the same */
    met_strange |= _mm_getcsr() & _MM_EXCEPT_MASK & ~_MM_EXCEPT_INEXACT;
#endif
    kernel_end(state);
}

static int valgrind(void) {
    secrets *s = make_secrets(7);
    hide(s);
    run(work, s);
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
    run(short_work, s); /* a step takes up to 0.1 ms on a virtual machine */
    tracing = 0;
    return seen;
}

#define STACK (1 << 20)
static ucontext_t here, there;
static secrets given; /* always in one place: an address is no secret */

static void on_the_stack(void) { run(all_work, &given); }

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
    run(short_work, s[0]); /* the first calls of a library's functions look for them */
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
    if (met_strange)
        return puts("a product met a number that is no normal one"), 1;
    return 0;
}

int main(int count, char **arguments) {
    if (!backend_runs())
        return puts("this processor does not run this back end"), 0;
    if (count < 2)
        return puts("valgrind or trace?"), 2;
    leaks = count > 2;
    prepare();
    return strcmp(arguments[1], "trace") ? valgrind() : traced();
}
