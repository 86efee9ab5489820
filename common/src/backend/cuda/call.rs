//! What the kernels are told, word for word the structures of `kernels/program.h`; what their fields are is told there.

use crate::backend::{SampleIndex, State};
use crate::plan::{Activation, ConvGeometry};
use cust::DeviceCopy;

/// An address on the device; 0 is null.
pub(super) type Address = u64;

/// `SampleIndex` of an image.
#[derive(Clone, Copy, Debug, Default, DeviceCopy)]
#[repr(C)]
pub(super) struct Visited {
    row: u32,
    id: u32,
}

impl From<SampleIndex> for Visited {
    fn from(SampleIndex { row, id }: SampleIndex) -> Visited {
        Visited { row, id }
    }
}

/// `Step`.
#[derive(Clone, Copy, Debug, DeviceCopy)]
#[repr(C)]
pub(super) struct Step {
    at: i32,
    live: i32,
    kl_weight: f32,
    rate: f32,
    root: f32,
}

impl Step {
    pub(super) fn of(state: &State) -> Step {
        let [rate, root] = state.adam.corrected(state.steps);
        Step { at: state.at as i32, live: state.live() as i32, kl_weight: state.kl_weight(), rate, root }
    }
}

/// `Run`.
#[derive(Clone, Copy, Debug, DeviceCopy)]
#[repr(C)]
pub(super) struct Run {
    steps: Address,
    order: Address,
    step: u32,
    seed: u32,
    epoch: u32,
    first_sample: u32,
    betas: [f32; 2],
    eps: f32,
}

impl Run {
    /// That begins in this state, with the addresses of its steps and of its order.
    pub(super) fn of(state: &State, [steps, order]: [Address; 2]) -> Run {
        let State { seed, epoch, first_sample, adam, .. } = *state;
        Run { steps, order, step: 0, seed, epoch, first_sample, betas: adam.betas, eps: adam.eps }
    }
}

/// `ConvGeometry`.
#[derive(Clone, Copy, Debug, Default, DeviceCopy)]
#[repr(C)]
pub(super) struct Windowed {
    channels: i32,
    input: [i32; 2],
    output: [i32; 2],
    size: i32,
    stride: i32,
    pad: i32,
}

impl From<ConvGeometry> for Windowed {
    fn from(w: ConvGeometry) -> Windowed {
        let int = |n: usize| n as i32;
        Windowed {
            channels: int(w.channels),
            input: w.input.map(int),
            output: w.output.map(int),
            size: int(w.kernel),
            stride: int(w.stride),
            pad: int(w.padding),
        }
    }
}

/// `Call`.
#[derive(Clone, Copy, Debug, Default, DeviceCopy)]
#[repr(C)]
pub(super) struct Call {
    pub(super) op: i32,
    pub(super) per: i32,
    pub(super) width: i32,
    pub(super) other: i32,
    pub(super) add: i32,
    pub(super) act: i32,
    pub(super) slope: f32,
    pub(super) f: [f32; 3],
    pub(super) window: Windowed,
    pub(super) out: [Address; 3],
    pub(super) inp: [Address; 4],
}

/// `Product`.
#[derive(Clone, Copy, Debug, Default, DeviceCopy)]
#[repr(C)]
pub(super) struct Product {
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

/// `Job`.
#[derive(Clone, Copy, Debug, Default, DeviceCopy)]
#[repr(C)]
pub(super) struct Job {
    pub(super) x: Address,
    pub(super) dy: Address,
    pub(super) w: Address,
    pub(super) moments: [Address; 2],
    pub(super) parts: Address,
    pub(super) m: i32,
    pub(super) n: i32,
    pub(super) k: i32,
    pub(super) splits: i32,
    pub(super) chunk: i32,
    pub(super) first: i32,
}

/// `Calls`.
#[derive(Clone, Copy, Debug, DeviceCopy)]
#[repr(C)]
pub(super) struct Calls {
    count: i32,
    calls: [Call; Calls::MOST],
}

impl Calls {
    pub(super) const MOST: usize = 16;

    pub(super) fn of(calls: &[Call]) -> Calls {
        let mut all = [Call::default(); Calls::MOST];
        all[..calls.len()].copy_from_slice(calls);
        Calls { count: calls.len() as i32, calls: all }
    }
}

/// `Jobs`.
#[derive(Clone, Copy, Debug, DeviceCopy)]
#[repr(C)]
pub(super) struct Jobs {
    count: i32,
    jobs: [Job; Jobs::MOST],
}

impl Jobs {
    pub(super) const MOST: usize = 32;

    pub(super) fn of(jobs: &[Job]) -> Jobs {
        let mut all = [Job::default(); Jobs::MOST];
        all[..jobs.len()].copy_from_slice(jobs);
        Jobs { count: jobs.len() as i32, jobs: all }
    }
}

/// The number of an activation, and its slope.
pub(super) fn act(act: Activation) -> (i32, f32) {
    match act {
        Activation::None => (0, 0.0),
        Activation::Relu => (1, 0.0),
        Activation::LeakyRelu(slope) => (2, slope),
        Activation::Tanh => (3, 0.0),
        Activation::Softplus => (4, 0.0),
    }
}
