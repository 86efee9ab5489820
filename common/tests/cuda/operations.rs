//! Every operation against the same in f64, at odd sizes, with one image absent.

use crate::gpu;
use crate::reference::Data;
use common::backend::{Adam, Backend, Cpu, Cuda, Level, SampleIndex, State};
use common::model::Binarize;
use common::plan::{
    Activation, BufferShape, ConvGeometry, Gradient, Op, Param, PixelTransform, PixelType, Plan, Precision, Program,
    TermWeight, Update,
};
use vae_numerics::rng::{Purpose, uniform4};

const ITEMS: usize = 9;
/// Images in a batch, of which the last is absent: the step is the second of the epoch.
const BATCH: usize = 5;
const ACTS: [Activation; 5] =
    [Activation::None, Activation::Relu, Activation::LeakyRelu(0.2), Activation::Tanh, Activation::Softplus];

/// Values in [-1, 1], or in [0, 1] for a table.
fn random(count: usize, key: u32) -> Vec<f32> {
    (0..count).map(|i| 2.0 * uniform4(key, Purpose::Synthetic, [i as u32, 0, 0, 0])[0] - 1.0).collect()
}

/// Every buffer filled, here and on the device.
fn filled(plan: &Plan, backend: &mut dyn Backend, state: State) -> Data {
    let order: Vec<SampleIndex> =
        (0..ITEMS as u32).map(|i| SampleIndex { row: i * 4 % ITEMS as u32, id: 100 + i }).collect();
    let mut data = Data { values: Default::default(), bytes: Default::default(), order, state };
    for (key, (buf, kind)) in plan.buffers().enumerate() {
        let values = match kind {
            BufferShape::Activations(width) => random(plan.batch * width, key as u32),
            BufferShape::Param([inp, out]) => random(inp * out, key as u32),
            BufferShape::Moment([inp, out]) => vec![0.0; inp * out],
            BufferShape::Table(items, width, PixelType::F32) => {
                random(items * width, key as u32).iter().map(|v| v.abs()).collect()
            }
            BufferShape::Table(items, width, PixelType::U8) => {
                // Labels are below 7; pixels are anything.
                let most = if width == 1 { 7.0 } else { 256.0 };
                let bytes = random(items * width, key as u32).iter().map(|v| (v.abs() * most) as u8).collect();
                data.bytes.insert(buf, Vec::clone(&bytes));
                backend.upload_bytes(buf, &bytes).unwrap();
                continue;
            }
        };
        backend.upload(buf, &values).unwrap();
        data.values.insert(buf, values.iter().map(|v| *v as f64).collect());
    }
    backend.upload_indices(&data.order).unwrap();
    *backend.state() = state;
    data
}

fn state(plan: &Plan) -> State {
    let (beta, warmup, steps) = (0.7, 8, 3);
    State { seed: 3, epoch: 2, at: BATCH, items: ITEMS, beta, warmup, steps, first_sample: 5, ..State::new(plan) }
}

/// Runs these operations on both; what they write differs by at most `bound` of the largest value.
fn check(plan: &Plan, ops: &[Op], bound: f64) {
    let Some(ordinal) = gpu() else { return };
    let mut cuda = Cuda::new(plan, ordinal, Precision::Fp32).unwrap();
    let mut data = filled(plan, &mut cuda, state(plan));
    let program = cuda.compile(&Program::forward(ops.to_vec())).unwrap();
    cuda.run(program, 1).unwrap();
    ops.iter().for_each(|op| data.apply(*op));
    for buf in ops.iter().flat_map(|op| op.accesses().0) {
        let expected = &data.values[&buf];
        let mut got = vec![0.0; expected.len()];
        cuda.download(buf, 0, &mut got).unwrap();
        let size = expected.iter().fold(1.0, |a: f64, v| a.max(v.abs()));
        for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
            let apart = (*got as f64 - expected).abs();
            assert!(apart <= bound * size, "{ops:?}\n{buf:?}[{i}]: expected {expected}, got {got}");
        }
    }
}

/// A few roundings, and functions that are good to some units in the last place.
const FEW: f64 = 2e-6;
/// A sum of so many values in any order, of which each may lose half a white.
fn sum(values: usize) -> f64 {
    FEW + values as f64 * f64::powi(2.0, -24)
}

/// The operations that these lines write into a plan, checked.
fn check_written(bound: f64, write: impl FnOnce(&mut Plan)) {
    let mut plan = Plan::new(BATCH);
    write(&mut plan);
    let ops = plan.take();
    check(&plan, &ops, bound);
}

/// The parameters of a layer of this size.
fn layer(plan: &mut Plan, inp: usize, out: usize) -> (Param, Param) {
    let x = plan.rows(1, inp);
    plan.linear(&format!("layer{inp}x{out}"), x, out, Activation::None);
    match plan.take()[..] {
        [Op::Linear { w, b: Some(b), .. }] => (w, b),
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn images_are_gathered_as_pixels() {
    for (width, dtype) in [(2, PixelType::U8), (31, PixelType::U8), (257, PixelType::F32)] {
        for binarize in [Binarize::None, Binarize::Threshold, Binarize::Static, Binarize::Dynamic] {
            for range in [[0.0, 1.0], [-1.0, 1.0]] {
                check_written(FEW, |plan| {
                    let from = plan.table(ITEMS, width, dtype);
                    plan.gather(
                        from,
                        PixelTransform { white: if dtype == PixelType::U8 { 255.0 } else { 1.0 }, binarize, range },
                    );
                });
            }
        }
    }
}

#[test]
fn labels_become_one_hot() {
    check_written(0.0, |plan| {
        let from = plan.table(ITEMS, 1, PixelType::U8);
        plan.one_hot(from, 7);
    });
}

#[test]
fn rows_are_put_beside_each_other_cut_and_centred() {
    for (per, a, b) in [(1, 1, 1), (3, 31, 10), (2, 257, 3)] {
        check_written(0.0, |plan| {
            let (a, b) = (plan.rows(per, a), plan.rows(1, b));
            plan.concat(a, b);
        });
        for add in [false, true] {
            let mut plan = Plan::new(BATCH);
            let (y, x) = (plan.rows(per, a), plan.rows(per, a + b));
            check(&plan, &[Op::Narrow { y, x, add }], FEW);
        }
        let mut plan = Plan::new(BATCH);
        let (_, b) = layer(&mut plan, 2, a);
        let (y, x) = (plan.rows(per, a), plan.rows(per, a));
        check(&plan, &[Op::Subtract { y, x, b }], FEW);
    }
}

#[test]
fn rows_are_kept_by_their_position_in_the_epoch() {
    check_written(0.0, |plan| {
        let x = plan.rows(3, 31);
        plan.store(ITEMS, x);
    });
}

#[test]
fn activations_are_gone_back_through() {
    for act in ACTS {
        let mut plan = Plan::new(BATCH);
        let (dy, y) = (plan.rows(3, 257), plan.rows(3, 257));
        check(&plan, &[Op::ActivationBack { dy, y, act }], FEW);
    }
}

#[test]
fn rows_are_weighed() {
    let mut plan = Plan::new(BATCH);
    let (d, weight) = (plan.rows(3, 31), plan.rows(3, 1));
    check(&plan, &[Op::ScaleRows { d, weight }], FEW);
}

#[test]
fn a_code_is_drawn_and_gone_back_through() {
    for (samples, latent) in [(1, 1), (3, 31), (2, 20)] {
        check_written(FEW, |plan| {
            let q = plan.rows(1, 2 * latent);
            plan.sample(q, samples);
        });
        for add in [false, true] {
            let mut plan = Plan::new(BATCH);
            let (dz, eps) = (plan.rows(samples, latent), plan.rows(samples, latent));
            let (dq, q) = (plan.rows(1, 2 * latent), plan.rows(1, 2 * latent));
            check(&plan, &[Op::SampleBack { dq, dz, eps, q, add }], FEW);
        }
    }
}

#[test]
fn the_kl_and_its_gradients() {
    for latent in [1, 31, 257] {
        for learned in [false, true] {
            let mut plan = Plan::new(BATCH);
            let (kl, q) = (plan.rows(1, 1), plan.rows(1, 2 * latent));
            let p = plan.rows(1, 2 * latent);
            check(&plan, &[Op::Kl { kl, q, p: learned.then_some(p) }], sum(latent));
            for add in [false, true] {
                let mut plan = Plan::new(BATCH);
                let [dq, q, p] = [(); 3].map(|()| plan.rows(1, 2 * latent));
                let dkl = plan.rows(1, 1);
                check(&plan, &[Op::KlBack { dq, dkl, q, p: learned.then_some(p), add }], FEW);
                check(&plan, &[Op::KlPriorBack { dp: dq, dkl, q, p, add }], FEW);
            }
            let mut plan = Plan::new(BATCH);
            let [z, eps] = [(); 2].map(|()| plan.rows(3, latent));
            let [q, p] = [(); 2].map(|()| plan.rows(1, 2 * latent));
            let kl = plan.rows(3, 1);
            check(&plan, &[Op::SampledKl { kl, z, eps, q, p: learned.then_some(p) }], sum(latent));
        }
    }
}

#[test]
fn the_likelihoods_and_their_gradients() {
    for (per, width) in [(1, 1), (3, 31), (2, 257)] {
        check_written(sum(width), |plan| {
            let (v, target) = (plan.rows(per, width), plan.rows(1, width));
            plan.bernoulli(v, target);
        });
        check_written(sum(width), |plan| {
            let (v, target) = (plan.rows(per, width), plan.rows(1, width));
            plan.gaussian(v, target, 0.3);
        });
        check_written(sum(width), |plan| {
            let (v, target) = (plan.rows(per, 2 * width), plan.rows(1, width));
            plan.gaussian_learned(v, target, 0.1);
        });
        check_written(sum(width), |plan| {
            let (mean, target) = (plan.rows(per, width), plan.rows(1, width));
            plan.squared_error(mean, target);
        });
        for values in [1, 2] {
            check_written(FEW, |plan| {
                let v = plan.rows(per, values * width);
                plan.sigmoid(v, width);
            });
        }
    }
}

#[test]
fn the_elbo_weighs_what_exists() {
    for per in [1, 3] {
        let mut plan = Plan::new(BATCH);
        let losses = plan.table(ITEMS, 2, PixelType::F32);
        let [recon, d_recon] = [(); 2].map(|()| Some(plan.rows(per, 1)));
        let [kl, d_kl] = [(); 2].map(|()| Some(plan.rows(1, 1)));
        let weights = [TermWeight::One, TermWeight::Beta, TermWeight::One, TermWeight::One];
        for (kl, d_kl) in [(None, None), (kl, d_kl)] {
            let (terms, d_terms) = ([recon, kl, None, None], [d_recon, d_kl, None, None]);
            check(&plan, &[Op::WeightedSum { losses, d_terms, terms, weights }], FEW);
        }
    }
}

/// Windows as networks have them, and one of another size and stride.
fn windows() -> Vec<ConvGeometry> {
    let other = ConvGeometry { channels: 2, input: [7, 6], output: [3, 2], kernel: 3, stride: 2, padding: 0 };
    vec![ConvGeometry::halving([9, 6], 1), ConvGeometry::halving([1, 1], 3), ConvGeometry::halving([7, 8], 3), other]
}

#[test]
fn windows_are_seen_and_laid() {
    for (conv, images) in windows().into_iter().flat_map(|w| [(w, 1), (w, 2)]) {
        let mut plan = Plan::new(BATCH);
        let x = plan.rows(images * conv.input_area(), conv.channels);
        let y = plan.rows(images * conv.output_area(), conv.patch_len());
        check(&plan, &[Op::Im2col { y, x, conv }], 0.0);
        for transpose_w in [false, true] {
            let mut plan = Plan::new(BATCH);
            let (x, y) =
                (plan.rows(images * conv.output_area(), 5), plan.rows(images * conv.input_area(), conv.channels));
            let (w, _) =
                if transpose_w { layer(&mut plan, conv.patch_len(), 5) } else { layer(&mut plan, 5, conv.patch_len()) };
            let (_, b) = layer(&mut plan, 1, conv.channels);
            let bound = sum(5 * conv.kernel_area());
            for act in ACTS {
                check(&plan, &[Op::ConvTranspose { y, x, w, transpose_w, b: Some(b), act, conv, add: false }], bound);
            }
            check(
                &plan,
                &[Op::ConvTranspose { y, x, w, transpose_w, b: None, act: Activation::None, conv, add: true }],
                bound,
            );
        }
    }
}

#[test]
fn products_forwards_and_back() {
    // Small ones, which share a launch with others, and three that do not.
    for (per, inp, out) in
        [(1, 1, 1), (3, 31, 257), (7, 257, 31), (2, 3, 130), (1, 70, 66), (1, 784, 40), (9, 521, 67), (110, 2, 3)]
    {
        let mut plan = Plan::new(BATCH);
        let (w, b) = layer(&mut plan, inp, out);
        let (x, y) = (plan.rows(per, inp), plan.rows(per, out));
        for act in ACTS {
            check(&plan, &[Op::Linear { y, x, w, b: Some(b), act }], sum(inp));
        }
        check(&plan, &[Op::Linear { y, x, w, b: None, act: Activation::None }], sum(inp));
        let (dx, dy) = (plan.rows(per, inp), plan.rows(per, out));
        for add in [false, true] {
            check(&plan, &[Op::LinearBack { dx, dy, w, add }], sum(out));
            // The derivative of an activation goes with the product.
            for act in ACTS {
                check(&plan, &[Op::LinearBack { dx, dy, w, add }, Op::ActivationBack { dy: dx, y: x, act }], sum(out));
            }
        }
    }
}

/// Operations, gradients and Adam.
fn training(ops: Vec<Op>, gradients: &[Gradient]) -> Program {
    let updates = gradients.iter().map(|gradient| Update::Adam(gradient.param())).collect();
    Program::new(ops, gradients.to_vec(), updates)
}

/// A layer's products, forwards, back and to its gradients, in tiles of every shape.
fn products_at(precision: Precision, per_factor: f64) {
    let Some(ordinal) = gpu() else { return };
    // No tiles; thin ones; wide ones forwards, back, and for a gradient; large ones likewise. The second has a gradient in parts.
    let wide = [(127, 33, 641), (126, 643, 35), (1, 770, 530)];
    let large = [(251, 18, 1191), (252, 1193, 17), (1, 1270, 1190)];
    for (per, inp, out) in [(3, 31, 45), (5, 301, 77)].into_iter().chain(wide).chain(large) {
        let mut plan = Plan::new(BATCH);
        let (w, b) = layer(&mut plan, inp, out);
        let [x, dx] = [(); 2].map(|()| plan.rows(per, inp));
        let [y, dy] = [(); 2].map(|()| plan.rows(per, out));
        let ops =
            vec![Op::Linear { y, x, w, b: Some(b), act: Activation::None }, Op::LinearBack { dx, dy, w, add: false }];
        let learns = vec![Gradient::Weight { w, x, dy }, Gradient::Bias { b, dy }];
        let mut cuda = Cuda::new(&plan, ordinal, precision).unwrap();
        let data = filled(&plan, &mut cuda, State { steps: 0, ..state(&plan) });
        let program = cuda.compile(&training(ops, &learns)).unwrap();
        cuda.run(program, 1).unwrap();
        let all = |buf, len| {
            let mut got = vec![0.0; len];
            cuda.download(buf, 0, &mut got).unwrap();
            got
        };
        // Each factor is off by so much of itself, and values lie in [-1, 1]; some values of each are looked at.
        let bound = |k: usize| FEW + k as f64 * f64::powi(2.0, -24) + per_factor * (k as f64).sqrt();
        let stride = 37;
        let compare = |what: &str, got: &[f32], k: usize, expected: &dyn Fn(usize) -> f64| {
            for i in (0..got.len()).step_by(stride) {
                let (got, expected) = (got[i] as f64, expected(i));
                assert!(
                    (got - expected).abs() <= bound(k),
                    "{what} {per} {inp} {out} [{i}]: expected {expected}, got {got}"
                );
            }
        };
        let (xs, ws, bs, dys) =
            (&data.values[&x.buf], &data.values[&w.buf], &data.values[&b.buf], &data.values[&dy.buf]);
        let rows = BATCH * per;
        let forward =
            |i: usize| bs[i % out] + (0..inp).map(|k| xs[i / out * inp + k] * ws[k * out + i % out]).sum::<f64>();
        let back = |i: usize| (0..out).map(|k| dys[i / inp * out + k] * ws[i % inp * out + k]).sum::<f64>();
        let gradient = |i: usize| (0..rows).map(|r| xs[r * inp + i / out] * dys[r * out + i % out]).sum::<f64>();
        let bias = |i: usize| (0..rows).map(|r| dys[r * out + i]).sum::<f64>();
        compare("forward", &all(y.buf, rows * out), inp, &forward);
        compare("back", &all(dx.buf, rows * inp), out, &back);
        // The first moment is a tenth of the gradient after one step.
        let tenfold = |values: Vec<f32>| values.into_iter().map(|v| v / 0.1).collect::<Vec<f32>>();
        compare("gradient", &tenfold(all(w.first_moment(), inp * out)), rows, &gradient);
        compare("bias", &tenfold(all(b.first_moment(), out)), rows, &bias);
    }
}

#[test]
fn products_of_f32_in_tiles_of_every_shape() {
    products_at(Precision::Fp32, 0.0);
}

#[test]
fn products_of_tf32_lose_what_a_significand_of_11_bits_loses() {
    // Two factors, each within 2^-11 of itself; errors of both signs add up as the root of their number, with four times that
    // as room.
    products_at(Precision::Tf32, 4.0 * f64::powi(2.0, -11));
}

#[test]
fn products_of_bf16_lose_what_a_significand_of_8_bits_loses() {
    products_at(Precision::Bf16, 4.0 * f64::powi(2.0, -8));
}

#[test]
fn the_optimizer_is_adam() {
    let Some(ordinal) = gpu() else { return };
    for per in [3, 1000] {
        let mut plan = Plan::new(BATCH);
        let (w, b) = layer(&mut plan, 31, 33);
        let (x, dy) = (plan.rows(per, 31), plan.rows(per, 33));
        let learns = vec![Gradient::Weight { w, x, dy }, Gradient::Bias { b, dy }];
        let mut cuda = Cuda::new(&plan, ordinal, Precision::Fp32).unwrap();
        let state = State { adam: Adam::new(0.01), steps: 0, at: 0, items: ITEMS, ..state(&plan) };
        let data = filled(&plan, &mut cuda, state);
        let program = cuda.compile(&training(vec![], &learns)).unwrap();
        cuda.run(program, 2).unwrap();
        for learn in learns {
            let (p, gradient) = (learn.param(), data.gradient(learn));
            let mut got = vec![0.0; p.values()];
            cuda.download(p.buf, 0, &mut got).unwrap();
            for (i, g) in gradient.iter().enumerate() {
                let (mut m, mut v, mut expected) = (0.0, 0.0, data.values[&p.buf][i]);
                for step in 1..=2 {
                    m = 0.9 * m + 0.1 * g;
                    v = 0.999 * v + 0.001 * g * g;
                    let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(step)), v / (1.0 - 0.999f64.powi(step)));
                    expected -= 0.01 * m_hat / (v_hat.sqrt() + 1e-8);
                }
                // Steps of 0.01 from a gradient of one sign, each to some roundings; the weight itself is about 1.
                assert!(
                    (got[i] as f64 - expected).abs() < 1e-6,
                    "{learn:?} [{i}]: expected {expected}, got {}",
                    got[i]
                );
            }
        }
    }
}

#[test]
fn noise_has_the_bits_that_it_has_on_the_cpu() {
    let Some(ordinal) = gpu() else { return };
    let mut plan = Plan::new(BATCH);
    let from = plan.table(ITEMS, 257, PixelType::U8);
    let transform = PixelTransform { white: 255.0, binarize: Binarize::Dynamic, range: [0.0, 1.0] };
    let x = plan.gather(from, transform);
    let q = plan.rows(1, 62);
    let (_, eps) = plan.sample(q, 3);
    let program = Program::forward(plan.take());
    let read = |backend: &mut dyn Backend| {
        filled(&plan, backend, state(&plan));
        let program = backend.compile(&program).unwrap();
        backend.run(program, 1).unwrap();
        let live = BATCH - 1;
        let (mut pixels, mut draws) = (vec![0.0; live * 257], vec![0.0; live * 93]);
        backend.download(x.buf, 0, &mut pixels).unwrap();
        backend.download(eps.buf, 0, &mut draws).unwrap();
        (pixels, draws)
    };
    let mut cpu = Cpu::new(&plan, 1, Precision::Fp32, Level::available()[0]).unwrap();
    let mut cuda = Cuda::new(&plan, ordinal, Precision::Fp32).unwrap();
    let (expected, got) = (read(&mut cpu), read(&mut cuda));
    assert_eq!(expected.0, got.0);
    // The kernels' logarithm, sine and cosine are the CPU's, step by step.
    assert_eq!(expected.1, got.1);
}
