//! A program as launches of kernels.
//!
//! ```text
//! each       operations in turn on the rows of each image                   kernels/each.cu
//! product    a product of a layer, and what follows it at once              kernels/product.h
//! learn      the gradients of all parameters, and the optimizer             kernels/product.h
//! settle     the optimizer, where a gradient was made in parts              kernels/products.cu
//! ```
//!
//! Operations between two products share a launch, small products among them, but for those on windows, which have many
//! values. A product takes the derivative of an activation with it that comes right after it.

use super::call::{Address, Call, Calls, Job, Jobs, Product, act};
use super::memory::{Memory, zeros};
use super::stream::Stream;
use crate::Result;
use crate::model::Binarize;
use crate::plan::{
    Activation, Activations, Gradient, Op, OpCode, Param, PixelTransform, PixelType, Precision, Program, TermWeight,
};
use cust::memory::DeviceBuffer;

/// One launch: the kernel of this name, its blocks across and down, and what it is told.
pub(super) struct Stage {
    pub(super) kernel: String,
    pub(super) blocks: [usize; 2],
    pub(super) told: Told,
}

pub(super) enum Told {
    Calls(Vec<Call>),
    Product(Product),
    /// `learn` or `settle`.
    Jobs(Vec<Job>),
}

/// The launches of a step, and the buffers that they need besides those of the plan.
pub(super) struct Lowered {
    pub(super) stages: Vec<Stage>,
    pub(super) scratch: Vec<DeviceBuffer<f32>>,
}

impl Lowered {
    pub(super) fn new(program: &Program, memory: &Memory, stream: &Stream, precision: Precision) -> Result<Lowered> {
        let mut lowering = Lowering { memory, stream, precision, stages: vec![], laid: 0 };
        let mut scratch = vec![];
        if let Some(laid) = program.ops().iter().filter_map(|call| lowering.values_laid(&call.op)).max() {
            let room = zeros(laid, stream)?;
            lowering.laid = room.as_device_ptr().as_raw();
            scratch.push(room);
        }
        let mut calls = program.ops().iter().map(|call| call.op).peekable();
        while let Some(op) = calls.next() {
            // The derivative of an activation, right behind the product that it is of.
            let back = match (op, calls.peek()) {
                (
                    Op::LinearBack { dx: to, .. } | Op::ConvTranspose { y: to, b: None, act: Activation::None, .. },
                    Some(&Op::ActivationBack { dy, y, act }),
                ) if to == dy => Some((y, act)),
                _ => None,
            };
            if back.is_some() {
                calls.next();
            }
            lowering.op(op, back);
        }
        lowering.learn(program.gradients(), &mut scratch)?;
        Ok(Lowered { stages: lowering.stages, scratch })
    }
}

struct Lowering<'a> {
    memory: &'a Memory,
    stream: &'a Stream,
    precision: Precision,
    stages: Vec<Stage>,
    /// Where rows lie that are yet to be laid under their windows.
    laid: Address,
}

/// The sides of the tiles of kernels/tile.h.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    rows: usize,
    columns: usize,
}

const THIN: Shape = Shape { name: "thin", rows: 16, columns: 32 };
const WIDE: Shape = Shape { name: "wide", rows: 64, columns: 64 };
const LARGE: Shape = Shape { name: "large", rows: 128, columns: 128 };
/// Tiles that keep a GPU busy. What is computed must not depend on which GPU it is, so this is no number of its own.
const ENOUGH: usize = 96;

impl Shape {
    fn tiles(self, m: usize, n: usize) -> usize {
        m.div_ceil(self.rows) * n.div_ceil(self.columns)
    }
    /// The first of these with enough tiles, else the last.
    fn of(shapes: &[Shape], m: usize, n: usize) -> Shape {
        let enough = shapes.iter().find(|shape| shape.tiles(m, n) >= ENOUGH);
        *enough.unwrap_or_else(|| shapes.last().expect("there are some"))
    }
}

impl Lowering<'_> {
    /// The kernel of this name at the precision of the run.
    fn kernel(&self, op: &str, shape: Shape) -> String {
        let suffix = match self.precision {
            Precision::Fp32 => "",
            Precision::Tf32 => "_tf32",
            Precision::Bf16 => "_bf16",
        };
        format!("{op}_{}{suffix}", shape.name)
    }
    fn count(&self, r: Activations) -> usize {
        self.memory.images * r.per_image
    }
    /// Whether a product of these rows is so small that a launch would cost more than it.
    fn is_small(&self, rows: Activations, w: Param) -> bool {
        self.count(rows) <= 512 && w.values() <= 1 << 14
    }
    fn values_laid(&self, op: &Op) -> Option<usize> {
        match op {
            Op::ConvTranspose { x, conv, .. } => Some(self.count(*x) * conv.patch_len()),
            _ => None,
        }
    }
    fn push(&mut self, kernel: String, blocks: [usize; 2], told: Told) {
        self.stages.push(Stage { kernel, blocks, told });
    }
    fn each(&mut self, code: OpCode, call: Call) {
        let call = Call { op: code as i32, ..call };
        match self.stages.last_mut() {
            Some(Stage { blocks: [_, 1], told: Told::Calls(calls), .. }) if calls.len() < Calls::MOST => {
                calls.push(call)
            }
            _ => self.push("each".into(), [self.memory.images, 1], Told::Calls(vec![call])),
        }
    }
    /// An operation whose values are many and need no other's: a launch of its own, with several blocks for each image.
    fn spread(&mut self, code: OpCode, call: Call) {
        let values = call.per as usize * call.width as usize;
        let call = Call { op: code as i32, ..call };
        self.push("each".into(), [self.memory.images, values.div_ceil(4 * THREADS)], Told::Calls(vec![call]));
    }
    /// y = x w, or x w^T; `product` has what follows.
    fn product(&mut self, [y, x]: [Address; 2], rows: usize, w: Param, transpose_w: bool, product: Product) {
        let (n, k) = if transpose_w { (w.inp, w.out) } else { (w.out, w.inp) };
        let shape = Shape::of(&[LARGE, WIDE, THIN], rows, n);
        let product = Product {
            a: x,
            b: self.memory.param(w),
            c: y,
            m: int(rows),
            n: int(n),
            k: int(k),
            lda: int(k),
            ldb: int(w.out),
            ..product
        };
        let kernel = self.kernel(if transpose_w { "linear_back" } else { "linear" }, shape);
        self.push(kernel, [shape.tiles(rows, n), 1], Told::Product(product));
    }

    fn op(&mut self, op: Op, back: Option<(Activations, Activation)>) {
        let m = self.memory;
        let rows = |r: Activations| m.rows(r);
        let maybe = |r: Option<Activations>| r.map_or(0, rows);
        let of = |r: Activations| Call { per: int(r.per_image), width: int(r.width), ..Call::default() };
        let call = |r: Activations, out: &[Address], inp: &[Address]| Call { out: fill(out), inp: fill(inp), ..of(r) };
        match op {
            Op::Linear { y, x, w, b, act: a } => {
                let ((act, slope), bias) = (act(a), b.map_or(0, |b| m.param(b)));
                if self.is_small(y, w) {
                    let call = call(y, &[rows(y)], &[rows(x), m.param(w), bias]);
                    self.each(OpCode::Linear, Call { other: int(w.inp), act, slope, ..call });
                } else {
                    let after = Product { bias, act, slope, ..Product::default() };
                    self.product([rows(y), rows(x)], self.count(y), w, false, after);
                }
            }
            Op::LinearBack { dx, dy, w, add } => {
                let (act, slope) = act(back.map_or(Activation::None, |(_, a)| a));
                let (y, add) = (maybe(back.map(|(y, _)| y)), add as i32);
                if self.is_small(dx, w) {
                    let call = call(dx, &[rows(dx)], &[rows(dy), m.param(w), y]);
                    self.each(OpCode::LinearBack, Call { other: int(w.out), add, act, slope, ..call });
                } else {
                    let after = Product { y, act, slope, add, ..Product::default() };
                    self.product([rows(dx), rows(dy)], self.count(dx), w, true, after);
                }
            }
            Op::ConvTranspose { y, x, w, transpose_w, b, act: a, conv, add } => {
                self.product([self.laid, rows(x)], self.count(x), w, transpose_w, Product::default());
                let (act, slope) = act(back.map_or(a, |(_, a)| a));
                let bias = b.map_or(0, |b| m.param(b));
                let call = call(y, &[rows(y)], &[self.laid, bias, maybe(back.map(|(y, _)| y))]);
                self.spread(OpCode::ConvTranspose, Call { act, slope, add: add as i32, window: conv.into(), ..call });
            }
            Op::Gather { y, from, transform: PixelTransform { white: scale, binarize, range: [black, white] } } => {
                let act = match binarize {
                    Binarize::None => 0,
                    Binarize::Threshold => 1,
                    Binarize::Static => 2,
                    Binarize::Dynamic => 3,
                };
                let other = (from.dtype == PixelType::U8) as i32;
                let call = call(y, &[rows(y)], &[m.table(from)]);
                self.each(OpCode::Gather, Call { other, act, f: [scale, black, white], ..call });
            }
            Op::OneHot { y, from } => {
                self.each(OpCode::OneHot, call(y, &[rows(y)], &[m.table(from)]));
            }
            Op::Concat { y, a, b } => {
                self.each(OpCode::Concat, Call { other: int(a.width), ..call(y, &[rows(y)], &[rows(a), rows(b)]) });
            }
            Op::Narrow { y, x, add } => {
                let call = call(y, &[rows(y)], &[rows(x)]);
                self.each(OpCode::Narrow, Call { other: int(x.width), add: add as i32, ..call });
            }
            Op::Subtract { y, x, b } => {
                self.each(OpCode::Subtract, call(y, &[rows(y)], &[rows(x), m.param(b)]));
            }
            Op::Store { stored, x } => {
                self.each(OpCode::Store, call(x, &[m.table(stored)], &[rows(x)]));
            }
            Op::ActivationBack { dy, y, act: a } => {
                let (act, slope) = act(a);
                self.each(OpCode::ActivationBack, Call { act, slope, ..call(dy, &[rows(dy)], &[rows(y)]) });
            }
            Op::ScaleRows { d, weight } => {
                self.each(OpCode::ScaleRows, call(d, &[rows(d)], &[rows(weight)]));
            }
            Op::Im2col { y, x, conv } => {
                self.spread(OpCode::Im2col, Call { window: conv.into(), ..call(y, &[rows(y)], &[rows(x)]) });
            }
            Op::Sample { z, eps, q } => {
                self.each(OpCode::Sample, call(z, &[rows(z), rows(eps)], &[rows(q)]));
            }
            Op::SampleBack { dq, dz, eps, q, add } => {
                let call = call(dz, &[rows(dq)], &[rows(dz), rows(eps), rows(q)]);
                self.each(OpCode::SampleBack, Call { add: add as i32, ..call });
            }
            Op::Kl { kl, q, p } => self.each(OpCode::Kl, code(q, &[rows(kl)], &[rows(q), maybe(p)])),
            Op::KlBack { dq, dkl, q, p, add } => {
                let call = code(q, &[rows(dq)], &[rows(dkl), rows(q), maybe(p)]);
                self.each(OpCode::KlBack, Call { add: add as i32, ..call });
            }
            Op::KlPriorBack { dp, dkl, q, p, add } => {
                let call = code(q, &[rows(dp)], &[rows(dkl), rows(q), rows(p)]);
                self.each(OpCode::KlPriorBack, Call { add: add as i32, ..call });
            }
            Op::SampledKl { kl, z, eps, q, p } => {
                self.each(OpCode::SampledKl, call(z, &[rows(kl)], &[rows(z), rows(eps), rows(q), maybe(p)]));
            }
            Op::Sigmoid { mean, logits } => {
                let values = logits.width / mean.width;
                self.each(OpCode::Sigmoid, Call { other: int(values), ..call(mean, &[rows(mean)], &[rows(logits)]) });
            }
            Op::Bernoulli { loss, logits, target } => {
                self.each(OpCode::Bernoulli, self.likelihood(loss, logits, target));
            }
            Op::Gaussian { loss, logits, target, sigma } => {
                let constant = 0.5 * target.width as f64 * (std::f64::consts::TAU * (sigma as f64).powi(2)).ln();
                let f = [1.0 / (sigma * sigma), constant as f32, 0.0];
                self.each(OpCode::Gaussian, Call { f, ..self.likelihood(loss, logits, target) });
            }
            Op::GaussianLearned { loss, logits, target, min_sigma } => {
                let f = [min_sigma * min_sigma, 0.0, 0.0];
                self.each(OpCode::GaussianLearned, Call { f, ..self.likelihood(loss, logits, target) });
            }
            Op::SquaredError { loss, mean, target } => {
                self.each(OpCode::SquaredError, call(mean, &[rows(loss)], &[rows(mean), rows(target)]));
            }
            Op::WeightedSum { losses, d_terms, terms, weights } => {
                assert!(losses.width == 2 && weights[..2] == [TermWeight::One, TermWeight::Beta], "{op:?}");
                let ([Some(recon), kl, ..], [Some(d_recon), d_kl, ..]) = (terms, d_terms) else { panic!("{op:?}") };
                let call = call(d_recon, &[m.table(losses), rows(d_recon), maybe(d_kl)], &[rows(recon), maybe(kl)]);
                self.each(OpCode::WeightedSum, Call { other: kl.map_or(1, |kl| int(kl.per_image)), ..call });
            }
        }
    }
    fn likelihood(&self, loss: Activations, logits: Activations, target: Activations) -> Call {
        let out = fill(&[self.memory.rows(loss), self.memory.rows(logits)]);
        let inp = fill(&[self.memory.rows(target)]);
        Call { per: int(logits.per_image), width: int(target.width), out, inp, ..Call::default() }
    }

    /// All parameters in one launch, or in two where some are large.
    fn learn(&mut self, gradients: &[Gradient], scratch: &mut Vec<DeviceBuffer<f32>>) -> Result<()> {
        let mut launches: Vec<(Shape, usize, Vec<Job>)> = vec![];
        let mut parts: Vec<Job> = vec![];
        for learn in gradients {
            let (shape, pieces, mut job) = self.job(learn);
            job.splits = splits(learn, pieces, job.k as usize);
            job.chunk = int((job.k as usize).div_ceil(job.splits as usize).next_multiple_of(4));
            if job.splits > 1 {
                let values = job.m as usize * job.n as usize;
                let room = zeros(job.splits as usize * values, self.stream)?;
                job.parts = room.as_device_ptr().as_raw();
                scratch.push(room);
                parts.push(job);
            }
            let blocks = pieces * job.splits as usize;
            let room =
                |(known, _, jobs): &&mut (Shape, usize, Vec<Job>)| known.name == shape.name && jobs.len() < Jobs::MOST;
            match launches.iter_mut().find(room) {
                Some((_, all, jobs)) => {
                    jobs.push(Job { first: int(*all), ..job });
                    *all += blocks;
                }
                None => launches.push((shape, blocks, vec![job])),
            }
        }
        for (shape, blocks, jobs) in launches {
            let kernel = self.kernel("learn", shape);
            self.push(kernel, [blocks, 1], Told::Jobs(jobs));
        }
        for jobs in parts.chunks_mut(Jobs::MOST) {
            let mut blocks = 0;
            for job in &mut *jobs {
                job.first = int(blocks);
                blocks += (job.m as usize * job.n as usize).div_ceil(THREADS);
            }
            self.push("settle".into(), [blocks, 1], Told::Jobs(jobs.to_vec()));
        }
        Ok(())
    }
    /// A parameter's job, not yet split, and the number of its tiles.
    fn job(&self, learn: &Gradient) -> (Shape, usize, Job) {
        let (p, m) = (learn.param(), self.memory);
        let parameter = Job { w: m.param(p), moments: m.moments(p), m: int(p.inp), n: int(p.out), ..Job::default() };
        match *learn {
            Gradient::Weight { w, x, dy } => {
                let shape = Shape::of(&[LARGE, WIDE], w.inp, w.out);
                let job = Job { x: m.rows(x), dy: m.rows(dy), k: int(self.count(x)), ..parameter };
                (shape, shape.tiles(w.inp, w.out), job)
            }
            Gradient::Bias { b, dy } => {
                (WIDE, b.out.div_ceil(32), Job { dy: m.rows(dy), k: int(self.count(dy)), ..parameter })
            }
        }
    }
}

/// Threads of a block, in every kernel.
pub(super) const THREADS: usize = 256;

/// Parts in which a gradient is summed over so many rows: as many as make enough blocks, none shorter than a few chunks.
fn splits(learn: &Gradient, pieces: usize, rows: usize) -> i32 {
    let shortest = match learn {
        Gradient::Weight { .. } => 256,
        Gradient::Bias { .. } => 1024,
    };
    int((2 * ENOUGH / pieces).min(rows / shortest).max(1))
}

/// Of `[mu, logvar]`.
fn code(q: Activations, out: &[Address], inp: &[Address]) -> Call {
    Call { per: 1, width: int(q.width / 2), out: fill(out), inp: fill(inp), ..Call::default() }
}

fn fill<const N: usize>(addresses: &[Address]) -> [Address; N] {
    let mut all = [0; N];
    all[..addresses.len()].copy_from_slice(addresses);
    all
}

/// Sizes on the device are of 32 bits.
fn int(n: usize) -> i32 {
    i32::try_from(n).expect("a buffer of this program has fewer than 2^31 rows, columns and blocks")
}
