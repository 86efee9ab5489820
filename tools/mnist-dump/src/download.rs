//! Fetches MNIST, once, to the user's data folder.
//!
//! A file is fetched under a name that ends in `.part`, continued where an earlier try or another mirror stopped, and
//! gets its own name when its SHA-256 is right. So a file under its own name is whole.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Response;
use vae_cli::{Error, Result};
use vae_stream::sha256;

/// Folders on the network that have MNIST's files.
pub(crate) const MIRRORS: [&str; 3] = [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
];

/// MNIST as it was published.
pub(crate) const MNIST: [Remote; 4] = [
    Remote {
        name: "train-images-idx3-ubyte.gz",
        size: 9_912_422,
        sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    },
    Remote {
        name: "train-labels-idx1-ubyte.gz",
        size: 28_881,
        sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    },
    Remote {
        name: "t10k-images-idx3-ubyte.gz",
        size: 1_648_877,
        sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    },
    Remote {
        name: "t10k-labels-idx1-ubyte.gz",
        size: 4_542,
        sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
];

/// A file on the network and what it must be.
pub(crate) struct Remote {
    pub name: &'static str,
    pub size: u64,
    pub sha256: &'static str,
}

/// How long to wait for a mirror before the next has its turn.
pub(crate) struct Patience {
    /// For its address, and for the connection.
    pub connect: Duration,
    /// For the next bytes.
    pub stall: Duration,
}

/// For networks as they are.
pub(crate) const PATIENT: Patience = Patience { connect: Duration::from_secs(10), stall: Duration::from_secs(20) };

/// Why a file did not come: through a fault of ours, which ends the matter, or of the mirror, and another may do.
enum Fault {
    Ours(Error),
    Theirs(String),
}

/// Fetches those of `files` into `folder` that are missing there or wrong, and says how many these were.
pub(crate) fn fetch(folder: &Path, files: &[Remote], mirrors: &[String], patience: &Patience) -> Result<usize> {
    fs::create_dir_all(folder).map_err(|e| Error::io(format!("cannot make the folder {}", folder.display()), e))?;
    // Two downloads at once take turns; a file system without locks does without.
    let turn = File::open(folder).map_err(|e| Error::io(format!("cannot open {}", folder.display()), e))?;
    let _ = turn.lock();

    let config = Agent::config_builder().http_status_as_error(false);
    let config = config.timeout_resolve(Some(patience.connect)).timeout_connect(Some(patience.connect));
    let agent = config.timeout_per_read(Some(patience.stall)).timeout_per_write(Some(patience.stall)).build().into();

    let mut fetched = 0;
    for file in files {
        if is_intact(&folder.join(file.name), file)? {
            continue;
        }
        fetch_one(&agent, folder, file, mirrors)?;
        fetched += 1;
    }
    Ok(fetched)
}

fn fetch_one(agent: &Agent, folder: &Path, file: &Remote, mirrors: &[String]) -> Result<()> {
    let part = folder.join(format!("{}.part", file.name));
    let mut faults = Vec::new();
    for mirror in mirrors {
        let url = format!("{}/{}", mirror.trim_end_matches('/'), file.name);
        match complete(agent, &url, &part, file) {
            Ok(()) => {
                let target = folder.join(file.name);
                return fs::rename(&part, &target)
                    .map_err(|e| Error::io(format!("cannot write {}", target.display()), e));
            }
            Err(Fault::Ours(error)) => return Err(error),
            Err(Fault::Theirs(fault)) => faults.push(format!("{url}: {fault}")),
        }
    }
    let (name, faults, folder) = (file.name, faults.join("; "), folder.display());
    let remedy = format!("try again later (it goes on where it stopped), or put MNIST's files into {folder} yourself");
    Err(Error::Unavailable(format!("cannot fetch {name}: {faults}; {remedy}")))
}

/// Makes `part` whole with what the mirror has.
fn complete(agent: &Agent, url: &str, part: &Path, file: &Remote) -> Result<(), Fault> {
    loop {
        let had = fs::metadata(part).map_or(0, |metadata| metadata.len());
        if had < file.size {
            transfer(agent, url, part, had, file)?;
        }
        if is_intact(part, file).map_err(Fault::Ours)? {
            return Ok(());
        }
        fs::remove_file(part).map_err(|e| ours("remove", part, e))?;
        // What was there before may have been what was wrong: then once more, from the start.
        if had == 0 {
            return Err(Fault::Theirs(format!("expected SHA-256 {}, got other bytes", file.sha256)));
        }
    }
}

/// Appends the rest of the file to `part`, which has `had` bytes, or replaces it if the mirror starts anew.
fn transfer(agent: &Agent, url: &str, part: &Path, had: u64, file: &Remote) -> Result<(), Fault> {
    let size = file.size;
    let request = agent.get(url).header("range", format!("bytes={had}-"));
    let mut response = request.call().map_err(|e| Fault::Theirs(e.to_string()))?;
    let start = first_byte(&response, had)?;
    let mut out = File::options().append(true).create(true).open(part).map_err(|e| ours("write", part, e))?;
    out.set_len(start).map_err(|e| ours("write", part, e))?;

    let bar = vae_cli::progress_bar(file.size, "{msg} [{bar:20}] {bytes}/{total_bytes}, {eta} left");
    let bar = bar.with_message(file.name).with_position(start);
    let mut body = response.body_mut().as_reader();
    let (mut have, mut buffer) = (start, vec![0; 1 << 16]);
    loop {
        let cut = |why: String| Err(Fault::Theirs(format!("expected {size} bytes, got {have}{why}")));
        match body.read(&mut buffer) {
            Ok(0) if have < size => return cut(String::new()),
            Ok(0) => return Ok(()),
            Ok(count) if have + count as u64 > size => {
                return Err(Fault::Theirs(format!("expected {size} bytes, got more")));
            }
            Ok(count) => {
                out.write_all(&buffer[..count]).map_err(|e| ours("write", part, e))?;
                have += count as u64;
                bar.set_position(have);
            }
            Err(e) => return cut(format!(" ({e})")),
        }
    }
}

/// Where the body that the mirror sends begins: at `had` if it goes on, at 0 if it starts anew.
fn first_byte(response: &Response<ureq::Body>, had: u64) -> Result<u64, Fault> {
    let range = response.headers().get("content-range").and_then(|range| range.to_str().ok()).unwrap_or("nothing");
    match response.status().as_u16() {
        200 => Ok(0),
        206 if range.starts_with(&format!("bytes {had}-")) => Ok(had),
        206 => Err(Fault::Theirs(format!("expected bytes {had}- of the file, got {range}"))),
        _ => Err(Fault::Theirs(format!("answered {}", response.status()))),
    }
}

fn ours(what: &str, path: &Path, error: io::Error) -> Fault {
    Fault::Ours(Error::io(format!("cannot {what} {}", path.display()), error))
}

fn is_intact(path: &Path, file: &Remote) -> Result<bool> {
    let cannot = |e| Error::io(format!("cannot read {}", path.display()), e);
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() != file.size => Ok(false),
        Ok(_) => Ok(sha256(&fs::read(path).map_err(cannot)?) == file.sha256),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(cannot(e)),
    }
}

#[cfg(test)]
mod tests;
