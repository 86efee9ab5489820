//! How much the built-in digits have in common with real ones.

use crate::setup::Setup;
use crate::table::Table;
use serde_json::json;
use vae_cli::Result;

pub const TITLE: &str = "The synthetic digits";
const ABOUT: &str = "A 1-nearest-neighbour classifier that knows 10,000 synthetic digits, over the test images. Once.";

pub fn measure(setup: &Setup) -> Result<Vec<Table>> {
    setup.sh("mnist-dump --synthetic=10000 -o digits.vae")?;
    let said = setup.sh("nearest digits.vae test.vae")?;
    let right = said.split(' ').next().and_then(|percent| percent.parse::<f64>().ok());
    let mut table = Table::new(TITLE, ABOUT, ["right"]);
    table.push_all("1-nearest-neighbour", [said.trim().to_owned()], json!({"percent_right": right}));
    Ok(vec![table])
}
