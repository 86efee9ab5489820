//! Selection of the images of a source, and their order.

use std::str::FromStr;

use vae_numerics::rng::{Purpose, permutation};

use crate::indices::Indices;
use crate::source::Source;
use crate::{Error, Result, meant};

/// The selection. The options apply in the order in which they stand here: `--shuffle -n 100` takes a hundred at random,
/// and the shards of any command, one after the other, are what the command gives without `--shard`.
#[derive(clap::Args, Debug, Default)]
pub struct SelectionArgs {
    /// Take only images with these labels, numbers or names of classes, as in 3,7
    #[arg(long, value_name = "LABELS", value_delimiter = ',')]
    only: Vec<String>,
    /// Shuffle what --only leaves
    #[arg(long)]
    shuffle: bool,
    /// Leave out the first N of these
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: usize,
    /// Take at most N of the rest
    #[arg(short, value_name = "N")]
    n: Option<usize>,
    /// Cut that into N blocks and take number I, from 1: joined in order, the shards 1/4 to 4/4 are the whole
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
}

/// One of several blocks of nearly equal size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shard {
    index: u32,
    count: u32,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Shard { index, count }),
            _ => Err("expected I/N with I from 1 to N, as in 1/4".into()),
        }
    }
}

impl SelectionArgs {
    /// Whether the images are read in random order.
    pub fn shuffles(&self) -> bool {
        self.shuffle
    }

    /// The indices of the selected images of `source`, in order. `seed` is the key of the shuffle.
    ///
    /// # Errors
    /// [`Error::Usage`] for --only without labels or with an unknown one, and for --shuffle of more than 2^32 - 1 images.
    pub fn indices(&self, source: &dyn Source, seed: u32) -> Result<Indices> {
        let mut indices = source.indices();
        if !self.only.is_empty() {
            if !source.has_labels() {
                return Err(Error::Usage("--only: expected images with labels, got none; give their labels".into()));
            }
            let labels = self.only.iter().map(|label| number(label, source.classes())).collect::<Result<Vec<_>>>()?;
            let is_selected = |i: &usize| labels.contains(&source.label(*i));
            indices = Indices::List((0..indices.len()).map(|k| indices.get(k)).filter(is_selected).collect());
        }
        if self.shuffle {
            let count = indices.len();
            if count > u32::MAX as usize {
                let message = format!("--shuffle: expected at most {} images, got {count}", u32::MAX);
                return Err(Error::Usage(message + "; shuffle a part at a time"));
            }
            let shuffled = permutation(count, seed, Purpose::Shuffle, 0);
            indices = Indices::List(shuffled.into_iter().map(|k| indices.get(k as usize)).collect());
        }
        let start = self.skip.min(indices.len());
        let end = start + self.n.unwrap_or(usize::MAX).min(indices.len() - start);
        let Shard { index, count } = self.shard.unwrap_or(Shard { index: 1, count: 1 });
        let edge = |k: u32| start + ((end - start) as u128 * u128::from(k) / u128::from(count)) as usize;
        Ok(indices.slice(edge(index - 1)..edge(index)))
    }
}

/// The number of a label, which may be the name of a class.
fn number(label: &str, classes: &[String]) -> Result<u16> {
    let known = classes.iter().position(|class| class == label).map(|number| number as u16);
    known.or_else(|| label.trim().parse().ok()).ok_or_else(|| {
        let names = if classes.is_empty() { "" } else { ", or the name of a class" };
        let meant = meant(label, &classes.iter().map(String::as_str).collect::<Vec<_>>());
        Error::Usage(format!("--only: expected the number of a label{names}, got {label}{meant}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::InMemory;
    use vae_stream::Dtype;

    fn indices(args: &SelectionArgs, count: usize) -> Vec<usize> {
        let labels = (0..count).map(|i| i as u8 % 3).collect();
        let pixels = vec![0; count];
        let source = InMemory { shape: vec![1, 1], dtype: Dtype::U8, pixels, labels: Some(labels) };
        let indices = args.indices(&source, 7).unwrap();
        (0..indices.len()).map(|k| indices.get(k)).collect()
    }

    #[test]
    fn options_apply_in_their_order() {
        let args =
            SelectionArgs { only: vec!["1".into(), "2".into()], skip: 1, n: Some(3), ..SelectionArgs::default() };
        assert_eq!(indices(&args, 9), [2, 4, 5]);
    }

    #[test]
    fn a_label_is_the_name_of_a_class_or_a_number() {
        let classes = ["3", "cat"].map(str::to_owned);
        let labels = ["cat", "3", "1"].map(|label| number(label, &classes).unwrap());
        assert_eq!(labels, [1, 0, 1]);
        let error = number("car", &classes).unwrap_err();
        let expected = "--only: expected the number of a label, or the name of a class, got car; did you mean cat?";
        assert_eq!((error.to_string().as_str(), error.exit_code()), (expected, 2));
    }

    #[test]
    fn shards_joined_are_the_whole() {
        let shard = |index, count| SelectionArgs {
            shuffle: true,
            shard: Some(Shard { index, count }),
            ..SelectionArgs::default()
        };
        for count in [1, 2, 7] {
            let joined: Vec<usize> = (1..=count).flat_map(|index| indices(&shard(index, count), 10)).collect();
            assert_eq!(joined, indices(&shard(1, 1), 10), "{count} shards");
        }
    }
}
