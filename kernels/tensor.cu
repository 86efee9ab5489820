// The kernels of products.cu on tensor cores: products of tf32 or bf16, sums of f32.
#include "product.h"

extern "C" __global__ void __launch_bounds__(THREADS) linear_thin_tf32(const __grid_constant__ Product p) { product<Thin, Tf32, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) linear_wide_tf32(const __grid_constant__ Product p) { product<Wide, Tf32, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_large_tf32(const __grid_constant__ Product p) { product<Large, Tf32, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_back_thin_tf32(const __grid_constant__ Product p) { product<Thin, Tf32, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) linear_back_wide_tf32(const __grid_constant__ Product p) { product<Wide, Tf32, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_back_large_tf32(const __grid_constant__ Product p) { product<Large, Tf32, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) learn_wide_tf32(const Run* run, int ahead, const __grid_constant__ Jobs all) {
    learn<Wide, Tf32>(run, ahead, all);
}
extern "C" __global__ void __launch_bounds__(THREADS) learn_large_tf32(const Run* run, int ahead, const __grid_constant__ Jobs all) {
    learn<Large, Tf32>(run, ahead, all);
}
extern "C" __global__ void __launch_bounds__(THREADS) linear_thin_bf16(const __grid_constant__ Product p) { product<Thin, Bf16, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) linear_wide_bf16(const __grid_constant__ Product p) { product<Wide, Bf16, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_large_bf16(const __grid_constant__ Product p) { product<Large, Bf16, false>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_back_thin_bf16(const __grid_constant__ Product p) { product<Thin, Bf16, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) linear_back_wide_bf16(const __grid_constant__ Product p) { product<Wide, Bf16, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS) linear_back_large_bf16(const __grid_constant__ Product p) { product<Large, Bf16, true>(p); }
extern "C" __global__ void __launch_bounds__(THREADS, 2) learn_wide_bf16(const Run* run, int ahead, const __grid_constant__ Jobs all) {
    learn<Wide, Bf16>(run, ahead, all);
}
extern "C" __global__ void __launch_bounds__(THREADS) learn_large_bf16(const Run* run, int ahead, const __grid_constant__ Jobs all) {
    learn<Large, Bf16>(run, ahead, all);
}
