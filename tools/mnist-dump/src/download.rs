//! Download of MNIST to the user's data folder.
//!
//! A file is written as `.part`, resumed where an earlier attempt or another mirror stopped, and takes its name once its
//! SHA-256 agrees. So a file under its own name is complete.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Response;
use vae_cli::{Error, Result};
use vae_stream::sha256;

/// The URLs of folders with MNIST's files.
pub(crate) const MIRRORS: [&str; 3] = [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
];

/// The files of MNIST as published.
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

/// A file to download.
pub(crate) struct Remote {
    pub name: &'static str,
    pub size: u64,
    pub sha256: &'static str,
}

/// Timeouts of a mirror, after which the next is tried.
pub(crate) struct Timeouts {
    /// Of name resolution, and of the connection.
    pub connect: Duration,
    /// Between two reads.
    pub read: Duration,
}

/// The timeouts of a program.
pub(crate) const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(10), read: Duration::from_secs(20) };

/// The error of an attempt.
enum Failure {
    /// On this machine: no other mirror helps.
    Local(Error),
    /// Of the mirror: the next is tried.
    Mirror(String),
}

/// Downloads those of `files` that are missing in `folder` or damaged. Gives their number.
pub(crate) fn fetch(folder: &Path, files: &[Remote], mirrors: &[String], timeouts: &Timeouts) -> Result<usize> {
    fs::create_dir_all(folder).map_err(|e| Error::io(format!("cannot make the folder {}", folder.display()), e))?;
    // One download at a time, where the file system has locks.
    let lock = File::open(folder).map_err(|e| Error::io(format!("cannot open {}", folder.display()), e))?;
    let _ = lock.lock();

    let config = Agent::config_builder().http_status_as_error(false);
    let config = config.timeout_resolve(Some(timeouts.connect)).timeout_connect(Some(timeouts.connect));
    let agent = config.timeout_per_read(Some(timeouts.read)).timeout_per_write(Some(timeouts.read)).build().into();

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
    let mut failures = Vec::new();
    for mirror in mirrors {
        let url = format!("{}/{}", mirror.trim_end_matches('/'), file.name);
        match complete(agent, &url, &part, file) {
            Ok(()) => {
                let target = folder.join(file.name);
                return fs::rename(&part, &target)
                    .map_err(|e| Error::io(format!("cannot write {}", target.display()), e));
            }
            Err(Failure::Local(error)) => return Err(error),
            Err(Failure::Mirror(message)) => failures.push(format!("{url}: {message}")),
        }
    }
    let (name, failures, folder) = (file.name, failures.join("; "), folder.display());
    let remedy = format!("try again later (it resumes where it stopped), or put MNIST's files into {folder} yourself");
    Err(Error::Unavailable(format!("cannot fetch {name}: {failures}; {remedy}")))
}

/// Completes `part` from a mirror.
fn complete(agent: &Agent, url: &str, part: &Path, file: &Remote) -> Result<(), Failure> {
    loop {
        let had = fs::metadata(part).map_or(0, |metadata| metadata.len());
        if had < file.size {
            transfer(agent, url, part, had, file)?;
        }
        if is_intact(part, file).map_err(Failure::Local)? {
            return Ok(());
        }
        fs::remove_file(part).map_err(|e| local("remove", part, e))?;
        // The bytes of an earlier attempt may be the wrong ones: retry from the start.
        if had == 0 {
            return Err(Failure::Mirror(format!("expected SHA-256 {}, got other bytes", file.sha256)));
        }
    }
}

/// Appends the rest of the file to `part`, which has `had` bytes, or replaces it if the mirror sends the whole.
fn transfer(agent: &Agent, url: &str, part: &Path, had: u64, file: &Remote) -> Result<(), Failure> {
    let size = file.size;
    let request = agent.get(url).header("range", format!("bytes={had}-"));
    let mut response = request.call().map_err(|e| Failure::Mirror(e.to_string()))?;
    let start = first_byte(&response, had)?;
    let mut out = File::options().append(true).create(true).open(part).map_err(|e| local("write", part, e))?;
    out.set_len(start).map_err(|e| local("write", part, e))?;

    let bar = vae_cli::progress_bar(file.size, "{msg} [{bar:20}] {bytes}/{total_bytes}, {eta} left");
    let bar = bar.with_message(file.name).with_position(start);
    let mut body = response.body_mut().as_reader();
    let (mut have, mut buffer) = (start, vec![0; 1 << 16]);
    loop {
        let truncated = |why: String| Err(Failure::Mirror(format!("expected {size} bytes, got {have}{why}")));
        match body.read(&mut buffer) {
            Ok(0) if have < size => return truncated(String::new()),
            Ok(0) => return Ok(()),
            Ok(count) if have + count as u64 > size => {
                return Err(Failure::Mirror(format!("expected {size} bytes, got more")));
            }
            Ok(count) => {
                out.write_all(&buffer[..count]).map_err(|e| local("write", part, e))?;
                have += count as u64;
                bar.set_position(have);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return truncated(format!(" ({e})")),
        }
    }
}

/// The offset of the first byte in the body: `had` for a partial answer, 0 for the whole file.
fn first_byte(response: &Response<ureq::Body>, had: u64) -> Result<u64, Failure> {
    let range = response.headers().get("content-range").and_then(|range| range.to_str().ok()).unwrap_or("nothing");
    match response.status().as_u16() {
        200 => Ok(0),
        206 if range.starts_with(&format!("bytes {had}-")) => Ok(had),
        206 => Err(Failure::Mirror(format!("expected bytes {had}- of the file, got {range}"))),
        _ => Err(Failure::Mirror(format!("answered {}", response.status()))),
    }
}

fn local(what: &str, path: &Path, error: io::Error) -> Failure {
    Failure::Local(Error::io(format!("cannot {what} {}", path.display()), error))
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
