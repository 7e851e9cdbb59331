#ifndef DUCKPRIV_HASHES_H
#define DUCKPRIV_HASHES_H

#include <stddef.h>
#include <stdint.h>

enum { SHA384_BYTES = 48 };

/* One part of an input that stands in several places. */
typedef struct {
    const uint8_t *bytes;
    size_t length;
} part;

/* SHA-384 (FIPS 180-4, section 6.5) of the parts, one behind the other. */
void sha384(uint8_t out[SHA384_BYTES], const part *parts, size_t count);

/* SHAKE256 (FIPS 202, section 6.2) of the parts: `length` bytes. */
void shake256(uint8_t *out, size_t length, const part *parts, size_t count);

/* Sets memory to 0, also where the compiler sees that nobody reads it any more. */
void erase(void *memory, size_t length);

#endif
