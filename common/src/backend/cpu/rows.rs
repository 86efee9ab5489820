//! The first phase of a step: the operations on the images of a block, in order, and then what the weights learn from.

use super::layer::{Back, Forward};
use super::multiply::In;
use super::product::as_cells;
use super::simd::{Level, Simd, Work};
use super::zeros::Lit;
use super::{bf16, kernels as k, latent, pixels, windows};
use crate::backend::State;
use crate::backend::memory::{Block, Memory};
use crate::plan::{Activations, Op, Precision, Program};
use vae_numerics::rng::{self, Purpose};

pub(super) use super::layer::Scratch;

/// Does one operation. Products are works of their own, so that what is compiled for each level comes in pieces, and only
/// they for each precision.
pub(super) fn run(level: Level, op: &Op, at: Block, program: &Program, scratch: &mut Scratch, precision: Precision) {
    if let Some(product) = Forward::of(op) {
        return level.run(In(precision, product.on(at, program, scratch)));
    }
    match *op {
        Op::LinearBack { dx, dy, w, add } => level.run(In(precision, Back { dx, dy, w, add, at, scratch })),
        _ => level.run(Each { op, at }),
    }
}

/// An operation that is no product.
struct Each<'a, 'm> {
    op: &'a Op,
    at: Block<'m>,
}

impl Work for Each<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with<S: Simd>(self, simd: S) {
        let Each { op, at } = self;
        match *op {
            Op::Linear { .. } | Op::ConvTranspose { .. } | Op::LinearBack { .. } => unreachable!("a product"),
            Op::Gather { y, from, transform } => {
                // Images lie anywhere in memory: they are fetched some time before they are needed.
                const AHEAD: usize = 4;
                for (n, row) in at.write(y).chunks_exact_mut(y.width).enumerate() {
                    if let Some(v) = at.visit(n + AHEAD) {
                        k::fetch(simd, &at, from, v.row as usize);
                    }
                    match at.visit(n) {
                        Some(v) => k::gather(row, &at, from, v, transform),
                        None => row.fill(0.0),
                    }
                }
            }
            Op::OneHot { y, from } => {
                for (n, row) in at.write(y).chunks_exact_mut(y.width).enumerate() {
                    match at.visit(n) {
                        Some(v) => k::one_hot(row, at.bytes(from)[v.row as usize]),
                        None => row.fill(0.0),
                    }
                }
            }
            Op::Concat { y, a, b } => k::concat(at.write(y), at.read(a), at.read(b), [a.width, b.width], a.per_image),
            Op::Narrow { y, x, add } => k::first(at.write(y), at.read(x), [y.width, x.width], add),
            Op::Subtract { y, x, b } => k::centre(at.write(y), at.read(x), at.bias(b), x.width),
            Op::ActivationBack { dy, y, act } => k::act_back(at.write(dy), at.read(y), act),
            Op::Im2col { y, x, conv } => windows::im2col(at.write(y), at.read(x), &conv),
            Op::Sample { z, eps, q } => {
                let State { seed, epoch, first_sample, .. } = *at.state;
                let eps = at.write(eps);
                for (r, row) in eps.chunks_exact_mut(z.width).enumerate() {
                    let id = at.visit(r / z.per_image).map_or(0, |v| v.id);
                    rng::normals(row, seed, Purpose::Latent, [first_sample + (r % z.per_image) as u32, id, epoch]);
                }
                latent::sample(at.write(z), eps, at.read(q), z.width, z.per_image)
            }
            Op::SampleBack { dq, dz, eps, q, add } => {
                latent::sample_back(at.write(dq), at.read(dz), at.read(eps), at.read(q), dz.width, dz.per_image, add)
            }
            Op::Kl { kl, q, p } => latent::kl(at.write(kl), at.read(q), p.map(|p| at.read(p)), q.width / 2),
            Op::KlBack { dq, dkl, q, p, add } => {
                latent::kl_back(at.write(dq), at.read(dkl), at.read(q), p.map(|p| at.read(p)), q.width / 2, add)
            }
            Op::KlPriorBack { dp, dkl, q, p, add } => {
                latent::kl_prior_back(at.write(dp), at.read(dkl), at.read(q), at.read(p), q.width / 2, add)
            }
            Op::SampledKl { kl, z, eps, q, p } => {
                let draws = [at.read(z), at.read(eps)];
                latent::sampled_kl(at.write(kl), draws, at.read(q), p.map(|p| at.read(p)), z.width, z.per_image)
            }
            Op::Sigmoid { mean, logits } => pixels::sigmoid(at.write(mean), at.read(logits)),
            Op::Bernoulli { loss, logits, target } => {
                pixels::bernoulli(at.write(loss), at.write(logits), at.read(target), target.width, logits.per_image)
            }
            Op::Gaussian { loss, logits, target, sigma } => pixels::gaussian(
                at.write(loss),
                at.write(logits),
                at.read(target),
                target.width,
                logits.per_image,
                sigma,
            ),
            Op::GaussianLearned { loss, logits, target, min_sigma } => pixels::gaussian_learned(
                at.write(loss),
                at.write(logits),
                at.read(target),
                target.width,
                logits.per_image,
                min_sigma,
            ),
            Op::SquaredError { loss, mean, target } => {
                pixels::squared_error(at.write(loss), at.read(mean), at.read(target), mean.width, mean.per_image)
            }
            Op::Store { stored, x } => {
                let stored = at.write_table(stored);
                stored.copy_from_slice(&at.read(x)[..stored.len()]);
            }
            Op::ScaleRows { d, weight } => k::weigh(at.write(d), at.read(weight), d.width),
            Op::WeightedSum { losses, d_terms, terms, weights } => {
                let (live, images, width) = (at.live(), at.state.live(), losses.width);
                let losses = at.write_table(losses);
                for t in 0..width {
                    let column = losses.iter_mut().skip(t).step_by(width);
                    let (Some(term), Some(d)) = (terms[t], d_terms[t]) else {
                        column.for_each(|loss| *loss = 0.0);
                        continue;
                    };
                    k::mean_weights(at.write(d), live, images, d.per_image, at.state.weight(weights[t]));
                    k::mean_rows(column, at.read(term), term.per_image);
                }
            }
        }
    }
}

/// Leaves in memory the cells and lists of rows that a weight learns from, beside the rows themselves.
pub(super) struct Operand<'a, 'm> {
    pub(super) rows: Activations,
    pub(super) at: Block<'m>,
    pub(super) scratch: &'a mut Scratch,
}

impl Work for Operand<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with<S: Simd>(self, simd: S) {
        let Operand { rows, at, scratch } = self;
        let values = at.read(rows);
        let cells = match at.across(rows) {
            Some(cells) => {
                bf16::across(simd, cells, values, rows.width);
                &*cells
            }
            None => as_cells(values),
        };
        if let Some(lit) = at.lit(rows) {
            Lit::find(simd, lit, cells, rows.width, &mut scratch.bits);
        }
    }
}

/// Images of a block: as many as every thread has some, and few enough that all end together.
pub(super) fn block_size(memory: &Memory, live: usize, threads: usize) -> usize {
    // What a block costs beyond its images: weights that come from a farther cache.
    const FEWER: usize = 8;
    let sizes = std::iter::successors(Some(memory.most), |b| Some(b / 2)).take_while(|b| *b >= memory.least);
    sizes.min_by_key(|b| live.div_ceil(*b).div_ceil(threads) * (b + FEWER)).expect("a size")
}
