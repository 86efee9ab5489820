//! Random numbers of one item: all that is drawn for it comes from its own counter, in the order it is asked for.

use crate::philox::philox;

/// An endless row of random numbers that depends on the seed, the split and the item alone.
pub(super) struct Draws {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Draws {
    /// The numbers of item `i`.
    pub(super) fn new(seed: u64, purpose: u32, i: u64) -> Draws {
        let key = [seed as u32, (seed >> 32) as u32];
        Draws { key, counter: [0, purpose, i as u32, (i >> 32) as u32], block: [0; 4], used: 4 }
    }

    /// 32 random bits.
    pub(super) fn bits(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox(self.key, self.counter);
            self.counter[0] += 1;
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// An integer below `n`.
    pub(super) fn below(&mut self, n: u32) -> u32 {
        (u64::from(self.bits()) * u64::from(n) >> 32) as u32
    }

    /// Uniform between `low` and `high`.
    pub(super) fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.bits() >> 8) as f32 / (1 << 24) as f32
    }

    /// Bell-shaped with mean 0 and standard deviation `sigma`, never beyond 3 of them: the sum of four uniforms, which
    /// needs no logarithm and so is the same to the bit on every machine.
    pub(super) fn bell(&mut self, sigma: f32) -> f32 {
        let sum = (0..4).fold(0, |sum, _| sum + (self.bits() >> 10));
        (sum as f32 / (1 << 22) as f32 - 2.0) * 1.732_050_8 * sigma
    }
}
