//! Labels the images of one stream by their nearest neighbour in another. `make bench` shows with it how much the
//! built-in digits are like MNIST's:
//!
//!     mnist-dump --synthetic=10000 -o synthetic.vae && mnist-dump --split test -o test.vae && nearest synthetic.vae test.vae

use ndarray::{Array1, Array2, ArrayView2, Axis};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use vae_cli::{Error, Result};
use vae_stream::Frame;

/// Label images by their nearest neighbour, and print how many labels are right
#[derive(clap::Parser)]
struct Args {
    /// Images to compare with, and their labels
    train: PathBuf,
    /// Images to label, and the labels that would be right
    test: PathBuf,
}

/// Images that are compared with all others at once: the products of more would leave the cache.
const BLOCK: usize = 128;

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    let (train, train_labels) = read(&args.train)?;
    let (test, test_labels) = read(&args.test)?;
    if train.ncols() != test.ncols() {
        return Err(Error::Data(format!("expected images of {} pixels, got {}", train.ncols(), test.ncols())));
    }
    let nearest = nearest(&train, &test);
    let right = nearest.iter().zip(&test_labels).filter(|(k, label)| train_labels[**k] == **label).count();
    println!("{:.2} % of {} labels right", 100.0 * right as f64 / test_labels.len() as f64, test_labels.len());
    Ok(())
}

/// All images `[N, D]` of a stream, 0 to 255, and their labels.
fn read(path: &Path) -> Result<(Array2<f32>, Vec<u8>)> {
    let mut reader = vae_cli::input::reader(path, "x")?;
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    while let Some(frame) = reader.next_frame()? {
        let Frame::Data(data) = frame else { continue };
        values.extend(data.f32("x")?);
        labels.extend(data.u8("y")?);
    }
    let pixels = values.len().checked_div(labels.len()).unwrap_or(0);
    let images = Array2::from_shape_vec((labels.len(), pixels), values);
    Ok((images.map_err(|e| Error::Data(format!("{}: {e}", path.display())))?, labels))
}

/// For each row of `test` the row of `train` at the least Euclidean distance.
fn nearest(train: &Array2<f32>, test: &Array2<f32>) -> Vec<usize> {
    let squares: Array1<f32> = train.rows().into_iter().map(|row| row.dot(&row)).collect();
    let of_block = |block: ArrayView2<f32>| -> Vec<usize> {
        // |a - b|² less |a|², which is the same for all b
        let distances = &squares - 2.0 * block.dot(&train.t());
        let least =
            |row: ndarray::ArrayView1<f32>| (0..row.len()).min_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap_or(0);
        distances.rows().into_iter().map(least).collect()
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let shares = test.axis_chunks_iter(Axis(0), test.nrows().div_ceil(threads).max(1));
        let label =
            |share: ArrayView2<f32>| share.axis_chunks_iter(Axis(0), BLOCK).flat_map(of_block).collect::<Vec<_>>();
        let running: Vec<_> = shares.map(|share| scope.spawn(move || label(share))).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("no panic in a thread")).collect()
    })
}
