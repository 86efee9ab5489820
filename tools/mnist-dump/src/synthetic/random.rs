//! The random numbers of one item: Philox, keyed by the seed, the split and the item's index.

use vae_numerics::rng::{self, Purpose, draw4};

/// A generator of random numbers.
pub(super) struct Random {
    seed: u32,
    split: u32,
    item: u32,
    quad: u32,
    lanes: [u32; 4],
    used: usize,
}

impl Random {
    /// The generator of one item.
    pub(super) fn new(seed: u32, split: u32, item: u32) -> Random {
        Random { seed, split, item, quad: 0, lanes: [0; 4], used: 4 }
    }

    fn bits(&mut self) -> u32 {
        if self.used == 4 {
            self.lanes = draw4(self.seed, Purpose::Synthetic, [self.quad, 0, self.item, self.split]);
            self.quad += 1;
            self.used = 0;
        }
        self.used += 1;
        self.lanes[self.used - 1]
    }

    /// An integer below `n`.
    pub(super) fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.bits()) * u64::from(n)) >> 32) as u32
    }

    /// Uniform in [`low`, `high`).
    pub(super) fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * rng::uniform(self.bits())
    }

    /// Nearly normal, with mean 0 and standard deviation `sigma`, cut at 3.5 sigma: the sum of four uniform numbers, which has
    /// no outliers and the same bits on every machine.
    pub(super) fn bell(&mut self, sigma: f32) -> f32 {
        let sum: f32 = (0..4).map(|_| self.uniform(-0.5, 0.5)).sum();
        sum * 1.732_050_8 * sigma
    }
}
