//! The classes of a conditional model, whose decoder needs a label for each latent.

use common::model::Network;
use ndarray::Array1;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use vae_cli::{Error, Result};
use vae_stream::Tensor;

/// Options that choose the classes.
#[derive(clap::Args)]
#[command(next_help_heading = "Classes of a conditional model")]
pub struct ClassArgs {
    /// Draws of these classes, one class after the other; or a grid, or traversals, for each of them [default: draws
    /// cycle through all classes]. Points that are read bring their own labels
    #[arg(
        long,
        value_name = "0-9|3,5,7",
        value_delimiter = ',',
        allow_hyphen_values = true,
        conflicts_with_all = ["file", "interpolate"]
    )]
    classes: Option<Vec<ClassRange>>,
    /// Draws per class
    #[arg(
        long,
        value_name = "K",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..),
        requires = "classes",
        conflicts_with_all = ["manifold", "path"]
    )]
    per_class: u32,
}

impl ClassArgs {
    /// The classes of --classes, in order; None without it.
    ///
    /// # Errors
    /// A model that is not conditional, or has fewer classes.
    pub fn requested(&self, network: &Network) -> Result<Option<Vec<u8>>> {
        let (Some(ranges), classes) = (&self.classes, network.classes) else { return Ok(None) };
        let Some(classes) = classes else {
            return Err(Error::Usage(
                "--classes: this model is not conditional: expected one that was trained with labels; leave out \
                 --classes, or train one with vae-train --classes K"
                    .into(),
            ));
        };
        match ranges.iter().find(|range| range.last >= classes) {
            None => Ok(Some(ranges.iter().flat_map(|range| range.first..=range.last).map(|y| y as u8).collect())),
            Some(range) => Err(Error::Usage(format!(
                "--classes {range}: expected classes of the model, 0 to {}, got {}",
                classes - 1,
                range.last
            ))),
        }
    }

    /// The classes of a grid or traversals, made by `option`, which in a conditional model have no default; empty in
    /// any other.
    ///
    /// # Errors
    /// As [`ClassArgs::requested`]; a conditional model without --classes.
    pub fn required(&self, option: &str, network: &Network) -> Result<Vec<u8>> {
        match (self.requested(network)?, network.classes) {
            (None, Some(classes)) => Err(Error::Usage(format!(
                "{option}: this model is conditional: expected a class from 0 to {}; give --classes, say --classes 0",
                classes - 1
            ))),
            (requested, _) => Ok(requested.unwrap_or_default()),
        }
    }

    /// The number of draws and their classes: `n` or `default` draws that cycle through all classes, or those of
    /// --classes.
    ///
    /// # Errors
    /// As [`ClassArgs::requested`]; both a number and --classes.
    pub fn of_draws(&self, n: Option<u32>, default: u32, network: &Network) -> Result<(usize, Option<ClassCycle>)> {
        let Some(requested) = self.requested(network)? else {
            let all = network.classes.map(|classes| (0..classes).map(|y| y as u8).collect());
            return Ok((n.unwrap_or(default) as usize, all.map(|classes| ClassCycle { classes, per_class: 1 })));
        };
        let (classes, per_class) = (requested.len(), self.per_class as usize);
        match n {
            None => Ok((classes * per_class, Some(ClassCycle { classes: requested, per_class }))),
            Some(n) => Err(Error::Usage(format!(
                "-n {n}: --classes makes {} draws, {per_class} for each of {classes}: expected one of the two \
                 options; leave out -n, and see --per-class",
                classes * per_class
            ))),
        }
    }
}

/// An endless cycle of classes, each repeated `per_class` times.
pub struct ClassCycle {
    classes: Vec<u8>,
    per_class: usize,
}

impl ClassCycle {
    /// The labels of a range of the sequence.
    pub fn labels(&self, range: Range<usize>) -> Vec<u8> {
        range.map(|k| self.classes[k / self.per_class % self.classes.len()]).collect()
    }
}

/// Labels as a tensor y `[N]`.
pub fn tensor(labels: Vec<u8>) -> Tensor {
    Tensor::from_array(&Array1::from(labels))
}

/// The classes `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
struct ClassRange {
    first: usize,
    last: usize,
}

impl FromStr for ClassRange {
    type Err = String;

    fn from_str(text: &str) -> Result<ClassRange, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
        let range = number(first).zip(number(last)).map(|(first, last)| ClassRange { first, last });
        let increasing = range.filter(|range| range.first <= range.last);
        increasing.ok_or_else(|| "expected numbers and ranges, as in 0-9, or 3,5,7, or 0-4,9".to_owned())
    }
}

impl fmt::Display for ClassRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_range_is_one_class_or_an_increasing_pair() {
        assert_eq!("7".parse(), Ok(ClassRange { first: 7, last: 7 }));
        assert_eq!("0-9".parse(), Ok(ClassRange { first: 0, last: 9 }));
        assert_eq!("3-3".parse::<ClassRange>().map(|s| s.to_string()), Ok("3".into()));
        for bad in ["", "-", "-1", "1-", "9-0", "0-9-3", "a", "+1", "1.5", "0..9", "99999999999999999999"] {
            assert!(bad.parse::<ClassRange>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cycle_repeats_each_class_and_then_starts_again() {
        let cycle = ClassCycle { classes: vec![3, 9, 3], per_class: 2 };
        assert_eq!(cycle.labels(0..8), [3, 3, 9, 9, 3, 3, 3, 3]);
        assert_eq!(cycle.labels(3..5), [9, 3]);
        assert!(cycle.labels(4..4).is_empty());
    }
}
