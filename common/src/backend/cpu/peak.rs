//! The most that the vectors of a CPU multiply, for comparison.

use super::gemm::microkernel::{Bf16Pair, Element, F32};
use super::simd::{InstructionSet, Simd, WithSimd};
use crate::plan::Precision;
use std::hint::black_box;
use std::time::Instant;

/// GFLOP/s of so many threads that multiply and add numbers in registers, and do nothing else: the best of a few
/// hundredths of a second.
pub fn peak(threads: usize, precision: Precision, isa: InstructionSet) -> f64 {
    std::thread::scope(|s| {
        let others: Vec<_> = (1..threads).map(|_| s.spawn(move || isa.dispatch(Peak(precision)))).collect();
        let own = isa.dispatch(Peak(precision));
        own + others.into_iter().map(|thread| thread.join().expect("it only multiplies")).sum::<f64>()
    })
}

/// GFLOP/s of this thread.
struct Peak(Precision);

impl WithSimd for Peak {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        match self.0 {
            Precision::Fp32 | Precision::Tf32 => measure::<S, F32>(simd),
            Precision::Bf16 => measure::<S, Bf16Pair>(simd),
        }
    }
}

/// Sums that do not wait for each other: enough to fill two units of a latency of up to six.
const SUMS: usize = 12;

#[inline(always)]
fn measure<S: Simd, E: Element>(simd: S) -> f64 {
    const STEPS: usize = 200_000;
    let flops = (2 * STEPS * SUMS * S::LANES * E::VALUES) as f64;
    let mut best = 0.0f64;
    for _ in 0..20 {
        let begun = Instant::now();
        black_box(simd.nonzero_mask(chains::<S, E>(simd, STEPS)));
        best = best.max(flops / begun.elapsed().as_secs_f64() / 1e9);
    }
    best
}

/// The sum of all chains.
#[inline(always)]
fn chains<S: Simd, E: Element>(simd: S, steps: usize) -> S::V {
    let (a, b) = (simd.splat(black_box(0.5)), simd.splat(black_box(0.25)));
    let mut sums = [simd.splat(0.0); SUMS];
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = E::mul_add(simd, a, b, *sum);
        }
    }
    let one = simd.splat(1.0);
    let mut all = sums[0];
    for sum in sums {
        all = simd.mul_add(sum, one, all);
    }
    all
}
