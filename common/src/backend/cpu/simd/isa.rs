//! The instruction set of a CPU: which there are, which is taken, and dispatch on it.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
use super::x86;
use super::{Portable, Simd, WithSimd};
use crate::backend::cpu::gemm::amx::TileUnit;
use crate::plan::Precision;
use crate::{Error, Result};

/// The instruction set that the engine uses, detected on this CPU: vectors, and perhaps tiles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InstructionSet {
    vectors: Isa,
    tiles: Option<TileUnit>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Isa {
    /// The baseline of the compilation target: 4 lanes.
    Portable,
    /// AVX2 and FMA: 8 lanes.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: 16 lanes.
    Avx512,
    /// The same with AVX-512 BF16.
    Avx512Bf16,
}

impl InstructionSet {
    /// The vectors of this CPU, the best last.
    fn vectors() -> Vec<Isa> {
        #[allow(unused_mut)]
        let mut sets = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            let bf16 = avx512 && is_x86_feature_detected!("avx512bf16");
            let found = [(avx2, Isa::Avx2), (avx512, Isa::Avx512), (bf16, Isa::Avx512Bf16)];
            sets.extend(found.into_iter().filter(|(detected, _)| *detected).map(|(_, set)| set));
        }
        sets
    }

    /// The instruction sets of this CPU, the best last.
    pub fn available() -> Vec<InstructionSet> {
        let vectors = Self::vectors();
        let best = *vectors.last().expect("portable is always available");
        let tiles = TileUnit::detect().filter(|_| best == Isa::Avx512Bf16);
        let sets = vectors.into_iter().map(|vectors| InstructionSet { vectors, tiles: None });
        sets.chain(tiles.map(|unit| InstructionSet { vectors: best, tiles: Some(unit) })).collect()
    }

    /// The model of AMX's tiles with each of the vectors of this CPU, the best last: slow, and to the bit what AMX computes.
    pub fn amx_models() -> Vec<InstructionSet> {
        let model = |vectors| InstructionSet { vectors, tiles: Some(TileUnit::Model) };
        Self::vectors().into_iter().map(model).collect()
    }

    /// The best of this CPU, or the value of the environment variable `VAE_CPU`: `amx`, `avx512`, `avx2`, `portable`, or
    /// `amx-model`, a model of AMX for tests.
    ///
    /// # Errors
    /// [`Error::InstructionSet`] for another value of `VAE_CPU`, or one that this CPU does not support.
    pub fn from_env() -> Result<InstructionSet> {
        let available = InstructionSet::available();
        let Some(asked) = std::env::var_os("VAE_CPU").filter(|v| !v.is_empty()) else {
            return Ok(*available.last().expect("portable is always available"));
        };
        let named = Self::amx_models().into_iter().chain(available.iter().copied());
        named.rev().find(|isa| asked == *isa.name()).ok_or_else(|| {
            let mut here: Vec<&str> = available.iter().map(|isa| isa.name()).collect();
            here.dedup();
            Error::InstructionSet { asked: asked.display().to_string(), available: here.join(", ") }
        })
    }

    /// The name in `VAE_CPU`.
    pub fn name(self) -> &'static str {
        match (self.tiles, self.vectors) {
            (Some(TileUnit::Cpu), _) => "amx",
            (Some(TileUnit::Model), _) => "amx-model",
            (None, Isa::Portable) => "portable",
            (None, Isa::Avx2) => "avx2",
            (None, Isa::Avx512 | Isa::Avx512Bf16) => "avx512",
        }
    }

    /// What products of this precision use: tiles are for bf16.
    pub fn at(self, precision: Precision) -> InstructionSet {
        let tiles = self.tiles.filter(|_| precision.parts() > 0);
        InstructionSet { tiles, ..self }
    }

    /// Whether GEMMs of bf16 are faster than those of f32 on this CPU: with AMX, or where VDPBF16PS, two multiply-adds an
    /// element, has the rate of an FMA. AMD has (Zen 4 and 5); Intel issues one in the time of four FMAs, half the FLOP/s.
    /// By CPUID, not by a timing, which would change the bytes of a run.
    pub fn has_bf16(self) -> bool {
        self.tiles.is_some() || self.vectors == Isa::Avx512Bf16 && vendor() == *b"AuthenticAMD"
    }

    /// The unit of tiles.
    pub(crate) fn tiles(self) -> Option<TileUnit> {
        self.tiles
    }

    /// f32 lanes of a vector.
    pub(crate) fn lanes(self) -> usize {
        match self.vectors {
            Isa::Portable => Portable::LANES,
            Isa::Avx2 => 8,
            Isa::Avx512 | Isa::Avx512Bf16 => 16,
        }
    }

    /// Runs `work`, compiled for this instruction set.
    pub(crate) fn dispatch<W: WithSimd>(self, work: W) -> W::Output {
        match self.vectors {
            Isa::Portable => work.with_simd(Portable),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `vectors` has detected its features.
            set => unsafe {
                match set {
                    Isa::Avx2 => x86::avx2(work),
                    Isa::Avx512 => x86::avx512(work),
                    _ => x86::avx512_bf16(work),
                }
            },
            #[cfg(not(target_arch = "x86_64"))]
            set => unreachable!("{set:?} is of another architecture"),
        }
    }
}

/// The vendor of this CPU, of which CPUID says the instructions.
fn vendor() -> [u8; 12] {
    #[cfg(target_arch = "x86_64")]
    {
        let id = std::arch::x86_64::__cpuid(0);
        let parts = [id.ebx, id.edx, id.ecx].map(u32::to_le_bytes);
        std::array::from_fn(|i| parts[i / 4][i % 4])
    }
    #[cfg(not(target_arch = "x86_64"))]
    [0; 12]
}
