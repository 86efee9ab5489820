//! Class names among the points, since ten colours are hard to tell apart.

use kuva::render::color::Color;
use kuva::render::render::{Primitive, Scene, TextAnchor};

use crate::colours::{self, Colour};

/// Radius of the circle, in units.
const RADIUS: f64 = 8.5;
/// Width of its border, in units.
const BORDER: f64 = 1.5;
/// Font size, in units.
const FONT_SIZE: f64 = 12.0;
/// Iterations of overlap removal.
const ITERATIONS: usize = 50;

/// The name of a class in a circle, at the median of its points.
pub(crate) struct Annotation {
    pub(crate) name: String,
    pub(crate) colour: Colour,
    pub(crate) at: (f64, f64),
}

/// Draws annotations over a scene, moved apart where they overlap.
pub(crate) fn draw(mut annotations: Vec<Annotation>, scene: &mut Scene, unit: f64) {
    remove_overlaps(&mut annotations, (2.0 * RADIUS + BORDER) * unit);
    let rgb = |[r, g, b]: Colour| Color::Rgb(r, g, b);
    for annotation in annotations {
        let (cx, cy) = annotation.at;
        scene.add(Primitive::Circle {
            cx,
            cy,
            r: RADIUS * unit,
            fill: rgb(colours::paler(colours::paler(annotation.colour))),
            fill_opacity: Some(0.9),
            stroke: Some(rgb(annotation.colour)),
            stroke_width: Some(BORDER * unit),
        });
        scene.add(Primitive::Text {
            x: cx,
            y: cy + 0.36 * FONT_SIZE * unit, // half of a digit's height
            content: annotation.name,
            size: (FONT_SIZE * unit).round() as u32,
            anchor: TextAnchor::Middle,
            rotate: None,
            bold: true,
            color: None,
        });
    }
}

/// Moves each pair of centres to this distance, half each, until the last iteration.
fn remove_overlaps(annotations: &mut [Annotation], distance: f64) {
    for _ in 0..ITERATIONS {
        for a in 0..annotations.len() {
            for b in 0..a {
                let (dx, dy) = (annotations[a].at.0 - annotations[b].at.0, annotations[a].at.1 - annotations[b].at.1);
                let length = dx.hypot(dy);
                if length < distance {
                    // Equal centres move apart horizontally.
                    let (dx, dy) = if length > 0.0 { (dx / length, dy / length) } else { (1.0, 0.0) };
                    let half = 0.5 * (distance - length);
                    annotations[a].at = (annotations[a].at.0 + half * dx, annotations[a].at.1 + half * dy);
                    annotations[b].at = (annotations[b].at.0 - half * dx, annotations[b].at.1 - half * dy);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_do_not_overlap() {
        let annotation = |at| Annotation { name: "1".into(), colour: [0; 3], at };
        let mut annotations = [(5.0, 5.0), (5.0, 5.0), (6.0, 5.0), (90.0, 9.0)].map(annotation);
        remove_overlaps(&mut annotations, 10.0);
        for a in 0..annotations.len() {
            for b in 0..a {
                let (a, b) = (annotations[a].at, annotations[b].at);
                assert!((a.0 - b.0).hypot(a.1 - b.1) > 9.9, "{a:?} {b:?}");
            }
        }
        assert_eq!(annotations[3].at, (90.0, 9.0));
    }
}
