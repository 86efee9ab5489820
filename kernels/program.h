// What the host tells the kernels, word for word the structures of common/src/backend/cuda/call.rs.
//
// N images in a batch; P rows for each image; a buffer of rows is [N, P, width], a weight [in, out]. No launch carries a
// number that changes from step to step: those lie in Run, so that a captured step can be replayed.
#pragma once

// In every block, as in common/src/backend/cuda/lower.rs.
#define THREADS 256

// An image of the epoch: its row in the tables, and the index that keys its noise.
struct Visit { unsigned row, id; };

// What changes from step to step, computed by the host for every step of a run.
struct Step {
    int at;           // position in the order of the epoch
    int live;         // images of this batch that exist
    float kl_weight;
    float rate;       // of Adam, its bias correction folded into both
    float root;
};

struct Run {
    const Step* steps;
    const Visit* order;
    unsigned step;  // which of the steps comes first of those recorded together
    unsigned seed, epoch, first_sample;
    float betas[2], eps;
};

// A window that moves over [H, W, C] and stops at [OH, OW] positions.
struct Window { int channels, height, width, out_height, out_width, size, stride, pad; };

// An operation on the rows of each image by itself. What its fields are is told where the operation is.
struct Call {
    int op;
    int per;    // rows of the output for each image
    int width;  // values in one
    int other;  // width, or rows, of something else
    int add;    // whether to add to the output
    int act;
    float slope;
    float f[3];
    Window window;
    float* out[3];
    const float* in[4];
};

// c [m, n] = a b, over k; lda and ldb: values in a row of a and b as they lie. Then, each where it is there: + bias [n], the
// activation; or + c, times the derivative of an activation whose output was y [m, n].
struct Product {
    const float *a, *b;
    float* c;
    int m, n, k, lda, ldb;
    const float *bias, *y;
    int act, add;
    float slope;
};

// How a parameter learns: a weight from x^T dy, a bias (x null, m = 1) from the sum of the rows of dy. Tiles and splits of k
// are numbered from `first`. With one split the optimizer follows at once; else the parts go to `parts` [splits, m, n].
struct Job {
    const float *x, *dy;
    float *w, *moment1, *moment2, *parts;
    int m, n, k;
    int splits, chunk;  // rows of x and dy in a split
    int first;
};

// What a launch is told at once. It lies in constant memory, which all threads of a warp read as fast as a register.
struct Calls {
    int count;
    Call calls[16];
};
struct Jobs {
    int count;
    Job jobs[32];
};
