// Kernel arguments: the structures of common/src/backend/cuda/args.rs, field by field.
//
//   N       images in a batch
//   P       rows per image: 1, L samples of z, or the positions of a convolution (`per_image`)
//   D       width of a row (`width`)
//   Z       width of a latent
//   M N K   a GEMM: c [M, N] = a [M, K] · b [K, N]
//
// Activations are [N, P, D] and a weight is [in, out], row-major. No launch carries a number that changes from step to
// step: those are in Run, in device memory, so that a captured step can be replayed.
#pragma once

// Threads of a block, in every kernel: as in common/src/backend/cuda/launch.rs.
#define THREADS 256

// One image of an epoch: its row in the tables, and the index that keys its noise.
struct SampleIndex { unsigned row, id; };

// The state of one step, computed on the host for every step of a run.
struct Step {
    int at;            // position of the batch in the permutation of the epoch
    int valid;         // valid images in the batch; the others are padding
    float kl_weight;
    float step_size;   // Adam: lr / (1 - beta1^t)
    float v_scale;     // Adam: 1 / sqrt(1 - beta2^t)
};

struct Run {
    const Step* steps;
    const SampleIndex* indices;
    unsigned step;  // the first of the steps that one graph replays
    unsigned seed, epoch, first_sample;
    float betas[2], eps;
};

// A convolution with a square kernel: [height, width, channels] to out_height x out_width positions.
struct ConvGeometry { int channels, height, width, out_height, out_width, kernel, stride, padding; };

// Arguments of one op of ops.h, which says what each op reads from them.
struct OpArgs {
    int op;
    int per_image;  // P of the output
    int width;      // D of the output
    int other;      // op-specific: a second width, a second P, or a flag
    int add;        // accumulate into the output
    int act;
    float slope;
    float constants[3];
    ConvGeometry conv;
    float* out[3];
    const float* in[4];
};

// A GEMM c [m, n] = a · b over k, with the leading dimensions of a and b. Epilogue, each part optional: + bias [n] and
// the activation; or + c (`add`), times the derivative of the activation whose output is y [m, n].
struct GemmArgs {
    const float *a, *b;
    float* c;
    int m, n, k, lda, ldb;
    const float *bias, *y;
    int act, add;
    float slope;
};

// The gradient of a parameter [m, n], and its update: of a weight x^T dy, of a bias (x null, m = 1) the column sums of
// dy. Tiles and splits of k are numbered from `first_block`. Without split-K the optimizer is fused to the GEMM; with
// it, partial sums go to `partials` [splits, m, n].
struct GradientArgs {
    const float *x, *dy;
    float *w, *moment1, *moment2, *partials;
    int m, n, k;
    int splits, split_k;  // number of splits; rows of x and dy in each
    int first_block;
};

// Arguments of a launch, by value: in constant memory, which all threads of a warp read as fast as a register.
struct OpList {
    int count;
    OpArgs ops[16];
};
struct GradientList {
    int count;
    GradientArgs gradients[32];
};
