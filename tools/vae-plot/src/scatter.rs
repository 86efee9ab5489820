//! A scatter plot of points, coloured by their labels.

use kuva::plot::ScatterPlot;
use kuva::render::layout::{ComputedLayout, Layout};
use kuva::render::render::{Scene, render_multiple};

use crate::annotations::{self, Annotation};
use crate::axis::{self, Axis};
use crate::classes::Classes;
use crate::colours;
use crate::picture::Canvas;
use crate::points::Points;

/// Width and height, in units.
pub(crate) const SIZE: [f64; 2] = [520.0, 460.0];

/// Draws the points in the order of the stream, so that no class hides the others.
pub(crate) fn draw(points: &Points, canvas: Canvas) -> Scene {
    let classes = Classes::of(points.labels.as_deref().unwrap_or_default());
    let (size, opacity) = marker(points.at.len());
    let mut scatter = ScatterPlot::new()
        .with_data(points.at.iter().copied())
        .with_color(colours::hex(colours::of(0, 1)))
        .with_size(size * canvas.unit)
        .with_marker_opacity(opacity);
    if let Some(labels) = &points.labels {
        scatter = scatter.with_colors(labels.iter().map(|label| colours::hex(classes.colour(*label))));
    }
    let layout = layout(points, &classes, canvas);
    let computed = ComputedLayout::from_layout(&layout);
    let to_pixels = |a: Annotation| Annotation { at: (computed.map_x(a.at.0), computed.map_y(a.at.1)), ..a };
    let annotations = classes.annotations(points).into_iter().map(to_pixels).collect();
    let mut scene = render_multiple(vec![scatter.into()], layout);
    annotations::draw(annotations, &mut scene, canvas.unit);
    scene
}

fn layout(points: &Points, classes: &Classes, canvas: Canvas) -> Layout {
    let [across, up] = &points.axes;
    let layout = axis::layout(Axis::equal_aspect(&points.at), canvas.unit)
        .with_width(canvas.width)
        .with_height(canvas.height)
        .with_x_label(across)
        .with_y_label(up)
        .with_equal_aspect();
    match points.labels {
        Some(_) => layout.with_legend_entries(classes.legend()).with_legend_box(false),
        None => layout,
    }
}

/// The radius of a marker in units, and its opacity: many points overlap less if small, and show through.
fn marker(count: usize) -> (f64, f64) {
    match count {
        0..=500 => (2.5, 0.85),
        501..=3000 => (1.8, 0.7),
        3001..=20_000 => (1.3, 0.55),
        _ => (1.0, 0.4),
    }
}
