/* SHA-512 and SHA-384 (FIPS 180-4, sections 6.4 and 6.5). No branch and no address depends on what is hashed. */
#include "hashes.h"

#include <string.h>

enum { BLOCK = SHA512_BLOCK, ROUNDS = 80 };

/* The first 64 bits of the fractional parts of the cube roots of the first 80 primes. */
static const uint64_t K[ROUNDS] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static uint64_t rotated(uint64_t x, int bits) {
    return x >> bits | x << (64 - bits);
}

static uint64_t load(const uint8_t *bytes) {
    uint64_t x = 0;
    for (int i = 0; i < 8; i++)
        x = x << 8 | bytes[i];
    return x;
}

static void store(uint8_t *bytes, uint64_t x) {
    for (int i = 7; i >= 0; i--, x >>= 8)
        bytes[i] = (uint8_t)x;
}

static void compress(uint64_t h[8], const uint8_t block[BLOCK]) {
    uint64_t w[16], s[8];
    for (int t = 0; t < 16; t++)
        w[t] = load(block + 8 * t);
    memcpy(s, h, sizeof s);
    /* Variable i of the standard stands at s[(i - t) mod 8], and W_t at w[t mod 16], so that
     * nothing moves. */
#define AT(i) s[((i) + 16 - j) % 8]
#define W(i) w[(j + (i)) % 16]
    for (int t = 0; t < ROUNDS; t += 16) {
#pragma GCC unroll 16
        for (int j = 0; j < 16; j++) {
            uint64_t a = AT(0), e = AT(4);
            AT(7) += (rotated(e, 14) ^ rotated(e, 18) ^ rotated(e, 41)) +
                     ((e & AT(5)) ^ (~e & AT(6))) + K[t + j] + W(0);
            AT(3) += AT(7);
            AT(7) += (rotated(a, 28) ^ rotated(a, 34) ^ rotated(a, 39)) +
                     ((a & AT(1)) ^ (a & AT(2)) ^ (AT(1) & AT(2)));
            uint64_t x = W(1), y = W(14); /* of W_(t + 16) */
            W(0) += W(9) + (rotated(x, 1) ^ rotated(x, 8) ^ x >> 7) +
                    (rotated(y, 19) ^ rotated(y, 61) ^ y >> 6);
        }
    }
#undef AT
#undef W
    for (int i = 0; i < 8; i++)
        h[i] += s[i];
    erase(w, sizeof w);
    erase(s, sizeof s);
}

void sha512_absorb(sha512_state *now, const part *more) {
    const uint8_t *bytes = more->bytes;
    size_t length = more->length;
    while (length) {
        size_t at = now->length % BLOCK, size = BLOCK - at < length ? BLOCK - at : length;
        memcpy(now->block + at, bytes, size);
        now->length += size;
        bytes += size;
        length -= size;
        if (now->length % BLOCK == 0)
            compress(now->h, now->block);
    }
}

void sha512_end(uint8_t *out, size_t bytes, sha512_state *now) {
    uint64_t bits = 8 * now->length;
    uint8_t end[BLOCK] = {0x80}, size[16] = {0};
    store(size + 8, bits);
    sha512_absorb(now, &(part){end, 1 + (2 * BLOCK - 17 - now->length % BLOCK) % BLOCK});
    sha512_absorb(now, &(part){size, sizeof size});
    for (size_t i = 0; i < bytes / 8; i++)
        store(out + 8 * i, now->h[i]);
    erase(now, sizeof *now);
}

const sha512_state SHA512_START = {
    .h = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
          0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179},
};

void sha384(uint8_t out[SHA384_BYTES], const part *parts, size_t count) {
    sha512_state now = {
        .h = {0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
              0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4},
    };
    for (size_t i = 0; i < count; i++)
        sha512_absorb(&now, &parts[i]);
    sha512_end(out, SHA384_BYTES, &now);
}
