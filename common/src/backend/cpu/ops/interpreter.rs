//! The interpreter of operations: one match arm per [`Op`], on the rows of a block.

use super::conv::Conv;
use super::linear::{Linear, LinearBack, OnBlock, Scratch};
use super::{elementwise as el, gaussian, im2col, likelihood};
use crate::backend::State;
use crate::backend::cpu::gemm::sparsity::NonzeroRows;
use crate::backend::cpu::gemm::{Arithmetic, InArithmetic, Packing, Windows, WithArithmetic, as_packed};
use crate::backend::cpu::memory::BlockView;
use crate::backend::cpu::simd::{InstructionSet, Simd, WithSimd};
use crate::plan::{Activations, CheckedOp, Op, Program, Side};
use vae_numerics::rng::{self, Purpose};

/// An operation of a program, and how it is computed.
pub(crate) struct CompiledOp {
    pub(crate) checked: CheckedOp,
    kernel: Kernel,
}

/// GEMMs are monomorphised per instruction set and arithmetic; other operations per instruction set only. Separate types
/// keep the number of copies small.
enum Kernel {
    Linear(Linear),
    LinearBack(LinearBack),
    Conv(Conv),
    NoGemm,
}

impl CompiledOp {
    /// For a program in this arithmetic. `padded`: whether buffers of patches hold padded images.
    pub(crate) fn new(
        checked: &CheckedOp,
        program: &Program,
        packing: Packing,
        padded: bool,
        lanes: usize,
    ) -> CompiledOp {
        let conv = Conv::from_op(&checked.op, program, padded, lanes).filter(|_| packing == Packing::F32);
        if let Some(conv) = conv {
            return CompiledOp { checked: checked.clone(), kernel: Kernel::Conv(conv) };
        }
        let kernel = match (Linear::from_op(&checked.op, program), checked.op) {
            (Some(linear), _) => Kernel::Linear(linear),
            (None, Op::LinearBack { dx, dy, w, add }) => Kernel::LinearBack(LinearBack { dx, dy, w, add }),
            (None, _) => Kernel::NoGemm,
        };
        CompiledOp { checked: checked.clone(), kernel }
    }
    /// Executes it on the rows of a block.
    pub(crate) fn execute(&self, isa: InstructionSet, packing: Packing, at: BlockView, scratch: &mut Scratch) {
        match &self.kernel {
            Kernel::Linear(op) => isa.dispatch(InArithmetic(packing, OnBlock { op, at, scratch })),
            Kernel::LinearBack(op) => isa.dispatch(InArithmetic(packing, OnBlock { op, at, scratch })),
            Kernel::Conv(op) => isa.dispatch(OnBlock { op, at, scratch }),
            Kernel::NoGemm => isa.dispatch(NoGemm { op: &self.checked.op, at }),
        }
    }
}

/// An operation without a GEMM.
struct NoGemm<'a, 'm> {
    op: &'a Op,
    at: BlockView<'m>,
}

impl WithSimd for NoGemm<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let NoGemm { op, at } = self;
        match *op {
            Op::Linear { .. } | Op::ConvTranspose { .. } | Op::LinearBack { .. } => unreachable!("a GEMM"),
            Op::Gather { y, from, transform } => el::gather(simd, &at, y, from, transform),
            Op::OneHot { y, from } => el::one_hot(&at, y, from),
            Op::Concat { y, a, b } => el::concat(at.write(y), at.read(a), at.read(b), [a.width, b.width], a.per_image),
            Op::Narrow { y, x, add } => el::narrow(at.write(y), at.read(x), [y.width, x.width], add),
            Op::Subtract { y, x, b } => el::subtract(at.write(y), at.read(x), at.bias(b), x.width),
            Op::ActivationBack { dy, y, act } => el::activation_back(simd, at.write(dy), at.read(y), act),
            Op::Im2col { y, x, conv } => match at.is_padded() {
                true => Windows::pad(&conv, at.write(y), at.read(x)),
                false => im2col::im2col(at.write(y), at.read(x), &conv),
            },
            Op::Sample { z, eps, q } => {
                let State { seed, epoch, first_sample, .. } = *at.state;
                let eps = at.write(eps);
                for (r, row) in eps.chunks_exact_mut(z.width).enumerate() {
                    let id = at.sample_index(r / z.per_image).map_or(0, |sample| sample.id);
                    rng::normals(row, seed, Purpose::Latent, [first_sample + (r % z.per_image) as u32, id, epoch]);
                }
                gaussian::sample(at.write(z), eps, at.read(q), z.width, z.per_image)
            }
            Op::SampleBack { dq, dz, eps, q, add } => {
                gaussian::sample_back(at.write(dq), at.read(dz), at.read(eps), at.read(q), dz.width, dz.per_image, add)
            }
            Op::Kl { kl, q, p } => gaussian::kl(at.write(kl), at.read(q), p.map(|p| at.read(p)), q.width / 2),
            Op::KlBack { dq, dkl, q, p, add } => {
                gaussian::kl_back(at.write(dq), at.read(dkl), at.read(q), p.map(|p| at.read(p)), q.width / 2, add)
            }
            Op::KlPriorBack { dp, dkl, q, p, add } => {
                gaussian::kl_prior_back(at.write(dp), at.read(dkl), at.read(q), at.read(p), q.width / 2, add)
            }
            Op::SampledKl { kl, z, eps, q, p } => {
                let draws = [at.read(z), at.read(eps)];
                gaussian::sampled_kl(at.write(kl), draws, at.read(q), p.map(|p| at.read(p)), z.width, z.per_image)
            }
            Op::Sigmoid { mean, logits } => likelihood::sigmoid(at.write(mean), at.read(logits)),
            Op::Bernoulli { loss, logits, target } => {
                let (pixels, per_image) = (target.width, logits.per_image);
                likelihood::bernoulli(at.write(loss), at.write(logits), at.read(target), pixels, per_image)
            }
            Op::Gaussian { loss, logits, target, sigma } => {
                let (pixels, per_image) = (target.width, logits.per_image);
                likelihood::gaussian(at.write(loss), at.write(logits), at.read(target), pixels, per_image, sigma)
            }
            Op::GaussianLearned { loss, logits, target, min_sigma: least } => {
                let (pixels, per_image) = (target.width, logits.per_image);
                likelihood::gaussian_learned(
                    at.write(loss),
                    at.write(logits),
                    at.read(target),
                    pixels,
                    per_image,
                    least,
                )
            }
            Op::SquaredError { loss, mean, target } => {
                likelihood::squared_error(at.write(loss), at.read(mean), at.read(target), mean.width, mean.per_image)
            }
            Op::Store { stored, x } => {
                let stored = at.write_table(stored);
                stored.copy_from_slice(&at.read(x)[..stored.len()]);
            }
            Op::ScaleRows { d, weight } => el::scale_rows(at.write(d), at.read(weight), d.width),
            Op::WeightedSum { losses, d_terms, terms, weights } => {
                let (valid, images, width) = (at.valid(), at.state.valid(), losses.width);
                let losses = at.write_table(losses);
                for t in 0..width {
                    let column = losses.iter_mut().skip(t).step_by(width);
                    let (Some(term), Some(d)) = (terms[t], d_terms[t]) else {
                        column.for_each(|loss| *loss = 0.0);
                        continue;
                    };
                    el::mean_back(at.write(d), valid, images, d.per_image, at.state.weight(weights[t]));
                    el::mean_rows(column, at.read(term), term.per_image);
                }
            }
        }
    }
}

/// Derives from an operand of weight gradients what the GEMM reads: its packing in bf16, and its nonzero rows.
pub(crate) struct PackOperand<'a, 'm> {
    pub(crate) operand: Activations,
    pub(crate) side: Side,
    pub(crate) at: BlockView<'m>,
    pub(crate) scratch: &'a mut Scratch,
}

impl WithArithmetic for PackOperand<'_, '_> {
    #[inline(always)]
    fn with_arithmetic<S: Simd, A: Arithmetic>(self, simd: S, arithmetic: A) {
        let PackOperand { operand, side, at, scratch } = self;
        let values = at.read(operand);
        let packed = match at.packed(operand) {
            Some(packed) => {
                arithmetic.pack_operand(simd, packed, values, operand.width, side);
                &*packed
            }
            None => as_packed(values),
        };
        if let Some(table) = at.nonzero_rows(operand) {
            NonzeroRows::scan(simd, table, packed, operand.width, &mut scratch.masks);
        }
    }
}
