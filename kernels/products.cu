// The products of layers and what weights learn from, in f32: the kernels of product.h for each shape of a tile.
#include "product.h"

extern "C" __global__ void __launch_bounds__(THREADS) linear_thin(Product p) { product<Thin, Fp32, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_wide(Product p) { product<Wide, Fp32, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_large(Product p) { product<Large, Fp32, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_back_thin(Product p) { product<Thin, Fp32, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_back_wide(Product p) { product<Wide, Fp32, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_back_large(Product p) { product<Large, Fp32, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) learn_wide(const Run* run, const Job* jobs, int count) {
    learn<Wide, Fp32>(run, jobs, count);
}
extern "C" __global__ void __launch_bounds__(THREADS) learn_large(const Run* run, const Job* jobs, int count) {
    learn<Large, Fp32>(run, jobs, count);
}

// The sum of the splits of a gradient, in order, and the optimizer; launched with a thread for each value of each job
extern "C" __global__ void __launch_bounds__(THREADS) settle(const Run* run, const Job* jobs, int count) {
    const Job& job = job_of(jobs, count);
    size_t i = (size_t)(blockIdx.x - job.first) * THREADS + threadIdx.x, values = (size_t)job.m * job.n;
    if (i >= values) return;
    float g = 0.f;
    for (int split = 0; split < job.splits; split++) g += job.parts[split * values + i];
    Learnt(job, 0, run).adam(i, g);
}
