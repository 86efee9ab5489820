// Counter-based random numbers, bit-identical to common/numerics/src/rng.rs: Philox 4x32-10 (Salmon et al., SC 2011) with the
// key [seed, purpose] and the counter [quad, sample, item, epoch].
#pragma once
#include "math.h"

// As in common/numerics/src/rng.rs.
enum Purpose { LATENT = 3, BINARIZE = 8 };

DEVICE uint4 philox(unsigned seed, unsigned purpose, uint4 c) {
    for (int round = 0; round < 10; round++) {
        unsigned long long a = (unsigned long long)c.x * 0xD2511F53u, b = (unsigned long long)c.z * 0xCD9E8D57u;
        uint4 next = {(unsigned)(b >> 32) ^ c.y ^ seed, (unsigned)b, (unsigned)(a >> 32) ^ c.w ^ purpose, (unsigned)a};
        c = next;
        seed += 0x9E3779B9u;
        purpose += 0xBB67AE85u;
    }
    return c;
}

// Uniform in [0, 1), a multiple of 2^-24.
DEVICE float uniform(unsigned bits) { return (float)(bits >> 8) / 16777216.f; }

DEVICE float4 uniform4(unsigned seed, unsigned purpose, uint4 counter) {
    uint4 u = philox(seed, purpose, counter);
    float4 four = {uniform(u.x), uniform(u.y), uniform(u.z), uniform(u.w)};
    return four;
}

// Two draws from N(0, 1): the Box-Muller transform of the bits of a radius and of an angle.
DEVICE float2 normal2(unsigned r, unsigned angle) {
    float above_zero = ((float)(r >> 8) + 1.f) / 16777216.f;
    float radius = sqrtf(fmaxf(-2.f * logarithm(above_zero), 0.f));
    float2 both = sin_cos_turns(uniform(angle) - 0.5f);
    float2 pair = {radius * both.y, radius * both.x};
    return pair;
}

DEVICE float4 normal4(unsigned seed, unsigned purpose, uint4 counter) {
    uint4 u = philox(seed, purpose, counter);
    float2 one = normal2(u.x, u.y), two = normal2(u.z, u.w);
    float4 four = {one.x, one.y, two.x, two.y};
    return four;
}
