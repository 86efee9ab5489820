//! A picture at a terminal, for which a pseudo-terminal stands in.

use std::fs::{self, File};
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::{dots, program};

/// What a terminal of 10 columns gets to see.
fn show(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    tcsetwinsize(&terminal, Winsize { ws_row: 24, ws_col: 10, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.npy"), dots(&[0, 255, 128]).bytes()).unwrap();
    let status = program()
        .args(["--padding", "0", "in.npy"])
        .args(arguments)
        .envs(["NO_COLOR", "KITTY_WINDOW_ID", "TERM_PROGRAM", "TMUX", "STY", "ZELLIJ"].map(|name| (name, "")))
        .envs(environment.iter().copied())
        .current_dir(folder.path())
        .stdout(File::options().write(true).open(name.to_str().unwrap()).unwrap())
        .status()
        .unwrap();
    assert!(status.success());
    let mut shown = Vec::new();
    // Ends with EIO, since the other side is closed.
    let _ = File::from(terminal).read_to_end(&mut shown);
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

#[test]
fn half_blocks_are_drawn_in_24_bit_colour() {
    let shown = show(&[], &[("TERM", "xterm")]);
    assert_eq!(
        shown,
        "\x1b[38;2;0;0;0m\x1b[49m▀\x1b[38;2;255;255;255m\x1b[49m▀\x1b[38;2;128;128;128m\x1b[49m▀\x1b[0m\n"
    );
}

#[test]
fn a_terminal_that_shows_pictures_gets_the_png() {
    let kitty = [("TERM", "xterm-kitty")];
    let shown = show(&["--colormap", "viridis"], &kitty);
    let png =
        shown.strip_prefix("\x1b_Ga=T,f=100,q=2,m=0;").expect("a picture").strip_suffix("\x1b\\\n").expect("an end");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.npy"), dots(&[0, 255, 128]).bytes()).unwrap();
    let arguments = "--padding 0 in.npy --colormap viridis";
    assert_eq!(STANDARD.decode(png).unwrap(), super::run_in(folder.path(), arguments, Vec::new()).stdout);
}

#[test]
fn a_picture_that_is_too_wide_is_made_to_fit() {
    // A terminal of 10 columns, of at least 8 pixels each.
    let shown = show(&["--scale", "27"], &[("TERM", "xterm-kitty")]);
    assert!(shown.starts_with("\x1b_Ga=T,f=100,q=2,c=10,m=0;"), "{shown}");
}

#[test]
fn no_color_and_a_dumb_terminal_get_ascii() {
    for environment in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        assert_eq!(show(&["--scale", "2"], &[("TERM", "xterm"), environment]), "  @@++\n");
        assert_eq!(show(&["--scale", "2"], &[("TERM", "xterm-kitty"), environment]), "  @@++\n");
    }
}

#[test]
fn the_width_of_the_terminal_is_kept() {
    let shown = show(&["--scale", "20"], &[("NO_COLOR", "1")]);
    assert_eq!(shown.lines().map(str::len).collect::<Vec<_>>(), [10, 10]);
}

#[test]
fn a_file_is_written_from_a_terminal_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.png");
    assert_eq!(show(&["-o", file.to_str().unwrap()], &[]), "");
    assert_eq!(super::decode(&fs::read(file).unwrap()).dimensions(), (3, 1));
}

#[test]
fn colours_are_drawn_and_a_headline_is_a_line_of_text() {
    let arguments = ["--colormap", "viridis", "--max", "1", "--suptitle", "the {group}\u{1b} group"];
    assert_eq!(show(&arguments, &[("TERM", "xterm")]), "the main? group\n\x1b[38;2;68;1;84m\x1b[49m▀\x1b[0m\n");
}

#[test]
fn titles_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.txt");
    fs::write(&file, "one\ntwo\nthree\n").unwrap();
    let environment = [("NO_COLOR", "1")];
    assert_eq!(show(&["--titles", file.to_str().unwrap()], &environment), show(&[], &environment));
}
