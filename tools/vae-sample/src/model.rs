//! The model that latents are for, named in the head of the output, so that vae-decode finds it.

use common::model::Stored;
use std::path::Path;
use vae_cli::{Error, Result};
use vae_stream::{Data, Head, ModelRef, Reader};

/// The model that is `given`, else the one that the input names, with the frame that sends it along, to be written first;
/// `embed`: in any case. What the input brings with it is passed on, and needs no frame.
///
/// # Errors
/// None that can be found; one that is given, while the input names another.
pub fn find(
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
    let brought = matches!(head.model(), Some(ModelRef::Embedded { .. }));
    let frame = if brought { None } else { stored.describe(head, embed) };
    Ok((stored, frame))
}
