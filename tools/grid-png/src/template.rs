//! Format strings such as `epoch {epoch:03} loss {loss:.2f}`, a subset of Python's `str.format`.

use std::fmt::Write;

use serde_json::Value;
use vae_cli::{Error, Result};
use vae_stream::record::{Epoch, TRAIN};

/// Most fields in a message.
const MAX_NAMED: usize = 24;

/// A parsed format string.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq)]
enum Segment {
    Text(String),
    Field(Field),
}

/// A replacement field: `{name}` or `{name:format_spec}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) format: FormatSpec,
    /// The field as typed.
    pub(crate) source: String,
}

/// `[0][WIDTH][d]`, or `[0][WIDTH].PRECISIONf`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct FormatSpec {
    zeros: bool,
    width: usize,
    presentation: Presentation,
}

/// The presentation type: none, `d`, or `f` with its precision.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Presentation {
    #[default]
    General,
    Integer,
    Fixed(usize),
}

/// The values of fields, by name.
#[derive(Debug)]
pub(crate) struct Values(Vec<(String, Value)>);

impl Template {
    /// Parses a text; `{{` and `}}` are braces. The error is the malformed field.
    pub(crate) fn parse(text: &str) -> Result<Template, String> {
        let (mut rest, mut segments, mut plain) = (text, Vec::new(), String::new());
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
            segments.push(Segment::Text(std::mem::take(&mut plain)));
            segments.push(Segment::Field(Field::parse(inside).ok_or_else(|| format!("{{{inside}}}"))?));
            rest = after;
        }
        segments.push(Segment::Text(plain + rest));
        Ok(Template { segments })
    }

    /// The replacement fields, in order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Field(field) => Some(field),
            Segment::Text(_) => None,
        })
    }

    /// The text with every field replaced by its value.
    pub(crate) fn fill(&self, values: &Values) -> Result<String> {
        let mut filled = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Text(text) => filled += text,
                Segment::Field(field) => field.format.write(&mut filled, values.get(field)?).ok_or_else(|| {
                    Error::Usage(format!(
                        "{}: expected a number for this format, got {}; write {{{}}}",
                        field.source,
                        values.get(field).unwrap_or(&Value::Null),
                        field.name
                    ))
                })?,
            }
        }
        Ok(filled)
    }
}

impl Field {
    fn parse(inside: &str) -> Option<Field> {
        let (name, format) = inside.split_once(':').unwrap_or((inside, ""));
        let format = FormatSpec::parse(format).filter(|_| !name.is_empty() && !name.contains('{'))?;
        Some(Field { name: name.into(), format, source: format!("{{{inside}}}") })
    }
}

impl FormatSpec {
    /// Parses the text after the colon; widths have at most two digits.
    fn parse(text: &str) -> Option<FormatSpec> {
        let zeros = text.starts_with('0');
        let rest = text.strip_prefix('0').unwrap_or(text);
        let number = |digits: &str| digits.parse().ok().filter(|_| digits.len() <= 2 && !digits.starts_with('+'));
        let (width, presentation) = match rest.strip_suffix('f') {
            Some(rest) => match rest.split_once('.') {
                Some((width, decimals)) => (width, Presentation::Fixed(number(decimals)?)),
                None => (rest, Presentation::Fixed(6)), // as in Python
            },
            None => match rest.strip_suffix('d') {
                Some(width) => (width, Presentation::Integer),
                None => (rest, Presentation::General),
            },
        };
        let width = if width.is_empty() { 0 } else { number(width).filter(|&width| width > 0)? };
        Some(FormatSpec { zeros, width, presentation })
    }

    /// Whether it pads an integer with zeros.
    pub(crate) fn is_zeros(self) -> bool {
        self.zeros && self.width > 0 && !matches!(self.presentation, Presentation::Fixed(_))
    }

    /// Writes a value; none if it is no number. Numbers that are not finite are text in a record.
    fn write(self, text: &mut String, value: &Value) -> Option<()> {
        let FormatSpec { zeros, width, presentation } = self;
        let real = || value.as_f64().or_else(|| value.as_str()?.parse().ok());
        let written = match (presentation, value) {
            (Presentation::Fixed(decimals), _) => real().map(|v| format!("{v:.decimals$}"))?,
            (Presentation::Integer, _) => {
                value.as_i64().map(|v| v.to_string()).or(value.as_u64().map(|v| v.to_string()))?
            }
            (Presentation::General, Value::String(words)) => words.clone(),
            (Presentation::General, other) => other.to_string(),
        };
        let is_finite = written.ends_with(|c: char| c.is_ascii_digit());
        match (value, written.strip_prefix('-')) {
            (Value::String(_), _) if presentation == Presentation::General => write!(text, "{written:width$}"),
            (_, Some(digits)) if zeros && is_finite => write!(text, "-{digits:0>0$}", width.saturating_sub(1)),
            _ if zeros && is_finite => write!(text, "{written:0>width$}"),
            _ => write!(text, "{written:>width$}"),
        }
        .ok()
    }
}

impl Values {
    /// Values by name.
    pub(crate) fn of(values: Vec<(String, Value)>) -> Values {
        Values(values)
    }

    /// The group, and the record of the epoch or else its number. `loss` is short for `train.loss`.
    pub(crate) fn new(group: &str, epoch: Option<u64>, record: Option<&Epoch>) -> Values {
        let mut values = vec![("group".to_owned(), Value::from(group))];
        match record {
            None => values.extend(epoch.map(|epoch| ("epoch".to_owned(), epoch.into()))),
            Some(record) => {
                for (name, value) in record.to_json() {
                    match value {
                        Value::Object(inner) => {
                            values.extend(inner.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
                        }
                        other => values.push((name, other)),
                    }
                }
            }
        }
        values.retain(|(_, value)| !matches!(value, Value::Null | Value::Array(_) | Value::Object(_)));
        Values(values)
    }

    fn get(&self, field: &Field) -> Result<&Value> {
        let of = |name: &str| self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        of(&field.name).or_else(|| of(&format!("{TRAIN}.{}", field.name))).ok_or_else(|| {
            let mut names: Vec<&str> = self.0.iter().take(MAX_NAMED).map(|(name, _)| name.as_str()).collect();
            names.extend((self.0.len() > MAX_NAMED).then_some("..."));
            Error::Usage(format!(
                "no such field: expected one of {}, got {}; correct the text",
                names.join(", "),
                field.source
            ))
        })
    }
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
        let record = Epoch::parse(record.as_object().unwrap()).unwrap();
        Template::parse(text).unwrap().fill(&Values::new("sample", Some(7), record.as_ref()))
    }

    #[test]
    fn fields_are_group_epoch_and_the_record_of_the_epoch() {
        assert_eq!(fill("epoch {epoch} of {epochs}, {group}: {loss}").unwrap(), "epoch 7 of 30, sample: 103.456");
        assert_eq!(fill("{train.loss} {name}").unwrap(), "103.456 digits");
        assert_eq!(fill("").unwrap(), "");
    }

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        for (field, expected) in [
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
            assert_eq!(fill(&format!("[{field}]")).unwrap(), format!("[{expected}]"), "{field}");
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
    fn a_value_that_is_no_number_is_a_usage_error() {
        for field in ["{name:.2f}", "{loss:d}", "{name:d}"] {
            let error = fill(field).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{field}");
            assert!(error.to_string().starts_with(&format!("{field}: expected a number")), "{error}");
        }
    }

    #[test]
    fn a_malformed_field_is_the_error() {
        for (text, field) in [
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
            assert_eq!(Template::parse(text).unwrap_err(), field, "{text}");
        }
    }
}
