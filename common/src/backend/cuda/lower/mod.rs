//! Lowering: a program to kernel launches.
//!
//! ```text
//! run_ops          a list of ops on each image by itself                  kernels/ops.cu
//! linear, ..       a GEMM with the epilogue of its layer                  kernels/gemm.h
//! gradient         the gradients of all parameters, and Adam              kernels/gemm.h
//! reduce_splits    split-K reduction of gradients, and Adam               kernels/gemm.cu
//! ```
//!
//! Ops between two GEMMs share a launch, small linear layers among them; im2col and col2im, with many elements per
//! image, have their own. The derivative of an activation is fused to the GEMM before it.

mod gradients;
mod ops;

use super::args::THREADS;
use super::args::{Address, GemmArgs, GradientArgs, OpArgs, OpList};
use super::memory::{Memory, zeros};
use super::stream::Stream;
use crate::Result;
use crate::plan::{Activation, Activations, Op, Param, Precision, Program};
use cust::memory::DeviceBuffer;

/// A launch: kernel name, grid size and arguments.
pub(super) struct Launch {
    pub(super) kernel: String,
    pub(super) blocks: [usize; 2],
    pub(super) args: KernelArgs,
}

pub(super) enum KernelArgs {
    Ops(Vec<OpArgs>),
    Gemm(GemmArgs),
    /// `gradient` or `reduce_splits`.
    Gradients(Vec<GradientArgs>),
}

/// The launches of a step, with their scratch buffers.
pub(super) struct Lowered {
    pub(super) launches: Vec<Launch>,
    pub(super) scratch: Vec<DeviceBuffer<f32>>,
}

impl Lowered {
    pub(super) fn new(program: &Program, memory: &Memory, stream: &Stream, precision: Precision) -> Result<Lowered> {
        let mut lowering = Lowering { memory, stream, precision, launches: vec![], patches: 0 };
        let mut scratch = vec![];
        if let Some(values) = program.ops().iter().filter_map(|call| lowering.patch_values(&call.op)).max() {
            let patches = zeros(values, stream)?;
            lowering.patches = patches.as_device_ptr().as_raw();
            scratch.push(patches);
        }
        let mut ops = program.ops().iter().map(|call| call.op).peekable();
        while let Some(op) = ops.next() {
            let fused = match (op, ops.peek()) {
                (
                    Op::LinearBack { dx: to, .. } | Op::ConvTranspose { y: to, b: None, act: Activation::None, .. },
                    Some(&Op::ActivationBack { dy, y, act }),
                ) if to == dy => Some((y, act)),
                _ => None,
            };
            if fused.is_some() {
                ops.next();
            }
            lowering.op(op, fused);
        }
        lowering.gradients(program.gradients(), &mut scratch)?;
        Ok(Lowered { launches: lowering.launches, scratch })
    }
}

struct Lowering<'a> {
    memory: &'a Memory,
    stream: &'a Stream,
    precision: Precision,
    launches: Vec<Launch>,
    /// Scratch: GEMM output awaiting col2im.
    patches: Address,
}

/// A tile of kernels/tile.h: rows (BM) and columns (BN).
#[derive(Clone, Copy)]
struct Tile {
    name: &'static str,
    rows: usize,
    columns: usize,
}

const SMALL: Tile = Tile { name: "small", rows: 16, columns: 32 };
const MEDIUM: Tile = Tile { name: "medium", rows: 64, columns: 64 };
const LARGE: Tile = Tile { name: "large", rows: 128, columns: 128 };
/// Tiles that occupy a GPU. A constant, not a property of the device: results must not depend on the GPU.
const OCCUPANCY: usize = 96;

impl Tile {
    /// Tiles of a matrix [m, n].
    fn count(self, m: usize, n: usize) -> usize {
        m.div_ceil(self.rows) * n.div_ceil(self.columns)
    }
    /// The first of these, from large to small, whose count occupies a GPU, else the last.
    fn choose(tiles: &[Tile], m: usize, n: usize) -> Tile {
        let enough = tiles.iter().find(|tile| tile.count(m, n) >= OCCUPANCY);
        *enough.unwrap_or_else(|| tiles.last().expect("at least one tile size"))
    }
}

impl Lowering<'_> {
    /// The name of a GEMM kernel at the precision of the run.
    fn gemm_kernel(&self, op: &str, tile: Tile) -> String {
        let suffix = match self.precision {
            Precision::Fp32 => "",
            Precision::Tf32 => "_tf32",
            Precision::Bf16 => "_bf16",
            Precision::Bf16x3 => unreachable!("`Gpu::prepare` refuses it"),
        };
        format!("{op}_{}{suffix}", tile.name)
    }
    /// Rows of activations: N·P.
    fn rows(&self, r: Activations) -> usize {
        self.memory.batch * r.per_image
    }
    /// Whether a linear layer is cheaper than a launch.
    fn is_small(&self, r: Activations, w: Param) -> bool {
        self.rows(r) <= 512 && w.values() <= 1 << 14
    }
    /// Scratch values for the patches of a transposed convolution.
    fn patch_values(&self, op: &Op) -> Option<usize> {
        match op {
            Op::ConvTranspose { x, conv, .. } => Some(self.rows(*x) * conv.patch_len()),
            _ => None,
        }
    }
    fn launch(&mut self, kernel: String, blocks: [usize; 2], args: KernelArgs) {
        self.launches.push(Launch { kernel, blocks, args });
    }
    /// Appends an op to the current launch of ops, or to a new one, with one block per image.
    fn push_op(&mut self, args: OpArgs) {
        match self.launches.last_mut() {
            Some(Launch { blocks: [_, 1], args: KernelArgs::Ops(ops), .. }) if ops.len() < OpList::CAPACITY => {
                ops.push(args)
            }
            _ => self.launch("run_ops".into(), [self.memory.batch, 1], KernelArgs::Ops(vec![args])),
        }
    }
    /// A launch for one elementwise op with many elements: several blocks per image.
    fn launch_op(&mut self, args: OpArgs) {
        let elements = args.per_image as usize * args.width as usize;
        let blocks = [self.memory.batch, blocks_of_image(elements)];
        self.launch("run_ops".into(), blocks, KernelArgs::Ops(vec![args]));
    }
    /// y = x W, or x W^T; `epilogue` has the other arguments.
    fn launch_gemm(&mut self, [y, x]: [Address; 2], m: usize, w: Param, transpose_w: bool, epilogue: GemmArgs) {
        let (n, k) = if transpose_w { (w.inp, w.out) } else { (w.out, w.inp) };
        let tile = Tile::choose(&[LARGE, MEDIUM, SMALL], m, n);
        let args = GemmArgs {
            a: x,
            b: self.memory.param(w),
            c: y,
            m: int(m),
            n: int(n),
            k: int(k),
            lda: int(k),
            ldb: int(w.out),
            ..epilogue
        };
        let kernel = self.gemm_kernel(if transpose_w { "linear_back" } else { "linear" }, tile);
        self.launch(kernel, [tile.count(m, n), 1], KernelArgs::Gemm(args));
    }
}

/// Blocks of one elementwise op on an image: four elements a thread, or more where a grid has no more blocks in y.
fn blocks_of_image(elements: usize) -> usize {
    const GRID_Y: usize = 65_535;
    elements.div_ceil(4 * THREADS).min(GRID_Y)
}

/// Sizes in kernels are 32-bit.
fn int(n: usize) -> i32 {
    i32::try_from(n).expect("a buffer of this program has fewer than 2^31 rows, columns and blocks")
}

#[cfg(test)]
mod tests {
    use super::blocks_of_image;

    #[test]
    fn an_image_of_any_size_has_a_grid() {
        assert_eq!([1, 1024, 1025, 1 << 30].map(blocks_of_image), [1, 1, 2, 65_535]);
    }
}
