//! Against mirrors on this machine, each with its own fault.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;

use tempfile::TempDir;

use super::*;

const SIZE: usize = 300_000;
const QUICK: Timeouts = Timeouts { connect: Duration::from_secs(5), read: Duration::from_secs(2) };

static CONTENT: LazyLock<Vec<u8>> = LazyLock::new(|| (0..SIZE as u64).map(|k| ((k * k) >> 5) as u8).collect());
static SHA256: LazyLock<String> = LazyLock::new(|| sha256(&CONTENT));

fn file() -> Remote {
    Remote { name: "digits.gz", size: SIZE as u64, sha256: &SHA256 }
}

/// What a mirror does with a request.
#[derive(Clone, Copy)]
enum Mirror {
    /// Serves the file, or the part that is asked for.
    Good,
    /// Serves the whole file whatever is asked for.
    IgnoresRange,
    /// Serves another part than is asked for.
    WrongRange,
    /// Closes the connection after so many bytes of the file.
    Truncates(usize),
    /// Sends nothing more after so many bytes of the file, and keeps the connection open.
    Stalls(usize),
    /// Serves a file of the right size with other bytes.
    WrongBytes,
    /// Serves more than there should be.
    TooMuch,
    /// Has no such file.
    Lost,
}

/// Starts a mirror; gives its URL and the places from which it was asked to send.
fn start(mirror: Mirror) -> (String, Arc<Mutex<Vec<usize>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mnist/", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    thread::spawn(move || {
        let mut open = Vec::new();
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let from = read_request(&client);
            log.lock().unwrap().push(from);
            let _ = answer(mirror, from, &mut client); // a client that has enough goes away
            if let Mirror::Stalls(_) = mirror {
                open.push(client);
            }
        }
    });
    (url, asked)
}

/// A mirror that refuses connections: no one listens on the port of a service that is long forgotten.
const DEAD: &str = "http://127.0.0.1:1";

/// Reads a request for the file; gives where its range starts.
fn read_request(client: &TcpStream) -> usize {
    let lines: Vec<String> =
        BufReader::new(client).lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    assert!(lines[0].starts_with("GET /mnist/digits.gz HTTP/1.1"), "{lines:?}");
    let range = lines.iter().find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(String::from));
    range.unwrap().strip_suffix('-').unwrap().parse().unwrap()
}

fn answer(mirror: Mirror, from: usize, client: &mut TcpStream) -> io::Result<()> {
    let mut send = |status: &str, range: String, length: usize, body: &[u8]| {
        write!(client, "HTTP/1.1 {status}\r\n{range}Content-Length: {length}\r\nConnection: close\r\n\r\n")?;
        client.write_all(body)
    };
    let range = |from: usize| format!("Content-Range: bytes {from}-{}/{SIZE}\r\n", SIZE - 1);
    let rest = SIZE - from;
    match mirror {
        Mirror::Good => send("206 Partial Content", range(from), rest, &CONTENT[from..]),
        Mirror::IgnoresRange => send("200 OK", String::new(), SIZE, &CONTENT),
        Mirror::WrongRange => send("206 Partial Content", range(from + 1), rest - 1, &CONTENT[from + 1..]),
        Mirror::Truncates(count) | Mirror::Stalls(count) => {
            send("206 Partial Content", range(from), rest, &CONTENT[from..SIZE.min(from + count)])
        }
        Mirror::WrongBytes => send("206 Partial Content", range(from), rest, &vec![7; rest]),
        Mirror::TooMuch => send("200 OK", String::new(), SIZE + 1, &[&CONTENT[..], &[0]].concat()),
        Mirror::Lost => send("404 Not Found", String::new(), 4, b"gone"),
    }
}

fn fetch_from(folder: &TempDir, mirrors: &[&str]) -> Result<usize> {
    let mirrors: Vec<String> = mirrors.iter().map(|url| url.to_string()).collect();
    fetch(folder.path(), &[file()], &mirrors, &QUICK)
}

/// What lies in the folder under the file's own name; nothing else may be left beside it.
fn content(folder: &TempDir) -> Vec<u8> {
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    fs::read(folder.path().join("digits.gz")).unwrap()
}

fn part(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("digits.gz.part")
}

/// Fetches from a faulty mirror and then from a good one; gives where the good one was asked to begin.
fn after(faulty: &str) -> usize {
    let folder = TempDir::new().unwrap();
    let (good, asked) = start(Mirror::Good);
    assert_eq!(fetch_from(&folder, &[faulty, &good]).unwrap(), 1);
    assert!(content(&folder) == *CONTENT);
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 1);
    asked[0]
}

/// Fetches from one mirror that does not do; gives the message.
fn failure(mirror: &str) -> String {
    let folder = TempDir::new().unwrap();
    let error = fetch_from(&folder, &[mirror]).unwrap_err();
    assert_eq!(error.exit_code(), 69);
    assert!(!folder.path().join("digits.gz").exists());
    error.to_string()
}

#[test]
fn a_file_is_fetched_and_gets_its_name() {
    let folder = TempDir::new().unwrap();
    assert_eq!(fetch_from(&folder, &[&start(Mirror::Good).0]).unwrap(), 1);
    assert!(content(&folder) == *CONTENT);
}

#[test]
fn the_folder_is_made() {
    let folder = TempDir::new().unwrap();
    let below = folder.path().join("share/mnist");
    assert_eq!(fetch(&below, &[file()], &[start(Mirror::Good).0], &QUICK).unwrap(), 1);
    assert!(fs::read(below.join("digits.gz")).unwrap() == *CONTENT);
}

#[test]
fn an_intact_file_is_not_fetched_again() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("digits.gz"), &*CONTENT).unwrap();
    assert_eq!(fetch_from(&folder, &[DEAD]).unwrap(), 0);
}

#[test]
fn a_wrong_file_is_fetched_anew() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("digits.gz"), vec![0; SIZE]).unwrap();
    assert_eq!(fetch_from(&folder, &[&start(Mirror::Good).0]).unwrap(), 1);
    assert!(content(&folder) == *CONTENT);
}

#[test]
fn an_earlier_part_is_continued() {
    let folder = TempDir::new().unwrap();
    fs::write(part(&folder), &CONTENT[..12_345]).unwrap();
    let (good, asked) = start(Mirror::Good);
    assert_eq!(fetch_from(&folder, &[&good]).unwrap(), 1);
    assert!(content(&folder) == *CONTENT);
    assert_eq!(*asked.lock().unwrap(), [12_345]);
}

#[test]
fn an_earlier_part_is_replaced_by_a_mirror_that_ignores_ranges() {
    let folder = TempDir::new().unwrap();
    fs::write(part(&folder), &CONTENT[..12_345]).unwrap();
    assert_eq!(fetch_from(&folder, &[&start(Mirror::IgnoresRange).0]).unwrap(), 1);
    assert!(content(&folder) == *CONTENT);
}

#[test]
fn an_earlier_part_that_was_wrong_is_fetched_anew_from_the_same_mirror() {
    let folder = TempDir::new().unwrap();
    fs::write(part(&folder), vec![1; 12_345]).unwrap();
    let (good, asked) = start(Mirror::Good);
    assert_eq!(fetch_from(&folder, &[&good]).unwrap(), 1);
    assert!(content(&folder) == *CONTENT);
    assert_eq!(*asked.lock().unwrap(), [12_345, 0]);
}

#[test]
fn an_earlier_part_that_is_too_long_is_fetched_anew() {
    let folder = TempDir::new().unwrap();
    fs::write(part(&folder), vec![1; SIZE + 1]).unwrap();
    assert_eq!(fetch_from(&folder, &[&start(Mirror::Good).0]).unwrap(), 1);
    assert!(content(&folder) == *CONTENT);
}

#[test]
fn an_earlier_part_that_is_whole_needs_no_mirror() {
    let folder = TempDir::new().unwrap();
    fs::write(part(&folder), &*CONTENT).unwrap();
    assert_eq!(fetch_from(&folder, &[DEAD]).unwrap(), 1);
    assert!(content(&folder) == *CONTENT);
}

#[test]
fn a_dead_mirror_makes_way_for_the_next() {
    assert_eq!(after(DEAD), 0);
}

#[test]
fn a_mirror_that_stalls_makes_way_for_the_next_which_goes_on_from_there() {
    assert_eq!(after(&start(Mirror::Stalls(100_000)).0), 100_000);
}

#[test]
fn a_mirror_that_never_answers_makes_way_for_the_next() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap(); // connects, and no one accepts
    assert_eq!(after(&format!("http://{}", silent.local_addr().unwrap())), 0);
}

#[test]
fn a_mirror_that_stops_early_makes_way_for_the_next_which_goes_on_from_there() {
    assert_eq!(after(&start(Mirror::Truncates(100_000)).0), 100_000);
}

#[test]
fn wrong_bytes_are_thrown_away() {
    assert_eq!(after(&start(Mirror::WrongBytes).0), 0);
    assert!(failure(&start(Mirror::WrongBytes).0).contains(&format!("expected SHA-256 {}, got", &*SHA256)));
}

#[test]
fn a_mirror_that_sends_too_much_is_left() {
    after(&start(Mirror::TooMuch).0);
    assert!(failure(&start(Mirror::TooMuch).0).contains("expected 300000 bytes, got more"));
}

#[test]
fn a_mirror_that_sends_another_range_is_left() {
    assert_eq!(after(&start(Mirror::WrongRange).0), 0);
    assert!(failure(&start(Mirror::WrongRange).0).contains("expected bytes 0- of the file, got bytes 1-299999/300000"));
}

#[test]
fn a_mirror_without_the_file_is_left() {
    assert_eq!(after(&start(Mirror::Lost).0), 0);
    assert!(failure(&start(Mirror::Lost).0).contains("answered 404 Not Found"));
}

#[test]
fn the_error_names_every_mirror_that_was_tried_and_the_part_is_kept() {
    let folder = TempDir::new().unwrap();
    let mirrors = [DEAD.to_string(), start(Mirror::Truncates(1000)).0, start(Mirror::Lost).0];
    let error = fetch_from(&folder, &mirrors.each_ref().map(String::as_str)).unwrap_err();
    assert_eq!(error.exit_code(), 69);
    for mirror in mirrors {
        assert!(error.to_string().contains(mirror.trim_end_matches('/')), "{error}");
    }
    assert!(fs::read(part(&folder)).unwrap() == CONTENT[..1000]);
}

#[test]
fn a_folder_that_cannot_be_written_is_no_fault_of_the_mirrors() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(part(&folder)).unwrap();
    let error = fetch_from(&folder, &[&start(Mirror::Good).0]).unwrap_err();
    assert_eq!(error.exit_code(), 74, "{error}");
}
