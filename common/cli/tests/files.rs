//! Files that are read and written: whole, or as they were.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use vae_cli::output::{Format, Output};
use vae_cli::{Error, OutputArgs, Result, input};
use vae_stream::{Data, Dtype, Head, Tensor};

/// Two images of 2 by 3, the first pixel being `first`.
fn images(first: u8) -> Data {
    let x: Vec<u8> = (first..).take(12).collect();
    Data::new([("x", Tensor::from_bytes(Dtype::U8, &[2, 2, 3], &x))])
}

fn head() -> Head {
    Head::of(&images(0))
}

/// A folder that goes with the test.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn to(path: PathBuf) -> OutputArgs {
    OutputArgs { output: Some(path), ..OutputArgs::default() }
}

#[test]
fn a_file_appears_once_the_stream_is_finished() {
    let folder = folder();
    let path = folder.path().join("out.vae");
    let mut writer = to(path.clone()).writer(head()).unwrap();
    writer.write(images(1)).unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    writer.finish().unwrap();
    let mut reader = input::reader(&path, "x").unwrap();
    assert_eq!(reader.next_frame().unwrap(), Some(images(1).into()));
    assert_eq!(reader.next_frame().unwrap(), None);
}

#[test]
fn a_program_signs_the_history() {
    let folder = folder();
    let path = folder.path().join("out.vae");
    for _ in 0..2 {
        let head = input::reader(&path, "x").map_or_else(|_| head(), |r| r.head().clone());
        to(path.clone()).writer(head).unwrap().finish().unwrap();
    }
    let history = input::reader(&path, "x").unwrap().head().get("history").unwrap().clone();
    assert_eq!(history.as_array().unwrap().len(), 2);
    let tool = history[1]["tool"].as_str().unwrap();
    assert!(tool.starts_with("files-") && tool.ends_with(env!("CARGO_PKG_VERSION")), "{tool}");
    assert!(history[1]["args"].is_array());
}

#[test]
fn a_failure_leaves_the_file_as_it_was() {
    let folder = folder();
    let path = folder.path().join("out.vae");
    fs::write(&path, "before").unwrap();
    let fault = || Err(Error::Upstream { origin: "mnist-dump".into(), message: "no data".into() });
    let writer = to(path.clone()).writer(head()).unwrap();
    let result: Result<()> = writer.run(|out| {
        out.write(images(1))?;
        fault()
    });
    assert!(matches!(result, Err(Error::Upstream { .. })), "nobody reads a file that never appears: {result:?}");
    drop(to(path.clone()).writer(head()).unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"before");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn a_link_stays_and_what_it_leads_to_is_replaced() {
    let folder = folder();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "before").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let mut output = Output::open(Some(&link), Format::Stream).unwrap();
    output.write_all(b"after").unwrap();
    output.commit().unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"after");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn a_new_file_has_the_mode_of_the_one_it_replaces() {
    let folder = folder();
    let path = folder.path().join("file");
    fs::write(&path, "before").unwrap();
    for mode in [0o600, 0o444, 0o755] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Output::open(Some(&path), Format::Stream).unwrap().commit().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
    }
}

#[test]
fn the_temporary_file_of_a_killed_run_goes_and_that_of_a_live_one_stays() {
    let folder = folder();
    let name = |n: &u32| folder.path().join(format!(".file.{n}.vae-tmp"));
    for other in [".file.backup", ".other.0.vae-tmp", "file.0.vae-tmp"] {
        fs::write(folder.path().join(other), "a user's").unwrap();
    }
    [0, 1, 15].iter().for_each(|n| fs::write(name(n), "half").unwrap());
    let live = fs::File::open(name(&1)).unwrap();
    live.lock().unwrap();
    Output::open(Some(&folder.path().join("file")), Format::Stream).unwrap().commit().unwrap();
    assert!(name(&1).exists() && !name(&0).exists() && !name(&15).exists());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 5);
}

#[test]
fn a_name_of_255_bytes_is_written() {
    let folder = folder();
    let path = folder.path().join("n".repeat(255));
    for _ in 0..2 {
        Output::open(Some(&path), Format::Stream).unwrap().commit().unwrap();
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn runs_that_write_one_file_at_the_same_time_do_not_disturb_each_other() {
    let folder = folder();
    let path = folder.path().join("file");
    std::thread::scope(|scope| {
        for writer in 0..8_u8 {
            let path = &path;
            scope.spawn(move || {
                for _ in 0..50 {
                    let mut output = Output::open(Some(path), Format::Stream).unwrap();
                    output.write_all(&[writer; 1000]).unwrap();
                    output.commit().unwrap();
                }
            });
        }
    });
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.len() == 1000 && bytes.iter().all(|byte| *byte == bytes[0]));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn a_file_in_no_folder_is_an_io_error_that_names_it() {
    let path = folder().path().join("nowhere/out.vae");
    let error = to(path.clone()).writer(head()).unwrap_err();
    assert_eq!(error.exit_code(), 74);
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}

#[test]
fn a_full_disk_is_an_io_error() {
    let error = to("/dev/full".into()).writer(head()).unwrap_err();
    assert_eq!(error.exit_code(), 74, "{error}");
    assert!(error.to_string().contains("/dev/full"), "{error}");
}

#[test]
fn a_missing_file_is_no_input() {
    let error = input::reader(&folder().path().join("none"), "x").unwrap_err();
    assert_eq!(error.exit_code(), 66);
}
