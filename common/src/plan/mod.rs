//! A model written down as data: buffers, operations over them in order, and the programs made of them.
//!
//! A network is a function that writes operations into a [`Plan`], forwards only (see [`network`](crate::network)).
//! [`reverse::training`] derives the step that trains it. A [`backend`](crate::backend) allocates the buffers and runs
//! programs; it never sees a model.

mod op;
mod program;
pub mod reverse;

use crate::backend::Precision;

pub use op::{Act, Buf, Cell, Learn, Op, Param, Rows, Table};
pub use program::{Call, Program};

/// What a buffer holds, so that a backend can allocate it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// So many values for each image of the batch.
    Rows(usize),
    /// A weight, `[in, out]`.
    Param([usize; 2]),
    /// One of its moments.
    Moment([usize; 2]),
    /// `[items, width]` of this type.
    Table(usize, usize, Cell),
}

/// A parameter of the plan and the tensors of the state dict that lie in it, side by side.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// `[in, out]`.
    pub param: Param,
    /// The names, in a PyTorch state dict, of equal parts of its `out` columns: `mu.weight`, `logvar.weight`.
    pub names: Vec<String>,
    /// Values that go into one unit of the layer.
    pub fan_in: usize,
    /// A bias is `[out]` in the state dict, a weight `[out, in]`.
    pub bias: bool,
}

/// The buffers of a model, and the operations written since the last [`Plan::take`].
#[derive(Debug)]
pub struct Plan {
    /// N: images in a batch.
    pub batch: usize,
    kinds: Vec<Kind>,
    params: Vec<Parameter>,
    ops: Vec<Op>,
}

impl Plan {
    /// An empty plan for batches of this many images.
    pub fn new(batch: usize) -> Plan {
        assert!(batch > 0, "a batch holds at least one image");
        Plan { batch, kinds: vec![], params: vec![], ops: vec![] }
    }
    /// What each buffer holds, by its number.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }
    /// Every parameter, in the order of the network.
    pub fn params(&self) -> &[Parameter] {
        &self.params
    }
    /// The operations written since the last call: a part of the model.
    pub fn take(&mut self) -> Vec<Op> {
        std::mem::take(&mut self.ops)
    }
    /// Images that one thread takes at a time, at most: 64, or fewer if an image is large.
    pub fn block(&self) -> usize {
        const VALUES: usize = 1 << 18; // the largest buffer of a block then stays in the L2 cache
        let largest = self.kinds.iter().map(|k| if let Kind::Rows(w) = k { *w } else { 1 }).max().unwrap_or(1);
        let mut block = 64;
        while block > 2 && block * largest > VALUES {
            block /= 2;
        }
        block
    }

    /// Bytes that a device needs for the buffers, about: at this precision, with half as much beside rows and twice beside
    /// weights for what products make of them.
    pub fn bytes(&self, precision: Precision) -> u64 {
        let images = self.batch.next_multiple_of(self.block()) as u64;
        let pairs = (precision == Precision::Bf16) as u64;
        let of = |kind: &Kind| match *kind {
            Kind::Rows(width) => (4 + 2 * pairs) * images * width as u64,
            Kind::Param([inp, out]) => 4 * (1 + pairs) * inp as u64 * out.next_multiple_of(16) as u64,
            Kind::Moment([inp, out]) => 4 * inp as u64 * out.next_multiple_of(16) as u64,
            Kind::Table(items, width, Cell::Byte) => items as u64 * width as u64,
            Kind::Table(items, width, Cell::Float) => 4 * items as u64 * width as u64,
        };
        self.kinds.iter().map(of).sum()
    }
    fn buf(&mut self, kind: Kind) -> Buf {
        self.kinds.push(kind);
        Buf(self.kinds.len() as u32 - 1)
    }
    /// A new buffer of `per` rows for each image.
    pub fn rows(&mut self, per: usize, width: usize) -> Rows {
        Rows { buf: self.buf(Kind::Rows(per * width)), per, width }
    }
    /// A new buffer shaped like this one.
    pub fn like(&mut self, r: Rows) -> Rows {
        self.rows(r.per, r.width)
    }
    /// A new table of the data.
    pub fn table(&mut self, items: usize, width: usize, cell: Cell) -> Table {
        Table { buf: self.buf(Kind::Table(items, width, cell)), items, width, cell }
    }
    /// The weight `[inp, parts · out]` of these names.
    pub fn weight(&mut self, names: &[&str], inp: usize, out: usize) -> Param {
        self.parameter(names, [inp, names.len() * out], inp, false)
    }
    /// The bias `[parts · out]` of these names.
    pub fn bias(&mut self, names: &[&str], out: usize, fan_in: usize) -> Param {
        self.parameter(names, [1, names.len() * out], fan_in, true)
    }
    /// A network built twice, for training and for test images, has one set of parameters: the names tell.
    fn parameter(&mut self, names: &[&str], [inp, out]: [usize; 2], fan_in: usize, bias: bool) -> Param {
        if let Some(known) = self.params.iter().find(|p| p.names == names) {
            assert_eq!([known.param.inp, known.param.out], [inp, out], "{names:?} has two shapes");
            return known.param;
        }
        let param = Param { buf: self.buf(Kind::Param([inp, out])), inp, out };
        self.buf(Kind::Moment([inp, out]));
        self.buf(Kind::Moment([inp, out]));
        self.params.push(Parameter { param, names: names.iter().map(|n| n.to_string()).collect(), fan_in, bias });
        param
    }

    // Layers: each makes its buffers, writes its operation and returns its output.

    /// The images of the batch, divided by `unit`: `[N, width]`.
    pub fn gather(&mut self, from: Table, unit: f32) -> Rows {
        let y = self.rows(1, from.width);
        self.ops.push(Op::Gather { y, from, unit });
        y
    }
    /// One layer of `out` units: `[N, P, out]`.
    pub fn linear(&mut self, name: &str, x: Rows, out: usize, act: Act) -> Rows {
        self.heads(&[name], x, out, act)
    }
    /// Layers of `out` units each, side by side: `[N, P, names · out]`.
    pub fn heads(&mut self, names: &[&str], x: Rows, out: usize, act: Act) -> Rows {
        let suffixed = |suffix: &str| names.iter().map(|n| format!("{n}.{suffix}")).collect::<Vec<_>>();
        let (weights, biases) = (suffixed("weight"), suffixed("bias"));
        let w = self.weight(&weights.iter().map(String::as_str).collect::<Vec<_>>(), x.width, out);
        let b = self.bias(&biases.iter().map(String::as_str).collect::<Vec<_>>(), out, x.width);
        let y = self.rows(x.per, names.len() * out);
        self.ops.push(Op::Linear { y, x, w, b, act });
        y
    }
    /// (z, eps), each `[N, samples, Z]`, from q `[N, 2Z]`.
    pub fn sample(&mut self, q: Rows, samples: usize) -> (Rows, Rows) {
        let (z, eps) = (self.rows(samples, q.width / 2), self.rows(samples, q.width / 2));
        self.ops.push(Op::Sample { z, eps, q });
        (z, eps)
    }
    /// The KL to N(0, I) of each image: `[N, 1]`, nats.
    pub fn kl(&mut self, q: Rows) -> Rows {
        let kl = self.rows(1, 1);
        self.ops.push(Op::Kl { kl, q });
        kl
    }
    /// The means of pixels: `[N, P, width]`.
    pub fn sigmoid(&mut self, logits: Rows) -> Rows {
        let p = self.like(logits);
        self.ops.push(Op::Sigmoid { p, logits });
        p
    }
    /// -log p(target given z) of each row: `[N, P, 1]`, nats. Uses the logits up.
    pub fn bernoulli(&mut self, logits: Rows, target: Rows) -> Rows {
        let loss = self.rows(logits.per, 1);
        self.ops.push(Op::Bernoulli { loss, logits, target });
        loss
    }
    /// The terms of the ELBO by position in the epoch: `[items, 2]`, reconstruction and KL, nats.
    pub fn elbo(&mut self, items: usize, recon: Rows, kl: Rows) -> Table {
        let (terms, wr, wk) = (self.table(items, 2, Cell::Float), self.like(recon), self.like(kl));
        self.ops.push(Op::Elbo { terms, wr, wk, recon, kl });
        terms
    }
}
