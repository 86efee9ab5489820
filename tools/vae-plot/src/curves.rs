//! Curves by epoch, in panels side by side.

use kuva::plot::{LinePlot, ScatterPlot};
use kuva::render::figure::Figure;
use kuva::render::plots::Plot;
use kuva::render::render::Scene;

use crate::axis::{self, Axis};
use crate::colours::{self, Colour};
use crate::legend::{Corner, Legend};
use crate::picture::Sheet;
use crate::run::{Images, Quantity, Run};
use crate::text;

/// Units that a panel needs; one that is alone is wider.
const PANEL: [f64; 2] = [330.0, 300.0];
const ALONE: [f64; 2] = [460.0, 300.0];
/// Units between panels.
const SPACE: f64 = 8.0;
/// Epochs up to which each has a dot of its own.
const DOTS: usize = 30;
/// Where nothing tells runs apart.
const GREY: Colour = [0x60, 0x60, 0x60];

/// Losses by epoch, as they will be drawn.
pub(crate) struct Curves {
    panels: Vec<Panel>,
    legend: Legend,
    /// Where the legend is in the first panel; else it is beside the last.
    corner: Option<Corner>,
}

struct Panel {
    name: &'static str,
    axes: [Axis; 2],
    curves: Vec<Curve>,
}

impl Curves {
    /// A panel for each quantity.
    pub(crate) fn new(runs: &[Run], quantities: &[Quantity]) -> Curves {
        let tests = runs.iter().any(|run| quantities.iter().any(|quantity| run.has(Images::Test, *quantity)));
        let panels: Vec<_> = quantities.iter().map(|quantity| Panel::new(runs, *quantity, tests)).collect();
        let legend = legend(runs, tests);
        let size = if panels.len() == 1 { ALONE } else { PANEL };
        let points: Vec<_> = panels[0].curves.iter().map(|curve| curve.points.clone()).collect();
        Curves { corner: legend.corner(size, panels[0].axes, &points), panels, legend }
    }

    /// The units that they need.
    pub(crate) fn needs(&self) -> [f64; 2] {
        let [width, height] = if self.panels.len() == 1 { ALONE } else { PANEL };
        [width * self.panels.len() as f64 + self.beside(), height.max(self.legend.size()[1])]
    }

    /// The units of a legend that stands beside the last panel.
    fn beside(&self) -> f64 {
        if self.corner.is_none() { self.legend.size()[0] } else { 0.0 }
    }

    /// Draws them.
    pub(crate) fn draw(self, sheet: Sheet) -> Scene {
        let (unit, count, beside) = (sheet.unit, self.panels.len(), self.beside());
        let holder = if self.corner.is_some() { 0 } else { count - 1 };
        let (mut plots, mut layouts) = (Vec::new(), Vec::new());
        for (n, panel) in self.panels.into_iter().enumerate() {
            let layout = axis::layout(panel.axes, unit).with_x_label("epoch").with_y_label(panel.name);
            layouts.push(if n == holder { self.legend.put(layout, self.corner) } else { layout });
            plots.push(panel.curves.into_iter().flat_map(|curve| curve.draw(unit)).collect());
        }
        // What stands beside the last panel makes it wider, and the others no narrower.
        let room = sheet.width - (SPACE * (count + 1) as f64 + beside) * unit;
        Figure::new(1, count)
            .with_plots(plots)
            .with_layouts(layouts)
            .with_spacing(SPACE * unit)
            .with_padding(SPACE * unit)
            .with_figure_size(sheet.width, sheet.height)
            .with_col_width(count - 1, room / count as f64 + beside * unit)
            .render()
    }
}

/// Of one run its images; of several the runs, and then the images in grey.
fn legend(runs: &[Run], tests: bool) -> Legend {
    let mut lines = Vec::new();
    if runs.len() > 1 {
        lines.extend(runs.iter().enumerate().map(|(n, run)| (text::plain(&run.name), colours::of(n, runs.len()))));
    }
    let colour = if runs.len() > 1 { GREY } else { colours::of(0, 1) };
    match tests {
        true => lines.extend([("test".to_owned(), colour), ("training".to_owned(), colours::paler(colour))]),
        false => lines.push(("training".to_owned(), colour)),
    }
    Legend(lines)
}

impl Panel {
    /// Training losses first, so that the others, in full colour, lie over them.
    fn new(runs: &[Run], quantity: Quantity, tests: bool) -> Panel {
        let of = |images: Images, width: f64| {
            runs.iter().enumerate().map(move |(n, run)| {
                let own = colours::of(n, runs.len());
                let colour = if images == Images::Train && tests { colours::paler(own) } else { own };
                Curve { points: run.curve(images, quantity), colour, width }
            })
        };
        let curves = of(Images::Train, 1.5).chain(of(Images::Test, 2.0)).filter(|curve| !curve.points.is_empty());
        let curves: Vec<Curve> = curves.collect();
        let points = || curves.iter().flat_map(|curve| &curve.points);
        let axes = [Axis::counting(points().map(|at| at.0)), Axis::around(points().map(|at| at.1))];
        let name = match quantity {
            Quantity::Loss => "loss (nats per image)",
            Quantity::Recon => "reconstruction (nats per image)",
            Quantity::Kl => "KL divergence (nats per image)",
            Quantity::Mse => "squared error (per pixel)",
        };
        Panel { name, axes, curves }
    }
}

struct Curve {
    points: Vec<(f64, f64)>,
    colour: Colour,
    /// Units of the line.
    width: f64,
}

impl Curve {
    /// A line, with a dot for each epoch if they are few; a single epoch is a dot.
    fn draw(self, unit: f64) -> Vec<Plot> {
        let (colour, width) = (colours::hex(self.colour), self.width * unit);
        let dots = (self.points.len() <= DOTS).then(|| {
            ScatterPlot::new().with_data(self.points.clone()).with_color(&colour).with_size(1.3 * width).into()
        });
        let line = LinePlot::new().with_data(self.points).with_color(&colour).with_stroke_width(width).into();
        [Some(line), dots].into_iter().flatten().collect()
    }
}
