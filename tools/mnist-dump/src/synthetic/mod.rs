//! Handwritten digits that need no data: for each item a hand is drawn at random and writes a digit with a pen.
//!
//! Item i is a function of the seed, the split and i alone, in additions, multiplications and square roots, so that it
//! has the same pixels wherever and with however many others it is made.

mod draws;
mod glyphs;
mod hand;
mod pen;

use vae_cli::Result;

use crate::source::Source;
use draws::Draws;
use glyphs::GLYPHS;

/// Digits of one split.
pub(crate) struct Synthetic {
    /// Chooses all.
    pub seed: u32,
    /// 0 for training, 1 for test: other items of the same kind.
    pub split: u32,
    /// How many there are.
    pub count: u32,
}

impl Synthetic {
    /// The draws for item `i` and the first thing drawn, its digit.
    fn digit(&self, i: usize) -> (Draws, u8) {
        let mut draws = Draws::new(self.seed, self.split, i as u32);
        let digit = draws.below(10) as u8;
        (draws, digit)
    }
}

impl Source for Synthetic {
    fn count(&self) -> usize {
        self.count as usize
    }

    fn size(&self) -> [usize; 2] {
        [pen::SIDE, pen::SIDE]
    }

    fn labelled(&self) -> bool {
        true
    }

    fn label(&self, i: usize) -> u8 {
        self.digit(i).1
    }

    fn hold(self: Box<Self>) -> Result<Box<dyn Source>> {
        Ok(self)
    }

    fn image(&mut self, i: usize, pixels: &mut Vec<u8>) -> Result<()> {
        let (mut draws, digit) = self.digit(i);
        let glyph = glyphs::choose(GLYPHS[digit as usize], draws.below(100));
        pen::draw(&hand::write(glyph, &mut draws), pixels);
        Ok(())
    }
}
