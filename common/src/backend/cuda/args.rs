//! Kernel arguments: the structures of `kernels/args.h`, field by field, which documents them.

use crate::backend::{self, State};
use crate::plan::{self, Activation};
use cust::DeviceCopy;

/// Threads of a block, in every kernel: `THREADS` of `kernels/args.h`.
pub(super) const THREADS: usize = 256;

/// A device address; 0 is null.
pub(super) type Address = u64;

/// `SampleIndex`.
#[derive(Clone, Copy, Debug, Default, DeviceCopy)]
#[repr(C)]
pub(super) struct SampleIndex {
    row: u32,
    id: u32,
}

impl From<backend::SampleIndex> for SampleIndex {
    fn from(backend::SampleIndex { row, id }: backend::SampleIndex) -> SampleIndex {
        SampleIndex { row, id }
    }
}

/// `Step`.
#[derive(Clone, Copy, Debug, DeviceCopy)]
#[repr(C)]
pub(super) struct Step {
    at: i32,
    valid: i32,
    kl_weight: f32,
    step_size: f32,
    v_scale: f32,
}

impl Step {
    pub(super) fn of(state: &State) -> Step {
        let [step_size, v_scale] = state.adam.corrected(state.steps);
        Step { at: state.at as i32, valid: state.valid() as i32, kl_weight: state.kl_weight(), step_size, v_scale }
    }
}

/// `Run`.
#[derive(Clone, Copy, Debug, DeviceCopy)]
#[repr(C)]
pub(super) struct Run {
    steps: Address,
    indices: Address,
    step: u32,
    seed: u32,
    epoch: u32,
    first_sample: u32,
    betas: [f32; 2],
    eps: f32,
}

impl Run {
    /// A run from this state, with the addresses of its steps and of its sample indices.
    pub(super) fn of(state: &State, [steps, indices]: [Address; 2]) -> Run {
        let State { seed, epoch, first_sample, adam, .. } = *state;
        Run { steps, indices, step: 0, seed, epoch, first_sample, betas: adam.betas, eps: adam.eps }
    }
}

/// `ConvGeometry`.
#[derive(Clone, Copy, Debug, Default, DeviceCopy)]
#[repr(C)]
pub(super) struct ConvGeometry {
    channels: i32,
    input: [i32; 2],
    output: [i32; 2],
    kernel: i32,
    stride: i32,
    padding: i32,
}

impl From<plan::ConvGeometry> for ConvGeometry {
    fn from(conv: plan::ConvGeometry) -> ConvGeometry {
        let int = |n: usize| n as i32;
        ConvGeometry {
            channels: int(conv.channels),
            input: conv.input.map(int),
            output: conv.output.map(int),
            kernel: int(conv.kernel),
            stride: int(conv.stride),
            padding: int(conv.padding),
        }
    }
}

/// `OpArgs`.
#[derive(Clone, Copy, Debug, Default, DeviceCopy)]
#[repr(C)]
pub(super) struct OpArgs {
    pub(super) op: i32,
    pub(super) per_image: i32,
    pub(super) width: i32,
    pub(super) other: i32,
    pub(super) add: i32,
    pub(super) act: i32,
    pub(super) slope: f32,
    pub(super) constants: [f32; 3],
    pub(super) conv: ConvGeometry,
    pub(super) out: [Address; 2],
    pub(super) inp: [Address; 4],
}

/// `GemmArgs`.
#[derive(Clone, Copy, Debug, Default, DeviceCopy)]
#[repr(C)]
pub(super) struct GemmArgs {
    pub(super) a: Address,
    pub(super) b: Address,
    pub(super) c: Address,
    pub(super) m: i32,
    pub(super) n: i32,
    pub(super) k: i32,
    pub(super) lda: i32,
    pub(super) ldb: i32,
    pub(super) bias: Address,
    pub(super) y: Address,
    pub(super) act: i32,
    pub(super) add: i32,
    pub(super) slope: f32,
}

/// `GradientArgs`.
#[derive(Clone, Copy, Debug, Default, DeviceCopy)]
#[repr(C)]
pub(super) struct GradientArgs {
    pub(super) x: Address,
    pub(super) dy: Address,
    pub(super) w: Address,
    pub(super) moments: [Address; 2],
    pub(super) partials: Address,
    pub(super) m: i32,
    pub(super) n: i32,
    pub(super) k: i32,
    pub(super) splits: i32,
    pub(super) split_k: i32,
    pub(super) first_block: i32,
}

/// `OpList`.
#[derive(Clone, Copy, Debug, DeviceCopy)]
#[repr(C)]
pub(super) struct OpList {
    count: i32,
    ops: [OpArgs; OpList::CAPACITY],
}

impl OpList {
    pub(super) const CAPACITY: usize = 16;

    pub(super) fn of(ops: &[OpArgs]) -> OpList {
        let mut all = [OpArgs::default(); OpList::CAPACITY];
        all[..ops.len()].copy_from_slice(ops);
        OpList { count: ops.len() as i32, ops: all }
    }
}

/// `GradientList`.
#[derive(Clone, Copy, Debug, DeviceCopy)]
#[repr(C)]
pub(super) struct GradientList {
    count: i32,
    gradients: [GradientArgs; GradientList::CAPACITY],
}

impl GradientList {
    pub(super) const CAPACITY: usize = 32;

    pub(super) fn of(gradients: &[GradientArgs]) -> GradientList {
        let mut all = [GradientArgs::default(); GradientList::CAPACITY];
        all[..gradients.len()].copy_from_slice(gradients);
        GradientList { count: gradients.len() as i32, gradients: all }
    }
}

/// The value of `Activation` in `kernels/math.h`, and the slope.
pub(super) fn activation_code(act: Activation) -> (i32, f32) {
    match act {
        Activation::None => (0, 0.0),
        Activation::Relu => (1, 0.0),
        Activation::LeakyRelu(slope) => (2, slope),
        Activation::Tanh => (3, 0.0),
        Activation::Softplus => (4, 0.0),
    }
}
