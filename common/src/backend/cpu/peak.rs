//! The most that the vectors of a CPU multiply, for comparison.

use super::multiply::{Cells, Pairs, Singles};
use super::simd::{Level, Simd, Work};
use crate::backend::Precision;
use std::hint::black_box;
use std::time::Instant;

/// GFLOP/s of so many threads that multiply and add numbers in registers, and do nothing else: the best of a few
/// hundredths of a second.
pub fn peak(threads: usize, precision: Precision, level: Level) -> f64 {
    std::thread::scope(|s| {
        let others: Vec<_> = (1..threads).map(|_| s.spawn(move || level.run(Peak(precision)))).collect();
        let own = level.run(Peak(precision));
        own + others.into_iter().map(|thread| thread.join().expect("it only multiplies")).sum::<f64>()
    })
}

/// GFLOP/s of this thread.
struct Peak(Precision);

impl Work for Peak {
    type Output = f64;

    #[inline(always)]
    fn with<S: Simd>(self, simd: S) -> f64 {
        match self.0 {
            Precision::Fp32 => measure::<S, Singles>(simd),
            Precision::Bf16 => measure::<S, Pairs>(simd),
        }
    }
}

#[inline(always)]
fn measure<S: Simd, C: Cells>(simd: S) -> f64 {
    /// Sums that do not wait for each other: enough to fill two units of a latency of four or five.
    const SUMS: usize = 10;
    const STEPS: usize = 200_000;
    let (a, b) = (simd.splat(black_box(0.5)), simd.splat(black_box(0.25)));
    let once = || {
        let mut sums = [simd.splat(0.0); SUMS];
        let begun = Instant::now();
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = C::mul_add(simd, a, b, *sum);
            }
        }
        black_box(sums.map(|sum| simd.nonzero(sum)));
        (2 * STEPS * SUMS * S::LANES * C::PER) as f64 / begun.elapsed().as_secs_f64() / 1e9
    };
    (0..20).map(|_| once()).fold(0.0, f64::max)
}
