// Scalar functions; exp to tanh are bit-identical to common/numerics/src/math.rs: the same IEEE operations and fused
// multiply-adds in the same order, and no other contraction (--fmad=false).
#pragma once
#include "device.h"

#define LN_2 0.69314718f
#define TAU 6.2831853f

// Horner's rule; coefficients from the highest power down.
template <int N>
DEVICE float polynomial(float x, const float (&c)[N]) {
    float p = c[0];
#pragma unroll
    for (int i = 1; i < N; i++) p = fmaf(x, p, c[i]);
    return p;
}

// exp(x), relative error 3e-7; x is clamped to [-87, 88], and NaN propagates.
DEVICE float exponential(float x) {
    const float magic = 12582912.f;  // adding it rounds to an integer, in the low bits of the sum
    x = x < -87.f ? -87.f : x > 88.f ? 88.f : x;
    float t = fmaf(x, 1.44269504f, magic), n = t - magic;
    float r = fmaf(n, 2.1219444e-4f, fmaf(n, -0.6933594f, x));
    const float c[] = {1.f / 720.f, 1.f / 120.f, 1.f / 24.f, 1.f / 6.f, 0.5f, 1.f, 1.f};
    return polynomial(r, c) * __int_as_float((int)((unsigned)__float_as_int(t) + 127u << 23));
}

// ln(x) of a positive normal number, error 5e-7.
DEVICE float logarithm(float x) {
    unsigned bits = (unsigned)__float_as_int(x), above = (bits & 0x7fffffu) > 0x3504f3u;
    float m = __int_as_float((int)((bits & 0x7fffffu) | (127u - above) << 23));  // in [sqrt 1/2, sqrt 2)
    float e = (float)((int)(bits >> 23) - 127 + (int)above);
    float s = (m - 1.f) / (m + 1.f);  // ln m = 2 atanh s
    const float c[] = {2.f / 9.f, 2.f / 7.f, 2.f / 5.f, 2.f / 3.f, 2.f};
    return fmaf(e, LN_2, s * polynomial(s * s, c));
}

// (sin, cos) of 2 pi `turns`, for turns in [-0.5, 0.5].
DEVICE float2 sin_cos_turns(float turns) {
    float half = rintf(turns + turns), x = fmaf(half, -0.5f, turns) * TAU, q = x * x;
    const float s[] = {-2.5052108e-8f, 2.7557319e-6f, -1.984127e-4f, 8.333333e-3f, -1.6666667e-1f, 1.f};
    const float c[] = {2.0876756e-9f, -2.755732e-7f, 2.4801587e-5f, -1.3888889e-3f, 4.1666667e-2f, -0.5f, 1.f};
    float sign = fmaf(half * -2.f, half, 1.f);
    float2 both = {x * polynomial(q, s) * sign, polynomial(q, c) * sign};
    return both;
}

// (loss, mean): the binary cross-entropy -log Bernoulli(t; sigmoid(l)) = max(l, 0) - l t + ln(1 + exp(-|l|)), and
// sigmoid(l).
DEVICE float2 bernoulli(float l, float t) {
    float e = exponential(-fabsf(l)), a = 1.f + e, b = 2.f + e, r = 1.f / (a * b);
    float s = e * r * a, inverse = r * b;  // e / (2 + e), where ln(1 + e) = 2 atanh(s); and 1 / (1 + e)
    const float c[] = {2.f / 13.f, 2.f / 11.f, 2.f / 9.f, 2.f / 7.f, 2.f / 5.f, 2.f / 3.f, 2.f};
    float2 both = {fmaf(l, -t, fmaxf(l, 0.f)) + s * polynomial(s * s, c), l < 0.f ? e * inverse : inverse};
    return both;
}
DEVICE float sigmoid(float l) { return bernoulli(l, 0.f).y; }
DEVICE float softplus(float x) { return bernoulli(x, 0.f).x; }
DEVICE float hyperbolic_tangent(float x) {
    float e = exponential(-2.f * fabsf(x));
    return copysignf((1.f - e) / (1.f + e), x);
}

// The activation of a layer. The values are those of `activation_code` in common/src/backend/cuda/args.rs.
enum Activation { NONE, RELU, LEAKY_RELU, TANH, SOFTPLUS };

DEVICE float activation(float v, int act, float slope) {
    switch (act) {
        case RELU: return fmaxf(v, 0.f);
        case LEAKY_RELU: return fmaxf(v, slope * v);
        case TANH: return hyperbolic_tangent(v);
        case SOFTPLUS: return softplus(v);
        default: return v;
    }
}
// dy times the derivative of the activation, as a function of its output y.
DEVICE float activation_grad(float dy, float y, int act, float slope) {
    switch (act) {
        case RELU: return y > 0.f ? dy : 0.f;
        case LEAKY_RELU: return dy * (y > 0.f ? 1.f : slope);
        case TANH: return dy * (1.f - y * y);
        case SOFTPLUS: return dy * (1.f - exponential(-y));
        default: return dy;
    }
}
