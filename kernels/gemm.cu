// GEMMs in f32 for each tile size: layers forward and backward, and the gradients of parameters.
#include "gemm.h"

extern "C" __global__ void __launch_bounds__(THREADS) linear_small(const __grid_constant__ GemmArgs p) { gemm<Small, Fp32, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) linear_medium(const __grid_constant__ GemmArgs p) { gemm<Medium, Fp32, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_large(const __grid_constant__ GemmArgs p) { gemm<Large, Fp32, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_back_small(const __grid_constant__ GemmArgs p) { gemm<Small, Fp32, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) linear_back_medium(const __grid_constant__ GemmArgs p) { gemm<Medium, Fp32, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_back_large(const __grid_constant__ GemmArgs p) { gemm<Large, Fp32, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) gradient_medium(const Run* run, int ahead, const __grid_constant__ GradientList list) {
    gradient<Medium, Fp32>(run, ahead, list);
}
extern "C" __global__ void __launch_bounds__(THREADS) gradient_large(const Run* run, int ahead, const __grid_constant__ GradientList list) {
    gradient<Large, Fp32>(run, ahead, list);
}

// Split-K reduction in order of the splits, and the optimizer. Launched with a thread for each element of each
// gradient.
extern "C" __global__ void __launch_bounds__(THREADS) reduce_splits(const Run* run, int ahead, const __grid_constant__ GradientList list) {
    const GradientArgs& p = gradient_of_block(list);
    size_t i = (size_t)(blockIdx.x - p.first_block) * THREADS + threadIdx.x, count = (size_t)p.m * p.n;
    if (i >= count) return;
    float g = 0.f;
#pragma unroll 8
    for (int split = 0; split < p.splits; split++) g += p.partials[split * count + i];
    GradientEpilogue(p, run, ahead, nullptr)(i, g);
}
