//! A sparkline: `▇▃▂▁`.

use std::collections::VecDeque;

/// The most numbers shown, the latest.
const LENGTH: usize = 16;
/// From the minimum to the maximum.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The latest of some numbers, such as the losses of epochs.
#[derive(Debug, Default)]
pub struct Spark(VecDeque<f64>);

impl Spark {
    /// Appends a number.
    pub fn push(&mut self, value: f64) {
        if self.0.len() == LENGTH {
            self.0.pop_front();
        }
        self.0.push_back(value);
    }

    /// A character per number, scaled to minimum and maximum; empty for fewer than two numbers.
    pub fn text(&self) -> String {
        let (low, high) = self.0.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
        if self.0.len() < 2 {
            return String::new();
        }
        let part = |v: f64| if high > low { (v - low) / (high - low) } else { 0.0 };
        self.0.iter().map(|v| LEVELS[(part(*v) * (LEVELS.len() - 1) as f64).round() as usize]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spark(values: &[f64]) -> String {
        let mut spark = Spark::default();
        values.iter().for_each(|v| spark.push(*v));
        spark.text()
    }

    #[test]
    fn the_greatest_is_a_full_block_and_the_least_a_line() {
        assert_eq!(spark(&[8.0, 4.0, 2.0, 1.0]), "█▄▂▁");
        assert_eq!(spark(&[-1.0, 0.0, 1.0]), "▁▅█");
    }

    #[test]
    fn numbers_that_are_the_same_are_a_line_and_one_is_nothing() {
        assert_eq!(spark(&[3.0, 3.0]), "▁▁");
        assert_eq!((spark(&[3.0]), spark(&[])), (String::new(), String::new()));
    }

    #[test]
    fn the_latest_are_shown() {
        let values: Vec<f64> = (0..40).map(|n| 40.0 - n as f64).collect();
        assert_eq!(spark(&values), spark(&values[24..]));
        assert_eq!(spark(&values).chars().count(), LENGTH);
    }
}
