//! The model of the latents, named in the head of the output for vae-decode.

use common::model::Stored;
use std::path::Path;
use vae_cli::{Error, Result};
use vae_stream::{Data, Head, ModelRef, Reader};

/// The model of -m, else the one that the input names; and the frame that embeds it, to be written first: with `embed`,
/// or if no path names the model. A model already embedded in the input passes through and needs no new frame.
///
/// # Errors
/// No model found; -m and the input name different models.
pub fn resolve(
    input: Option<&mut Reader>,
    given: Option<&Path>,
    head: &mut Head,
    embed: bool,
) -> Result<(Stored, Option<Data>)> {
    let stored = match (input, given) {
        (Some(input), given) => Stored::find(input, given)?,
        (None, Some(path)) => Stored::open(path)?,
        (None, None) => return Err(Error::Usage("no model: expected -m MODEL".into())),
    };
    let embedded = matches!(head.model(), Some(ModelRef::Embedded { .. }));
    let frame = if embedded { None } else { stored.describe(head, embed) };
    Ok((stored, frame))
}
