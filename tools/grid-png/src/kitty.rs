//! Images in a terminal, by kitty's graphics protocol
//! (<https://sw.kovidgoyal.net/kitty/graphics-protocol/>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Most characters of a chunk.
const CHUNK: usize = 4096;

/// Whether the terminal has the protocol, by environment variables: a query may never be answered. A multiplexer does
/// not pass images on.
pub(crate) fn is_supported(variable: impl Fn(&str) -> Option<String>) -> bool {
    let is = |name: &str, among: &[&str]| variable(name).is_some_and(|value| among.contains(&&value[..]));
    let is_multiplexed = ["TMUX", "STY", "ZELLIJ"].into_iter().any(|name| variable(name).is_some());
    let is_known = is("TERM", &["xterm-kitty", "xterm-ghostty"]) || is("TERM_PROGRAM", &["ghostty", "WezTerm"]);
    !is_multiplexed && (is_known || variable("KITTY_WINDOW_ID").is_some())
}

/// The escape sequences of a PNG at the cursor, scaled to this many columns if given, and a newline.
pub(crate) fn show(png: &[u8], columns: Option<u32>) -> String {
    let encoded = STANDARD.encode(png);
    let width = columns.map_or(String::new(), |columns| format!(",c={columns}"));
    let chunks = encoded.as_bytes().chunks(CHUNK);
    let last = chunks.len() - 1;
    let mut text = String::new();
    for (n, chunk) in chunks.enumerate() {
        let keys = if n == 0 { format!("a=T,f=100,q=2{width},") } else { String::new() };
        let more = u8::from(n < last);
        text += &format!("\x1b_G{keys}m={more};{}\x1b\\", String::from_utf8_lossy(chunk));
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supported(variables: &[(&str, &str)]) -> bool {
        is_supported(|name| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| value.to_string()))
    }

    #[test]
    fn terminals_with_the_protocol_are_known_by_their_variables() {
        assert!(supported(&[("TERM", "xterm-kitty")]));
        assert!(supported(&[("TERM", "xterm-ghostty")]));
        assert!(supported(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm")]));
        assert!(supported(&[("TERM", "xterm-256color"), ("KITTY_WINDOW_ID", "1")]));
        assert!(!supported(&[("TERM", "xterm-256color")]));
        assert!(!supported(&[("TERM_PROGRAM", "Apple_Terminal")]));
        assert!(!supported(&[]));
    }

    #[test]
    fn a_multiplexer_has_no_graphics() {
        for between in ["TMUX", "STY", "ZELLIJ"] {
            assert!(!supported(&[("TERM", "xterm-kitty"), (between, "0")]));
        }
    }

    #[test]
    fn a_small_image_is_one_chunk() {
        assert_eq!(show(b"PNG", None), "\x1b_Ga=T,f=100,q=2,m=0;UE5H\x1b\\\n");
        assert_eq!(show(b"PNG", Some(80)), "\x1b_Ga=T,f=100,q=2,c=80,m=0;UE5H\x1b\\\n");
    }

    #[test]
    fn the_chunks_of_a_large_image_make_the_whole() {
        let png: Vec<u8> = (0..10_000).map(|n| (n * n % 251) as u8).collect();
        let text = show(&png, None);
        let chunks: Vec<&str> = text.trim_end().split("\x1b\\").filter(|chunk| !chunk.is_empty()).collect();
        assert_eq!(chunks.len(), 4);
        let more: Vec<char> = chunks.iter().map(|p| p.split_once("m=").unwrap().1.chars().next().unwrap()).collect();
        assert_eq!(more, ['1', '1', '1', '0']);
        let encoded: String = chunks.iter().map(|chunk| chunk.split_once(';').unwrap().1).collect();
        assert!(chunks.iter().all(|chunk| chunk.split_once(';').unwrap().1.len() <= CHUNK));
        assert_eq!(STANDARD.decode(encoded).unwrap(), png);
    }
}
