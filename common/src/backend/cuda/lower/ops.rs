//! The lowering of each op: its arguments, as kernels/ops.h documents them, and its launches.

use super::{Lowering, int};
use crate::backend::cuda::args::{Address, GemmArgs, OpArgs, OpCode, activation_code};
use crate::model::Binarize;
use crate::plan::{Activation, Activations, KlTerm, Op, PixelTransform, PixelType};

/// The output of an activation, by whose derivative a GEMM or col2im multiplies its result.
type Fused = Option<(Activations, Activation)>;

impl Lowering<'_> {
    pub(super) fn op(&mut self, op: Op, fused: Fused) {
        expect_shapes(&op);
        let m = self.memory;
        match op {
            Op::Linear { y, x, w, b, act } if !self.is_small(y, w) => {
                let ((act, slope), bias) = (activation_code(act), b.map_or(0, |b| m.param(b)));
                let epilogue = GemmArgs { bias, act, slope, ..GemmArgs::default() };
                self.launch_gemm([m.activations(y), m.activations(x)], self.rows(y), w, false, epilogue);
            }
            Op::LinearBack { dx, dy, w, add } if !self.is_small(dx, w) => {
                let (y, (act, slope)) = self.fused_args(fused, Activation::None);
                let epilogue = GemmArgs { y, act, slope, add: add as i32, ..GemmArgs::default() };
                self.launch_gemm([m.activations(dx), m.activations(dy)], self.rows(dx), w, true, epilogue);
            }
            Op::ConvTranspose { x, w, transpose_w, .. } => {
                let gemm = [self.patches, m.activations(x)];
                self.launch_gemm(gemm, self.rows(x), w, transpose_w, GemmArgs::default());
                let (code, args) = self.op_args(op, fused);
                self.launch_op(code, args);
            }
            Op::Im2col { .. } => {
                let (code, args) = self.op_args(op, fused);
                self.launch_op(code, args);
            }
            _ => {
                let (code, args) = self.op_args(op, fused);
                self.push_op(code, args);
            }
        }
    }
    /// The address of a fused activation's output, or 0, and the code of the activation to apply.
    fn fused_args(&self, fused: Fused, act: Activation) -> (Address, (i32, f32)) {
        let y = fused.map_or(0, |(y, _)| self.memory.activations(y));
        (y, activation_code(fused.map_or(act, |(_, act)| act)))
    }
    fn op_args(&self, op: Op, fused: Fused) -> (OpCode, OpArgs) {
        let m = self.memory;
        let of = |r: Activations| m.activations(r);
        let optional = |r: Option<Activations>| r.map_or(0, of);
        match op {
            Op::Linear { y, x, w, b, act } => {
                let ((act, slope), bias) = (activation_code(act), b.map_or(0, |b| m.param(b)));
                let args = args(y, &[of(y)], &[of(x), m.param(w), bias]);
                (OpCode::Linear, OpArgs { other: int(w.inp), act, slope, ..args })
            }
            Op::LinearBack { dx, dy, w, add } => {
                let (y, (act, slope)) = self.fused_args(fused, Activation::None);
                let args = args(dx, &[of(dx)], &[of(dy), m.param(w), y]);
                (OpCode::LinearBack, OpArgs { other: int(w.out), add: add as i32, act, slope, ..args })
            }
            Op::ConvTranspose { y, b, act, conv, add, .. } => {
                let (output, (act, slope)) = self.fused_args(fused, act);
                let args = args(y, &[of(y)], &[self.patches, b.map_or(0, |b| m.param(b)), output]);
                (OpCode::Col2im, OpArgs { act, slope, add: add as i32, conv: conv.into(), ..args })
            }
            Op::Im2col { y, x, conv } => (OpCode::Im2col, OpArgs { conv: conv.into(), ..args(y, &[of(y)], &[of(x)]) }),
            Op::Gather { y, from, transform: PixelTransform { white, binarize, range: [black, top] } } => {
                let act = match binarize {
                    Binarize::None => 0,
                    Binarize::Threshold => 1,
                    Binarize::Static => 2,
                    Binarize::Dynamic => 3,
                };
                let other = (from.dtype == PixelType::U8) as i32;
                let args = args(y, &[of(y)], &[m.table(from)]);
                (OpCode::Gather, OpArgs { other, act, constants: [white, black, top], ..args })
            }
            Op::OneHot { y, from } => (OpCode::OneHot, args(y, &[of(y)], &[m.table(from)])),
            Op::Concat { y, a, b } => {
                (OpCode::Concat, OpArgs { other: int(a.width), ..args(y, &[of(y)], &[of(a), of(b)]) })
            }
            Op::Narrow { y, x, add } => {
                let args = args(y, &[of(y)], &[of(x)]);
                (OpCode::Narrow, OpArgs { other: int(x.width), add: add as i32, ..args })
            }
            Op::Subtract { y, x, b } => (OpCode::Subtract, args(y, &[of(y)], &[of(x), m.param(b)])),
            Op::Store { stored, x } => (OpCode::Store, args(x, &[m.table(stored)], &[of(x)])),
            Op::ActivationBack { dy, y, act } => {
                let (act, slope) = activation_code(act);
                (OpCode::ActivationBack, OpArgs { act, slope, ..args(dy, &[of(dy)], &[of(y)]) })
            }
            Op::ScaleRows { d, weight } => (OpCode::ScaleRows, args(d, &[of(d)], &[of(weight)])),
            Op::Sample { z, eps, q } => (OpCode::Sample, args(z, &[of(z), of(eps)], &[of(q)])),
            Op::SampleBack { dq, dz, eps, q, add } => {
                let args = args(dz, &[of(dq)], &[of(dz), of(eps), of(q)]);
                (OpCode::SampleBack, OpArgs { add: add as i32, ..args })
            }
            Op::Kl { kl, q, p } => (OpCode::Kl, latent_args(q, &[of(kl)], &[of(q), optional(p)])),
            Op::KlBack { dq, dkl, q, p, add } => {
                let args = latent_args(q, &[of(dq)], &[of(dkl), of(q), optional(p)]);
                (OpCode::KlBack, OpArgs { add: add as i32, ..args })
            }
            Op::KlPriorBack { dp, dkl, q, p, add } => {
                let args = latent_args(q, &[of(dp)], &[of(dkl), of(q), of(p)]);
                (OpCode::KlPriorBack, OpArgs { add: add as i32, ..args })
            }
            Op::SampledKl { kl, z, eps, q, p } => {
                (OpCode::SampledKl, args(z, &[of(kl)], &[of(z), of(eps), of(q), optional(p)]))
            }
            Op::Sigmoid { mean, logits } => {
                let args = args(mean, &[of(mean)], &[of(logits)]);
                (OpCode::Sigmoid, OpArgs { other: int(logits.width / mean.width), ..args })
            }
            Op::Bernoulli { loss, logits, target } => {
                (OpCode::Bernoulli, self.likelihood_args(loss, logits, target, [0.0; 3]))
            }
            Op::Gaussian { loss, logits, target, sigma } => {
                let constant = 0.5 * target.width as f64 * (std::f64::consts::TAU * (sigma as f64).powi(2)).ln();
                let constants = [1.0 / (sigma * sigma), constant as f32, 0.0];
                (OpCode::Gaussian, self.likelihood_args(loss, logits, target, constants))
            }
            Op::GaussianLearned { loss, logits, target, min_sigma } => {
                let constants = [min_sigma * min_sigma, 0.0, 0.0];
                (OpCode::GaussianLearned, self.likelihood_args(loss, logits, target, constants))
            }
            Op::SquaredError { loss, mean, target } => {
                (OpCode::SquaredError, args(mean, &[of(loss)], &[of(mean), of(target)]))
            }
            Op::Elbo { losses, d_recon, recon, kl } => {
                let (kl, d_kl, other) =
                    kl.map_or((0, 0, 1), |KlTerm { kl, d_kl }| (of(kl), of(d_kl), int(kl.per_image)));
                let args = args(d_recon, &[m.table(losses), of(d_recon), d_kl], &[of(recon), kl]);
                (OpCode::Elbo, OpArgs { other, ..args })
            }
        }
    }
    fn likelihood_args(
        &self,
        loss: Activations,
        logits: Activations,
        target: Activations,
        constants: [f32; 3],
    ) -> OpArgs {
        let of = |r: Activations| self.memory.activations(r);
        let args = args(logits, &[of(loss), of(logits)], &[of(target)]);
        OpArgs { width: int(target.width), constants, ..args }
    }
}

/// Arguments with the shape of `r`.
fn args(r: Activations, out: &[Address], inp: &[Address]) -> OpArgs {
    let (out, inp) = (padded(out), padded(inp));
    OpArgs { per_image: int(r.per_image), width: int(r.width), out, inp, ..OpArgs::default() }
}

/// Arguments with the shape of a latent, of q = `[mu, logvar]`.
fn latent_args(q: Activations, out: &[Address], inp: &[Address]) -> OpArgs {
    OpArgs { width: int(q.width / 2), ..args(q, out, inp) }
}

fn padded<const N: usize>(addresses: &[Address]) -> [Address; N] {
    let mut all = [0; N];
    all[..addresses.len()].copy_from_slice(addresses);
    all
}

/// Panics if the shapes of an op do not fit.
fn expect_shapes(op: &Op) {
    let is_latent = |q: Activations| q.width.is_multiple_of(2) && q.per_image == 1;
    let is_likelihood = |loss: Activations, logits: Activations, target: Activations, values: usize| {
        logits.width == values * target.width && loss.per_image == logits.per_image && target.per_image == 1
    };
    let fits = match *op {
        Op::Linear { y, x, w, .. } => x.width == w.inp && y.width == w.out && x.per_image == y.per_image,
        Op::LinearBack { dx, dy, w, .. } => dx.width == w.inp && dy.width == w.out && dx.per_image == dy.per_image,
        Op::ConvTranspose { y, x, w, transpose_w, conv, .. } => {
            let (inp, patch) = if transpose_w { (w.out, w.inp) } else { (w.inp, w.out) };
            x.width == inp
                && patch == conv.patch_len()
                && y.width == conv.channels
                && x.per_image * conv.input_area() == y.per_image * conv.output_area()
        }
        Op::Im2col { y, x, conv } => {
            y.per_image * conv.input_area() == x.per_image * conv.output_area()
                && y.width == conv.patch_len()
                && x.width == conv.channels
        }
        Op::Gather { y, from, .. } => y.width == from.width,
        Op::OneHot { from, .. } => from.width == 1 && from.dtype == PixelType::U8,
        Op::Concat { y, a, b } => y.width == a.width + b.width && y.per_image == a.per_image && b.per_image == 1,
        Op::Narrow { y, x, .. } => y.width <= x.width && y.per_image == x.per_image,
        Op::Subtract { y, x, b } => y.width == x.width && y.per_image == x.per_image && b.values() == x.width,
        Op::Store { stored, x } => stored.width == x.per_image * x.width && stored.dtype == PixelType::F32,
        Op::ActivationBack { dy, y, .. } => dy.per_image * dy.width == y.per_image * y.width,
        Op::ScaleRows { d, weight } => weight.width == 1 && weight.per_image == d.per_image,
        Op::Sample { z, eps, q } => {
            z == Activations { buf: z.buf, ..eps } && q.width == 2 * z.width && q.per_image == 1
        }
        Op::SampleBack { dq, dz, eps, q, .. } => {
            dq.width == 2 * dz.width && [dq.per_image, q.per_image] == [1, 1] && eps.per_image == dz.per_image
        }
        Op::Kl { q, .. } | Op::KlBack { q, .. } | Op::KlPriorBack { q, .. } => is_latent(q),
        Op::SampledKl { kl, z, eps, q, .. } => {
            kl.per_image == z.per_image && eps.per_image == z.per_image && q.width == 2 * z.width
        }
        Op::Sigmoid { mean, logits } => logits.width.is_multiple_of(mean.width) && mean.per_image == logits.per_image,
        Op::Bernoulli { loss, logits, target } => is_likelihood(loss, logits, target, 1),
        Op::Gaussian { loss, logits, target, .. } => is_likelihood(loss, logits, target, 1),
        Op::GaussianLearned { loss, logits, target, .. } => is_likelihood(loss, logits, target, 2),
        Op::SquaredError { loss, mean, target } => mean.width == target.width && loss.per_image == mean.per_image,
        Op::Elbo { losses, d_recon, recon, .. } => losses.width == 2 && d_recon.per_image == recon.per_image,
    };
    assert!(fits, "shapes do not fit: {op:?}");
}
