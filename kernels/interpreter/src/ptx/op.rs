//! Decoded instructions. Registers of 16 and 32 bits are words, those of 64 bits doubles; both are numbered from 0, as
//! predicates are. An immediate is a register that holds a constant.

/// The number of a register in its class.
pub(crate) type Register = u32;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unary {
    Move,
    Negate,
    Not,
    NegateF,
    AbsF,
    ReciprocalF,
    RootF,
    RoundF,
    FromU32,
    FromS32,
    FromU16,
    ToTf32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
    ShiftRightSigned,
    MinSigned,
    MaxSigned,
    DivideSigned,
    Divide,
    RemainderSigned,
    AddF,
    SubtractF,
    MultiplyF,
    DivideF,
    MaxF,
    PackBf16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ternary {
    FusedMultiplyAddF,
    MultiplyAdd,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unary64 {
    Move,
    Negate,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Binary64 {
    Add,
    Subtract,
    Multiply,
    And,
    Or,
    Xor,
    Divide,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Not equal, or a NaN.
    NotEqualOrNan,
}

/// How the bits of operands are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Unsigned,
    Signed,
    Float,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Space {
    Param,
    Shared,
    Global,
}

/// What a load or a store moves for each lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Element {
    Byte,
    Word,
    /// A word whose sign fills a double.
    SignedWord,
    Double,
}

impl Element {
    pub(crate) fn bytes(self) -> u32 {
        match self {
            Element::Byte => 1,
            Element::Word | Element::SignedWord => 4,
            Element::Double => 8,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Word(Register),
    Double(Register),
}

/// A load or a store of up to four adjacent elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) space: Space,
    pub(crate) element: Element,
    pub(crate) count: u32,
    pub(crate) values: [Target; 4],
    pub(crate) base: Register,
    pub(crate) offset: i64,
}

impl Access {
    pub(crate) fn bytes(&self) -> u32 {
        self.element.bytes() * self.count
    }
}

/// d = a · b + c on a tensor core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mma {
    pub(crate) bf16: bool,
    pub(crate) d: [Register; 4],
    pub(crate) a: [Register; 4],
    pub(crate) b: [Register; 2],
    pub(crate) c: [Register; 4],
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Unary(Unary, Register, Register),
    Binary(Binary, Register, [Register; 2]),
    Ternary(Ternary, Register, [Register; 3]),
    /// Inserts bits of the first into the second, at a position, so many.
    BitFieldInsert(Register, [Register; 4]),
    Unary64(Unary64, Register, Register),
    Binary64(Binary64, Register, [Register; 2]),
    /// Words to a double.
    MultiplyWide(Kind, Register, [Register; 2]),
    /// A double by a word.
    Shift64 {
        left: bool,
        to: Register,
        from: Register,
        by: Register,
    },
    /// A word to a double.
    Widen(Kind, Register, Register),
    /// The low word of a double.
    Narrow(Register, Register),
    Compare(Compare, Kind, Register, [Register; 2]),
    Compare64(Compare, Kind, Register, [Register; 2]),
    Select(Register, [Register; 2], Register),
    AndPredicate(Register, [Register; 2]),
    OrPredicate(Register, [Register; 2]),
    NotPredicate(Register, Register),
    SetPredicate(Register, bool),
    Load(Access),
    Store(Access),
    /// `meet`: where the ways of a divergent branch join, its immediate post-dominator.
    Branch {
        to: usize,
        meet: usize,
    },
    Barrier,
    /// The members.
    WarpBarrier(Register),
    /// Of `[value, lane mask, clamp, members]`.
    ShuffleXor {
        to: Register,
        inside: Option<Register>,
        from: [Register; 4],
    },
    Mma(Box<Mma>),
    Return,
}
