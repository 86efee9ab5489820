// The GEMMs of a layer with their epilogues. Each computes one tile of the result per block (tile.h):
//
//   linear       y  = act(x @ W + b)          x[M,in]  W[in,out]  y[M,out]     M = N·P
//   linear_back  dx = (dy @ W^T) * act'       dy[M,out]           dx[M,in]
//   gradient     dW = x^T @ dy, then Adam     dW[in,out]: m = in, n = out, k = M
#pragma once
#include "tile.h"

// The epilogue of a layer, on four adjacent elements of a row.
struct LayerEpilogue {
    const GemmArgs& p;
    DEVICE void operator()(int row, int column, float4 v) const {
        size_t at = (size_t)row * p.n + column;
        int count = p.n - column;
        bool aligned = p.n % 4 == 0;
        if (p.bias) v = plus(v, load4(p.bias + column, count, aligned));
        if (p.add) v = plus(v, load4(p.c + at, count, aligned));
        if (p.y) {
            float4 y = load4(p.y + at, count, aligned);
            v = {activation_grad(v.x, y.x, p.act, p.slope), activation_grad(v.y, y.y, p.act, p.slope),
                 activation_grad(v.z, y.z, p.act, p.slope), activation_grad(v.w, y.w, p.act, p.slope)};
        } else {
            v = {activation(v.x, p.act, p.slope), activation(v.y, p.act, p.slope), activation(v.z, p.act, p.slope),
                 activation(v.w, p.act, p.slope)};
        }
        store4(p.c + at, v, count, aligned);
    }
    static DEVICE float4 plus(float4 a, float4 b) {
        float4 sum = {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w};
        return sum;
    }
};

// c = a · b with a [m, k] and b [k, n], or with TRANSPOSE_B b [n, k]. Launched with a block for each tile.
template <class T, class Math, bool TRANSPOSE_B>
DEVICE void gemm(const GemmArgs& p) {
    int tiles_n = (p.n + T::BN - 1) / T::BN;
    LayerEpilogue epilogue = {p};
    gemm_tile<T, Math, true, TRANSPOSE_B>(p, blockIdx.x / tiles_n * T::BM, blockIdx.x % tiles_n * T::BN, 0, p.k, epilogue);
}

// The epilogue of a gradient. Without split-K it is Adam (Kingma and Ba 2015, algorithm 1, its bias correction folded
// into step_size and v_scale); with split-K it stores the partial sum that `reduce_splits` reads.
struct GradientEpilogue {
    float *w, *moment1, *moment2, *partial;
    int n;
    float step_size, v_scale, beta1, beta2, eps;
    // partial: [m, n] of this split, or null
    DEVICE GradientEpilogue(const GradientArgs& p, const Run* run, int ahead, float* partial)
        : w(p.w), moment1(p.moment1), moment2(p.moment2), partial(partial), n(p.n) {
        const Step* step = run->steps + run->step + ahead;
        step_size = step->step_size;
        v_scale = step->v_scale;
        beta1 = run->betas[0];
        beta2 = run->betas[1];
        eps = run->eps;
    }
    // Four adjacent elements of a row.
    DEVICE void operator()(int row, int column, float4 g) const {
        size_t at = (size_t)row * n + column;
        int count = n - column;
        bool aligned = n % 4 == 0;
        if (partial) return store4(partial + at, g, count, aligned);
        // Loads before stores: the compiler cannot know that w, m and v do not alias.
        float4 x = load4(w + at, count, aligned);
        float4 m = load4(moment1 + at, count, aligned), v = load4(moment2 + at, count, aligned);
        adam(x.x, m.x, v.x, g.x);
        adam(x.y, m.y, v.y, g.y);
        adam(x.z, m.z, v.z, g.z);
        adam(x.w, m.w, v.w, g.w);
        store4(w + at, x, count, aligned);
        store4(moment1 + at, m, count, aligned);
        store4(moment2 + at, v, count, aligned);
    }
    // One element.
    DEVICE void operator()(size_t at, float g) const {
        if (partial) {
            partial[at] = g;
            return;
        }
        float x = w[at], m = moment1[at], v = moment2[at];
        adam(x, m, v, g);
        w[at] = x;
        moment1[at] = m;
        moment2[at] = v;
    }
    DEVICE void adam(float& w, float& m, float& v, float g) const {
        m = flush_denormals(fmaf(beta1, m, (1.f - beta1) * g));
        v = flush_denormals(fmaf(beta2, v, (1.f - beta2) * (g * g)));
        w = flush_denormals(fmaf(-step_size, m / fmaf(sqrtf(v), v_scale, eps), w));
    }
    // v, and zero for a denormal, as on the CPU, where they are slow.
    static DEVICE float flush_denormals(float v) { return fabsf(v) < 1.17549435e-38f ? 0.f : v; }
};

// The gradient of a bias: sums of 32 columns of dy over rows k0 to end. Each warp takes every eighth row.
DEVICE void column_sums(const GradientArgs& p, int column0, int k0, int end, const GradientEpilogue& epilogue) {
    __shared__ float sums[THREADS];
    int column = column0 + threadIdx.x % 32;
    float sum = 0.f;
    if (column < p.n)
#pragma unroll 4
        for (int k = k0 + threadIdx.x / 32; k < end; k += THREADS / 32) sum += p.dy[(size_t)k * p.n + column];
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x >= 32 || column >= p.n) return;
    for (int warp = 1; warp < THREADS / 32; warp++) sum += sums[warp * 32 + threadIdx.x];
    epilogue((size_t)column, sum);
}

// The gradient that a block belongs to.
DEVICE const GradientArgs& gradient_of_block(const GradientList& list) {
    int i = 0;
    while (i + 1 < list.count && list.gradients[i + 1].first_block <= (int)blockIdx.x) i++;
    return list.gradients[i];
}

// One tile of the gradient of a weight, or 32 columns of the gradient of a bias. Launched with a block for each tile of
// each split of each gradient.
template <class T, class Math>
DEVICE void gradient(const Run* run, int ahead, const GradientList& list) {
    const GradientArgs& p = gradient_of_block(list);
    int index = blockIdx.x - p.first_block, split = index % p.splits, tile = index / p.splits;
    int k0 = split * p.split_k, end = min(p.k, k0 + p.split_k), tiles_n = (p.n + T::BN - 1) / T::BN;
    GradientEpilogue epilogue(p, run, ahead, p.splits == 1 ? nullptr : p.partials + (size_t)split * p.m * p.n);
    if (!p.x) return column_sums(p, tile * 32, k0, end, epilogue);
    GemmArgs g = {p.x, p.dy, nullptr, p.m, p.n, p.k, p.m, p.n, nullptr, nullptr, 0, 0, 0.f};
    gemm_tile<T, Math, false, false>(g, tile / tiles_n * T::BM, tile % tiles_n * T::BN, k0, end, epilogue);
}
