//! Inputs as people bring them: what an item is, what a dtype means, and what one program writes and another reads.

use ndarray::{Array, Array1, Array2, Array3};

use crate::harness::{MODEL, TestDir};

/// Six masks of 16 x 16.
fn masks() -> Array3<bool> {
    Array::from_shape_fn((6, 16, 16), |(n, y, x)| y / 4 == n || x / 4 == n)
}

/// A folder with a model of images of 16 x 16, `m.bin`, and those images as floats, `x16.npy`.
fn with_model_of_16() -> TestDir {
    let dir = TestDir::new();
    dir.write_npy("x16.npy", &masks().mapv(|v| if v { 1.0f32 } else { 0.25 }));
    dir.run(&format!("vae-train {MODEL} --epochs 1 x16.npy -o m.bin > losses.jsonl")).succeeds();
    dir
}

/// Writes latents [count, 3] as `z.npy`.
fn write_latents(dir: &TestDir, count: usize) {
    dir.write_npy("z.npy", &Array2::from_shape_fn((count, 3), |(n, k)| (n + k) as f32));
}

#[test]
fn bools_mean_the_same_in_npy_stream_and_newline_json() {
    let dir = with_model_of_16();
    dir.write_npy("bool.npy", &masks());
    dir.write_npy("f32.npy", &masks().mapv(|v| f32::from(u8::from(v))));
    dir.run("grid-png f32.npy -o f32.png; vae-encode -m m.bin f32.npy --npy z > f32.z").succeeds();
    for (form, make) in [("npy", "cat bool.npy"), ("stream", "vae-cat bool.npy"), ("json", "vae-cat bool.npy --jsonl")]
    {
        dir.pipe(&format!("{make} | grid-png -o {form}.png")).succeeds();
        dir.assert_same("f32.png", &format!("{form}.png"));
        dir.pipe(&format!("{make} | vae-encode -m m.bin --npy z > {form}.z")).succeeds();
        dir.assert_same("f32.z", &format!("{form}.z"));
    }
}

#[test]
fn every_program_refuses_masks_of_bytes_with_the_remedy() {
    let dir = with_model_of_16();
    dir.write_npy("mask.npy", &masks().mapv(u8::from));
    dir.write_npy("mask64.npy", &masks().mapv(i64::from));
    for mask in ["mask.npy", "mask64.npy"] {
        for (tool, line) in [
            ("vae-encode", "vae-encode -m m.bin FILE -o z.vae"),
            ("vae-eval", "vae-eval -m m.bin FILE -o eval.jsonl"),
            ("vae-train", "vae-train FILE -o new.bin"),
            ("grid-png", "grid-png FILE -o out.png"),
        ] {
            let words = ["x: bad images: whole numbers of 0 and 1 alone", "save them as bool or f32"];
            dir.run(&line.replace("FILE", mask)).fails(65, tool, &words);
        }
    }
    assert_eq!(dir.files(), ["losses.jsonl", "m.bin", "mask.npy", "mask64.npy", "x16.npy"]);
    dir.write_npy("black.npy", &Array3::<u8>::zeros((2, 16, 16)));
    dir.run("grid-png black.npy -o out.png; vae-encode -m m.bin black.npy -o z.vae").succeeds();
}

#[test]
fn the_first_dimension_counts_the_items_of_any_matrix() {
    let dir = TestDir::new();
    dir.write_npy("a.npy", &Array2::<f32>::zeros((10, 20)));
    dir.write_npy("b.npy", &Array2::<f32>::zeros((7, 20)));
    assert_eq!(dir.run("vae-cat --check a.npy").succeeds().json()["items"], 10);
    assert_eq!(dir.pipe("vae-cat a.npy b.npy | vae-cat --check").succeeds().json()["items"], 17);
    dir.run("vae-cat a.npy --take 3 --npy x > three.npy").succeeds();
    assert_eq!(dir.npy::<f32>("three.npy").shape(), [3, 20]);
    dir.write_npy("square.npy", &Array2::<f32>::zeros((64, 64)));
    assert_eq!(dir.run("vae-cat --check square.npy").succeeds().json()["items"], 64);
    dir.write_npy("z.npy", &Array2::<f32>::zeros((5, 2)));
    assert_eq!(dir.run("vae-cat --check z.npy").succeeds().json()["items"], 5);
}

#[test]
fn rows_that_are_no_squares_need_the_option_image() {
    let dir = TestDir::new();
    for count in [6, 30] {
        let faces = Array2::from_shape_fn((count, 560), |(n, k)| ((n * 31 + k * 7) % 256) as u8);
        dir.write_npy("faces.npy", &faces);
        for form in ["cat faces.npy", "vae-cat faces.npy", "vae-cat faces.npy --jsonl"] {
            let words = ["expected items [H, W], got [560]", "--image HxW"];
            dir.pipe(&format!("{form} | vae-train -o m.bin")).fails(65, "vae-train", &words);
            dir.pipe(&format!("{form} | grid-png -o out.png")).fails(65, "grid-png", &words);
            let train = format!("{form} | vae-train {MODEL} --epochs 1 --image 28x20 -o m.bin > losses.jsonl");
            dir.pipe(&train).succeeds();
            let run = &dir.run("cat losses.jsonl").succeeds().records()[0];
            assert_eq!(
                (&run["network"]["image"], &run["data"]["images"]),
                (&serde_json::json!([28, 20]), &count.into())
            );
            dir.pipe(&format!("{form} | vae-encode -m m.bin --npy z > z.npy")).succeeds();
            assert_eq!(dir.npy::<f32>("z.npy").shape(), [count, 4]);
            dir.run("rm m.bin").succeeds();
        }
    }
    dir.run("vae-train --dry-run --image 28x20 faces.npy > run.jsonl").succeeds();
}

#[test]
fn one_image_is_one_image_where_images_are_wanted() {
    let dir = with_model_of_16();
    dir.write_npy("one.npy", &masks().index_axis(ndarray::Axis(0), 2).mapv(|v| if v { 1.0f32 } else { 0.5 }));
    dir.run("grid-png one.npy -o one.png").reports("grid-png", &["x: the array [16, 16] is read as one image"]);
    assert_eq!(dir.png("one.png"), [16, 16]);
    dir.run("grid-png --image 4x4 --padding 0 one.npy -o tiles.png").succeeds();
    assert_eq!(dir.png("tiles.png"), [32, 8], "16 images of 4 x 4");
    dir.run("vae-encode -m m.bin one.npy --npy z > z.npy").succeeds();
    assert_eq!(dir.npy::<f32>("z.npy").shape(), [1, 4], "the size of the model settles it");
    dir.run("vae-eval -m m.bin one.npy > eval.jsonl").succeeds();
    dir.run("vae-encode -m m.bin --image 4x4 one.npy").fails(2, "vae-encode", &["--image: expected 16 x 16"]);
    assert_eq!(dir.run("vae-cat --check one.npy").succeeds().json()["items"], 16);
}

#[test]
fn flat_images_are_of_the_size_of_the_model_and_a_guess_is_said() {
    let dir = with_model_of_16();
    dir.run("vae-encode -m m.bin x16.npy --npy z > z.npy").succeeds();
    let x = dir.npy::<f32>("x16.npy");
    dir.write_npy("flat.npy", &x.to_shape((6, 256)).unwrap().to_owned());
    dir.write_npy("keras.npy", &x.to_shape((6, 16, 16, 1)).unwrap().to_owned());
    for file in ["flat.npy", "keras.npy"] {
        dir.run(&format!("vae-encode -m m.bin {file} --npy z > z2.npy")).succeeds();
        dir.assert_same("z.npy", "z2.npy");
    }
    let train = format!("vae-train {MODEL} --epochs 1 flat.npy -o n.bin > losses.jsonl");
    dir.run(&train).reports("vae-train", &["x: items of 256 values are read as images of 16 x 16; --image HxW"]);
    dir.assert_same("m.bin", "n.bin");
}

#[test]
fn floats_are_floats_also_where_jq_writes_them_as_whole_numbers() {
    let dir = TestDir::new();
    let check = |lines: &str, expected: Vec<f32>| {
        dir.write_npy("x.npy", &Array::from_shape_vec((2, 2, 2), expected).unwrap());
        dir.run("grid-png x.npy -o npy.png").succeeds();
        dir.run(&format!(r#"printf '{lines}\n' | grid-png -o json.png"#)).succeeds();
        dir.assert_same("npy.png", "json.png");
    };
    check(r#"{"x":[[0,1],[0,1]]}\n{"x":[[0.5,0.25],[0,1]]}"#, vec![0., 1., 0., 1., 0.5, 0.25, 0., 1.]);
    check(r#"{"x":[[0,1],[0,1]]}\n{"x":[[0,1],[0,0]]}"#, vec![0., 1., 0., 1., 0., 1., 0., 0.]);
    check(r#"{"x":[[0.0,1.0],[0.0,1.0]]}\n{"x":[[0,1],[0,0]]}"#, vec![0., 1., 0., 1., 0., 1., 0., 0.]);
    // A black picture of bytes came first.
    check(r#"{"x":[[0,0],[0,0]]}\n{"x":[[0,51],[255,1]]}"#, vec![0., 0., 0., 0., 0., 0.2, 1., 1. / 255.]);
}

#[test]
fn newline_json_is_read_back_whatever_the_labels_and_the_size() {
    let dir = TestDir::new();
    write_latents(&dir, 3);
    dir.write_npy("y.npy", &Array1::from(vec![1000i64, -1, 300]));
    dir.pipe("vae-cat z=z.npy y=y.npy --jsonl | vae-plot latent -o json.svg").succeeds();
    dir.pipe("vae-cat z=z.npy y=y.npy | vae-plot latent -o stream.svg").succeeds();
    dir.assert_same("json.svg", "stream.svg");
    dir.pipe("vae-cat z=z.npy y=y.npy --jsonl | vae-cat --npy y > back.npy").succeeds();
    assert_eq!(dir.npy::<i64>("back.npy"), dir.npy::<i64>("y.npy"));
    let dir = with_model_of_16();
    dir.write_npy("y.npy", &Array1::from(vec![1000i64, -1, 300, 0, 3, 7]));
    let eval = dir.pipe("vae-cat x=x16.npy y=y.npy --jsonl | vae-eval -m m.bin --per-image").succeeds().records();
    let labels: Vec<i64> = eval.iter().filter_map(|record| record["y"].as_i64()).collect();
    assert_eq!(labels, [1000, -1, 300, 0, 3, 7]);
    dir.write_npy("big.npy", &Array3::from_shape_fn((1, 320, 320), |(_, y, x)| 1.0 / (1 + x + y) as f32));
    dir.pipe("vae-cat big.npy --jsonl | vae-cat --npy x > back.npy").succeeds();
    assert_eq!(dir.npy::<f32>("back.npy"), dir.npy::<f32>("big.npy"));
}

#[test]
fn labels_may_stand_in_a_column() {
    let dir = TestDir::new();
    write_latents(&dir, 4);
    dir.write_npy("x.npy", &Array::from_shape_fn((4, 8, 8), |(n, y, x)| (n * 60 + y + x) as u8));
    dir.write_npy("y.npy", &Array1::from(vec![0u8, 1, 1, 0]));
    dir.write_npy("column.npy", &Array2::from_shape_vec((4, 1), vec![0u8, 1, 1, 0]).unwrap());
    for (name, y) in [("a", "y.npy"), ("b", "column.npy")] {
        let make = format!("vae-cat x=x.npy z=z.npy y={y}");
        let train = format!("vae-train {MODEL} --epochs 1 --classes 2 -o {name}.bin > {name}.jsonl");
        dir.pipe(&format!("{make} | {train}")).succeeds();
        dir.pipe(&format!("{make} | vae-encode -m {name}.bin --npy z > {name}.npy")).succeeds();
        dir.pipe(&format!("{make} | vae-eval -m {name}.bin --per-image -o {name}.eval")).succeeds();
        dir.pipe(&format!("{make} | grid-png --by y --titles y -o {name}.png")).succeeds();
        dir.pipe(&format!("{make} | vae-plot latent -o {name}.svg")).succeeds();
    }
    for suffix in ["bin", "npy", "eval", "png", "svg"] {
        dir.assert_same(&format!("a.{suffix}"), &format!("b.{suffix}"));
    }
    dir.write_npy("onehot.npy", &Array2::<f32>::eye(4));
    let line = format!("vae-cat x=x.npy y=onehot.npy | vae-train {MODEL} --classes 4 -o c.bin");
    dir.pipe(&line).fails(
        65,
        "vae-train",
        &["tensor y: expected one number for each item, got items [4]", "np.argmax"],
    );
}

#[test]
fn floats_of_0_to_255_are_said_to_be_clipped_and_range_shows_them() {
    let dir = TestDir::new();
    let bytes = Array::from_shape_fn((2, 4, 4), |(n, y, x)| (n * 128 + y * 16 + x) as u8);
    dir.write_npy("bytes.npy", &bytes);
    dir.write_npy("floats.npy", &bytes.mapv(f32::from));
    dir.run("grid-png floats.npy -o white.png")
        .reports("grid-png", &["pixels from 0 to 179", "--normalize --range 0,179"]);
    dir.run("grid-png bytes.npy -o bytes.png").succeeds();
    for file in ["bytes.npy", "floats.npy"] {
        dir.run(&format!("grid-png {file} --normalize --range 0,255 -o range.png")).succeeds();
        dir.assert_same("bytes.png", "range.png");
    }
}

#[test]
fn newline_json_may_begin_with_an_empty_line_and_hold_what_python_writes() {
    let dir = TestDir::new();
    dir.run(r#"printf '\n{"z":[3,NaN]}\n' | vae-cat --jsonl"#)
        .succeeds()
        .text()
        .eq("{\"z\":[3.0,\"NaN\"]}\n")
        .then_some(())
        .unwrap();
    dir.run(r#"printf '{"x":[[true,false],[false,true]]}\n' | grid-png -o out.png"#).succeeds();
    let words = ["line 1: expected one JSON object per line", "jq -c"];
    dir.run(r#"printf '{\n  "z": [\n    1\n  ]\n}\n' | vae-cat > out.vae"#).fails(65, "vae-cat", &words);
}
