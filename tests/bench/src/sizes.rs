//! Bytes of each program.

use crate::setup::Setup;
use serde_json::{Map, Value};
use vae_cli::{Error, Result};

pub fn measure(setup: &Setup) -> Result<Value> {
    println!("\nprograms, MB");
    let mut sizes = Map::new();
    let folder = setup.repo.join("tools");
    let entries = std::fs::read_dir(&folder).map_err(|e| Error::io(format!("cannot list {}", folder.display()), e))?;
    let mut tools: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    tools.sort();
    for tool in tools {
        let path = setup.tools.join(&tool);
        let file = std::fs::metadata(&path);
        let size =
            file.map_err(|e| Error::io(format!("cannot see {} (`make build` makes it)", path.display()), e))?.len();
        println!("    {tool:<12} {:.1}", size as f64 / 1e6);
        sizes.insert(tool, size.into());
    }
    Ok(sizes.into())
}
