//! A model written down as data: buffers, operations over them in order, and the programs made of them.
//!
//! A network is a function that writes operations into a [`Plan`], forwards only (see [`network`](crate::network)).
//! [`reverse::training`] derives the step that trains it. A [`backend`](crate::backend) allocates the buffers and runs
//! programs; it never sees a model.

mod layers;
mod op;
mod parameter;
mod program;
pub mod reverse;
mod window;

use crate::backend::Precision;

pub use op::{Act, Buf, Cell, Ink, Latent, Learn, Op, Param, Reading, Rows, Table};
pub use parameter::{Axis, Layout, Parameter, Role};
pub use program::{Call, Program};
pub use window::Window;

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
    /// The same, beside the buffers.
    pub fn buffers(&self) -> impl Iterator<Item = (Buf, Kind)> + '_ {
        (0..).map(Buf).zip(self.kinds.iter().copied())
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
    /// The parameter of these tensors. A network built twice, for training and for test images, has one set: the names tell.
    fn parameter(&mut self, names: &[String], [inp, out]: [usize; 2], role: Role, layout: Layout) -> Param {
        if let Some(known) = self.params.iter().find(|p| p.names == names) {
            assert_eq!([known.param.inp, known.param.out], [inp, out], "{names:?} has two shapes");
            return known.param;
        }
        let param = Param { buf: self.buf(Kind::Param([inp, out])), inp, out };
        self.buf(Kind::Moment([inp, out]));
        self.buf(Kind::Moment([inp, out]));
        self.params.push(Parameter { param, names: names.to_vec(), role, layout });
        param
    }
}
