//! How much the built-in digits have in common with real ones.

use crate::place::Place;
use serde_json::{Value, json};
use vae_cli::Result;

pub fn measure(place: &Place) -> Result<Value> {
    place.sh("mnist-dump --synthetic=10000 -o digits.vae")?;
    let said = place.sh("nearest digits.vae test.vae")?;
    println!("\n1-nearest-neighbour on 10,000 synthetic digits, over the test images: {}", said.trim());
    let right = said.split(' ').next().and_then(|percent| percent.parse::<f64>().ok());
    Ok(json!({"percent_right": right, "test": format!("{} --split test", place.dump)}))
}
