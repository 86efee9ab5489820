//! The description of a model, as one JSON object.

use crate::loaded::{LoadedModel, ModelArg};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::path::PathBuf;
use vae_cli::output::{Format, Output};
use vae_cli::{Error, Result};

/// Describe a model: network, objective, data, training, tensors and hash, as one JSON object
///
/// Reads a model or checkpoint and checks its digest. Writes JSON; `sha256` is the hash of the file, which streams
/// record. Memory is the size of the model.
#[derive(clap::Args)]
#[command(after_help = "Example: vae-model info model.bin | jq .network.latent")]
pub struct Args {
    #[command(flatten)]
    model: ModelArg,
    /// Write to FILE; standard output if absent or -
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn run(args: Args) -> Result<()> {
    let json = describe(&LoadedModel::load(args.model.path())?)?;
    args.model.check_kept(args.output.as_deref())?;
    let mut output = Output::open(args.output.as_deref(), Format::Json)?;
    output.write_all(&json).map_err(|e| output.error(e))?;
    output.commit()
}

fn describe(loaded: &LoadedModel) -> Result<Vec<u8>> {
    let failed = |e: serde_json::Error| Error::Failed(e.to_string());
    let mut description = serde_json::to_value(&loaded.model.spec).map_err(failed)?;
    let shapes: Map<String, Value> =
        loaded.model.weights.iter().map(|(name, weight)| (name.clone(), json!(weight.shape))).collect();
    description["parameters"] = json!(loaded.parameter_count());
    description["tensors"] = Value::Object(shapes);
    description["sha256"] = json!(loaded.sha256);
    let mut text = vec![];
    description.serialize(&mut Serializer::with_formatter(&mut text, InlineArrays::default())).map_err(failed)?;
    text.push(b'\n');
    Ok(text)
}

/// Pretty-printed JSON, each array on one line.
#[derive(Default)]
struct InlineArrays(PrettyFormatter<'static>);

impl Formatter for InlineArrays {
    fn begin_array<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b"[")
    }
    fn end_array<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b"]")
    }
    fn begin_array_value<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        to.write_all(if first { b"" } else { b", " })
    }
    fn begin_object<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.begin_object(to)
    }
    fn end_object<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.end_object(to)
    }
    fn begin_object_key<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(to, first)
    }
    fn begin_object_value<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.begin_object_value(to)
    }
    fn end_object_value<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.end_object_value(to)
    }
}
