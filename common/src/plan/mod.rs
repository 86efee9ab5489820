//! The intermediate representation of a model: buffers, operations over them, and programs.
//!
//! A network appends forward operations to a [`Plan`] (see [`network`](crate::network)); [`reverse::training`] derives the
//! training step by reverse-mode differentiation. A [`backend`](crate::backend) allocates the buffers and runs programs; it
//! never sees a model.

mod activation;
mod conv;
mod handles;
mod layers;
mod op;
mod parameter;
mod precision;
mod program;
pub mod reverse;
mod update;

pub use activation::Activation;
pub use conv::ConvGeometry;
pub use handles::{Activations, Buf, Param, PixelTransform, PixelType, Table};
pub use op::{MAX_TERMS, Op, OpCode, TermWeight};
pub use parameter::{Axis, Layout, Parameter, Role};
pub use precision::Precision;
pub use program::{CheckedOp, Program, Side};
pub use update::{Gradient, Update};

/// The shape of a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BufferShape {
    /// Values per image of the batch: P · width.
    Activations(usize),
    /// The patches of images, rows per image of the batch by [`patch_len`](ConvGeometry::patch_len). A device may keep the padded
    /// images instead, and read patches where they lie in them.
    Patches(usize, ConvGeometry),
    /// A parameter, `[in, out]`.
    Param([usize; 2]),
    /// A moment of Adam, the shape of its parameter.
    Moment([usize; 2]),
    /// A table `[items, width]` of this type.
    Table(usize, usize, PixelType),
}

impl BufferShape {
    /// Patches as the activations that they are, in memory.
    pub fn with_patches_in_memory(self) -> BufferShape {
        match self {
            BufferShape::Patches(rows, conv) => BufferShape::Activations(rows * conv.patch_len()),
            other => other,
        }
    }
    /// Values per image on a CPU, of activations: with bf16 patches are packed, else they are read in padded images.
    fn image_values(self, precision: Precision) -> Option<usize> {
        match self {
            BufferShape::Activations(width) => Some(width),
            BufferShape::Patches(rows, conv) if precision.parts() == 0 => {
                Some(rows / conv.output_area() * conv.padded_len())
            }
            BufferShape::Patches(rows, conv) => Some(rows * conv.patch_len()),
            _ => None,
        }
    }
}

/// The buffers of a model, and the operations appended since the last [`Plan::take`].
#[derive(Debug)]
pub struct Plan {
    /// N: images in a batch.
    pub batch: usize,
    shapes: Vec<BufferShape>,
    params: Vec<Parameter>,
    ops: Vec<Op>,
}

impl Plan {
    /// An empty plan for batches of `batch` images.
    pub fn new(batch: usize) -> Plan {
        assert!(batch > 0, "a batch holds at least one image");
        Plan { batch, shapes: vec![], params: vec![], ops: vec![] }
    }
    /// The shape of each buffer, by handle.
    pub fn shapes(&self) -> &[BufferShape] {
        &self.shapes
    }
    /// Handle and shape of each buffer.
    pub fn buffers(&self) -> impl Iterator<Item = (Buf, BufferShape)> + '_ {
        (0..).map(Buf).zip(self.shapes.iter().copied())
    }
    /// Every parameter, in the order of the network.
    pub fn params(&self) -> &[Parameter] {
        &self.params
    }
    /// The operations appended since the last call.
    pub fn take(&mut self) -> Vec<Op> {
        std::mem::take(&mut self.ops)
    }
    /// Images of a CPU block, at most: 64, or fewer if an image is large.
    pub fn block(&self, precision: Precision) -> usize {
        const VALUES: usize = 1 << 18; // the largest buffer of a block then stays in the L2 cache
        let mut block = 64;
        while block > 2 && block * self.largest_image(precision) > VALUES {
            block /= 2;
        }
        block
    }
    /// Values of an image in the largest buffer of activations.
    pub(crate) fn largest_image(&self, precision: Precision) -> usize {
        self.shapes.iter().filter_map(|shape| shape.image_values(precision)).max().unwrap_or(1)
    }

    /// Bytes that a device needs for the buffers, about: at this precision, with the packed copies of bf16: half of the activations
    /// and all of the weights.
    pub fn bytes(&self, precision: Precision) -> u64 {
        let images = self.batch.next_multiple_of(self.block(precision)) as u64;
        let pairs = precision.parts() as u64;
        let of = |kind: &BufferShape| match *kind {
            BufferShape::Activations(_) | BufferShape::Patches(..) => {
                (4 + 2 * pairs) * images * kind.image_values(precision).unwrap_or(0) as u64
            }
            BufferShape::Param([inp, out]) => 4 * (1 + pairs) * inp as u64 * out.next_multiple_of(16) as u64,
            BufferShape::Moment([inp, out]) => 4 * inp as u64 * out.next_multiple_of(16) as u64,
            BufferShape::Table(items, width, PixelType::U8) => items as u64 * width as u64,
            BufferShape::Table(items, width, PixelType::F32) => 4 * items as u64 * width as u64,
        };
        self.shapes.iter().map(of).sum()
    }
    fn buf(&mut self, kind: BufferShape) -> Buf {
        self.shapes.push(kind);
        Buf(self.shapes.len() as u32 - 1)
    }
    /// A new buffer of `per` rows for each image.
    pub fn rows(&mut self, per_image: usize, width: usize) -> Activations {
        Activations { buf: self.buf(BufferShape::Activations(per_image * width)), per_image, width }
    }
    /// A new buffer of patches, `per` rows for each image.
    pub fn patches(&mut self, per_image: usize, conv: ConvGeometry) -> Activations {
        Activations { buf: self.buf(BufferShape::Patches(per_image, conv)), per_image, width: conv.patch_len() }
    }
    /// A new buffer shaped like this one.
    pub fn like(&mut self, r: Activations) -> Activations {
        self.rows(r.per_image, r.width)
    }
    /// A new table of the data.
    pub fn table(&mut self, items: usize, width: usize, dtype: PixelType) -> Table {
        Table { buf: self.buf(BufferShape::Table(items, width, dtype)), items, width, dtype }
    }
    /// The parameter of these tensors. A network built twice, for training and for test images, has one set: the names tell.
    fn parameter(&mut self, names: &[String], [inp, out]: [usize; 2], role: Role, layout: Layout) -> Param {
        if let Some(known) = self.params.iter().find(|p| p.names == names) {
            assert_eq!([known.param.inp, known.param.out], [inp, out], "{names:?} has two shapes");
            return known.param;
        }
        let param = Param { buf: self.buf(BufferShape::Param([inp, out])), inp, out };
        self.buf(BufferShape::Moment([inp, out]));
        self.buf(BufferShape::Moment([inp, out]));
        self.params.push(Parameter { param, names: names.to_vec(), role, layout });
        param
    }
}
