// The GEMMs of gemm.cu on tensor cores: products of tf32 or bf16, sums in f32.
#include "gemm.h"

extern "C" __global__ void __launch_bounds__(THREADS) linear_small_tf32(const __grid_constant__ GemmArgs p) { gemm<Small, Tf32, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) linear_medium_tf32(const __grid_constant__ GemmArgs p) { gemm<Medium, Tf32, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_large_tf32(const __grid_constant__ GemmArgs p) { gemm<Large, Tf32, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_back_small_tf32(const __grid_constant__ GemmArgs p) { gemm<Small, Tf32, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) linear_back_medium_tf32(const __grid_constant__ GemmArgs p) { gemm<Medium, Tf32, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_back_large_tf32(const __grid_constant__ GemmArgs p) { gemm<Large, Tf32, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) gradient_medium_tf32(const Run* run, int ahead, const __grid_constant__ GradientList list) {
    gradient<Medium, Tf32>(run, ahead, list);
}
extern "C" __global__ void __launch_bounds__(THREADS) gradient_large_tf32(const Run* run, int ahead, const __grid_constant__ GradientList list) {
    gradient<Large, Tf32>(run, ahead, list);
}
extern "C" __global__ void __launch_bounds__(THREADS) linear_small_bf16(const __grid_constant__ GemmArgs p) { gemm<Small, Bf16, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) linear_medium_bf16(const __grid_constant__ GemmArgs p) { gemm<Medium, Bf16, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_large_bf16(const __grid_constant__ GemmArgs p) { gemm<Large, Bf16, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_back_small_bf16(const __grid_constant__ GemmArgs p) { gemm<Small, Bf16, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) linear_back_medium_bf16(const __grid_constant__ GemmArgs p) { gemm<Medium, Bf16, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_back_large_bf16(const __grid_constant__ GemmArgs p) { gemm<Large, Bf16, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) gradient_medium_bf16(const Run* run, int ahead, const __grid_constant__ GradientList list) {
    gradient<Medium, Bf16>(run, ahead, list);
}
extern "C" __global__ void __launch_bounds__(THREADS) gradient_large_bf16(const Run* run, int ahead, const __grid_constant__ GradientList list) {
    gradient<Large, Bf16>(run, ahead, list);
}
