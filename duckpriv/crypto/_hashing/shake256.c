/* SHAKE256 (FIPS 202). No branch and no address depends on what is hashed. */
#include "hashes.h"

#include <string.h>

enum { RATE = 136, ROUNDS = 24 };

/* FIPS 202, section 3.2.5 */
static const uint64_t IOTA[ROUNDS] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

/* Steps rho and pi (sections 3.2.2 and 3.2.3): where the lane at i goes to, beginning with lane 1,
 * and by how much it is rotated. */
static const uint8_t PI[24] = {10, 7,  11, 17, 18, 3, 5,  16, 8,  21, 24, 4,
                               15, 23, 19, 13, 12, 2, 20, 14, 22, 9,  6,  1};
static const uint8_t RHO[24] = {1,  3,  6,  10, 15, 21, 28, 36, 45, 55, 2,  14,
                                27, 41, 56, 8,  25, 43, 62, 18, 39, 61, 20, 44};

static uint64_t rotated(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

static void permute(uint64_t a[25]) {
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t c[5], b[25];
#pragma GCC unroll 5
        for (int x = 0; x < 5; x++)
            c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
#pragma GCC unroll 5
        for (int x = 0; x < 5; x++) {
            uint64_t d = c[(x + 4) % 5] ^ rotated(c[(x + 1) % 5], 1);
#pragma GCC unroll 5
            for (int y = 0; y < 25; y += 5)
                a[y + x] ^= d;
        }
        b[0] = a[0];
        uint64_t moving = a[1];
#pragma GCC unroll 24
        for (int i = 0; i < 24; i++) {
            b[PI[i]] = rotated(moving, RHO[i]);
            moving = a[PI[i]];
        }
#pragma GCC unroll 5
        for (int y = 0; y < 25; y += 5)
#pragma GCC unroll 5
            for (int x = 0; x < 5; x++)
                a[y + x] = b[y + x] ^ (~b[y + (x + 1) % 5] & b[y + (x + 2) % 5]);
        a[0] ^= IOTA[round];
    }
}

static void add(uint64_t a[25], size_t at, uint8_t byte) {
    a[at / 8] ^= (uint64_t)byte << 8 * (at % 8);
}

void shake256(uint8_t *out, size_t length, const part *parts, size_t count) {
    uint64_t a[25] = {0};
    size_t at = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < parts[i].length; j++) {
            add(a, at++, parts[i].bytes[j]);
            if (at == RATE) {
                permute(a);
                at = 0;
            }
        }
    add(a, at, 0x1f);
    add(a, RATE - 1, 0x80);
    for (size_t i = 0; i < length; i++) {
        if (i % RATE == 0)
            permute(a);
        out[i] = (uint8_t)(a[i % RATE / 8] >> 8 * (i % 8));
    }
    erase(a, sizeof a);
}
