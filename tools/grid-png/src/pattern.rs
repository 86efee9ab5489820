//! The name given to `-o`: one file, or a pattern such as `out/{group}-{epoch:03}.png` that names one for each picture.

use common::{Error, Result};
use std::path::{Path, PathBuf};

/// A file name with holes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Group,
    Epoch { digits: usize },
}

impl Pattern {
    /// Reads a pattern; `None` if the name has no braces, which is a plain file.
    pub(crate) fn parse(name: &Path) -> Result<Option<Pattern>> {
        let Some(name) = name.to_str().filter(|name| name.contains(['{', '}'])) else { return Ok(None) };
        let mut rest = name;
        let mut parts = Vec::new();
        while let Some(at) = rest.find(['{', '}']) {
            let (text, brace) = rest.split_at(at);
            let inside = brace.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let Some((hole, after)) = inside else { return Err(unknown(name, brace)) };
            parts.push(Part::Text(text.into()));
            parts.push(Part::parse(hole).ok_or_else(|| unknown(name, &format!("{{{hole}}}")))?);
            rest = after;
        }
        parts.push(Part::Text(rest.into()));
        Ok(Some(Pattern { parts }))
    }

    /// Whether each group gets its own file.
    pub(crate) fn has_group(&self) -> bool {
        self.parts.contains(&Part::Group)
    }

    /// The file for a group's picture of an epoch. (The names of groups in a stream are plain: no folder, no dot at the start.)
    pub(crate) fn fill(&self, group: &str, epoch: Option<u64>) -> Result<PathBuf> {
        let mut name = String::new();
        for part in &self.parts {
            match (part, epoch) {
                (Part::Text(text), _) => name += text,
                (Part::Group, _) => name += group,
                (Part::Epoch { digits }, Some(epoch)) => name += &format!("{epoch:0digits$}"),
                (Part::Epoch { .. }, None) => {
                    return Err(Error::Usage(format!(
                        "no epoch to put into the name: the images of {group} carry none; leave {{epoch}} out of -o"
                    )));
                }
            }
        }
        Ok(name.into())
    }
}

impl Part {
    /// What stands between braces: `group`, `epoch`, or `epoch:0N` for N digits.
    fn parse(hole: &str) -> Option<Part> {
        match hole.split_once(':') {
            None if hole == "group" => Some(Part::Group),
            None if hole == "epoch" => Some(Part::Epoch { digits: 1 }),
            Some(("epoch", digits)) => match digits.strip_prefix('0')?.parse() {
                Ok(digits @ 1..=9) => Some(Part::Epoch { digits }),
                _ => None,
            },
            _ => None,
        }
    }
}

fn unknown(name: &str, hole: &str) -> Error {
    Error::Usage(format!(
        "-o {name}: expected {{group}}, {{epoch}} or {{epoch:03}} between braces, got {hole}; correct the name"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str) -> Result<Option<Pattern>> {
        Pattern::parse(Path::new(name))
    }

    fn fill(name: &str, group: &str, epoch: Option<u64>) -> Result<PathBuf> {
        parse(name).unwrap().unwrap().fill(group, epoch)
    }

    #[test]
    fn a_name_without_braces_is_a_plain_file() {
        assert_eq!(parse("out.png").unwrap(), None);
    }

    #[test]
    fn holes_are_filled_with_group_and_epoch() {
        assert_eq!(fill("out/{group}-{epoch:03}.png", "recon", Some(7)).unwrap(), Path::new("out/recon-007.png"));
        assert_eq!(fill("{epoch}{epoch:02}", "main", Some(123)).unwrap(), Path::new("123123"));
        assert_eq!(fill("{group}.png", "main", None).unwrap(), Path::new("main.png"));
    }

    #[test]
    fn an_unknown_hole_is_a_usage_error_that_names_the_known_ones() {
        for (name, hole) in [
            ("{step}.png", "{step}"),
            ("{}.png", "{}"),
            ("{epoch:3}", "{epoch:3}"),
            ("{epoch:00}", "{epoch:00}"),
            ("{epoch:0999999}", "{epoch:0999999}"),
            ("{group:03}", "{group:03}"),
            ("a}b", "}b"),
            ("{epoch", "{epoch"),
        ] {
            let error = parse(name).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{name}");
            let message = error.to_string();
            assert!(message.contains("{group}, {epoch} or {epoch:03}"), "{message}");
            assert!(message.contains(&format!("got {hole};")), "{message}");
        }
    }

    #[test]
    fn an_epoch_that_is_not_there_is_a_usage_error() {
        assert_eq!(fill("{epoch}.png", "main", None).unwrap_err().exit_code(), 2);
    }
}
