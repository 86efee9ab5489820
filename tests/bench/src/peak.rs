//! Peak GFLOP/s of an execution unit: chains of multiply-adds in registers.
#![allow(unsafe_code)] // functions with target features

use common::backend::InstructionSet;
use std::hint::black_box;
use std::time::Instant;

/// The instruction that does the multiplying of a matrix product.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Instruction {
    /// 128 bits, or what the compiler makes of it.
    Portable,
    Fma256,
    Fma512,
    DotBf16,
}

impl Instruction {
    /// That of a run, by what its `run` record tells; `has_dot`: whether the engine has VDPBF16PS. None if it is not known
    /// here: the peak of another instruction says nothing.
    pub fn of(instructions: &str, precision: &str, has_dot: bool) -> Option<Instruction> {
        match (instructions, precision) {
            ("avx512", "bf16") if has_dot => Some(Instruction::DotBf16),
            // Without it bf16 is multiplied as f32, and tf32 on every CPU.
            ("avx512", "fp32" | "tf32" | "bf16") => Some(Instruction::Fma512),
            ("avx2", "fp32" | "tf32" | "bf16") => Some(Instruction::Fma256),
            ("portable", "fp32" | "tf32" | "bf16") => Some(Instruction::Portable),
            _ => None,
        }
    }
    pub fn name(self) -> &'static str {
        match self {
            Instruction::Portable => "128-bit multiply and add",
            Instruction::Fma256 => "256-bit FMA",
            Instruction::Fma512 => "512-bit FMA",
            Instruction::DotBf16 => "512-bit VDPBF16PS",
        }
    }
    fn is_available(self, isa: InstructionSet) -> bool {
        match self {
            Instruction::Portable => true,
            Instruction::Fma256 => isa.name() != "portable",
            Instruction::Fma512 => isa.name() == "avx512",
            Instruction::DotBf16 => isa.has_bf16(),
        }
    }
    /// GFLOP/s of that many threads: the best of a few hundredths of a second.
    pub fn peak(self, threads: usize, isa: InstructionSet) -> f64 {
        assert!(self.is_available(isa), "{} was used, so it is there", self.name());
        std::thread::scope(|s| {
            let others: Vec<_> = (1..threads).map(|_| s.spawn(move || self.thread_peak())).collect();
            let own = self.thread_peak();
            own + others.into_iter().map(|thread| thread.join().expect("it only multiplies")).sum::<f64>()
        })
    }
    /// GFLOP/s of this thread.
    fn thread_peak(self) -> f64 {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `peak` has asserted that the instruction was detected on this CPU.
        unsafe {
            match self {
                Instruction::DotBf16 => return measure(32, |steps| x86::avx512_bf16(steps)),
                Instruction::Fma512 => return measure(16, |steps| x86::avx512(steps)),
                Instruction::Fma256 => return measure(8, |steps| x86::avx2(steps)),
                Instruction::Portable => {}
            }
        }
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
}

/// Independent accumulators: enough to fill two units of a latency of up to six.
const CHAINS: usize = 12;

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

#[cfg(test)]
mod tests {
    use super::Instruction;

    #[test]
    fn a_share_of_the_peak_is_of_the_instruction_that_was_used() {
        for (instructions, precision, has_dot, expected) in [
            ("avx512", "fp32", true, Some(Instruction::Fma512)),
            ("avx512", "bf16", true, Some(Instruction::DotBf16)),
            ("avx512", "bf16", false, Some(Instruction::Fma512)),
            ("avx2", "bf16", true, Some(Instruction::Fma256)),
            ("portable", "fp32", false, Some(Instruction::Portable)),
            ("amx", "bf16", true, None),
            ("avx512", "bf16x3", true, None),
        ] {
            assert_eq!(Instruction::of(instructions, precision, has_dot), expected, "{instructions} {precision}");
        }
    }
}
