#ifndef DUCKPRIV_HASHES_H
#define DUCKPRIV_HASHES_H

#include <stddef.h>
#include <stdint.h>

enum { SHA384_BYTES = 48, SHA512_BYTES = 64, SHA512_BLOCK = 128 };

/* One part of an input that stands in several places. */
typedef struct {
    const uint8_t *bytes;
    size_t length;
} part;

/* SHA-384 (FIPS 180-4, section 6.5) of the parts, one behind the other. */
void sha384(uint8_t out[SHA384_BYTES], const part *parts, size_t count);

/* SHA-512 (section 6.4), in steps, so that messages can share what stands before them. `end` writes
 * the first `bytes` of the hash, and erases the state. */
typedef struct {
    uint64_t h[8];
    uint8_t block[SHA512_BLOCK];
    uint64_t length;
} sha512_state;
extern const sha512_state SHA512_START;
void sha512_absorb(sha512_state *now, const part *more);
void sha512_end(uint8_t *out, size_t bytes, sha512_state *now);

/* SHAKE256 (FIPS 202, section 6.2) of the parts: `length` bytes. */
void shake256(uint8_t *out, size_t length, const part *parts, size_t count);

/* Sets memory to 0, also where the compiler sees that nobody reads it any more. */
void erase(void *memory, size_t length);

#endif
