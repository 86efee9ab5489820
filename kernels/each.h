// The operations on the rows of each image by itself, but for large products: one block of threads for an image.
//
// An operation's formula is that of its variant in common/src/plan/op.rs.
#pragma once
#include "noise.h"
#include "program.h"

// The image of a block.
struct Image {
    int n;
    bool live;
    Visit visit;
    const Run* run;
    Step now;
};

// The values that the threads of an image go through together.
#define EACH(i, count) for (int i = blockIdx.y * THREADS + threadIdx.x; i < (count); i += gridDim.y * THREADS)

// The sum over the threads of a block, in an order of its own; all of them get it.
DEVICE float block_sum(float v) {
    __shared__ float parts[THREADS / 32];
#pragma unroll
    for (int other = 16; other; other /= 2) v += __shfl_xor_sync(0xffffffffu, v, other);
    __syncthreads();  // of an earlier sum every thread has had its value
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = v;
    __syncthreads();
    v = 0.f;
    for (int warp = 0; warp < THREADS / 32; warp++) v += parts[warp];
    return v;
}

DEVICE void put(float* to, int add, float v) { *to = add ? *to + v : v; }

// ---- data

// out: y [width]; in: the table, of bytes if `other`; act: what becomes of pixels (0 nothing, 1 a threshold, 2 a draw,
// 3 a draw for each epoch); f: white in the table, and then black and white as the network sees them
DEVICE void gather(const Call& c, const Image& at) {
    float* y = c.out[0] + (size_t)at.n * c.width;
    const unsigned char* bytes = (const unsigned char*)c.in[0] + (size_t)at.visit.row * c.width;
    const float* floats = c.in[0] + (size_t)at.visit.row * c.width;
    EACH(quad, (c.width + 3) / 4) {
        float4 draws = {};
        if (c.act >= 2 && at.live) {
            uint4 counter = {(unsigned)quad, 0, at.visit.id, c.act == 3 ? at.run->epoch : 0};
            draws = uniform4(at.run->seed, INK, counter);
        }
        for (int j = 0; j < 4 && 4 * quad + j < c.width; j++) {
            int i = 4 * quad + j;
            float v = 0.f;
            if (at.live) {
                v = (c.other ? (float)bytes[i] : floats[i]) / c.f[0];
                float u = j == 0 ? draws.x : j == 1 ? draws.y : j == 2 ? draws.z : draws.w;
                if (c.act == 1) v = v > 0.5f ? 1.f : 0.f;
                if (c.act >= 2) v = u < v ? 1.f : 0.f;
                if (c.f[1] != 0.f || c.f[2] != 1.f) v = c.f[1] + (c.f[2] - c.f[1]) * v;
            }
            y[i] = v;
        }
    }
}
// out: y [width]; in: labels, bytes
DEVICE void one_hot(const Call& c, const Image& at) {
    int label = at.live ? ((const unsigned char*)c.in[0])[at.visit.row] : -1;
    EACH(i, c.width) c.out[0][(size_t)at.n * c.width + i] = i == label ? 1.f : 0.f;
}
// out: y [per, width]; in: a [per, other], b [width - other]
DEVICE void concat(const Call& c, const Image& at) {
    int beside = c.width - c.other;
    EACH(i, c.per * c.width) {
        int r = i / c.width, j = i % c.width;
        float v = j < c.other ? c.in[0][((size_t)at.n * c.per + r) * c.other + j]
                              : c.in[1][(size_t)at.n * beside + j - c.other];
        c.out[0][(size_t)at.n * c.per * c.width + i] = v;
    }
}
// out: y [per, width]; in: x [per, other]
DEVICE void first(const Call& c, const Image& at) {
    EACH(i, c.per * c.width) {
        size_t r = (size_t)at.n * c.per + i / c.width;
        put(c.out[0] + r * c.width + i % c.width, c.add, c.in[0][r * c.other + i % c.width]);
    }
}
// out: y [per, width]; in: x, b [width]
DEVICE void centre(const Call& c, const Image& at) {
    size_t from = (size_t)at.n * c.per * c.width;
    EACH(i, c.per * c.width) c.out[0][from + i] = c.in[0][from + i] - c.in[1][i % c.width];
}
// out: the table [per · width] at the position of the image; in: x
DEVICE void keep(const Call& c, const Image& at) {
    int all = c.per * c.width;
    if (at.live) EACH(i, all) c.out[0][(size_t)(at.now.at + at.n) * all + i] = c.in[0][(size_t)at.n * all + i];
}

// ---- products of few rows with small weights, for which a launch would cost more than they do: each block reads all of W

// out: y [per, width]; in: x [per, other], W [other, width], a bias or null
DEVICE void linear(const Call& c, const Image& at) {
    __shared__ float parts[THREADS];
    // So many columns at a time, and the threads beside them share k.
    int columns = c.width > 128 ? THREADS : c.width > 64 ? 128 : c.width > 32 ? 64 : 32, shares = THREADS / columns;
    int lane = threadIdx.x % columns, share = threadIdx.x / columns;
    for (int r = 0; r < c.per; r++) {
        const float* x = c.in[0] + ((size_t)at.n * c.per + r) * c.other;
        for (int column = lane; column - lane < c.width; column += columns) {
            float sum = 0.f;
            if (column < c.width)
#pragma unroll 8
                for (int k = share; k < c.other; k += shares) sum = fmaf(x[k], c.in[1][k * c.width + column], sum);
            __syncthreads();  // the parts of the last columns have been read
            parts[threadIdx.x] = sum;
            __syncthreads();
            if (share == 0 && column < c.width) {
                for (int other = 1; other < shares; other++) sum += parts[other * columns + lane];
                if (c.in[2]) sum += c.in[2][column];
                c.out[0][((size_t)at.n * c.per + r) * c.width + column] = activate(sum, c.act, c.slope);
            }
        }
    }
}
// out: dx [per, width]; in: dy [per, other], W [width, other], the output of the activation to go back through, or null
DEVICE void linear_back(const Call& c, const Image& at) {
    // A row of W is read by a warp, or by one thread if it is short.
    int together = c.other > 64 ? 32 : 1, lane = threadIdx.x % together;
    for (int r = 0; r < c.per; r++) {
        const float* dy = c.in[0] + ((size_t)at.n * c.per + r) * c.other;
        size_t row = ((size_t)at.n * c.per + r) * c.width;
        for (int first = 0; first < c.width; first += THREADS / together) {
            int j = first + threadIdx.x / together;
            float sum = 0.f;
            if (j < c.width)
#pragma unroll 8
                for (int k = lane; k < c.other; k += together) sum = fmaf(dy[k], c.in[1][j * c.other + k], sum);
            for (int other = together / 2; other; other /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, other);
            if (lane != 0 || j >= c.width) continue;
            if (c.add) sum += c.out[0][row + j];
            c.out[0][row + j] = c.in[2] ? back_through(sum, c.in[2][row + j], c.act, c.slope) : sum;
        }
    }
}

// ---- between products

// out: dy [per, width]; in: y
DEVICE void act_back(const Call& c, const Image& at) {
    size_t from = (size_t)at.n * c.per * c.width;
    EACH(i, c.per * c.width) c.out[0][from + i] = back_through(c.out[0][from + i], c.in[0][from + i], c.act, c.slope);
}
// out: d [per, width]; in: the weight of each row
DEVICE void weigh(const Call& c, const Image& at) {
    size_t row = (size_t)at.n * c.per;
    EACH(i, c.per * c.width) c.out[0][row * c.width + i] *= c.in[0][row + i / c.width];
}
// out: y [per rows of windows, width = values under one]; in: x
DEVICE void im2col(const Call& c, const Image& at) {
    const Window& w = c.window;
    int positions = w.out_height * w.out_width, places = w.height * w.width;
    const float* x = c.in[0] + (size_t)at.n * (c.per / positions) * places * w.channels;
    float* y = c.out[0] + (size_t)at.n * c.per * c.width;
    EACH(i, c.per * c.width) {
        int r = i / c.width, j = i % c.width, image = r / positions, position = r % positions;
        int top = position / w.out_width * w.stride + j / w.channels / w.size - w.pad;
        int left = position % w.out_width * w.stride + j / w.channels % w.size - w.pad;
        bool inside = top >= 0 && top < w.height && left >= 0 && left < w.width;
        y[i] = inside ? x[((size_t)image * places + top * w.width + left) * w.channels + j % w.channels] : 0.f;
    }
}
// out: y [per, width = channels], all pixels of the images; in: what each row lays under its window, a bias or null, and the
// output of the activation to go back through, or null
DEVICE void col2im(const Call& c, const Image& at) {
    const Window& w = c.window;
    int positions = w.out_height * w.out_width, places = w.height * w.width, values = w.size * w.size * w.channels;
    const float* laid = c.in[0] + (size_t)at.n * (c.per / places) * positions * values;
    float* y = c.out[0] + (size_t)at.n * c.per * c.width;
    EACH(i, c.per * c.width) {
        int channel = i % w.channels, pixel = i / w.channels, image = pixel / places;
        int top = pixel % places / w.width + w.pad, left = pixel % w.width + w.pad;
        float sum = c.in[1] ? c.in[1][channel] : 0.f;
        // The windows that see the pixel, from the first whose last line reaches it.
        for (int oy = max(0, (top - w.size + w.stride) / w.stride); oy * w.stride <= top && oy < w.out_height; oy++)
            for (int ox = max(0, (left - w.size + w.stride) / w.stride); ox * w.stride <= left && ox < w.out_width; ox++) {
                int tap = (top - oy * w.stride) * w.size + left - ox * w.stride;
                size_t row = (size_t)image * positions + oy * w.out_width + ox;
                sum += laid[row * values + tap * w.channels + channel];
            }
        if (c.add) sum += y[i];
        const float* output = c.in[2] ? c.in[2] + (size_t)at.n * c.per * c.width : nullptr;
        y[i] = output ? back_through(sum, output[i], c.act, c.slope) : activate(sum, c.act, c.slope);
    }
}

// ---- the code: q = [mu, logvar], p likewise or null for N(0, I); width = Z

// out: z, eps [per, width]; in: q
DEVICE void sample(const Call& c, const Image& at) {
    const float* q = c.in[0] + (size_t)at.n * 2 * c.width;
    int quads = (c.width + 3) / 4;
    EACH(i, c.per * quads) {
        int r = i / quads, quad = i % quads;
        uint4 counter = {(unsigned)quad, at.run->first_sample + r, at.live ? at.visit.id : 0, at.run->epoch};
        float4 four = normal4(at.run->seed, LATENT, counter);
        size_t row = ((size_t)at.n * c.per + r) * c.width;
        for (int k = 0; k < 4 && 4 * quad + k < c.width; k++) {
            int j = 4 * quad + k;
            float eps = k == 0 ? four.x : k == 1 ? four.y : k == 2 ? four.z : four.w;
            c.out[1][row + j] = eps;
            c.out[0][row + j] = fmaf(exponential(0.5f * q[c.width + j]), eps, q[j]);
        }
    }
}
// out: dq [2 width]; in: dz, eps [per, width], q
DEVICE void sample_back(const Call& c, const Image& at) {
    const float* q = c.in[2] + (size_t)at.n * 2 * c.width;
    float* dq = c.out[0] + (size_t)at.n * 2 * c.width;
    EACH(j, c.width) {
        float dmu = 0.f, dlogvar = 0.f, half = 0.5f * exponential(0.5f * q[c.width + j]);
        for (int r = 0; r < c.per; r++) {
            size_t i = ((size_t)at.n * c.per + r) * c.width + j;
            dmu += c.in[0][i];
            dlogvar += half * c.in[1][i] * c.in[0][i];
        }
        put(dq + j, c.add, dmu);
        put(dq + c.width + j, c.add, dlogvar);
    }
}
// out: kl [1]; in: q, p
DEVICE void kl(const Call& c, const Image& at) {
    const float* q = c.in[0] + (size_t)at.n * 2 * c.width;
    const float* p = c.in[1] ? c.in[1] + (size_t)at.n * 2 * c.width : nullptr;
    float sum = 0.f;
    EACH(j, c.width) {
        float mu = q[j], logvar = q[c.width + j];
        if (p) {
            float d = mu - p[j], ratio = logvar - p[c.width + j];
            sum += fmaf(d * d, exponential(-p[c.width + j]), exponential(ratio) - 1.f - ratio);
        } else {
            sum += fmaf(mu, mu, exponential(logvar) - 1.f - logvar);
        }
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) c.out[0][at.n] = 0.5f * sum;
}
// out: dq [2 width]; in: dkl, q, p
DEVICE void kl_back(const Call& c, const Image& at) {
    float dkl = c.in[0][at.n];
    const float* q = c.in[1] + (size_t)at.n * 2 * c.width;
    const float* p = c.in[2] ? c.in[2] + (size_t)at.n * 2 * c.width : nullptr;
    float* dq = c.out[0] + (size_t)at.n * 2 * c.width;
    EACH(j, c.width) {
        float mu = q[j], ratio = q[c.width + j], scale = 1.f;
        if (p) {
            mu -= p[j];
            ratio -= p[c.width + j];
            scale = exponential(-p[c.width + j]);
        }
        put(dq + j, c.add, dkl * mu * scale);
        put(dq + c.width + j, c.add, dkl * 0.5f * (exponential(ratio) - 1.f));
    }
}
// out: dp [2 width]; in: dkl, q, p
DEVICE void kl_prior_back(const Call& c, const Image& at) {
    float dkl = c.in[0][at.n];
    const float* q = c.in[1] + (size_t)at.n * 2 * c.width;
    const float* p = c.in[2] + (size_t)at.n * 2 * c.width;
    float* dp = c.out[0] + (size_t)at.n * 2 * c.width;
    EACH(j, c.width) {
        float d = q[j] - p[j], logvar_p = p[c.width + j], precision = exponential(-logvar_p);
        put(dp + j, c.add, dkl * -d * precision);
        put(dp + c.width + j, c.add, dkl * 0.5f * (1.f - exponential(q[c.width + j] - logvar_p) - d * d * precision));
    }
}
// out: kl [per]; in: z, eps [per, width], q, p
DEVICE void sampled_kl(const Call& c, const Image& at) {
    const float* logvar = c.in[2] + (size_t)at.n * 2 * c.width + c.width;
    const float* p = c.in[3] ? c.in[3] + (size_t)at.n * 2 * c.width : nullptr;
    for (int r = 0; r < c.per; r++) {
        const float *z = c.in[0] + ((size_t)at.n * c.per + r) * c.width, *eps = c.in[1] + ((size_t)at.n * c.per + r) * c.width;
        float sum = 0.f;
        EACH(j, c.width) {
            float rest = -eps[j] * eps[j];
            if (p) {
                float d = z[j] - p[j], logvar_p = p[c.width + j];
                sum += fmaf(d * d, exponential(-logvar_p), logvar_p + rest) - logvar[j];
            } else {
                sum += fmaf(z[j], z[j], rest) - logvar[j];
            }
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0) c.out[0][(size_t)at.n * c.per + r] = 0.5f * sum;
    }
}

// ---- pixels: v [per, width], targets [width]

// out: mean [per, width]; in: v, `other` values for each pixel
DEVICE void sigmoid(const Call& c, const Image& at) {
    size_t from = (size_t)at.n * c.per * c.width;
    EACH(i, c.per * c.width) c.out[0][from + i] = sigmoid_of(c.in[0][(from + i) * c.other]);
}
// out: loss [per], v; in: target
DEVICE void bernoulli(const Call& c, const Image& at) {
    const float* target = c.in[0] + (size_t)at.n * c.width;
    for (int r = 0; r < c.per; r++) {
        float* v = c.out[1] + ((size_t)at.n * c.per + r) * c.width;
        float sum = 0.f;
        EACH(i, c.width) {
            float2 both = bernoulli_of(v[i], target[i]);
            sum += both.x;
            v[i] = both.y - target[i];
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0) c.out[0][(size_t)at.n * c.per + r] = sum;
    }
}
// as bernoulli; f: the precision 1 / sigma², and width / 2 ln(2 pi sigma²)
DEVICE void gaussian(const Call& c, const Image& at) {
    const float* target = c.in[0] + (size_t)at.n * c.width;
    for (int r = 0; r < c.per; r++) {
        float* v = c.out[1] + ((size_t)at.n * c.per + r) * c.width;
        float sum = 0.f;
        EACH(i, c.width) {
            float mean = sigmoid_of(v[i]), d = mean - target[i];
            sum += d * d;
            v[i] = d * mean * (1.f - mean) * c.f[0];
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0) c.out[0][(size_t)at.n * c.per + r] = fmaf(0.5f * c.f[0], sum, c.f[1]);
    }
}
// as bernoulli, with v [per, width, 2], a logit and s; f: the least variance
DEVICE void gaussian_learned(const Call& c, const Image& at) {
    const float* target = c.in[0] + (size_t)at.n * c.width;
    for (int r = 0; r < c.per; r++) {
        float* v = c.out[1] + ((size_t)at.n * c.per + r) * 2 * c.width;
        float sum = 0.f;
        EACH(i, c.width) {
            float mean = sigmoid_of(v[2 * i]), e = exponential(v[2 * i + 1]);
            float d = mean - target[i], variance = e + c.f[0], square = d * d / variance;
            v[2 * i] = d * mean * (1.f - mean) / variance;
            v[2 * i + 1] = 0.5f * e * (1.f - square) / variance;
            sum += 1.8378771f + logarithm(variance) + square;  // ln(2 pi)
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0) c.out[0][(size_t)at.n * c.per + r] = 0.5f * sum;
    }
}
// out: loss [per]; in: mean [per, width], target
DEVICE void squared_error(const Call& c, const Image& at) {
    for (int r = 0; r < c.per; r++) {
        const float* mean = c.in[0] + ((size_t)at.n * c.per + r) * c.width;
        float sum = 0.f;
        EACH(i, c.width) {
            float d = mean[i] - c.in[1][(size_t)at.n * c.width + i];
            sum += d * d;
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0) c.out[0][(size_t)at.n * c.per + r] = sum;
    }
}
// out: terms [2] at the position of the image, wr [per], wk [other] or null; in: recon [per], kl [other] or null
DEVICE void elbo(const Call& c, const Image& at) {
    EACH(r, c.per) c.out[1][(size_t)at.n * c.per + r] = at.live ? 1.f / (float)(at.now.live * c.per) : 0.f;
    if (c.in[1])
        EACH(r, c.other)
            c.out[2][(size_t)at.n * c.other + r] = at.live ? at.now.kl_weight / (float)(at.now.live * c.other) : 0.f;
    if (threadIdx.x != 0 || !at.live) return;
    float recon = 0.f, kl = 0.f;
    for (int r = 0; r < c.per; r++) recon += c.in[0][(size_t)at.n * c.per + r];
    for (int r = 0; c.in[1] && r < c.other; r++) kl += c.in[1][(size_t)at.n * c.other + r];
    float* terms = c.out[0] + (size_t)(at.now.at + at.n) * 2;
    terms[0] = recon / (float)c.per;
    terms[1] = c.in[1] ? kl / (float)c.other : 0.f;
}
