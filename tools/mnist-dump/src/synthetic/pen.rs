//! Rasterisation: paths of the pen become grey pixels.

use super::hand::Dot;

/// Side of the picture.
pub(super) const SIDE: usize = 28;

/// Pixels over which the edge of a line fades from white to black.
const FADE: f32 = 1.4;

/// Appends the picture of `paths` to `pixels`, row by row.
pub(super) fn draw(paths: &[Vec<Dot>], pixels: &mut Vec<u8>) {
    // The distance from the centre of each pixel to the ink.
    let mut distances = [f32::MAX; SIDE * SIDE];
    for pair in paths.iter().flat_map(|path| path.windows(2)) {
        line(pair[0], pair[1], &mut distances);
    }
    pixels.extend(distances.iter().map(|distances| ((0.5 - distances / FADE).clamp(0.0, 1.0) * 255.0 + 0.5) as u8));
}

/// Lowers `distances` around a straight segment whose radius is interpolated between its ends.
fn line(a: Dot, b: Dot, distances: &mut [f32; SIDE * SIDE]) {
    let reach = a.r.max(b.r) + FADE;
    let range = |p: f32, q: f32| {
        let low = (p.min(q) - reach).max(0.0) as usize;
        let high = (p.max(q) + reach).clamp(0.0, SIDE as f32) as usize;
        low..high.max(low)
    };
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let squared = (dx * dx + dy * dy).max(1e-9);
    for row in range(a.y, b.y) {
        for column in range(a.x, b.x) {
            let (x, y) = (column as f32 + 0.5 - a.x, row as f32 + 0.5 - a.y);
            let t = ((x * dx + y * dy) / squared).clamp(0.0, 1.0);
            let (x, y) = (x - t * dx, y - t * dy);
            let distance = (x * x + y * y).sqrt() - (a.r + t * (b.r - a.r));
            let least = &mut distances[row * SIDE + column];
            *least = least.min(distance);
        }
    }
}
