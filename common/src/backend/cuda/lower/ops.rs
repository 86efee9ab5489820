//! The lowering of each op: its arguments, as kernels/ops.h documents them, and its launches.

use super::{Lowering, int};
use crate::backend::cuda::args::{Address, GemmArgs, OpArgs, activation_code};
use crate::model::Binarize;
use crate::plan::{Activation, Activations, Op, PixelTransform, PixelType, TermWeight};

/// The output of an activation, by whose derivative a GEMM or col2im multiplies its result.
type Fused = Option<(Activations, Activation)>;

impl Lowering<'_> {
    pub(super) fn op(&mut self, op: Op, fused: Fused) {
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
                let args = self.op_args(op, fused);
                self.launch_op(args);
            }
            Op::Im2col { .. } => {
                let args = self.op_args(op, fused);
                self.launch_op(args);
            }
            _ => {
                let args = self.op_args(op, fused);
                self.push_op(args);
            }
        }
    }
    /// The address of a fused activation's output, or 0, and the code of the activation to apply.
    fn fused_args(&self, fused: Fused, act: Activation) -> (Address, (i32, f32)) {
        let y = fused.map_or(0, |(y, _)| self.memory.activations(y));
        (y, activation_code(fused.map_or(act, |(_, act)| act)))
    }
    fn op_args(&self, op: Op, fused: Fused) -> OpArgs {
        let m = self.memory;
        let of = |r: Activations| m.activations(r);
        let optional = |r: Option<Activations>| r.map_or(0, of);
        let args = match op {
            Op::Linear { y, x, w, b, act } => {
                let ((act, slope), bias) = (activation_code(act), b.map_or(0, |b| m.param(b)));
                let args = args(y, &[of(y)], &[of(x), m.param(w), bias]);
                OpArgs { other: int(w.inp), act, slope, ..args }
            }
            Op::LinearBack { dx, dy, w, add } => {
                let (y, (act, slope)) = self.fused_args(fused, Activation::None);
                let args = args(dx, &[of(dx)], &[of(dy), m.param(w), y]);
                OpArgs { other: int(w.out), add: add as i32, act, slope, ..args }
            }
            Op::ConvTranspose { y, b, act, conv, add, .. } => {
                let (output, (act, slope)) = self.fused_args(fused, act);
                let args = args(y, &[of(y)], &[self.patches, b.map_or(0, |b| m.param(b)), output]);
                OpArgs { act, slope, add: add as i32, conv: conv.into(), ..args }
            }
            Op::Im2col { y, x, conv } => OpArgs { conv: conv.into(), ..args(y, &[of(y)], &[of(x)]) },
            Op::Gather { y, from, transform: PixelTransform { white, binarize, range: [black, top] } } => {
                let act = match binarize {
                    Binarize::None => 0,
                    Binarize::Threshold => 1,
                    Binarize::Static => 2,
                    Binarize::Dynamic => 3,
                };
                let other = (from.dtype == PixelType::U8) as i32;
                let args = args(y, &[of(y)], &[m.table(from)]);
                OpArgs { other, act, constants: [white, black, top], ..args }
            }
            Op::OneHot { y, from } => args(y, &[of(y)], &[m.table(from)]),
            Op::Concat { y, a, b } => OpArgs { other: int(a.width), ..args(y, &[of(y)], &[of(a), of(b)]) },
            Op::Narrow { y, x, add } => {
                let args = args(y, &[of(y)], &[of(x)]);
                OpArgs { other: int(x.width), add: add as i32, ..args }
            }
            Op::Subtract { y, x, b } => args(y, &[of(y)], &[of(x), m.param(b)]),
            Op::Store { stored, x } => args(x, &[m.table(stored)], &[of(x)]),
            Op::ActivationBack { dy, y, act } => {
                let (act, slope) = activation_code(act);
                OpArgs { act, slope, ..args(dy, &[of(dy)], &[of(y)]) }
            }
            Op::ScaleRows { d, weight } => args(d, &[of(d)], &[of(weight)]),
            Op::Sample { z, eps, q } => args(z, &[of(z), of(eps)], &[of(q)]),
            Op::SampleBack { dq, dz, eps, q, add } => {
                let args = args(dz, &[of(dq)], &[of(dz), of(eps), of(q)]);
                OpArgs { add: add as i32, ..args }
            }
            Op::Kl { kl, q, p } => latent_args(q, &[of(kl)], &[of(q), optional(p)]),
            Op::KlBack { dq, dkl, q, p, add } => {
                let args = latent_args(q, &[of(dq)], &[of(dkl), of(q), optional(p)]);
                OpArgs { add: add as i32, ..args }
            }
            Op::KlPriorBack { dp, dkl, q, p, add } => {
                let args = latent_args(q, &[of(dp)], &[of(dkl), of(q), of(p)]);
                OpArgs { add: add as i32, ..args }
            }
            Op::SampledKl { kl, z, eps, q, p } => args(z, &[of(kl)], &[of(z), of(eps), of(q), optional(p)]),
            Op::Sigmoid { mean, logits } => {
                let args = args(mean, &[of(mean)], &[of(logits)]);
                OpArgs { other: int(logits.width / mean.width), ..args }
            }
            Op::Bernoulli { loss, logits, target } => self.likelihood_args(loss, logits, target, [0.0; 3]),
            Op::Gaussian { loss, logits, target, sigma } => {
                let constant = 0.5 * target.width as f64 * (std::f64::consts::TAU * (sigma as f64).powi(2)).ln();
                let constants = [1.0 / (sigma * sigma), constant as f32, 0.0];
                self.likelihood_args(loss, logits, target, constants)
            }
            Op::GaussianLearned { loss, logits, target, min_sigma } => {
                let constants = [min_sigma * min_sigma, 0.0, 0.0];
                self.likelihood_args(loss, logits, target, constants)
            }
            Op::SquaredError { loss, mean, target } => args(mean, &[of(loss)], &[of(mean), of(target)]),
            Op::WeightedSum { losses, d_terms, terms, weights } => {
                assert!(losses.width == 2 && weights[..2] == [TermWeight::One, TermWeight::Beta], "{op:?}");
                let ([Some(recon), kl, ..], [Some(d_recon), d_kl, ..]) = (terms, d_terms) else { panic!("{op:?}") };
                let out = [m.table(losses), of(d_recon), optional(d_kl)];
                let args = args(d_recon, &out, &[of(recon), optional(kl)]);
                OpArgs { other: kl.map_or(1, |kl| int(kl.per_image)), ..args }
            }
        };
        OpArgs { op: op.code() as i32, ..args }
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
