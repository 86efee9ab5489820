//! Statements to instructions. Every opcode that is not named here is refused.

use super::op::{
    Access, Binary, Binary64, Compare, Element, Kind, Mma, Op, Register, Space, Target, Ternary, Unary, Unary64,
};
use super::text::{Entry, Statement, Variable};
use super::{
    DoubleFile, Instruction, Kernel, PARAM_LIMIT, PtxError, SHARED_LIMIT, SPECIALS, THREAD_LIMIT, WordFile, flow,
};
use std::collections::HashMap;

pub(super) fn kernel(entry: &Entry) -> Result<Kernel, PtxError> {
    let line = entry.statements.first().map_or(0, |statement| statement.line);
    let at_entry = |what| PtxError { line, what };
    let mut names = Names { labels: Some(&entry.labels), ..Names::default() };
    names.declare_registers(entry).map_err(at_entry)?;
    let (params, param_bytes) = names.lay_out(&entry.params);
    let (_, shared_bytes) = names.lay_out(&entry.shared);
    let max_threads = entry.max_threads.unwrap_or(THREAD_LIMIT);
    for (what, limit, got) in [
        ("bytes of parameters", PARAM_LIMIT, param_bytes),
        ("bytes of shared memory", SHARED_LIMIT, shared_bytes),
        ("threads", THREAD_LIMIT as usize, max_threads as usize),
    ] {
        if got > limit {
            return Err(at_entry(format!("{}: expected at most {limit} {what}, got {got}", entry.name)));
        }
    }
    let mut code = Vec::with_capacity(entry.statements.len());
    for statement in &entry.statements {
        let instruction = names.instruction(statement);
        code.push(instruction.map_err(|what| PtxError { line: statement.line, what })?);
    }
    flow::set_meets(&mut code);
    let Names { words, doubles, predicates, .. } = names;
    Ok(Kernel { name: entry.name.into(), params, max_threads, shared_bytes, code, words, doubles, predicates })
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    Predicate,
    Half,
    Word,
    Double,
}

/// What the names of an entry mean.
#[derive(Default)]
struct Names<'a> {
    /// By prefix: the class, the number of the first, and how many there are.
    registers: Vec<(&'a str, Class, u32, u32)>,
    /// Addresses of parameters and of arrays in shared memory, each in its own space.
    symbols: HashMap<&'a str, u64>,
    labels: Option<&'a HashMap<&'a str, usize>>,
    words: WordFile,
    doubles: DoubleFile,
    predicates: usize,
    word_constants: HashMap<u32, Register>,
    double_constants: HashMap<u64, Register>,
}

type Decoded<T> = Result<T, String>;

impl<'a> Names<'a> {
    fn declare_registers(&mut self, entry: &Entry<'a>) -> Decoded<()> {
        for declared in &entry.registers {
            let class = match declared.kind {
                ".pred" => Class::Predicate,
                ".b16" => Class::Half,
                ".b32" | ".f32" => Class::Word,
                ".b64" => Class::Double,
                other => return Err(format!("expected registers of 16, 32 or 64 bits, got {other}")),
            };
            let file = match class {
                Class::Predicate => &mut self.predicates,
                Class::Half | Class::Word => &mut self.words.registers,
                Class::Double => &mut self.doubles.registers,
            };
            self.registers.push((declared.prefix, class, *file as u32, declared.count));
            *file += declared.count as usize;
        }
        Ok(())
    }
    /// The offsets and sizes of variables that follow each other, and the size of all.
    fn lay_out(&mut self, variables: &[Variable<'a>]) -> (Vec<(usize, usize)>, usize) {
        let (mut places, mut end) = (vec![], 0usize);
        for variable in variables {
            let at = end.next_multiple_of(variable.align);
            self.symbols.insert(variable.name, at as u64);
            places.push((at, variable.size));
            end = at + variable.size;
        }
        (places, end)
    }

    fn register(&self, name: &str) -> Option<(Class, Register)> {
        let (prefix, number) = name.split_at(name.trim_end_matches(|c: char| c.is_ascii_digit()).len());
        let (_, class, first, count) = self.registers.iter().find(|(declared, ..)| *declared == prefix)?;
        let number: u32 = number.parse().ok()?;
        (number < *count).then_some((*class, first + number))
    }
    fn of_class(&self, name: &str, expected: Class) -> Decoded<Register> {
        match self.register(name) {
            Some((class, register)) if class == expected => Ok(register),
            _ => Err(format!("expected a register ({expected:?}), got {name}")),
        }
    }
    fn predicate(&self, name: &str) -> Decoded<Register> {
        self.of_class(name, Class::Predicate)
    }
    fn to_word(&self, name: &str) -> Decoded<Register> {
        self.of_class(name, Class::Word)
    }
    fn to_double(&self, name: &str) -> Decoded<Register> {
        self.of_class(name, Class::Double)
    }
    /// A 32-bit operand: a register, a special one, or an immediate.
    fn word(&mut self, text: &str) -> Decoded<Register> {
        if let Some(special) = SPECIALS.iter().position(|name| *name == text) {
            return Ok((self.words.registers + special) as Register);
        }
        let value = match immediate(text) {
            Some(value) => value as u32,
            None => return self.to_word(text),
        };
        let next = (self.words.registers + SPECIALS.len() + self.words.constants.len()) as Register;
        Ok(*self.word_constants.entry(value).or_insert_with(|| {
            self.words.constants.push(value);
            next
        }))
    }
    /// A 64-bit operand: a register, an immediate, or the address of a variable.
    fn double(&mut self, text: &str) -> Decoded<Register> {
        match immediate(text).or_else(|| self.symbols.get(text).copied()) {
            Some(value) => Ok(self.double_constant(value)),
            None => self.to_double(text),
        }
    }
    fn double_constant(&mut self, value: u64) -> Register {
        let next = (self.doubles.registers + self.doubles.constants.len()) as Register;
        *self.double_constants.entry(value).or_insert_with(|| {
            self.doubles.constants.push(value);
            next
        })
    }
    fn words<const N: usize>(&mut self, operands: &[&str]) -> Decoded<[Register; N]> {
        let all = operands.iter().map(|operand| self.word(operand)).collect::<Decoded<Vec<_>>>()?;
        all.try_into().map_err(|all: Vec<_>| format!("expected {N} operands, got {}", all.len()))
    }
    fn doubles<const N: usize>(&mut self, operands: &[&str]) -> Decoded<[Register; N]> {
        let all = operands.iter().map(|operand| self.double(operand)).collect::<Decoded<Vec<_>>>()?;
        all.try_into().map_err(|all: Vec<_>| format!("expected {N} operands, got {}", all.len()))
    }
    /// `{%r1, %r2}`.
    fn vector<const N: usize>(&mut self, text: &str) -> Decoded<[Register; N]> {
        let all = list(text).iter().map(|name| self.to_word(name)).collect::<Decoded<Vec<_>>>()?;
        all.try_into().map_err(|all: Vec<_>| format!("expected a vector of {N}, got {}", all.len()))
    }

    fn instruction(&mut self, statement: &Statement) -> Decoded<Instruction> {
        let guard = statement.guard.map(|(name, value)| Ok::<_, String>((self.predicate(name)?, value))).transpose()?;
        let op = self.op(statement.opcode, &statement.operands)?;
        Ok(Instruction { guard, op, opcode: statement.opcode.into(), line: statement.line })
    }

    fn op(&mut self, opcode: &str, operands: &[&str]) -> Decoded<Op> {
        let operand = |i: usize| operands.get(i).copied().ok_or_else(|| format!("{opcode}: expected more operands"));
        if let Some(unary) = unary(opcode) {
            return Ok(Op::Unary(unary, self.to_word(operand(0)?)?, self.source(opcode, operand(1)?)?));
        }
        if let Some(binary) = binary(opcode) {
            return Ok(Op::Binary(binary, self.to_word(operand(0)?)?, self.words(&operands[1..])?));
        }
        if let Some((compare, kind, wide)) = compare(opcode) {
            let to = self.predicate(operand(0)?)?;
            return Ok(match wide {
                false => Op::Compare(compare, kind, to, self.words(&operands[1..])?),
                true => Op::Compare64(compare, kind, to, self.doubles(&operands[1..])?),
            });
        }
        if let Some(access) = opcode.strip_prefix("ld.") {
            return Ok(Op::Load(self.access(access, operand(0)?, operand(1)?, true)?));
        }
        if let Some(access) = opcode.strip_prefix("st.") {
            return Ok(Op::Store(self.access(access, operand(1)?, operand(0)?, false)?));
        }
        self.other(opcode, operands, operand(0).unwrap_or_default())
    }
    /// The operand of a unary opcode: a half where it reads 16 bits.
    fn source(&mut self, opcode: &str, text: &str) -> Decoded<Register> {
        match opcode {
            "cvt.rn.f32.u16" => self.of_class(text, Class::Half),
            _ => self.word(text),
        }
    }

    fn other(&mut self, opcode: &str, operands: &[&str], to: &str) -> Decoded<Op> {
        let operand = |i: usize| operands.get(i).copied().ok_or_else(|| format!("{opcode}: expected more operands"));
        let rest = operands.get(1..).unwrap_or_default();
        Ok(match opcode {
            "fma.rn.f32" => Op::Ternary(Ternary::FusedMultiplyAddF, self.to_word(to)?, self.words(rest)?),
            "mad.lo.s32" => Op::Ternary(Ternary::MultiplyAdd, self.to_word(to)?, self.words(rest)?),
            "bfi.b32" => Op::BitFieldInsert(self.to_word(to)?, self.words(rest)?),
            // A generic address in global memory is the same number.
            "mov.u64" | "mov.b64" | "cvta.to.global.u64" => {
                Op::Unary64(Unary64::Move, self.to_double(to)?, self.double(operand(1)?)?)
            }
            "neg.s64" => Op::Unary64(Unary64::Negate, self.to_double(to)?, self.double(operand(1)?)?),
            "add.s64" => Op::Binary64(Binary64::Add, self.to_double(to)?, self.doubles(rest)?),
            "sub.s64" => Op::Binary64(Binary64::Subtract, self.to_double(to)?, self.doubles(rest)?),
            "mul.lo.s64" => Op::Binary64(Binary64::Multiply, self.to_double(to)?, self.doubles(rest)?),
            "and.b64" => Op::Binary64(Binary64::And, self.to_double(to)?, self.doubles(rest)?),
            "or.b64" => Op::Binary64(Binary64::Or, self.to_double(to)?, self.doubles(rest)?),
            "xor.b64" => Op::Binary64(Binary64::Xor, self.to_double(to)?, self.doubles(rest)?),
            "div.u64" => Op::Binary64(Binary64::Divide, self.to_double(to)?, self.doubles(rest)?),
            "mul.wide.s32" => Op::MultiplyWide(Kind::Signed, self.to_double(to)?, self.words(rest)?),
            "mul.wide.u32" => Op::MultiplyWide(Kind::Unsigned, self.to_double(to)?, self.words(rest)?),
            "shl.b64" | "shr.u64" => Op::Shift64 {
                left: opcode == "shl.b64",
                to: self.to_double(to)?,
                from: self.double(operand(1)?)?,
                by: self.word(operand(2)?)?,
            },
            "cvt.s64.s32" => Op::Widen(Kind::Signed, self.to_double(to)?, self.word(operand(1)?)?),
            "cvt.u64.u32" => Op::Widen(Kind::Unsigned, self.to_double(to)?, self.word(operand(1)?)?),
            "cvt.u32.u64" => Op::Narrow(self.to_word(to)?, self.double(operand(1)?)?),
            "selp.f32" | "selp.b32" | "selp.u32" => {
                let from = [self.word(operand(1)?)?, self.word(operand(2)?)?];
                Op::Select(self.to_word(to)?, from, self.predicate(operand(3)?)?)
            }
            "and.pred" | "or.pred" => {
                let (to, from) = (self.predicate(to)?, [self.predicate(operand(1)?)?, self.predicate(operand(2)?)?]);
                if opcode == "and.pred" { Op::AndPredicate(to, from) } else { Op::OrPredicate(to, from) }
            }
            "not.pred" => Op::NotPredicate(self.predicate(to)?, self.predicate(operand(1)?)?),
            "mov.pred" => {
                let value = immediate(operand(1)?).ok_or("mov.pred: expected an immediate")?;
                Op::SetPredicate(self.predicate(to)?, value != 0)
            }
            "bra" | "bra.uni" => {
                let found = self.labels.and_then(|labels| labels.get(to));
                Op::Branch { to: *found.ok_or_else(|| format!("expected a label, got {to}"))?, meet: 0 }
            }
            "bar.sync" if operands == ["0"] => Op::Barrier,
            "bar.warp.sync" => Op::WarpBarrier(self.word(to)?),
            "ret" => Op::Return,
            "shfl.sync.bfly.b32" => {
                let (to, inside) = match to.split_once('|') {
                    Some((to, inside)) => (to, Some(self.predicate(inside)?)),
                    None => (to, None),
                };
                Op::ShuffleXor { to: self.to_word(to)?, inside, from: self.words(rest)? }
            }
            "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32"
            | "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32" => Op::Mma(Box::new(Mma {
                bf16: opcode.contains("bf16"),
                d: self.vector(to)?,
                a: self.vector(operand(1)?)?,
                b: self.vector(operand(2)?)?,
                c: self.vector(operand(3)?)?,
            })),
            _ => return Err(format!("expected an opcode that the interpreter knows, got {opcode}")),
        })
    }

    /// `global.v4.f32`, with its values and `[%rd1+16]`.
    fn access(&mut self, opcode: &str, values: &str, address: &str, load: bool) -> Decoded<Access> {
        let unknown = || format!("expected a load or a store that the interpreter knows, got {opcode}");
        let mut parts = opcode.split('.').peekable();
        let space = match parts.peek() {
            Some(&"param") if load => Space::Param,
            Some(&"shared") => Space::Shared,
            Some(&"global") => Space::Global,
            // Generic addresses are those of global memory: no kernel makes one of another space.
            _ => Space::Global,
        };
        if matches!(parts.peek(), Some(&("param" | "shared" | "global"))) {
            parts.next();
        }
        let count = match parts.peek() {
            Some(&"v2") => 2,
            Some(&"v4") => 4,
            _ => 1,
        };
        if count > 1 {
            parts.next();
        }
        let element = match parts.next() {
            Some("f32" | "u32" | "b32") => Element::Word,
            Some("s32") if load => Element::SignedWord,
            Some("u64" | "b64") if load && count == 1 => Element::Double,
            Some("u8") if load && count == 1 => Element::Byte,
            _ => return Err(unknown()),
        };
        let all = if count > 1 { list(values) } else { vec![values] };
        if parts.next().is_some() || all.len() != count as usize {
            return Err(unknown());
        }
        let mut targets = [Target::Word(0); 4];
        for (target, name) in targets.iter_mut().zip(all) {
            *target = match self.register(name) {
                Some((Class::Double, register)) if load => Target::Double(register),
                Some((Class::Half, register)) if element == Element::Byte => Target::Word(register),
                _ if load && element != Element::Double => Target::Word(self.to_word(name)?),
                _ if !load => Target::Word(self.word(name)?),
                _ => return Err(format!("expected a register of 64 bits, got {name}")),
            };
        }
        let inner = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or_else(unknown)?;
        let (base, offset) = inner.split_once('+').unwrap_or((inner, "0"));
        let offset = offset.parse::<i64>().map_err(|_| format!("expected an offset, got {offset}"))?;
        // The address of a variable is constant.
        let (base, offset) = match self.symbols.get(base) {
            Some(&at) => (self.double_constant(at.wrapping_add_signed(offset)), 0),
            None => (self.to_double(base)?, offset),
        };
        Ok(Access { space, element, count, values: targets, base, offset })
    }
}

/// An integer, or the bits of a float: `0f3F800000`.
fn immediate(text: &str) -> Option<u64> {
    if let Some(bits) = text.strip_prefix("0f") {
        return u32::from_str_radix(bits, 16).ok().map(u64::from);
    }
    text.parse::<i64>().ok().map(|value| value as u64)
}

fn list(text: &str) -> Vec<&str> {
    text.trim_matches(['{', '}']).split(',').map(str::trim).collect()
}

fn unary(opcode: &str) -> Option<Unary> {
    Some(match opcode {
        "mov.f32" | "mov.u32" | "mov.b32" => Unary::Move,
        "neg.s32" => Unary::Negate,
        "not.b32" => Unary::Not,
        "neg.f32" => Unary::NegateF,
        "abs.f32" => Unary::AbsF,
        "rcp.rn.f32" => Unary::ReciprocalF,
        "sqrt.rn.f32" => Unary::RootF,
        "cvt.rni.f32.f32" => Unary::RoundF,
        "cvt.rn.f32.u32" => Unary::FromU32,
        "cvt.rn.f32.s32" => Unary::FromS32,
        "cvt.rn.f32.u16" => Unary::FromU16,
        "cvt.rna.tf32.f32" => Unary::ToTf32,
        _ => return None,
    })
}

fn binary(opcode: &str) -> Option<Binary> {
    Some(match opcode {
        "add.s32" => Binary::Add,
        "sub.s32" => Binary::Subtract,
        "mul.lo.s32" => Binary::Multiply,
        "and.b32" => Binary::And,
        "or.b32" => Binary::Or,
        "xor.b32" => Binary::Xor,
        "shl.b32" => Binary::ShiftLeft,
        "shr.u32" => Binary::ShiftRight,
        "shr.s32" => Binary::ShiftRightSigned,
        "min.s32" => Binary::MinSigned,
        "max.s32" => Binary::MaxSigned,
        "div.s32" => Binary::DivideSigned,
        "div.u32" => Binary::Divide,
        "rem.s32" => Binary::RemainderSigned,
        "add.rn.f32" => Binary::AddF,
        "sub.rn.f32" => Binary::SubtractF,
        "mul.rn.f32" => Binary::MultiplyF,
        "div.rn.f32" => Binary::DivideF,
        "max.f32" => Binary::MaxF,
        "cvt.rn.bf16x2.f32" => Binary::PackBf16,
        _ => return None,
    })
}

/// The comparison, the kind of its operands, and whether they have 64 bits.
fn compare(opcode: &str) -> Option<(Compare, Kind, bool)> {
    let (compare, kind) = opcode.strip_prefix("setp.")?.split_once('.')?;
    let (kind, wide) = match kind {
        "s32" => (Kind::Signed, false),
        "u32" => (Kind::Unsigned, false),
        "f32" => (Kind::Float, false),
        "s64" => (Kind::Signed, true),
        "u64" => (Kind::Unsigned, true),
        _ => return None,
    };
    let compare = match compare {
        "eq" => Compare::Equal,
        "ne" => Compare::NotEqual,
        "lt" => Compare::Less,
        "le" => Compare::LessOrEqual,
        "gt" => Compare::Greater,
        "ge" => Compare::GreaterOrEqual,
        "neu" if kind == Kind::Float => Compare::NotEqualOrNan,
        _ => return None,
    };
    Some((compare, kind, wide))
}
