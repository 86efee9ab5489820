//! Text with holes to fill in, such as `epoch {epoch:03} loss {loss:.2f}`, in the manner of Python's `format`.

use std::fmt::Write;

use serde_json::{Map, Value};
use vae_cli::{Error, Result};

/// Fields that a message names at most.
const MOST_NAMED: usize = 24;

/// A text and the holes between its parts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Hole(Hole),
}

/// `{field}` or `{field:format}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hole {
    pub(crate) field: String,
    pub(crate) format: Format,
    /// As it was typed.
    pub(crate) source: String,
}

/// How a number is written: `[0][WIDTH][d]`, or `[0][WIDTH].DECIMALSf`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Format {
    zeros: bool,
    width: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Kind {
    #[default]
    Any,
    Whole,
    Decimals(usize),
}

/// What holes can be filled with.
#[derive(Debug)]
pub(crate) struct Fields(Vec<(String, Value)>);

impl Template {
    /// Reads a text; `{{` and `}}` are braces. The error is the hole that cannot be read.
    pub(crate) fn parse(text: &str) -> Result<Template, String> {
        let (mut rest, mut parts, mut plain) = (text, Vec::new(), String::new());
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            plain += before;
            if let Some(after) = brace.strip_prefix("{{").or(brace.strip_prefix("}}")) {
                plain += &brace[..1];
                rest = after;
                continue;
            }
            let inside = brace.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let (inside, after) = inside.ok_or(brace)?;
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(Part::Hole(Hole::parse(inside).ok_or_else(|| format!("{{{inside}}}"))?));
            rest = after;
        }
        parts.push(Part::Text(plain + rest));
        Ok(Template { parts })
    }

    /// The holes, in order.
    pub(crate) fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.parts.iter().filter_map(|part| match part {
            Part::Hole(hole) => Some(hole),
            Part::Text(_) => None,
        })
    }

    /// The text, with every hole filled.
    pub(crate) fn fill(&self, fields: &Fields) -> Result<String> {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled += text,
                Part::Hole(hole) => hole.format.write(&mut filled, fields.get(hole)?).ok_or_else(|| {
                    Error::Usage(format!(
                        "{}: expected a number that can be written so, got {}; write {{{}}}",
                        hole.source,
                        fields.get(hole).unwrap_or(&Value::Null),
                        hole.field
                    ))
                })?,
            }
        }
        Ok(filled)
    }
}

impl Hole {
    fn parse(inside: &str) -> Option<Hole> {
        let (field, format) = inside.split_once(':').unwrap_or((inside, ""));
        let format = Format::parse(format).filter(|_| !field.is_empty() && !field.contains('{'))?;
        Some(Hole { field: field.into(), format, source: format!("{{{inside}}}") })
    }
}

impl Format {
    /// Reads what stands behind the colon; widths beyond two digits are none.
    fn parse(text: &str) -> Option<Format> {
        let zeros = text.starts_with('0');
        let rest = text.strip_prefix('0').unwrap_or(text);
        let number = |digits: &str| digits.parse().ok().filter(|_| digits.len() <= 2 && !digits.starts_with('+'));
        let (width, kind) = match rest.strip_suffix('f') {
            Some(rest) => match rest.split_once('.') {
                Some((width, decimals)) => (width, Kind::Decimals(number(decimals)?)),
                None => (rest, Kind::Decimals(6)), // as in Python
            },
            None => match rest.strip_suffix('d') {
                Some(width) => (width, Kind::Whole),
                None => (rest, Kind::Any),
            },
        };
        let width = if width.is_empty() { 0 } else { number(width).filter(|&width| width > 0)? };
        Some(Format { zeros, width, kind })
    }

    /// Whether it makes a whole number longer with zeros alone.
    pub(crate) fn is_zeros(self) -> bool {
        self.zeros && self.width > 0 && !matches!(self.kind, Kind::Decimals(_))
    }

    /// Writes a value, unless it is of a kind that cannot be written so. A stream has numbers that are not finite as text.
    fn write(self, text: &mut String, value: &Value) -> Option<()> {
        let Format { zeros, width, kind } = self;
        let real = || value.as_f64().or_else(|| value.as_str()?.parse().ok());
        let written = match (kind, value) {
            (Kind::Decimals(decimals), _) => real().map(|v| format!("{v:.decimals$}"))?,
            (Kind::Whole, _) => value.as_i64().map(|v| v.to_string()).or(value.as_u64().map(|v| v.to_string()))?,
            (Kind::Any, Value::String(words)) => words.clone(),
            (Kind::Any, other) => other.to_string(),
        };
        let is_finite = written.ends_with(|c: char| c.is_ascii_digit());
        match (value, written.strip_prefix('-')) {
            (Value::String(_), _) if kind == Kind::Any => write!(text, "{written:width$}"),
            (_, Some(digits)) if zeros && is_finite => write!(text, "-{digits:0>0$}", width.saturating_sub(1)),
            _ if zeros && is_finite => write!(text, "{written:0>width$}"),
            _ => write!(text, "{written:>width$}"),
        }
        .ok()
    }
}

impl Fields {
    /// The group, the epoch, and what the epoch's record tells; what it tells of `train` is `train.loss` and also `loss`.
    pub(crate) fn new(group: &str, epoch: Option<u64>, record: Option<&Map<String, Value>>) -> Fields {
        let mut fields = vec![("group".to_owned(), Value::from(group))];
        fields.extend(epoch.map(|epoch| ("epoch".to_owned(), epoch.into())));
        for (name, value) in record.into_iter().flatten().filter(|(name, _)| !matches!(&name[..], "kind" | "epoch")) {
            match value {
                Value::Object(inner) => fields.extend(
                    inner.iter().map(|(part, value)| (format!("{name}.{part}"), value.clone())).filter(is_plain),
                ),
                other => fields.extend(Some((name.clone(), other.clone())).filter(is_plain)),
            }
        }
        Fields(fields)
    }

    fn get(&self, hole: &Hole) -> Result<&Value> {
        let of = |name: &str| self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        of(&hole.field).or_else(|| of(&format!("train.{}", hole.field))).ok_or_else(|| {
            let mut names: Vec<&str> = self.0.iter().take(MOST_NAMED).map(|(name, _)| name.as_str()).collect();
            names.extend((self.0.len() > MOST_NAMED).then_some("..."));
            Error::Usage(format!(
                "no such field: expected one of {}, got {}; correct the text",
                names.join(", "),
                hole.source
            ))
        })
    }
}

fn is_plain((_, value): &(String, Value)) -> bool {
    !matches!(value, Value::Null | Value::Array(_) | Value::Object(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fill(text: &str) -> Result<String> {
        let record = json!({
            "kind": "epoch", "epoch": 7, "epochs": 30, "train": {"loss": 103.456, "kl": -2.5}, "test": {"loss": "NaN"},
            "name": "digits", "list": [1],
        });
        Template::parse(text).unwrap().fill(&Fields::new("sample", Some(7), record.as_object()))
    }

    #[test]
    fn holes_are_filled_with_group_epoch_and_what_the_record_says() {
        assert_eq!(fill("epoch {epoch} of {epochs}, {group}: {loss}").unwrap(), "epoch 7 of 30, sample: 103.456");
        assert_eq!(fill("{train.loss} {name}").unwrap(), "103.456 digits");
        assert_eq!(fill("").unwrap(), "");
    }

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        for (hole, expected) in [
            ("{loss:.2f}", "103.46"),
            ("{loss:f}", "103.456000"),
            ("{loss:.0f}", "103"),
            ("{loss:9.2f}", "   103.46"),
            ("{loss:09.2f}", "000103.46"),
            ("{kl:07.2f}", "-002.50"),
            ("{kl:7.1f}", "   -2.5"),
            ("{epoch:03}", "007"),
            ("{epoch:03d}", "007"),
            ("{epoch:3}", "  7"),
            ("{epoch:d}", "7"),
            ("{epoch:.1f}", "7.0"),
            ("{test.loss:.2f}", "NaN"),
            ("{test.loss:05.2f}", "  NaN"),
            ("{name:8}", "digits  "),
        ] {
            assert_eq!(fill(&format!("[{hole}]")).unwrap(), format!("[{expected}]"), "{hole}");
        }
    }

    #[test]
    fn doubled_braces_are_braces() {
        assert_eq!(fill("{{{epoch}}} {{}}").unwrap(), "{7} {}");
    }

    #[test]
    fn a_field_that_is_not_there_is_a_usage_error_that_names_those_that_are() {
        let error = fill("{lr}").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let names = "group, epoch, epochs, train.loss, train.kl, test.loss, name";
        assert_eq!(error.to_string(), format!("no such field: expected one of {names}, got {{lr}}; correct the text"));
    }

    #[test]
    fn a_value_that_cannot_be_written_so_is_a_usage_error() {
        for hole in ["{name:.2f}", "{loss:d}", "{name:d}"] {
            let error = fill(hole).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{hole}");
            assert!(error.to_string().starts_with(&format!("{hole}: expected a number")), "{error}");
        }
    }

    #[test]
    fn a_hole_that_cannot_be_read_is_told() {
        for (text, hole) in [
            ("{}", "{}"),
            ("{:03}", "{:03}"),
            ("{loss:.2}", "{loss:.2}"),
            ("{loss:2.f}", "{loss:2.f}"),
            ("{loss:+f}", "{loss:+f}"),
            ("{loss:x}", "{loss:x}"),
            ("{epoch:00}", "{epoch:00}"),
            ("{epoch:0123}", "{epoch:0123}"),
            ("a}b", "}b"),
            ("a {epoch", "{epoch"),
        ] {
            assert_eq!(Template::parse(text).unwrap_err(), hole, "{text}");
        }
    }
}
