//! Images of a source as frames of a stream.

use vae_cli::Result;
use vae_stream::{Data, Dtype, Head, Spec, Tensor, Writer};

use crate::choice::Order;
use crate::source::Source;

/// Bytes of pixels in a frame at most, unless one image alone has more.
const FRAME: usize = 16 << 20;

/// What the frames hold.
pub(crate) fn head(source: &dyn Source) -> Head {
    let mut head = Head::new();
    head.set_tensor("x", Spec::new(Dtype::U8, &source.size()));
    if source.labelled() {
        head.set_tensor("y", Spec::new(Dtype::U8, &[]));
    }
    head.set_tensor("i", Spec::new(Dtype::I64, &[]));
    head
}

/// Writes the images of `source` in this order, `batch` to a frame.
pub(crate) fn write(source: &mut dyn Source, order: &Order, batch: usize, output: &mut Writer) -> Result<()> {
    let [height, width] = source.size();
    let batch = batch.min(FRAME / (height * width)).max(1);
    for start in (0..order.len()).step_by(batch) {
        let (mut x, mut y, mut i) = (Vec::new(), Vec::new(), Vec::new());
        for place in start..order.len().min(start + batch) {
            let number = order.get(place);
            source.image(number, &mut x)?;
            y.push(source.label(number));
            i.extend_from_slice(&(number as i64).to_le_bytes());
        }
        let n = y.len();
        let mut data = Data::new([("x", Tensor::from_bytes(Dtype::U8, &[n, height, width], &x))]);
        if source.labelled() {
            data.set("y", Tensor::from_bytes(Dtype::U8, &[n], &y));
        }
        data.set("i", Tensor::from_bytes(Dtype::I64, &[n], &i));
        output.write(data)?;
    }
    Ok(())
}
