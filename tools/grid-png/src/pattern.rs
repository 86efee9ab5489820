//! The name given to `-o`: one file, or a pattern such as `out/{group}-{epoch:03}.png` that names one for each picture.

use std::path::{Path, PathBuf};
use vae_cli::{Error, Result};

use crate::template::{Fields, Format, Hole, Template};

/// A file name with holes for group and epoch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern {
    name: Template,
}

impl Pattern {
    /// Reads a pattern; `None` if the name has no braces, which is a plain file.
    pub(crate) fn parse(name: &Path) -> Result<Option<Pattern>> {
        let Some(name) = name.to_str().filter(|name| name.contains(['{', '}'])) else { return Ok(None) };
        let template = Template::parse(name).map_err(|hole| unknown(name, &hole))?;
        if let Some(hole) = template.holes().find(|hole| !is_known(hole)) {
            return Err(unknown(name, &hole.source));
        }
        Ok(Some(Pattern { name: template }))
    }

    /// Whether each group gets its own file.
    pub(crate) fn has_group(&self) -> bool {
        self.name.holes().any(|hole| hole.field == "group")
    }

    /// The file for a group's picture of an epoch. (The names of groups in a stream are plain: no folder, no dot at the start.)
    pub(crate) fn fill(&self, group: &str, epoch: Option<u64>) -> Result<PathBuf> {
        if epoch.is_none() && self.name.holes().any(|hole| hole.field == "epoch") {
            return Err(Error::Usage(format!(
                "no epoch to put into the name: the images of {group} carry none; leave {{epoch}} out of -o"
            )));
        }
        Ok(self.name.fill(&Fields::new(group, epoch, None))?.into())
    }
}

/// Whether a hole can be part of a name: `group`, `epoch`, or `epoch:0N` for N digits, since blanks have no place there.
fn is_known(hole: &Hole) -> bool {
    let plain = Format::default();
    match &hole.field[..] {
        "group" => hole.format == plain,
        "epoch" => hole.format == plain || hole.format.is_zeros(),
        _ => false,
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
