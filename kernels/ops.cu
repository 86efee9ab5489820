// The interpreter of ops: one launch runs a list of ops on each image of a batch. Threads see each other's writes after
// a barrier of the block, and no op reads another image's values, so that no launch is needed between two ops.
#include "ops.h"

// In the order of `OpCode` in common/src/backend/cuda/args.rs.
enum OpCode {
    GATHER, ONE_HOT, CONCAT, NARROW, SUBTRACT, STORE, LINEAR, LINEAR_BACK, ACTIVATION_BACK, SCALE_ROWS, IM2COL, COL2IM,
    SAMPLE, SAMPLE_BACK, KL, KL_BACK, KL_PRIOR_BACK, SAMPLED_KL, SIGMOID, BERNOULLI, GAUSSIAN, GAUSSIAN_LEARNED,
    SQUARED_ERROR, ELBO
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
            case GATHER: gather(c, image); break;
            case ONE_HOT: one_hot(c, image); break;
            case CONCAT: concat(c, image); break;
            case NARROW: narrow(c, image); break;
            case SUBTRACT: subtract(c, image); break;
            case STORE: store(c, image); break;
            case LINEAR: linear(c, image); break;
            case LINEAR_BACK: linear_back(c, image); break;
            case ACTIVATION_BACK: activation_back(c, image); break;
            case SCALE_ROWS: scale_rows(c, image); break;
            case IM2COL: im2col(c, image); break;
            case COL2IM: col2im(c, image); break;
            case SAMPLE: sample(c, image); break;
            case SAMPLE_BACK: sample_back(c, image); break;
            case KL: kl(c, image); break;
            case KL_BACK: kl_back(c, image); break;
            case KL_PRIOR_BACK: kl_prior_back(c, image); break;
            case SAMPLED_KL: sampled_kl(c, image); break;
            case SIGMOID: sigmoid(c, image); break;
            case BERNOULLI: bernoulli(c, image); break;
            case GAUSSIAN: gaussian(c, image); break;
            case GAUSSIAN_LEARNED: gaussian_learned(c, image); break;
            case SQUARED_ERROR: squared_error(c, image); break;
            case ELBO: elbo(c, image); break;
        }
        __syncthreads();
    }
}

// Moves the run on by so many steps. Launched with one thread, after all other launches of these steps.
extern "C" __global__ void advance(Run* run, int steps) { run->step += steps; }
