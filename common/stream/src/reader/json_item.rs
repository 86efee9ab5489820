//! One line of newline JSON: names, and numbers in nested lists.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::Dtype;

/// Nested lists at most, so that an item has no more dimensions than a .npy.
const MAX_DEPTH: usize = 63;

/// The tensors of an item, in the order of the line.
pub(super) struct Item(pub(super) Vec<(String, Numbers)>);

/// Numbers in nested lists of one shape, in C order.
#[derive(Default)]
pub(super) struct Numbers {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<Number>,
}

/// A number as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Bool(bool),
    /// Without a fraction.
    Whole(i128),
    /// With a fraction or an exponent, or not finite.
    Real(f64),
}

impl Number {
    /// The bytes of the nearest value of this type, little endian; none for a number out of its range, and for an integer
    /// that it would round.
    pub(super) fn push(self, dtype: Dtype, bytes: &mut Vec<u8>) -> Option<()> {
        match dtype {
            Dtype::Bool => bytes.push(self.boolean()?.into()),
            Dtype::U8 => bytes.push(u8::try_from(self.whole()?).ok()?),
            Dtype::I64 => bytes.extend(i64::try_from(self.whole()?).ok()?.to_le_bytes()),
            Dtype::U64 => bytes.extend(u64::try_from(self.whole()?).ok()?.to_le_bytes()),
            Dtype::F32 => bytes.extend(self.single()?.to_le_bytes()),
            _ => bytes.extend(self.double()?.to_le_bytes()),
        }
        Some(())
    }

    /// An integer, written as 3 or as 3.0.
    pub(super) fn whole(self) -> Option<i128> {
        match self {
            Number::Whole(whole) => Some(whole),
            Number::Real(real) => (real.fract() == 0.0 && real.abs() < 2f64.powi(53)).then_some(real as i128),
            Number::Bool(_) => None,
        }
    }

    fn boolean(self) -> Option<bool> {
        match self {
            Number::Bool(bool) => Some(bool),
            _ => None,
        }
    }

    /// None also for an integer that f32 does not have, such as 16777217.
    fn single(self) -> Option<f32> {
        match self {
            Number::Whole(whole) => Some(whole as f32).filter(|near| *near as i128 == whole),
            Number::Real(real) => Some(real as f32).filter(|near| near.is_finite() || !real.is_finite()),
            Number::Bool(_) => None,
        }
    }

    /// None also for an integer that f64 does not have, such as 2^53 + 1.
    pub(super) fn double(self) -> Option<f64> {
        match self {
            Number::Whole(whole) => Some(whole as f64).filter(|near| *near as i128 == whole),
            Number::Real(real) => Some(real),
            Number::Bool(_) => None,
        }
    }
}

/// The item of a line, in which NaN, Infinity and -Infinity may stand without quotes, as Python's `json` writes them.
pub(super) fn parse(line: &[u8]) -> serde_json::Result<Item> {
    serde_json::from_slice(&quoted(line))
}

/// The line, with quotes around what JSON has no numbers for.
pub(super) fn quoted(line: &[u8]) -> Cow<'_, [u8]> {
    const WORDS: [(&[u8], &[u8]); 3] = [(b"NaN", b"\"NaN\""), (b"Infinity", b"\"inf\""), (b"-Infinity", b"\"-inf\"")];
    if !line.iter().any(|b| matches!(b, b'N' | b'I')) {
        return line.into();
    }
    let (mut text, mut at, mut in_string) = (Vec::with_capacity(line.len() + 64), 0, false);
    while let Some(&byte) = line.get(at) {
        let word = WORDS.iter().find(|(word, _)| !in_string && line[at..].starts_with(word));
        if let Some((word, string)) = word {
            text.extend_from_slice(string);
            at += word.len();
            continue;
        }
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                text.push(byte);
                at += 1;
            }
            _ => {}
        }
        text.extend(line.get(at));
        at += 1;
    }
    text.into()
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Item, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
                let mut item: Vec<(String, Numbers)> = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if item.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom(format_args!("the key {name} appears twice")));
                    }
                    let mut numbers = Numbers::default();
                    let mut seed = List { numbers: &mut numbers, depth: 0 };
                    map.next_value_seed(&mut seed).map_err(|e| A::Error::custom(format_args!("{name}: {e}")))?;
                    item.push((name, numbers));
                }
                Ok(Item(item))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A number, or a list of them, at a depth of the lists. The first number settles the shape.
struct List<'a> {
    numbers: &'a mut Numbers,
    depth: usize,
}

impl List<'_> {
    fn push<E: serde::de::Error>(&mut self, number: Number) -> Result<(), E> {
        if self.numbers.shape.len() > self.depth {
            return Err(E::custom("expected lists of equal length, got a number beside a list"));
        }
        self.numbers.values.push(number);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers, which are \"NaN\", \"inf\" and \"-inf\" where they are not finite")
    }

    fn visit_bool<E: serde::de::Error>(self, bool: bool) -> Result<(), E> {
        self.push(Number::Bool(bool))
    }

    fn visit_i64<E: serde::de::Error>(self, whole: i64) -> Result<(), E> {
        self.push(Number::Whole(whole.into()))
    }

    fn visit_u64<E: serde::de::Error>(self, whole: u64) -> Result<(), E> {
        self.push(Number::Whole(whole.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, real: f64) -> Result<(), E> {
        self.push(Number::Real(real))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        match text {
            "NaN" => self.push(Number::Real(f64::NAN)),
            "inf" | "Infinity" => self.push(Number::Real(f64::INFINITY)),
            "-inf" | "-Infinity" => self.push(Number::Real(f64::NEG_INFINITY)),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Numbers { shape, values } = &*self.numbers;
        let (depth, is_new) = (self.depth, shape.len() == self.depth && values.is_empty());
        if depth == MAX_DEPTH {
            return Err(A::Error::custom(format_args!("expected lists nested at most {MAX_DEPTH} deep, got more")));
        }
        if is_new {
            self.numbers.shape.push(0);
        } else if shape.len() == depth {
            return Err(A::Error::custom("expected lists of equal length, got a list beside a number"));
        }
        self.depth += 1;
        let mut len = 0;
        while list.next_element_seed(&mut *self)?.is_some() {
            len += 1;
        }
        self.depth = depth;
        if is_new {
            self.numbers.shape[depth] = len;
        }
        match self.numbers.shape[depth] {
            expected if expected != len => {
                Err(A::Error::custom(format_args!("expected lists of equal length, got {expected} and {len}")))
            }
            0 => Err(A::Error::custom("expected numbers, got an empty list")),
            _ => Ok(()),
        }
    }
}
