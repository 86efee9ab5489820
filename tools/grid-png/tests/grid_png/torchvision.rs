//! Pixels against torchvision's own; the files are made by `tests/golden/make.py`.

use std::fs;
use std::path::Path;

use super::run_in;

#[test]
fn every_pixel_is_torchvisions() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let cases = fs::read_to_string(folder.join("cases.txt")).unwrap();
    assert_eq!(cases.lines().count(), 28);
    for (name, arguments) in cases.lines().map(|line| line.split_once(' ').unwrap()) {
        let expected = image::open(folder.join(name).with_extension("png")).unwrap().into_rgb8();
        let output = run_in(&folder, arguments, Vec::new());
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let picture = super::decode(&output.stdout);
        assert_eq!(picture.dimensions(), expected.dimensions(), "{name}: {arguments}");
        for (x, y, pixel) in picture.enumerate_pixels() {
            assert_eq!([pixel.0[0]; 3], expected.get_pixel(x, y).0, "{name}: {arguments}: at {x}, {y}");
        }
    }
}
