//! A palette for every kind of colour vision.

/// Red, green, blue.
pub(crate) type Colour = [u8; 3];

/// Ten colours for classes and runs: M. A. Petroff, Accessible color sequences for data visualization, 2021
/// (arXiv:2107.02270). As people with no red cones see them, the two nearest are 6.1 apart in Oklab (times 100); of
/// matplotlib's ten they are 0.7 apart.
const TEN: [Colour; 10] = [
    [0x3f, 0x90, 0xda],
    [0xff, 0xa9, 0x0e],
    [0xbd, 0x1f, 0x01],
    [0x94, 0xa4, 0xa2],
    [0x83, 0x2d, 0xb6],
    [0xa9, 0x6b, 0x59],
    [0xe7, 0x63, 0x00],
    [0xb9, 0xac, 0x70],
    [0x71, 0x75, 0x81],
    [0x92, 0xda, 0xdd],
];

/// Colour `n` of `count`: one of ten, or of the colormap turbo for more.
pub(crate) fn of(n: usize, count: usize) -> Colour {
    match count {
        0..=10 => TEN[n],
        _ => colorous::TURBO.eval_rational(n, count).as_array(),
    }
}

/// The colour at two fifths of its distance from white.
pub(crate) fn paler(colour: Colour) -> Colour {
    colour.map(|level| 255 - (255 - level) / 5 * 2)
}

/// `#rrggbb`.
pub(crate) fn hex([r, g, b]: Colour) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}
