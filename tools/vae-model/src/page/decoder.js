// The decoder of a model: numbers in, numbers out, and nothing of the page.
// A layer takes its weights from one row of numbers, in the order of the layers. An image between layers is [channels, H, W].
"use strict";

const ACTIVATIONS = {
  none: (v) => v,
  relu: (v) => Math.max(v, 0),
  "leaky-relu": (v, slope) => (v > 0 ? v : slope * v),
  tanh: (v) => Math.tanh(v),
  softplus: (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))),
};

/** What an activation does to values, in place; in text as on the command line, leaky-relu:0.2. */
function activation(text) {
  const [name, slope] = text.split(":");
  const f = ACTIVATIONS[name];
  return (y) => {
    if (name !== "none") for (let i = 0; i < y.length; i++) y[i] = f(y[i], Number(slope));
    return y;
  };
}

/** y[o] = b[o] + sum of w[o, i] x[i] */
function linear({ from, to, act }, take) {
  const weight = take(to * from);
  const bias = take(to);
  const activate = activation(act);
  return (x) => {
    const y = new Float32Array(to);
    for (let o = 0; o < to; o++) {
      let sum = bias[o];
      for (let i = 0; i < from; i++) sum += weight[o * from + i] * x[i];
      y[o] = sum;
    }
    return activate(y);
  };
}

/** Each value of x [channels, h, w] lays a window, w[c, o], on y [out, H, W] at its place. */
function transposed({ from: [channels, h, w], to: [out, high, wide], act, size, stride, pad }, take) {
  const weight = take(channels * out * size * size);
  const bias = take(out);
  const activate = activation(act);
  return (x) => {
    const y = new Float32Array(out * high * wide);
    for (let o = 0; o < out; o++) y.fill(bias[o], o * high * wide, (o + 1) * high * wide);
    for (let c = 0; c < channels; c++) {
      for (let at = 0; at < h * w; at++) {
        const value = x[c * h * w + at];
        if (value === 0) continue;
        const top = Math.floor(at / w) * stride - pad;
        const left = (at % w) * stride - pad;
        for (let o = 0; o < out; o++) {
          const window = (c * out + o) * size * size;
          for (let i = Math.max(0, -top); i < size && top + i < high; i++) {
            const row = (o * high + top + i) * wide + left;
            for (let j = Math.max(0, -left); j < size && left + j < wide; j++) {
              y[row + j] += value * weight[window + i * size + j];
            }
          }
        }
      }
    }
    return activate(y);
  };
}

/** One layer after the other. */
function chain(layers, take) {
  const kinds = { linear, transposed };
  const steps = layers.map((layer) => kinds[layer.kind](layer, take));
  return (x) => steps.reduce((value, step) => step(value), x);
}

/** The numbers in base64 of little-endian f32. */
function numbers(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** A model from its description and weights: decode(z, label) to the means of pixels, prior(label) to mean and sigma. */
function readModel(description, base64) {
  const { latent, classes, sigmoid } = description;
  const weights = numbers(base64);
  let taken = 0;
  const take = (count) => weights.subarray(taken, (taken += count));
  const decoder = chain(description.decoder, take);
  const prior = description.prior && chain(description.prior, take);
  const oneHot = (label) => Array.from({ length: classes }, (_, k) => Number(k === label));
  return {
    decode(z, label) {
      const values = decoder([...z, ...oneHot(label)]);
      return sigmoid ? values.map((v) => 1 / (1 + Math.exp(-v))) : values;
    },
    prior(label) {
      const values = prior ? prior(oneHot(label)) : new Float32Array(2 * latent);
      const [mean, logvar] = [values.slice(0, latent), values.slice(latent)];
      return { mean, sigma: logvar.map((v) => Math.exp(0.5 * v)) };
    },
  };
}

/** The point at t of the way from a to b: on a line, or on an arc around the origin where there is one. */
function between(a, b, t, spherical) {
  const length = (v) => Math.hypot(...v);
  const [from, to] = [length(a), length(b)];
  const cosine = a.reduce((sum, v, i) => sum + v * b[i], 0) / (from * to);
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  if (!spherical || !(Math.sin(angle) > 1e-6)) return a.map((v, i) => (1 - t) * v + t * b[i]);
  const grown = (1 - t) * from + t * to;
  const part = (share, own) => (Math.sin(share * angle) / Math.sin(angle)) * (grown / own);
  return a.map((v, i) => part(1 - t, from) * v + part(t, to) * b[i]);
}
