//! Which files are read, and what for.

use crate::util::*;

#[test]
fn gzip_gives_what_raw_gives_whatever_the_names() {
    let place = Place::new();
    let file = idx(&[5, 4, 3], &pixels(5, 12));
    place.write("raw", &file);
    place.write("raw-called.gz", &file);
    place.write("zipped", &gzip(&file));
    // gzip files may be joined
    place.write("zipped-twice", &[gzip(&file[..30]), gzip(&file[30..])].concat());
    let raw = place.dump("--data raw");
    assert_eq!(raw.x, pixels(5, 12));
    for name in ["raw-called.gz", "zipped", "zipped-twice"] {
        assert_eq!(place.dump(&format!("--data {name}")), raw, "{name}");
    }
}

#[test]
fn images_of_any_size_come_through() {
    let place = Place::new();
    for (height, width) in [(1, 1), (1, 9), (5, 3), (28, 28), (200, 300)] {
        let content = pixels(3, height * width);
        place.write("images", &idx(&[3, height as u32, width as u32], &content));
        let dump = place.dump("--data images");
        assert_eq!((dump.size, dump.x, dump.i), (vec![height, width], content, vec![0, 1, 2]));
    }
}

#[test]
fn a_file_of_no_images_gives_an_empty_stream() {
    let place = Place::new();
    place.write("images", &idx(&[0, 28, 28], &[]));
    let dump = place.dump("--data images");
    assert_eq!((dump.size, dump.frames), (vec![28, 28], vec![]));
}

#[test]
fn train_is_read_unless_test_is_asked_for() {
    let place = Place::new();
    set(&place, "set", "train", 30);
    set(&place, "set", "t10k", 20);
    assert_eq!(place.dump("--data set").i.len(), 30);
    assert_eq!(place.dump("--data set --split train").i.len(), 30);
    assert_eq!(place.dump("--data set --split test").i.len(), 20);
}

#[test]
fn all_is_train_and_then_test_and_numbers_count_on() {
    let place = Place::new();
    set(&place, "set", "train", 30);
    set(&place, "set", "t10k", 20);
    let dump = place.dump("--data set --split all");
    assert_eq!(dump.x, [pixels(30, 12), pixels(20, 12)].concat());
    assert_eq!(dump.y.unwrap(), [labels(30), labels(20)].concat());
    assert_eq!(dump.i, (0..50).collect::<Vec<i64>>());
}

#[test]
fn files_are_found_under_all_their_usual_names() {
    for (images, labels) in [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("train-images.idx3-ubyte.gz", "train-labels.idx1-ubyte.gz"),
    ] {
        let place = Place::new();
        place.write(&format!("set/{images}"), &idx(&[2, 1, 1], &[10, 20]));
        place.write(&format!("set/{labels}"), &idx(&[2], &[1, 2]));
        let dump = place.dump("--data set");
        assert_eq!((dump.x, dump.y), (vec![10, 20], Some(vec![1, 2])), "{images}");
    }
}

#[test]
fn labels_are_found_beside_one_file_of_images() {
    let place = Place::new();
    set(&place, "set", "my", 12);
    assert_eq!(place.dump("--data set/my-images-idx3-ubyte.gz").y, Some(labels(12)));
}

#[test]
fn labels_can_be_named() {
    let place = Place::new();
    place.write("images", &idx(&[2, 1, 1], &[10, 20]));
    place.write("classes", &gzip(&idx(&[2], &[3, 4])));
    assert_eq!(place.dump("--data images --labels classes").y, Some(vec![3, 4]));
}

#[test]
fn without_labels_there_is_no_y() {
    let place = Place::new();
    place.write("set/train-images-idx3-ubyte", &idx(&[2, 1, 1], &[10, 20]));
    assert_eq!(place.dump("--data set").y, None);
}

#[test]
fn the_option_comes_before_the_environment_and_that_before_the_users_folder() {
    let place = Place::new();
    set(&place, ".local/share/mnist", "train", 1);
    set(&place, "xdg/mnist", "train", 2);
    set(&place, "environment", "train", 3);
    set(&place, "option", "train", 4);
    let count = |command: &mut std::process::Command| parse(&command.output().unwrap().stdout).i.len();
    assert_eq!(count(&mut place.command("")), 1);
    assert_eq!(count(place.command("").env("XDG_DATA_HOME", place.path("xdg"))), 2);
    assert_eq!(count(place.command("").env("MNIST_DIR", "environment")), 3);
    assert_eq!(count(place.command("--data option").env("MNIST_DIR", "environment")), 4);
}

#[test]
fn amat_text_becomes_black_and_white_images() {
    let place = Place::new();
    place.write("digits.amat", b"0 1 0 0\n1 1 1 0 \r\n0 0 0 1");
    let dump = place.dump("--data digits.amat");
    assert_eq!(dump.x, [0, 255, 0, 0, 255, 255, 255, 0, 0, 0, 0, 255]);
    assert_eq!((dump.size, dump.y, dump.i), (vec![2, 2], None, vec![0, 1, 2]));
}

#[test]
fn amat_text_with_labels_and_pixels_between_0_and_1_becomes_f32_images() {
    let place = Place::new();
    // The first line alone could be black and white.
    place.write("digits.amat", b"   0 1.0e+00 0 0 3.0000000e+00 \n.25 0.5 0.00390625 1 0\n\n");
    let dump = place.dump("--data digits.amat");
    let pixels = [0.0, 1.0, 0.0, 0.0, 0.25, 0.5, 0.00390625, 1.0f32].map(f32::to_le_bytes).concat();
    assert_eq!((dump.size, dump.x, dump.y, dump.i), (vec![2, 2], pixels, Some(vec![3, 0]), vec![0, 1]));
    assert_eq!(place.dump("--data digits.amat --only 0").i, [1]);
    // As in the sets of rectangles.
    place.write("shapes.amat", b"1 0 0 1 1\n0 0 0 1 0\n \r\n");
    let dump = place.dump("--data shapes.amat");
    assert_eq!((dump.x, dump.y), (vec![255, 0, 0, 255, 0, 0, 0, 255], Some(vec![1, 0])));
    place.write("labels", &idx(&[2], &[8, 9]));
    assert_eq!(place.dump("--data shapes.amat --labels labels").y, Some(vec![8, 9]));
}

#[test]
fn a_fifo_is_read_as_a_file() {
    let place = Place::new();
    place.write("images", &gzip(&idx(&[300, 4, 3], &pixels(300, 12))));
    let program = env!("CARGO_BIN_EXE_mnist-dump");
    let script = format!("cat images | {program} --data /dev/stdin");
    let output = std::process::Command::new("sh").args(["-c", &script]).current_dir(place.path("")).output().unwrap();
    assert_eq!(parse(&output.stdout).x, pixels(300, 12));
}
