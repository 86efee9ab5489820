//! vae-watch: the stream that it passes on, and what it serves to its page.

use std::io::{Read, Write};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use vae_stream::{Data, Dtype, Head, Pipe, Tensor, Writer};

use crate::harness::TestDir;
use crate::pages::watch_client::{RUN, WatchServer, as_text};

pub fn with_run() -> TestDir {
    let dir = TestDir::new();
    dir.run(&format!("{RUN} > run.vae")).succeeds();
    dir
}

/// A stream of `epochs`, each with pictures of `side` x `side`, into `to`.
fn write_run(to: impl Write + Send + 'static, epochs: u64, count: usize, side: usize) {
    let mut writer = Writer::framed(Pipe(to), &Head::new()).expect("a head");
    let images = Tensor::from_bytes(Dtype::U8, &[count, side, side], &vec![9; count * side * side]);
    for epoch in 1..=epochs {
        let data = Data::new([("x", images.clone()), ("x_hat", images.clone())]);
        writer.write(Data { group: Some("recon".into()), epoch: Some(epoch), ..data }).expect("a frame");
        let record = json!({"kind": "epoch", "epoch": epoch, "train": {"loss": 1.0}});
        writer.write(record.as_object().expect("an object").clone()).expect("a record");
    }
    writer.finish().expect("an end");
}

#[test]
fn the_stream_goes_through_byte_for_byte() {
    let dir = with_run();
    dir.run("mnist-dump --synthetic=3000 -o digits.vae; vae-cat digits.vae --npy x > x.npy").succeeds();
    dir.run(&format!("{} > losses.jsonl; cat run.vae run.vae > two.vae", RUN.replace("--preview 8", ""))).succeeds();
    for name in ["run.vae", "two.vae", "digits.vae", "x.npy", "losses.jsonl"] {
        dir.run(&format!("vae-watch --port 0 {name} > a 2> said; cat {name} | vae-watch --port 0 -o b 2> said"));
        dir.assert_same(name, "a");
        dir.assert_same(name, "b");
    }
}

#[test]
fn a_pipe_goes_on_behind_it() {
    let dir = TestDir::new();
    dir.pipe(&format!("{RUN} | vae-watch --port 0 2> said | grid-png -o '{{group}}-{{epoch}}.png'")).succeeds();
    assert_eq!(dir.png("recon-3.png"), [242, 62]);
    assert!(String::from_utf8(dir.read("said")).expect("text").starts_with("vae-watch: http://127.0.0.1:"));
}

#[test]
fn the_page_has_the_losses_and_the_pictures_of_each_epoch() {
    let dir = with_run();
    let watching = WatchServer::start(&dir, "--stay run.vae");
    let news = watching.until("finished");
    assert_eq!((&news["epoch"], &news["epochs"], &news["kept"]), (&json!(3), &json!(3), &json!([1, 2, 3])));
    assert_eq!(news["run"]["network"]["hidden"], json!([32]));

    let records = dir.run(&RUN.replace("--preview 8", "")).succeeds().records();
    let losses: Vec<f64> = records.iter().filter_map(|r| r["train"]["loss"].as_f64()).collect();
    let drawn = news["curves"]["loss"]["train"].as_array().expect("a curve").iter();
    let drawn: Vec<f64> = drawn.map(|v| v.as_f64().expect("a number")).collect();
    assert!(losses.len() == 3 && losses.iter().zip(&drawn).all(|(a, b)| (a - b).abs() < 1e-3), "{losses:?} {drawn:?}");
    assert_eq!(news["curves"]["epochs"], json!([1, 2, 3]));
    assert!(news["curves"]["loss"].get("test").is_none(), "there were no test images");

    let pictures = news["pictures"].as_array().expect("a list");
    assert_eq!(pictures.len(), 3);
    let rows = |epoch: usize, group: &str| pictures[epoch][group]["rows"].clone();
    let [x, x_hat] = [0, 1].map(|row| rows(0, "recon")[row]["bytes"].clone());
    assert_eq!((x, x_hat == rows(2, "recon")[1]["bytes"]), (rows(2, "recon")[0]["bytes"].clone(), false));
    assert_ne!(rows(0, "sample"), rows(2, "sample"));
    assert_eq!(pictures[0]["recon"]["size"], json!([28, 28]));
    assert_eq!(pictures[0]["sample"]["count"], 8);
}

#[test]
fn the_page_hears_of_an_epoch_while_the_run_goes_on() {
    let dir = with_run();
    let bytes = dir.read("run.vae");
    let second = bytes.windows(11).position(|w| w == b"\"epoch\":2,\"").expect("a second epoch");
    let mut watching = WatchServer::start(&dir, "");
    assert_eq!(watching.news()["stage"], "waiting");
    let (mut input, mut output) = (watching.stdin(), watching.stdout());
    input.write_all(&bytes[..second]).expect("it reads");
    let news = watching.until("live");
    // A request that waits for updates is answered before the program ends.
    let last = std::thread::scope(|scope| {
        let page = scope.spawn(|| watching.follow(news));
        input.write_all(&bytes[second..]).expect("it reads");
        drop(input);
        page.join().expect("answers")
    });
    assert_eq!((&last["stage"], &last["kept"]), (&json!("finished"), &json!([1, 2, 3])));
    let mut passed = Vec::new();
    output.read_to_end(&mut passed).expect("all of it");
    assert!(passed == bytes);
    assert_eq!(watching.end(), (0, String::new()));
}

#[test]
fn newline_json_of_losses_draws_curves_alone() {
    let dir = TestDir::new();
    let line =
        |epoch: u64| json!({"kind": "epoch", "epoch": epoch, "test": {"loss": 5, "kl": "NaN", "recon": 0}}).to_string();
    // The last line of a run that was killed.
    dir.write("losses.jsonl", format!("{}\n\n{}\n{{\"kind\":\"ep", line(1), line(2)));
    let watching = WatchServer::start(&dir, "--stay losses.jsonl");
    let news = watching.until("finished");
    assert_eq!(news["curves"], json!({"epochs": [1, 2], "loss": {"test": [5.0, 5.0]}}));
    assert_eq!((&news["kept"], &news["run"]), (&json!([]), &json!(null)));
}

#[test]
fn lines_that_are_no_records_go_through_and_are_said() {
    let dir = TestDir::new();
    let line = json!({"kind": "epoch", "epoch": 7, "test": {"loss": 5}}).to_string();
    dir.write("losses.jsonl", format!("computing on the CPU\n{line}\nnot JSON\n"));
    let message = "losses.jsonl: 2 of 3 lines passed over: line 1: expected one JSON object per line";
    dir.run("vae-watch --port 0 losses.jsonl 2>&1 > out | tail -n 1 >&2").fails(0, "vae-watch", &[message]);
    dir.assert_same("losses.jsonl", "out");
    assert_eq!(WatchServer::start(&dir, "--stay losses.jsonl").until("finished")["epoch"], 7);

    dir.write("text", "not JSON\nat all\n");
    dir.run("vae-watch --port 0 text 2>&1 > out | tail -n 1 >&2").fails(
        0,
        "vae-watch",
        &["text: expected newline JSON"],
    );
    assert_eq!(dir.run("vae-watch --port 0 text > out 2> said").codes, [65]);
}

#[test]
fn a_failure_of_any_length_is_a_line_of_bounded_length() {
    let dir = TestDir::new();
    let head = r#"{"vae":1,"type":"head","tensors":{},"crc32":"aea303a3"}"#.to_owned() + "\n";
    let text = "o\u{202e}".repeat(100_000);
    let error = head + &format!(r#"{{"type":"error","origin":"{text}","message":"{text}""#);
    let crc = crc32fast::hash(error.as_bytes());
    dir.write("failed.vae", format!("{error},\"crc32\":\"{crc:08x}\"}}\n"));
    let output = dir.run("vae-watch --port 0 failed.vae 2>&1 > out | tail -n 1 >&2");
    let said = output.stderr.clone();
    assert!(said.len() < 50_000 && said.contains("o\\u{202e}o\\u{202e}") && !said.contains('\u{202e}'), "{said}");
}

#[test]
fn an_epoch_that_comes_again_replaces_what_followed_it() {
    let dir = TestDir::new();
    let line = |epoch: u64, loss: f64| json!({"kind": "epoch", "epoch": epoch, "train": {"loss": loss}}).to_string();
    let lines = [line(1, 9.0), line(2, 8.0), line(3, 7.0), line(2, 6.0)].join("\n");
    dir.write("losses.jsonl", lines + "\n");
    let news = WatchServer::start(&dir, "--stay losses.jsonl").until("finished");
    assert_eq!(news["curves"], json!({"epochs": [1, 2], "loss": {"train": [9.0, 6.0]}}));
}

#[test]
fn pages_that_read_nothing_hold_up_neither_the_pipe_nor_its_end() {
    let dir = TestDir::new();
    let mut watching = WatchServer::start(&dir, "");
    let mut pages = Vec::new();
    for k in 0..40 {
        let mut page = watching.connect();
        let words = ["", "GET /news HTTP/1.1\r\nHo", "GET /news HTTP/1.1\r\nHost: localhost\r\n\r\n"][k % 3];
        page.write_all(words.as_bytes()).expect("it listens");
        pages.push(page);
    }
    let (input, mut output) = (watching.stdin(), watching.stdout());
    let writing = std::thread::spawn(move || write_run(input, 100, 8, 256));
    let mut passed = Vec::new();
    output.read_to_end(&mut passed).expect("all of it");
    writing.join().expect("it was written");
    assert!(passed.len() > 100 * 2 * 8 * 256 * 256);
    assert_eq!(watching.end(), (0, String::new()));
}

#[test]
fn pages_that_ask_all_the_time_hold_up_no_fast_run() {
    let dir = TestDir::new();
    let mut watching = WatchServer::start(&dir, "-o /dev/null");
    let mut input = watching.stdin();
    let line = |epoch: u64| json!({"kind": "epoch", "epoch": epoch, "train": {"loss": 1.0 / epoch as f64}}).to_string();
    let lines: String = (1..=50_000).map(|epoch| line(epoch) + "\n").collect();
    let last = std::thread::scope(|scope| {
        let pages = [(); 4].map(|()| scope.spawn(|| watching.follow(watching.portion("/news"))));
        input.write_all(lines.as_bytes()).expect("it reads");
        drop(input);
        pages.map(|page| page.join().expect("answers"))
    });
    assert!(last.iter().all(|news| news["stage"] == "finished" && news["epoch"] == 50_000));
    assert_eq!(watching.end(), (0, String::new()));
}

#[test]
fn memory_is_bounded_however_long_the_run() {
    let dir = TestDir::new();
    let mut watching = WatchServer::start(&dir, "--stay -o /dev/null");
    let input = watching.stdin();
    write_run(input, 200, 8, 256);
    let news = watching.until("finished");
    assert_eq!(news["epoch"], 200);
    let kept = news["kept"].as_array().expect("a list");
    assert!((12..=24).contains(&kept.len()) && kept[0] == 1 && kept[kept.len() - 1] == 200, "{kept:?}");
    let peak = watching.peak();
    assert!(peak < 120_000, "{peak} kB of a stream of 210,000");
}

#[test]
fn a_long_log_is_thinned() {
    let dir = TestDir::new();
    let line = |epoch: u64| json!({"kind": "epoch", "epoch": epoch, "train": {"loss": 1.0 / epoch as f64}}).to_string();
    dir.write("losses.jsonl", (1..=20_000).map(|epoch| line(epoch) + "\n").collect::<String>());
    let news = WatchServer::start(&dir, "--stay losses.jsonl -o /dev/null").until("finished");
    let epochs = news["curves"]["epochs"].as_array().expect("a list");
    assert!((400..=1000).contains(&epochs.len()), "{}", epochs.len());
    assert_eq!((&epochs[0], epochs.last()), (&json!(1), Some(&json!(20_000))));
}

#[test]
fn pictures_that_cannot_be_shown_go_through_all_the_same() {
    let dir = TestDir::new();
    let colour = Tensor::from_bytes(Dtype::U8, &[2, 3, 4, 4], &[7; 96]);
    let data = Data { group: Some("recon".into()), epoch: Some(1), ..Data::new([("x", colour)]) };
    let mut writer = Writer::framed(Pipe(std::fs::File::create(dir.path("colour.vae")).expect("a file")), &Head::new())
        .expect("a head");
    writer.write(data).expect("a frame");
    writer.finish().expect("an end");
    let mut watching = WatchServer::start(&dir, "--stay colour.vae");
    let note = watching.until("finished")["note"].clone();
    assert!(as_text(&note).contains("expected items [H, W], got [3, 4, 4]"), "{note}");
    let mut passed = Vec::new();
    watching.stdout().read_to_end(&mut passed).expect("all of it");
    assert!(passed == dir.read("colour.vae"));
}

#[test]
fn with_stay_the_output_ends_but_the_page_stays_until_ctrl_c() {
    let dir = with_run();
    let mut watching = WatchServer::start(&dir, "--stay run.vae");
    let mut passed = Vec::new();
    watching.stdout().read_to_end(&mut passed).expect("its end");
    assert!(passed == dir.read("run.vae"));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(watching.get("/").status, 200);
    watching.send(Signal::INT);
    let (code, said) = watching.end();
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("vae-watch: the stream has ended, the page stays until Ctrl-C: http://"), "{said}");
}

#[test]
fn signals_end_it_while_the_stream_goes_by() {
    let dir = with_run();
    for (signal, expected) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let watching = WatchServer::start(&dir, "--stay -o out");
        watching.send(signal);
        assert_eq!(watching.end(), (expected, String::new()));
    }
    let stays = WatchServer::start(&dir, "--stay run.vae");
    stays.until("finished");
    stays.send(Signal::TERM);
    assert_eq!(stays.end().0, 143);
    assert_eq!(dir.files(), ["model.bin", "run.vae"]);
}

#[test]
fn a_stage_that_fails_before_it_is_noticed_after_it_and_on_the_page() {
    let dir = with_run();
    dir.run("head -c 20000 run.vae > cut.vae").succeeds();
    let output = dir.pipe("vae-cat cut.vae 2> 1 | vae-watch --port 0 2> 2 | vae-cat --check 2> 3");
    assert_eq!(output.codes, [65, 65, 65], "{output}");
    let said = |name: &str| String::from_utf8(dir.read(name)).expect("text");
    assert!(said("2").lines().count() == 1 && said("2").contains("http://"), "between, it is silent: {}", said("2"));
    assert!(said("3").contains("vae-cat failed") && said("3").contains("stops at byte 20000"), "{}", said("3"));

    dir.run("vae-watch --port 0 cut.vae -o out 2>&1 | tail -n 1 >&2").fails(
        0,
        "vae-watch",
        &["cut.vae", "stops at byte"],
    );
    assert!(!dir.path("out").exists());
    assert_eq!(dir.run("vae-watch --port 0 cut.vae > passed 2> said").codes, [65]);
    dir.assert_same("cut.vae", "passed");

    let mut watching = WatchServer::start(&dir, "--stay");
    let mut input = watching.stdin();
    input.write_all(&dir.read("cut.vae")).expect("it reads");
    let news = watching.until("live");
    let failed = std::thread::scope(|scope| {
        let page = scope.spawn(|| watching.follow(news));
        std::thread::sleep(Duration::from_millis(200));
        drop(input);
        page.join().expect("answers")
    });
    assert_eq!(failed["stage"], "failed");
    assert!(as_text(&failed["message"]).contains("stops at byte 20000"), "{}", failed["message"]);
    let (code, said) = watching.end();
    assert!(code == 65 && said.contains("stops at byte 20000"), "{code} {said}");
}

#[test]
fn inputs_that_are_no_stream_are_told_as_everywhere() {
    let dir = TestDir::new();
    let last = |line: &str| dir.run(&format!("{line} 2>&1 > /dev/null | tail -n 1 >&2"));
    dir.write("a.gz", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]);
    last("vae-watch --port 0 a.gz").fails(0, "vae-watch", &["a.gz", "gzip -dc"]);
    last("vae-watch --port 0 < /dev/null").fails(0, "vae-watch", &["nothing arrived"]);
    assert_eq!(dir.run("vae-watch --port 0 a.gz > out 2> said").codes, [65]);
    dir.run("vae-watch --port 0 no.vae").fails(66, "vae-watch", &["no.vae", "no such file"]);
    let Some((code, shown)) = dir.run_at_terminal("vae-watch --port 0 -o out < /dev/tty") else { return };
    assert!(code == 2 && shown.contains("standard input is a terminal"), "{code} {shown}");
}

#[test]
fn a_reader_that_closes_ends_it_quietly_unless_it_is_to_stay() {
    let dir = with_run();
    let mut line = dir.pipe("cat run.vae run.vae run.vae | vae-watch --port 0 2> said | head -c 100").codes;
    assert_eq!(line.split_off(1), [0, 0]);
    assert_eq!(String::from_utf8(dir.read("said")).expect("text").lines().count(), 1);

    let mut watching = WatchServer::start(&dir, "--stay");
    drop(watching.stdout());
    watching.stdin().write_all(&dir.read("run.vae")).expect("it reads on");
    assert_eq!(watching.until("finished")["kept"], json!([1, 2, 3]));
}

#[test]
fn an_output_that_cannot_be_written_is_74() {
    let dir = with_run();
    dir.run("vae-watch --port 0 run.vae >&-").fails(74, "vae-watch", &["standard output", "closed"]);
    dir.run("vae-watch --port 0 run.vae -o no/out").fails(74, "vae-watch", &["cannot write no/out"]);
    assert_eq!(dir.run("vae-watch --port 0 run.vae > /dev/full 2> said").codes, [74]);
    let said = String::from_utf8(dir.read("said")).expect("text");
    assert!(said.ends_with("cannot write standard output: No space left on device (os error 28)\n"), "{said}");
}

#[test]
fn a_terminal_gets_nothing_of_the_stream() {
    let dir = with_run();
    let Some((code, shown)) = dir.run_at_terminal("vae-watch --port 0 run.vae") else { return };
    assert_eq!((code, shown.lines().count()), (0, 1), "{shown}");
}
