//! What is in a stream, once all of it has proved good.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};
use vae_cli::output::{Kind, Output};
use vae_cli::{OutputArgs, Result};
use vae_stream::Frame;

use crate::input::Input;

/// Reads everything: frames in all, items of the main group, frames of each other group, records, bytes.
pub(crate) fn counts(input: &mut Input) -> Result<Value> {
    let (mut frames, mut items, mut records) = (0, 0, 0);
    let mut groups: BTreeMap<String, u64> = BTreeMap::new();
    while let Some(frame) = input.next_frame()? {
        frames += 1;
        match frame {
            Frame::Json(_) => records += 1,
            Frame::Data(data) => match data.group {
                Some(group) => *groups.entry(group).or_default() += 1,
                None => items += data.items(),
            },
        }
    }
    Ok(json!({"frames": frames, "items": items, "groups": groups, "records": records, "bytes": input.bytes()}))
}

/// Writes one text to where the command line says.
pub(crate) fn print(args: &OutputArgs, text: &str) -> Result<()> {
    let mut output = Output::open(args.output.as_deref(), Kind::Text)?;
    writeln!(output, "{text}").map_err(|e| output.error(e))?;
    output.commit()
}
