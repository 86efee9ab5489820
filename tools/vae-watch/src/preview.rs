//! Preview images for the page: 8-bit, bounded in number and size.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use vae_cli::{Error, Result};
use vae_stream::Data;
use vae_stream::images::{self, ImageShape, Pixels};

/// Most items of a preview.
const MAX_ITEMS: usize = 64;
/// Most bytes of a preview, originals and reconstructions together.
const MAX_BYTES: usize = 1 << 20;

/// The images of a group in one epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preview {
    /// H, W.
    size: [usize; 2],
    count: usize,
    /// Tensors, x above x_hat: name and pixels [count, H, W].
    rows: Vec<(&'static str, Vec<u8>)>,
}

impl Preview {
    /// The first images of a frame; none if it has no images, or too large ones.
    pub fn of(data: &Data) -> Result<Option<Preview>> {
        let names = ["x", "x_hat"].into_iter().filter(|name| data.get(name).is_some());
        let (mut preview, tensors) = (Preview::default(), names.clone().count().max(1));
        for name in names {
            let tensor = data.need(name)?;
            let ImageShape { height: h, width: w, .. } = images::size(&tensor.shape()[1..], None)?;
            let fits = MAX_BYTES / tensors / h.saturating_mul(w).max(1);
            let count = tensor.items().min(fits).min(MAX_ITEMS);
            if count == 0 {
                return Ok(None);
            }
            if !preview.rows.is_empty() && (preview.size, preview.count) != ([h, w], count) {
                let [high, wide] = preview.size;
                return Err(Error::Data(format!("x_hat: expected images of {high} x {wide} as x, got {h} x {w}")));
            }
            (preview.size, preview.count) = ([h, w], count);
            preview.rows.push((name, bytes(Pixels::from_tensor(&tensor.slice(0..count), None)?)));
        }
        Ok(Some(preview).filter(|preview| !preview.rows.is_empty()))
    }

    /// Bytes of all pixels.
    pub fn bytes(&self) -> usize {
        self.rows.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// `{"size":[H,W],"count":N,"rows":[{"name":"x","bytes":BASE64},..]}`.
    pub fn to_json(&self) -> Value {
        let rows = self.rows.iter().map(|(name, bytes)| json!({"name": name, "bytes": STANDARD.encode(bytes)}));
        json!({"size": self.size, "count": self.count, "rows": rows.collect::<Vec<_>>()})
    }
}

/// Black is 0, white 255; values outside are clamped.
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
    fn originals_and_reconstructions_are_rows() {
        let f32s: Vec<u8> = [0.5f32, 1.5, -1.0, 1.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let x_hat = Tensor::from_bytes(Dtype::F32, &[1, 2, 2], &f32s);
        let preview = Preview::of(&Data::new([("x", images(1, 2)), ("x_hat", x_hat)])).unwrap().unwrap();
        assert_eq!((preview.size, preview.count), ([2, 2], 1));
        assert_eq!(preview.rows, [("x", vec![7; 4]), ("x_hat", vec![128, 255, 0, 255])]);
    }

    #[test]
    fn items_are_bounded_in_number_and_bytes() {
        let count = |count, side| Preview::of(&Data::new([("x_hat", images(count, side))])).unwrap().map(|s| s.count);
        assert_eq!(count(16, 28), Some(16));
        assert_eq!(count(1000, 28), Some(MAX_ITEMS));
        assert_eq!(count(16, 512), Some(4));
        assert_eq!(count(2, 1025), None);
    }

    #[test]
    fn a_frame_without_images_is_no_preview() {
        let z = Tensor::from_bytes(Dtype::F32, &[2, 3], &[0; 24]);
        assert_eq!(Preview::of(&Data::new([("z", z)])).unwrap(), None);
    }

    #[test]
    fn images_of_different_sizes_are_refused() {
        let data = Data::new([("x", images(2, 3)), ("x_hat", images(2, 4))]);
        assert!(Preview::of(&data).unwrap_err().to_string().contains("expected images of 3 x 3 as x, got 4 x 4"));
    }
}
