//! Conversion between a state dict, with PyTorch's names and shapes, and the parameters of a plan, `[in, out]`, some of
//! which hold several tensors concatenated.

use crate::backend::Backend;
use crate::model::{Init, StateDict, Tensors, Weight};
use crate::plan::{Buf, Param, Plan, Role};
use crate::{ModelError, Result};
use vae_numerics::rng::{Purpose, draw4};

/// A set of tensors of a state dict: the parameters, or one of Adam's moments.
#[derive(Clone, Copy)]
struct View<'a> {
    prefix: &'a str,
    buf: fn(Param) -> Buf,
}

const VIEWS: [View; 3] = [
    View { prefix: "", buf: |p| p.buf },
    View { prefix: "adam.m.", buf: Param::first_moment },
    View { prefix: "adam.v.", buf: Param::second_moment },
];

fn views(moments: bool) -> &'static [View<'static>] {
    if moments { &VIEWS } else { &VIEWS[..1] }
}

/// The tensors of the state dict, in the order of the network: name and shape.
pub fn shapes(plan: &Plan) -> Vec<(String, Vec<usize>)> {
    plan.params().iter().flat_map(|p| p.names.iter().map(|name| (name.clone(), p.layout.shape.clone()))).collect()
}

/// The initial state dict. Element k of tensor t is keyed by (seed, t, k).
pub fn initial(plan: &Plan, seed: u32, init: Init) -> StateDict {
    let mut dict = StateDict::new();
    for p in plan.params() {
        let bound = match (init, p.role) {
            (Init::Pytorch, Role::Weight { fan_in, .. } | Role::Bias { fan_in }) => (fan_in as f64).powf(-0.5),
            (Init::Glorot, Role::Weight { fan_in, fan_out }) => (6.0 / (fan_in + fan_out) as f64).sqrt(),
            (Init::Glorot, Role::Bias { .. }) => 0.0,
        };
        for name in &p.names {
            let tensor = dict.len() as u32;
            let draw = |k: usize| {
                let unit = draw4(seed, Purpose::Weights, [(k / 4) as u32, tensor, 0, 0])[k % 4] >> 8;
                ((unit as f64 / (1u32 << 23) as f64 - 1.0) * bound) as f32
            };
            let shape = p.layout.shape.clone();
            let values = (0..shape.iter().product()).map(draw).collect();
            dict.insert(name.clone(), Weight { shape, values });
        }
    }
    dict
}

/// Checks that a state dict holds the parameters of a plan, before anything is allocated.
///
/// # Errors
/// A tensor that is missing or has another shape.
pub fn check(plan: &Plan, dict: &impl Tensors, moments: bool) -> Result<(), ModelError> {
    for (p, view) in plan.params().iter().flat_map(|p| views(moments).iter().map(move |v| (p, v))) {
        for name in &p.names {
            let (name, expected) = (format!("{}{name}", view.prefix), &p.layout.shape);
            let found = dict.tensor(&name);
            let (got, _) = found.ok_or_else(|| ModelError::NoTensor(name.clone()))?;
            if got != &expected[..] {
                return Err(ModelError::TensorShape { name, expected: expected.clone(), got: got.to_vec() });
            }
        }
    }
    Ok(())
}

/// Uploads the parameters of a state dict, and with `moments` those of Adam.
///
/// # Errors
/// What [`check`] refuses.
pub fn upload(backend: &mut dyn Backend, plan: &Plan, dict: &impl Tensors, moments: bool) -> Result<()> {
    check(plan, dict, moments)?;
    let most = plan.params().iter().map(|p| p.param.inp * p.param.out).max().unwrap_or(0);
    let mut transposed = vec![0.0; most]; // reused: fresh pages cost more than the copy
    for (p, view) in plan.params().iter().flat_map(|p| views(moments).iter().map(move |v| (p, v))) {
        let (Param { inp, out, .. }, part) = (p.param, p.part());
        let transposed = &mut transposed[..inp * out];
        for (i, name) in p.names.iter().enumerate() {
            let (_, values) = dict.tensor(&format!("{}{name}", view.prefix)).expect("a tensor that was checked");
            if p.layout.is_transpose() {
                transpose(&values, &mut transposed[i * part..], inp, out);
            } else {
                p.layout.for_each([inp, part], |i_in, j, at| transposed[i_in * out + i * part + j] = values[at]);
            }
        }
        backend.upload((view.buf)(p.param), transposed)?;
    }
    Ok(())
}

/// Transposes `[units, in]` into columns of `[in, out]`, by tiles that fit the cache.
fn transpose(from: &[f32], to: &mut [f32], inp: usize, out: usize) {
    const SIDE: usize = 16;
    for (block, units) in from.chunks(SIDE * inp).enumerate() {
        for first in (0..inp).step_by(SIDE) {
            for j in first..inp.min(first + SIDE) {
                let row = &mut to[j * out + block * SIDE..];
                row.iter_mut().zip(units[j..].iter().step_by(inp)).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// Downloads the parameters as a state dict, and with `moments` those of Adam.
///
/// # Errors
/// Those of the device.
pub fn download(backend: &dyn Backend, plan: &Plan, moments: bool) -> Result<StateDict> {
    let mut dict = StateDict::new();
    for (p, view) in plan.params().iter().flat_map(|p| views(moments).iter().map(move |v| (p, v))) {
        let (Param { inp, out, .. }, part) = (p.param, p.part());
        let mut packed = vec![0.0; inp * out];
        backend.download((view.buf)(p.param), 0, &mut packed)?;
        for (i, name) in p.names.iter().enumerate() {
            let mut values = vec![0.0; inp * part];
            p.layout.for_each([inp, part], |i_in, j, at| values[at] = packed[i_in * out + i * part + j]);
            dict.insert(format!("{}{name}", view.prefix), Weight { shape: p.layout.shape.clone(), values });
        }
    }
    Ok(dict)
}
