//! How much the built-in digits have in common with real ones.

use crate::setup::Setup;
use serde_json::{Value, json};
use vae_cli::Result;

pub fn measure(setup: &Setup) -> Result<Value> {
    setup.sh("mnist-dump --synthetic=10000 -o digits.vae")?;
    let said = setup.sh("nearest digits.vae test.vae")?;
    println!("\n1-nearest-neighbour on 10,000 synthetic digits, over the test images: {}", said.trim());
    let right = said.split(' ').next().and_then(|percent| percent.parse::<f64>().ok());
    Ok(json!({"percent_right": right, "test": format!("{} --split test", setup.dump)}))
}
