//! Which of a source's images are dumped, and in which order.

use std::ops::Range;
use std::str::FromStr;

use common::rng::{Purpose, permutation};
use common::{Error, Result};

use crate::source::Source;

/// What to take. The options apply in the order in which they stand here; so `--shuffle -n 100` takes a hundred at
/// random, and the shards of any command, one after the other, are what the command gives without `--shard`.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Choice {
    /// Take only images with these labels, as in 3,7
    #[arg(long, value_name = "LABELS", value_delimiter = ',')]
    pub only: Vec<u8>,

    /// Shuffle, by --seed
    #[arg(long)]
    pub shuffle: bool,

    /// Leave out the first N
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip: u64,

    /// Take at most N
    #[arg(short, value_name = "N")]
    pub n: Option<u64>,

    /// Take block I of N blocks of equal length: 1/4 is the first quarter, 4/4 the last
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
        let parse =
            |(block, blocks): (&str, &str)| Some(Shard { block: block.parse().ok()?, blocks: blocks.parse().ok()? });
        match text.split_once('/').and_then(parse) {
            Some(shard) if (1..=shard.blocks).contains(&shard.block) => Ok(shard),
            _ => Err("expected I/N with I from 1 to N, as in 1/4".into()),
        }
    }
}

/// Numbers of images: a stretch of them, which takes no memory however long, or a list.
#[derive(Debug, PartialEq)]
pub(crate) enum Order {
    Stretch(Range<u64>),
    List(Vec<u64>),
}

impl Choice {
    /// The numbers of the images of `source` that are asked for, in order.
    pub(crate) fn of(&self, source: &dyn Source, seed: u32) -> Result<Order> {
        let mut order = Order::Stretch(0..source.count());
        if !self.only.is_empty() {
            if !source.labelled() {
                return Err(Error::Usage("--only needs labels, and these images have none; see --labels".into()));
            }
            order = Order::List((0..source.count()).filter(|i| self.only.contains(&source.label(*i))).collect());
        }
        if self.shuffle {
            let count = usize::try_from(order.len()).ok().filter(|n| u32::try_from(*n).is_ok());
            let count = count.ok_or_else(|| Error::Usage(format!("cannot shuffle {} images", order.len())))?;
            let shuffled = permutation(count, seed, Purpose::Shuffle, 0);
            order = Order::List(shuffled.into_iter().map(|k| order.get(k.into())).collect());
        }
        let start = self.skip.min(order.len());
        let end = start + self.n.unwrap_or(u64::MAX).min(order.len() - start);
        let Shard { block, blocks } = self.shard.unwrap_or(Shard { block: 1, blocks: 1 });
        let edge = |k: u32| start + (u128::from(end - start) * u128::from(k) / u128::from(blocks)) as u64;
        Ok(order.cut(edge(block - 1)..edge(block)))
    }
}

impl Order {
    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Order::Stretch(range) => range.end - range.start,
            Order::List(list) => list.len() as u64,
        }
    }

    /// The number at place `k`.
    pub(crate) fn get(&self, k: u64) -> u64 {
        match self {
            Order::Stretch(range) => range.start + k,
            Order::List(list) => list[k as usize],
        }
    }

    fn cut(self, part: Range<u64>) -> Order {
        match self {
            Order::Stretch(range) => Order::Stretch(range.start + part.start..range.start + part.end),
            Order::List(list) => Order::List(list[part.start as usize..part.end as usize].to_vec()),
        }
    }
}
