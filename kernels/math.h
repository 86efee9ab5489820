// Scalar functions, step by step those of common/numerics/src/math.rs: each step is one IEEE operation or one fused multiply-add (the
// compiler is told to fuse none by itself), so that the same bits come out on the CPU.
#pragma once
#include "device.h"

#define LN_2 0.69314718f
#define TAU 6.2831853f

// Horner's rule, the highest power first.
template <int N>
DEVICE float polynomial(float x, const float (&c)[N]) {
    float p = c[0];
#pragma unroll
    for (int i = 1; i < N; i++) p = fmaf(x, p, c[i]);
    return p;
}

// exp(x) to 3e-7 relative; x is held to [-87, 88], and what is no number stays none.
DEVICE float exponential(float x) {
    const float magic = 12582912.f;  // adding it rounds to an integer that the low bits then hold
    x = x < -87.f ? -87.f : x > 88.f ? 88.f : x;
    float t = fmaf(x, 1.44269504f, magic), n = t - magic;
    float r = fmaf(n, 2.1219444e-4f, fmaf(n, -0.6933594f, x));
    const float c[] = {1.f / 720.f, 1.f / 120.f, 1.f / 24.f, 1.f / 6.f, 0.5f, 1.f, 1.f};
    return polynomial(r, c) * __int_as_float((int)((unsigned)__float_as_int(t) + 127u << 23));
}

// ln(x) of a positive normal number, to 5e-7.
DEVICE float logarithm(float x) {
    unsigned bits = (unsigned)__float_as_int(x), above = (bits & 0x7fffffu) > 0x3504f3u;
    float m = __int_as_float((int)((bits & 0x7fffffu) | (127u - above) << 23));  // in [sqrt 1/2, sqrt 2)
    float e = (float)((int)(bits >> 23) - 127 + (int)above);
    float s = (m - 1.f) / (m + 1.f);  // ln m = 2 atanh s
    const float c[] = {2.f / 9.f, 2.f / 7.f, 2.f / 5.f, 2.f / 3.f, 2.f};
    return fmaf(e, LN_2, s * polynomial(s * s, c));
}

// (sin, cos) of full turns, for turns in [-0.5, 0.5].
DEVICE float2 sin_cos_turns(float turns) {
    float half = rintf(turns + turns), x = fmaf(half, -0.5f, turns) * TAU, q = x * x;
    const float s[] = {-2.5052108e-8f, 2.7557319e-6f, -1.984127e-4f, 8.333333e-3f, -1.6666667e-1f, 1.f};
    const float c[] = {2.0876756e-9f, -2.755732e-7f, 2.4801587e-5f, -1.3888889e-3f, 4.1666667e-2f, -0.5f, 1.f};
    float sign = fmaf(half * -2.f, half, 1.f);
    float2 both = {x * polynomial(q, s) * sign, polynomial(q, c) * sign};
    return both;
}

// (-log Bernoulli(t; l), sigmoid(l)) from a logit l: max(l, 0) - l t + ln(1 + exp(-|l|)).
DEVICE float2 bernoulli_of(float l, float t) {
    float e = exponential(-fabsf(l)), a = 1.f + e, b = 2.f + e, r = 1.f / (a * b);
    float s = e * r * a, inverse = r * b;  // e / (2 + e), where ln(1 + e) = 2 atanh(s); and 1 / (1 + e)
    const float c[] = {2.f / 13.f, 2.f / 11.f, 2.f / 9.f, 2.f / 7.f, 2.f / 5.f, 2.f / 3.f, 2.f};
    float2 both = {fmaf(l, -t, fmaxf(l, 0.f)) + s * polynomial(s * s, c), l < 0.f ? e * inverse : inverse};
    return both;
}
DEVICE float sigmoid_of(float l) { return bernoulli_of(l, 0.f).y; }
DEVICE float softplus(float x) { return bernoulli_of(x, 0.f).x; }
DEVICE float hyperbolic_tangent(float x) {
    float e = exponential(-2.f * fabsf(x));
    return copysignf((1.f - e) / (1.f + e), x);
}

// What follows a layer. The numbers are those of backend/cuda/call.rs.
enum Act { ID, RELU, LEAKY_RELU, TANH, SOFTPLUS };

DEVICE float activate(float v, int act, float slope) {
    switch (act) {
        case RELU: return fmaxf(v, 0.f);
        case LEAKY_RELU: return fmaxf(v, slope * v);
        case TANH: return hyperbolic_tangent(v);
        case SOFTPLUS: return softplus(v);
        default: return v;
    }
}
// d times the derivative, told from the output y.
DEVICE float back_through(float d, float y, int act, float slope) {
    switch (act) {
        case RELU: return y > 0.f ? d : 0.f;
        case LEAKY_RELU: return d * (y > 0.f ? 1.f : slope);
        case TANH: return d * (1.f - y * y);
        case SOFTPLUS: return d * (1.f - exponential(-y));
        default: return d;
    }
}
