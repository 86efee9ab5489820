//! The types of elements, by NumPy's names.

use std::fmt;

/// The type of a tensor's elements, which are little endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Dtype {
    Bool,
    I8,
    U8,
    I16,
    U16,
    F16,
    I32,
    U32,
    F32,
    I64,
    U64,
    F64,
}

const NAMES: [(Dtype, &str); 12] = [
    (Dtype::Bool, "|b1"),
    (Dtype::I8, "|i1"),
    (Dtype::U8, "|u1"),
    (Dtype::I16, "<i2"),
    (Dtype::U16, "<u2"),
    (Dtype::F16, "<f2"),
    (Dtype::I32, "<i4"),
    (Dtype::U32, "<u4"),
    (Dtype::F32, "<f4"),
    (Dtype::I64, "<i8"),
    (Dtype::U64, "<u8"),
    (Dtype::F64, "<f8"),
];

impl Dtype {
    /// Its name in a stream, say `<f4`.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(dtype, _)| *dtype == self).map_or("", |(_, name)| name)
    }

    /// The type with this name in a stream.
    pub fn from_name(name: &str) -> Option<Dtype> {
        NAMES.iter().find(|(_, n)| *n == name).map(|(dtype, _)| *dtype)
    }

    /// Whether it is an integer type. bool is none.
    pub fn is_whole(self) -> bool {
        !matches!(self, Dtype::Bool | Dtype::F16 | Dtype::F32 | Dtype::F64)
    }

    /// Bytes per element.
    pub fn size(self) -> usize {
        match self {
            Dtype::Bool | Dtype::I8 | Dtype::U8 => 1,
            Dtype::I16 | Dtype::U16 | Dtype::F16 => 2,
            Dtype::I32 | Dtype::U32 | Dtype::F32 => 4,
            Dtype::I64 | Dtype::U64 | Dtype::F64 => 8,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
