//! Colormaps by matplotlib's names, from d3's schemes. viridis, magma, inferno and plasma differ by at most one level
//! of 255, the others by few: d3 interpolates Brewer's colours by splines, matplotlib linearly; cividis and turbo are
//! fits. Names with another meaning in matplotlib are left out.

use std::array;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use colorous::Gradient;

/// The colours of the 256 levels; none for grey.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Colormap {
    colours: Option<Box<[[u8; 3]; 256]>>,
}

macro_rules! maps {
    ($($name:literal = $gradient:ident),* $(,)?) => { [$(($name, concat!($name, "_r"), colorous::$gradient)),*] };
}

/// Name, name of the reverse, colours.
const MAPS: [(&str, &str, Gradient); 32] = maps![
    "viridis" = VIRIDIS,
    "magma" = MAGMA,
    "inferno" = INFERNO,
    "plasma" = PLASMA,
    "cividis" = CIVIDIS,
    "turbo" = TURBO,
    "Greys" = GREYS,
    "Blues" = BLUES,
    "Greens" = GREENS,
    "Oranges" = ORANGES,
    "Purples" = PURPLES,
    "Reds" = REDS,
    "BuGn" = BLUE_GREEN,
    "BuPu" = BLUE_PURPLE,
    "GnBu" = GREEN_BLUE,
    "OrRd" = ORANGE_RED,
    "PuBu" = PURPLE_BLUE,
    "PuBuGn" = PURPLE_BLUE_GREEN,
    "PuRd" = PURPLE_RED,
    "RdPu" = RED_PURPLE,
    "YlGn" = YELLOW_GREEN,
    "YlGnBu" = YELLOW_GREEN_BLUE,
    "YlOrBr" = YELLOW_ORANGE_BROWN,
    "YlOrRd" = YELLOW_ORANGE_RED,
    "BrBG" = BROWN_GREEN,
    "PRGn" = PURPLE_GREEN,
    "PiYG" = PINK_GREEN,
    "RdBu" = RED_BLUE,
    "RdGy" = RED_GREY,
    "RdYlBu" = RED_YELLOW_BLUE,
    "RdYlGn" = RED_YELLOW_GREEN,
    "Spectral" = SPECTRAL,
];

impl Colormap {
    /// Parses a name, ignoring case; reversed maps are not listed.
    pub(crate) fn parser() -> impl TypedValueParser<Value = Colormap> {
        let listed = ["gray"].into_iter().chain(MAPS.iter().map(|map| map.0)).map(PossibleValue::new);
        let reversed = MAPS.iter().map(|map| PossibleValue::new(map.1).hide(true));
        PossibleValuesParser::new(listed.chain(reversed)).map(|name| Colormap::named(&name))
    }

    pub(crate) fn named(name: &str) -> Colormap {
        let same = |known: &str| known.eq_ignore_ascii_case(name);
        let colours = MAPS.iter().find(|map| same(map.0) || same(map.1)).map(|&(straight, _, gradient)| {
            let at = |level| if same(straight) { level } else { 255 - level };
            Box::new(array::from_fn(|level| gradient.eval_rational(at(level), 256).into_array()))
        });
        Colormap { colours }
    }

    /// Whether it is grey.
    pub(crate) fn is_gray(&self) -> bool {
        self.colours.is_none()
    }

    /// The colour of a level.
    pub(crate) fn colour(&self, level: u8) -> [u8; 3] {
        self.colours.as_ref().map_or([level; 3], |colours| colours[usize::from(level)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels 0, 64, 128, 192 and 255 in matplotlib 3.11.2: `matplotlib.colormaps[name](level)`, times 255.
    #[test]
    fn colours_are_those_of_matplotlib_within_10_of_255() {
        let known = [
            ("viridis", [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]]),
            ("magma", [[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]]),
            ("BuGn", [[247, 252, 253], [204, 236, 230], [101, 194, 163], [34, 138, 68], [0, 68, 27]]),
            ("Greys", [[255, 255, 255], [217, 217, 217], [149, 149, 149], [81, 81, 81], [0, 0, 0]]),
            ("RdBu", [[103, 0, 31], [229, 131, 104], [246, 247, 247], [104, 171, 208], [5, 48, 97]]),
        ];
        for (name, colours) in known {
            let map = Colormap::named(name);
            for (level, expected) in [0, 64, 128, 192, 255].into_iter().zip(colours) {
                let got = map.colour(level);
                assert!(
                    got.iter().zip(expected).all(|(&a, b): (_, u8)| a.abs_diff(b) <= 10),
                    "{name} at {level}: expected {expected:?}, got {got:?}"
                );
            }
        }
    }

    #[test]
    fn a_reversed_map_begins_with_the_last_colour() {
        let (straight, reversed) = (Colormap::named("BuGn"), Colormap::named("bugn_r"));
        assert!((0..=255).all(|level| reversed.colour(level) == straight.colour(255 - level)));
    }

    #[test]
    fn gray_has_no_colours() {
        let gray = Colormap::named("gray");
        assert!(gray.is_gray() && gray.colour(7) == [7; 3]);
        assert!(!Colormap::named("Greys").is_gray());
    }
}
