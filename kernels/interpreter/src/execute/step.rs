//! The instructions of a warp, one after another. All of it is inlined into functions for the instruction sets of the CPU,
//! whose vectors hold the lanes.

use super::scalar;
use super::warp::{Lanes, Pause, Warp, Way, blend};
use super::{At, Block};
use crate::fault::{Checked, FaultKind, Violation};
use crate::ptx::op::{Binary, Binary64, Compare, Kind, Mma, Op, Register, Ternary, Unary, Unary64};
use std::cmp::Ordering;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
pub(super) fn run_avx512(block: &mut Block, warp: &mut Warp) -> Result<Pause, At> {
    run(block, warp)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn run_avx2(block: &mut Block, warp: &mut Warp) -> Result<Pause, At> {
    run(block, warp)
}

/// What follows an instruction.
enum Next {
    /// The instruction with this index.
    At(usize),
    /// What the ways of the warp say.
    Ways,
    Barrier,
}

#[inline(always)]
pub(super) fn run(block: &mut Block, warp: &mut Warp) -> Result<Pause, At> {
    let kernel = block.kernel;
    while let Some(&Way { mut pc, meet, lanes }) = warp.ways.last() {
        if lanes == 0 {
            pc = meet;
        }
        loop {
            if pc == meet {
                warp.ways.pop();
                break;
            }
            let instruction = &kernel.code[pc];
            let active = match instruction.guard {
                None => lanes,
                Some((predicate, value)) => {
                    let holds = warp.predicate(predicate, lanes).map_err(|violation| (pc, violation))?;
                    lanes & if value { holds } else { !holds }
                }
            };
            block.executed += 1;
            if let Some(counts) = &mut block.counts {
                counts[pc].warps += 1;
                counts[pc].lanes += u64::from(active.count_ones());
            }
            match execute(block, warp, &instruction.op, pc, lanes, active).map_err(|violation| (pc, violation))? {
                Next::At(next) => pc = next,
                Next::Ways => break,
                Next::Barrier => {
                    warp.ways.last_mut().expect("the way of this loop").pc = pc + 1;
                    return Ok(Pause::Barrier(pc));
                }
            }
        }
    }
    Ok(Pause::Done)
}

/// Executes an instruction for the active ones of the lanes that are at it.
#[inline(always)]
fn execute(block: &mut Block, warp: &mut Warp, op: &Op, pc: usize, lanes: u32, active: u32) -> Checked<Next> {
    match op {
        Op::Unary(op, to, from) => unary(warp, *op, *to, *from, active)?,
        Op::Binary(op, to, from) => binary(warp, *op, *to, *from, active)?,
        Op::Ternary(op, to, from) => ternary(warp, *op, *to, *from, active)?,
        Op::BitFieldInsert(to, from) => {
            let [a, b, c, d] = words(warp, *from, active)?;
            let mut values = a;
            for lane in 0..32 {
                values.0[lane] = scalar::insert([a.0[lane], b.0[lane], c.0[lane], d.0[lane]]);
            }
            warp.set_word(*to, values, active);
        }
        Op::Unary64(..)
        | Op::Binary64(..)
        | Op::MultiplyWide(..)
        | Op::Shift64 { .. }
        | Op::Widen(..)
        | Op::Narrow(..) => {
            of_doubles(warp, op, active)?;
        }
        Op::Compare(compare, kind, to, from) => {
            let [x, y] = words(warp, *from, active)?;
            let holds = match kind {
                Kind::Unsigned => compared(*compare, x, y),
                Kind::Signed => compared(*compare, x.map(|v| v as i32), y.map(|v| v as i32)),
                Kind::Float => compared(*compare, x.map(f32::from_bits), y.map(f32::from_bits)),
            };
            warp.set_predicate(*to, holds, active);
        }
        Op::Compare64(compare, kind, to, [x, y]) => {
            let (x, y) = (warp.double(*x, active)?, warp.double(*y, active)?);
            let holds = match kind {
                Kind::Signed => compared(*compare, x.map(|v| v as i64), y.map(|v| v as i64)),
                _ => compared(*compare, x, y),
            };
            warp.set_predicate(*to, holds, active);
        }
        Op::Select(to, [x, y], by) => {
            let by = warp.predicate(*by, active)?;
            // A lane needs the value only that it takes.
            let (x, y) = (warp.word(*x, active & by)?, warp.word(*y, active & !by)?);
            warp.set_word(*to, blend(y, x, by), active);
        }
        Op::AndPredicate(to, [x, y]) => {
            let holds = warp.predicate(*x, active)? & warp.predicate(*y, active)?;
            warp.set_predicate(*to, holds, active);
        }
        Op::OrPredicate(to, [x, y]) => {
            let holds = warp.predicate(*x, active)? | warp.predicate(*y, active)?;
            warp.set_predicate(*to, holds, active);
        }
        Op::NotPredicate(to, from) => {
            let holds = !warp.predicate(*from, active)?;
            warp.set_predicate(*to, holds, active);
        }
        Op::SetPredicate(to, value) => warp.set_predicate(*to, if *value { u32::MAX } else { 0 }, active),
        Op::Load(access) => block.load(warp, access, pc, active)?,
        Op::Store(access) => block.store(warp, access, pc, active)?,
        Op::Branch { to, meet } => return Ok(branch(warp, *to, *meet, pc + 1, lanes, active)),
        Op::Barrier => {
            if active != warp.alive {
                return Err(missing(FaultKind::DivergentBarrier, warp.alive, active));
            }
            return Ok(Next::Barrier);
        }
        Op::WarpBarrier(members) => members_are(warp, *members, active)?,
        Op::ShuffleXor { to, inside, from } => shuffle_xor(warp, *to, *inside, *from, active)?,
        Op::Mma(mma) => multiply_matrices(block, warp, mma, active)?,
        Op::Return => {
            warp.alive &= !active;
            warp.ways.iter_mut().for_each(|way| way.lanes &= !active);
            warp.ways.last_mut().expect("the way of this instruction").pc = pc + 1;
            return Ok(Next::Ways);
        }
    }
    Ok(Next::At(pc + 1))
}

#[inline(always)]
fn words<const N: usize>(warp: &Warp, from: [Register; N], active: u32) -> Checked<[Lanes<u32>; N]> {
    let mut all = [Lanes([0; 32]); N];
    for (word, register) in all.iter_mut().zip(from) {
        *word = warp.word(register, active)?;
    }
    Ok(all)
}

#[inline(always)]
fn unary(warp: &mut Warp, op: Unary, to: Register, from: Register, active: u32) -> Checked<()> {
    let x = warp.word(from, active)?;
    let value = match op {
        Unary::Move => x,
        Unary::Negate => x.map(u32::wrapping_neg),
        Unary::Not => x.map(|x| !x),
        Unary::NegateF => x.map(|x| x ^ 0x8000_0000),
        Unary::AbsF => x.map(|x| x & 0x7fff_ffff),
        Unary::ReciprocalF => x.map_f(|x| 1.0 / x),
        Unary::RootF => x.map_f(f32::sqrt),
        Unary::RoundF => x.map_f(f32::round_ties_even),
        Unary::FromU32 => x.map(|x| (x as f32).to_bits()),
        Unary::FromS32 => x.map(|x| (x as i32 as f32).to_bits()),
        Unary::FromU16 => x.map(|x| f32::from(x as u16).to_bits()),
        Unary::ToTf32 => x.map(scalar::to_tf32),
    };
    warp.set_word(to, value, active);
    Ok(())
}

#[inline(always)]
fn binary(warp: &mut Warp, op: Binary, to: Register, from: [Register; 2], active: u32) -> Checked<()> {
    let [x, y] = words(warp, from, active)?;
    let value = match op {
        Binary::Add => x.zip(y, u32::wrapping_add),
        Binary::Subtract => x.zip(y, u32::wrapping_sub),
        Binary::Multiply => x.zip(y, u32::wrapping_mul),
        Binary::And => x.zip(y, |x, y| x & y),
        Binary::Or => x.zip(y, |x, y| x | y),
        Binary::Xor => x.zip(y, |x, y| x ^ y),
        Binary::ShiftLeft => x.zip(y, scalar::shift_left),
        Binary::ShiftRight => x.zip(y, scalar::shift_right),
        Binary::ShiftRightSigned => x.zip(y, |x, y| (x as i32 >> y.min(31)) as u32),
        Binary::MinSigned => x.zip(y, |x, y| (x as i32).min(y as i32) as u32),
        Binary::MaxSigned => x.zip(y, |x, y| (x as i32).max(y as i32) as u32),
        // Division by zero is not defined; lanes that are not active may do it.
        Binary::DivideSigned => {
            x.zip(y, |x, y| if y == 0 { u32::MAX } else { (x as i32).wrapping_div(y as i32) as u32 })
        }
        Binary::Divide => x.zip(y, |x, y| x.checked_div(y).unwrap_or(u32::MAX)),
        Binary::RemainderSigned => x.zip(y, |x, y| if y == 0 { x } else { (x as i32).wrapping_rem(y as i32) as u32 }),
        Binary::AddF => x.zip_f(y, |x, y| x + y),
        Binary::SubtractF => x.zip_f(y, |x, y| x - y),
        Binary::MultiplyF => x.zip_f(y, |x, y| x * y),
        Binary::DivideF => x.zip_f(y, |x, y| x / y),
        Binary::MaxF => x.zip(y, scalar::max),
        Binary::PackBf16 => x.zip(y, |high, low| scalar::to_bf16(high) << 16 | scalar::to_bf16(low)),
    };
    warp.set_word(to, value, active);
    Ok(())
}

#[inline(always)]
fn ternary(warp: &mut Warp, op: Ternary, to: Register, from: [Register; 3], active: u32) -> Checked<()> {
    let [x, y, z] = words(warp, from, active)?;
    let value = match op {
        Ternary::FusedMultiplyAddF => {
            let mut value = x;
            for lane in 0..32 {
                let (x, y, z) = (f32::from_bits(x.0[lane]), f32::from_bits(y.0[lane]), f32::from_bits(z.0[lane]));
                value.0[lane] = scalar::bits(x.mul_add(y, z));
            }
            value
        }
        Ternary::MultiplyAdd => x.zip(y, u32::wrapping_mul).zip(z, u32::wrapping_add),
    };
    warp.set_word(to, value, active);
    Ok(())
}

#[inline(always)]
fn of_doubles(warp: &mut Warp, op: &Op, active: u32) -> Checked<()> {
    let (to, value) = match *op {
        Op::Unary64(Unary64::Move, to, from) => (to, warp.double(from, active)?),
        Op::Unary64(Unary64::Negate, to, from) => (to, warp.double(from, active)?.map(u64::wrapping_neg)),
        Op::Binary64(op, to, [x, y]) => {
            let (x, y) = (warp.double(x, active)?, warp.double(y, active)?);
            let value = match op {
                Binary64::Add => x.zip(y, u64::wrapping_add),
                Binary64::Subtract => x.zip(y, u64::wrapping_sub),
                Binary64::Multiply => x.zip(y, u64::wrapping_mul),
                Binary64::And => x.zip(y, |x, y| x & y),
                Binary64::Or => x.zip(y, |x, y| x | y),
                Binary64::Xor => x.zip(y, |x, y| x ^ y),
                Binary64::Divide => x.zip(y, |x, y| x.checked_div(y).unwrap_or(u64::MAX)),
            };
            (to, value)
        }
        Op::MultiplyWide(kind, to, from) => {
            let [x, y] = words(warp, from, active)?;
            let value = match kind {
                Kind::Signed => x.zip(y, |x, y| (i64::from(x as i32) * i64::from(y as i32)) as u64),
                _ => x.zip(y, |x, y| u64::from(x) * u64::from(y)),
            };
            (to, value)
        }
        Op::Shift64 { left, to, from, by } => {
            let (x, by) = (warp.double(from, active)?, warp.word(by, active)?);
            let value = match left {
                true => x.zip(by, |x, by| x.checked_shl(by).unwrap_or(0)),
                false => x.zip(by, |x, by| x.checked_shr(by).unwrap_or(0)),
            };
            (to, value)
        }
        Op::Widen(Kind::Signed, to, from) => (to, warp.word(from, active)?.map(|x| i64::from(x as i32) as u64)),
        Op::Widen(_, to, from) => (to, warp.word(from, active)?.map(u64::from)),
        Op::Narrow(to, from) => {
            let value = warp.double(from, active)?.map(|x| x as u32);
            warp.set_word(to, value, active);
            return Ok(());
        }
        _ => unreachable!("`execute` passes operations on doubles"),
    };
    warp.set_double(to, value, active);
    Ok(())
}

/// A bit for each lane of which the values compare so.
#[inline(always)]
fn compared<T: PartialOrd + Copy>(compare: Compare, x: Lanes<T>, y: Lanes<T>) -> u32 {
    match compare {
        Compare::Equal => bits(x, y, |x, y| x == y),
        Compare::NotEqual => bits(x, y, |x, y| x.partial_cmp(&y).is_some_and(Ordering::is_ne)),
        Compare::Less => bits(x, y, |x, y| x < y),
        Compare::LessOrEqual => bits(x, y, |x, y| x <= y),
        Compare::Greater => bits(x, y, |x, y| x > y),
        Compare::GreaterOrEqual => bits(x, y, |x, y| x >= y),
        Compare::NotEqualOrNan => bits(x, y, |x, y| x != y),
    }
}

/// A bit for each lane for which it holds.
#[inline(always)]
fn bits<T: Copy>(x: Lanes<T>, y: Lanes<T>, holds: impl Fn(T, T) -> bool) -> u32 {
    let mut bits = 0;
    for lane in 0..32 {
        bits |= u32::from(holds(x.0[lane], y.0[lane])) << lane;
    }
    bits
}

/// Of the lanes at a branch, the active ones take it; the others go on at `next`.
#[inline(always)]
fn branch(warp: &mut Warp, to: usize, meet: usize, next: usize, lanes: u32, active: u32) -> Next {
    if active == lanes || active == 0 {
        return Next::At(if active == lanes { to } else { next });
    }
    warp.ways.last_mut().expect("the way of this instruction").pc = meet;
    warp.ways.push(Way { pc: next, meet, lanes: lanes & !active });
    warp.ways.push(Way { pc: to, meet, lanes: active });
    Next::Ways
}

fn missing(kind: FaultKind, expected: u32, got: u32) -> Box<Violation> {
    Violation::new(kind, format!("expected lanes {expected:08x}, got {got:08x}"))
}

/// That the active lanes are the members, which each of them names.
#[inline(always)]
fn members_are(warp: &Warp, members: Register, active: u32) -> Checked<()> {
    let members = warp.word(members, active)?;
    match (0..32).find(|lane| active >> lane & 1 == 1 && members.0[*lane] != active) {
        None => Ok(()),
        Some(lane) => Err(missing(FaultKind::MissingLanes, members.0[lane], active)),
    }
}

/// The value of the lane whose index differs in the bits of a mask, within segments (PTX ISA, shfl.sync).
#[inline(always)]
fn shuffle_xor(
    warp: &mut Warp,
    to: Register,
    inside: Option<Register>,
    [value, mask, clamp, members]: [Register; 4],
    active: u32,
) -> Checked<()> {
    members_are(warp, members, active)?;
    let [value, mask, clamp] = words(warp, [value, mask, clamp], active)?;
    let (mut values, mut all_inside) = (value, 0);
    for lane in 0..32u32 {
        let (clamp, segment) = (clamp.0[lane as usize] & 31, clamp.0[lane as usize] >> 8 & 31);
        let (last, other) = ((lane & segment) | (clamp & !segment), lane ^ (mask.0[lane as usize] & 31));
        if other <= last {
            values.0[lane as usize] = value.0[other as usize];
            all_inside |= 1 << lane;
            if active >> lane & 1 == 1 && active >> other & 1 == 0 {
                return Err(missing(FaultKind::MissingLanes, active | 1 << other, active));
            }
        }
    }
    warp.set_word(to, values, active);
    if let Some(inside) = inside {
        warp.set_predicate(inside, all_inside, active);
    }
    Ok(())
}

#[inline(always)]
fn multiply_matrices(block: &Block, warp: &mut Warp, mma: &Mma, active: u32) -> Checked<()> {
    if active != u32::MAX {
        return Err(missing(FaultKind::MissingLanes, u32::MAX, active));
    }
    let (a, b, c) = (words(warp, mma.a, active)?, words(warp, mma.b, active)?, words(warp, mma.c, active)?);
    let d = block.tensor_core.multiply(mma.bf16, &a, &b, &c);
    for (to, value) in mma.d.iter().zip(d) {
        warp.set_word(*to, value, active);
    }
    Ok(())
}
