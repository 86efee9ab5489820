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
