// The interpreter of ops: one launch runs a list of ops on each image of a batch. Threads see each other's writes after
// a barrier of the block, and no op reads another image's values, so that no launch is needed between two ops.
#include "op_codes.h"
#include "ops.h"

enum OpCode {
#define OP(code, function) code,
    FOR_EACH_OP(OP)
#undef OP
};

// Runs all ops on image n = blockIdx.x, in step run->step + ahead. Launched with N blocks, or with [N, y] blocks for
// one elementwise op with many elements per image.
extern "C" __global__ void __launch_bounds__(THREADS) run_ops(const Run* run, int ahead, const __grid_constant__ OpList list) {
    Image image;
    image.n = blockIdx.x;
    image.run = run;
    image.step = run->steps[run->step + ahead];
    image.valid = image.n < image.step.valid;
    SampleIndex padding = {0, 0};
    image.sample = image.valid ? run->indices[image.step.at + image.n] : padding;
    for (int i = 0; i < list.count; i++) {
        const OpArgs& c = list.ops[i];
        switch (c.op) {
#define OP(code, function) case code: function(c, image); break;
            FOR_EACH_OP(OP)
#undef OP
        }
        __syncthreads();
    }
}

// Moves the run on by so many steps. Launched with one thread, after all other launches of these steps.
extern "C" __global__ void advance(Run* run, int steps) { run->step += steps; }

// Counts NaN and infinities, one partial count per block.
extern "C" __global__ void __launch_bounds__(THREADS) count_nonfinite(const float* values, size_t count, float* counts) {
    float nonfinite = 0.f;
    for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < count; i += (size_t)gridDim.x * THREADS)
        nonfinite += (__float_as_int(values[i]) & 0x7f800000) == 0x7f800000 ? 1.f : 0.f;
    nonfinite = block_sum(nonfinite);
    if (threadIdx.x == 0) counts[blockIdx.x] = nonfinite;
}
