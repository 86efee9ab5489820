//! The header of a .npy file, checked before `ndarray-npy` sees it.
//!
//! `ndarray-npy` allocates what a header claims and takes exponential time on nested brackets. The grammar here has
//! neither brackets to nest nor anything that grows: a flat dictionary of three known keys.

use crate::{Dtype, Error, Result};

/// The first bytes of a .npy file.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// NumPy's own limit for a header that it has not been told to trust.
const MAX_TEXT: usize = 10_000;
/// Dimensions of an array, at most, as in NumPy.
const MAX_DIMENSIONS: usize = 64;

/// The fields of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) dtype: Dtype,
    pub(crate) big_endian: bool,
    pub(crate) fortran: bool,
    pub(crate) shape: Vec<usize>,
    /// Length of the header, up to the first element.
    pub(crate) len: usize,
}

impl Header {
    /// Bytes that [`whole_len`](Header::whole_len) reads.
    pub(crate) const PREFIX: usize = 12;

    /// Length of the shortest header.
    pub(crate) const MIN: usize = 12;

    /// The length of a header, from its first [`PREFIX`](Header::PREFIX) bytes.
    pub(crate) fn whole_len(prefix: &[u8]) -> Result<usize> {
        let Some((magic, [major, minor, a, b, c, d])) = prefix.split_first_chunk::<6>().and_then(|(magic, rest)| {
            let rest: &[u8; 6] = rest.first_chunk()?;
            Some((magic, *rest))
        }) else {
            return Err(bad("a .npy header of at least 12 bytes", "fewer"));
        };
        if magic != MAGIC {
            return Err(bad("the magic bytes of a .npy file", prefix[..6].escape_ascii()));
        }
        let (start, text) = match (major, minor) {
            (1, 0) => (10, u16::from_le_bytes([a, b]) as usize),
            (2 | 3, 0) => (12, u32::from_le_bytes([a, b, c, d]) as usize),
            _ => return Err(bad("version 1.0, 2.0 or 3.0 of .npy", format_args!("{major}.{minor}"))),
        };
        if !(2..=MAX_TEXT).contains(&text) {
            return Err(bad(format_args!("a .npy header of 2 to {MAX_TEXT} bytes"), text));
        }
        Ok(start + text)
    }

    /// Parses the header at the start of `bytes`.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Header> {
        let len = Header::whole_len(bytes)?;
        let start = if bytes[6] == 1 { 10 } else { 12 };
        let text = bytes.get(start..len).ok_or_else(|| bad("a whole .npy header", "its beginning"))?;
        let mut parser = Parser { text, at: 0, descr: None };
        parser.header(len).ok_or_else(|| parser.error())?.checked()
    }

    /// Number of elements. No overflow: [`parse`](Header::parse) has checked the product.
    pub(crate) fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of the array's elements.
    pub(crate) fn data_len(&self) -> usize {
        self.elements() * self.dtype.size()
    }

    fn checked(self) -> Result<Header> {
        match data_len(self.dtype, &self.shape) {
            Some(_) => Ok(self),
            None => Err(bad("an array that fits in memory", format_args!("shape {:?}", self.shape))),
        }
    }
}

/// Bytes of an array's elements; none if they overflow `isize`. As in `ndarray`, the other dimensions must not overflow even
/// where one is 0.
pub(crate) fn data_len(dtype: Dtype, shape: &[usize]) -> Option<usize> {
    let most = shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d.max(1)))?;
    isize::try_from(most).ok()?;
    Some(if shape.contains(&0) { 0 } else { most })
}

/// The header that NumPy writes: version 1.0, padded to a multiple of 64 bytes.
pub(crate) fn header(dtype: &str, fortran: bool, shape: &[usize]) -> Vec<u8> {
    let dims: String = shape.iter().map(|d| format!("{d}, ")).collect();
    let dims = if shape.len() == 1 { dims.trim_end() } else { dims.trim_end_matches(", ") };
    let order = if fortran { "True" } else { "False" };
    let dict = format!("{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': ({dims}), }}");
    let len = (10 + dict.len() + 1).next_multiple_of(64);
    let mut bytes = Vec::with_capacity(len);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&((len - 10) as u16).to_le_bytes());
    bytes.extend_from_slice(dict.as_bytes());
    bytes.resize(len - 1, b' ');
    bytes.push(b'\n');
    bytes
}

pub(crate) fn bad(expected: impl ToString, got: impl ToString) -> Error {
    Error::Npy { expected: expected.to_string(), got: got.to_string() }
}

/// The error of an array without dimensions.
pub(crate) fn scalar() -> Error {
    bad("an array", "a single number")
}

/// A cursor over the header's text. Where the grammar does not hold, every method gives none, and `at` stays there.
struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    /// A dtype that is none of a number.
    descr: Option<&'a [u8]>,
}

impl<'a> Parser<'a> {
    /// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, keys in any order, padding, a newline.
    fn header(&mut self, len: usize) -> Option<Header> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        self.token(b"{")?;
        while self.token(b"}").is_none() {
            let key_at = self.at;
            match self.string()? {
                b"descr" if descr.is_none() => descr = Some(self.value(Self::descr)?),
                b"fortran_order" if fortran.is_none() => fortran = Some(self.value(Self::boolean)?),
                b"shape" if shape.is_none() => shape = Some(self.value(Self::tuple)?),
                _ => {
                    self.at = key_at;
                    return None;
                }
            }
            if self.token(b",").is_none() && self.peek()? != b'}' {
                return None;
            }
        }
        self.space();
        let ends_well = self.at == self.text.len() && self.text.last() == Some(&b'\n');
        let (dtype, big_endian) = descr?;
        ends_well.then_some(Header { dtype, big_endian, fortran: fortran?, shape: shape?, len })
    }

    fn value<T>(&mut self, parse: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.token(b":")?;
        parse(self)
    }

    fn descr(&mut self) -> Option<(Dtype, bool)> {
        self.space();
        let start = self.at;
        let name = self.string();
        let found = name.and_then(dtype);
        if found.is_none() {
            (self.at, self.descr) = (start, name);
        }
        found
    }

    fn boolean(&mut self) -> Option<bool> {
        match self.token(b"True") {
            Some(()) => Some(true),
            None => self.token(b"False").map(|()| false),
        }
    }

    /// `()`, `(3,)` or `(3, 4)` with or without a last comma; `(3)` is a number to Python, and no shape.
    fn tuple(&mut self) -> Option<Vec<usize>> {
        let (mut shape, mut commas) = (Vec::new(), 0);
        self.token(b"(")?;
        while self.token(b")").is_none() {
            if commas < shape.len() || shape.len() == MAX_DIMENSIONS {
                return None;
            }
            shape.push(self.number()?);
            commas += usize::from(self.token(b",").is_some());
        }
        (shape.len() != 1 || commas == 1).then_some(shape)
    }

    fn number(&mut self) -> Option<usize> {
        self.space();
        let digits = self.text[self.at..].iter().take_while(|c| c.is_ascii_digit()).count();
        let text = std::str::from_utf8(&self.text[self.at..self.at + digits]).ok()?;
        if text.len() > 1 && text.starts_with('0') {
            return None;
        }
        let number = text.parse().ok()?;
        self.at += digits;
        Some(number)
    }

    /// A string without escapes, in either kind of quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.space();
        let (&quote, rest) = self.text[self.at..].split_first()?;
        let len = rest.iter().position(|&c| c == quote)?;
        if !matches!(quote, b'\'' | b'"') || rest[..len].contains(&b'\\') {
            return None;
        }
        self.at += len + 2;
        Some(&rest[..len])
    }

    fn token(&mut self, token: &[u8]) -> Option<()> {
        self.space();
        self.text[self.at..].starts_with(token).then(|| self.at += token.len())
    }

    fn peek(&mut self) -> Option<u8> {
        self.space();
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        self.at += self.text[self.at..].iter().take_while(|c| c.is_ascii_whitespace()).count();
    }

    fn error(&self) -> Error {
        if let Some(descr) = self.descr {
            let got = format!("'{}'{}", descr.escape_ascii(), kind(descr));
            return bad("bool, an integer or f2, f4 or f8 as dtype", got);
        }
        let rest = &self.text[self.at..];
        if rest.starts_with(b"[") && self.text[..self.at].trim_ascii_end().ends_with(b":") {
            return bad("bool, an integer or f2, f4 or f8 as dtype", "a record of fields; save one of them: x['NAME']");
        }
        let rest = rest[..rest.len().min(24)].trim_ascii_end().escape_ascii();
        bad("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)} with a plain number type", rest)
    }
}

/// What a dtype that is none of a number holds, and what to save instead.
fn kind(descr: &[u8]) -> &'static str {
    match descr {
        [b'|', b'O', ..] => ", objects; save np.stack(x) or np.array(x.tolist())",
        [_, b'U' | b'S', ..] => ", text; save numbers: x.astype(int)",
        [_, b'c', ..] => ", complex numbers; save x.real or abs(x)",
        [_, b'M' | b'm', ..] => ", dates; save numbers: x.astype('i8')",
        [_, b'V', ..] | [_, b'f', ..] => ", such as bfloat16 or a long double; save x.astype('f4')",
        _ => "",
    }
}

/// The type that NumPy calls `name`, and whether it is big endian.
fn dtype(name: &[u8]) -> Option<(Dtype, bool)> {
    let (&order, kind) = name.split_first()?;
    let kind = std::str::from_utf8(kind).ok()?;
    match order {
        b'|' | b'<' | b'>' if kind.ends_with('1') => Some((Dtype::from_name(&format!("|{kind}"))?, false)),
        b'<' | b'>' => Some((Dtype::from_name(&format!("<{kind}"))?, order == b'>')),
        _ => None,
    }
}
