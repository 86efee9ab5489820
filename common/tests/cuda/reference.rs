//! Every operation again, plainly and in f64.

use common::backend::{State, Visit};
use common::plan::{Act, Buf, Cell, Ink, Learn, Op, Rows, Table, Window};
use std::collections::HashMap;
use vae_numerics::rng::{Purpose, normals, uniform4};

/// The buffers of a plan.
#[derive(Clone)]
pub struct Data {
    pub values: HashMap<Buf, Vec<f64>>,
    pub bytes: HashMap<Buf, Vec<u8>>,
    pub order: Vec<Visit>,
    pub state: State,
}

fn act(v: f64, act: Act) -> f64 {
    match act {
        Act::Id => v,
        Act::Relu => v.max(0.0),
        Act::LeakyRelu(slope) => v.max(slope as f64 * v),
        Act::Tanh => v.tanh(),
        Act::Softplus => v.max(0.0) + (-v.abs()).exp().ln_1p(),
    }
}

/// The derivative, told from the output.
fn slope(y: f64, act: Act) -> f64 {
    match act {
        Act::Id => 1.0,
        Act::Relu => f64::from(y > 0.0),
        Act::LeakyRelu(slope) => {
            if y > 0.0 {
                1.0
            } else {
                slope as f64
            }
        }
        Act::Tanh => 1.0 - y * y,
        Act::Softplus => 1.0 - (-y).exp(),
    }
}

fn sigmoid(v: f64) -> f64 {
    1.0 / (1.0 + (-v).exp())
}

/// What lies under tap [row, column] of the window at [oy, ox], as an index into the pixels.
fn under(w: &Window, [oy, ox, row, column]: [usize; 4]) -> Option<usize> {
    let place = |o: usize, tap: usize| (o * w.stride + tap).checked_sub(w.pad);
    let (y, x) = (place(oy, row)?, place(ox, column)?);
    (y < w.input[0] && x < w.input[1]).then_some(y * w.input[1] + x)
}

/// Calls f(position, tap, pixel) for all that windows see.
fn each_tap(w: &Window, mut f: impl FnMut(usize, usize, usize)) {
    for (oy, ox) in (0..w.output[0]).flat_map(|y| (0..w.output[1]).map(move |x| (y, x))) {
        for tap in 0..w.taps() {
            if let Some(pixel) = under(w, [oy, ox, tap / w.size, tap % w.size]) {
                f(oy * w.output[1] + ox, tap, pixel);
            }
        }
    }
}

impl Data {
    fn n(&self) -> usize {
        self.state.batch
    }
    fn visit(&self, n: usize) -> Option<Visit> {
        (n < self.state.live()).then(|| self.order[self.state.at + n])
    }
    fn get(&self, r: Rows, row: usize, i: usize) -> f64 {
        self.values[&r.buf][row * r.width + i]
    }
    /// Sets all rows of y to f(row, i), or adds it.
    fn set(&mut self, y: Rows, add: bool, f: impl Fn(&Data, usize, usize) -> f64) {
        let values = (0..self.n() * y.per * y.width).map(|k| f(self, k / y.width, k % y.width));
        let values: Vec<f64> = values.collect();
        let to = self.values.get_mut(&y.buf).expect("a buffer");
        to.iter_mut().zip(values).for_each(|(to, v)| *to = if add { *to + v } else { v });
    }
    fn set_table(&mut self, t: Table, f: impl Fn(&Data, usize, usize) -> f64) {
        let (at, live) = (self.state.at, self.state.live());
        for n in 0..live {
            let row: Vec<f64> = (0..t.width).map(|i| f(self, n, i)).collect();
            let to = self.values.get_mut(&t.buf).expect("a table");
            to[(at + n) * t.width..][..t.width].copy_from_slice(&row);
        }
    }
    fn product(&self, x: Rows, row: usize, w: common::plan::Param, j: usize, turned: bool) -> f64 {
        let weight = &self.values[&w.buf];
        match turned {
            false => (0..w.inp).map(|i| self.get(x, row, i) * weight[i * w.out + j]).sum(),
            true => (0..w.out).map(|i| self.get(x, row, i) * weight[j * w.out + i]).sum(),
        }
    }
    /// (mu, logvar, mu of the prior, logvar of the prior) of image n.
    fn latent(&self, q: Rows, p: Option<Rows>, n: usize, j: usize) -> [f64; 4] {
        let z = q.width / 2;
        let prior = |i: usize| p.map_or(0.0, |p| self.get(p, n, i));
        [self.get(q, n, j), self.get(q, n, z + j), prior(j), prior(z + j)]
    }

    /// Does one operation.
    pub fn apply(&mut self, op: Op) {
        match op {
            Op::Gather { y, from, how } => {
                let State { seed, epoch, .. } = self.state;
                self.set(y, false, |d, n, i| {
                    let Some(Visit { row, id }) = d.visit(n) else { return 0.0 };
                    let at = row as usize * from.width + i;
                    let v = match from.cell {
                        Cell::Byte => d.bytes[&from.buf][at] as f64,
                        Cell::Float => d.values[&from.buf][at],
                    } / how.unit as f64;
                    let drawn = |epoch| uniform4(seed, Purpose::Ink, [i as u32 / 4, 0, id, epoch])[i % 4] as f64;
                    let ink = match how.ink {
                        Ink::Grey => v,
                        Ink::Threshold => f64::from(v > 0.5),
                        Ink::Drawn { anew } => f64::from(drawn(if anew { epoch } else { 0 }) < v),
                    };
                    let [black, white] = how.range.map(f64::from);
                    black + (white - black) * ink
                });
            }
            Op::OneHot { y, from } => self.set(y, false, |d, n, i| {
                d.visit(n).map_or(0.0, |v| f64::from(d.bytes[&from.buf][v.row as usize] as usize == i))
            }),
            Op::Concat { y, a, b } => self
                .set(y, false, |d, r, i| if i < a.width { d.get(a, r, i) } else { d.get(b, r / y.per, i - a.width) }),
            Op::First { y, x, add } => self.set(y, add, |d, r, i| d.get(x, r, i)),
            Op::Centre { y, x, b } => self.set(y, false, |d, r, i| d.get(x, r, i) - d.values[&b.buf][i]),
            Op::Linear { y, x, w, b, act: a } => self
                .set(y, false, |d, r, j| act(d.product(x, r, w, j, false) + b.map_or(0.0, |b| d.values[&b.buf][j]), a)),
            Op::LinearBack { dx, dy, w, add } => self.set(dx, add, |d, r, j| d.product(dy, r, w, j, true)),
            Op::ActBack { dy, y, act } => {
                self.set(dy, false, |d, r, i| d.get(dy, r, i) * slope(d.values[&y.buf][r * dy.width + i], act))
            }
            Op::Im2col { y, x, window } => {
                let (positions, channels) = (window.positions(), window.channels);
                self.set(y, false, |d, r, i| {
                    let (image, position, tap) = (r / positions, r % positions, i / channels);
                    let at = [
                        position / window.output[1],
                        position % window.output[1],
                        tap / window.size,
                        tap % window.size,
                    ];
                    under(&window, at).map_or(0.0, |pixel| d.get(x, image * window.places() + pixel, i % channels))
                });
            }
            Op::Lay { y, x, w, turned, b, act: a, window, add } => {
                let mut sums = vec![0.0; self.n() * y.per * y.width];
                for image in 0..self.n() * y.per / window.places() {
                    each_tap(&window, |position, tap, pixel| {
                        for channel in 0..window.channels {
                            let row = image * window.positions() + position;
                            let v = self.product(x, row, w, tap * window.channels + channel, turned);
                            sums[(image * window.places() + pixel) * window.channels + channel] += v;
                        }
                    });
                }
                self.set(y, add, |d, r, i| act(sums[r * y.width + i] + b.map_or(0.0, |b| d.values[&b.buf][i]), a));
            }
            Op::Sample { z, eps, q } => {
                let State { seed, epoch, first_sample, .. } = self.state;
                self.set(eps, false, |d, r, i| {
                    let mut row = vec![0.0; eps.width];
                    let id = d.visit(r / eps.per).map_or(0, |v| v.id);
                    normals(&mut row, seed, Purpose::Latent, [first_sample + (r % eps.per) as u32, id, epoch]);
                    row[i] as f64
                });
                self.set(z, false, |d, r, i| {
                    let [mu, logvar, ..] = d.latent(q, None, r / z.per, i);
                    mu + (0.5 * logvar).exp() * d.get(eps, r, i)
                });
            }
            Op::SampleBack { dq, dz, eps, q, add } => self.set(dq, add, |d, n, i| {
                let j = i % dz.width;
                let [_, logvar, ..] = d.latent(q, None, n, j);
                let scale = |r: usize| if i < dz.width { 1.0 } else { 0.5 * (0.5 * logvar).exp() * d.get(eps, r, j) };
                (n * dz.per..(n + 1) * dz.per).map(|r| scale(r) * d.get(dz, r, j)).sum()
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
                    let [_, logvar, mu_p, logvar_p] = d.latent(q, p, r / z.per, j);
                    (d.get(z, r, j) - mu_p).powi(2) / logvar_p.exp() + logvar_p - d.get(eps, r, j).powi(2) - logvar
                };
                0.5 * (0..z.width).map(one).sum::<f64>()
            }),
            Op::Sigmoid { mean, v } => {
                let values = v.width / mean.width;
                self.set(mean, false, |d, r, i| sigmoid(d.get(v, r, i * values)));
            }
            Op::Bernoulli { loss, v, target } => {
                self.set(loss, false, |d, r, _| {
                    let one = |i: usize| {
                        let (l, t) = (d.get(v, r, i), d.get(target, r / v.per, i));
                        l.max(0.0) - l * t + (-l.abs()).exp().ln_1p()
                    };
                    (0..v.width).map(one).sum()
                });
                self.set(v, false, |d, r, i| sigmoid(d.get(v, r, i)) - d.get(target, r / v.per, i));
            }
            Op::Gaussian { loss, v, target, sigma } => {
                let variance = (sigma as f64).powi(2);
                self.normal(loss, v, target, move |_, _, _| variance);
                self.set(v, false, |d, r, i| {
                    let mean = sigmoid(d.get(v, r, i));
                    (mean - d.get(target, r / v.per, i)) * mean * (1.0 - mean) / variance
                });
            }
            Op::GaussianLearned { loss, v, target, least } => {
                let variance =
                    move |d: &Data, r: usize, i: usize| d.get(v, r, 2 * i + 1).exp() + (least as f64).powi(2);
                self.normal(loss, v, target, variance);
                self.set(v, false, |d, r, k| {
                    let (i, variance) = (k / 2, variance(d, r, k / 2));
                    let mean = sigmoid(d.get(v, r, 2 * i));
                    let difference = mean - d.get(target, r / v.per, i);
                    match k % 2 {
                        0 => difference * mean * (1.0 - mean) / variance,
                        _ => 0.5 * d.get(v, r, k).exp() * (1.0 - difference.powi(2) / variance) / variance,
                    }
                });
            }
            Op::SquaredError { loss, mean, target } => self.set(loss, false, |d, r, _| {
                let one = |i: usize| (d.get(mean, r, i) - d.get(target, r / mean.per, i)).powi(2);
                (0..mean.width).map(one).sum()
            }),
            Op::Weigh { d: y, weight } => self.set(y, false, |d, r, i| d.get(y, r, i) * d.get(weight, r, 0)),
            Op::Keep { kept, x } => self.set_table(kept, |d, n, i| d.values[&x.buf][n * kept.width + i]),
            Op::Elbo { terms, wr, recon, kl } => {
                let mean = |d: &Data, of: Rows, n: usize| {
                    (0..of.per).map(|s| d.get(of, n * of.per + s, 0)).sum::<f64>() / of.per as f64
                };
                self.set_table(terms, |d, n, part| match (part, kl) {
                    (0, _) => mean(d, recon, n),
                    (_, Some(latent)) => mean(d, latent.kl, n),
                    (_, None) => 0.0,
                });
                let (live, scale) = (self.state.live(), self.state.kl_weight() as f64);
                let weight = |of: Rows, r: usize| if r / of.per < live { 1.0 / (live * of.per) as f64 } else { 0.0 };
                self.set(wr, false, |_, r, _| weight(wr, r));
                if let Some(latent) = kl {
                    self.set(latent.wk, false, |_, r, _| scale * weight(latent.wk, r));
                }
            }
        }
    }
    /// -log N(target; mean, variance) from logits, the first value of each pixel.
    fn normal(&mut self, loss: Rows, v: Rows, target: Rows, variance: impl Fn(&Data, usize, usize) -> f64) {
        let values = v.width / target.width;
        self.set(loss, false, |d, r, _| {
            let one = |i: usize| {
                let difference = sigmoid(d.get(v, r, i * values)) - d.get(target, r / v.per, i);
                let variance = variance(d, r, i);
                0.5 * ((std::f64::consts::TAU * variance).ln() + difference.powi(2) / variance)
            };
            (0..target.width).map(one).sum()
        });
    }
    /// The gradient of a parameter.
    pub fn gradient(&self, learn: Learn) -> Vec<f64> {
        match learn {
            Learn::Weight { w, x, dy } => {
                let one = |k: usize| {
                    (0..self.n() * x.per).map(|r| self.get(x, r, k / w.out) * self.get(dy, r, k % w.out)).sum()
                };
                (0..w.values()).map(one).collect()
            }
            Learn::Bias { b, dy } => {
                (0..b.out).map(|j| (0..self.n() * dy.per).map(|r| self.get(dy, r, j)).sum()).collect()
            }
        }
    }
}
