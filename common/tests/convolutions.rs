//! Convolutions and transposed convolutions of every geometry on the CPU, with their gradients, against the definition in f64.
//! Values are sixteenths, whose products and sums f32 holds exactly: results are equal, whatever the order of sums.

use common::backend::{Adam, Backend, Cpu, InstructionSet, SampleIndex};
use common::model::Binarize;
use common::plan::{Activation, Activations, ConvGeometry, Gradient, Op, Param, PixelTransform, PixelType, Plan};
use common::plan::{Precision, Program, Table, Update};

/// A convolution from C to `out` channels, and the transposed one back, of `images` images each for N items.
#[derive(Clone, Copy, Debug)]
struct Case {
    conv: ConvGeometry,
    out: usize,
    items: usize,
    images: usize,
}

/// Sixteenths from -1 to 1.
fn sixteenths(n: usize, step: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * step + i / 7) % 31) as f32 / 16.0 - 1.0).collect()
}

/// What a convolution x, and a transposed one z, read and compute, by buffer.
struct Layers {
    tables: [(Table, Vec<f32>); 4],
    weights: [Param; 2],
    biases: [Param; 2],
    stored: [Table; 4],
    program: Program,
}

impl Case {
    /// Values of an item before the convolution, and after it.
    fn lens(&self) -> [usize; 2] {
        let Case { conv, out, images, .. } = self;
        [images * conv.input_area() * conv.channels, images * conv.output_area() * out]
    }
    fn weight(&self) -> usize {
        self.conv.patch_len() * self.out
    }

    /// y = conv(x), and the gradient of the sum of dy y; u = transposed conv(z), and that of the sum of du u. Gradients of
    /// inputs are computed twice, the second time added.
    fn layers(&self, plan: &mut Plan) -> Layers {
        let Case { conv, out, items, images } = *self;
        let [inner, outer] = self.lens();
        let transform = PixelTransform { white: 1.0, binarize: Binarize::None, range: [0.0, 1.0] };
        let tables = [(inner, 11), (outer, 13), (outer, 17), (inner, 19)]
            .map(|(len, step)| (plan.table(items, len, PixelType::F32), sixteenths(items * len, step)));
        let [x, dy, z, du] = [0, 1, 2, 3].map(|i| plan.gather(tables[i].0, transform));
        let image = |r: Activations| r.reshape(images * conv.input_area(), conv.channels);
        let positions = |r: Activations| r.reshape(images * conv.output_area(), out);
        let (x, dy, z, du) = (image(x), positions(dy), positions(z), image(du));
        let y = plan.conv("conv", x, conv, out, Activation::None);
        let u = plan.conv_transposed("transposed", z, conv, Activation::None);
        let mut ops = plan.take();
        let (mut weights, mut biases, mut patches) = (vec![], vec![], None);
        for op in &ops {
            match *op {
                Op::Im2col { y, .. } => patches = Some(y),
                Op::Linear { w, b, .. } | Op::ConvTranspose { w, b, .. } => {
                    weights.push(w);
                    biases.extend(b);
                }
                _ => {}
            }
        }
        let (patches, du_patches) = (patches.expect("a convolution"), plan.patches(z.per_image, conv));
        let (dx, dz) = (plan.like(x), plan.like(z));
        let (w, wt) = (weights[0], weights[1]);
        ops.push(Op::Im2col { y: du_patches, x: du, conv });
        for add in [false, true] {
            let act = Activation::None;
            ops.push(Op::ConvTranspose { y: dx, x: dy, w, transpose_w: true, b: None, act, conv, add });
            ops.push(Op::LinearBack { dx: dz, dy: du_patches, w: wt, add });
        }
        let stored = [y, dx, u, dz].map(|r| plan.store(items, r));
        ops.extend(plan.take());
        let gradients = vec![Gradient::Weight { w, x: patches, dy }, Gradient::Weight { w: wt, x: z, dy: du_patches }];
        let program = Program::new(ops, gradients, vec![Update::Adam(w), Update::Adam(wt)]);
        let both = |all: Vec<Param>| all.try_into().expect("two layers");
        Layers { tables, weights: both(weights), biases: both(biases), stored, program }
    }

    /// y, dx, u, dz and the gradients of both weights, in f32.
    fn run(&self, isa: InstructionSet, precision: Precision, threads: usize) -> Vec<Vec<f32>> {
        let mut plan = Plan::new(self.items);
        let Layers { tables, weights, biases, stored, program } = self.layers(&mut plan);
        let mut cpu = Cpu::new(&plan, threads, precision, isa).unwrap();
        for (table, values) in &tables {
            cpu.upload(table.buf, values).unwrap();
        }
        for (i, (w, b)) in weights.iter().zip(&biases).enumerate() {
            cpu.upload(w.buf, &sixteenths(w.values(), 23 + i)).unwrap();
            cpu.upload(b.buf, &sixteenths(b.values(), 5)).unwrap();
        }
        let order: Vec<SampleIndex> = (0..self.items as u32).map(|row| SampleIndex { row, id: row }).collect();
        cpu.upload_indices(&order).unwrap();
        let state = cpu.state();
        (state.items, state.adam, state.steps) = (self.items, Adam::new(0.0), 1);
        let program = cpu.compile(&program).unwrap();
        cpu.run(program, 1).unwrap();
        let mut results: Vec<Vec<f32>> = stored.iter().map(|t| vec![0.0; t.items * t.width]).collect();
        results.extend(weights.iter().map(|w| vec![0.0; w.values()]));
        let bufs = stored.iter().map(|t| t.buf).chain(weights.iter().map(|w| w.first_moment()));
        for (buf, values) in bufs.zip(&mut results) {
            cpu.download(buf, 0, values).unwrap();
        }
        results
    }
}

/// Each product of a convolution by the definition: calls f with the index of a value of x, of w `[kernel row, kernel column, C,
/// out]` and of y.
fn each_product(case: &Case, mut f: impl FnMut(usize, usize, usize)) {
    let Case { conv, out, items, images } = *case;
    let ConvGeometry { channels, input: [h, w], output: [oh, ow], kernel, stride, padding } = conv;
    for (n, oy, ox) in (0..items * images * oh * ow).map(|i| (i / (oh * ow), i / ow % oh, i % ow)) {
        for (ky, kx) in (0..kernel * kernel).map(|i| (i / kernel, i % kernel)) {
            let (Some(iy), Some(ix)) =
                ((oy * stride + ky).checked_sub(padding), (ox * stride + kx).checked_sub(padding))
            else {
                continue;
            };
            if iy >= h || ix >= w {
                continue;
            }
            for (c, o) in (0..channels * out).map(|i| (i / out, i % out)) {
                let x = ((n * h + iy) * w + ix) * channels + c;
                f(x, ((ky * kernel + kx) * channels + c) * out + o, ((n * oh + oy) * ow + ox) * out + o);
            }
        }
    }
}

fn f64s(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| *v as f64).collect()
}

/// conv(x, w) + b, and transposed conv(z, w) + b, whose weight is `[out, kernel row, kernel column, C]`.
fn forward(case: &Case, [x, z]: [&[f64]; 2], [w, wt]: [&[f64]; 2], [b, bt]: [&[f64]; 2]) -> [Vec<f64>; 2] {
    let [inner, outer] = case.lens().map(|len| len * case.items);
    let mut y: Vec<f64> = b.iter().copied().cycle().take(outer).collect();
    let mut u: Vec<f64> = bt.iter().copied().cycle().take(inner).collect();
    each_product(case, |i, k, j| {
        y[j] += x[i] * w[k];
        u[i] += z[j] * wt[k % case.out * case.conv.patch_len() + k / case.out];
    });
    [y, u]
}

/// Compares results with the definition: all of the outputs, and some of the gradients by differences.
fn check(case: &Case, results: &[Vec<f32>], context: &str) {
    let [inner, outer] = case.lens().map(|len| len * case.items);
    let [mut x, dy, mut z, du] =
        [(inner, 11), (outer, 13), (outer, 17), (inner, 19)].map(|(n, s)| f64s(&sixteenths(n, s)));
    let [mut w, mut wt] = [23, 24].map(|step| f64s(&sixteenths(case.weight(), step)));
    let [b, bt] = [case.out, case.conv.channels].map(|n| f64s(&sixteenths(n, 5)));
    let losses = |x: &[f64], z: &[f64], w: &[f64], wt: &[f64]| {
        let [y, u] = forward(case, [x, z], [w, wt], [&b, &bt]);
        let dot = |a: &[f64], b: &[f64]| std::iter::zip(a, b).map(|(a, b)| a * b).sum::<f64>();
        ([dot(&y, &dy), dot(&u, &du)], y, u)
    };
    let (loss, y, u) = losses(&x, &z, &w, &wt);
    assert!(f64s(&results[0]) == y, "{context}: convolution");
    assert!(f64s(&results[2]) == u, "{context}: transposed convolution");
    // The losses are linear in each operand, so that any difference is exact.
    for i in 0..5 {
        let at = |len: usize| (i * 7919 + len / 3) % len;
        let [ix, iz, iw] = [at(inner), at(outer), at(w.len())];
        x[ix] += 1.0;
        z[iz] += 1.0;
        let (inputs, ..) = losses(&x, &z, &w, &wt);
        x[ix] -= 1.0;
        z[iz] -= 1.0;
        w[iw] += 1.0;
        wt[iw] += 1.0;
        let (weights, ..) = losses(&x, &z, &w, &wt);
        w[iw] -= 1.0;
        wt[iw] -= 1.0;
        let twice = [2.0 * (inputs[0] - loss[0]), 2.0 * (inputs[1] - loss[1])];
        assert_eq!([results[1][ix] as f64, results[3][iz] as f64], twice, "{context}: input gradients {ix} {iz}");
        for (layer, moment) in [(0, results[4][iw]), (1, results[5][iw])] {
            let (got, expected) = (moment as f64 / 0.1, weights[layer] - loss[layer]);
            assert!(
                (got - expected).abs() < 1e-5 * expected.abs().max(1.0),
                "{context}: {layer}: dw[{iw}] = {got}, not {expected}"
            );
        }
    }
}

/// Kernels, strides, paddings, channels and odd sizes, where the kernel is no larger than the padded image.
fn cases() -> impl Iterator<Item = Case> {
    let sides = [[7, 9], [11, 3], [1, 5]];
    let geometry = (1..=7).flat_map(|k| (1..=3).flat_map(move |s| (0..=3).map(move |p| (k, s, p))));
    let all =
        geometry.flat_map(move |g| [1, 3, 8, 16].into_iter().flat_map(move |c| sides.map(move |side| (g, c, side))));
    let fits = all.filter(|((k, _, p), _, side)| side.iter().all(|n| n + 2 * p >= *k));
    fits.enumerate().map(|(i, ((kernel, stride, padding), channels, side))| Case {
        conv: ConvGeometry::new(side, channels, kernel, stride, padding),
        out: [5, 16, 49][i % 3],
        items: 1 + i % 2,
        images: 1 + i / 2 % 2,
    })
}

#[test]
fn every_geometry_agrees_with_its_definition_on_every_instruction_set() {
    for isa in InstructionSet::available() {
        for case in cases() {
            check(&case, &case.run(isa, Precision::Fp32, 1), &format!("{isa:?} {case:?}"));
        }
    }
}

#[test]
fn convolutions_in_bf16_agree_with_their_definition() {
    for isa in InstructionSet::available().into_iter().filter(|isa| isa.has_bf16()) {
        for case in cases().step_by(7) {
            check(&case, &case.run(isa, Precision::Bf16, 2), &format!("{isa:?} {case:?}"));
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let isa = *InstructionSet::available().last().unwrap();
    for (kernel, stride, channels) in [(5, 2, 1), (3, 1, 16), (4, 2, 32), (2, 3, 3)] {
        let case =
            Case { conv: ConvGeometry::new([13, 9], channels, kernel, stride, 1), out: 20, items: 50, images: 1 };
        let one = case.run(isa, Precision::Fp32, 1);
        for threads in [2, 3, 8] {
            let bits = |results: Vec<Vec<f32>>| results.concat().into_iter().map(f32::to_bits).collect::<Vec<_>>();
            assert!(bits(case.run(isa, Precision::Fp32, threads)) == bits(one.clone()), "{case:?}, {threads} threads");
        }
    }
}
