//! A picture in a terminal that shows pictures, by kitty's graphics protocol
//! (<https://sw.kovidgoyal.net/kitty/graphics-protocol/>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Characters of one piece of a picture, at most.
const PIECE: usize = 4096;

/// Whether the terminal that these variables tell of has the protocol. It is not asked, since one that has not may never
/// answer; and a multiplexer, which stands between, passes no pictures on.
pub(crate) fn is_spoken(variable: impl Fn(&str) -> Option<String>) -> bool {
    let is = |name: &str, among: &[&str]| variable(name).is_some_and(|value| among.contains(&&value[..]));
    let between = ["TMUX", "STY", "ZELLIJ"].into_iter().any(|name| variable(name).is_some());
    let named = is("TERM", &["xterm-kitty", "xterm-ghostty"]) || is("TERM_PROGRAM", &["ghostty", "WezTerm"]);
    !between && (named || variable("KITTY_WINDOW_ID").is_some())
}

/// What shows a PNG at the cursor, made to fit so many columns if they are given, and goes to the next line.
pub(crate) fn show(png: &[u8], columns: Option<u32>) -> String {
    let encoded = STANDARD.encode(png);
    let width = columns.map_or(String::new(), |columns| format!(",c={columns}"));
    let pieces = encoded.as_bytes().chunks(PIECE);
    let last = pieces.len() - 1;
    let mut text = String::new();
    for (n, piece) in pieces.enumerate() {
        let how = if n == 0 { format!("a=T,f=100,q=2{width},") } else { String::new() };
        let more = u8::from(n < last);
        text += &format!("\x1b_G{how}m={more};{}\x1b\\", String::from_utf8_lossy(piece));
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(variables: &[(&str, &str)]) -> bool {
        is_spoken(|name| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| value.to_string()))
    }

    #[test]
    fn terminals_that_show_pictures_are_told_by_their_variables() {
        assert!(spoken(&[("TERM", "xterm-kitty")]));
        assert!(spoken(&[("TERM", "xterm-ghostty")]));
        assert!(spoken(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm")]));
        assert!(spoken(&[("TERM", "xterm-256color"), ("KITTY_WINDOW_ID", "1")]));
        assert!(!spoken(&[("TERM", "xterm-256color")]));
        assert!(!spoken(&[("TERM_PROGRAM", "Apple_Terminal")]));
        assert!(!spoken(&[]));
    }

    #[test]
    fn a_multiplexer_shows_none() {
        for between in ["TMUX", "STY", "ZELLIJ"] {
            assert!(!spoken(&[("TERM", "xterm-kitty"), (between, "0")]));
        }
    }

    #[test]
    fn a_small_picture_is_one_piece() {
        assert_eq!(show(b"PNG", None), "\x1b_Ga=T,f=100,q=2,m=0;UE5H\x1b\\\n");
        assert_eq!(show(b"PNG", Some(80)), "\x1b_Ga=T,f=100,q=2,c=80,m=0;UE5H\x1b\\\n");
    }

    #[test]
    fn a_large_picture_comes_in_pieces_that_make_the_whole() {
        let png: Vec<u8> = (0..10_000).map(|n| (n * n % 251) as u8).collect();
        let text = show(&png, None);
        let pieces: Vec<&str> = text.trim_end().split("\x1b\\").filter(|piece| !piece.is_empty()).collect();
        assert_eq!(pieces.len(), 4);
        let marks: Vec<char> = pieces.iter().map(|p| p.split_once("m=").unwrap().1.chars().next().unwrap()).collect();
        assert_eq!(marks, ['1', '1', '1', '0']);
        let encoded: String = pieces.iter().map(|piece| piece.split_once(';').unwrap().1).collect();
        assert!(pieces.iter().all(|piece| piece.split_once(';').unwrap().1.len() <= PIECE));
        assert_eq!(STANDARD.decode(encoded).unwrap(), png);
    }
}
