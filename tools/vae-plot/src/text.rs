//! Text from input, such as file names.

use vae_stream::is_printable;

/// Most characters of a name; the end of a longer one is shown, where file names differ.
const LONGEST: usize = 40;

/// The text without characters that have no glyph, such as control characters, which are invalid in SVG, and with `$`
/// escaped, which begins a formula in kuva.
pub(crate) fn plain(text: &str) -> String {
    let length = text.chars().count();
    let cut = length.saturating_sub(LONGEST);
    let shown = text.chars().skip(if cut > 0 { cut + 1 } else { 0 });
    let start = if cut > 0 { "…" } else { "" };
    let shown = shown.map(|c| if is_printable(c) { c } else { '?' });
    start.chars().chain(shown).collect::<String>().replace('$', "\\$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_characters_without_a_glyph_and_no_formulas() {
        assert_eq!(plain("a\u{1b}[1m\n$x^2$\u{202e}.jsonl"), "a?[1m?\\$x^2\\$?.jsonl");
    }

    #[test]
    fn the_end_of_a_long_name_is_shown() {
        let long = format!("{}/run.jsonl", "d".repeat(80));
        let shown = plain(&long);
        assert_eq!(shown.chars().count(), LONGEST);
        assert!(shown.starts_with("…d") && shown.ends_with("/run.jsonl"), "{shown}");
    }
}
