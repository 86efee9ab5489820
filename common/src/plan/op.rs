//! What can be done: handles to buffers, and operations over them.
//!
//! Dimensions: N images in a batch; P rows for each image (1, L samples, or the output area of a convolution); r a row of
//! N·P, and n its image. [`Activations`] are `[N, P, width]`. A weight is `[in, out]`, the transpose of PyTorch's.

use super::{Activation, ConvGeometry};
use crate::model::Binarize;

/// A handle: the index of a buffer in its plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct Buf(pub(crate) u32);

/// Activations `[N, P, width]`: P rows for each image of the batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Activations {
    /// The buffer.
    pub buf: Buf,
    /// Activations for each image.
    pub per_image: usize,
    /// Values in a row.
    pub width: usize,
}

impl Activations {
    /// The same values in another shape: `[N, P, width]` as `[N, 1, P·width]`, and back.
    pub fn reshape(self, per_image: usize, width: usize) -> Activations {
        assert_eq!(self.per_image * self.width, per_image * width, "reshape keeps the values of an image");
        Activations { per_image, width, ..self }
    }
}

/// A parameter `[inp, out]`; Adam's two moments of it are the next two buffers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Param {
    /// The buffer.
    pub buf: Buf,
    /// Input features; 1 for a bias.
    pub inp: usize,
    /// Output features.
    pub out: usize,
}

impl Param {
    /// The number of elements.
    pub fn values(self) -> usize {
        self.inp * self.out
    }
    /// Adam's m: the running mean of the gradient.
    pub fn first_moment(self) -> Buf {
        Buf(self.buf.0 + 1)
    }
    /// Adam's v: the running mean of its square.
    pub fn second_moment(self) -> Buf {
        Buf(self.buf.0 + 2)
    }
}

/// The element type of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PixelType {
    /// Bytes, 0 to 255.
    U8,
    /// Floats.
    F32,
}

/// A table `[items, width]` on the device: inputs, read through the sample indices of the epoch, or per-image outputs,
/// written by position in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Table {
    /// The buffer.
    pub buf: Buf,
    /// Rows.
    pub items: usize,
    /// Values in a row.
    pub width: usize,
    /// Element type.
    pub dtype: PixelType,
}

/// How the elements of a table become the inputs of a network: scale to [0, 1], binarize, map to a range.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PixelTransform {
    /// The element that is white: 255 for bytes, 1 for floats.
    pub white: f32,
    /// Binarization of pixels in [0, 1].
    pub binarize: Binarize,
    /// The values of black and white, as the network sees them.
    pub range: [f32; 2],
}

/// An operation on the activations of each image by itself. Outputs come first, then inputs. `add`: accumulate into the
/// output instead of writing it.
#[allow(missing_docs)] // the formula of a variant says what its fields are
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Op {
    /// `y[n] = transform(from[row of image n])`; padding, past the end of the epoch, is zero
    Gather { y: Activations, from: Table, transform: PixelTransform },
    /// `y[n, label of image n] = 1`, else 0; zero for padding
    OneHot { y: Activations, from: Table },
    /// `y[r] = [a[r], b[n]]`
    Concat { y: Activations, a: Activations, b: Activations },
    /// `y[r] = x[r, ..width of y]`
    Narrow { y: Activations, x: Activations, add: bool },
    /// `y[r] = x[r] - b`
    Subtract { y: Activations, x: Activations, b: Param },
    /// `y[r] = act(x[r] W + b)`
    Linear { y: Activations, x: Activations, w: Param, b: Option<Param>, act: Activation },
    /// `dy[r] *= act'`, as a function of `y[r]`
    ActivationBack { dy: Activations, y: Activations, act: Activation },
    /// `dx[r] = dy[r] W^T`
    LinearBack { dx: Activations, dy: Activations, w: Param, add: bool },
    /// `y[n, output position]` = the patch of `x[n]` there, `[kernel row, kernel column, channel]`, zero-padded
    Im2col { y: Activations, x: Activations, conv: ConvGeometry },
    /// Transposed convolution, or the input gradient of a convolution: `y[n] = act(b + col2im(x[n] W))`, or `x[n] W^T` with
    /// `transpose_w`; col2im adds each row's patch at its place
    ConvTranspose {
        y: Activations,
        x: Activations,
        w: Param,
        transpose_w: bool,
        b: Option<Param>,
        act: Activation,
        conv: ConvGeometry,
        add: bool,
    },
    /// The reparameterised draw (Kingma and Welling 2014, eq. 10): `z[r] = mu[n] + exp(logvar[n] / 2) eps[r]`, with
    /// `q = [mu, logvar]` and eps from N(0, I) by (seed, epoch, image, sample, lane)
    Sample { z: Activations, eps: Activations, q: Activations },
    /// `dmu[n]` = sum of `dz[r]`, `dlogvar[n]` = sum of `dz[r] eps[r] exp(logvar[n] / 2) / 2`, over the samples of n
    SampleBack { dq: Activations, dz: Activations, eps: Activations, q: Activations, add: bool },
    /// `kl[n]` = KL(q to p) = 1/2 sum of (exp(logvar) + (mu - mu_p)²) / exp(logvar_p) - 1 - logvar + logvar_p, with
    /// `p = [mu_p, logvar_p]`, or N(0, I) (ibid., appendix B)
    Kl { kl: Activations, q: Activations, p: Option<Activations> },
    /// dmu = dkl (mu - mu_p) / exp(logvar_p), dlogvar = dkl (exp(logvar - logvar_p) - 1) / 2
    KlBack { dq: Activations, dkl: Activations, q: Activations, p: Option<Activations>, add: bool },
    /// dmu_p = dkl (mu_p - mu) / exp(logvar_p), dlogvar_p = dkl (1 - (exp(logvar) + (mu - mu_p)²) / exp(logvar_p)) / 2
    KlPriorBack { dp: Activations, dkl: Activations, q: Activations, p: Activations, add: bool },
    /// `kl[r] = log q(z[r]) - log p(z[r])`, of which the mean over samples tends to the KL: with `z = mu + exp(logvar / 2)
    /// eps` the log of q is -1/2 sum of eps² + logvar, and constants, which cancel (ibid., eq. 6)
    SampledKl { kl: Activations, z: Activations, eps: Activations, q: Activations, p: Option<Activations> },
    /// `mean[r] = 1 / (1 + exp(-logits[r]))`; where the decoder gives two values per pixel, of the first
    Sigmoid { mean: Activations, logits: Activations },
    /// `loss[r] = -log Bernoulli(target[n]; logits[r])`, summed over pixels (ibid., appendix C.1). In place, the logits become
    /// the derivative: `logits[r] = sigmoid(logits[r]) - target[n]`
    Bernoulli { loss: Activations, logits: Activations, target: Activations },
    /// `loss[r] = -log N(target[n]; mean, sigma²)`, mean = sigmoid(logits), summed over pixels (ibid., appendix C.2). In
    /// place, the logits become the derivative, (mean - target) mean (1 - mean) / sigma²
    Gaussian { loss: Activations, logits: Activations, target: Activations, sigma: f32 },
    /// `loss[r] = -log N(target[n]; mean, variance)`, summed over pixels, where `logits` has for each pixel the logit of the
    /// mean and s, and variance = exp(s) + min_sigma². In place, they become the derivative
    GaussianLearned { loss: Activations, logits: Activations, target: Activations, min_sigma: f32 },
    /// `loss[r] = (mean[r] - target[n])²`, summed over pixels
    SquaredError { loss: Activations, mean: Activations, target: Activations },
    /// `d[r] *= weight[r]`, one weight per row
    ScaleRows { d: Activations, weight: Activations },
    /// `losses[position of n]` = mean over samples of recon, and of kl, or 0 (ibid., eq. 7, negative). The gradient of the batch
    /// mean of recon + beta kl with respect to each row goes to d_recon and d_kl: 1 / (images · samples), and beta times that;
    /// 0 for padding
    Elbo { losses: Table, d_recon: Activations, recon: Activations, kl: Option<KlTerm> },
    /// `stored[position of n] = x[n]`, all its rows
    Store { stored: Table, x: Activations },
}

/// The KL term of an objective.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct KlTerm {
    /// `[N, P, 1]`, nats.
    pub kl: Activations,
    /// Its gradient, the same shape.
    pub d_kl: Activations,
}

/// The gradient of a parameter, a sum over images; the optimizer's update is fused to it.
#[allow(missing_docs)] // the formula of a variant says what its fields are
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Gradient {
    /// dW = sum over r of `x[r] ⊗ dy[r]`
    Weight { w: Param, x: Activations, dy: Activations },
    /// db = sum over r of `dy[r]`
    Bias { b: Param, dy: Activations },
}

impl Op {
    /// The buffers (written, read), without parameters, which no operation writes.
    pub fn touches(&self) -> (Vec<Buf>, Vec<Buf>) {
        use Op::*;
        let of = |written: &[Activations], read: &[Activations]| {
            (written.iter().map(|r| r.buf).collect::<Vec<_>>(), read.iter().map(|r| r.buf).collect::<Vec<_>>())
        };
        let with = |mut rows: Vec<Activations>, p: Option<Activations>| {
            rows.extend(p);
            rows
        };
        match *self {
            Gather { y, from, .. } | OneHot { y, from } => (vec![y.buf], vec![from.buf]),
            Concat { y, a, b } => of(&[y], &[a, b]),
            Narrow { y, x, .. } => of(&[y], &[x]),
            Subtract { y, x, .. } | Linear { y, x, .. } | Im2col { y, x, .. } | ConvTranspose { y, x, .. } => {
                of(&[y], &[x])
            }
            ActivationBack { dy, y, .. } => of(&[dy], &[y]),
            LinearBack { dx, dy, .. } => of(&[dx], &[dy]),
            Sample { z, eps, q } => of(&[z, eps], &[q]),
            SampleBack { dq, dz, eps, q, .. } => of(&[dq], &[dz, eps, q]),
            Kl { kl, q, p } => of(&[kl], &with(vec![q], p)),
            KlBack { dq, dkl, q, p, .. } => of(&[dq], &with(vec![dkl, q], p)),
            KlPriorBack { dp, dkl, q, p, .. } => of(&[dp], &[dkl, q, p]),
            SampledKl { kl, z, eps, q, p } => of(&[kl], &with(vec![z, eps, q], p)),
            Sigmoid { mean, logits } => of(&[mean], &[logits]),
            Bernoulli { loss, logits, target }
            | Gaussian { loss, logits, target, .. }
            | GaussianLearned { loss, logits, target, .. } => of(&[loss, logits], &[target]),
            SquaredError { loss, mean, target } => of(&[loss], &[mean, target]),
            ScaleRows { d, weight } => of(&[d], &[weight]),
            Store { stored, x } => (vec![stored.buf], vec![x.buf]),
            Elbo { losses, d_recon, recon, kl } => {
                let (written, read): (Vec<Buf>, Vec<Buf>) = kl.map(|k| (k.d_kl.buf, k.kl.buf)).into_iter().unzip();
                ([vec![losses.buf, d_recon.buf], written].concat(), [vec![recon.buf], read].concat())
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
            Op::ConvTranspose { w, transpose_w: false, .. } => format!("forward {} x {}, col2im", w.inp, w.out),
            Op::ConvTranspose { w, .. } => format!("input gradient {} x {}, col2im", w.inp, w.out),
            other => {
                let text = format!("{other:?}");
                text.split(' ').next().unwrap_or_default().to_lowercase()
            }
        }
    }
    /// Multiplications and additions of its products, for each image.
    pub fn flops(&self) -> usize {
        match self {
            Op::Linear { y: rows, w, .. }
            | Op::LinearBack { dx: rows, w, .. }
            | Op::ConvTranspose { x: rows, w, .. } => 2 * rows.per_image * w.values(),
            _ => 0,
        }
    }
    /// The table that it writes, by the positions of its images.
    pub fn table_written(&self) -> Option<Buf> {
        match self {
            Op::Elbo { losses: table, .. } | Op::Store { stored: table, .. } => Some(table.buf),
            _ => None,
        }
    }
}

impl Gradient {
    /// As [`Op::label`].
    pub fn label(&self) -> String {
        match self {
            Gradient::Weight { w, .. } => format!("weight gradient {} x {}, optimizer", w.inp, w.out),
            Gradient::Bias { .. } => "biases".into(),
        }
    }
    /// As [`Op::flops`].
    pub fn flops(&self) -> usize {
        match self {
            Gradient::Weight { w, x, .. } => 2 * x.per_image * w.values(),
            Gradient::Bias { .. } => 0,
        }
    }
    /// The parameter that learns.
    pub fn param(&self) -> Param {
        match *self {
            Gradient::Weight { w, .. } => w,
            Gradient::Bias { b, .. } => b,
        }
    }
}
