//! The random numbers of one item, which depend on the seed, the split and the item's number alone.

use vae_numerics::rng::{Purpose, draw4, uniform};

/// An endless row of random numbers.
pub(super) struct Draws {
    seed: u32,
    split: u32,
    item: u32,
    quad: u32,
    lanes: [u32; 4],
    used: usize,
}

impl Draws {
    /// The numbers of one item, from the first on.
    pub(super) fn new(seed: u32, split: u32, item: u32) -> Draws {
        Draws { seed, split, item, quad: 0, lanes: [0; 4], used: 4 }
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

    /// Evenly between `low` and `high`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * uniform(self.bits())
    }

    /// Bell-shaped around 0, with a standard deviation of `sigma` and never beyond 3.5 of it: the sum of four uniform
    /// draws, which outliers cannot spoil and which every machine computes to the same bit.
    pub(super) fn bell(&mut self, sigma: f32) -> f32 {
        let sum: f32 = (0..4).map(|_| self.between(-0.5, 0.5)).sum();
        sum * 1.732_050_8 * sigma
    }
}
