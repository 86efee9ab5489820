//! The table of operations. One entry declares outputs, inputs and attributes, the shapes that agree, and whether there is a
//! derivative; from it come the enum [`Op`], its code number, the buffers that it accesses and its shape check.

use super::{Activation, Activations, Buf, ConvGeometry, Param, PixelTransform, PixelType, Table};

/// What an operation reads or writes.
trait Operand {
    fn push_bufs(&self, bufs: &mut Vec<Buf>);
}

impl Operand for Activations {
    fn push_bufs(&self, bufs: &mut Vec<Buf>) {
        bufs.push(self.buf);
    }
}

impl Operand for Table {
    fn push_bufs(&self, bufs: &mut Vec<Buf>) {
        bufs.push(self.buf);
    }
}

impl<T: Operand> Operand for Option<T> {
    fn push_bufs(&self, bufs: &mut Vec<Buf>) {
        self.iter().for_each(|operand| operand.push_bufs(bufs));
    }
}

impl<T: Operand, const N: usize> Operand for [T; N] {
    fn push_bufs(&self, bufs: &mut Vec<Buf>) {
        self.iter().for_each(|operand| operand.push_bufs(bufs));
    }
}

/// `Name(outputs) <- (inputs) { attributes } if shapes agree, derivative;` in the order of the code numbers. Parameters are
/// attributes: no operation writes one. The derivative is `reverse` (an arm of [`training`](super::reverse::training)),
/// `in_place` (it overwrites its second output with the derivative of the first) or `none`.
macro_rules! operations {
    ($(
        $(#[$doc:meta])*
        $name:ident($($out:ident: $out_type:ty),*) <- ($($input:ident: $input_type:ty),*) { $($attr:ident: $attr_type:ty),* }
        if $agree:expr, $derivative:ident;
    )*) => {
        /// An operation on the activations of each image by itself. `add`: accumulate into the output instead of writing it.
        #[allow(missing_docs)] // the formula of a variant says what its fields are
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub enum Op {
            $($(#[$doc])* $name { $($out: $out_type,)* $($input: $input_type,)* $($attr: $attr_type,)* },)*
        }

        /// The operations by code number, as the kernels know them.
        #[allow(missing_docs)] // as above
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        #[repr(i32)]
        pub enum OpCode {
            #[default]
            $($name),*
        }

        impl OpCode {
            /// Every code, in order.
            pub const ALL: &[OpCode] = &[$(OpCode::$name),*];
        }

        impl Op {
            /// The code of the operation.
            pub fn code(&self) -> OpCode {
                match self {
                    $(Op::$name { .. } => OpCode::$name,)*
                }
            }
            /// Of an in-place operation `[loss, logits]`: after it, `logits` holds d loss / d logits.
            pub fn in_place_gradient(&self) -> Option<[Activations; 2]> {
                match *self {
                    $(#[allow(unused_variables)] // the derivative of others is in the reverse pass
                    Op::$name { $($out,)* .. } => operations!(@$derivative $($out)*),)*
                }
            }
            /// The buffers (written, read), without parameters, which no operation writes. A buffer that is accumulated into or
            /// updated in place is listed as written only.
            pub fn accesses(&self) -> (Vec<Buf>, Vec<Buf>) {
                let (mut written, mut read) = (vec![], vec![]);
                match self {
                    $(Op::$name { $($out,)* $($input,)* .. } => {
                        $($out.push_bufs(&mut written);)*
                        $($input.push_bufs(&mut read);)*
                    })*
                }
                (written, read)
            }
            /// Whether the shapes of its operands agree.
            pub fn shapes_agree(&self) -> bool {
                match *self {
                    $(#[allow(unused_variables)] // not every attribute has a shape
                    Op::$name { $($out,)* $($input,)* $($attr,)* } => $agree,)*
                }
            }
        }
    };
    (@in_place $y:ident $x:ident) => { Some([$y, $x]) };
    (@reverse $($out:ident)*) => { None };
    (@none $($out:ident)*) => { None };
}

/// Maximum number of terms of an objective.
pub const MAX_TERMS: usize = 4;

/// The factor of a term in the objective.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TermWeight {
    /// 1.
    One,
    /// [`State::kl_weight`](crate::backend::State::kl_weight): beta, scaled linearly from 0 during its warm-up.
    Beta,
}

// n: an image of the batch; r: one of its P rows; position: its index in the epoch.
operations! {
    /// `y[n] = transform(from[row of image n])`; padding, past the end of the epoch, is zero
    Gather(y: Activations) <- (from: Table) { transform: PixelTransform }
    if y.per_image == 1 && y.width == from.width, none;

    /// `y[n, label of image n] = 1`, else 0; zero for padding
    OneHot(y: Activations) <- (from: Table) {}
    if y.per_image == 1 && from.width == 1 && from.dtype == PixelType::U8, none;

    /// `y[r] = [a[r], b[n]]`
    Concat(y: Activations) <- (a: Activations, b: Activations) {}
    if same_rows(&[y, a]) && b.per_image == 1 && y.width == a.width + b.width, reverse;

    /// `y[r] = x[r, ..width of y]`
    Narrow(y: Activations) <- (x: Activations) { add: bool }
    if same_rows(&[y, x]) && y.width <= x.width, none;

    /// `y[r] = x[r] - b`
    Subtract(y: Activations) <- (x: Activations) { b: Param }
    if same_shape(&[y, x]) && b.values() == x.width, none;

    /// `stored[position of n] = x[n]`, all its rows
    Store(stored: Table) <- (x: Activations) {}
    if stored.width == x.per_image * x.width && stored.dtype == PixelType::F32, none;

    /// `y[r] = act(x[r] W + b)`
    Linear(y: Activations) <- (x: Activations) { w: Param, b: Option<Param>, act: Activation }
    if same_rows(&[y, x]) && x.width == w.inp && y.width == w.out && b.is_none_or(|b| b.out == w.out), reverse;

    /// `dx[r] = dy[r] W^T`
    LinearBack(dx: Activations) <- (dy: Activations) { w: Param, add: bool }
    if same_rows(&[dx, dy]) && dx.width == w.inp && dy.width == w.out, none;

    /// `dy[r] *= act'`, as a function of `y[r]`
    ActivationBack(dy: Activations) <- (y: Activations) { act: Activation }
    if dy.per_image * dy.width == y.per_image * y.width, none;

    /// `d[r] *= weight[r]`, one weight per row
    ScaleRows(d: Activations) <- (weight: Activations) {}
    if same_rows(&[d, weight]) && weight.width == 1, none;

    /// `y[n, output position]` = the patch of `x[n]` there, `[kernel row, kernel column, channel]`, zero-padded
    Im2col(y: Activations) <- (x: Activations) { conv: ConvGeometry }
    if y.per_image * conv.input_area() == x.per_image * conv.output_area() && y.width == conv.patch_len()
        && x.width == conv.channels, reverse;

    /// Transposed convolution, or the input gradient of a convolution: `y[n] = act(b + col2im(x[n] W))`, or `x[n] W^T` with
    /// `transpose_w`; col2im adds each row's patch at its place. Either b or `add`
    ConvTranspose(y: Activations) <- (x: Activations) {
        w: Param, transpose_w: bool, b: Option<Param>, act: Activation, conv: ConvGeometry, add: bool
    }
    if [x.width, conv.patch_len()] == if transpose_w { [w.out, w.inp] } else { [w.inp, w.out] }
        && x.per_image * conv.input_area() == y.per_image * conv.output_area() && y.width == conv.channels
        && b.is_none_or(|b| b.out == y.width && !add), reverse;

    /// The reparameterised draw (Kingma and Welling 2014, eq. 10): `z[r] = mu[n] + exp(logvar[n] / 2) eps[r]`, with
    /// `q = [mu, logvar]` and eps from N(0, I) by (seed, epoch, image, sample, lane)
    Sample(z: Activations, eps: Activations) <- (q: Activations) {}
    if same_shape(&[z, eps]) && gaussian_of(q, z.width), reverse;

    /// `dmu[n]` = sum of `dz[r]`, `dlogvar[n]` = sum of `dz[r] eps[r] exp(logvar[n] / 2) / 2`, over the samples of n
    SampleBack(dq: Activations) <- (dz: Activations, eps: Activations, q: Activations) { add: bool }
    if same_shape(&[dz, eps]) && same_shape(&[dq, q]) && gaussian_of(q, dz.width), none;

    /// `kl[n]` = KL(q to p) = 1/2 sum of (exp(logvar) + (mu - mu_p)²) / exp(logvar_p) - 1 - logvar + logvar_p, with
    /// `p = [mu_p, logvar_p]`, or N(0, I) (ibid., appendix B)
    Kl(kl: Activations) <- (q: Activations, p: Option<Activations>) {}
    if [kl.per_image, kl.width] == [1, 1] && gaussians(q, p), reverse;

    /// dmu = dkl (mu - mu_p) / exp(logvar_p), dlogvar = dkl (exp(logvar - logvar_p) - 1) / 2
    KlBack(dq: Activations) <- (dkl: Activations, q: Activations, p: Option<Activations>) { add: bool }
    if same_shape(&[dq, q]) && [dkl.per_image, dkl.width] == [1, 1] && gaussians(q, p), none;

    /// dmu_p = dkl (mu_p - mu) / exp(logvar_p), dlogvar_p = dkl (1 - (exp(logvar) + (mu - mu_p)²) / exp(logvar_p)) / 2
    KlPriorBack(dp: Activations) <- (dkl: Activations, q: Activations, p: Activations) { add: bool }
    if same_shape(&[dp, p]) && [dkl.per_image, dkl.width] == [1, 1] && gaussians(q, Some(p)), none;

    /// `kl[r] = log q(z[r]) - log p(z[r])`, of which the mean over samples tends to the KL: with `z = mu + exp(logvar / 2)
    /// eps` the log of q is -1/2 sum of eps² + logvar, and constants, which cancel (ibid., eq. 6)
    SampledKl(kl: Activations) <- (z: Activations, eps: Activations, q: Activations, p: Option<Activations>) {}
    if same_shape(&[z, eps]) && same_rows(&[kl, z]) && kl.width == 1 && gaussian_of(q, z.width) && gaussians(q, p), none;

    /// `mean[r] = 1 / (1 + exp(-logits[r]))`; where the decoder gives two values per pixel, of the first
    Sigmoid(mean: Activations) <- (logits: Activations) {}
    if same_rows(&[mean, logits]) && logits.width.is_multiple_of(mean.width), none;

    /// `loss[r] = -log Bernoulli(target[n]; logits[r])`, summed over pixels (ibid., appendix C.1). In place, the logits become
    /// the derivative: `logits[r] = sigmoid(logits[r]) - target[n]`
    Bernoulli(loss: Activations, logits: Activations) <- (target: Activations) {}
    if likelihood(loss, logits, target, 1), in_place;

    /// `loss[r] = -log N(target[n]; mean, sigma²)`, mean = sigmoid(logits), summed over pixels (ibid., appendix C.2). In
    /// place, the logits become the derivative, (mean - target) mean (1 - mean) / sigma²
    Gaussian(loss: Activations, logits: Activations) <- (target: Activations) { sigma: f32 }
    if likelihood(loss, logits, target, 1), in_place;

    /// `loss[r] = -log N(target[n]; mean, variance)`, summed over pixels, where `logits` has for each pixel the logit of the
    /// mean and s, and variance = exp(s) + min_sigma². In place, they become the derivative
    GaussianLearned(loss: Activations, logits: Activations) <- (target: Activations) { min_sigma: f32 }
    if likelihood(loss, logits, target, 2), in_place;

    /// `loss[r] = (mean[r] - target[n])²`, summed over pixels
    SquaredError(loss: Activations) <- (mean: Activations, target: Activations) {}
    if likelihood(loss, mean, target, 1), none;

    /// The objective, a weighted sum of terms: `losses[position of n, t]` = mean over the rows of `terms[t]`, or 0 where it is
    /// absent. The gradient of the batch mean of the sum of `weights[t] terms[t]` with respect to each row goes to
    /// `d_terms[t]`: `weights[t] / (images · rows)`; 0 for padding
    WeightedSum(losses: Table, d_terms: [Option<Activations>; MAX_TERMS]) <- (terms: [Option<Activations>; MAX_TERMS]) {
        weights: [TermWeight; MAX_TERMS]
    }
    if losses.dtype == PixelType::F32 && (1..=MAX_TERMS).contains(&losses.width)
        && terms.iter().flatten().all(|term| term.width == 1)
        && terms.iter().zip(&d_terms).all(|(term, d)| term.is_some() == d.is_some())
        && terms.iter().flatten().zip(d_terms.iter().flatten()).all(|(term, d)| same_shape(&[*term, *d]))
        && terms[losses.width..].iter().all(Option::is_none), reverse;
}

pub(super) fn same_rows(operands: &[Activations]) -> bool {
    operands.windows(2).all(|pair| pair[0].per_image == pair[1].per_image)
}

fn same_shape(operands: &[Activations]) -> bool {
    same_rows(operands) && operands.windows(2).all(|pair| pair[0].width == pair[1].width)
}

/// Whether q `[N, 1, 2Z]` holds mu and logvar of `latent` dimensions.
fn gaussian_of(q: Activations, latent: usize) -> bool {
    q.per_image == 1 && q.width == 2 * latent
}

fn gaussians(q: Activations, p: Option<Activations>) -> bool {
    gaussian_of(q, q.width / 2) && p.is_none_or(|p| same_shape(&[p, q]))
}

/// Whether `out` has so many values per pixel of the target, and `loss` one per row.
fn likelihood(loss: Activations, out: Activations, target: Activations, values: usize) -> bool {
    same_rows(&[loss, out]) && loss.width == 1 && target.per_image == 1 && out.width == values * target.width
}

impl Op {
    /// Its name, and its shape if it is a product: a row of a profile.
    pub fn label(&self) -> String {
        match self {
            Op::Linear { w, .. } => format!("forward {} x {}", w.inp, w.out),
            Op::LinearBack { w, .. } => format!("input gradient {} x {}", w.inp, w.out),
            Op::ConvTranspose { w, transpose_w: false, .. } => format!("forward {} x {}, col2im", w.inp, w.out),
            Op::ConvTranspose { w, .. } => format!("input gradient {} x {}, col2im", w.inp, w.out),
            other => format!("{:?}", other.code()).to_lowercase(),
        }
    }
    /// Floating-point operations of its products, for each image.
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
            Op::WeightedSum { losses: table, .. } | Op::Store { stored: table, .. } => Some(table.buf),
            _ => None,
        }
    }
}
