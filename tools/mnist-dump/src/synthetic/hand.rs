//! A hand: the random distortions of a glyph.

use super::glyphs::Glyph;
use super::random::Random;

/// A point of a pen's path, in pixels, and the radius of the ink there.
#[derive(Clone, Copy)]
pub(super) struct Dot {
    pub x: f32,
    pub y: f32,
    pub r: f32,
}

/// Points of the curve from one knot to the next.
const STEPS: usize = 6;

/// The distortion of one digit. Means and standard deviations make digits as various as MNIST's.
struct Hand {
    slant: f32,
    width: f32,
    turn: f32,
    bend: [f32; 6],
}

impl Hand {
    fn new(random: &mut Random) -> Hand {
        Hand {
            slant: 0.15 + random.bell(0.275),
            width: 1.02 + random.bell(0.2),
            turn: random.bell(0.075),
            bend: std::array::from_fn(|_| random.bell(0.14)),
        }
    }

    /// The position of a point of the glyph: jittered, then bent, scaled, slanted and rotated with the whole digit.
    fn knot(&self, (x, y): (i8, i8), random: &mut Random) -> [f32; 2] {
        let x = f32::from(x) / 100.0 - 0.3 + random.bell(0.022);
        let y = f32::from(y) / 100.0 - 0.5 + random.bell(0.022);
        let [a, b, c, d, e, f] = self.bend;
        let (x, y) = (x + a * y * y + b * x * y + c * x * x, y + d * x * x + e * x * y + f * y * y);
        [self.width * x - (self.slant + self.turn) * y, y + self.turn * x]
    }
}

/// The paths of the pen that write `glyph` on a 28 x 28 picture.
pub(super) fn write(glyph: &Glyph, random: &mut Random) -> Vec<Vec<Dot>> {
    let hand = Hand::new(random);
    let size = random.uniform(18.5, 20.6);
    let radius = (1.22 + random.bell(0.28)).max(0.5);
    let place = [random.bell(0.55), random.bell(0.55)];

    let mut joints: Vec<((i8, i8), [f32; 2])> = Vec::new();
    let mut paths: Vec<Vec<Dot>> = Vec::new();
    for stroke in glyph.strokes {
        let mut knots = Vec::with_capacity(stroke.len());
        for point in *stroke {
            let known = joints.iter().find(|(joint, _)| joint == point).map(|(_, knot)| *knot);
            let knot = known.unwrap_or_else(|| hand.knot(*point, random));
            joints.push((*point, knot));
            knots.push(knot);
        }
        let (from, to) = (radius * (1.0 + random.bell(0.1)), radius * (1.0 + random.bell(0.1)));
        paths.push(curve(&knots, |way| from + (to - from) * way));
    }
    fit(&mut paths, size, radius, place);
    paths
}

/// The Catmull-Rom curve through `knots`, with the radius as a function of the position along it (0 to 1).
fn curve(knots: &[[f32; 2]], radius: impl Fn(f32) -> f32) -> Vec<Dot> {
    let last = knots.len() - 1;
    let mut dots = Vec::with_capacity(last * STEPS + 1);
    for k in 0..last {
        let (a, b, c, d) = (knots[k.saturating_sub(1)], knots[k], knots[k + 1], knots[(k + 2).min(last)]);
        if b == c {
            continue;
        }
        let steps = STEPS + usize::from(k + 1 == last);
        for step in 0..steps {
            let t = step as f32 / STEPS as f32;
            let at = |i: usize| {
                let (p, q, r, s) = (a[i], b[i], c[i], d[i]);
                q + 0.5 * t * (r - p + t * (2.0 * p - 5.0 * q + 4.0 * r - s + t * (3.0 * (q - r) + s - p)))
            };
            dots.push(Dot { x: at(0), y: at(1), r: radius((k as f32 + t) / last as f32) });
        }
    }
    dots
}

/// MNIST's normalisation: the digit fills a box of 20 pixels, with its centre of mass in the centre of the picture.
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
