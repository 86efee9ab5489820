//! Launches: blocks one after another, and of each its warps in turn, from barrier to barrier.

mod access;
pub(crate) mod scalar;
mod step;
pub(crate) mod warp;

use crate::counters::{Count, Counters};
use crate::fault::{Fault, FaultKind, Violation};
use crate::memory::{Global, Moment, Shared};
use crate::ptx::Kernel;
use crate::tensor_core::TensorCore;
use warp::{Pause, Warp};

/// A device: its memory, and how it executes.
#[derive(Default)]
pub struct Machine {
    /// Global memory.
    pub(crate) memory: Global,
    shared: Shared,
    warps: Vec<Warp>,
    phase: u64,
    /// How tensor cores add up.
    pub tensor_core: TensorCore,
    /// Another order of blocks and warps for each number; 0 for that of their indices.
    pub seed: u32,
    /// Warp instructions of all launches.
    pub executed: u64,
    /// Counts by instruction, if they are wanted.
    pub counters: Option<Counters>,
}

/// What the warps of a block see beside their registers.
pub(crate) struct Block<'a> {
    kernel: &'a Kernel,
    memory: &'a mut Global,
    shared: &'a mut Shared,
    params: &'a [u32],
    tensor_core: TensorCore,
    counts: Option<&'a mut [Count]>,
    counts_banks: bool,
    now: Moment,
    executed: u64,
}

impl Machine {
    /// A machine with tensor cores of a generation, and an order of blocks and warps.
    pub fn new(tensor_core: TensorCore, seed: u32) -> Machine {
        Machine { tensor_core, seed, ..Machine::default() }
    }
    /// Allocates global memory that nobody has written; its address.
    pub fn allocate(&mut self, bytes: usize) -> u64 {
        self.memory.allocate(bytes)
    }
    /// Frees it.
    pub fn free(&mut self, address: u64) {
        self.memory.free(address);
    }
    /// Bytes of global memory, if they lie in one allocation.
    pub fn read(&mut self, address: u64, bytes: usize) -> Option<&[u8]> {
        self.memory.bytes(address, bytes)
    }
    /// The same, to be written.
    pub fn write(&mut self, address: u64, bytes: usize) -> Option<&mut [u8]> {
        self.memory.bytes_mut(address, bytes)
    }
    /// Runs a kernel on a grid of blocks of so many threads, with the bytes of its parameters.
    ///
    /// # Errors
    /// The first [`Fault`].
    ///
    /// # Panics
    /// If there are more threads than the kernel takes, or other parameters.
    pub fn launch(&mut self, kernel: &Kernel, grid: [u32; 2], threads: u32, params: &[u8]) -> Result<(), Fault> {
        assert!((1..=kernel.max_threads).contains(&threads), "threads of {}", kernel.name);
        assert_eq!(params.len(), kernel.param_bytes(), "bytes of parameters of {}", kernel.name);
        let mut words = params.to_vec();
        words.resize(params.len().next_multiple_of(4), 0);
        let words: Vec<u32> = words.chunks(4).map(|b| u32::from_le_bytes(b.try_into().expect("four bytes"))).collect();
        self.shared.reserve(kernel.shared_bytes);
        let warps = threads.div_ceil(32);
        self.warps.resize_with(self.warps.len().max(warps as usize), Warp::default);
        self.warps[..warps as usize].iter_mut().zip(0..).for_each(|(warp, index)| warp.prepare(kernel, index));
        self.phase += 1;
        let launch = self.phase;
        let order = Order::new(self.seed, u64::from(grid[0]) * u64::from(grid[1]));
        for turn in 0..order.count {
            let index = order.of(turn);
            let index = [(index % u64::from(grid[0])) as u32, (index / u64::from(grid[0])) as u32];
            for (warp, at) in self.warps[..warps as usize].iter_mut().zip(0..) {
                let lanes = (threads - at * 32).min(32);
                warp.start(kernel, index, grid, u32::MAX >> (32 - lanes));
            }
            let now = Moment { phase: self.phase, thread: 0, block: self.phase, launch };
            let mut block = Block {
                kernel,
                memory: &mut self.memory,
                shared: &mut self.shared,
                params: &words,
                tensor_core: self.tensor_core,
                counts_banks: self.counters.as_ref().is_some_and(|counters| !counters.without_banks),
                counts: self.counters.as_mut().map(|counters| counters.of(kernel)),
                now,
                executed: 0,
            };
            let warps = &mut self.warps[..warps as usize];
            let done =
                block.run(warps, self.seed.wrapping_mul(31).wrapping_add(turn as u32) * u32::from(self.seed != 0));
            self.phase = block.now.phase + 1;
            self.executed += block.executed;
            done.map_err(|(pc, violation)| {
                let Violation { kind, what } = *violation;
                let at = &kernel.code[pc];
                let (kernel, opcode) = (kernel.name.clone(), at.opcode.to_string());
                Fault { kind, kernel, line: at.line, opcode, block: index, what }
            })?;
        }
        Ok(())
    }
}

/// The fault of an instruction.
type At = (usize, Box<Violation>);

impl Block<'_> {
    fn run(&mut self, warps: &mut [Warp], seed: u32) -> Result<(), At> {
        let mut waiting = warps.len();
        while waiting > 0 {
            waiting = 0;
            let mut barrier = None;
            let order = Order::new(seed.wrapping_add(self.now.phase as u32 * u32::from(seed != 0)), warps.len() as u64);
            for turn in 0..order.count {
                let warp = &mut warps[order.of(turn) as usize];
                if warp.is_done() {
                    continue;
                }
                if let Pause::Barrier(pc) = self.run_warp(warp)? {
                    waiting += 1;
                    if *barrier.get_or_insert(pc) != pc {
                        let other = self.kernel.code[barrier.expect("set above")].line;
                        let what = format!("a warp waits here, and another at line {other}");
                        return Err((pc, Violation::new(FaultKind::DivergentBarrier, what)));
                    }
                }
            }
            self.now.phase += 1;
        }
        Ok(())
    }
    /// Runs a warp to its next barrier or its end, with the best instructions of this CPU.
    fn run_warp(&mut self, warp: &mut Warp) -> Result<Pause, At> {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") && has!("fma") {
                // SAFETY: the CPU has the features of the function.
                #[allow(unsafe_code)]
                return unsafe { step::run_avx512(self, warp) };
            }
            if has!("avx2") && has!("fma") {
                // SAFETY: the CPU has the features of the function.
                #[allow(unsafe_code)]
                return unsafe { step::run_avx2(self, warp) };
            }
        }
        step::run(self, warp)
    }
}

/// An order of so many things: i ↦ a i + b, with a prime that divides no count in use.
struct Order {
    count: u64,
    factor: u64,
    first: u64,
}

impl Order {
    fn new(seed: u32, count: u64) -> Order {
        const PRIMES: [u64; 7] =
            [4_294_967_291, 4_294_967_279, 4_294_967_231, 4_294_967_197, 4_294_967_189, 4_294_967_161, 4_294_967_143];
        match seed {
            0 => Order { count, factor: 1, first: 0 },
            seed => {
                Order { count, factor: PRIMES[seed as usize % 7], first: u64::from(seed).wrapping_mul(0x9e37_79b9) }
            }
        }
    }
    fn of(&self, turn: u64) -> u64 {
        (turn * self.factor % self.count + self.first) % self.count
    }
}

#[cfg(test)]
mod tests {
    use super::Order;

    #[test]
    fn every_order_has_each_once() {
        for (seed, count) in (0..20).flat_map(|seed| [1, 8, 97, 4096].map(|count| (seed, count))) {
            let order = Order::new(seed, count);
            let mut all: Vec<u64> = (0..count).map(|turn| order.of(turn)).collect();
            assert!(seed == 0 || count < 9 || all.windows(2).any(|two| two[0] > two[1]), "{seed} {count}");
            all.sort_unstable();
            assert!(all.iter().copied().eq(0..count), "{seed} {count}");
        }
    }
}
