//! The file name of `-o`: one file, or a pattern such as `out/{group}-{epoch:03}.png` for a file per picture.

use std::path::{Path, PathBuf};
use vae_cli::{Error, Result};

use crate::template::{Field, FormatSpec, Template, Values};

/// A file name with fields for group and epoch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern {
    name: Template,
}

impl Pattern {
    /// Parses a pattern; none of a name without braces, which is one file.
    pub(crate) fn parse(name: &Path) -> Result<Option<Pattern>> {
        let Some(name) = name.to_str().filter(|name| name.contains(['{', '}'])) else { return Ok(None) };
        let template = Template::parse(name).map_err(|field| unknown(name, &field))?;
        if let Some(field) = template.fields().find(|field| !is_known(field)) {
            return Err(unknown(name, &field.source));
        }
        Ok(Some(Pattern { name: template }))
    }

    /// Whether each group has its own file.
    pub(crate) fn has_group(&self) -> bool {
        self.name.fields().any(|field| field.name == "group")
    }

    /// The file of a group and epoch. (Group names in a stream have no slash and no leading dot.)
    pub(crate) fn fill(&self, group: &str, epoch: Option<u64>) -> Result<PathBuf> {
        if epoch.is_none() && self.name.fields().any(|field| field.name == "epoch") {
            return Err(Error::Usage(format!(
                "no epoch for the file name: expected one in group {group}, got none; leave {{epoch}} out of -o"
            )));
        }
        Ok(self.name.fill(&Values::new(group, epoch, None))?.into())
    }
}

/// Whether a field may be part of a file name: `group`, `epoch`, or `epoch:0N` for N digits.
fn is_known(field: &Field) -> bool {
    let plain = FormatSpec::default();
    match &field.name[..] {
        "group" => field.format == plain,
        "epoch" => field.format == plain || field.format.is_zeros(),
        _ => false,
    }
}

fn unknown(name: &str, field: &str) -> Error {
    Error::Usage(format!(
        "-o {name}: expected {{group}}, {{epoch}} or {{epoch:03}} between braces, got {field}; correct the name"
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
    fn fields_are_replaced_by_group_and_epoch() {
        assert_eq!(fill("out/{group}-{epoch:03}.png", "recon", Some(7)).unwrap(), Path::new("out/recon-007.png"));
        assert_eq!(fill("{epoch}{epoch:02}", "main", Some(123)).unwrap(), Path::new("123123"));
        assert_eq!(fill("{group}.png", "main", None).unwrap(), Path::new("main.png"));
    }

    #[test]
    fn an_unknown_field_is_a_usage_error_that_names_the_known_ones() {
        for (name, field) in [
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
            assert!(message.contains(&format!("got {field};")), "{message}");
        }
    }

    #[test]
    fn an_epoch_that_is_not_there_is_a_usage_error() {
        assert_eq!(fill("{epoch}.png", "main", None).unwrap_err().exit_code(), 2);
    }
}
