//! A hand: what makes each writing of a digit differ from the others.

use super::draws::Draws;
use super::glyphs::Glyph;

/// A point of a pen's path, in pixels: where, and the radius of the ink there.
#[derive(Clone, Copy)]
pub(super) struct Dot {
    pub x: f32,
    pub y: f32,
    pub r: f32,
}

/// Points between two neighbours of a stroke.
const FINE: usize = 6;

/// Writes `glyph` once: the paths of the pen on a 28 x 28 picture.
pub(super) fn write(glyph: &Glyph, draws: &mut Draws) -> Vec<Vec<Dot>> {
    let jitter = 0.035;
    let slant = 0.15 + draws.bell(0.26);
    let width = 1.0 + draws.bell(0.16);
    let turn = draws.bell(0.06);
    let bend: [f32; 6] = std::array::from_fn(|_| draws.bell(0.12));
    let size = 20.0 + draws.between(-1.5, 0.6);
    let radius = (1.22 + draws.bell(0.32)).max(0.5);
    let place = [draws.bell(0.4), draws.bell(0.4)];

    let mut seen: Vec<([f32; 2], [f32; 2])> = Vec::new();
    let mut paths: Vec<Vec<Dot>> = glyph
        .strokes
        .iter()
        .map(|stroke| {
            let knots: Vec<[f32; 2]> = stroke
                .iter()
                .map(|&p| {
                    if let Some((_, moved)) = seen.iter().find(|(from, _)| *from == p) {
                        return *moved;
                    }
                    let moved = [p[0] + draws.bell(jitter), p[1] + draws.bell(jitter)];
                    seen.push((p, moved));
                    moved
                })
                .collect();
            let press = [draws.bell(0.1), draws.bell(0.1)];
            curve(&knots, |at| radius * (1.0 + press[0] + (press[1] - press[0]) * at))
        })
        .collect();
    for dot in paths.iter_mut().flatten() {
        let (x, y) = (dot.x - 0.3, dot.y - 0.5);
        let x1 = x + bend[0] * y * y + bend[1] * x * y + bend[2] * x * x;
        let y1 = y + bend[3] * x * x + bend[4] * x * y + bend[5] * y * y;
        dot.x = width * x1 - slant * y1 - turn * y1;
        dot.y = y1 + turn * x1;
    }
    fit(&mut paths, size, radius, place);
    paths
}

/// The Catmull-Rom curve through `knots`, with the radius as a function of the way gone (0 to 1).
fn curve(knots: &[[f32; 2]], radius: impl Fn(f32) -> f32) -> Vec<Dot> {
    let last = knots.len() - 1;
    let mut dots = Vec::with_capacity(last * FINE + 1);
    for k in 0..last {
        let (a, b, c, d) = (knots[k.saturating_sub(1)], knots[k], knots[k + 1], knots[(k + 2).min(last)]);
        if b == c {
            continue;
        }
        let steps = FINE + usize::from(k + 1 == last);
        for step in 0..steps {
            let t = step as f32 / FINE as f32;
            let at = |i: usize| {
                let (p, q, r, s) = (a[i], b[i], c[i], d[i]);
                q + 0.5 * t * (r - p + t * (2.0 * p - 5.0 * q + 4.0 * r - s + t * (3.0 * (q - r) + s - p)))
            };
            dots.push(Dot { x: at(0), y: at(1), r: radius((k as f32 + t) / last as f32) });
        }
    }
    dots
}

/// As MNIST does it: the digit fills a box of 20 pixels, and the centre of its ink lies in the middle of the picture.
fn fit(paths: &mut [Vec<Dot>], size: f32, radius: f32, place: [f32; 2]) {
    let all = || paths.iter().flatten();
    let span = |f: fn(&Dot) -> f32| {
        let (low, high) = all().map(f).fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(v), high.max(v)));
        high - low
    };
    let scale = (size - 2.0 * radius) / span(|d| d.x).max(span(|d| d.y));
    let (mut mass, mut x, mut y) = (0.0, 0.0, 0.0);
    for pair in paths.iter().flat_map(|path| path.windows(2)) {
        let (dx, dy) = (pair[1].x - pair[0].x, pair[1].y - pair[0].y);
        let ink = (dx * dx + dy * dy).sqrt() * (pair[0].r + pair[1].r);
        mass += ink;
        x += ink * (pair[0].x + pair[1].x) / 2.0;
        y += ink * (pair[0].y + pair[1].y) / 2.0;
    }
    let (cx, cy) = (x / mass, y / mass);
    for dot in paths.iter_mut().flatten() {
        dot.x = (dot.x - cx) * scale + 14.0 + place[0];
        dot.y = (dot.y - cy) * scale + 14.0 + place[1];
    }
}
