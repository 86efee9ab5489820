//! Pictures as the page draws them: bytes, not too many, and of no great size.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use vae_cli::{Error, Result};
use vae_stream::Data;
use vae_stream::images::Pixels;

/// Images of a set at most.
const MOST: usize = 64;
/// Bytes of a set at most, originals and reconstructions together.
const LARGEST: usize = 1 << 20;

/// The images of a group in one epoch: reconstructions, below their originals if there are any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Set {
    size: [usize; 2],
    count: usize,
    /// What the images are called, and their bytes [count, H, W].
    rows: Vec<(&'static str, Vec<u8>)>,
}

impl Set {
    /// The first images of a frame; none if it has none, or none that is small enough.
    pub fn of(data: &Data) -> Result<Option<Set>> {
        let names = ["x", "x_hat"].into_iter().filter(|name| data.get(name).is_some());
        let (mut set, tensors) = (Set::default(), names.clone().count().max(1));
        for name in names {
            let tensor = data.need(name)?;
            let vae_stream::images::ImageShape { height: h, width: w, .. } =
                vae_stream::images::size(&tensor.shape()[1..], None)?;
            let room = LARGEST / tensors / h.saturating_mul(w).max(1);
            let count = tensor.items().min(room).min(MOST);
            if count == 0 {
                return Ok(None);
            }
            if !set.rows.is_empty() && (set.size, set.count) != ([h, w], count) {
                let [high, wide] = set.size;
                return Err(Error::Data(format!("x_hat: expected images of {high} x {wide} as x, got {h} x {w}")));
            }
            (set.size, set.count) = ([h, w], count);
            set.rows.push((name, bytes(Pixels::from_tensor(&tensor.slice(0..count), None)?)));
        }
        Ok(Some(set).filter(|set| !set.rows.is_empty()))
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.rows.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// As the page reads it.
    pub fn to_json(&self) -> Value {
        let rows = self.rows.iter().map(|(name, bytes)| json!({"name": name, "bytes": STANDARD.encode(bytes)}));
        json!({"size": self.size, "count": self.count, "rows": rows.collect::<Vec<_>>()})
    }
}

/// Black is 0, white 255; what lies outside is cut off.
fn bytes(pixels: Pixels) -> Vec<u8> {
    match pixels {
        Pixels::U8(array) => array.iter().copied().collect(),
        Pixels::F32(array) => array.iter().map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vae_stream::{Dtype, Tensor};

    fn images(count: usize, side: usize) -> Tensor {
        Tensor::from_bytes(Dtype::U8, &[count, side, side], &vec![7; count * side * side])
    }

    #[test]
    fn originals_lie_beside_their_reconstructions() {
        let f32s: Vec<u8> = [0.5f32, 1.5, -1.0, 1.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let x_hat = Tensor::from_bytes(Dtype::F32, &[1, 2, 2], &f32s);
        let set = Set::of(&Data::new([("x", images(1, 2)), ("x_hat", x_hat)])).unwrap().unwrap();
        assert_eq!((set.size, set.count), ([2, 2], 1));
        assert_eq!(set.rows, [("x", vec![7; 4]), ("x_hat", vec![128, 255, 0, 255])]);
    }

    #[test]
    fn only_as_many_are_kept_as_have_room() {
        let count = |count, side| Set::of(&Data::new([("x_hat", images(count, side))])).unwrap().map(|s| s.count);
        assert_eq!(count(16, 28), Some(16));
        assert_eq!(count(1000, 28), Some(MOST));
        assert_eq!(count(16, 512), Some(4));
        assert_eq!(count(2, 1025), None);
    }

    #[test]
    fn a_frame_without_images_shows_nothing() {
        let z = Tensor::from_bytes(Dtype::F32, &[2, 3], &[0; 24]);
        assert_eq!(Set::of(&Data::new([("z", z)])).unwrap(), None);
    }

    #[test]
    fn images_that_do_not_belong_together_are_refused() {
        let data = Data::new([("x", images(2, 3)), ("x_hat", images(2, 4))]);
        assert!(Set::of(&data).unwrap_err().to_string().contains("expected images of 3 x 3 as x, got 4 x 4"));
    }
}
