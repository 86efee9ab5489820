//! Parity: every op against its reference in f64, at odd sizes, with one image of padding.

use crate::reference::Data;
use crate::{OTHER_KERNELS, expect_launched, gemm_kernels, gpu};
use common::backend::{Adam, Backend, Cpu, Cuda, InstructionSet, SampleIndex, State};
use common::model::Binarize;
use common::plan::{
    Activation, BufferShape, ConvGeometry, Gradient, Op, Param, PixelTransform, PixelType, Plan, Precision, Program,
    TermWeight, Update,
};
use vae_numerics::rng::{Purpose, uniform4};

const ITEMS: usize = 9;
/// Images in a batch, of which the last is padding: the step is the second of the epoch.
const BATCH: usize = 5;
const ACTS: [Activation; 5] =
    [Activation::None, Activation::Relu, Activation::LeakyRelu(0.2), Activation::Tanh, Activation::Softplus];

/// Values in [-1, 1], or in [0, 1] for a table.
fn random(count: usize, key: u32) -> Vec<f32> {
    (0..count).map(|i| 2.0 * uniform4(key, Purpose::Synthetic, [i as u32, 0, 0, 0])[0] - 1.0).collect()
}

/// Fills every buffer, here and on the device.
fn filled(plan: &Plan, backend: &mut dyn Backend, state: State) -> Data {
    let indices: Vec<SampleIndex> =
        (0..ITEMS as u32).map(|i| SampleIndex { row: i * 4 % ITEMS as u32, id: 100 + i }).collect();
    let mut data = Data { values: Default::default(), bytes: Default::default(), indices, state };
    for (key, (buf, shape)) in plan.buffers().enumerate() {
        let values = match shape {
            BufferShape::Activations(width) => random(plan.batch * width, key as u32),
            BufferShape::Param([inp, out]) => random(inp * out, key as u32),
            BufferShape::Moment([inp, out]) => vec![0.0; inp * out],
            BufferShape::Table(items, width, PixelType::F32) => {
                random(items * width, key as u32).iter().map(|v| v.abs()).collect()
            }
            BufferShape::Table(items, width, PixelType::U8) => {
                // Labels are below 7; pixels are any byte.
                let limit = if width == 1 { 7.0 } else { 256.0 };
                let bytes = random(items * width, key as u32).iter().map(|v| (v.abs() * limit) as u8).collect();
                data.bytes.insert(buf, Vec::clone(&bytes));
                backend.upload_bytes(buf, &bytes).unwrap();
                continue;
            }
        };
        backend.upload(buf, &values).unwrap();
        data.values.insert(buf, values.iter().map(|v| *v as f64).collect());
    }
    backend.upload_indices(&data.indices).unwrap();
    *backend.state() = state;
    data
}

fn state(plan: &Plan) -> State {
    let (beta, warmup, steps) = (0.7, 8, 3);
    State { seed: 3, epoch: 2, at: BATCH, items: ITEMS, beta, warmup, steps, first_sample: 5, ..State::new(plan) }
}

/// Runs ops on both. The error of an output is at most `bound` times its largest value.
fn check(plan: &Plan, ops: &[Op], bound: f64) {
    let ordinal = gpu();
    let mut cuda = Cuda::new(plan, ordinal, Precision::Fp32).unwrap();
    let mut data = filled(plan, &mut cuda, state(plan));
    let program = cuda.compile(&Program::forward(ops.to_vec())).unwrap();
    cuda.run(program, 1).unwrap();
    ops.iter().for_each(|op| data.apply(*op));
    for buf in ops.iter().flat_map(|op| op.accesses().0) {
        let expected = &data.values[&buf];
        let mut got = vec![0.0; expected.len()];
        cuda.download(buf, 0, &mut got).unwrap();
        let largest = expected.iter().fold(1.0, |a: f64, v| a.max(v.abs()));
        for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
            let error = (*got as f64 - expected).abs();
            assert!(error <= bound * largest, "{ops:?}\n{buf:?}[{i}]: expected {expected}, got {got}");
        }
    }
}

/// Bound of elementwise ops: a few roundings, and functions accurate to a few ulp.
const ELEMENTWISE: f64 = 2e-6;
/// Bound of a sum of values in any order: half an ulp each.
fn sum(values: usize) -> f64 {
    ELEMENTWISE + values as f64 * f64::powi(2.0, -24)
}

/// Checks the ops that `build` appends to a plan.
fn check_plan(bound: f64, build: impl FnOnce(&mut Plan)) {
    let mut plan = Plan::new(BATCH);
    build(&mut plan);
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
                check_plan(ELEMENTWISE, |plan| {
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
fn labels_are_one_hot_encoded() {
    check_plan(0.0, |plan| {
        let from = plan.table(ITEMS, 1, PixelType::U8);
        plan.one_hot(from, 7);
    });
}

#[test]
fn concat_narrow_and_subtract() {
    for (per, a, b) in [(1, 1, 1), (3, 31, 10), (2, 257, 3)] {
        check_plan(0.0, |plan| {
            let (a, b) = (plan.rows(per, a), plan.rows(1, b));
            plan.concat(a, b);
        });
        for add in [false, true] {
            let mut plan = Plan::new(BATCH);
            let (y, x) = (plan.rows(per, a), plan.rows(per, a + b));
            check(&plan, &[Op::Narrow { y, x, add }], ELEMENTWISE);
        }
        let mut plan = Plan::new(BATCH);
        let (_, b) = layer(&mut plan, 2, a);
        let (y, x) = (plan.rows(per, a), plan.rows(per, a));
        check(&plan, &[Op::Subtract { y, x, b }], ELEMENTWISE);
    }
}

#[test]
fn rows_are_stored_by_their_position_in_the_epoch() {
    check_plan(0.0, |plan| {
        let x = plan.rows(3, 31);
        plan.store(ITEMS, x);
    });
}

#[test]
fn gradients_of_activations() {
    for act in ACTS {
        let mut plan = Plan::new(BATCH);
        let (dy, y) = (plan.rows(3, 257), plan.rows(3, 257));
        check(&plan, &[Op::ActivationBack { dy, y, act }], ELEMENTWISE);
    }
}

#[test]
fn rows_are_scaled() {
    let mut plan = Plan::new(BATCH);
    let (d, weight) = (plan.rows(3, 31), plan.rows(3, 1));
    check(&plan, &[Op::ScaleRows { d, weight }], ELEMENTWISE);
}

#[test]
fn latents_are_sampled_and_their_gradients() {
    for (samples, latent) in [(1, 1), (3, 31), (2, 20)] {
        check_plan(ELEMENTWISE, |plan| {
            let q = plan.rows(1, 2 * latent);
            plan.sample(q, samples);
        });
        for add in [false, true] {
            let mut plan = Plan::new(BATCH);
            let (dz, eps) = (plan.rows(samples, latent), plan.rows(samples, latent));
            let (dq, q) = (plan.rows(1, 2 * latent), plan.rows(1, 2 * latent));
            check(&plan, &[Op::SampleBack { dq, dz, eps, q, add }], ELEMENTWISE);
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
                check(&plan, &[Op::KlBack { dq, dkl, q, p: learned.then_some(p), add }], ELEMENTWISE);
                check(&plan, &[Op::KlPriorBack { dp: dq, dkl, q, p, add }], ELEMENTWISE);
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
        check_plan(sum(width), |plan| {
            let (v, target) = (plan.rows(per, width), plan.rows(1, width));
            plan.likelihood(v, |loss| Op::Bernoulli { loss, logits: v, target });
        });
        check_plan(sum(width), |plan| {
            let (v, target) = (plan.rows(per, width), plan.rows(1, width));
            plan.likelihood(v, |loss| Op::Gaussian { loss, logits: v, target, sigma: 0.3 });
        });
        check_plan(sum(width), |plan| {
            let (v, target) = (plan.rows(per, 2 * width), plan.rows(1, width));
            plan.likelihood(v, |loss| Op::GaussianLearned { loss, logits: v, target, min_sigma: 0.1 });
        });
        check_plan(sum(width), |plan| {
            let (mean, target) = (plan.rows(per, width), plan.rows(1, width));
            plan.squared_error(mean, target);
        });
        for values in [1, 2] {
            check_plan(ELEMENTWISE, |plan| {
                let v = plan.rows(per, values * width);
                plan.sigmoid(v, width);
            });
        }
    }
}

#[test]
fn the_objective_leaves_out_padding() {
    for per in [1, 3] {
        let mut plan = Plan::new(BATCH);
        let losses = plan.table(ITEMS, 3, PixelType::F32);
        let [recon, d_recon] = [(); 2].map(|()| Some(plan.rows(per, 1)));
        let [kl, d_kl] = [(); 2].map(|()| Some(plan.rows(1, 1)));
        let [other, d_other] = [(); 2].map(|()| Some(plan.rows(2, 1)));
        let weights = [TermWeight::One, TermWeight::Beta, TermWeight::Beta, TermWeight::One];
        for (kl, d_kl) in [(None, None), (kl, d_kl)] {
            let (terms, d_terms) = ([recon, kl, other, None], [d_recon, d_kl, d_other, None]);
            check(&plan, &[Op::WeightedSum { losses, d_terms, terms, weights }], ELEMENTWISE);
        }
    }
}

/// Convolutions as in networks, and one of another kernel size and stride.
fn convolutions() -> Vec<ConvGeometry> {
    let other = ConvGeometry { channels: 2, input: [7, 6], output: [3, 2], kernel: 3, stride: 2, padding: 0 };
    let halving = |input, channels| ConvGeometry::new(input, channels, 5, 2, 2);
    vec![halving([9, 6], 1), halving([1, 1], 3), halving([7, 8], 3), other]
}

#[test]
fn im2col_and_transposed_convolution() {
    for (conv, images) in convolutions().into_iter().flat_map(|w| [(w, 1), (w, 2)]) {
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
fn linear_layers_and_their_gradients() {
    // Small layers, which share a launch with other ops, and three GEMMs.
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
            // The derivative of an activation is fused.
            for act in ACTS {
                check(&plan, &[Op::LinearBack { dx, dy, w, add }, Op::ActivationBack { dy: dx, y: x, act }], sum(out));
            }
        }
    }
}

/// A program of ops, gradients and Adam.
fn training(ops: Vec<Op>, gradients: &[Gradient]) -> Program {
    let updates = gradients.iter().map(|gradient| Update::Adam(gradient.param())).collect();
    Program::new(ops, gradients.to_vec(), updates)
}

/// The GEMMs of a layer, forward, backward and of its gradients, in every tile size. `relative`: the error of a factor.
fn gemms_at(precision: Precision, relative: f64) {
    let ordinal = gpu();
    // No tiles; small ones; medium ones forward, backward, and of a gradient; large ones likewise. The second has
    // split-K.
    let medium = [(127, 33, 641), (126, 643, 35), (1, 770, 530)];
    let large = [(251, 18, 1191), (252, 1193, 17), (1, 1270, 1190)];
    for (per, inp, out) in [(3, 31, 45), (5, 301, 77)].into_iter().chain(medium).chain(large) {
        let mut plan = Plan::new(BATCH);
        let (w, b) = layer(&mut plan, inp, out);
        let [x, dx] = [(); 2].map(|()| plan.rows(per, inp));
        let [y, dy] = [(); 2].map(|()| plan.rows(per, out));
        let ops =
            vec![Op::Linear { y, x, w, b: Some(b), act: Activation::None }, Op::LinearBack { dx, dy, w, add: false }];
        let gradients = vec![Gradient::Weight { w, x, dy }, Gradient::Bias { b, dy }];
        let mut cuda = Cuda::new(&plan, ordinal, precision).unwrap();
        let data = filled(&plan, &mut cuda, State { steps: 0, ..state(&plan) });
        let program = cuda.compile(&training(ops, &gradients)).unwrap();
        cuda.run(program, 1).unwrap();
        let all = |buf, len| {
            let mut got = vec![0.0; len];
            cuda.download(buf, 0, &mut got).unwrap();
            got
        };
        // Every factor has a relative error, and values lie in [-1, 1]; a stride samples each result.
        let bound = |k: usize| ELEMENTWISE + k as f64 * f64::powi(2.0, -24) + relative * (k as f64).sqrt();
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
    expect_launched(gemm_kernels(match precision {
        Precision::Fp32 => "",
        Precision::Tf32 => "_tf32",
        Precision::Bf16 => "_bf16",
    }));
    expect_launched(OTHER_KERNELS.iter().filter(|kernel| **kernel != "run_ops"));
}

#[test]
fn gemms_in_f32_in_every_tile_size() {
    gemms_at(Precision::Fp32, 0.0);
}

#[test]
fn gemms_in_tf32_have_the_error_of_11_bit_significands() {
    // Two factors with relative errors of 2^-11, which add up like a random walk; a margin of four.
    gemms_at(Precision::Tf32, 4.0 * f64::powi(2.0, -11));
}

#[test]
fn gemms_in_bf16_have_the_error_of_8_bit_significands() {
    gemms_at(Precision::Bf16, 4.0 * f64::powi(2.0, -8));
}

#[test]
fn the_optimizer_is_adam() {
    let ordinal = gpu();
    for per in [3, 1000] {
        let mut plan = Plan::new(BATCH);
        let (w, b) = layer(&mut plan, 31, 33);
        let (x, dy) = (plan.rows(per, 31), plan.rows(per, 33));
        let gradients = vec![Gradient::Weight { w, x, dy }, Gradient::Bias { b, dy }];
        let mut cuda = Cuda::new(&plan, ordinal, Precision::Fp32).unwrap();
        let state = State { adam: Adam::new(0.01), steps: 0, at: 0, items: ITEMS, ..state(&plan) };
        let data = filled(&plan, &mut cuda, state);
        let program = cuda.compile(&training(vec![], &gradients)).unwrap();
        cuda.run(program, 2).unwrap();
        for gradient in gradients {
            let (p, values) = (gradient.param(), data.gradient(gradient));
            let mut got = vec![0.0; p.values()];
            cuda.download(p.buf, 0, &mut got).unwrap();
            for (i, g) in values.iter().enumerate() {
                let (mut m, mut v, mut expected) = (0.0, 0.0, data.values[&p.buf][i]);
                for step in 1..=2 {
                    m = 0.9 * m + 0.1 * g;
                    v = 0.999 * v + 0.001 * g * g;
                    let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(step)), v / (1.0 - 0.999f64.powi(step)));
                    expected -= 0.01 * m_hat / (v_hat.sqrt() + 1e-8);
                }
                // Two steps of 0.01, each with a few roundings; weights are about 1.
                assert!(
                    (got[i] as f64 - expected).abs() < 1e-6,
                    "{gradient:?} [{i}]: expected {expected}, got {}",
                    got[i]
                );
            }
        }
    }
}

#[test]
fn no_denormal_stays_in_a_weight_or_a_moment() {
    let ordinal = gpu();
    for per in [3, 1000] {
        let mut plan = Plan::new(BATCH);
        let (w, b) = layer(&mut plan, 31, 33);
        let (x, dy) = (plan.rows(per, 31), plan.rows(per, 33));
        let gradients = vec![Gradient::Weight { w, x, dy }, Gradient::Bias { b, dy }];
        let mut cuda = Cuda::new(&plan, ordinal, Precision::Fp32).unwrap();
        let state = State { adam: Adam::new(0.0), steps: 0, at: 0, items: ITEMS, ..state(&plan) };
        filled(&plan, &mut cuda, state);
        cuda.upload(dy.buf, &vec![0.0; BATCH * per * 33]).unwrap();
        let near_least = |i: usize| [1.0, -1.0][i % 2] * f32::MIN_POSITIVE * (0.9 + (i % 7) as f32 / 10.0);
        for p in [w, b] {
            let values: Vec<f32> = (0..p.values()).map(near_least).collect();
            let positive: Vec<f32> = values.iter().map(|v| v.abs()).collect();
            cuda.upload(p.buf, &values).unwrap();
            cuda.upload(p.first_moment(), &values).unwrap();
            cuda.upload(p.second_moment(), &positive).unwrap();
        }
        let program = cuda.compile(&training(vec![], &gradients)).unwrap();
        cuda.run(program, 2).unwrap();
        for p in [w, b] {
            for buf in [p.buf, p.first_moment(), p.second_moment()] {
                let mut got = vec![0.0; p.values()];
                cuda.download(buf, 0, &mut got).unwrap();
                assert!(!got.iter().any(|v| v.is_subnormal()), "{buf:?}: {got:?}");
                assert!(got.contains(&0.0), "{buf:?}: none was below the least normal number");
            }
        }
    }
}

#[test]
fn noise_is_bit_identical_to_the_cpu() {
    let ordinal = gpu();
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
        let valid = BATCH - 1;
        let (mut pixels, mut draws) = (vec![0.0; valid * 257], vec![0.0; valid * 93]);
        backend.download(x.buf, 0, &mut pixels).unwrap();
        backend.download(eps.buf, 0, &mut draws).unwrap();
        (pixels, draws)
    };
    let mut cpu = Cpu::new(&plan, 1, Precision::Fp32, InstructionSet::available()[0]).unwrap();
    let mut cuda = Cuda::new(&plan, ordinal, Precision::Fp32).unwrap();
    let (expected, got) = (read(&mut cpu), read(&mut cuda));
    assert_eq!(expected.0, got.0);
    // Logarithm, sine and cosine, too, are those of the CPU.
    assert_eq!(expected.1, got.1);
}
