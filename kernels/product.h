// The products of a layer, tile by tile: forwards, the gradient of what goes in, and what its weights learn.
#pragma once
#include "tile.h"

// What becomes of four values of a product, side by side.
struct Layer {
    const Product& p;
    DEVICE void operator()(int row, int column, float4 v) const {
        size_t at = (size_t)row * p.n + column;
        int count = p.n - column;
        bool whole = p.n % 4 == 0;
        if (p.bias) v = plus(v, load4(p.bias + column, count, whole));
        if (p.add) v = plus(v, load4(p.c + at, count, whole));
        if (p.y) {
            float4 y = load4(p.y + at, count, whole);
            v = {back_through(v.x, y.x, p.act, p.slope), back_through(v.y, y.y, p.act, p.slope),
                 back_through(v.z, y.z, p.act, p.slope), back_through(v.w, y.w, p.act, p.slope)};
        } else {
            v = {activate(v.x, p.act, p.slope), activate(v.y, p.act, p.slope), activate(v.z, p.act, p.slope),
                 activate(v.w, p.act, p.slope)};
        }
        store4(p.c + at, v, count, whole);
    }
    static DEVICE float4 plus(float4 a, float4 b) {
        float4 sum = {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w};
        return sum;
    }
};

// c = a b, a [m, k], b [k, n], or with KB b [n, k]; launched with a block for each tile
template <class S, class Math, bool KB>
DEVICE void product(const Product& p) {
    int across = (p.n + S::BN - 1) / S::BN;
    Layer layer = {p};
    tile<S, Math, true, KB>(p, blockIdx.x / across * S::BM, blockIdx.x % across * S::BN, 0, p.k, layer);
}

// What becomes of a gradient: with one split Adam follows at once (Kingma and Ba 2015, algorithm 1, its bias correction folded
// into rate and root), else it is a part of the sum that `settle` makes.
struct Learnt {
    float *w, *moment1, *moment2, *part;
    int n;
    float rate, root, beta1, beta2, eps;
    // part: where this part goes, or null
    DEVICE Learnt(const Job& job, const Run* run, int ahead, float* part)
        : w(job.w), moment1(job.moment1), moment2(job.moment2), part(part), n(job.n) {
        const Step* now = run->steps + run->step + ahead;
        rate = now->rate;
        root = now->root;
        beta1 = run->betas[0];
        beta2 = run->betas[1];
        eps = run->eps;
    }
    // Four values side by side.
    DEVICE void operator()(int row, int column, float4 g) const {
        size_t at = (size_t)row * n + column;
        int count = n - column;
        bool whole = n % 4 == 0;
        if (part) return store4(part + at, g, count, whole);
        // All that is read comes before all that is written, which might lie anywhere as far as the compiler knows.
        float4 x = load4(w + at, count, whole), m = load4(moment1 + at, count, whole), v = load4(moment2 + at, count, whole);
        adam(x.x, m.x, v.x, g.x);
        adam(x.y, m.y, v.y, g.y);
        adam(x.z, m.z, v.z, g.z);
        adam(x.w, m.w, v.w, g.w);
        store4(w + at, x, count, whole);
        store4(moment1 + at, m, count, whole);
        store4(moment2 + at, v, count, whole);
    }
    // One value.
    DEVICE void operator()(size_t at, float g) const {
        if (part) {
            part[at] = g;
            return;
        }
        float x = w[at], m = moment1[at], v = moment2[at];
        adam(x, m, v, g);
        w[at] = x;
        moment1[at] = m;
        moment2[at] = v;
    }
    DEVICE void adam(float& w, float& m, float& v, float g) const {
        m = fmaf(beta1, m, (1.f - beta1) * g);
        v = fmaf(beta2, v, (1.f - beta2) * (g * g));
        w = fmaf(-rate, m / fmaf(sqrtf(v), root, eps), w);
    }
};

// The sum of 32 columns of dy over the rows from k0 to end: each warp takes every eighth row.
DEVICE void columns(const Job& job, int column0, int k0, int end, const Learnt& finish) {
    __shared__ float sums[THREADS];
    int column = column0 + threadIdx.x % 32;
    float sum = 0.f;
    if (column < job.n)
#pragma unroll 4
        for (int k = k0 + threadIdx.x / 32; k < end; k += THREADS / 32) sum += job.dy[(size_t)k * job.n + column];
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x >= 32 || column >= job.n) return;
    for (int warp = 1; warp < THREADS / 32; warp++) sum += sums[warp * 32 + threadIdx.x];
    finish((size_t)column, sum);
}

// The job to which a block belongs.
DEVICE const Job& job_of(const Jobs& all) {
    int i = 0;
    while (i + 1 < all.count && all.jobs[i + 1].first <= (int)blockIdx.x) i++;
    return all.jobs[i];
}

// One tile of the gradient of a weight, or 32 columns of that of a bias, and the optimizer if that is all of it; launched with
// a block for each tile of each split of each job
template <class S, class Math>
DEVICE void learn(const Run* run, int ahead, const Jobs& all) {
    const Job& job = job_of(all);
    int index = blockIdx.x - job.first, split = index % job.splits, piece = index / job.splits;
    int k0 = split * job.chunk, end = min(job.k, k0 + job.chunk), across = (job.n + S::BN - 1) / S::BN;
    Learnt learnt(job, run, ahead, job.splits == 1 ? nullptr : job.parts + (size_t)split * job.m * job.n);
    if (!job.x) return columns(job, piece * 32, k0, end, learnt);
    Product p = {job.x, job.dy, nullptr, job.m, job.n, job.k, job.m, job.n, nullptr, nullptr, 0, 0, 0.f};
    tile<S, Math, false, false>(p, piece / across * S::BM, piece % across * S::BN, k0, end, learnt);
}
