//! Bytes of each program.

use crate::place::Place;
use serde_json::{Map, Value};
use vae_cli::{Error, Result};

pub fn measure(place: &Place) -> Result<Value> {
    println!("\nprograms, MB");
    let mut sizes = Map::new();
    let folder = place.repo.join("tools");
    let entries = std::fs::read_dir(&folder).map_err(|e| Error::io(format!("cannot list {}", folder.display()), e))?;
    let mut tools: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    tools.sort();
    for tool in tools {
        let path = place.tools.join(&tool);
        let file = std::fs::metadata(&path);
        let size =
            file.map_err(|e| Error::io(format!("cannot see {} (`make build` makes it)", path.display()), e))?.len();
        println!("    {tool:<12} {:.1}", size as f64 / 1e6);
        sizes.insert(tool, size.into());
    }
    Ok(sizes.into())
}
