// The products of layers and what weights learn from, in f32: the kernels of product.h for each shape of a tile.
#include "product.h"

extern "C" __global__ void __launch_bounds__(THREADS) linear_thin(const __grid_constant__ Product p) { product<Thin, Fp32, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) linear_wide(const __grid_constant__ Product p) { product<Wide, Fp32, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_large(const __grid_constant__ Product p) { product<Large, Fp32, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_back_thin(const __grid_constant__ Product p) { product<Thin, Fp32, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) linear_back_wide(const __grid_constant__ Product p) { product<Wide, Fp32, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_back_large(const __grid_constant__ Product p) { product<Large, Fp32, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) learn_wide(const Run* run, int ahead, const __grid_constant__ Jobs all) {
    learn<Wide, Fp32>(run, ahead, all);
}
extern "C" __global__ void __launch_bounds__(THREADS) learn_large(const Run* run, int ahead, const __grid_constant__ Jobs all) {
    learn<Large, Fp32>(run, ahead, all);
}

// The sum of the splits of a gradient, in order, and the optimizer; launched with a thread for each value of each job
extern "C" __global__ void __launch_bounds__(THREADS) settle(const Run* run, int ahead, const __grid_constant__ Jobs all) {
    const Job& job = job_of(all);
    size_t i = (size_t)(blockIdx.x - job.first) * THREADS + threadIdx.x, values = (size_t)job.m * job.n;
    if (i >= values) return;
    float g = 0.f;
#pragma unroll 8
    for (int split = 0; split < job.splits; split++) g += job.parts[split * values + i];
    Learnt(job, run, ahead, nullptr)(i, g);
}
