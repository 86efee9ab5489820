//! How fast a likelihood is estimated.

use crate::setup::Setup;
use crate::table::Table;
use serde_json::json;
use vae_cli::Result;

pub const TITLE: &str = "vae-eval -k";
const ABOUT: &str = "The log-likelihood of the test images by importance sampling, the whole program with all else that it \
    tells, of 784-400-20.";

pub fn measure(setup: &Setup) -> Result<Vec<Table>> {
    const PAPERS: f64 = 5000.0; // as many draws as are usually published
    const DRAWS: [usize; 2] = [50, 500];
    let mut table = Table::new(TITLE, ABOUT, ["seconds", "thousand draws per second", "minutes for k = 5000"]);
    let lines = DRAWS.map(|k| format!("vae-eval --device cpu -m model.bin -k {k} test.vae"));
    let times = setup.times(setup.rounds, &lines.each_ref().map(String::as_str))?;
    let images = setup.test_images as f64;
    for (k, seconds) in DRAWS.iter().zip(times) {
        let speed = seconds.map(|seconds| images * *k as f64 / seconds);
        let minutes = speed.map(|speed| images * PAPERS / speed / 60.0);
        let numbers = json!({"k": k, "seconds": seconds.json(), "images_x_draws_per_second": speed.json()});
        let cells =
            [format!("{seconds:.2}"), format!("{:.0}", speed.map(|speed| speed / 1e3)), format!("{minutes:.1}")];
        table.push_all(&format!("k = {k}, {images} images"), cells, numbers);
    }
    Ok(vec![table])
}
