//! The first phase of a step: the operations on the images of a block, in order, and then what the weights learn from.

use super::layer::{Back, Forward};
use super::multiply::In;
use super::product::as_cells;
use super::simd::{Level, Simd, Work};
use super::zeros::Lit;
use super::{bf16, kernels as k, latent, pixels, windows};
use crate::backend::memory::{Block, Memory};
use crate::backend::{Precision, State};
use crate::plan::{Latent, Op, Program, Rows};
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
            Op::Linear { .. } | Op::Lay { .. } | Op::LinearBack { .. } => unreachable!("a product"),
            Op::Gather { y, from, how } => {
                // Images lie anywhere in memory: they are fetched some time before they are needed.
                const AHEAD: usize = 4;
                for (n, row) in at.write(y).chunks_exact_mut(y.width).enumerate() {
                    if let Some(v) = at.visit(n + AHEAD) {
                        k::fetch(simd, &at, from, v.row as usize);
                    }
                    match at.visit(n) {
                        Some(v) => k::gather(row, &at, from, v, how),
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
            Op::Concat { y, a, b } => k::concat(at.write(y), at.read(a), at.read(b), [a.width, b.width], a.per),
            Op::First { y, x, add } => k::first(at.write(y), at.read(x), [y.width, x.width], add),
            Op::Centre { y, x, b } => k::centre(at.write(y), at.read(x), at.bias(b), x.width),
            Op::ActBack { dy, y, act } => k::act_back(at.write(dy), at.read(y), act),
            Op::Im2col { y, x, window } => windows::im2col(at.write(y), at.read(x), &window),
            Op::Sample { z, eps, q } => {
                let State { seed, epoch, first_sample, .. } = *at.state;
                let eps = at.write(eps);
                for (r, row) in eps.chunks_exact_mut(z.width).enumerate() {
                    let id = at.visit(r / z.per).map_or(0, |v| v.id);
                    rng::normals(row, seed, Purpose::Latent, [first_sample + (r % z.per) as u32, id, epoch]);
                }
                latent::sample(at.write(z), eps, at.read(q), z.width, z.per)
            }
            Op::SampleBack { dq, dz, eps, q, add } => {
                latent::sample_back(at.write(dq), at.read(dz), at.read(eps), at.read(q), dz.width, dz.per, add)
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
                latent::sampled_kl(at.write(kl), draws, at.read(q), p.map(|p| at.read(p)), z.width, z.per)
            }
            Op::Sigmoid { mean, v } => pixels::sigmoid(at.write(mean), at.read(v)),
            Op::Bernoulli { loss, v, target } => {
                pixels::bernoulli(at.write(loss), at.write(v), at.read(target), target.width, v.per)
            }
            Op::Gaussian { loss, v, target, sigma } => {
                pixels::gaussian(at.write(loss), at.write(v), at.read(target), target.width, v.per, sigma)
            }
            Op::GaussianLearned { loss, v, target, least } => {
                pixels::gaussian_learned(at.write(loss), at.write(v), at.read(target), target.width, v.per, least)
            }
            Op::SquaredError { loss, mean, target } => {
                pixels::squared_error(at.write(loss), at.read(mean), at.read(target), mean.width, mean.per)
            }
            Op::Keep { kept, x } => {
                let kept = at.write_table(kept);
                kept.copy_from_slice(&at.read(x)[..kept.len()]);
            }
            Op::Weigh { d, weight } => k::weigh(at.write(d), at.read(weight), d.width),
            Op::Elbo { terms, wr, recon, kl } => {
                let (live, images) = (at.live(), at.state.live());
                k::mean_weights(at.write(wr), live, images, wr.per, 1.0);
                let mut kls = &[][..];
                if let Some(Latent { kl, wk }) = kl {
                    k::mean_weights(at.write(wk), live, images, wk.per, at.state.kl_weight());
                    kls = at.read(kl);
                }
                k::terms(at.write_table(terms), at.read(recon), kls, recon.per, kl.map_or(1, |k| k.kl.per));
            }
        }
    }
}

/// Leaves in memory the cells and lists of rows that a weight learns from, beside the rows themselves.
pub(super) struct Operand<'a, 'm> {
    pub(super) rows: Rows,
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
