//! The reference of every op, in plain f64.

use common::backend::{SampleIndex, State};
use common::model::Binarize;
use common::plan::{Activation, Activations, Buf, ConvGeometry, Gradient, Op, PixelType, Table};
use std::collections::HashMap;
use vae_numerics::rng::{Purpose, normals, uniform4};

/// The buffers of a plan.
#[derive(Clone)]
pub struct Data {
    pub values: HashMap<Buf, Vec<f64>>,
    pub bytes: HashMap<Buf, Vec<u8>>,
    pub indices: Vec<SampleIndex>,
    pub state: State,
}

fn act(v: f64, act: Activation) -> f64 {
    match act {
        Activation::None => v,
        Activation::Relu => v.max(0.0),
        Activation::LeakyRelu(slope) => v.max(slope as f64 * v),
        Activation::Tanh => v.tanh(),
        Activation::Softplus => v.max(0.0) + (-v.abs()).exp().ln_1p(),
    }
}

/// The derivative, as a function of the output.
fn slope(y: f64, act: Activation) -> f64 {
    match act {
        Activation::None => 1.0,
        Activation::Relu => f64::from(y > 0.0),
        Activation::LeakyRelu(slope) => {
            if y > 0.0 {
                1.0
            } else {
                slope as f64
            }
        }
        Activation::Tanh => 1.0 - y * y,
        Activation::Softplus => 1.0 - (-y).exp(),
    }
}

fn sigmoid(v: f64) -> f64 {
    1.0 / (1.0 + (-v).exp())
}

/// The index of the input pixel of kernel element [row, column] at output position [oy, ox]; None in the padding.
fn input_pixel(w: &ConvGeometry, [oy, ox, row, column]: [usize; 4]) -> Option<usize> {
    let input = |o: usize, tap: usize| (o * w.stride + tap).checked_sub(w.padding);
    let (y, x) = (input(oy, row)?, input(ox, column)?);
    (y < w.input[0] && x < w.input[1]).then_some(y * w.input[1] + x)
}

/// Calls f(output position, kernel element, input pixel) for all pairs outside the padding.
fn each_tap(w: &ConvGeometry, mut f: impl FnMut(usize, usize, usize)) {
    for (oy, ox) in (0..w.output[0]).flat_map(|y| (0..w.output[1]).map(move |x| (y, x))) {
        for tap in 0..w.kernel_area() {
            if let Some(pixel) = input_pixel(w, [oy, ox, tap / w.kernel, tap % w.kernel]) {
                f(oy * w.output[1] + ox, tap, pixel);
            }
        }
    }
}

impl Data {
    fn n(&self) -> usize {
        self.state.batch
    }
    fn sample(&self, n: usize) -> Option<SampleIndex> {
        (n < self.state.valid()).then(|| self.indices[self.state.at + n])
    }
    fn get(&self, r: Activations, row: usize, i: usize) -> f64 {
        self.values[&r.buf][row * r.width + i]
    }
    /// Assigns f(row, i) to all rows of y, or adds it.
    fn set(&mut self, y: Activations, add: bool, f: impl Fn(&Data, usize, usize) -> f64) {
        let values = (0..self.n() * y.per_image * y.width).map(|k| f(self, k / y.width, k % y.width));
        let values: Vec<f64> = values.collect();
        let to = self.values.get_mut(&y.buf).expect("a buffer");
        to.iter_mut().zip(values).for_each(|(to, v)| *to = if add { *to + v } else { v });
    }
    fn set_table(&mut self, t: Table, f: impl Fn(&Data, usize, usize) -> f64) {
        let (at, valid) = (self.state.at, self.state.valid());
        for n in 0..valid {
            let row: Vec<f64> = (0..t.width).map(|i| f(self, n, i)).collect();
            let to = self.values.get_mut(&t.buf).expect("a table");
            to[(at + n) * t.width..][..t.width].copy_from_slice(&row);
        }
    }
    fn dot(&self, x: Activations, row: usize, w: common::plan::Param, j: usize, transpose_w: bool) -> f64 {
        let weight = &self.values[&w.buf];
        match transpose_w {
            false => (0..w.inp).map(|i| self.get(x, row, i) * weight[i * w.out + j]).sum(),
            true => (0..w.out).map(|i| self.get(x, row, i) * weight[j * w.out + i]).sum(),
        }
    }
    /// Of image n: mu, logvar, and those of the prior.
    fn latent(&self, q: Activations, p: Option<Activations>, n: usize, j: usize) -> [f64; 4] {
        let z = q.width / 2;
        let prior = |i: usize| p.map_or(0.0, |p| self.get(p, n, i));
        [self.get(q, n, j), self.get(q, n, z + j), prior(j), prior(z + j)]
    }

    /// Applies one op.
    pub fn apply(&mut self, op: Op) {
        match op {
            Op::Gather { y, from, transform } => {
                let State { seed, epoch, .. } = self.state;
                self.set(y, false, |d, n, i| {
                    let Some(SampleIndex { row, id }) = d.sample(n) else { return 0.0 };
                    let at = row as usize * from.width + i;
                    let v = match from.dtype {
                        PixelType::U8 => d.bytes[&from.buf][at] as f64,
                        PixelType::F32 => d.values[&from.buf][at],
                    } / transform.white as f64;
                    let noise = |epoch| uniform4(seed, Purpose::Binarize, [i as u32 / 4, 0, id, epoch])[i % 4] as f64;
                    let pixel = match transform.binarize {
                        Binarize::None => v,
                        Binarize::Threshold => f64::from(v > 0.5),
                        Binarize::Static => f64::from(noise(0) < v),
                        Binarize::Dynamic => f64::from(noise(epoch) < v),
                    };
                    let [black, white] = transform.range.map(f64::from);
                    black + (white - black) * pixel
                });
            }
            Op::OneHot { y, from } => self.set(y, false, |d, n, i| {
                d.sample(n).map_or(0.0, |v| f64::from(d.bytes[&from.buf][v.row as usize] as usize == i))
            }),
            Op::Concat { y, a, b } => {
                self.set(
                    y,
                    false,
                    |d, r, i| if i < a.width { d.get(a, r, i) } else { d.get(b, r / y.per_image, i - a.width) },
                )
            }
            Op::Narrow { y, x, add } => self.set(y, add, |d, r, i| d.get(x, r, i)),
            Op::Subtract { y, x, b } => self.set(y, false, |d, r, i| d.get(x, r, i) - d.values[&b.buf][i]),
            Op::Linear { y, x, w, b, act: a } => {
                self.set(y, false, |d, r, j| act(d.dot(x, r, w, j, false) + b.map_or(0.0, |b| d.values[&b.buf][j]), a))
            }
            Op::LinearBack { dx, dy, w, add } => self.set(dx, add, |d, r, j| d.dot(dy, r, w, j, true)),
            Op::ActivationBack { dy, y, act } => {
                self.set(dy, false, |d, r, i| d.get(dy, r, i) * slope(d.values[&y.buf][r * dy.width + i], act))
            }
            Op::Im2col { y, x, conv } => {
                let (positions, channels) = (conv.output_area(), conv.channels);
                self.set(y, false, |d, r, i| {
                    let (image, position, tap) = (r / positions, r % positions, i / channels);
                    let at =
                        [position / conv.output[1], position % conv.output[1], tap / conv.kernel, tap % conv.kernel];
                    input_pixel(&conv, at)
                        .map_or(0.0, |pixel| d.get(x, image * conv.input_area() + pixel, i % channels))
                });
            }
            Op::ConvTranspose { y, x, w, transpose_w, b, act: a, conv, add } => {
                let mut sums = vec![0.0; self.n() * y.per_image * y.width];
                for image in 0..self.n() * y.per_image / conv.input_area() {
                    each_tap(&conv, |position, tap, pixel| {
                        for channel in 0..conv.channels {
                            let row = image * conv.output_area() + position;
                            let v = self.dot(x, row, w, tap * conv.channels + channel, transpose_w);
                            sums[(image * conv.input_area() + pixel) * conv.channels + channel] += v;
                        }
                    });
                }
                self.set(y, add, |d, r, i| act(sums[r * y.width + i] + b.map_or(0.0, |b| d.values[&b.buf][i]), a));
            }
            Op::Sample { z, eps, q } => {
                let State { seed, epoch, first_sample, .. } = self.state;
                self.set(eps, false, |d, r, i| {
                    let mut row = vec![0.0; eps.width];
                    let id = d.sample(r / eps.per_image).map_or(0, |v| v.id);
                    normals(&mut row, seed, Purpose::Latent, [first_sample + (r % eps.per_image) as u32, id, epoch]);
                    row[i] as f64
                });
                self.set(z, false, |d, r, i| {
                    let [mu, logvar, ..] = d.latent(q, None, r / z.per_image, i);
                    mu + (0.5 * logvar).exp() * d.get(eps, r, i)
                });
            }
            Op::SampleBack { dq, dz, eps, q, add } => self.set(dq, add, |d, n, i| {
                let j = i % dz.width;
                let [_, logvar, ..] = d.latent(q, None, n, j);
                let scale = |r: usize| if i < dz.width { 1.0 } else { 0.5 * (0.5 * logvar).exp() * d.get(eps, r, j) };
                (n * dz.per_image..(n + 1) * dz.per_image).map(|r| scale(r) * d.get(dz, r, j)).sum()
            }),
            Op::Kl { kl, q, p } => self.set(kl, false, |d, n, _| {
                let one = |j: usize| {
                    let [mu, logvar, mu_p, logvar_p] = d.latent(q, p, n, j);
                    (logvar.exp() + (mu - mu_p).powi(2)) / logvar_p.exp() - 1.0 - logvar + logvar_p
                };
                0.5 * (0..q.width / 2).map(one).sum::<f64>()
            }),
            Op::KlBack { dq, dkl, q, p, add } => self.set(dq, add, |d, n, i| {
                let [mu, logvar, mu_p, logvar_p] = d.latent(q, p, n, i % (q.width / 2));
                let g = if i < q.width / 2 {
                    (mu - mu_p) / logvar_p.exp()
                } else {
                    0.5 * ((logvar - logvar_p).exp() - 1.0)
                };
                d.get(dkl, n, 0) * g
            }),
            Op::KlPriorBack { dp, dkl, q, p, add } => self.set(dp, add, |d, n, i| {
                let [mu, logvar, mu_p, logvar_p] = d.latent(q, Some(p), n, i % (q.width / 2));
                let ratio = (logvar.exp() + (mu - mu_p).powi(2)) / logvar_p.exp();
                let g = if i < q.width / 2 { (mu_p - mu) / logvar_p.exp() } else { 0.5 * (1.0 - ratio) };
                d.get(dkl, n, 0) * g
            }),
            Op::SampledKl { kl, z, eps, q, p } => self.set(kl, false, |d, r, _| {
                let one = |j: usize| {
                    let [_, logvar, mu_p, logvar_p] = d.latent(q, p, r / z.per_image, j);
                    (d.get(z, r, j) - mu_p).powi(2) / logvar_p.exp() + logvar_p - d.get(eps, r, j).powi(2) - logvar
                };
                0.5 * (0..z.width).map(one).sum::<f64>()
            }),
            Op::Sigmoid { mean, logits } => {
                let values = logits.width / mean.width;
                self.set(mean, false, |d, r, i| sigmoid(d.get(logits, r, i * values)));
            }
            Op::Bernoulli { loss, logits, target } => {
                self.set(loss, false, |d, r, _| {
                    let one = |i: usize| {
                        let (l, t) = (d.get(logits, r, i), d.get(target, r / logits.per_image, i));
                        l.max(0.0) - l * t + (-l.abs()).exp().ln_1p()
                    };
                    (0..logits.width).map(one).sum()
                });
                self.set(logits, false, |d, r, i| {
                    sigmoid(d.get(logits, r, i)) - d.get(target, r / logits.per_image, i)
                });
            }
            Op::Gaussian { loss, logits, target, sigma } => {
                let variance = (sigma as f64).powi(2);
                self.normal(loss, logits, target, move |_, _, _| variance);
                self.set(logits, false, |d, r, i| {
                    let mean = sigmoid(d.get(logits, r, i));
                    (mean - d.get(target, r / logits.per_image, i)) * mean * (1.0 - mean) / variance
                });
            }
            Op::GaussianLearned { loss, logits, target, min_sigma } => {
                let variance =
                    move |d: &Data, r: usize, i: usize| d.get(logits, r, 2 * i + 1).exp() + (min_sigma as f64).powi(2);
                self.normal(loss, logits, target, variance);
                self.set(logits, false, |d, r, k| {
                    let (i, variance) = (k / 2, variance(d, r, k / 2));
                    let mean = sigmoid(d.get(logits, r, 2 * i));
                    let difference = mean - d.get(target, r / logits.per_image, i);
                    match k % 2 {
                        0 => difference * mean * (1.0 - mean) / variance,
                        _ => 0.5 * d.get(logits, r, k).exp() * (1.0 - difference.powi(2) / variance) / variance,
                    }
                });
            }
            Op::SquaredError { loss, mean, target } => self.set(loss, false, |d, r, _| {
                let one = |i: usize| (d.get(mean, r, i) - d.get(target, r / mean.per_image, i)).powi(2);
                (0..mean.width).map(one).sum()
            }),
            Op::ScaleRows { d: y, weight } => self.set(y, false, |d, r, i| d.get(y, r, i) * d.get(weight, r, 0)),
            Op::Store { stored, x } => self.set_table(stored, |d, n, i| d.values[&x.buf][n * stored.width + i]),
            Op::WeightedSum { losses, d_terms, terms, weights } => {
                let mean = |d: &Data, of: Activations, n: usize| {
                    (0..of.per_image).map(|s| d.get(of, n * of.per_image + s, 0)).sum::<f64>() / of.per_image as f64
                };
                self.set_table(losses, |d, n, t| terms[t].map_or(0.0, |term| mean(d, term, n)));
                let valid = self.state.valid();
                for (d_term, weight) in d_terms.into_iter().zip(weights) {
                    let Some(of) = d_term else { continue };
                    let weight = self.state.weight(weight) as f64 / (valid * of.per_image) as f64;
                    self.set(of, false, |_, r, _| if r / of.per_image < valid { weight } else { 0.0 });
                }
            }
        }
    }
    /// -log N(target; mean, variance); the first logit of each pixel is that of the mean.
    fn normal(
        &mut self,
        loss: Activations,
        v: Activations,
        target: Activations,
        variance: impl Fn(&Data, usize, usize) -> f64,
    ) {
        let values = v.width / target.width;
        self.set(loss, false, |d, r, _| {
            let one = |i: usize| {
                let difference = sigmoid(d.get(v, r, i * values)) - d.get(target, r / v.per_image, i);
                let variance = variance(d, r, i);
                0.5 * ((std::f64::consts::TAU * variance).ln() + difference.powi(2) / variance)
            };
            (0..target.width).map(one).sum()
        });
    }
    /// The gradient of a parameter.
    pub fn gradient(&self, gradient: Gradient) -> Vec<f64> {
        match gradient {
            Gradient::Weight { w, x, dy } => {
                let one = |k: usize| {
                    (0..self.n() * x.per_image).map(|r| self.get(x, r, k / w.out) * self.get(dy, r, k % w.out)).sum()
                };
                (0..w.values()).map(one).collect()
            }
            Gradient::Bias { b, dy } => {
                (0..b.out).map(|j| (0..self.n() * dy.per_image).map(|r| self.get(dy, r, j)).sum()).collect()
            }
        }
    }
}
