//! The legend of curves, and a corner where it hides none.

use kuva::plot::legend::{LegendEntry, LegendPosition, LegendShape};
use kuva::render::layout::Layout;

use crate::axis::Axis;
use crate::colours::{self, Colour};

/// Most width of a character, and the line height, in units.
const CHARACTER: [f64; 2] = [8.0, 18.0];
/// Width of the coloured lines with margins, and height of the margins, in units.
const FRAME: [f64; 2] = [40.0, 26.0];
/// Width and height of a panel outside its axes, in units.
const MARGINS: [f64; 2] = [85.0, 70.0];

/// Names and colours, from top to bottom.
pub(crate) struct Legend(pub(crate) Vec<(String, Colour)>);

/// A corner of a panel.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Corner {
    TopRight,
    BottomRight,
}

impl Legend {
    /// Width and height, in units.
    pub(crate) fn size(&self) -> [f64; 2] {
        let longest = self.0.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        [CHARACTER[0] * longest as f64 + FRAME[0], CHARACTER[1] * self.0.len() as f64 + FRAME[1]]
    }

    /// A corner that no curve crosses, in a panel of this width and height.
    pub(crate) fn corner(
        &self,
        panel: [f64; 2],
        [across, up]: [Axis; 2],
        curves: &[Vec<(f64, f64)>],
    ) -> Option<Corner> {
        let size = self.size();
        let [width, height] = [0, 1].map(|k| size[k] / (panel[k] - MARGINS[k]));
        let normalise =
            |(x, y): (f64, f64)| ((x - across.min) / (across.max - across.min), (y - up.min) / (up.max - up.min));
        let is_free = |corner: Corner| {
            let inside = |(x, y): (f64, f64)| {
                x > 1.0 - width
                    && match corner {
                        Corner::TopRight => y > 1.0 - height,
                        Corner::BottomRight => y < height,
                    }
            };
            !curves.iter().any(|curve| interpolate(curve).map(normalise).any(inside))
        };
        [Corner::TopRight, Corner::BottomRight].into_iter().find(|corner| is_free(*corner))
    }

    /// Adds it to a layout, in a corner or right of the panel.
    pub(crate) fn add_to(&self, layout: Layout, corner: Option<Corner>) -> Layout {
        let entry = |(label, colour): &(String, Colour)| LegendEntry {
            label: label.clone(),
            color: colours::hex(*colour),
            shape: LegendShape::Line,
            dasharray: None,
        };
        let position = match corner {
            Some(Corner::TopRight) => LegendPosition::InsideTopRight,
            Some(Corner::BottomRight) => LegendPosition::InsideBottomRight,
            None => LegendPosition::OutsideRightTop,
        };
        let entries = self.0.iter().map(entry).collect();
        layout.with_legend_entries(entries).with_legend_position(position).with_legend_box(false)
    }
}

/// Points on a polyline, its vertices among them.
fn interpolate(curve: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> {
    const STEPS: usize = 32;
    let between = |pair: &[(f64, f64)]| {
        let (from, to) = (pair[0], pair[pair.len() - 1]);
        (0..=STEPS).map(move |n| {
            let t = n as f64 / STEPS as f64;
            (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1))
        })
    };
    curve.windows(curve.len().min(2)).flat_map(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corner(curve: &[(f64, f64)]) -> Option<Corner> {
        let axis = Axis { min: 0.0, max: 10.0, step: 1.0 };
        let legend = Legend(vec![("test".into(), [0; 3]), ("training".into(), [0; 3])]);
        legend.corner([330.0, 300.0], [axis, axis], &[curve.to_vec()])
    }

    #[test]
    fn a_legend_is_in_a_corner_that_no_curve_crosses() {
        assert!(corner(&[(0.0, 10.0), (2.0, 2.0), (10.0, 1.0)]) == Some(Corner::TopRight));
        assert!(corner(&[(0.0, 0.0), (2.0, 8.0), (10.0, 9.0)]) == Some(Corner::BottomRight));
        assert!(corner(&[(10.0, 10.0)]) == Some(Corner::BottomRight));
    }

    #[test]
    fn a_curve_that_crosses_both_corners_leaves_none() {
        assert!(corner(&[(8.0, 0.0), (9.0, 10.0)]).is_none());
    }
}
