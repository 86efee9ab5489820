//! HTML pages: the common style, light and dark, and templates.

/// The style that every page begins with.
pub const STYLE: &str = include_str!("html.css");

/// `template` with the value of each `{{key}}`. Values are not searched for keys.
pub fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut parts = template.split("{{");
    let mut page = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (key, rest) = part.split_once("}}").unwrap_or((part, ""));
        page += &value(key);
        page += rest;
    }
    page
}

/// Text escaped for HTML, between tags or in quotes.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_not_searched_for_keys() {
        assert_eq!(fill("a {{b}} c {{d}}", |key| format!("[{key} {{{{b}}}}]")), "a [b {{b}}] c [d {{b}}]");
    }

    #[test]
    fn escaped_text_is_no_markup() {
        assert_eq!(escaped("</title><script a=\"b\">&"), "&lt;/title&gt;&lt;script a=&quot;b&quot;&gt;&amp;");
    }
}
