//! The page of vae-watch.

use std::io::{Read, Write};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::TestDir;
use crate::pages::browser::chromium::Browser;
use crate::pages::watch_client::WatchServer;

/// Eight epochs with test images, cut behind each epoch's record.
fn epochs() -> (TestDir, Vec<Vec<u8>>) {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=200 --split test -o test.vae").succeeds();
    let train = "vae-train --hidden 64 --latent 8 --lr 3e-3 --batch 50 --epochs 8 --preview 16 --test test.vae";
    dir.run(&format!("mnist-dump --synthetic=2000 | {train} -o model.bin > run.vae")).succeeds();
    let bytes = dir.read("run.vae");
    let record = b"{\"type\":\"json\",\"kind\":\"epoch\"";
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut from = 0;
    for at in (0..bytes.len()).filter(|at| bytes[*at..].starts_with(record)) {
        let line = at + bytes[at..].iter().position(|byte| *byte == b'\n').expect("a whole line") + 1;
        parts.push(bytes[from..line].to_vec());
        from = line;
    }
    parts.push(bytes[from..].to_vec());
    assert_eq!(parts.len(), 9);
    (dir, parts)
}

const POINTS: &str = "document.querySelector('#chart-loss path.test').getAttribute('d').split(/[ML]/).length - 1";
const STAGE: &str = "document.getElementById('status').dataset.stage";
const AT: &str = "document.getElementById('at').textContent";

fn stage(browser: &mut Browser, stage: &str) {
    browser.until(&format!("{STAGE} === '{stage}'"));
}

fn text(browser: &mut Browser) -> String {
    browser.text("document.getElementById('stage').textContent")
}

#[test]
#[ignore = "needs Chromium: make test-page"]
fn a_run_is_drawn_while_it_goes_on_and_the_page_keeps_it_when_the_server_is_gone() {
    let (dir, parts) = epochs();
    let mut watching = WatchServer::start(&dir, "-o /dev/null");
    let (mut input, url) = (watching.stdin(), watching.url());
    let mut browser = Browser::start(1200, 900);
    browser.open(&url);
    stage(&mut browser, "waiting");
    browser.picture("watch-waiting");

    let mut before = String::new();
    for (epoch, part) in parts[..8].iter().enumerate() {
        input.write_all(part).expect("it reads");
        browser.until(&format!("document.querySelector('#chart-loss path.test') && {POINTS} === {}", epoch + 1));
        assert_eq!(browser.text(AT), format!("{} of 8", epoch + 1));
        assert_eq!(text(&mut browser), format!("Live: epoch {} of 8", epoch + 1));
        let now = browser.pixels("#recon canvas");
        assert_ne!(now, before, "the pictures of epoch {}", epoch + 1);
        before = now;
    }
    for chart in ["loss", "recon", "kl"] {
        for line in ["test", "train"] {
            let d = browser.text(&format!("document.querySelector('#chart-{chart} path.{line}').getAttribute('d')"));
            assert!(!d.contains("NaN") && d.matches('L').count() == 7, "{chart} {line}: {d}");
        }
    }
    browser.picture("watch-live");

    input.write_all(&parts[8]).expect("it reads");
    drop(input);
    assert_eq!(watching.end(), (0, String::new()));
    stage(&mut browser, "finished");
    assert_eq!(text(&mut browser), "Finished: epoch 8 of 8");
    browser.tab_to("#epoch");
    browser.press("Home");
    assert_eq!(browser.text(AT), "1 of 8");
    assert_ne!(browser.pixels("#recon canvas"), before);
    browser.picture("watch-first-epoch");
    browser.is_quiet(&url);
}

#[test]
#[ignore = "needs Chromium: make test-page"]
fn the_slider_goes_back_through_the_epochs_by_keyboard_and_by_mouse() {
    let (dir, _) = epochs();
    let watching = WatchServer::start(&dir, "--stay -o /dev/null run.vae");
    let mut browser = Browser::start(1200, 900);
    browser.open(&watching.url());
    stage(&mut browser, "finished");
    let all = ["#recon canvas", "#sample canvas"];
    let newest = all.map(|canvas| browser.pixels(canvas));
    let loss = "document.querySelector('#chart-loss .test output').textContent";
    let last = browser.text(loss);

    browser.tab_to("#epoch");
    browser.press("ArrowLeft");
    assert_eq!(browser.text(AT), "7 of 8");
    let earlier = all.map(|canvas| browser.pixels(canvas));
    assert!(earlier[0] != newest[0] && earlier[1] != newest[1] && browser.text(loss) != last);
    assert_eq!(browser.text("document.getElementById('epoch').getAttribute('aria-valuetext')"), "epoch 7");
    browser.press("End");
    assert_eq!(all.map(|canvas| browser.pixels(canvas)), newest);

    browser.press("Home");
    assert_eq!(browser.text(AT), "1 of 8");
    browser.tab_to("#newest");
    browser.press("Enter");
    assert_eq!((browser.text(AT), browser.text(loss)), ("8 of 8".to_owned(), last));

    browser.drag("#epoch", [0.99, 0.5], [0.3, 0.5]);
    assert_eq!(browser.text(AT), "3 of 8");
    browser.drag("#chart-kl svg", [0.2, 0.5], [0.55, 0.5]);
    assert!(["4 of 8", "5 of 8"].contains(&browser.text(AT).as_str()), "{}", browser.text(AT));
    browser.is_quiet(&watching.url());
}

#[test]
#[ignore = "needs Chromium: make test-page"]
fn an_earlier_epoch_stays_in_sight_while_newer_ones_come() {
    let (dir, parts) = epochs();
    let mut watching = WatchServer::start(&dir, "-o /dev/null");
    let (mut input, url) = (watching.stdin(), watching.url());
    let mut browser = Browser::start(1200, 900);
    browser.open(&url);
    input.write_all(&parts[..3].concat()).expect("it reads");
    browser.until(&format!("{AT} === '3 of 8'"));
    browser.tab_to("#epoch");
    browser.press("ArrowLeft");
    let second = browser.pixels("#recon canvas");
    input.write_all(&parts[3..5].concat()).expect("it reads");
    browser.until(&format!("{POINTS} === 5"));
    assert_eq!((browser.text(AT), browser.pixels("#recon canvas")), ("2 of 8".to_owned(), second));
    browser.click("#newest");
    assert_eq!(browser.text(AT), "5 of 8");
    input.write_all(&parts[5]).expect("it reads");
    browser.until(&format!("{AT} === '6 of 8'"));
    browser.is_quiet(&url);
}

#[test]
#[ignore = "needs Chromium: make test-page"]
fn it_is_usable_on_a_phone_and_in_the_dark() {
    let (dir, _) = epochs();
    let watching = WatchServer::start(&dir, "--stay -o /dev/null run.vae");
    let mut browser = Browser::start(375, 800);
    browser.open(&watching.url());
    stage(&mut browser, "finished");
    browser.fits();
    browser.picture("watch-phone");
    let newest = browser.pixels("#recon canvas");
    browser.drag("#epoch", [0.98, 0.5], [0.02, 0.5]);
    assert_eq!(browser.text(AT), "1 of 8");
    assert_ne!(browser.pixels("#recon canvas"), newest);
    browser.value("scrollTo(0, 700)");
    let [slider, pictures] = ["#when", "#recon canvas"].map(|part| {
        let right = format!("document.querySelector('{part}').getBoundingClientRect().right <= innerWidth");
        browser.value(&right)
    });
    assert_eq!((slider, pictures), (json!(true), json!(true)));
    assert_eq!(browser.value("document.getElementById('when').getBoundingClientRect().top"), 0, "it stays in sight");
    browser.picture("watch-phone-charts");
    browser.resize(320, 600);
    browser.fits();

    browser.resize(1200, 900);
    let light = browser.text("getComputedStyle(document.body).backgroundColor");
    browser.dark();
    browser.value("scrollTo(0, 0)");
    assert_ne!(browser.text("getComputedStyle(document.body).backgroundColor"), light);
    browser.picture("watch-dark");
    browser.is_quiet(&watching.url());
}

#[test]
#[ignore = "needs Chromium: make test-page"]
fn a_server_that_is_lost_leaves_its_page_as_it_was_and_a_new_one_is_followed() {
    let (dir, parts) = epochs();
    let mut watching = WatchServer::start(&dir, "-o /dev/null");
    let (mut input, url, port) = (watching.stdin(), watching.url(), watching.port);
    let mut browser = Browser::start(1200, 900);
    browser.open(&url);
    input.write_all(&parts[..4].concat()).expect("it reads");
    browser.until(&format!("{AT} === '4 of 8'"));
    watching.send(Signal::INT);
    assert_eq!(watching.end().0, 130);
    stage(&mut browser, "lost");
    let fourth = browser.pixels("#recon canvas");
    browser.tab_to("#epoch");
    browser.press("ArrowLeft");
    assert_eq!(browser.text(AT), "3 of 8");
    assert_ne!(browser.pixels("#recon canvas"), fourth);
    browser.picture("watch-lost");
    let only_the_server = |complaint: &String| complaint.contains("ERR_");
    assert!(browser.complaints().iter().all(only_the_server), "{:?}", browser.complaints());

    let again = WatchServer::start_at(&dir, port, "--stay -o /dev/null run.vae");
    stage(&mut browser, "finished");
    assert_eq!(browser.text(AT), "8 of 8");

    // A run that has ended stays in sight until somebody comes back to a page whose server has another.
    drop(again);
    browser.value("dispatchEvent(new Event('focus'))");
    let record =
        |epoch: u64| json!({"kind": "epoch", "epoch": epoch, "epochs": 5, "test": {"loss": 9.0 / epoch as f64}});
    dir.write("losses.jsonl", (1..=5).map(|epoch| record(epoch).to_string() + "\n").collect::<String>());
    let _other = WatchServer::start_at(&dir, port, "--stay -o /dev/null losses.jsonl");
    assert_eq!(text(&mut browser), "Finished: epoch 8 of 8");
    browser.value("dispatchEvent(new Event('focus'))");
    browser.until(&format!("{AT} === '5 of 5'"));
    browser.until("document.getElementById('recon').hidden");
}

#[test]
#[ignore = "needs Chromium: make test-page"]
fn losses_alone_are_curves_alone() {
    let dir = TestDir::new();
    let record = |epoch: u64| {
        let test = json!({"loss": 20.0 / epoch as f64 + 5.0, "tc": 2.0, "mse": 0.1 / epoch as f64});
        json!({"kind": "epoch", "epoch": epoch, "epochs": 40, "test": test}).to_string() + "\n"
    };
    dir.write("losses.jsonl", (1..=40).map(record).collect::<String>());
    let watching = WatchServer::start(&dir, "--stay -o /dev/null losses.jsonl");
    let mut browser = Browser::start(1200, 700);
    browser.open(&watching.url());
    browser.until(&format!("document.querySelector('#chart-loss path') && {POINTS} === 40"));
    assert_eq!(browser.value("document.getElementById('recon').hidden"), true);
    assert!(browser.text("document.getElementById('note').textContent").contains("--preview"));
    for (chart, hidden) in [("mse", false), ("tc", false), ("kl", true), ("recon", true)] {
        assert_eq!(
            browser.value(&format!("document.getElementById('chart-{chart}')?.hidden ?? true")),
            hidden,
            "{chart}"
        );
    }
    let wide = "document.querySelector('#chart-mse svg').viewBox.baseVal.width";
    assert!(browser.value(wide).as_f64() > Some(1000.0), "without pictures the charts have more room");
    browser.picture("watch-losses");
    browser.is_quiet(&watching.url());
}

#[test]
#[ignore = "needs Chromium: make test-page"]
fn text_of_the_stream_is_no_markup() {
    let dir = TestDir::new();
    let evil = "<img src=x onerror=\"document.title='taken'\">";
    let run = json!({"kind": "run", "device": evil, "objective": {"likelihood": evil}}).to_string();
    let epoch = json!({"kind": "epoch", "epoch": 1, "epochs": 1, "train": {"loss": 3}}).to_string();
    dir.write("losses.jsonl", format!("{run}\n{epoch}\n"));
    let watching = WatchServer::start(&dir, "--stay -o /dev/null losses.jsonl");
    let mut browser = Browser::start(1200, 700);
    browser.open(&watching.url());
    stage(&mut browser, "finished");
    assert!(browser.text("document.getElementById('facts').textContent").contains(evil));
    assert_eq!(browser.value("document.querySelectorAll('img').length"), 0);
    assert_eq!(browser.text("document.title"), "epoch 1 of 1 – vae-watch");
    browser.is_quiet(&watching.url());
}

#[test]
#[ignore = "needs Chromium: make test-page"]
fn a_run_faster_than_the_page_ends_with_its_newest_epoch() {
    let dir = TestDir::new();
    let line = |epoch: u64| json!({"kind": "epoch", "epoch": epoch, "train": {"loss": 1.0 + 1.0 / epoch as f64}});
    let mut watching = WatchServer::start(&dir, "");
    let (mut input, mut output, url) = (watching.stdin(), watching.stdout(), watching.url());
    let mut browser = Browser::start(1200, 700);
    browser.open(&url);
    let reading = std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
    for epoch in 1..=30_000 {
        writeln!(input, "{}", line(epoch)).expect("it reads");
    }
    drop(input);
    assert_eq!(watching.end(), (0, String::new()));
    assert!(reading.join().expect("a thread").is_ok_and(|bytes| bytes > 1_000_000));
    stage(&mut browser, "finished");
    assert_eq!(browser.text(AT), "30000 of 30000");
    browser.is_quiet(&url);
}
