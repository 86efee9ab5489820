//! Digits that need no data: pen strokes, drawn anew for each item.
mod draws;
mod glyphs;
mod hand;
mod pen;

use draws::Draws;
use glyphs::GLYPHS;

/// Marks these draws among all that a seed is used for; the split is added.
const PURPOSE: u32 = 0x6469_6700;

/// An endless set of digits.
pub(crate) struct Synthetic {
    pub seed: u64,
    pub split: u32,
}

impl Synthetic {
    fn draws(&self, i: u64) -> Draws {
        Draws::new(self.seed, PURPOSE + self.split, i)
    }

    pub(crate) fn label(&self, i: u64) -> u8 {
        self.draws(i).below(10) as u8
    }

    pub(crate) fn image(&self, i: u64, pixels: &mut Vec<u8>) {
        let mut draws = self.draws(i);
        let ways = GLYPHS[draws.below(10) as usize];
        let mut pick = draws.below(100);
        let way = ways.iter().find(|way| {
            let found = pick < way.share;
            pick = pick.wrapping_sub(way.share);
            found
        });
        let paths = hand::write(way.unwrap_or(&ways[0]), &mut draws);
        pen::draw(&paths, pixels);
    }
}
