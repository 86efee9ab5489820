//! Limits and ticks of axes.

use std::sync::Arc;

use kuva::render::layout::{Layout, TickFormat};

/// Most ticks of an axis.
const TICKS: f64 = 6.0;

/// The limits of an axis, and the step of its ticks: 1, 2 or 5 times a power of ten.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) step: f64,
}

impl Axis {
    /// Limits on ticks, with a margin around the values, but not below 0 for values that are not negative.
    pub(crate) fn continuous(values: impl IntoIterator<Item = f64>) -> Axis {
        let (low, high) = ends(values);
        let margin = 0.03 * (high - low);
        let (from, to) = (if low >= 0.0 { (low - margin).max(0.0) } else { low - margin }, high + margin);
        let step = step(to - from);
        let (min, max) = ((from / step).floor() * step, (to / step).ceil() * step);
        match min < max {
            true => Axis { min, max, step },
            false => Axis { min: min - step, max: max + step, step },
        }
    }

    /// Limits around integers, with a margin; ticks are integers.
    pub(crate) fn integer(values: impl IntoIterator<Item = f64>) -> Axis {
        let (first, last) = ends(values);
        let margin = if first < last { 0.03 * (last - first) } else { 0.5 };
        Axis { min: first - margin, max: last + margin, step: step(last - first).max(1.0) }
    }

    /// Two axes of the same length around the centre of points, for an equal aspect.
    pub(crate) fn equal_aspect(points: &[(f64, f64)]) -> [Axis; 2] {
        let [x, y] = [ends(points.iter().map(|at| at.0)), ends(points.iter().map(|at| at.1))];
        let length = (x.1 - x.0).max(y.1 - y.0);
        let half = if length > 0.0 { 0.52 * length } else { 1.0 };
        [x, y].map(|(low, high)| {
            let centre = low + (high - low) / 2.0;
            Axis { min: centre - half, max: centre + half, step: step(2.0 * half) }
        })
    }

    /// Tick labels with the decimals of the step.
    pub(crate) fn format(&self) -> TickFormat {
        match self.step {
            1e-4..1e6 => TickFormat::Fixed((-self.step.log10().floor()).max(0.0) as usize),
            _ => TickFormat::Custom(Arc::new(scientific)),
        }
    }
}

/// A layout with these axes, horizontal and vertical; `unit` in pixels.
pub(crate) fn layout([across, up]: [Axis; 2], unit: f64) -> Layout {
    Layout::new((across.min, across.max), (up.min, up.max))
        .with_scale(unit)
        .with_x_axis_min(across.min)
        .with_x_axis_max(across.max)
        .with_y_axis_min(up.min)
        .with_y_axis_max(up.max)
        .with_x_tick_step(across.step)
        .with_y_tick_step(up.step)
        .with_x_tick_format(across.format())
        .with_y_tick_format(up.format())
        .with_grid_line_width(0.6)
}

/// A number such as `2.5e-6`, rounded to four digits.
fn scientific(v: f64) -> String {
    let text = format!("{v:.3e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    match digits.trim_end_matches('0').trim_end_matches('.') {
        "0" | "-0" => "0".to_owned(),
        digits => format!("{digits}e{power}"),
    }
}

/// Minimum and maximum; 0 and 1 without values.
fn ends(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let ends = |(low, high): (f64, f64), v: f64| (low.min(v), high.max(v));
    match values.into_iter().fold((f64::INFINITY, f64::NEG_INFINITY), ends) {
        (low, high) if low <= high => (low, high),
        _ => (0.0, 1.0),
    }
}

/// The least step with at most [`TICKS`] ticks over a span; 1 for a span of 0.
fn step(span: f64) -> f64 {
    if span <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf((span / TICKS).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
    steps.into_iter().find(|step| span / step <= TICKS).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_goes_from_tick_to_tick() {
        assert_eq!(Axis::continuous([105.6, 154.1]), Axis { min: 100.0, max: 160.0, step: 10.0 });
        assert_eq!(Axis::continuous([-3.0, 2.9]), Axis { min: -4.0, max: 4.0, step: 2.0 });
        assert_eq!(Axis::continuous([0.0, 2.95]), Axis { min: 0.0, max: 4.0, step: 1.0 });
        assert_eq!(Axis::continuous([7.0]), Axis { min: 6.0, max: 8.0, step: 1.0 });
    }

    #[test]
    fn epochs_have_whole_ticks_and_few() {
        let steps = [1.0, 2.0, 7.0, 8.0, 20.0, 100.0, 500.0].map(|last| Axis::integer([1.0, last]).step);
        assert_eq!(steps, [1.0, 1.0, 1.0, 2.0, 5.0, 20.0, 100.0]);
        assert_eq!(Axis::integer([3.0]), Axis { min: 2.5, max: 3.5, step: 1.0 });
    }

    #[test]
    fn both_axes_have_the_same_scale() {
        let [x, y] = Axis::equal_aspect(&[(-2.0, 0.0), (2.0, 1.0)]);
        assert!((x.max - x.min - (y.max - y.min)).abs() < 1e-12 && x.max > 2.0 && y.min < -1.5, "{x:?} {y:?}");
        assert_eq!(Axis::equal_aspect(&[(5.0, 5.0)])[0], Axis { min: 4.0, max: 6.0, step: 0.5 });
    }

    #[test]
    fn tick_labels_have_the_decimals_of_the_step() {
        let shown = |step: f64, v| Axis { min: 0.0, max: 1.0, step }.format().format(v);
        assert_eq!(shown(20.0, 120.0), "120");
        assert_eq!(shown(0.005, 0.01), "0.010");
        assert_eq!(shown(0.5, 1.0), "1.0");
        assert_eq!([shown(1e7, 2e7), shown(2e-31, 3.0 * 2e-31), shown(1e-6, 0.0)], ["2e7", "6e-31", "0"]);
    }
}
