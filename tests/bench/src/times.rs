//! Several measurements of one thing.

use serde_json::{Value, json};
use std::fmt::{Display, Formatter};

/// Measurements in the order of their rounds; shown as their median and, in brackets, their range.
#[derive(Clone, Debug, Default)]
pub struct Times(pub Vec<f64>);

impl Times {
    pub fn median(&self) -> f64 {
        let (sorted, n) = (self.sorted(), self.0.len());
        let at = |k: usize| sorted.get(k).copied().unwrap_or(f64::NAN);
        (at(n.saturating_sub(1) / 2) + at(n / 2)) / 2.0
    }
    pub fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }
    /// How many times `other` each is, round by round.
    pub fn over(&self, other: &Times) -> Times {
        self.with(other, |a, b| a / b)
    }
    /// Of two things measured in the same rounds.
    pub fn with(&self, other: &Times, f: impl Fn(f64, f64) -> f64) -> Times {
        Times(self.0.iter().zip(&other.0).map(|(a, b)| f(*a, *b)).collect())
    }
    /// The most less the least.
    pub fn spread(&self) -> f64 {
        let sorted = self.sorted();
        sorted.last().unwrap_or(&0.0) - sorted.first().unwrap_or(&0.0)
    }
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Times {
        Times(self.0.iter().map(|v| f(*v)).collect())
    }
    pub fn json(&self) -> Value {
        json!({"median": self.median(), "rounds": self.0})
    }
    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl Display for Times {
    fn fmt(&self, f: &mut Formatter) -> std::fmt::Result {
        let (sorted, digits) = (self.sorted(), f.precision().unwrap_or(1));
        let text = match &sorted[..] {
            [] => "-".to_owned(),
            [only] => format!("{only:.digits$}"),
            [least, .., most] => format!("{:.digits$} ({least:.digits$} to {most:.digits$})", self.median()),
        };
        write!(f, "{text:width$}", width = f.width().unwrap_or(0)) // `pad` would cut it to the precision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(values: &[f64]) -> Times {
        Times(values.to_vec())
    }

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_two() {
        assert_eq!(times(&[3.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(times(&[4.0, 1.0, 2.0, 3.0]).median(), 2.5);
        assert!(times(&[]).median().is_nan());
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        // The machine was half as fast in the second round: the ratio is still 2.
        assert_eq!(times(&[2.0, 4.0]).over(&times(&[1.0, 2.0])).0, [2.0, 2.0]);
        assert_eq!(times(&[2.0, 4.0]).over(&times(&[1.0])).0, [2.0], "a round that only one of them took has no ratio");
    }

    #[test]
    fn one_round_has_no_range_and_none_has_no_number() {
        assert_eq!(format!("{:.2}", times(&[1.5])), "1.50");
        assert_eq!(format!("{:.2}", times(&[1.5, 1.0, 3.0])), "1.50 (1.00 to 3.00)");
        assert_eq!(format!("{:.2}", times(&[])), "-");
    }

    #[test]
    fn the_spread_of_what_is_not_a_number_is_not_a_number() {
        assert_eq!(times(&[1.0, 4.0, 2.0]).spread(), 3.0);
        assert!(times(&[1.0, f64::NAN]).spread().is_nan());
        assert_eq!(times(&[]).spread(), 0.0);
    }
}
