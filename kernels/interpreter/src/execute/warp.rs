//! A warp: the registers of 32 lanes, and the stack of the ways on which they are.
#![allow(clippy::needless_range_loop)] // a lane is an index of several arrays

use super::scalar::bits;
use crate::fault::{Checked, FaultKind, Violation};
use crate::ptx::op::{Register, Target};
use crate::ptx::{Kernel, SPECIALS};

/// A value of each lane.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Lanes<T>(pub(crate) [T; 32]);

// Loops rather than `array::map`, whose parts are compiled out of line, without the vectors of `step::run_avx512`.
impl<T: Copy> Lanes<T> {
    #[inline(always)]
    pub(crate) fn map<U: Copy + Default>(self, f: impl Fn(T) -> U) -> Lanes<U> {
        let mut values = [U::default(); 32];
        for lane in 0..32 {
            values[lane] = f(self.0[lane]);
        }
        Lanes(values)
    }
    #[inline(always)]
    pub(crate) fn zip<U: Copy, V: Copy + Default>(self, other: Lanes<U>, f: impl Fn(T, U) -> V) -> Lanes<V> {
        let mut values = [V::default(); 32];
        for lane in 0..32 {
            values[lane] = f(self.0[lane], other.0[lane]);
        }
        Lanes(values)
    }
}

impl Lanes<u32> {
    /// f of the values as floats; a NaN is the one that GPUs make.
    #[inline(always)]
    pub(crate) fn map_f(self, f: impl Fn(f32) -> f32) -> Lanes<u32> {
        self.map(|x| bits(f(f32::from_bits(x))))
    }
    #[inline(always)]
    pub(crate) fn zip_f(self, other: Lanes<u32>, f: impl Fn(f32, f32) -> f32) -> Lanes<u32> {
        self.zip(other, |x, y| bits(f(f32::from_bits(x), f32::from_bits(y))))
    }
}

/// The instructions from `pc` to `meet`, for some lanes.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) pc: usize,
    pub(super) meet: usize,
    pub(super) lanes: u32,
}

/// Why a warp stopped.
pub(super) enum Pause {
    /// At the barrier of this instruction.
    Barrier(usize),
    Done,
}

#[derive(Default)]
pub(super) struct Warp {
    pub(super) index: u32,
    words: Vec<Lanes<u32>>,
    doubles: Vec<Lanes<u64>>,
    predicates: Vec<u32>,
    /// Lanes that have written a register.
    words_written: Vec<u32>,
    doubles_written: Vec<u32>,
    predicates_written: Vec<u32>,
    /// The innermost way last.
    pub(super) ways: Vec<Way>,
    /// Lanes that have not returned.
    pub(super) alive: u32,
}

impl Warp {
    /// Sets the constants of a kernel.
    pub(super) fn prepare(&mut self, kernel: &Kernel, index: u32) {
        let (words, doubles) = (&kernel.words, &kernel.doubles);
        let count = words.registers + SPECIALS.len() + words.constants.len();
        self.index = index;
        self.words.resize(self.words.len().max(count), Lanes([0; 32]));
        self.words_written.resize(self.words_written.len().max(count), 0);
        self.doubles.resize(self.doubles.len().max(doubles.registers + doubles.constants.len()), Lanes([0; 32]));
        self.doubles_written.resize(self.doubles.len(), 0);
        self.predicates.resize(self.predicates.len().max(kernel.predicates), 0);
        self.predicates_written.resize(self.predicates.len(), 0);
        for (i, value) in words.constants.iter().enumerate() {
            self.words[words.registers + SPECIALS.len() + i] = Lanes([*value; 32]);
        }
        for (i, value) in doubles.constants.iter().enumerate() {
            self.doubles[doubles.registers + i] = Lanes([*value; 32]);
        }
    }
    /// Forgets the registers, for another block.
    pub(super) fn start(&mut self, kernel: &Kernel, block: [u32; 2], grid: [u32; 2], lanes: u32) {
        let registers = kernel.words.registers;
        self.words_written.fill(u32::MAX);
        self.words_written[..registers].fill(0);
        self.doubles_written.fill(u32::MAX);
        self.doubles_written[..kernel.doubles.registers].fill(0);
        self.predicates_written.fill(0);
        // In the order of SPECIALS.
        self.words[registers] = Lanes(std::array::from_fn(|lane| self.index * 32 + lane as u32));
        for (i, value) in [block[0], block[1], grid[0], grid[1]].into_iter().enumerate() {
            self.words[registers + 1 + i] = Lanes([value; 32]);
        }
        self.alive = lanes;
        self.ways.clear();
        self.ways.push(Way { pc: 0, meet: kernel.code.len(), lanes });
    }
    pub(super) fn is_done(&self) -> bool {
        self.alive == 0
    }

    #[inline(always)]
    pub(super) fn word(&self, register: Register, lanes: u32) -> Checked<Lanes<u32>> {
        if self.words_written[register as usize] & lanes != lanes {
            return Err(undefined("of 32 bits", register, lanes & !self.words_written[register as usize]));
        }
        Ok(self.words[register as usize])
    }
    #[inline(always)]
    pub(super) fn double(&self, register: Register, lanes: u32) -> Checked<Lanes<u64>> {
        if self.doubles_written[register as usize] & lanes != lanes {
            return Err(undefined("of 64 bits", register, lanes & !self.doubles_written[register as usize]));
        }
        Ok(self.doubles[register as usize])
    }
    #[inline(always)]
    pub(super) fn predicate(&self, register: Register, lanes: u32) -> Checked<u32> {
        if self.predicates_written[register as usize] & lanes != lanes {
            return Err(undefined("(a predicate)", register, lanes & !self.predicates_written[register as usize]));
        }
        Ok(self.predicates[register as usize])
    }
    #[inline(always)]
    pub(super) fn set_word(&mut self, register: Register, values: Lanes<u32>, lanes: u32) {
        let to = &mut self.words[register as usize];
        *to = blend(*to, values, lanes);
        self.words_written[register as usize] |= lanes;
    }
    #[inline(always)]
    pub(super) fn set_double(&mut self, register: Register, values: Lanes<u64>, lanes: u32) {
        let to = &mut self.doubles[register as usize];
        *to = blend(*to, values, lanes);
        self.doubles_written[register as usize] |= lanes;
    }
    #[inline(always)]
    pub(super) fn set_predicate(&mut self, register: Register, values: u32, lanes: u32) {
        let to = &mut self.predicates[register as usize];
        *to = *to & !lanes | values & lanes;
        self.predicates_written[register as usize] |= lanes;
    }
    /// Sets words of 64 bits to a register of any class.
    #[inline(always)]
    pub(super) fn set(&mut self, to: Target, values: Lanes<u64>, lanes: u32) {
        match to {
            Target::Word(register) => self.set_word(register, values.map(|value| value as u32), lanes),
            Target::Double(register) => self.set_double(register, values, lanes),
        }
    }
}

/// The new values in these lanes, the old ones in the others.
#[inline(always)]
pub(super) fn blend<T: Copy>(mut old: Lanes<T>, new: Lanes<T>, lanes: u32) -> Lanes<T> {
    if lanes == u32::MAX {
        return new;
    }
    for lane in 0..32 {
        old.0[lane] = if lanes >> lane & 1 == 1 { new.0[lane] } else { old.0[lane] };
    }
    old
}

#[cold]
#[inline(never)]
fn undefined(what: &str, register: Register, lanes: u32) -> Box<Violation> {
    Violation::new(FaultKind::UndefinedRegister, format!("register {register} {what}, lanes {lanes:08x}"))
}
