//! Handwriting-like digits without data: strokes of a pen, distorted at random.
//!
//! Item i is a function of the seed, the split and i alone, in additions, multiplications and square roots, so that its
//! pixels are the same on every machine and in every shard.

mod glyphs;
mod hand;
mod pen;
mod random;

use glyphs::GLYPHS;
use random::Random;
use vae_cli::Result;
use vae_cli::source::Source;

/// Digits of one split.
pub(crate) struct Synthetic {
    /// The key of all random numbers.
    pub seed: u32,
    /// 0 for training, 1 for test: other items of the same distribution.
    pub split: u32,
    /// The number of items.
    pub count: u32,
}

impl Synthetic {
    /// The random numbers of item `i`, of which the first gave its digit.
    fn digit(&self, i: usize) -> (Random, u8) {
        let mut random = Random::new(self.seed, self.split, i as u32);
        let digit = random.below(10) as u8;
        (random, digit)
    }
}

impl Source for Synthetic {
    fn count(&self) -> usize {
        self.count as usize
    }

    fn shape(&self) -> Vec<usize> {
        vec![pen::SIDE, pen::SIDE]
    }

    fn has_labels(&self) -> bool {
        true
    }

    fn label(&self, i: usize) -> u16 {
        self.digit(i).1.into()
    }

    fn random_access(self: Box<Self>) -> Result<Box<dyn Source>> {
        Ok(self)
    }

    fn read(&mut self, i: usize, pixels: &mut Vec<u8>) -> Result<()> {
        let (mut random, digit) = self.digit(i);
        let glyph = glyphs::choose(GLYPHS[digit as usize], random.below(100));
        pen::draw(&hand::write(glyph, &mut random), pixels);
        Ok(())
    }
}
