//! Which of a source's images are dumped, and in which order.

use std::ops::Range;
use std::str::FromStr;

use vae_cli::{Error, Result};
use vae_numerics::rng::{Purpose, permutation};

use crate::source::Source;

/// What to take. The options apply in the order in which they stand here: `--shuffle -n 100` takes a hundred at random,
/// and the shards of any command, one after the other, are what the command gives without `--shard`.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Choice {
    /// Take only images with these labels, as in 3,7
    #[arg(long, value_name = "LABELS", value_delimiter = ',')]
    pub only: Vec<u8>,
    /// Shuffle what --only leaves
    #[arg(long)]
    pub shuffle: bool,
    /// Leave out the first N of these
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip: usize,
    /// Take at most N of the rest
    #[arg(short, value_name = "N")]
    pub n: Option<usize>,
    /// Cut that into N blocks and take number I, from 1: joined in order, the shards 1/4 to 4/4 are the whole
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
}

/// One of several blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shard {
    block: u32,
    blocks: u32,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((block, blocks)) if (1..=blocks).contains(&block) => Ok(Shard { block, blocks }),
            _ => Err("expected I/N with I from 1 to N, as in 1/4".into()),
        }
    }
}

/// Numbers of images: a stretch of them, which takes no memory however long, or a list.
#[derive(Debug, PartialEq)]
pub(crate) enum Order {
    Stretch(Range<usize>),
    List(Vec<usize>),
}

impl Choice {
    /// The numbers of the images of `source` that are asked for, in order.
    pub(crate) fn of(&self, source: &dyn Source, seed: u32) -> Result<Order> {
        let mut order = Order::Stretch(0..source.count());
        if !self.only.is_empty() {
            if !source.labelled() {
                return Err(Error::Usage("--only: expected images with labels, got none; see --labels".into()));
            }
            order = Order::List((0..source.count()).filter(|i| self.only.contains(&source.label(*i))).collect());
        }
        if self.shuffle {
            if order.len() > u32::MAX as usize {
                let message = format!("--shuffle: expected at most {} images, got {}", u32::MAX, order.len());
                return Err(Error::Usage(message + "; shuffle each --split"));
            }
            let shuffled = permutation(order.len(), seed, Purpose::Shuffle, 0);
            order = Order::List(shuffled.into_iter().map(|k| order.get(k as usize)).collect());
        }
        let start = self.skip.min(order.len());
        let end = start + self.n.unwrap_or(usize::MAX).min(order.len() - start);
        let Shard { block, blocks } = self.shard.unwrap_or(Shard { block: 1, blocks: 1 });
        let edge = |k: u32| start + ((end - start) as u128 * u128::from(k) / u128::from(blocks)) as usize;
        Ok(order.cut(edge(block - 1)..edge(block)))
    }
}

impl Order {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Order::Stretch(range) => range.end - range.start,
            Order::List(list) => list.len(),
        }
    }

    /// The number at place `k`.
    pub(crate) fn get(&self, k: usize) -> usize {
        match self {
            Order::Stretch(range) => range.start + k,
            Order::List(list) => list[k],
        }
    }

    fn cut(self, part: Range<usize>) -> Order {
        match self {
            Order::Stretch(range) => Order::Stretch(range.start + part.start..range.start + part.end),
            Order::List(list) => Order::List(list[part].to_vec()),
        }
    }
}
