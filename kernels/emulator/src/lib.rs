//! An emulator of the CUDA driver, to test the GPU backend without a GPU: the host's C++ compiler builds it from the
//! source of the kernels. `driver.cpp` documents its limits.

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
    "-ffp-contract=off", // no fused multiply-adds but the source's own
    "-w",
    "-shared",
    "-fPIC",
    "-pthread",
    // The soname that programs load; -Bsymbolic: its own functions shadow others of the same names.
    "-Wl,-soname,libcuda.so.1,-Bsymbolic",
];

/// A folder below this one with the emulator as `libcuda.so.1`, built on first use. A program whose `LD_LIBRARY_PATH`
/// begins with the folder has a GPU.
///
/// None, with a line on standard error, without a C++ compiler, unless `REQUIRE_CXX` is set.
pub fn folder(below: &Path) -> Option<PathBuf> {
    let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| OsString::from("c++"));
    let folder = below.join(format!("cuda-emulator-{:016x}", source_hash(&kernels, &compiler)));
    let library = folder.join("libcuda.so.1");
    // One build at a time in this process; concurrent processes build their own, and the last rename wins.
    static BUILD: Mutex<()> = Mutex::new(());
    let _build = BUILD.lock().unwrap_or_else(PoisonError::into_inner);
    if library.exists() {
        return Some(folder);
    }
    fs::create_dir_all(&folder).expect("a folder for the emulator");
    let part = folder.join(format!("{}.part", std::process::id()));
    let source = kernels.join("emulator/driver.cpp");
    match Command::new(&compiler).args(OPTIONS).arg("-o").arg(&part).arg(source).output() {
        Ok(done) if done.status.success() => {
            fs::rename(&part, &library).expect("the emulator is renamed");
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

/// Loads the emulator as the CUDA driver of this process, before anything has loaded another; whether there is one.
pub fn load(below: &Path) -> bool {
    let Some(folder) = folder(below) else { return false };
    // SAFETY: the library is our own; its initializers only register the kernels.
    #[allow(unsafe_code)]
    let library = unsafe { libloading::Library::new(folder.join("libcuda.so.1")) }.expect("the emulator loads");
    // Never unloaded: the loader now resolves its soname to it.
    std::mem::forget(library);
    true
}

/// A hash of everything that the emulator is built from.
fn source_hash(kernels: &Path, compiler: &OsString) -> u64 {
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
