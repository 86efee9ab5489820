// The decoder: pure functions of numbers, independent of the page.
// Layers take their weights from one array, in the order of the layers. Images between layers are [channels, H, W].
"use strict";

const ACTIVATIONS = {
  none: (v) => v,
  relu: (v) => Math.max(v, 0),
  "leaky-relu": (v, slope) => (v > 0 ? v : slope * v),
  tanh: (v) => Math.tanh(v),
  softplus: (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))),
};

/** An in-place activation from its name on the command line, such as leaky-relu:0.2. */
function makeActivation(text) {
  const [name, slope] = text.split(":");
  const f = ACTIVATIONS[name];
  return (y) => {
    if (name !== "none") for (let i = 0; i < y.length; i++) y[i] = f(y[i], Number(slope));
    return y;
  };
}

/** y = W x + b: x [in], W [out, in], b [out], y [out] */
function linear({ in: inputs, out: outputs, activation }, take) {
  const weight = take(outputs * inputs);
  const bias = take(outputs);
  const activate = makeActivation(activation);
  return (x) => {
    const y = new Float32Array(outputs);
    for (let o = 0; o < outputs; o++) {
      let sum = bias[o];
      for (let i = 0; i < inputs; i++) sum += weight[o * inputs + i] * x[i];
      y[o] = sum;
    }
    return activate(y);
  };
}

/**
 * Transposed convolution: adds x[c, i, j] W[c, o] to the kernel-sized patch of y[o] at (i, j).
 * x [in, h, w], W [in, out, kernel, kernel], b [out], y [out, H, W]
 */
function convTranspose({ in: [inputs, h, w], out: [outputs, H, W], kernel, stride, padding, activation }, take) {
  const weight = take(inputs * outputs * kernel * kernel);
  const bias = take(outputs);
  const activate = makeActivation(activation);
  return (x) => {
    const y = new Float32Array(outputs * H * W);
    for (let o = 0; o < outputs; o++) y.fill(bias[o], o * H * W, (o + 1) * H * W);
    for (let c = 0; c < inputs; c++) {
      for (let p = 0; p < h * w; p++) {
        const value = x[c * h * w + p];
        if (value === 0) continue;
        const top = Math.floor(p / w) * stride - padding;
        const left = (p % w) * stride - padding;
        for (let o = 0; o < outputs; o++) {
          const filter = (c * outputs + o) * kernel * kernel;
          for (let i = Math.max(0, -top); i < kernel && top + i < H; i++) {
            const row = (o * H + top + i) * W + left;
            for (let j = Math.max(0, -left); j < kernel && left + j < W; j++) {
              y[row + j] += value * weight[filter + i * kernel + j];
            }
          }
        }
      }
    }
    return activate(y);
  };
}

/** The composition of layers. */
function sequential(layers, take) {
  const kinds = { linear, "conv-transpose": convTranspose };
  const functions = layers.map((layer) => kinds[layer.kind](layer, take));
  return (x) => functions.reduce((value, f) => f(value), x);
}

/** Little-endian f32 in base64 to a Float32Array. */
function decodeFloats(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** A model from its description and weights: decode(z, label) to pixel means, prior(label) to mean and sigma. */
function readModel(description, base64) {
  const { latent, classes, sigmoid } = description;
  const weights = decodeFloats(base64);
  let offset = 0;
  const take = (count) => weights.subarray(offset, (offset += count));
  const decoder = sequential(description.decoder, take);
  const prior = description.prior && sequential(description.prior, take);
  const oneHot = (label) => Array.from({ length: classes }, (_, k) => Number(k === label));
  return {
    decode(z, label) {
      const outputs = decoder([...z, ...oneHot(label)]);
      return sigmoid ? outputs.map((v) => 1 / (1 + Math.exp(-v))) : outputs;
    },
    prior(label) {
      const outputs = prior ? prior(oneHot(label)) : new Float32Array(2 * latent);
      const [mean, logvar] = [outputs.slice(0, latent), outputs.slice(latent)];
      return { mean, sigma: logvar.map((v) => Math.exp(0.5 * v)) };
    },
  };
}

/** Interpolation of a and b at t: linear, or spherical (slerp) where the arc around the origin is unique. */
function interpolate(a, b, t, spherical) {
  const norm = (v) => Math.hypot(...v);
  const [normA, normB] = [norm(a), norm(b)];
  const cosine = a.reduce((sum, v, i) => sum + v * b[i], 0) / (normA * normB);
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  if (!spherical || !(Math.sin(angle) > 1e-6)) return a.map((v, i) => (1 - t) * v + t * b[i]);
  const normAtT = (1 - t) * normA + t * normB;
  const weight = (share, norm) => (Math.sin(share * angle) / Math.sin(angle)) * (normAtT / norm);
  return a.map((v, i) => weight(1 - t, normA) * v + weight(t, normB) * b[i]);
}
