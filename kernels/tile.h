// One tile of a GEMM c [m, n] = a · b, computed by a block of 256 threads.
//
//                     k                 n               A block computes a tile of BM x BN elements. It loops over k in steps
//                 ┌────────┐        ┌─────┐             of BK = SLICES · WK: all threads load a tile of a and a tile of b into
//               m │ a      │  ·   k │ b   │             shared memory, and each warp accumulates a warp tile of WM x WN over
//                 └────────┘        └─────┘             the WK values of k of its slice (sliced-K). A reduction in shared
//                                                       memory adds the slices, in order.
//
// The order of every sum depends on the shapes alone. Slices give small GEMMs enough warps: their tiles are few.
//
// An operand is K-major, [rows, k] with k contiguous, or MN-major, [k, rows]. It has the same layout in shared memory,
// in packed elements: one value, or two bf16 that are adjacent in k. The padding of each line there (4 or 8 elements)
// avoids bank conflicts between the lanes of a warp.
#pragma once
#include "args.h"
#include "math.h"

template <int BM_, int BN_, int WM_, int WN_, int SLICES_, int WK_, int STAGES_>
struct Tile {
    static constexpr int BM = BM_, BN = BN_, WM = WM_, WN = WN_, SLICES = SLICES_, WK = WK_, STAGES = STAGES_;
    static constexpr int BK = SLICES * WK, ACCUMULATORS = WM * WN / 32;  // accumulators: per thread
    static_assert(BM / WM * (BN / WN) * SLICES * 32 == THREADS, "a warp for each warp tile of each slice");
};
using Small = Tile<16, 32, 16, 32, 8, 16, 1>;    // few rows: many small tiles
using Medium = Tile<64, 64, 32, 32, 2, 16, 2>;
using Large = Tile<128, 128, 32, 64, 1, 16, 2>;  // the most arithmetic per load

// Up to four adjacent values; those beyond `count` are 0. `aligned`: the address is a multiple of 16 bytes.
DEVICE float4 load4(const float* from, int count, bool aligned) {
    if (aligned && count >= 4) return *(const float4*)from;
    float4 v = {from[0], count > 1 ? from[1] : 0.f, count > 2 ? from[2] : 0.f, count > 3 ? from[3] : 0.f};
    return v;
}
DEVICE void store4(float* to, float4 v, int count, bool aligned) {
    if (aligned && count >= 4) {
        *(float4*)to = v;
        return;
    }
    to[0] = v.x;
    if (count > 1) to[1] = v.y;
    if (count > 2) to[2] = v.z;
    if (count > 3) to[3] = v.w;
}

// The part of an operand that one step over k needs: ROWS (of m, or of n) by BK. K_MAJOR: its layout; PACK: values of k
// per element of shared memory.
template <bool K_MAJOR_, int ROWS, int BK, int PACK>
struct Operand {
    static constexpr bool K_MAJOR = K_MAJOR_;
    static constexpr int PER_ELEMENT = PACK;
    static constexpr int PITCH = K_MAJOR ? BK / PACK + 4 : ROWS + 8, SIZE = (K_MAJOR ? ROWS : BK / PACK) * PITCH;
    static constexpr int LOADS = ROWS * BK / 4 / THREADS, LOADS_PER_LINE = (K_MAJOR ? BK : ROWS) / 4;
    static_assert(LOADS % 2 == 0, "a thread loads pairs of k");
    // Lines that the threads of one pass over the banks store to: 8 threads of float4, or 16 of float2. In shared memory
    // they must be apart (see `line`).
    static constexpr int LINES = (PACK == 1 ? 8 : 16) / LOADS_PER_LINE > 1 ? (PACK == 1 ? 8 : 16) / LOADS_PER_LINE : 1;
    static constexpr int LINES_PER_LOAD = THREADS / LOADS_PER_LINE;
    static_assert(LINES_PER_LOAD % 8 == 0, "loads of a thread are whole groups of lines apart");
    float4 loaded[LOADS];
    const float* next;  // load 0 of the next step, in global memory
    size_t ld;          // from one line to the next
    int place;          // load 0, in shared memory
    bool whole;         // no row lies beyond the end, and lines are aligned

    // The line and column of load 0 of this thread. In an MN-major operand odd loads are one line below even ones, so
    // that a thread has both values of a pack. In a K-major one the lines of eight are taken 8 / LINES apart: with a pitch
    // of 4 more than a power of two, stores to them fall into different banks.
    static DEVICE int line() {
        int s = threadIdx.x / LOADS_PER_LINE;
        return K_MAJOR ? s / 8 * 8 + s % LINES * (8 / LINES) + s / LINES % (8 / LINES) : s * 2;
    }
    static DEVICE int column() { return threadIdx.x % LOADS_PER_LINE * 4; }
    // Lines from load 0 to load i.
    static DEVICE int below(int i) { return K_MAJOR ? i * LINES_PER_LOAD : i / 2 * 2 * LINES_PER_LOAD + i % 2; }

    // The first step is at k0.
    DEVICE void begin(const float* from, int line_length, int row0, int rows, int k0) {
        ld = pinned((size_t)line_length);
        next = from + ((K_MAJOR ? row0 : k0) + line()) * ld + (K_MAJOR ? k0 : row0) + column();
        place = pinned(K_MAJOR ? at(line(), column()) : at(column(), line()));
        whole = row0 + ROWS <= rows && ld % 4 == 0;
    }
    // Global memory to registers, with zero padding beyond `rows` and `end`; then the next step.
    DEVICE void load_global(int row0, int rows, int k0, int end) {
        if (whole && k0 + BK <= end) {
#pragma unroll
            for (int i = 0; i < LOADS; i++)
                loaded[i] = *(const float4*)(next + below(i) * ld);
        } else {
            load_edge(row0, rows, k0, end);
        }
        next += K_MAJOR ? BK : BK * ld;
    }
    DEVICE void load_edge(int row0, int rows, int k0, int end) {
#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            int outer = (K_MAJOR ? row0 : k0) + line() + below(i), inner = (K_MAJOR ? k0 : row0) + column();
            int outer_end = K_MAJOR ? rows : end, inner_end = K_MAJOR ? end : rows;
            const float* at = next + below(i) * ld;
            float4 v = {0.f, 0.f, 0.f, 0.f};
            if (outer < outer_end && inner < inner_end) v = load4(at, inner_end - inner, ld % 4 == 0);
            loaded[i] = v;
        }
    }
    // Registers to shared memory, packed.
    template <class Math>
    DEVICE void store_shared(float* tile) const {
        static_assert(PACK == 1 || PACK == 2, "a value or a pair");
#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            float4 v = loaded[i];
            if constexpr (PACK == 1) {
                float4 packed = {Math::pack(v.x), Math::pack(v.y), Math::pack(v.z), Math::pack(v.w)};
                *(float4*)(tile + place + below(i) * PITCH) = packed;
            } else if constexpr (K_MAJOR) {
                float2 packed = {Math::pack(v.x, v.y), Math::pack(v.z, v.w)};
                *(float2*)(tile + place + below(i) * PITCH) = packed;
            } else if (i % 2 == 0) {
                float4 w = loaded[i + 1];
                float4 packed = {Math::pack(v.x, w.x), Math::pack(v.y, w.y), Math::pack(v.z, w.z), Math::pack(v.w, w.w)};
                *(float4*)(tile + place + below(i) / 2 * PITCH) = packed;
            }
        }
    }
    // The index of the element that holds k of a row; linear for multiples of PACK.
    static DEVICE constexpr int at(int row, int k) { return K_MAJOR ? row * PITCH + k / PACK : k / PACK * PITCH + row; }
};

// Products and sums in f32. The lanes of a warp form a 4 x 8 grid; each accumulates TM x TN elements of the warp tile.
struct Fp32 {
    static constexpr int PACK = 1;
    static DEVICE float pack(float v) { return v; }

    // The row (or column) of element i of a lane, one of LANES.
    template <class O, int LANES>
    static DEVICE int index(int lane, int i) {
        return O::K_MAJOR ? lane + LANES * i : i / 4 * 4 * LANES + lane * 4 + i % 4;
    }
    // Where the fragments of a lane begin.
    template <class O>
    static DEVICE int begin_a(int row0, int k0, int lane) { return O::at(row0 + lane / 8 * (O::K_MAJOR ? 1 : 4), k0); }
    template <class O>
    static DEVICE int begin_b(int row0, int k0, int lane) { return O::at(row0 + lane % 8 * (O::K_MAJOR ? 1 : 4), k0); }
    // A fragment: four values of k for each of N rows (or columns).
    template <class O, int LANES, int N>
    static DEVICE void load_fragment(float (&v)[N][4], const float* tile) {
#pragma unroll
        for (int i = 0; i < N; i++) {
            const float* from = tile + (O::K_MAJOR ? O::at(LANES * i, 0) : O::at(i / 4 * 4 * LANES, i % 4));
            float4 four = *(const float4*)from;
            (O::K_MAJOR ? v[i][0] : v[i / 4 * 4 + 0][i % 4]) = four.x;
            (O::K_MAJOR ? v[i][1] : v[i / 4 * 4 + 1][i % 4]) = four.y;
            (O::K_MAJOR ? v[i][2] : v[i / 4 * 4 + 2][i % 4]) = four.z;
            (O::K_MAJOR ? v[i][3] : v[i / 4 * 4 + 3][i % 4]) = four.w;
        }
    }
    template <class T, class A, class B>
    static DEVICE void multiply(float (&c)[T::ACCUMULATORS], const float* a, const float* b) {
        constexpr int TM = T::WM / 4, TN = T::WN / 8;
#pragma unroll 1
        for (int k = 0; k < T::WK; k += 4) {
            float fa[TM][4], fb[TN][4];
            load_fragment<A, 4>(fa, a + A::at(0, k));
            load_fragment<B, 8>(fb, b + B::at(0, k));
#pragma unroll
            for (int q = 0; q < 4; q++)
#pragma unroll
                for (int i = 0; i < TM; i++)
#pragma unroll
                    for (int j = 0; j < TN; j++) c[i * TN + j] = fmaf(fa[i][q], fb[j][q], c[i * TN + j]);
        }
    }
    // Accumulators in columns that follow each other.
    template <class B>
    static constexpr int ADJACENT = B::K_MAJOR ? 1 : 4;
    template <class T, class A>
    static DEVICE int row(int lane, int i) { return index<A, 4>(lane / 8, i / (T::WN / 8)); }
    template <class T, class B>
    static DEVICE int column(int lane, int i) { return index<B, 8>(lane % 8, i % (T::WN / 8)); }
};

// The layout of the accumulator fragments of mma.m16n8: 16 x 8 elements per fragment, four per lane.
struct MmaLayout {
    // Where the fragments of a lane begin, of a and of b.
    template <class O>
    static DEVICE int begin_a(int row0, int k0, int lane) { return O::at(row0 + lane / 4, k0 + lane % 4 * O::PER_ELEMENT); }
    template <class O>
    static DEVICE int begin_b(int row0, int k0, int lane) { return begin_a<O>(row0, k0, lane); }
    template <class B>
    static constexpr int ADJACENT = 2;
    template <class T, class A>
    static DEVICE int row(int lane, int i) { return i / 4 / (T::WN / 8) * 16 + lane / 4 + i % 4 / 2 * 8; }
    template <class T, class B>
    static DEVICE int column(int lane, int i) { return i / 4 % (T::WN / 8) * 8 + lane % 4 * 2 + i % 2; }
};

// Products of tf32, sums in f32: mma.m16n8k8.
struct Tf32 : MmaLayout {
    static constexpr int PACK = 1;
    static DEVICE float pack(float v) { return __int_as_float((int)to_tf32(v)); }

    template <class T, class A, class B>
    static DEVICE void multiply(float (&c)[T::ACCUMULATORS], const float* a, const float* b) {
        constexpr int MT = T::WM / 16, NT = T::WN / 8;
#pragma unroll
        for (int k = 0; k < T::WK; k += 8) {
            unsigned fa[MT][4], fb[NT][2];
#pragma unroll
            for (int i = 0; i < MT * 4; i++)
                fa[i / 4][i % 4] = __float_as_int(a[A::at(i / 4 * 16 + i % 2 * 8, k + i % 4 / 2 * 4)]);
#pragma unroll
            for (int j = 0; j < NT * 2; j++) fb[j / 2][j % 2] = __float_as_int(b[B::at(j / 2 * 8, k + j % 2 * 4)]);
            __syncwarp();  // mma.sync.aligned: all lanes of the warp, together
#pragma unroll
            for (int i = 0; i < MT * NT; i++) mma_tf32(c + 4 * i, fa[i / NT], fb[i % NT]);
        }
    }
};

// Products of bf16, sums in f32: mma.m16n8k16.
struct Bf16 : MmaLayout {
    static constexpr int PACK = 2;
    static DEVICE float pack(float first, float second) { return __int_as_float((int)to_bf16(first, second)); }

    template <class T, class A, class B>
    static DEVICE void multiply(float (&c)[T::ACCUMULATORS], const float* a, const float* b) {
        constexpr int MT = T::WM / 16, NT = T::WN / 8;
#pragma unroll
        for (int k = 0; k < T::WK; k += 16) {
            unsigned fa[MT][4], fb[NT][2];
#pragma unroll
            for (int i = 0; i < MT * 4; i++)
                fa[i / 4][i % 4] = __float_as_int(a[A::at(i / 4 * 16 + i % 2 * 8, k + i % 4 / 2 * 8)]);
#pragma unroll
            for (int j = 0; j < NT * 2; j++) fb[j / 2][j % 2] = __float_as_int(b[B::at(j / 2 * 8, k + j % 2 * 8)]);
            __syncwarp();
#pragma unroll
            for (int i = 0; i < MT * NT; i++) mma_bf16(c + 4 * i, fa[i / NT], fb[i % NT]);
        }
    }
};

// The tile of a · b at [m0, n0], over k from k0 to `end`. Calls epilogue(row, column, values) once for every four
// adjacent elements of a row. With STAGES = 2, shared memory is double buffered.
template <class T, class Math, bool A_K_MAJOR, bool B_K_MAJOR, class Epilogue>
DEVICE void gemm_tile(const GemmArgs& p, int m0, int n0, int k0, int end, const Epilogue& epilogue) {
    using A = Operand<A_K_MAJOR, T::BM, T::BK, Math::PACK>;
    using B = Operand<B_K_MAJOR, T::BN, T::BK, Math::PACK>;
    constexpr int STAGE = A::SIZE + B::SIZE, PITCH = T::BN + 8, BAND = T::WM * PITCH;
    constexpr int SHARED = T::STAGES * STAGE > T::SLICES * BAND ? T::STAGES * STAGE : T::SLICES * BAND;
    __shared__ float4 shared[(SHARED + 3) / 4];
    float* memory = (float*)shared;

    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int slice = warp / (T::BM / T::WM * (T::BN / T::WN)), warp_tile = warp % (T::BM / T::WM * (T::BN / T::WN));
    int row0 = warp_tile / (T::BN / T::WN) * T::WM, column0 = warp_tile % (T::BN / T::WN) * T::WN;
    float c[T::ACCUMULATORS] = {};
    A a;
    B b;
    int begin_a = pinned(Math::template begin_a<A>(row0, slice * T::WK, lane));
    int begin_b = pinned(Math::template begin_b<B>(column0, slice * T::WK, lane) + A::SIZE);
    a.begin(p.a, p.lda, m0, p.m, k0);
    b.begin(p.b, p.ldb, n0, p.n, k0);
    a.load_global(m0, p.m, k0, end);
    b.load_global(n0, p.n, k0, end);
    for (int k = k0, stage = 0; k < end; k += T::BK, stage = (stage + 1) % T::STAGES) {
        float *ta = memory + stage * STAGE, *tb = ta + A::SIZE;
        if (T::STAGES == 1) __syncthreads();  // the last step has been read
        a.template store_shared<Math>(ta);
        b.template store_shared<Math>(tb);
        __syncthreads();
        if (k + T::BK < end) {
            a.load_global(m0, p.m, k + T::BK, end);
            b.load_global(n0, p.n, k + T::BK, end);
        }
        Math::template multiply<T, A, B>(c, ta + begin_a, ta + begin_b);
    }

    // The accumulators go through shared memory, WM rows at a time: slices are reduced, and the epilogue writes c
    // coalesced. Lines there are padded, like those of operands.
    for (int band = 0; band < T::BM / T::WM; band++) {
        __syncthreads();
        if (row0 == band * T::WM)
#pragma unroll
            for (int i = 0; i < T::ACCUMULATORS; i += Math::template ADJACENT<B>) {
                int row = Math::template row<T, A>(lane, i), column = column0 + Math::template column<T, B>(lane, i);
                float* to = memory + slice * BAND + row * PITCH + column;
                if constexpr (Math::template ADJACENT<B> == 1) {
                    *to = c[i];
                } else if constexpr (Math::template ADJACENT<B> == 2) {
                    float2 v = {c[i], c[i + 1]};
                    *(float2*)to = v;
                } else {
                    float4 v = {c[i], c[i + 1], c[i + 2], c[i + 3]};
                    *(float4*)to = v;
                }
            }
        __syncthreads();
#pragma unroll 1
        for (int i = 4 * threadIdx.x; i < T::WM * T::BN; i += 4 * THREADS) {
            const float* at = memory + i / T::BN * PITCH + i % T::BN;
            float4 sum = *(const float4*)at;
            for (int other = 1; other < T::SLICES; other++) {
                float4 v = *(const float4*)(at + other * BAND);
                sum = {sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w};
            }
            int row = m0 + band * T::WM + i / T::BN, column = n0 + i % T::BN;
            if (row < p.m && column < p.n) epilogue(row, column, sum);
        }
    }
}
