//! The classes of a conditional model, whose decoder needs a label for each latent.

use common::model::Network;
use ndarray::Array1;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use vae_cli::{Error, Result};
use vae_stream::Tensor;

/// Which classes.
#[derive(clap::Args)]
#[command(next_help_heading = "Classes of a conditional model")]
pub struct ClassArgs {
    /// Draws of these classes, one class after the other; or a plane, or traversals, for each of them. Without it, draws go
    /// through all classes in turn. Points that are read have labels of their own
    #[arg(
        long,
        value_name = "0-9|3,5,7",
        value_delimiter = ',',
        allow_hyphen_values = true,
        conflicts_with_all = ["file", "interpolate"]
    )]
    classes: Option<Vec<Stretch>>,
    /// Draws of each class
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
    /// Those that are asked for, in order; none where the model is not conditional.
    ///
    /// # Errors
    /// Classes that the model does not have.
    pub fn of(&self, network: &Network) -> Result<Option<Vec<u8>>> {
        let (Some(asked), classes) = (&self.classes, network.classes) else { return Ok(None) };
        let Some(classes) = classes else {
            return Err(Error::Usage(
                "--classes: this model is not conditional: expected one that was trained with labels; leave out --classes, \
                 or train one with vae-train --classes K"
                    .into(),
            ));
        };
        match asked.iter().find(|stretch| stretch.last >= classes) {
            None => Ok(Some(asked.iter().flat_map(|stretch| stretch.first..=stretch.last).map(|y| y as u8).collect())),
            Some(stretch) => Err(Error::Usage(format!(
                "--classes {stretch}: expected classes of the model, 0 to {}, got {}",
                classes - 1,
                stretch.last
            ))),
        }
    }

    /// The same for a shape, which is called `what`: it says nothing of classes, and a conditional model needs some.
    ///
    /// # Errors
    /// Classes that the model does not have; none, if it has some.
    pub fn of_shape(&self, what: &str, network: &Network) -> Result<Vec<u8>> {
        match (self.of(network)?, network.classes) {
            (None, Some(classes)) => Err(Error::Usage(format!(
                "{what}: this model is conditional: expected a class from 0 to {} for what is made; give --classes, say \
                 --classes 0",
                classes - 1
            ))),
            (asked, _) => Ok(asked.unwrap_or_default()),
        }
    }

    /// How many draws, and of which classes: `number`, or as many as are `usual`, of all in turn; or those that are asked for.
    ///
    /// # Errors
    /// Classes that the model does not have; a number beside them.
    pub fn of_draws(&self, number: Option<u32>, usual: u32, network: &Network) -> Result<(usize, Option<Turns>)> {
        let Some(asked) = self.of(network)? else {
            let all = network.classes.map(|classes| (0..classes).map(|y| y as u8).collect());
            return Ok((number.unwrap_or(usual) as usize, all.map(|classes| Turns { classes, each: 1 })));
        };
        let (classes, each) = (asked.len(), self.per_class as usize);
        match number {
            None => Ok((classes * each, Some(Turns { classes: asked, each }))),
            Some(number) => Err(Error::Usage(format!(
                "-n {number}: --classes makes {} draws, {each} for each of {classes}: expected one of the two options; \
                 leave out -n, and see --per-class",
                classes * each
            ))),
        }
    }
}

/// Classes that go round: so many of one, then of the next, and after the last the first again.
pub struct Turns {
    classes: Vec<u8>,
    each: usize,
}

impl Turns {
    /// The labels of some of the sequence.
    pub fn labels(&self, which: Range<usize>) -> Vec<u8> {
        which.map(|k| self.classes[k / self.each % self.classes.len()]).collect()
    }
}

/// Labels as they leave.
pub fn tensor(labels: Vec<u8>) -> Tensor {
    Tensor::from_array(&Array1::from(labels))
}

/// A class, or several from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    first: usize,
    last: usize,
}

impl FromStr for Stretch {
    type Err = String;

    fn from_str(text: &str) -> Result<Stretch, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
        let stretch = number(first).zip(number(last)).map(|(first, last)| Stretch { first, last });
        let rising = stretch.filter(|stretch| stretch.first <= stretch.last);
        rising.ok_or_else(|| "expected numbers and ranges, as in 0-9, or 3,5,7, or 0-4,9".to_owned())
    }
}

impl fmt::Display for Stretch {
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
    fn a_stretch_is_a_class_or_a_range_that_does_not_fall() {
        assert_eq!("7".parse(), Ok(Stretch { first: 7, last: 7 }));
        assert_eq!("0-9".parse(), Ok(Stretch { first: 0, last: 9 }));
        assert_eq!("3-3".parse::<Stretch>().map(|s| s.to_string()), Ok("3".into()));
        for bad in ["", "-", "-1", "1-", "9-0", "0-9-3", "a", "+1", "1.5", "0..9", "99999999999999999999"] {
            assert!(bad.parse::<Stretch>().is_err(), "{bad}");
        }
    }

    #[test]
    fn turns_give_each_class_its_draws_and_begin_again() {
        let turns = Turns { classes: vec![3, 9, 3], each: 2 };
        assert_eq!(turns.labels(0..8), [3, 3, 9, 9, 3, 3, 3, 3]);
        assert_eq!(turns.labels(3..5), [9, 3]);
        assert!(turns.labels(4..4).is_empty());
    }
}
