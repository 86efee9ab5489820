// What CUDA C++ has no name for.
#pragma once
#define DEVICE inline __device__

// Tensor cores: d += a · b with a [16, 8] and b [8, 8] in tf32, d [16, 8]; fragment layout: "mma.m16n8k8" of the PTX
// manual.
DEVICE void mma_tf32(float* d, const unsigned* a, const unsigned* b) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// The same in bf16, a [16, 16] and b [16, 8], two values per register: "mma.m16n8k16".
DEVICE void mma_bf16(float* d, const unsigned* a, const unsigned* b) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// A value that the compiler keeps in a register, rather than compute it anew in a loop.
DEVICE int pinned(int value) {
    asm volatile("" : "+r"(value));
    return value;
}
DEVICE size_t pinned(size_t value) {
    asm volatile("" : "+l"(value));
    return value;
}
// Round to nearest, ties away from zero: a significand of 11 bits.
DEVICE unsigned to_tf32(float x) {
    unsigned u;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(u) : "f"(x));
    return u;
}
// Round to nearest, ties to even: a pair of bf16, significands of 8 bits, `low` in the lower half.
DEVICE unsigned to_bf16(float low, float high) {
    unsigned u;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(u) : "f"(high), "f"(low));
    return u;
}
