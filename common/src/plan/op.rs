//! What can be done: handles to buffers, and operations over them.
//!
//! N images in a batch; P rows for each image (1, L samples, or the positions of a convolution); r a row of N·P, and n its
//! image. A buffer of [`Rows`] is `[N, P, width]`. A weight is `[in, out]`; the model file turns it round.

use super::Window;

/// The number of a buffer in its plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct Buf(pub(crate) u32);

/// `[N·per, width]`: `per` rows for each image of the batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rows {
    /// The buffer.
    pub buf: Buf,
    /// Rows for each image.
    pub per: usize,
    /// Values in a row.
    pub width: usize,
}

impl Rows {
    /// The same values cut into other rows: `[N, P, width]` as `[N, 1, P·width]`, and back.
    pub fn cut(self, per: usize, width: usize) -> Rows {
        assert_eq!(self.per * self.width, per * width, "an image has so many values");
        Rows { per, width, ..self }
    }
}

/// `[inp, out]`, followed by its two moments of Adam in the next two buffers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Param {
    /// The buffer.
    pub buf: Buf,
    /// Values that go in; 1 for a bias.
    pub inp: usize,
    /// Values that come out.
    pub out: usize,
}

impl Param {
    /// Values in all.
    pub fn values(self) -> usize {
        self.inp * self.out
    }
    /// The running mean of the gradient.
    pub fn first_moment(self) -> Buf {
        Buf(self.buf.0 + 1)
    }
    /// The running mean of its square.
    pub fn second_moment(self) -> Buf {
        Buf(self.buf.0 + 2)
    }
}

/// What the values of a table are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cell {
    /// u8, as most images come.
    Byte,
    /// f32.
    Float,
}

/// `[items, width]` of the data, read through the order of the epoch or written by position in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Table {
    /// The buffer.
    pub buf: Buf,
    /// Rows.
    pub items: usize,
    /// Values in a row.
    pub width: usize,
    /// Their type.
    pub cell: Cell,
}

/// What a layer does to the values that it puts out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Act {
    /// Nothing.
    Id,
    /// max(v, 0).
    Relu,
    /// max(v, slope · v), for a slope below 1.
    LeakyRelu(f32),
    /// The hyperbolic tangent.
    Tanh,
    /// ln(1 + exp(v)).
    Softplus,
}

/// How the values of a table become pixels.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Reading {
    /// What white is in the table.
    pub unit: f32,
    /// What is done to pixels in [0, 1].
    pub ink: Ink,
    /// The values of black and white, as the network sees them.
    pub range: [f32; 2],
}

/// Whether pixels become black or white.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ink {
    /// They stay as they are.
    Grey,
    /// White above 0.5.
    Threshold,
    /// White with the probability that the pixel holds, by (seed, image, pixel); with `anew` also by epoch.
    Drawn {
        /// Another draw in each epoch.
        anew: bool,
    },
}

/// What is done to the rows of an image. Outputs come first, then inputs. `add`: add to the output instead of writing it.
#[allow(missing_docs)] // the formula of a variant says what its fields are
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Op {
    /// `y[n] = from[row of image n]`, read as pixels; an image past the end of the epoch is zero
    Gather { y: Rows, from: Table, how: Reading },
    /// `y[n, label of image n] = 1`, else 0; an image past the end of the epoch has no label
    OneHot { y: Rows, from: Table },
    /// `y[r] = [a[r], b[n]]`
    Concat { y: Rows, a: Rows, b: Rows },
    /// `y[r]` = the first values of `x[r]`
    First { y: Rows, x: Rows, add: bool },
    /// `y[r] = x[r] - b`
    Centre { y: Rows, x: Rows, b: Param },
    /// `y[r] = act(x[r] W + b)`
    Linear { y: Rows, x: Rows, w: Param, b: Option<Param>, act: Act },
    /// `dy[r] *= act'`, told from `y[r]`
    ActBack { dy: Rows, y: Rows, act: Act },
    /// `dx[r] = dy[r] W^T`
    LinearBack { dx: Rows, dy: Rows, w: Param, add: bool },
    /// `y[n, position]` = the values of `x[n]` under the window there, by row, column and channel, 0 outside
    Im2col { y: Rows, x: Rows, window: Window },
    /// `y[n] = act(b + ` the sum of what each row of `x[n]` lays under its window`)`: `x[r] W`, or `x[r] W^T` if turned
    Lay { y: Rows, x: Rows, w: Param, turned: bool, b: Option<Param>, act: Act, window: Window, add: bool },
    /// The reparameterised draw (Kingma and Welling 2014, eq. 10): `z[r] = mu[n] + exp(logvar[n] / 2) eps[r]`, with
    /// `q = [mu, logvar]` and eps from N(0, I) by (seed, epoch, image, sample, lane)
    Sample { z: Rows, eps: Rows, q: Rows },
    /// `dmu[n]` = sum of `dz[r]`, `dlogvar[n]` = sum of `dz[r] eps[r] exp(logvar[n] / 2) / 2`, over the samples of n
    SampleBack { dq: Rows, dz: Rows, eps: Rows, q: Rows, add: bool },
    /// `kl[n]` = KL(q to p) = 1/2 sum of (exp(logvar) + (mu - mu_p)²) / exp(logvar_p) - 1 - logvar + logvar_p, with
    /// `p = [mu_p, logvar_p]`, or N(0, I) (ibid., appendix B)
    Kl { kl: Rows, q: Rows, p: Option<Rows> },
    /// dmu = dkl (mu - mu_p) / exp(logvar_p), dlogvar = dkl (exp(logvar - logvar_p) - 1) / 2
    KlBack { dq: Rows, dkl: Rows, q: Rows, p: Option<Rows>, add: bool },
    /// dmu_p = dkl (mu_p - mu) / exp(logvar_p), dlogvar_p = dkl (1 - (exp(logvar) + (mu - mu_p)²) / exp(logvar_p)) / 2
    KlPriorBack { dp: Rows, dkl: Rows, q: Rows, p: Rows, add: bool },
    /// `kl[r] = log q(z[r]) - log p(z[r])`, of which the mean over samples tends to the KL: with `z = mu + exp(logvar / 2)
    /// eps` the log of q is -1/2 sum of eps² + logvar, and constants, which cancel (ibid., eq. 6)
    SampledKl { kl: Rows, z: Rows, eps: Rows, q: Rows, p: Option<Rows> },
    /// `mean[r] = 1 / (1 + exp(-v[r]))`; where `v[r]` has several values for each pixel, of the first
    Sigmoid { mean: Rows, v: Rows },
    /// `loss[r] = -log Bernoulli(target[n]; v[r])` for logits v, summed over pixels (ibid., appendix C.1). Then the
    /// derivative takes the place of the logits: `v[r] = sigmoid(v[r]) - target[n]`
    Bernoulli { loss: Rows, v: Rows, target: Rows },
    /// `loss[r] = -log N(target[n]; mean, sigma²)`, mean = sigmoid of the logits v, summed over pixels (ibid., appendix
    /// C.2). Then `v[r]` becomes its derivative, (mean - target) mean (1 - mean) / sigma²
    Gaussian { loss: Rows, v: Rows, target: Rows, sigma: f32 },
    /// `loss[r] = -log N(target[n]; mean, variance)`, where v has for each pixel the logit of the mean and s, and variance =
    /// exp(s) + least², summed over pixels. Then `v[r]` becomes its derivative
    GaussianLearned { loss: Rows, v: Rows, target: Rows, least: f32 },
    /// `loss[r] = (mean[r] - target[n])²`, summed over pixels
    SquaredError { loss: Rows, mean: Rows, target: Rows },
    /// `d[r] *= weight[r]`, one weight for each row
    Weigh { d: Rows, weight: Rows },
    /// `terms[position of n]` = mean over samples of recon, and of kl, or 0 (ibid., eq. 7, negative). The gradient of the batch
    /// mean of recon + beta kl with respect to each row goes to wr and wk: 1 / (images · samples), and beta times that; 0 for an
    /// image that is absent
    Elbo { terms: Table, wr: Rows, recon: Rows, kl: Option<Latent> },
    /// `kept[position of n] = x[n]`, all its rows
    Keep { kept: Table, x: Rows },
}

/// The KL's part of an objective.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Latent {
    /// `[N, P, 1]`, nats.
    pub kl: Rows,
    /// Where its gradient goes, the same shape.
    pub wk: Rows,
}

/// What is done to a parameter, each followed by the optimizer.
#[allow(missing_docs)] // as above
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Learn {
    /// dW = sum over r of `x[r] ⊗ dy[r]`
    Weight { w: Param, x: Rows, dy: Rows },
    /// db = sum over r of `dy[r]`
    Bias { b: Param, dy: Rows },
}

impl Op {
    /// The buffers (written, read), without parameters, which no operation writes.
    pub fn touches(&self) -> (Vec<Buf>, Vec<Buf>) {
        use Op::*;
        let of = |written: &[Rows], read: &[Rows]| {
            (written.iter().map(|r| r.buf).collect::<Vec<_>>(), read.iter().map(|r| r.buf).collect::<Vec<_>>())
        };
        let with = |mut rows: Vec<Rows>, p: Option<Rows>| {
            rows.extend(p);
            rows
        };
        match *self {
            Gather { y, from, .. } | OneHot { y, from } => (vec![y.buf], vec![from.buf]),
            Concat { y, a, b } => of(&[y], &[a, b]),
            First { y, x, .. } => of(&[y], &[x]),
            Centre { y, x, .. } | Linear { y, x, .. } | Im2col { y, x, .. } | Lay { y, x, .. } => of(&[y], &[x]),
            ActBack { dy, y, .. } => of(&[dy], &[y]),
            LinearBack { dx, dy, .. } => of(&[dx], &[dy]),
            Sample { z, eps, q } => of(&[z, eps], &[q]),
            SampleBack { dq, dz, eps, q, .. } => of(&[dq], &[dz, eps, q]),
            Kl { kl, q, p } => of(&[kl], &with(vec![q], p)),
            KlBack { dq, dkl, q, p, .. } => of(&[dq], &with(vec![dkl, q], p)),
            KlPriorBack { dp, dkl, q, p, .. } => of(&[dp], &[dkl, q, p]),
            SampledKl { kl, z, eps, q, p } => of(&[kl], &with(vec![z, eps, q], p)),
            Sigmoid { mean, v } => of(&[mean], &[v]),
            Bernoulli { loss, v, target }
            | Gaussian { loss, v, target, .. }
            | GaussianLearned { loss, v, target, .. } => of(&[loss, v], &[target]),
            SquaredError { loss, mean, target } => of(&[loss], &[mean, target]),
            Weigh { d, weight } => of(&[d], &[weight]),
            Keep { kept, x } => (vec![kept.buf], vec![x.buf]),
            Elbo { terms, wr, recon, kl } => {
                let (written, read): (Vec<Buf>, Vec<Buf>) = kl.map(|k| (k.wk.buf, k.kl.buf)).into_iter().unzip();
                ([vec![terms.buf, wr.buf], written].concat(), [vec![recon.buf], read].concat())
            }
        }
    }
}

impl Op {
    /// What it is, in a word, with its shape if it is a product: for a table of where time goes.
    pub fn label(&self) -> String {
        match self {
            Op::Linear { w, .. } => format!("forward {} x {}", w.inp, w.out),
            Op::LinearBack { w, .. } => format!("input gradient {} x {}", w.inp, w.out),
            Op::Lay { w, turned: false, .. } => format!("forward {} x {}, laid", w.inp, w.out),
            Op::Lay { w, .. } => format!("input gradient {} x {}, laid", w.inp, w.out),
            other => {
                let text = format!("{other:?}");
                text.split(' ').next().unwrap_or_default().to_lowercase()
            }
        }
    }
    /// Multiplications and additions of its products, for each image.
    pub fn flops(&self) -> usize {
        match self {
            Op::Linear { y: rows, w, .. } | Op::LinearBack { dx: rows, w, .. } | Op::Lay { x: rows, w, .. } => {
                2 * rows.per * w.values()
            }
            _ => 0,
        }
    }
    /// The table that it writes, by the positions of its images.
    pub fn table_written(&self) -> Option<Buf> {
        match self {
            Op::Elbo { terms: table, .. } | Op::Keep { kept: table, .. } => Some(table.buf),
            _ => None,
        }
    }
}

impl Learn {
    /// As [`Op::label`].
    pub fn label(&self) -> String {
        match self {
            Learn::Weight { w, .. } => format!("weight gradient {} x {}, optimizer", w.inp, w.out),
            Learn::Bias { .. } => "biases".into(),
        }
    }
    /// As [`Op::flops`].
    pub fn flops(&self) -> usize {
        match self {
            Learn::Weight { w, x, .. } => 2 * x.per * w.values(),
            Learn::Bias { .. } => 0,
        }
    }
    /// The parameter that learns.
    pub fn param(&self) -> Param {
        match *self {
            Learn::Weight { w, .. } => w,
            Learn::Bias { b, .. } => b,
        }
    }
}
