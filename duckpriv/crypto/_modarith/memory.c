/* Memory for lanes, and what overwrites secrets. The curve's kernel is linked with it, too. */
#include "lanes.h"

#include <stdlib.h>
#ifdef _WIN32
#include <malloc.h>
#endif
#include <string.h>

#ifdef _WIN32
void *aligned_vecs(size_t count) { return _aligned_malloc((count ? count : 1) * sizeof(vec), sizeof(vec)); }
void free_vecs(void *memory) { _aligned_free(memory); }
#else
void *aligned_vecs(size_t count) {
    void *memory;
    return posix_memalign(&memory, sizeof(vec), (count ? count : 1) * sizeof(vec)) ? NULL : memory;
}
void free_vecs(void *memory) { free(memory); }
#endif

/* Overwrite secrets; the compiler may not leave this out. */
void wipe(void *memory, size_t size) {
    memset(memory, 0, size);
    __asm__ volatile("" : : "r"(memory) : "memory");
}

LANES_END
