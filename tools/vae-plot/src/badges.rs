//! The names of classes where their points are, since no ten colours are easy to tell apart.

use kuva::render::color::Color;
use kuva::render::render::{Primitive, Scene, TextAnchor};

use crate::colours::{self, Colour};

/// Units of a badge's radius.
const RADIUS: f64 = 8.5;
/// Units of its border.
const BORDER: f64 = 1.5;
/// Units of its letters.
const LETTER: f64 = 12.0;
/// Times that badges are pushed apart where they overlap.
const PUSHES: usize = 50;

/// A class, in the middle of its points on the picture.
pub(crate) struct Badge {
    pub(crate) name: String,
    pub(crate) colour: Colour,
    pub(crate) at: (f64, f64),
}

/// Draws badges over what is there, pushed apart until none hides another.
pub(crate) fn add(mut badges: Vec<Badge>, scene: &mut Scene, unit: f64) {
    push_apart(&mut badges, (2.0 * RADIUS + BORDER) * unit);
    let rgb = |[r, g, b]: Colour| Color::Rgb(r, g, b);
    for badge in badges {
        let (cx, cy) = badge.at;
        scene.add(Primitive::Circle {
            cx,
            cy,
            r: RADIUS * unit,
            fill: rgb(colours::paler(colours::paler(badge.colour))),
            fill_opacity: Some(0.9),
            stroke: Some(rgb(badge.colour)),
            stroke_width: Some(BORDER * unit),
        });
        scene.add(Primitive::Text {
            x: cx,
            y: cy + 0.36 * LETTER * unit, // half of a digit's height
            content: badge.name,
            size: (LETTER * unit).round() as u32,
            anchor: TextAnchor::Middle,
            rotate: None,
            bold: true,
            color: None,
        });
    }
}

fn push_apart(badges: &mut [Badge], distance: f64) {
    for _ in 0..PUSHES {
        for a in 0..badges.len() {
            for b in 0..a {
                let (dx, dy) = (badges[a].at.0 - badges[b].at.0, badges[a].at.1 - badges[b].at.1);
                let length = dx.hypot(dy);
                if length < distance {
                    // On one another they part sideways.
                    let (dx, dy) = if length > 0.0 { (dx / length, dy / length) } else { (1.0, 0.0) };
                    let half = 0.5 * (distance - length);
                    badges[a].at = (badges[a].at.0 + half * dx, badges[a].at.1 + half * dy);
                    badges[b].at = (badges[b].at.0 - half * dx, badges[b].at.1 - half * dy);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn badges_do_not_hide_one_another() {
        let badge = |at| Badge { name: "1".into(), colour: [0; 3], at };
        let mut badges = vec![badge((5.0, 5.0)), badge((5.0, 5.0)), badge((6.0, 5.0)), badge((90.0, 9.0))];
        push_apart(&mut badges, 10.0);
        for a in 0..badges.len() {
            for b in 0..a {
                let (a, b) = (badges[a].at, badges[b].at);
                assert!((a.0 - b.0).hypot(a.1 - b.1) > 9.9, "{a:?} {b:?}");
            }
        }
        assert_eq!(badges[3].at, (90.0, 9.0));
    }
}
