//! Sets like MNIST, under the names and in the folders in which they are published.

use crate::util::*;

/// Writes two images of 2 x 3 and their labels as files of these names.
fn write(place: &Place, images: &str, labels: &str, first: u8) {
    let pixels: Vec<u8> = (first..).take(12).collect();
    let zip = |name: &str, content: Vec<u8>| if name.ends_with(".gz") { gzip(&content) } else { content };
    place.write(images, &zip(images, idx(&[2, 2, 3], &pixels)));
    place.write(labels, &zip(labels, idx(&[2], &[first, first + 1])));
}

#[test]
fn files_in_folders_of_their_own_name_are_found() {
    let (hyphen, dot) = ("train-images-idx3-ubyte", "train-images.idx3-ubyte");
    let inside = |name: &str| format!("{name}/{name}");
    for (images, labels) in [
        (inside(hyphen), inside("train-labels-idx1-ubyte")),
        (inside(dot), inside("train-labels.idx1-ubyte.gz")),
        (format!("{hyphen}/{dot}.gz"), "train-labels.idx1-ubyte".to_owned()),
        (dot.to_owned(), inside("train-labels-idx1-ubyte")),
        (hyphen.to_owned(), "train-labels.idx1-ubyte".to_owned()),
    ] {
        let place = Place::new();
        write(&place, &format!("set/{images}"), &format!("set/{labels}"), 3);
        for data in ["set", &format!("set/{images}")] {
            let dump = place.dump(&format!("--data {data}"));
            assert_eq!((dump.x[0], dump.y), (3, Some(vec![3, 4])), "{data}: {images} {labels}");
        }
    }
}

#[test]
fn a_folder_beside_the_file_of_its_name_is_passed_over_if_it_is_empty() {
    let place = Place::new();
    write(&place, "set/train-images.idx3-ubyte", "set/train-labels.idx1-ubyte", 3);
    std::fs::create_dir(place.path("set/train-images-idx3-ubyte")).unwrap();
    std::fs::create_dir(place.path("set/train-labels-idx1-ubyte")).unwrap();
    assert_eq!(place.dump("--data set").y, Some(vec![3, 4]));
}

#[test]
fn a_set_is_picked_by_its_name() {
    let place = Place::new();
    for (first, name) in [(1, "balanced"), (2, "letters"), (3, "mnist")] {
        for (split, more) in [("train", 0), ("test", 100)] {
            let file = |what: &str| format!("gzip/emnist-{name}-{split}-{what}-ubyte.gz");
            write(&place, &file("images-idx3"), &file("labels-idx1"), first + more);
        }
    }
    let y = |args: &str| place.dump(&format!("--data gzip --transpose=false {args}")).y.unwrap();
    assert_eq!(y("--set letters"), [2, 3]);
    assert_eq!(y("--set emnist-mnist --split test"), [103, 104]);
    assert_eq!(y("--set balanced --split all"), [1, 2, 101, 102]);
    let message = place.fails(2, "--data gzip");
    let sets = "emnist-balanced, emnist-letters, emnist-mnist";
    assert!(message.contains(&format!("gzip: several sets: expected --set with one of {sets}")), "{message}");
    let message = place.fails(66, "--data gzip --set digits");
    assert!(message.contains(&format!("gzip: no set digits: expected one of {sets}; correct --set")), "{message}");

    // MNIST's own names come first.
    write(&place, "gzip/train-images-idx3-ubyte", "gzip/train-labels-idx1-ubyte", 9);
    assert_eq!(y(""), [9, 10]);
    let message = place.fails(2, "--data gzip/train-images-idx3-ubyte --set letters");
    assert!(message.contains("--set: expected a folder as --data"), "{message}");
}

#[test]
fn the_only_set_of_a_folder_needs_no_name() {
    let place = Place::new();
    write(&place, "set/my-train-images.idx3-ubyte", "set/my-train-labels.idx1-ubyte", 5);
    assert_eq!(place.dump("--data set").y, Some(vec![5, 6]));
    assert!(place.fails(66, "--data set --split test").contains("expected t10k-images-idx3-ubyte[.gz]"));
}

#[test]
fn images_of_emnist_are_transposed_on_request_and_said_to_be_without() {
    let place = Place::new();
    write(&place, "emnist-letters-train-images-idx3-ubyte", "emnist-letters-train-labels-idx1-ubyte", 1);
    for data in ["emnist-letters-train-images-idx3-ubyte", "."] {
        let upright = place.dump(&format!("--data {data} --transpose"));
        assert_eq!(upright.size, [3, 2]);
        assert_eq!(upright.x, [1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12]);
        assert_eq!(place.dump(&format!("--data {data} --transpose=true --skip 1")).x, upright.x[6..]);
        assert_eq!(place.dump(&format!("--data {data} --transpose --shuffle --only 2")).x, upright.x[6..]);
        let stored = place.dump(&format!("--data {data} --transpose=false"));
        assert_eq!((&stored.size[..], &stored.x[..]), (&[2, 3][..], &(1..13).collect::<Vec<u8>>()[..]));
        let (as_stored, message) = place.dump_and_message(&format!("--data {data}"));
        assert_eq!(as_stored, stored);
        assert!(message.contains("images of EMNIST are stored transposed, and come so; --transpose"), "{message}");
    }
}

#[test]
fn the_label_of_qmnist_is_the_first_of_eight_integers() {
    let place = Place::new();
    let rows = [[7i32, 4, 1000, 3, -1, 0, 0, 0], [2, 4, 2000, 3, -1, 0, 0, 0]];
    let labels = idx_of(0x0c, &[2, 8], &rows.concat().into_iter().flat_map(i32::to_be_bytes).collect::<Vec<u8>>());
    place.write("set/qmnist-test-images-idx3-ubyte.gz", &gzip(&idx(&[2, 1, 1], &[10, 20])));
    place.write("set/qmnist-test-labels-idx2-int.gz", &gzip(&labels));
    for args in ["--data set --split test", "--data set/qmnist-test-images-idx3-ubyte.gz"] {
        let dump = place.dump(args);
        assert_eq!((dump.x, dump.y), (vec![10, 20], Some(vec![7, 2])), "{args}");
    }
}

#[test]
fn idx_files_of_every_type_are_read() {
    let place = Place::new();
    let whole = [0u8, 7, 100, 127];
    let be = |of: fn(u8) -> Vec<u8>| whole.into_iter().flat_map(of).collect::<Vec<u8>>();
    for (code, elements) in [
        (0x08, whole.to_vec()),
        (0x09, whole.to_vec()),
        (0x0b, be(|n| i16::from(n).to_be_bytes().to_vec())),
        (0x0c, be(|n| i32::from(n).to_be_bytes().to_vec())),
    ] {
        place.write("images", &idx_of(code, &[2, 1, 2], &elements));
        place.write("labels", &idx_of(code, &[2], &elements[..elements.len() / 2]));
        let dump = place.dump("--data images");
        assert_eq!((&dump.x[..], dump.y), (&whole[..], Some(vec![0, 7])), "{code}");
        assert_eq!(place.dump("--data images --skip 1").x, whole[2..], "{code}");
    }
    let numbers = [0.0, 0.25, 0.5, 1.0];
    let f32s = numbers.map(|n| (n as f32).to_le_bytes()).concat();
    for (code, elements) in
        [(0x0d, numbers.map(|n| (n as f32).to_be_bytes()).concat()), (0x0e, numbers.map(f64::to_be_bytes).concat())]
    {
        place.write("floats", &idx_of(code, &[2, 1, 2], &elements));
        for args in ["", "--shuffle --seed 2 --batch 1", "--transpose"] {
            let mut items = place.dump(&format!("--data floats {args}")).x;
            items.sort_unstable();
            let mut expected = f32s.clone();
            expected.sort_unstable();
            assert_eq!(items, expected, "{code} {args}");
        }
        assert_eq!(place.dump("--data floats").x, f32s, "{code}");
    }
    // Pixels of other sets cannot follow.
    place.write("set/train-images-idx3-ubyte", &idx(&[1, 1, 2], &[1, 2]));
    place.write("set/t10k-images-idx3-ubyte", &idx_of(0x0d, &[1, 1, 2], &[0; 8]));
    let message = place.fails(65, "--data set --split all");
    assert!(message.contains("expected |u1 [1, 2] as in the first, got <f4 [1, 2]"), "{message}");
}

#[test]
fn torchvisions_root_and_the_folder_of_a_set_lead_to_its_files() {
    let place = Place::new();
    write(&place, "data/MNIST/raw/train-images-idx3-ubyte", "data/MNIST/raw/train-labels-idx1-ubyte", 3);
    for data in ["data", "data/MNIST", "data/MNIST/raw"] {
        assert_eq!(place.dump(&format!("--data {data}")).y, Some(vec![3, 4]), "{data}");
    }
    write(&place, "data/KMNIST/raw/train-images-idx3-ubyte", "data/KMNIST/raw/train-labels-idx1-ubyte", 5);
    let message = place.fails(2, "--data data");
    assert!(message.contains("several sets: expected --data with one of data/MNIST/raw, data/KMNIST/raw"), "{message}");
}

#[test]
fn an_empty_file_beside_a_packed_one_is_passed_over() {
    let place = Place::new();
    write(&place, "set/train-images-idx3-ubyte.gz", "set/train-labels-idx1-ubyte", 3);
    place.write("set/train-images-idx3-ubyte", b"");
    assert_eq!(place.dump("--data set").y, Some(vec![3, 4]));
    std::fs::remove_file(place.path("set/train-images-idx3-ubyte.gz")).unwrap();
    assert!(
        place
            .fails(65, "--data set")
            .contains("train-images-idx3-ubyte: expected an IDX file, raw or gzip, got an empty")
    );
}

#[test]
fn rows_that_are_square_images_are_read_as_these() {
    let place = Place::new();
    place.write("rows", &idx(&[2, 9], &pixels(2, 9)));
    assert_eq!(place.dump("--data rows").size, [3, 3]);
    place.write("rows", &idx(&[2, 8], &pixels(2, 8)));
    assert!(place.fails(65, "--data rows").contains("expected images (3 dimensions), got rows of 8 numbers"));
}

#[test]
fn a_table_has_the_label_first_and_pixels_as_bytes_fractions_or_black_and_white() {
    let place = Place::new();
    let read = |text: &str| {
        place.write("digits.csv", text.as_bytes());
        place.dump("--data digits.csv")
    };
    let labelled = read("label,pixel0,pixel1,pixel2,pixel3\r\n7,0,255,3,0\r\n1,9,8,7,6\r\n");
    assert_eq!((&labelled.x[..], labelled.y), (&[0, 255, 3, 0, 9, 8, 7, 6][..], Some(vec![7, 1])));
    let bare = read("0,255,3,0\n9,8,7,6\n");
    assert_eq!((&bare.x[..], bare.y), (&[0, 255, 3, 0, 9, 8, 7, 6][..], None));
    assert_eq!(read("0,1,1,0\n").x, [0, 255, 255, 0]);
    let fractions: Vec<u8> = [0.0f32, 1.0, 0.5, 0.25].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(read("0,1,.5,.25\n").x, fractions);
    for (text, says) in [
        ("0,256,3,0\n", "line 1: expected pixels from 0 to 255, got 256"),
        ("7,0,255,3,0\n7,0,0.5,1,0\n", "line 2: expected whole pixels, as 255 before, got fractions"),
        ("300,0,255,3,0\n", "line 1: expected a label from 0 to 255 as its first number, got 300"),
    ] {
        place.write("digits.csv", text.as_bytes());
        let message = place.fails(65, "--data digits.csv");
        assert!(message.contains(says), "{message}");
    }
}

/// An .npz of arrays.
fn npz(arrays: &[(&str, vae_stream::Tensor)]) -> Vec<u8> {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, array) in arrays {
        archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(array.bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn arrays_of_keras_and_of_medmnist_are_read_by_their_names() {
    use vae_stream::{Dtype, Tensor};
    let place = Place::new();
    let x = |first: u8| Tensor::from_bytes(Dtype::U8, &[2, 2, 2], &(first..).take(8).collect::<Vec<_>>());
    let y = |first: u8, shape: &[usize]| Tensor::from_bytes(Dtype::U8, shape, &[first, first + 1]);
    let keras = [("x_train", x(10)), ("y_train", y(3, &[2])), ("x_test", x(20)), ("y_test", y(5, &[2]))];
    place.write("mnist.npz", &npz(&keras));
    let medmnist = [("train_images", x(10)), ("train_labels", y(3, &[2, 1])), ("test_images", x(20))];
    place.write("pneumonia.npz", &npz(&medmnist));
    for file in ["mnist.npz", "pneumonia.npz"] {
        let train = place.dump(&format!("--data {file}"));
        assert_eq!((train.size, train.x[0], train.y), (vec![2, 2], 10, Some(vec![3, 4])));
    }
    assert_eq!(place.dump("--data mnist.npz --split all").y, Some(vec![3, 4, 5, 6]));
    assert_eq!(place.dump("--data pneumonia.npz --split test").y, None);
    for (arrays, says) in [
        (&[("images", x(1))][..], "expected x_train or train_images, got none"),
        (&[("x_train", x(1)), ("y_train", y(1, &[1, 2]))], "y_train"),
        (&[("x_train", Tensor::from_bytes(Dtype::U8, &[1, 2, 2, 3], &[9; 12]))], "average the colours"),
    ] {
        place.write("bad.npz", &npz(arrays));
        let message = place.fails(65, "--data bad.npz");
        assert!(message.contains("bad.npz: ") && message.contains(says), "{message}");
    }
    place.write("bad.npz", b"PK\x03\x04");
    assert!(place.fails(65, "--data bad.npz").contains("bad.npz: not an .npz"));
}

#[test]
fn a_hyphen_is_standard_input() {
    let place = Place::new();
    let images = place.write("images", &idx(&[1, 2, 2], &[1, 2, 3, 4]));
    let mut command = place.command("--data -");
    let output = command.stdin(std::fs::File::open(images).unwrap()).output().unwrap();
    assert_eq!(parse(&output.stdout).x, [1, 2, 3, 4]);
}
