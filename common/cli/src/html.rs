//! What the pages of the programs have in common: their colours and plain parts, light and dark, and how one is filled.

/// The style that every page begins with.
pub const STYLE: &str = include_str!("html.css");

/// `template` with each `{{hole}}` in it filled once: what fills one is not looked into for others.
pub fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut parts = template.split("{{");
    let mut page = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (hole, rest) = part.split_once("}}").unwrap_or((part, ""));
        page += &value(hole);
        page += rest;
    }
    page
}

/// Text as HTML shows it, between tags or in quotes.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_is_filled_once_and_not_looked_into() {
        assert_eq!(fill("a {{b}} c {{d}}", |hole| format!("[{hole} {{{{b}}}}]")), "a [b {{b}}] c [d {{b}}]");
    }

    #[test]
    fn text_of_others_is_no_markup() {
        assert_eq!(escaped("</title><script a=\"b\">&"), "&lt;/title&gt;&lt;script a=&quot;b&quot;&gt;&amp;");
    }
}
