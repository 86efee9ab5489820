// The ops that work on each image by itself, one block of threads per image. Each has the name and the formula of its
// variant of `Op` in common/src/plan/op.rs; shapes leave out N. Comments name the outputs and then the inputs in the
// order of `out` and `in`; args.h has the dimensions.
#pragma once
#include "args.h"
#include "rng.h"

// The image of a block.
struct Image {
    int n;
    bool valid;  // not padding
    SampleIndex sample;
    const Run* run;
    Step step;
};

// A loop over `count` elements, strided over all threads of the image.
#define KERNEL_LOOP(i, count) for (int i = blockIdx.y * THREADS + threadIdx.x; i < (count); i += gridDim.y * THREADS)

// All-reduce: the sum over the threads of a block, in a fixed order.
DEVICE float block_sum(float v) {
    __shared__ float parts[THREADS / 32];
#pragma unroll
    for (int other = 16; other; other /= 2) v += __shfl_xor_sync(0xffffffffu, v, other);
    __syncthreads();  // the previous sum has been read
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = v;
    __syncthreads();
    v = 0.f;
    for (int warp = 0; warp < THREADS / 32; warp++) v += parts[warp];
    return v;
}

DEVICE void assign_or_add(float* to, int add, float v) { *to = add ? *to + v : v; }

// ---- data

// y [D] = a row of the table [items, D]. other: whether the table is u8; act: binarization (0 none, 1 threshold, 2
// static, 3 dynamic: resampled each epoch); constants: white in the table, then the range [black, white] of y
DEVICE void gather(const OpArgs& c, const Image& image) {
    float* y = c.out[0] + (size_t)image.n * c.width;
    const unsigned char* bytes = (const unsigned char*)c.in[0] + (size_t)image.sample.row * c.width;
    const float* floats = c.in[0] + (size_t)image.sample.row * c.width;
    KERNEL_LOOP(quad, (c.width + 3) / 4) {
        float4 noise = {};
        if (c.act >= 2 && image.valid) {
            uint4 counter = {(unsigned)quad, 0, image.sample.id, c.act == 3 ? image.run->epoch : 0};
            noise = uniform4(image.run->seed, BINARIZE, counter);
        }
        for (int j = 0; j < 4 && 4 * quad + j < c.width; j++) {
            int i = 4 * quad + j;
            float v = 0.f;
            if (image.valid) {
                v = (c.other ? (float)bytes[i] : floats[i]) / c.constants[0];
                float u = j == 0 ? noise.x : j == 1 ? noise.y : j == 2 ? noise.z : noise.w;
                if (c.act == 1) v = v > 0.5f ? 1.f : 0.f;
                if (c.act >= 2) v = u < v ? 1.f : 0.f;
                if (c.constants[1] != 0.f || c.constants[2] != 1.f) v = c.constants[1] + (c.constants[2] - c.constants[1]) * v;
            }
            y[i] = v;
        }
    }
}
// y [D] = one-hot of the label; labels: a table of u8
DEVICE void one_hot(const OpArgs& c, const Image& image) {
    int label = image.valid ? ((const unsigned char*)c.in[0])[image.sample.row] : -1;
    KERNEL_LOOP(i, c.width) c.out[0][(size_t)image.n * c.width + i] = i == label ? 1.f : 0.f;
}
// y [P, D] = [a, b]; a [P, other], b [D - other] repeated P times
DEVICE void concat(const OpArgs& c, const Image& image) {
    int b_width = c.width - c.other;
    KERNEL_LOOP(i, c.per_image * c.width) {
        int r = i / c.width, j = i % c.width;
        float v = j < c.other ? c.in[0][((size_t)image.n * c.per_image + r) * c.other + j]
                              : c.in[1][(size_t)image.n * b_width + j - c.other];
        c.out[0][(size_t)image.n * c.per_image * c.width + i] = v;
    }
}
// y [P, D] = the first D columns of x [P, other]
DEVICE void narrow(const OpArgs& c, const Image& image) {
    KERNEL_LOOP(i, c.per_image * c.width) {
        size_t r = (size_t)image.n * c.per_image + i / c.width;
        assign_or_add(c.out[0] + r * c.width + i % c.width, c.add, c.in[0][r * c.other + i % c.width]);
    }
}
// y [P, D] = x - b; x [P, D], b [D]
DEVICE void subtract(const OpArgs& c, const Image& image) {
    size_t from = (size_t)image.n * c.per_image * c.width;
    KERNEL_LOOP(i, c.per_image * c.width) c.out[0][from + i] = c.in[0][from + i] - c.in[1][i % c.width];
}
// table[position of the image in the epoch] [P·D] = x [P, D]
DEVICE void store(const OpArgs& c, const Image& image) {
    int count = c.per_image * c.width;
    if (image.valid)
        KERNEL_LOOP(i, count) {
            c.out[0][(size_t)(image.step.at + image.n) * count + i] = c.in[0][(size_t)image.n * count + i];
        }
}

// ---- small linear layers, cheaper than a launch: each block reads all of W

// y [P, D] = act(x W + b); x [P, other], W [other, D], b [D] or null
DEVICE void linear(const OpArgs& c, const Image& image) {
    __shared__ float parts[THREADS];
    // Split-K over the threads that a block of columns leaves idle.
    int columns = c.width > 128 ? THREADS : c.width > 64 ? 128 : c.width > 32 ? 64 : 32, splits = THREADS / columns;
    int lane = threadIdx.x % columns, split = threadIdx.x / columns;
    for (int r = 0; r < c.per_image; r++) {
        const float* x = c.in[0] + ((size_t)image.n * c.per_image + r) * c.other;
        for (int column = lane; column - lane < c.width; column += columns) {
            float sum = 0.f;
            if (column < c.width)
#pragma unroll 8
                for (int k = split; k < c.other; k += splits) sum = fmaf(x[k], c.in[1][k * c.width + column], sum);
            __syncthreads();  // the partial sums of the previous columns have been read
            parts[threadIdx.x] = sum;
            __syncthreads();
            if (split == 0 && column < c.width) {
                for (int other = 1; other < splits; other++) sum += parts[other * columns + lane];
                if (c.in[2]) sum += c.in[2][column];
                c.out[0][((size_t)image.n * c.per_image + r) * c.width + column] = activation(sum, c.act, c.slope);
            }
        }
    }
}
// dx [P, D] = (dy W^T) * act'; dy [P, other], W [D, other], the activation's output [P, D] or null
DEVICE void linear_back(const OpArgs& c, const Image& image) {
    // A warp reads a row of W, or one thread if the row is short.
    int lanes = c.other > 64 ? 32 : 1, lane = threadIdx.x % lanes;
    for (int r = 0; r < c.per_image; r++) {
        const float* dy = c.in[0] + ((size_t)image.n * c.per_image + r) * c.other;
        size_t row = ((size_t)image.n * c.per_image + r) * c.width;
        for (int first = 0; first < c.width; first += THREADS / lanes) {
            int j = first + threadIdx.x / lanes;
            float sum = 0.f;
            if (j < c.width)
#pragma unroll 8
                for (int k = lane; k < c.other; k += lanes) sum = fmaf(dy[k], c.in[1][j * c.other + k], sum);
            for (int other = lanes / 2; other; other /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, other);
            if (lane != 0 || j >= c.width) continue;
            if (c.add) sum += c.out[0][row + j];
            c.out[0][row + j] = c.in[2] ? activation_grad(sum, c.in[2][row + j], c.act, c.slope) : sum;
        }
    }
}

// ---- elementwise ops and convolutions

// dy [P, D] *= act'; the activation's output [P, D]
DEVICE void activation_back(const OpArgs& c, const Image& image) {
    size_t from = (size_t)image.n * c.per_image * c.width;
    KERNEL_LOOP(i, c.per_image * c.width) {
        c.out[0][from + i] = activation_grad(c.out[0][from + i], c.in[0][from + i], c.act, c.slope);
    }
}
// d [P, D] *= weight [P, 1]
DEVICE void scale_rows(const OpArgs& c, const Image& image) {
    size_t row = (size_t)image.n * c.per_image;
    KERNEL_LOOP(i, c.per_image * c.width) c.out[0][row * c.width + i] *= c.in[0][row + i / c.width];
}
// y [P = output positions, D = patch length] = patches of x [input pixels, C], zero padded
DEVICE void im2col(const OpArgs& c, const Image& image) {
    const ConvGeometry& g = c.conv;
    int output_area = g.out_height * g.out_width, input_area = g.height * g.width;
    const float* x = c.in[0] + (size_t)image.n * (c.per_image / output_area) * input_area * g.channels;
    float* y = c.out[0] + (size_t)image.n * c.per_image * c.width;
    KERNEL_LOOP(i, c.per_image * c.width) {
        int r = i / c.width, j = i % c.width, sample = r / output_area, position = r % output_area;
        int row = position / g.out_width * g.stride + j / g.channels / g.kernel - g.padding;
        int column = position % g.out_width * g.stride + j / g.channels % g.kernel - g.padding;
        bool inside = row >= 0 && row < g.height && column >= 0 && column < g.width;
        y[i] = inside ? x[((size_t)sample * input_area + row * g.width + column) * g.channels + j % g.channels] : 0.f;
    }
}
// y [P = input pixels, D = C] = act(b + col2im(patches)), or col2im(patches) * act'; patches [output positions, patch
// length], b [C] or null, the activation's output [P, D] or null
DEVICE void col2im(const OpArgs& c, const Image& image) {
    const ConvGeometry& g = c.conv;
    int output_area = g.out_height * g.out_width, input_area = g.height * g.width;
    int patch_len = g.kernel * g.kernel * g.channels;
    const float* patches = c.in[0] + (size_t)image.n * (c.per_image / input_area) * output_area * patch_len;
    float* y = c.out[0] + (size_t)image.n * c.per_image * c.width;
    KERNEL_LOOP(i, c.per_image * c.width) {
        int channel = i % g.channels, pixel = i / g.channels, sample = pixel / input_area;
        int row = pixel % input_area / g.width + g.padding, column = pixel % g.width + g.padding;
        float sum = c.in[1] ? c.in[1][channel] : 0.f;
        // All patches that cover the pixel, from the first whose last line reaches it.
        for (int oy = max(0, (row - g.kernel + g.stride) / g.stride); oy * g.stride <= row && oy < g.out_height; oy++)
            for (int ox = max(0, (column - g.kernel + g.stride) / g.stride);
                 ox * g.stride <= column && ox < g.out_width; ox++) {
                int tap = (row - oy * g.stride) * g.kernel + column - ox * g.stride;
                size_t patch = (size_t)sample * output_area + oy * g.out_width + ox;
                sum += patches[patch * patch_len + tap * g.channels + channel];
            }
        if (c.add) sum += y[i];
        const float* output = c.in[2] ? c.in[2] + (size_t)image.n * c.per_image * c.width : nullptr;
        y[i] = output ? activation_grad(sum, output[i], c.act, c.slope) : activation(sum, c.act, c.slope);
    }
}

// ---- latents: q = [mu, logvar] [2 Z], p likewise or null for N(0, I); D = Z

// z [P, Z] = mu + exp(logvar / 2) eps, and eps [P, Z] ~ N(0, I); q
DEVICE void sample(const OpArgs& c, const Image& image) {
    const float* q = c.in[0] + (size_t)image.n * 2 * c.width;
    int quads = (c.width + 3) / 4;
    KERNEL_LOOP(i, c.per_image * quads) {
        int r = i / quads, quad = i % quads;
        uint4 counter = {(unsigned)quad, image.run->first_sample + r, image.valid ? image.sample.id : 0, image.run->epoch};
        float4 four = normal4(image.run->seed, LATENT, counter);
        size_t row = ((size_t)image.n * c.per_image + r) * c.width;
        for (int k = 0; k < 4 && 4 * quad + k < c.width; k++) {
            int j = 4 * quad + k;
            float eps = k == 0 ? four.x : k == 1 ? four.y : k == 2 ? four.z : four.w;
            c.out[1][row + j] = eps;
            c.out[0][row + j] = fmaf(exponential(0.5f * q[c.width + j]), eps, q[j]);
        }
    }
}
// dq [2 Z]; dz, eps [P, Z], q
DEVICE void sample_back(const OpArgs& c, const Image& image) {
    const float* q = c.in[2] + (size_t)image.n * 2 * c.width;
    float* dq = c.out[0] + (size_t)image.n * 2 * c.width;
    KERNEL_LOOP(j, c.width) {
        float dmu = 0.f, dlogvar = 0.f, half = 0.5f * exponential(0.5f * q[c.width + j]);
        for (int r = 0; r < c.per_image; r++) {
            size_t i = ((size_t)image.n * c.per_image + r) * c.width + j;
            dmu += c.in[0][i];
            dlogvar += half * c.in[1][i] * c.in[0][i];
        }
        assign_or_add(dq + j, c.add, dmu);
        assign_or_add(dq + c.width + j, c.add, dlogvar);
    }
}
// kl [1] = KL(q || p), analytic; q, p
DEVICE void kl(const OpArgs& c, const Image& image) {
    const float* q = c.in[0] + (size_t)image.n * 2 * c.width;
    const float* p = c.in[1] ? c.in[1] + (size_t)image.n * 2 * c.width : nullptr;
    float sum = 0.f;
    KERNEL_LOOP(j, c.width) {
        float mu = q[j], logvar = q[c.width + j];
        if (p) {
            float d = mu - p[j], ratio = logvar - p[c.width + j];
            sum += fmaf(d * d, exponential(-p[c.width + j]), exponential(ratio) - 1.f - ratio);
        } else {
            sum += fmaf(mu, mu, exponential(logvar) - 1.f - logvar);
        }
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) c.out[0][image.n] = 0.5f * sum;
}
// dq [2 Z]; dkl [1], q, p
DEVICE void kl_back(const OpArgs& c, const Image& image) {
    float dkl = c.in[0][image.n];
    const float* q = c.in[1] + (size_t)image.n * 2 * c.width;
    const float* p = c.in[2] ? c.in[2] + (size_t)image.n * 2 * c.width : nullptr;
    float* dq = c.out[0] + (size_t)image.n * 2 * c.width;
    KERNEL_LOOP(j, c.width) {
        float mu = q[j], ratio = q[c.width + j], scale = 1.f;
        if (p) {
            mu -= p[j];
            ratio -= p[c.width + j];
            scale = exponential(-p[c.width + j]);
        }
        assign_or_add(dq + j, c.add, dkl * mu * scale);
        assign_or_add(dq + c.width + j, c.add, dkl * 0.5f * (exponential(ratio) - 1.f));
    }
}
// dp [2 Z]; dkl [1], q, p
DEVICE void kl_prior_back(const OpArgs& c, const Image& image) {
    float dkl = c.in[0][image.n];
    const float* q = c.in[1] + (size_t)image.n * 2 * c.width;
    const float* p = c.in[2] + (size_t)image.n * 2 * c.width;
    float* dp = c.out[0] + (size_t)image.n * 2 * c.width;
    KERNEL_LOOP(j, c.width) {
        float d = q[j] - p[j], logvar_p = p[c.width + j], precision = exponential(-logvar_p);
        assign_or_add(dp + j, c.add, dkl * -d * precision);
        assign_or_add(dp + c.width + j, c.add, dkl * 0.5f * (1.f - exponential(q[c.width + j] - logvar_p) - d * d * precision));
    }
}
// kl [P] = log q(z) - log p(z); z, eps [P, Z], q, p
DEVICE void sampled_kl(const OpArgs& c, const Image& image) {
    const float* logvar = c.in[2] + (size_t)image.n * 2 * c.width + c.width;
    const float* p = c.in[3] ? c.in[3] + (size_t)image.n * 2 * c.width : nullptr;
    for (int r = 0; r < c.per_image; r++) {
        const float* z = c.in[0] + ((size_t)image.n * c.per_image + r) * c.width;
        const float* eps = c.in[1] + ((size_t)image.n * c.per_image + r) * c.width;
        float sum = 0.f;
        KERNEL_LOOP(j, c.width) {
            float rest = -eps[j] * eps[j];
            if (p) {
                float d = z[j] - p[j], logvar_p = p[c.width + j];
                sum += fmaf(d * d, exponential(-logvar_p), logvar_p + rest) - logvar[j];
            } else {
                sum += fmaf(z[j], z[j], rest) - logvar[j];
            }
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0) c.out[0][(size_t)image.n * c.per_image + r] = 0.5f * sum;
    }
}

// ---- likelihoods: logits [P, D], target [D]. A loss writes dloss/dlogits over the logits

// mean [P, D] = sigmoid of the first of `other` logits per pixel
DEVICE void sigmoid(const OpArgs& c, const Image& image) {
    size_t from = (size_t)image.n * c.per_image * c.width;
    KERNEL_LOOP(i, c.per_image * c.width) c.out[0][from + i] = sigmoid(c.in[0][(from + i) * c.other]);
}
// loss [P] = binary cross-entropy, logits; target
DEVICE void bernoulli(const OpArgs& c, const Image& image) {
    const float* target = c.in[0] + (size_t)image.n * c.width;
    for (int r = 0; r < c.per_image; r++) {
        float* logits = c.out[1] + ((size_t)image.n * c.per_image + r) * c.width;
        float sum = 0.f;
        KERNEL_LOOP(i, c.width) {
            float2 loss_mean = bernoulli(logits[i], target[i]);
            sum += loss_mean.x;
            logits[i] = loss_mean.y - target[i];
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0) c.out[0][(size_t)image.n * c.per_image + r] = sum;
    }
}
// loss [P] = -log N(target; sigmoid(logits), sigma²), logits; target; constants: 1 / sigma², and D / 2 ln(2 pi sigma²)
DEVICE void gaussian(const OpArgs& c, const Image& image) {
    const float* target = c.in[0] + (size_t)image.n * c.width;
    for (int r = 0; r < c.per_image; r++) {
        float* logits = c.out[1] + ((size_t)image.n * c.per_image + r) * c.width;
        float sum = 0.f;
        KERNEL_LOOP(i, c.width) {
            float mean = sigmoid(logits[i]), d = mean - target[i];
            sum += d * d;
            logits[i] = d * mean * (1.f - mean) * c.constants[0];
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0) c.out[0][(size_t)image.n * c.per_image + r] = fmaf(0.5f * c.constants[0], sum, c.constants[1]);
    }
}
// The same with logits [P, D, 2] of mean and s, and variance = exp(s) + min_sigma²; constants: min_sigma²
DEVICE void gaussian_learned(const OpArgs& c, const Image& image) {
    const float* target = c.in[0] + (size_t)image.n * c.width;
    for (int r = 0; r < c.per_image; r++) {
        float* logits = c.out[1] + ((size_t)image.n * c.per_image + r) * 2 * c.width;
        float sum = 0.f;
        KERNEL_LOOP(i, c.width) {
            float mean = sigmoid(logits[2 * i]), e = exponential(logits[2 * i + 1]);
            float d = mean - target[i], variance = e + c.constants[0], square = d * d / variance;
            logits[2 * i] = d * mean * (1.f - mean) / variance;
            logits[2 * i + 1] = 0.5f * e * (1.f - square) / variance;
            sum += 1.8378771f + logarithm(variance) + square;  // ln(2 pi)
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0) c.out[0][(size_t)image.n * c.per_image + r] = 0.5f * sum;
    }
}
// loss [P] = sum of (mean - target)²; mean [P, D], target
DEVICE void squared_error(const OpArgs& c, const Image& image) {
    for (int r = 0; r < c.per_image; r++) {
        const float* mean = c.in[0] + ((size_t)image.n * c.per_image + r) * c.width;
        float sum = 0.f;
        KERNEL_LOOP(i, c.width) {
            float d = mean[i] - c.in[1][(size_t)image.n * c.width + i];
            sum += d * d;
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0) c.out[0][(size_t)image.n * c.per_image + r] = sum;
    }
}
// losses[position of the image in the epoch] = [mean of recon, mean of kl]; d_recon [P] and d_kl [other]: the
// derivatives of the batch loss; recon [P], kl [other] or null
DEVICE void elbo(const OpArgs& c, const Image& image) {
    int valid = image.step.valid;
    KERNEL_LOOP(r, c.per_image) {
        c.out[1][(size_t)image.n * c.per_image + r] = image.valid ? 1.f / (float)(valid * c.per_image) : 0.f;
    }
    if (c.in[1])
        KERNEL_LOOP(r, c.other) {
            float weight = image.step.kl_weight;
            c.out[2][(size_t)image.n * c.other + r] = image.valid ? weight / (float)(valid * c.other) : 0.f;
        }
    if (threadIdx.x != 0 || !image.valid) return;
    float recon = 0.f, kl = 0.f;
    for (int r = 0; r < c.per_image; r++) recon += c.in[0][(size_t)image.n * c.per_image + r];
    for (int r = 0; c.in[1] && r < c.other; r++) kl += c.in[1][(size_t)image.n * c.other + r];
    float* losses = c.out[0] + (size_t)(image.step.at + image.n) * 2;
    losses[0] = recon / (float)c.per_image;
    losses[1] = c.in[1] ? kl / (float)c.other : 0.f;
}
