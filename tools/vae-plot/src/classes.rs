//! The labels of points, each with a colour.

use std::collections::{BTreeMap, BTreeSet};

use kuva::plot::legend::{LegendEntry, LegendShape};

use crate::annotations::Annotation;
use crate::colours::{self, Colour};
use crate::points::Points;

/// Most labels in the legend; of more, evenly spaced ones are shown.
const MAX_LEGEND: usize = 16;
/// Most classes with annotations.
const MAX_ANNOTATIONS: usize = 10;

/// The distinct labels of the points.
pub(crate) struct Classes(BTreeMap<i64, Colour>);

impl Classes {
    /// A digit has the same colour in every set of digits.
    pub(crate) fn of(labels: &[i64]) -> Classes {
        let labels: BTreeSet<i64> = labels.iter().copied().collect();
        let (digits, count) = (labels.iter().all(|label| (0..10).contains(label)), labels.len());
        let colour = |(n, label): (usize, i64)| {
            (label, colours::of(if digits { label as usize } else { n }, if digits { 10 } else { count }))
        };
        Classes(labels.into_iter().enumerate().map(colour).collect())
    }

    /// The colour of a label.
    pub(crate) fn colour(&self, label: i64) -> Colour {
        self.0[&label]
    }

    /// The legend, by ascending label.
    pub(crate) fn legend(&self) -> Vec<LegendEntry> {
        let last = self.0.len().saturating_sub(1);
        let shown: BTreeSet<usize> = (0..MAX_LEGEND).map(|n| n * last / (MAX_LEGEND - 1)).collect();
        let entry = |(label, colour): (&i64, &Colour)| LegendEntry {
            label: label.to_string(),
            color: colours::hex(*colour),
            shape: LegendShape::Circle,
            dasharray: None,
        };
        let all = self.0.iter().enumerate();
        all.filter(|(n, _)| last < MAX_LEGEND || shown.contains(n)).map(|(_, class)| entry(class)).collect()
    }

    /// The name of each class at the median of its points; none for a single class or for many.
    pub(crate) fn annotations(&self, points: &Points) -> Vec<Annotation> {
        let Some(labels) = &points.labels else { return Vec::new() };
        if !(2..=MAX_ANNOTATIONS).contains(&self.0.len()) {
            return Vec::new();
        }
        let annotation = |(label, colour): (&i64, &Colour)| {
            let own = || labels.iter().zip(&points.at).filter(|(other, _)| *other == label).map(|(_, at)| *at);
            let at = (median(own().map(|at| at.0)), median(own().map(|at| at.1)));
            Annotation { name: label.to_string(), colour: *colour, at }
        };
        self.0.iter().map(annotation).collect()
    }
}

/// The median; of an even number of values the upper middle.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_digits_have_the_colours_that_they_have_among_all() {
        let (all, some) = (Classes::of(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), Classes::of(&[8, 3, 8]));
        assert_eq!([some.colour(3), some.colour(8)], [all.colour(3), all.colour(8)]);
    }

    #[test]
    fn many_labels_have_as_many_colours_and_a_legend_of_some() {
        let labels: Vec<i64> = (100..147).collect();
        let classes = Classes::of(&labels);
        let colours: BTreeSet<Colour> = labels.iter().map(|label| classes.colour(*label)).collect();
        assert_eq!(colours.len(), 47);
        let legend: Vec<String> = classes.legend().into_iter().map(|entry| entry.label).collect();
        assert_eq!((legend.len(), &legend[0][..], &legend[15][..]), (16, "100", "146"));
    }

    #[test]
    fn an_annotation_is_at_the_median_of_its_points() {
        let at = vec![(0.0, 1.0), (9.0, 9.0), (4.0, 2.0), (100.0, 3.0)];
        let points = Points { at, labels: Some(vec![1, 2, 1, 1]), axes: Default::default() };
        let annotations = Classes::of(&[1, 2, 1, 1]).annotations(&points);
        assert_eq!(
            annotations.iter().map(|a| (&a.name[..], a.at)).collect::<Vec<_>>(),
            [("1", (4.0, 2.0)), ("2", (9.0, 9.0))]
        );
    }
}
