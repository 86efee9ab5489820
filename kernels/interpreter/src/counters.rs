//! Counts of what a kernel executes and moves, by instruction.

use crate::ptx::Kernel;
use std::collections::BTreeMap;

/// What an instruction has done.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Count {
    /// Warps that executed it.
    pub warps: u64,
    /// Lanes of them that took part.
    pub lanes: u64,
    /// Of shared memory: passes over the banks. Of global memory: sectors of 32 bytes.
    pub transfers: u64,
    /// The same, if no two lanes collided and no byte of a sector were left out.
    pub ideal: u64,
}

impl Count {
    fn add(&mut self, other: &Count) {
        self.warps += other.warps;
        self.lanes += other.lanes;
        self.transfers += other.transfers;
        self.ideal += other.ideal;
    }
}

/// The counts of launches, by kernel.
#[derive(Default)]
pub struct Counters {
    kernels: BTreeMap<String, Vec<Count>>,
    /// Without passes over banks, which take the most time to count.
    pub without_banks: bool,
}

impl Counters {
    /// Counts without passes over banks.
    pub(crate) fn without_banks() -> Counters {
        Counters { without_banks: true, ..Counters::default() }
    }
    /// The counts of each instruction of a kernel, in the order of its code.
    pub(crate) fn of(&mut self, kernel: &Kernel) -> &mut [Count] {
        let counts = self.kernels.entry(kernel.name.clone()).or_default();
        counts.resize(kernel.code.len(), Count::default());
        counts
    }
    /// The counts of a kernel by opcode, of the lines of PTX in this range.
    pub fn by_opcode(&self, kernel: &Kernel, lines: std::ops::Range<usize>) -> BTreeMap<String, Count> {
        let mut all = BTreeMap::<String, Count>::new();
        for (instruction, count) in kernel.code.iter().zip(self.kernels.get(&kernel.name).into_iter().flatten()) {
            if lines.contains(&instruction.line) && count.warps > 0 {
                all.entry(instruction.opcode.to_string()).or_default().add(count);
            }
        }
        all
    }
}

/// The passes over the banks of shared memory for these addresses of active lanes, and the least number. Lanes are served
/// 32 words at a time: all of them for words, half for pairs, a quarter for four words.
pub(crate) fn wavefronts(addresses: &[u64; 32], active: u32, bytes: u32) -> (u64, u64) {
    let together = (128 / bytes.max(4)) as usize;
    let (mut passes, mut ideal) = (0, 0);
    for group in (0..32).step_by(together) {
        let lanes = (group..group + together).filter(|lane| active >> lane & 1 == 1);
        let mut words: Vec<u64> =
            lanes.flat_map(|lane| addresses[lane] / 4..(addresses[lane] + u64::from(bytes)).div_ceil(4)).collect();
        words.sort_unstable();
        words.dedup(); // equal words are broadcast
        let mut banks = [0; 32];
        words.iter().for_each(|word| banks[(word % 32) as usize] += 1);
        let most = *banks.iter().max().expect("32 banks");
        passes += most;
        ideal += u64::from(most > 0);
    }
    (passes, ideal)
}

/// The sectors of global memory that these addresses touch, and how many their bytes would fill. (Two lanes have the same
/// bytes, or no byte in common.)
pub(crate) fn sectors(addresses: &[u64; 32], active: u32, bytes: u32) -> (u64, u64) {
    let (mut starts, mut count) = ([0; 32], 0);
    for lane in (0..32).filter(|lane| active >> lane & 1 == 1) {
        starts[count] = addresses[lane];
        count += 1;
    }
    let starts = &mut starts[..count];
    if !starts.is_sorted() {
        starts.sort_unstable();
    }
    let (mut touched, mut distinct, mut next, mut before) = (0, 0, 0, None);
    for &start in &*starts {
        let (first, end) = (next.max(start / 32), (start + u64::from(bytes)).div_ceil(32));
        touched += end.saturating_sub(first);
        next = next.max(end);
        distinct += u64::from(before.replace(start) != Some(start));
    }
    (touched, (distinct * u64::from(bytes)).div_ceil(32))
}

#[cfg(test)]
mod tests {
    use super::{sectors, wavefronts};

    #[test]
    fn banks_and_sectors() {
        let lanes = |stride: u64| std::array::from_fn(|lane| lane as u64 * stride);
        assert_eq!(wavefronts(&lanes(4), u32::MAX, 4), (1, 1));
        assert_eq!(wavefronts(&lanes(8), u32::MAX, 4), (2, 1));
        assert_eq!(wavefronts(&lanes(128), u32::MAX, 4), (32, 1));
        assert_eq!(wavefronts(&lanes(0), u32::MAX, 4), (1, 1));
        assert_eq!(wavefronts(&lanes(16), u32::MAX, 16), (4, 4));
        assert_eq!(wavefronts(&lanes(32), 0xff, 16), (2, 1));
        assert_eq!(sectors(&lanes(4), u32::MAX, 4), (4, 4));
        assert_eq!(sectors(&lanes(32), u32::MAX, 4), (32, 4));
        assert_eq!(sectors(&lanes(16), 0xff, 16), (4, 4));
    }
}
