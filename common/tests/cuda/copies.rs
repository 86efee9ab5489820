//! Copies and runs are ordered by their stream: no upload arrives late, and no download reads early.

use crate::runs::{cpu, data_of, mlp, trained};
use crate::{CHECK_KERNELS, expect_launched, gpu};
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
fn uploads_arrive_at_any_size_and_any_number_in_flight() {
    let ordinal = gpu();
    let mut plan = Plan::new(4);
    // The page-locked buffer has 8 MiB: the first six tables wrap around in it, and the last exceeds it.
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

/// A plan that stores, for each position of the epoch, the gathered row of `from`.
fn gather_and_store() -> (Plan, Table, Table, Program) {
    let mut plan = Plan::new(4);
    let from = plan.table(12, 3, PixelType::F32);
    let y = plan.gather(from, PixelTransform { white: 1.0, binarize: Binarize::None, range: [0.0, 1.0] });
    let stored = plan.store(12, y);
    let program = Program::forward(plan.take());
    (plan, from, stored, program)
}

#[test]
fn a_run_reads_the_uploads_before_it_and_none_after_it() {
    let ordinal = gpu();
    let (plan, from, stored, program) = gather_and_store();
    let mut cuda = Cuda::new(&plan, ordinal, Precision::Fp32).unwrap();
    let program = cuda.compile(&program).unwrap();
    // No download in between: the host runs ahead of the device.
    for run in 0..3 {
        let values: Vec<f32> = (0..36).map(|i| value(run, i) / 65_536.0).collect();
        cuda.upload(from.buf, &values).unwrap();
        let indices: Vec<SampleIndex> =
            (0..12).map(|k| SampleIndex { row: (k * 5 + run as u32) % 12, id: k }).collect();
        cuda.upload_indices(&indices[..4 * run + 4]).unwrap(); // reallocated each time
        let state = cuda.state();
        (state.at, state.items) = (4 * run, 4 * run + 4);
        cuda.run(program, 1).unwrap();
    }
    let mut got = [0.0; 36];
    cuda.download(stored.buf, 0, &mut got).unwrap();
    for (at, got) in got.chunks(3).enumerate() {
        let row = (at * 5 + at / 4) % 12;
        let expected: Vec<f32> = (0..3).map(|i| value(at / 4, row * 3 + i) / 65_536.0).collect();
        assert_eq!(got, expected, "position {at}");
    }
}

#[test]
fn nan_and_infinities_are_found_wherever_they_are() {
    let ordinal = gpu();
    let mut plan = Plan::new(1);
    // Less than a block, and more than one pass of the grid over it.
    for items in [1, 30_011] {
        let table = plan.table(items, 1, PixelType::F32);
        let mut cuda = Cuda::new(&plan, ordinal, Precision::Fp32).unwrap();
        let mut values = vec![f32::MAX; items];
        for at in [0, items / 2, items - 1] {
            for value in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                values[at] = value;
                cuda.upload(table.buf, &values).unwrap();
                assert!(!cuda.all_finite(table.buf).unwrap(), "{value} at {at} of {items}");
            }
            values[at] = f32::MIN_POSITIVE / 2.0;
            cuda.upload(table.buf, &values).unwrap();
            assert!(cuda.all_finite(table.buf).unwrap(), "{items}");
        }
    }
    expect_launched(CHECK_KERNELS);
}

/// The emulator stops where page-locked memory is freed before queued work has used it; a GPU might not.
#[test]
fn dropping_a_plan_completes_its_work() {
    let ordinal = gpu();
    let (plan, from, _, program) = gather_and_store();
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
fn engines_on_two_threads_are_independent() {
    let ordinal = gpu();
    let spec = mlp();
    let (_, model) = trained(&spec, cpu(), 100);
    let data = data_of(&spec, 300);
    let engine = || Encoder::new(&model, PixelType::U8, &[Latent::Z], Some(7), Device::Cuda { ordinal }).unwrap();
    let expected = engine().encode(&data).unwrap().remove(0);
    let both = Barrier::new(2);
    let range = |first: usize, i: usize| first + 20 * i..first + 20 * i + 10 + i;
    // No asserts here: a thread that panics would leave the other at the barrier.
    let encode_all = |mut engine: Encoder, first: usize| -> Vec<_> {
        let encode = |i| {
            both.wait(); // concurrent encodes
            engine.encode(&data.slice(range(first, i)))
        };
        (0..8).map(encode).collect()
    };
    let (one, other) = (engine(), engine());
    let got = thread::scope(|scope| {
        let other = scope.spawn(|| encode_all(other, 3));
        [(120, encode_all(one, 120)), (3, other.join().unwrap())]
    });
    for (first, latents) in got {
        for (i, latents) in latents.into_iter().enumerate() {
            let z = latents.unwrap().remove(0);
            assert_eq!(z, expected.slice(ndarray::s![range(first, i), ..]), "{first} {i}");
        }
    }
}
