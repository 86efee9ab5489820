//! The precision of matrix products.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The operand type of matrix products. Sums, and all else, are f32.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32: a significand of 24 bits.
    #[default]
    #[value(help = "a significand of 24 bits")]
    Fp32,
    /// TF32, a significand of 11 bits, on the tensor cores of a GPU; a CPU multiplies f32.
    #[value(help = "a significand of 11 bits: faster on a GPU from Ampere on; a CPU multiplies fp32")]
    Tf32,
    /// bfloat16, a significand of 8 bits, where the device has faster instructions for it. Weights and optimizer stay f32.
    #[value(
        help = "a significand of 8 bits: faster on AMD from Zen 4 and a GPU from Ampere on; other CPUs train in fp32"
    )]
    Bf16,
    /// Each f32 as a sum of two bf16, whose products are three of bf16: a significand of 16 bits, on CPUs with AMX.
    #[value(help = "each number as a sum of two bf16: nearly fp32, and faster on CPUs with AMX, which it needs")]
    Bf16x3,
}

impl Precision {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Fp32 => "fp32",
            Precision::Tf32 => "tf32",
            Precision::Bf16 => "bf16",
            Precision::Bf16x3 => "bf16x3",
        }
    }
    /// Operands of bf16 for each value.
    pub fn parts(self) -> usize {
        match self {
            Precision::Fp32 | Precision::Tf32 => 0,
            Precision::Bf16 => 1,
            Precision::Bf16x3 => 2,
        }
    }
}
