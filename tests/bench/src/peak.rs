//! Peak GFLOP/s of the vector units: chains of multiply-adds in registers.
#![allow(unsafe_code)] // functions with target features

use common::backend::InstructionSet;
use common::plan::Precision;
use std::hint::black_box;
use std::time::Instant;

/// GFLOP/s of that many threads: the best of a few hundredths of a second.
pub fn peak(threads: usize, precision: Precision, isa: InstructionSet) -> f64 {
    std::thread::scope(|s| {
        let others: Vec<_> = (1..threads).map(|_| s.spawn(move || thread_peak(precision, isa))).collect();
        let own = thread_peak(precision, isa);
        own + others.into_iter().map(|thread| thread.join().expect("it only multiplies")).sum::<f64>()
    })
}

/// Independent accumulators: enough to fill two units of a latency of up to six.
const CHAINS: usize = 12;

/// GFLOP/s of this thread.
fn thread_peak(precision: Precision, isa: InstructionSet) -> f64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction set was detected on this CPU.
    unsafe {
        match (isa.name(), precision) {
            ("avx512", Precision::Bf16) if isa.has_bf16() => return measure(32, |steps| x86::avx512_bf16(steps)),
            ("avx512", _) => return measure(16, |steps| x86::avx512(steps)),
            ("avx2", _) => return measure(8, |steps| x86::avx2(steps)),
            _ => {}
        }
    }
    let _ = (precision, isa);
    measure(4, |steps| {
        let (a, b) = (black_box([0.5f32; 4]), black_box([0.25f32; 4]));
        let mut sums = [[0.0; 4]; CHAINS];
        for _ in 0..steps {
            for sum in &mut sums {
                (0..4).for_each(|lane| sum[lane] += a[lane] * b[lane]);
            }
        }
        black_box(sums);
    })
}

/// GFLOP/s of `chains`, which multiplies and adds that many lanes in each chain and step.
fn measure(lanes: usize, chains: impl Fn(usize)) -> f64 {
    const STEPS: usize = 200_000;
    let flops = (2 * STEPS * CHAINS * lanes) as f64;
    let mut best = 0.0f64;
    for _ in 0..20 {
        let begun = Instant::now();
        chains(STEPS);
        best = best.max(flops / begun.elapsed().as_secs_f64() / 1e9);
    }
    best
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::CHAINS;
    use std::arch::x86_64::*;
    use std::hint::black_box;

    /// A function with these target features, of chains of one multiply-add.
    macro_rules! chains {
        ($name:ident, $features:literal, $zero:expr, $operand:expr, $mul_add:expr) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name(steps: usize) {
                let (a, b) = (black_box($operand(0.5)), black_box($operand(0.25)));
                let mut sums = [$zero; CHAINS];
                for _ in 0..steps {
                    for sum in &mut sums {
                        *sum = $mul_add(a, b, *sum);
                    }
                }
                black_box(sums);
            }
        };
    }
    chains!(avx2, "avx2,fma", _mm256_setzero_ps(), |v| _mm256_set1_ps(v), |a, b, c| _mm256_fmadd_ps(a, b, c));
    chains!(avx512, "avx512f", _mm512_setzero_ps(), |v| _mm512_set1_ps(v), |a, b, c| _mm512_fmadd_ps(a, b, c));
    chains!(
        avx512_bf16,
        "avx512f,avx512bf16",
        _mm512_setzero_ps(),
        |v| _mm512_cvtne2ps_pbh(_mm512_set1_ps(v), _mm512_set1_ps(v)),
        |a, b, c| _mm512_dpbf16_ps(c, a, b)
    );
}
