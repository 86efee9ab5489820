//! Black becomes white: reads images `x` from standard input, and writes the stream with the images inverted.
//!
//!     mnist-dump --synthetic=64 | cargo run --example invert -p vae-stream | grid-png > digits.png

use std::io::{stdin, stdout};

use vae_stream::{Data, Dtype, Error, Pipe, Reader, Result, Tensor, TensorSpec, Writer};

fn main() -> Result<()> {
    let input = Reader::new(stdin(), "standard input", "x")?;
    let mut head = input.head().clone();
    let image = head.need("x")?;
    head.set_tensor("x", TensorSpec::new(Dtype::F32, &image.shape));
    let white = if image.dtype == Dtype::U8 { 255.0 } else { 1.0 };
    let invert = |mut data: Data, _| {
        let x = data.f32("x")?;
        data.set("x", Tensor::from_array(&x.mapv(|v| 1.0 - v / white)));
        Ok(data)
    };
    Writer::framed(Pipe(stdout()), &head)?.by("invert").filter::<_, Error>(input, [invert])
}
