//! Bricks, the unit, and the error of products.

use super::bricks::{Form, pack};
use super::unit::Bricks;
use super::*;
use crate::backend::cpu::gemm::{Arithmetic, PackedWeight, Packing, TransposeScratch};
use crate::backend::cpu::scratch::ScratchVec;
use crate::backend::cpu::simd::{InstructionSet, Simd, WithSimd};
use crate::plan::Activation;
use half::bf16;

/// Numbers in [-1, 1).
fn random(seed: &mut u64) -> f32 {
    (random_bits(seed) >> 40) as f32 / (1 << 23) as f32 - 1.0
}

fn random_bits(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed ^ *seed >> 29
}

fn run_on_every_model(check: impl WithSimd<Output = ()> + Copy) {
    InstructionSet::amx_models().into_iter().for_each(|isa| isa.dispatch(check));
}

#[derive(Clone, Copy)]
struct Forms;

impl WithSimd for Forms {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut seed = 1;
        // A block that ends within a matrix of 21 rows and 43 columns, at row 7 and column 32.
        let (rows, width) = (21, 43);
        let values: Vec<f32> = (0..rows * width).map(|_| random(&mut seed)).collect();
        let block = Block::load(&values, width, 7, 32);
        let c =
            |r: usize, n: usize| if r < rows - 7 && n < width - 32 { values[(r + 7) * width + n + 32] } else { 0.0 };
        for form in [Form::Rows, Form::Pairs, Form::Turned, Form::Back] {
            let mut to = vec![7; 2 * BRICK];
            pack(simd, &mut block.clone(), [(form, &mut to)]);
            for part in 0..2 {
                for (i, pair) in to[part * BRICK..][..BRICK].iter().enumerate() {
                    let (tile, p, n) = (i / 256, i / 16 % 16, i % 16);
                    let expected = [0, 1].map(|odd| {
                        let value = match form {
                            Form::Rows => c(16 * tile + p, 2 * n + odd),
                            Form::Turned => c(2 * n + odd, 16 * tile + p),
                            Form::Pairs => c(2 * p + odd, 16 * tile + n),
                            Form::Back => c(16 * tile + n, 2 * p + odd),
                        };
                        let high = bf16::from_f32(value);
                        let of = if part == 0 { high } else { bf16::from_f32(value - high.to_f32()) };
                        of.to_bits() as u32
                    });
                    assert_eq!(*pair, expected[0] | expected[1] << 16, "{form:?}, part {part}, {i}");
                }
            }
        }
    }
}

#[test]
fn every_form_of_a_brick_has_its_values_in_place_and_zeros_beyond_the_matrix() {
    run_on_every_model(Forms);
}

/// `forward` and `input_gradient` on random numbers, against f64.
#[derive(Clone, Copy)]
struct Error {
    tiles: Tiles,
    /// Of the sum of magnitudes.
    bound: f64,
}

impl WithSimd for Error {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (tiles, [rows, inp, out]) = (self.tiles, [33, 800, 800]);
        let mut seed = 3;
        let mut values = |n: usize| (0..n).map(|_| random(&mut seed)).collect::<Vec<f32>>();
        let (x, w, dy) = (values(rows * inp), values(inp * out), values(rows * out));
        let near = |what: &str, got: f32, terms: &mut dyn Iterator<Item = (f32, f32)>| {
            let (sum, magnitude) = terms.fold((0.0, 0.0), |(sum, magnitude), (a, b)| {
                let product = a as f64 * b as f64;
                (sum + product, magnitude + product.abs())
            });
            let error = (got as f64 - sum).abs() / magnitude;
            assert!(error < self.bound, "{what}, {} parts: {error:e}", tiles.parts);
        };
        let packing = Packing::Bricks(tiles);
        let panels = packing.panels([inp, out], S::LANES);
        let mut in_panels = vec![0.0; panels.values()];
        panels.pack(&mut in_panels, &w);
        let mut weight = PackedWeight::f32(panels, &in_panels);
        let [end, _] = packing.weight(panels, panels.count() - 1, 0..inp).expect("bricks").map(|range| range.end);
        let mut packed = [vec![0; end], vec![0; end]];
        for panel in 0..panels.count() {
            let [at, back] = packing.weight(panels, panel, 0..inp).expect("bricks");
            let [forward, backward] = &mut packed;
            let to = [&mut forward[at], &mut backward[back]];
            tiles.pack_weight(simd, to, &in_panels[panels.panel(panel)], panels.width(panel));
        }
        (weight.forward, weight.backward) = (&packed[0], &packed[1]);

        let mut scratch = ScratchVec::default();
        let mut y = vec![f32::NAN; rows * out];
        let zeros = vec![0.0; out.next_multiple_of(S::LANES)];
        let x_packed = tiles.pack_rows(simd, &x, inp, &mut scratch);
        tiles.forward(simd, &mut y, x_packed, weight, &zeros, Activation::None, None);
        for (r, o) in (0..rows * out).map(|i| (i / out, i % out)) {
            near("forward", y[r * out + o], &mut (0..inp).map(|i| (x[r * inp + i], w[i * out + o])));
        }
        let mut dx = vec![f32::NAN; rows * inp];
        let dy_packed = tiles.pack_rows(simd, &dy, out, &mut scratch);
        tiles.input_gradient(simd, &mut dx, dy_packed, weight, false, &mut TransposeScratch::default());
        for (r, i) in (0..rows * inp).map(|k| (k / inp, k % inp)) {
            near("input gradient", dx[r * inp + i], &mut (0..out).map(|o| (dy[r * out + o], w[i * out + o])));
        }
    }
}

#[test]
fn bf16_is_exact_to_eight_bits_and_bf16x3_to_sixteen() {
    for (parts, bound) in [(1, 4e-3), (2, 9e-7)] {
        run_on_every_model(Error { tiles: Tiles { unit: TileUnit::Model, parts }, bound });
    }
}

/// A product on the unit of this CPU, and on the model.
#[test]
fn the_model_has_the_bits_of_the_cpu() {
    let Some(cpu) = TileUnit::detect() else {
        return eprintln!("SKIPPED the_model_has_the_bits_of_the_cpu: no AMX");
    };
    let _tiles = cpu.configure();
    let mut seed = 5;
    for (lowest, exponents) in [(107, 40), (0, 256), (44, 40), (0, 3), (180, 20)] {
        for parts in [1, 2] {
            let mut half = || {
                let r = random_bits(&mut seed);
                (r >> 16 & 0x807f) as u32 | ((r >> 40) as u32 % exponents + lowest) << 7
            };
            let mut operand = || -> Vec<u32> { (0..3 * parts * BRICK).map(|_| half() | half() << 16).collect() };
            let (a, b) = (operand(), operand());
            let bricks = |data| Bricks { data, stride: parts * BRICK };
            let [mut got, mut expected] = [const { Block([0.5; SIDE * SIDE]) }; 2];
            cpu.multiply(&mut got, bricks(&a), bricks(&b), 3, parts, true);
            TileUnit::Model.multiply(&mut expected, bricks(&a), bricks(&b), 3, parts, true);
            assert!(got.0.iter().zip(&expected.0).all(|(a, b)| a.to_bits() == b.to_bits()), "{lowest}, {parts} parts");
        }
    }
}

#[test]
fn strides_and_a_sum_in_parts_change_no_bit() {
    let mut seed = 9;
    let mut operand = |n: usize| -> Vec<u32> {
        let mut half = || bf16::from_f32(random(&mut seed)).to_bits() as u32;
        (0..n).map(|_| half() | half() << 16).collect()
    };
    let (a, b) = (operand(5 * BRICK), operand(5 * BRICK));
    let dense = |data| Bricks { data, stride: BRICK };
    let mut whole = Block([1.0; SIDE * SIDE]);
    TileUnit::Model.multiply(&mut whole, dense(&a), dense(&b), 5, 1, false);
    let mut apart = vec![0; 20 * BRICK];
    a.chunks_exact(BRICK).zip(apart.chunks_exact_mut(4 * BRICK)).for_each(|(a, to)| to[..BRICK].copy_from_slice(a));
    let strided = |first: usize| Bricks { data: &apart[first * 4 * BRICK..], stride: 4 * BRICK };
    let mut parts = Block([1.0; SIDE * SIDE]);
    TileUnit::Model.multiply(&mut parts, strided(0), dense(&b), 2, 1, false);
    TileUnit::Model.multiply(&mut parts, strided(2), dense(&b[2 * BRICK..]), 3, 1, true);
    assert!(whole.0 == parts.0);
    TileUnit::Model.multiply(&mut parts, dense(&[]), dense(&[]), 0, 1, false);
    assert!(parts.0 == [0.0; SIDE * SIDE]);
}

#[test]
#[should_panic(expected = "an operand is too short")]
fn operands_that_end_early_are_refused() {
    let data = vec![0; 2 * BRICK - 1];
    let bricks = Bricks { data: &data, stride: BRICK };
    TileUnit::Model.multiply(&mut Block([0.0; SIDE * SIDE]), bricks, bricks, 2, 1, false);
}
