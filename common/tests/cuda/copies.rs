//! Copies and runs wait for nothing but each other: nothing arrives late, and nothing is taken early.

use crate::gpu;
use crate::runs::{cpu, data_of, mlp, trained};
use common::backend::{Backend, Cuda, Device, SampleIndex};
use common::infer::{Encoder, Latent};
use common::model::Binarize;
use common::plan::{PixelTransform, PixelType, Plan, Precision, Program, Table};
use std::sync::Barrier;
use std::thread;

fn value(table: usize, i: usize) -> f32 {
    (table * 1_000_003 + i * 7) as f32 % 65_521.0
}

#[test]
fn uploads_arrive_however_many_wait_and_however_large() {
    let Some(ordinal) = gpu() else { return };
    let mut plan = Plan::new(4);
    // Of page-locked memory there are 8 MB: the first six fill it more than once, and the last has no room in it.
    let tables: Vec<Table> = [600, 600, 1, 600, 600, 600, 3000].map(|n| plan.table(n, 1000, PixelType::F32)).into();
    let mut cuda = Cuda::new(&plan, ordinal, Precision::Fp32).unwrap();
    let mut values = vec![0.0; 3_000_000];
    for (t, table) in tables.iter().enumerate() {
        let values = &mut values[..table.items * table.width];
        values.iter_mut().enumerate().for_each(|(i, v)| *v = value(t, i));
        cuda.upload(table.buf, values).unwrap();
    }
    values.fill(-1.0);
    for (t, table) in tables.iter().enumerate() {
        let got = &mut values[..table.items * table.width];
        cuda.download(table.buf, 0, got).unwrap();
        assert!(got.iter().enumerate().all(|(i, v)| *v == value(t, i)), "table {t}");
    }
}

/// A plan that keeps, for each place of the epoch, the row of `from` that is visited there.
fn keeping() -> (Plan, Table, Table, Program) {
    let mut plan = Plan::new(4);
    let from = plan.table(12, 3, PixelType::F32);
    let y = plan.gather(from, PixelTransform { white: 1.0, binarize: Binarize::None, range: [0.0, 1.0] });
    let stored = plan.store(12, y);
    let program = Program::forward(plan.take());
    (plan, from, stored, program)
}

#[test]
fn each_run_sees_what_was_uploaded_before_it_and_nothing_later() {
    let Some(ordinal) = gpu() else { return };
    let (plan, from, stored, program) = keeping();
    let mut cuda = Cuda::new(&plan, ordinal, Precision::Fp32).unwrap();
    let program = cuda.compile(&program).unwrap();
    // No download in between, so that the host is ahead of the device.
    for run in 0..3 {
        let values: Vec<f32> = (0..36).map(|i| value(run, i) / 65_536.0).collect();
        cuda.upload(from.buf, &values).unwrap();
        let order: Vec<SampleIndex> = (0..12).map(|k| SampleIndex { row: (k * 5 + run as u32) % 12, id: k }).collect();
        cuda.upload_indices(&order[..4 * run + 4]).unwrap(); // longer each time
        let state = cuda.state();
        (state.at, state.items) = (4 * run, 4 * run + 4);
        cuda.run(program, 1).unwrap();
    }
    let mut got = [0.0; 36];
    cuda.download(stored.buf, 0, &mut got).unwrap();
    for (at, got) in got.chunks(3).enumerate() {
        let row = (at * 5 + at / 4) % 12;
        let expected: Vec<f32> = (0..3).map(|i| value(at / 4, row * 3 + i) / 65_536.0).collect();
        assert_eq!(got, expected, "place {at}");
    }
}

/// The stand-in crashes where memory is freed that something still to be done uses; a GPU might say nothing.
#[test]
fn a_plan_that_is_dropped_ends_what_it_has_begun() {
    let Some(ordinal) = gpu() else { return };
    let (plan, from, _, program) = keeping();
    for _ in 0..3 {
        let mut cuda = Cuda::new(&plan, ordinal, Precision::Fp32).unwrap();
        cuda.upload(from.buf, &[0.5; 36]).unwrap();
        cuda.upload_indices(&[SampleIndex { row: 0, id: 0 }; 12]).unwrap();
        cuda.state().items = 12;
        let program = cuda.compile(&program).unwrap();
        cuda.run(program, 3).unwrap();
    }
}

#[test]
fn engines_on_two_threads_disturb_each_other_in_nothing() {
    let Some(ordinal) = gpu() else { return };
    let spec = mlp();
    let (_, model) = trained(&spec, cpu(), 100);
    let data = data_of(&spec, 300);
    let engine = || Encoder::new(&model, PixelType::U8, &[Latent::Z], Some(7), Device::Cuda { ordinal }).unwrap();
    let expected = engine().encode(&data).unwrap().remove(0);
    let both = Barrier::new(2);
    let range = |first: usize, turn: usize| first + 20 * turn..first + 20 * turn + 10 + turn;
    // Nothing is asserted here: one thread that failed would leave the other at the barrier.
    let on_its_own = |mut engine: Encoder, first: usize| -> Vec<_> {
        let encode = |turn| {
            both.wait(); // so that both work at a time
            engine.encode(&data.slice(range(first, turn)))
        };
        (0..8).map(encode).collect()
    };
    let (one, other) = (engine(), engine());
    let got = thread::scope(|scope| {
        let other = scope.spawn(|| on_its_own(other, 3));
        [(120, on_its_own(one, 120)), (3, other.join().unwrap())]
    });
    for (first, latents) in got {
        for (turn, latents) in latents.into_iter().enumerate() {
            let z = latents.unwrap().remove(0);
            assert_eq!(z, expected.slice(ndarray::s![range(first, turn), ..]), "{first} {turn}");
        }
    }
}
