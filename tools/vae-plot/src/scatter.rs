//! Points of a plane, coloured by their labels.

use kuva::plot::ScatterPlot;
use kuva::render::layout::{ComputedLayout, Layout};
use kuva::render::render::{Scene, render_multiple};

use crate::axis::{self, Axis};
use crate::badges::{self, Badge};
use crate::classes::Classes;
use crate::colours;
use crate::picture::Sheet;
use crate::points::Points;

/// Units that the drawing needs.
pub(crate) const NEEDS: [f64; 2] = [520.0, 460.0];

/// The points in the order in which they came, so that no class lies over the others.
pub(crate) fn draw(points: &Points, sheet: Sheet) -> Scene {
    let classes = Classes::of(points.labels.as_deref().unwrap_or_default());
    let (size, opacity) = dots(points.at.len());
    let mut scatter = ScatterPlot::new()
        .with_data(points.at.iter().copied())
        .with_color(colours::hex(colours::of(0, 1)))
        .with_size(size * sheet.unit)
        .with_marker_opacity(opacity);
    if let Some(labels) = &points.labels {
        scatter = scatter.with_colors(labels.iter().map(|label| colours::hex(classes.colour(*label))));
    }
    let layout = layout(points, &classes, sheet);
    let computed = ComputedLayout::from_layout(&layout);
    let placed = |badge: Badge| Badge { at: (computed.map_x(badge.at.0), computed.map_y(badge.at.1)), ..badge };
    let badges = classes.badges(points).into_iter().map(placed).collect();
    let mut scene = render_multiple(vec![scatter.into()], layout);
    badges::add(badges, &mut scene, sheet.unit);
    scene
}

fn layout(points: &Points, classes: &Classes, sheet: Sheet) -> Layout {
    let [across, up] = &points.axes;
    let layout = axis::layout(Axis::square(&points.at), sheet.unit)
        .with_width(sheet.width)
        .with_height(sheet.height)
        .with_x_label(across)
        .with_y_label(up)
        .with_equal_aspect();
    match points.labels {
        Some(_) => layout.with_legend_entries(classes.legend()).with_legend_box(false),
        None => layout,
    }
}

/// The radius of a dot in units, and its opacity: many are small and let others show through.
fn dots(count: usize) -> (f64, f64) {
    match count {
        0..=500 => (2.5, 0.85),
        501..=3000 => (1.8, 0.7),
        3001..=20_000 => (1.3, 0.55),
        _ => (1.0, 0.4),
    }
}
