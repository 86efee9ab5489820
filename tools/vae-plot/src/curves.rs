//! Losses by epoch, in panels side by side.

use kuva::plot::{LinePlot, ScatterPlot};
use kuva::render::figure::Figure;
use kuva::render::plots::Plot;
use kuva::render::render::Scene;
use vae_stream::record::{KL, LOSS, MSE, RECON};

use crate::axis::{self, Axis};
use crate::colours::{self, Colour};
use crate::legend::{Corner, Legend};
use crate::picture::Canvas;
use crate::run::{Images, Run};
use crate::text;

/// Width and height of one of several panels, in units.
const PANEL: [f64; 2] = [330.0, 300.0];
/// Width and height of a single panel, in units.
const SINGLE_PANEL: [f64; 2] = [460.0, 300.0];
/// Space between panels, in units.
const SPACING: f64 = 8.0;
/// Most epochs of a curve with markers.
const MAX_MARKERS: usize = 30;
/// The colour of legend lines that are of no single run.
const GREY: Colour = [0x60, 0x60, 0x60];

/// The layout of a figure of losses.
pub(crate) struct Curves {
    panels: Vec<Panel>,
    legend: Legend,
    /// The corner of the first panel for the legend; none puts it right of the last panel.
    corner: Option<Corner>,
}

struct Panel {
    label: String,
    axes: [Axis; 2],
    curves: Vec<Curve>,
}

impl Curves {
    /// A panel for each name.
    pub(crate) fn new(runs: &[Run], names: &[String]) -> Curves {
        let has_test = runs.iter().any(|run| names.iter().any(|name| !run.curve(Images::Test, name).is_empty()));
        let panels: Vec<_> = names.iter().map(|name| Panel::new(runs, name, has_test)).collect();
        let legend = legend(runs, has_test);
        let size = if panels.len() == 1 { SINGLE_PANEL } else { PANEL };
        let points: Vec<_> = panels[0].curves.iter().map(|curve| curve.points.clone()).collect();
        Curves { corner: legend.corner(size, panels[0].axes, &points), panels, legend }
    }

    /// Width and height, in units.
    pub(crate) fn size(&self) -> [f64; 2] {
        let [width, height] = if self.panels.len() == 1 { SINGLE_PANEL } else { PANEL };
        [width * self.panels.len() as f64 + self.legend_width(), height.max(self.legend.size()[1])]
    }

    /// The width of a legend right of the last panel, in units.
    fn legend_width(&self) -> f64 {
        if self.corner.is_none() { self.legend.size()[0] } else { 0.0 }
    }

    /// Draws the figure.
    pub(crate) fn draw(self, canvas: Canvas) -> Scene {
        let (unit, count, legend_width) = (canvas.unit, self.panels.len(), self.legend_width());
        let holder = if self.corner.is_some() { 0 } else { count - 1 };
        let (mut plots, mut layouts) = (Vec::new(), Vec::new());
        for (n, panel) in self.panels.into_iter().enumerate() {
            let layout = axis::layout(panel.axes, unit).with_x_label("epoch").with_y_label(panel.label);
            layouts.push(if n == holder { self.legend.add_to(layout, self.corner) } else { layout });
            plots.push(panel.curves.into_iter().flat_map(|curve| curve.draw(unit)).collect());
        }
        // The legend widens the last column; all panels have the same width.
        let panels_width = canvas.width - (SPACING * (count + 1) as f64 + legend_width) * unit;
        Figure::new(1, count)
            .with_plots(plots)
            .with_layouts(layouts)
            .with_spacing(SPACING * unit)
            .with_padding(SPACING * unit)
            .with_figure_size(canvas.width, canvas.height)
            .with_col_width(count - 1, panels_width / count as f64 + legend_width * unit)
            .render()
    }
}

/// For one run, test and training in its colours; for several, the runs, then test and training in grey.
fn legend(runs: &[Run], has_test: bool) -> Legend {
    let mut lines = Vec::new();
    if runs.len() > 1 {
        lines.extend(runs.iter().enumerate().map(|(n, run)| (text::plain(&run.name), colours::of(n, runs.len()))));
    }
    let colour = if runs.len() > 1 { GREY } else { colours::of(0, 1) };
    match has_test {
        true => lines.extend([("test".to_owned(), colour), ("training".to_owned(), colours::paler(colour))]),
        false => lines.push(("training".to_owned(), colour)),
    }
    Legend(lines)
}

impl Panel {
    /// Training curves first: test curves, in full colour, are drawn over them.
    fn new(runs: &[Run], name: &str, has_test: bool) -> Panel {
        let curves = |images: Images, width: f64| {
            runs.iter().enumerate().map(move |(n, run)| {
                let full = colours::of(n, runs.len());
                let colour = if images == Images::Train && has_test { colours::paler(full) } else { full };
                Curve { points: run.curve(images, name), colour, width }
            })
        };
        let mut curves: Vec<Curve> = curves(Images::Train, 1.5).chain(curves(Images::Test, 2.0)).collect();
        curves.retain(|curve| !curve.points.is_empty());
        let points = || curves.iter().flat_map(|curve| &curve.points);
        let axes = [Axis::integer(points().map(|at| at.0)), Axis::continuous(points().map(|at| at.1))];
        let label = match name {
            LOSS => "loss (nats per image)".to_owned(),
            RECON => "reconstruction (nats per image)".to_owned(),
            KL => "KL divergence (nats per image)".to_owned(),
            MSE => "squared error (per pixel)".to_owned(),
            other => text::plain(other),
        };
        Panel { label, axes, curves }
    }
}

struct Curve {
    points: Vec<(f64, f64)>,
    colour: Colour,
    /// Width of the line, in units.
    width: f64,
}

impl Curve {
    /// A line, with markers if the epochs are few.
    fn draw(self, unit: f64) -> Vec<Plot> {
        let (colour, width) = (colours::hex(self.colour), self.width * unit);
        let markers = (self.points.len() <= MAX_MARKERS).then(|| {
            ScatterPlot::new().with_data(self.points.clone()).with_color(&colour).with_size(1.3 * width).into()
        });
        let line = LinePlot::new().with_data(self.points).with_color(&colour).with_stroke_width(width).into();
        [Some(line), markers].into_iter().flatten().collect()
    }
}
