//! A stand-in for the CUDA driver, made of the kernels' own source by the host's C++ compiler: what programs do with a GPU can
//! be tested without one. What it can and cannot do is told in `driver.cpp`.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

const OPTIONS: [&str; 9] = [
    "-std=c++17",
    "-O2",
    "-march=native",
    "-ffp-contract=off", // no multiplication and addition is fused that the source does not fuse
    "-w",
    "-shared",
    "-fPIC",
    "-pthread",
    // As libcuda, which is then found under its usual name; its own functions first, whatever else has such names.
    "-Wl,-soname,libcuda.so.1,-Bsymbolic",
];

/// A folder below this one that holds the stand-in as `libcuda.so.1`; it is made where it is not there yet. A program whose
/// `LD_LIBRARY_PATH` begins with the folder has a GPU.
///
/// None, with a line on standard error, where there is no C++ compiler, unless `REQUIRE_CXX` is set.
pub fn folder(below: &Path) -> Option<PathBuf> {
    let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| OsString::from("c++"));
    let folder = below.join(format!("cuda-emulator-{:016x}", state_of(&kernels, &compiler)));
    let library = folder.join("libcuda.so.1");
    // One thread at a time; another process makes its own, and the last stays.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    if library.exists() {
        return Some(folder);
    }
    fs::create_dir_all(&folder).expect("a folder for the stand-in");
    let part = folder.join(format!("{}.part", std::process::id()));
    let source = kernels.join("emulator/driver.cpp");
    match Command::new(&compiler).args(OPTIONS).arg("-o").arg(&part).arg(source).output() {
        Ok(done) if done.status.success() => {
            fs::rename(&part, &library).expect("the stand-in takes its name");
            Some(folder)
        }
        Ok(failed) => panic!("{compiler:?}: {}", String::from_utf8_lossy(&failed.stderr)),
        Err(e) if std::env::var_os("REQUIRE_CXX").is_none() => {
            eprintln!("SKIPPED: no C++ compiler, {compiler:?}: {e}");
            None
        }
        Err(e) => panic!("{compiler:?}: {e}"),
    }
}

/// Makes the stand-in the CUDA driver of this process, if nothing has looked for one yet; whether there is one.
pub fn load(below: &Path) -> bool {
    let Some(folder) = folder(below) else { return false };
    // SAFETY: it is a library that we have made, and does nothing when it is loaded but to list its kernels.
    #[allow(unsafe_code)]
    let library = unsafe { libloading::Library::new(folder.join("libcuda.so.1")) }.expect("the stand-in loads");
    // From now on its name leads to it, wherever it lies.
    std::mem::forget(library);
    true
}

/// A number of all that the stand-in is made of.
fn state_of(kernels: &Path, compiler: &OsString) -> u64 {
    let mut hasher = DefaultHasher::new();
    (OPTIONS, compiler).hash(&mut hasher);
    for folder in [kernels.to_owned(), kernels.join("emulator")] {
        let entries = fs::read_dir(folder).expect("the sources of the kernels");
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a source").path()).collect();
        files.retain(|file| file.extension().is_some_and(|e| e == "cu" || e == "h" || e == "cpp"));
        files.sort();
        files.iter().for_each(|file| fs::read(file).expect("a source").hash(&mut hasher));
    }
    hasher.finish()
}
