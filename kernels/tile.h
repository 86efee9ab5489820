// One tile of a product c [m, n] = a b by a block of 256 threads.
//
//                     k                 n               A block computes BM x BN values of c. It goes through k in chunks of
//                 ┌────────┐        ┌─────┐             SLICES · BK: all threads bring a chunk of a and of b to shared memory,
//               m │ a      │  ·   k │ b   │             and each warp multiplies a part WM x WN of the tile over the BK values
//                 └────────┘        └─────┘             of k of its slice. At the end the slices are added up, in order.
//
// The order of every sum depends on the shapes alone. Slices give small products enough warps: their tiles are few.
//
// An operand lies in memory either with k side by side, [rows, k], or with rows side by side, [k, rows], and in shared memory
// as it lies in memory, in cells: a value each, or two of bf16 that follow each other in k. What is behind each line there
// (4 or 8 cells) puts the lanes of a warp that reads it on different banks.
#pragma once
#include "math.h"
#include "program.h"

template <int BM_, int BN_, int WM_, int WN_, int SLICES_, int BK_, int BUFFERS_>
struct Shape {
    static constexpr int BM = BM_, BN = BN_, WM = WM_, WN = WN_, SLICES = SLICES_, BK = BK_, BUFFERS = BUFFERS_;
    static constexpr int CHUNK = SLICES * BK, VALUES = WM * WN / 32;  // values of c for each thread
    static_assert(BM / WM * (BN / WN) * SLICES * 32 == THREADS, "a part of the tile for each warp");
};
using Thin = Shape<16, 32, 16, 32, 8, 16, 1>;    // few rows: many small tiles
using Wide = Shape<64, 64, 32, 32, 2, 16, 2>;
using Large = Shape<128, 128, 32, 64, 1, 16, 2>;  // the most work for each value that is brought

// Four values side by side, of which there are so many; the others are 0. `whole`: they lie as a float4 may.
DEVICE float4 load4(const float* from, int count, bool whole) {
    if (whole && count >= 4) return *(const float4*)from;
    float4 v = {from[0], count > 1 ? from[1] : 0.f, count > 2 ? from[2] : 0.f, count > 3 ? from[3] : 0.f};
    return v;
}
DEVICE void store4(float* to, float4 v, int count, bool whole) {
    if (whole && count >= 4) {
        *(float4*)to = v;
        return;
    }
    to[0] = v.x;
    if (count > 1) to[1] = v.y;
    if (count > 2) to[2] = v.z;
    if (count > 3) to[3] = v.w;
}

// A chunk of an operand: ROWS of it (of m, or of n) by CHUNK values of k; K: whether those lie side by side; PER: values of k
// in a cell.
template <bool K_, int ROWS, int CHUNK, int PER>
struct Operand {
    static constexpr bool K = K_;
    static constexpr int LINE = K ? CHUNK / PER + 4 : ROWS + 8, CELLS = (K ? ROWS : CHUNK / PER) * LINE;
    static constexpr int QUADS = ROWS * CHUNK / 4 / THREADS, BESIDE = (K ? CHUNK : ROWS) / 4;
    static_assert(QUADS % 2 == 0, "a thread brings pairs of k");
    float4 held[QUADS];

    // Which line quad i of this thread is in, and where in it. Where rows lie side by side, every second quad lies under the
    // one before, so that a thread has both values of a pair.
    static DEVICE int place(int i) { return threadIdx.x + (K ? i : i / 2) * THREADS; }
    static DEVICE int line(int i) { return K ? place(i) / BESIDE : place(i) / BESIDE * 2 + i % 2; }
    static DEVICE int inside(int i) { return place(i) % BESIDE * 4; }

    // To registers, with zeros beyond `rows` and `end`.
    DEVICE void fetch(const float* from, int ld, int row0, int rows, int k0, int end) {
#pragma unroll
        for (int i = 0; i < QUADS; i++) {
            int outer = (K ? row0 : k0) + line(i), inner = (K ? k0 : row0) + inside(i);
            int outer_end = K ? rows : end, inner_end = K ? end : rows;
            const float* at = from + (size_t)outer * ld + inner;
            float4 v = {0.f, 0.f, 0.f, 0.f};
            if (outer < outer_end && inner < inner_end) v = load4(at, inner_end - inner, ld % 4 == 0);
            held[i] = v;
        }
    }
    // And from there to shared memory.
    template <class Math>
    DEVICE void store(float* tile) const {
        static_assert(PER == 1 || PER == 2, "a value or a pair");
#pragma unroll
        for (int i = 0; i < QUADS; i++) {
            float4 v = held[i];
            if constexpr (PER == 1) {
                float4 cells = {Math::cell(v.x), Math::cell(v.y), Math::cell(v.z), Math::cell(v.w)};
                *(float4*)(tile + line(i) * LINE + inside(i)) = cells;
            } else if constexpr (K) {
                float2 cells = {Math::cell(v.x, v.y), Math::cell(v.z, v.w)};
                *(float2*)(tile + line(i) * LINE + inside(i) / 2) = cells;
            } else if (i % 2 == 0) {
                float4 w = held[i + 1];
                float4 cells = {Math::cell(v.x, w.x), Math::cell(v.y, w.y), Math::cell(v.z, w.z), Math::cell(v.w, w.w)};
                *(float4*)(tile + line(i) / 2 * LINE + inside(i)) = cells;
            }
        }
    }
    // The bits of the cell of this k.
    static DEVICE unsigned at(const float* tile, int row, int k) {
        return __float_as_int(tile[K ? row * LINE + k / PER : k / PER * LINE + row]);
    }
};

// Products and sums of f32. The lanes of a warp are 4 x 8, each with TM rows and TN columns of its part.
struct Fp32 {
    static constexpr int PER = 1;
    static DEVICE float cell(float v) { return v; }

    // Which row, or column, value i of this of so many lanes is.
    template <class O, int LANES>
    static DEVICE int place(int lane, int i) {
        return O::K ? lane + LANES * i : i / 4 * 4 * LANES + lane * 4 + i % 4;
    }
    // Four values of k of each of them.
    template <class O, int LANES, int N>
    static DEVICE void read(float (&v)[N][4], const float* tile, int row0, int lane, int k) {
#pragma unroll
        for (int i = 0; i < N; i++) {
            const float* from = O::K ? tile + (row0 + lane + LANES * i) * O::LINE + k
                                     : tile + (k + i % 4) * O::LINE + row0 + i / 4 * 4 * LANES + lane * 4;
            float4 four = *(const float4*)from;
            (O::K ? v[i][0] : v[i / 4 * 4 + 0][i % 4]) = four.x;
            (O::K ? v[i][1] : v[i / 4 * 4 + 1][i % 4]) = four.y;
            (O::K ? v[i][2] : v[i / 4 * 4 + 2][i % 4]) = four.z;
            (O::K ? v[i][3] : v[i / 4 * 4 + 3][i % 4]) = four.w;
        }
    }
    template <class S, class A, class B>
    static DEVICE void multiply(float (&c)[S::VALUES], const float* a, const float* b, int m0, int n0, int k0, int lane) {
        constexpr int TM = S::WM / 4, TN = S::WN / 8;
#pragma unroll 1
        for (int k = k0; k < k0 + S::BK; k += 4) {
            float va[TM][4], vb[TN][4];
            read<A, 4>(va, a, m0, lane / 8, k);
            read<B, 8>(vb, b, n0, lane % 8, k);
#pragma unroll
            for (int q = 0; q < 4; q++)
#pragma unroll
                for (int i = 0; i < TM; i++)
#pragma unroll
                    for (int j = 0; j < TN; j++) c[i * TN + j] = fmaf(va[i][q], vb[j][q], c[i * TN + j]);
        }
    }
    template <class S, class A>
    static DEVICE int row(int lane, int value) { return place<A, 4>(lane / 8, value / (S::WN / 8)); }
    template <class S, class B>
    static DEVICE int column(int lane, int value) { return place<B, 8>(lane % 8, value % (S::WN / 8)); }
};

// Where the values of c lie in the fragments of a warp: 16 x 8 at a time, four to a lane.
struct Fragments {
    template <class S, class A>
    static DEVICE int row(int lane, int value) { return value / 4 / (S::WN / 8) * 16 + lane / 4 + value % 4 / 2 * 8; }
    template <class S, class B>
    static DEVICE int column(int lane, int value) { return value / 4 % (S::WN / 8) * 8 + lane % 4 * 2 + value % 2; }
};

// Products of tf32, sums of f32.
struct Tf32 : Fragments {
    static constexpr int PER = 1;
    static DEVICE float cell(float v) { return __int_as_float((int)to_tf32(v)); }

    template <class S, class A, class B>
    static DEVICE void multiply(float (&c)[S::VALUES], const float* a, const float* b, int m0, int n0, int k0, int lane) {
        constexpr int MT = S::WM / 16, NT = S::WN / 8;
        int g = lane / 4, t = lane % 4;
#pragma unroll
        for (int k = k0; k < k0 + S::BK; k += 8) {
            unsigned va[MT][4], vb[NT][2];
#pragma unroll
            for (int i = 0; i < MT * 4; i++)
                va[i / 4][i % 4] = A::at(a, m0 + i / 4 * 16 + g + i % 2 * 8, k + t + i % 4 / 2 * 4);
#pragma unroll
            for (int j = 0; j < NT * 2; j++) vb[j / 2][j % 2] = B::at(b, n0 + j / 2 * 8 + g, k + t + j % 2 * 4);
#pragma unroll
            for (int i = 0; i < MT * NT; i++) mma_tf32(c + 4 * i, va[i / NT], vb[i % NT]);
        }
    }
};

// Products of bf16, sums of f32.
struct Bf16 : Fragments {
    static constexpr int PER = 2;
    static DEVICE float cell(float first, float second) { return __int_as_float((int)to_bf16(first, second)); }

    template <class S, class A, class B>
    static DEVICE void multiply(float (&c)[S::VALUES], const float* a, const float* b, int m0, int n0, int k0, int lane) {
        constexpr int MT = S::WM / 16, NT = S::WN / 8;
        int g = lane / 4, t = lane % 4;
#pragma unroll
        for (int k = k0; k < k0 + S::BK; k += 16) {
            unsigned va[MT][4], vb[NT][2];
#pragma unroll
            for (int i = 0; i < MT * 4; i++)
                va[i / 4][i % 4] = A::at(a, m0 + i / 4 * 16 + g + i % 2 * 8, k + 2 * t + i % 4 / 2 * 8);
#pragma unroll
            for (int j = 0; j < NT * 2; j++) vb[j / 2][j % 2] = B::at(b, n0 + j / 2 * 8 + g, k + 2 * t + j % 2 * 8);
#pragma unroll
            for (int i = 0; i < MT * NT; i++) mma_bf16(c + 4 * i, va[i / NT], vb[i % NT]);
        }
    }
};

// Calls finish(row, column, values) once for every four values in a row of the tile at [m0, n0] of the product over k from k0
// to `end`. KA and KB: how a and b lie.
template <class S, class Math, bool KA, bool KB, class Finish>
DEVICE void tile(const Product& p, int m0, int n0, int k0, int end, const Finish& finish) {
    using A = Operand<KA, S::BM, S::CHUNK, Math::PER>;
    using B = Operand<KB, S::BN, S::CHUNK, Math::PER>;
    constexpr int BUFFER = A::CELLS + B::CELLS, SUMS = S::SLICES * S::WM * S::BN;
    constexpr int ALL = S::BUFFERS * BUFFER > SUMS ? S::BUFFERS * BUFFER : SUMS;
    __shared__ float4 shared[(ALL + 3) / 4];
    float* memory = (float*)shared;

    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int slice = warp / (S::BM / S::WM * (S::BN / S::WN)), part = warp % (S::BM / S::WM * (S::BN / S::WN));
    int row0 = part / (S::BN / S::WN) * S::WM, column0 = part % (S::BN / S::WN) * S::WN;
    float c[S::VALUES] = {};
    A a;
    B b;
    a.fetch(p.a, p.lda, m0, p.m, k0, end);
    b.fetch(p.b, p.ldb, n0, p.n, k0, end);
    for (int k = k0, buffer = 0; k < end; k += S::CHUNK, buffer = (buffer + 1) % S::BUFFERS) {
        float *ta = memory + buffer * BUFFER, *tb = ta + A::CELLS;
        if (S::BUFFERS == 1) __syncthreads();  // everyone has read the last chunk
        a.template store<Math>(ta);
        b.template store<Math>(tb);
        __syncthreads();
        if (k + S::CHUNK < end) {
            a.fetch(p.a, p.lda, m0, p.m, k + S::CHUNK, end);
            b.fetch(p.b, p.ldb, n0, p.n, k + S::CHUNK, end);
        }
        Math::template multiply<S, A, B>(c, ta, tb, row0, column0, slice * S::BK, lane);
    }

    // Part by part of its rows the tile goes through shared memory once more: the slices are added up, and c is written in order.
    constexpr int PIECE = S::WM * S::BN;
    for (int piece = 0; piece < S::BM / S::WM; piece++) {
        __syncthreads();
        if (row0 == piece * S::WM)
#pragma unroll
            for (int i = 0; i < S::VALUES; i++) {
                int row = Math::template row<S, A>(lane, i), column = column0 + Math::template column<S, B>(lane, i);
                memory[slice * PIECE + row * S::BN + column] = c[i];
            }
        __syncthreads();
#pragma unroll 1
        for (int i = 4 * threadIdx.x; i < PIECE; i += 4 * THREADS) {
            float4 sum = *(const float4*)(memory + i);
            for (int other = 1; other < S::SLICES; other++) {
                float4 v = *(const float4*)(memory + other * PIECE + i);
                sum = {sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w};
            }
            int row = m0 + piece * S::WM + i / S::BN, column = n0 + i % S::BN;
            if (row < p.m && column < p.n) finish(row, column, sum);
        }
    }
}
