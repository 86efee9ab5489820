//! The page of `vae-model page`, opened as a file.

use crate::harness::TestDir;
use crate::pages::browser::chromium::Browser;

const PICTURE: &str = "#picture";

/// A folder with the page of a model with these options; its address.
fn page(options: &str) -> (TestDir, String) {
    let dir = TestDir::new();
    let train = format!("vae-train {options} --batch 50 --lr 3e-3 --epochs 4 -o model.bin > losses.jsonl");
    dir.run(&format!("mnist-dump --synthetic=2000 | {train}")).succeeds();
    dir.run("vae-model page -m model.bin -o page.html").succeeds();
    let url = format!("file://{}", dir.path("page.html").display());
    (dir, url)
}

fn opened(options: &str, width: u32, height: u32) -> (TestDir, Browser, String) {
    let (dir, url) = page(options);
    let mut browser = Browser::start(width, height);
    browser.open(&url);
    (dir, browser, url)
}

#[test]
#[ignore = "needs Chromium: make test-page"]
fn sliders_and_the_plane_move_the_picture_by_keyboard_and_by_mouse() {
    let (_place, mut browser, url) = opened("--hidden 64 --latent 4", 1200, 900);
    let begin = browser.pixels(PICTURE);
    let tiles = browser.pixels("#tiles");
    browser.picture("explorer");

    browser.tab_to("#sliders label:nth-child(3) input");
    browser.press("Home");
    let moved = browser.pixels(PICTURE);
    assert_ne!(moved, begin);
    assert_eq!(browser.text("document.querySelector('#sliders label:nth-child(3) output').textContent"), "-3.00");
    browser.until("document.getElementById('tiles').toDataURL().length > 1000");
    assert_ne!(browser.pixels("#tiles"), tiles, "the plane goes through the new point");

    browser.drag("#sliders label:nth-child(3) input", [0.05, 0.5], [0.95, 0.5]);
    assert_ne!(browser.pixels(PICTURE), moved);
    browser.click("#reset");
    assert_eq!(browser.pixels(PICTURE), begin);

    browser.drag("#plane", [0.5, 0.5], [0.9, 0.1]);
    let corner = browser.pixels(PICTURE);
    assert_ne!(corner, begin);
    browser.click("#reset");
    browser.tab_to("#plane");
    for _ in 0..20 {
        browser.press("ArrowRight");
    }
    let right = browser.pixels(PICTURE);
    assert!(right != begin && right != corner);
    browser.is_quiet(&url);
}

#[test]
#[ignore = "needs Chromium: make test-page"]
fn draws_and_the_walk_change_the_picture() {
    let (_place, mut browser, url) = opened("--hidden 64 --latent 4", 1200, 900);
    let begin = browser.pixels(PICTURE);
    browser.tab_to("#draw");
    browser.press("Enter");
    let drawn = browser.pixels(PICTURE);
    assert_ne!(drawn, begin);
    let strip = browser.pixels("#strip");
    browser.click("#keep-a");
    assert_ne!(browser.pixels("#strip"), strip);
    browser.tab_to("#way");
    browser.press("End");
    let end = browser.pixels(PICTURE);
    assert_ne!(end, drawn);
    browser.press("Home");
    assert_eq!(browser.pixels(PICTURE), drawn, "back at A");
    browser.is_quiet(&url);
}

#[test]
#[ignore = "needs Chromium: make test-page"]
fn a_class_is_chosen_by_keyboard_and_by_mouse() {
    let (_place, mut browser, url) = opened("--preset cvae-prior --hidden 64 --latent 8", 1200, 900);
    let zero = browser.pixels(PICTURE);
    browser.tab_to("#labels label:nth-of-type(1) input");
    browser.press("ArrowRight");
    let one = browser.pixels(PICTURE);
    assert_ne!(one, zero);
    browser.click("#labels label:nth-of-type(8)");
    assert_eq!(browser.value("document.querySelector('#labels input:checked').value"), "7");
    assert_ne!(browser.pixels(PICTURE), one);
    browser.picture("explorer-classes");
    browser.is_quiet(&url);
}

#[test]
#[ignore = "needs Chromium: make test-page"]
fn it_is_usable_on_a_phone_and_in_the_dark() {
    let (_place, mut browser, url) = opened("--hidden 64 --latent 2", 375, 800);
    browser.fits();
    let begin = browser.pixels(PICTURE);
    browser.picture("explorer-phone");
    browser.drag("#plane", [0.5, 0.5], [0.2, 0.2]);
    assert_ne!(browser.pixels(PICTURE), begin);
    browser.resize(320, 600);
    browser.fits();
    browser.resize(1200, 900);
    browser.dark();
    browser.value("scrollTo(0, 0)");
    browser.picture("explorer-dark");
    browser.is_quiet(&url);
}
