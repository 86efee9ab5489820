//! The losses of an epoch, as its record tells them.

use serde_json::{Map, Value};

/// What a record may hold of the training images and of the test images, in this order.
pub const PARTS: [&str; 2] = ["train", "test"];
/// The numbers of each.
pub const NUMBERS: [&str; 4] = ["loss", "recon", "kl", "mse"];

/// The numbers of a record, where it has them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point([[Option<f32>; NUMBERS.len()]; PARTS.len()]);

impl Point {
    /// What a record tells; numbers that are not finite are strings there, and none here.
    pub fn of(record: &Map<String, Value>) -> Point {
        let number = |part: &str, name: &str| {
            let value = record.get(part)?.get(name)?.as_f64()? as f32;
            value.is_finite().then_some(value)
        };
        Point(PARTS.map(|part| NUMBERS.map(|name| number(part, name))))
    }

    /// One of the numbers.
    pub fn get(&self, part: usize, number: usize) -> Option<f32> {
        self.0[part][number]
    }
}
