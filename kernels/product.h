// The products of a layer, tile by tile: forwards, the gradient of what goes in, and what its weights learn.
#pragma once
#include "tile.h"

// What becomes of a value of a product.
struct Layer {
    const Product& p;
    DEVICE void operator()(int row, int column, float v) const {
        size_t i = (size_t)row * p.n + column;
        if (p.bias) v += p.bias[column];
        if (p.add) v += p.c[i];
        p.c[i] = p.y ? back_through(v, p.y[i], p.act, p.slope) : activate(v, p.act, p.slope);
    }
};

// c = a b, a [m, k], b [k, n], or with KB b [n, k]; launched with a block for each tile
template <class S, class Math, bool KB>
DEVICE void product(const Product& p) {
    int across = (p.n + S::BN - 1) / S::BN;
    Layer layer = {p};
    tile<S, Math, true, KB>(p, blockIdx.x / across * S::BM, blockIdx.x % across * S::BN, 0, p.k, layer);
}

// What becomes of a value of a gradient: with one split Adam follows at once (Kingma and Ba 2015, algorithm 1, its bias
// correction folded into rate and root), else it is a part of the sum that `settle` makes.
struct Learnt {
    const Job& job;
    int split;
    Step now;
    float beta1, beta2, eps;
    DEVICE Learnt(const Job& job, int split, const Run* run)
        : job(job), split(split), now(run->steps[run->step]), beta1(run->betas[0]), beta2(run->betas[1]), eps(run->eps) {}
    DEVICE void operator()(int row, int column, float g) const {
        size_t i = (size_t)row * job.n + column;
        if (job.splits == 1) adam(i, g);
        else job.parts[(size_t)split * job.m * job.n + i] = g;
    }
    DEVICE void adam(size_t i, float g) const {
        float m = fmaf(beta1, job.moment1[i], (1.f - beta1) * g);
        float v = fmaf(beta2, job.moment2[i], (1.f - beta2) * (g * g));
        job.moment1[i] = m;
        job.moment2[i] = v;
        job.w[i] = fmaf(-now.rate, m / fmaf(sqrtf(v), now.root, eps), job.w[i]);
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
    finish(0, column, sum);
}

// The job to which a block belongs.
DEVICE const Job& job_of(const Job* jobs, int count) {
    int i = 0;
    while (i + 1 < count && jobs[i + 1].first <= (int)blockIdx.x) i++;
    return jobs[i];
}

// One tile of the gradient of a weight, or 32 columns of that of a bias, and the optimizer if that is all of it; launched with
// a block for each tile of each split of each job
template <class S, class Math>
DEVICE void learn(const Run* run, const Job* jobs, int count) {
    const Job& job = job_of(jobs, count);
    int index = blockIdx.x - job.first, split = index % job.splits, piece = index / job.splits;
    int k0 = split * job.chunk, end = min(job.k, k0 + job.chunk), across = (job.n + S::BN - 1) / S::BN;
    Learnt learnt(job, split, run);
    if (!job.x) return columns(job, piece * 32, k0, end, learnt);
    Product p = {job.x, job.dy, nullptr, job.m, job.n, job.k, job.m, job.n, nullptr, nullptr, 0, 0, 0.f};
    tile<S, Math, false, false>(p, piece / across * S::BM, piece % across * S::BN, k0, end, learnt);
}
