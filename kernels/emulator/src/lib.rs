//! Finds the emulator of the CUDA driver, to test the GPU backend without a GPU. Cargo builds it (kernels/interpreter) as
//! a shared library beside the tests that depend on this crate.

use libloading::{Library, Symbol};
use std::ffi::{CStr, c_char};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The library that Cargo has built beside the running test.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this program");
    let library = test.with_file_name("libcuda_interpreter.so");
    assert!(library.exists(), "no emulator: expected {}, which `cargo test` builds", library.display());
    library
}

/// A folder below this one with the emulator as `libcuda.so.1`. A program whose `LD_LIBRARY_PATH` begins with the folder
/// has a GPU.
pub fn folder(below: &Path) -> PathBuf {
    static LINK: Mutex<()> = Mutex::new(());
    let _link = LINK.lock().unwrap_or_else(PoisonError::into_inner);
    let (library, folder) = (library(), below.join("cuda-emulator"));
    let link = folder.join("libcuda.so.1");
    if fs::read_link(&link).ok().as_ref() != Some(&library) {
        fs::create_dir_all(&folder).expect("a folder for the emulator");
        // Another process may do the same: the last rename wins.
        let part = folder.join(format!("{}.part", std::process::id()));
        symlink(&library, &part).and_then(|()| fs::rename(&part, &link)).expect("the emulator is linked");
    }
    folder
}

/// The emulator as the CUDA driver of this process, loaded before anything has loaded another.
fn loaded() -> &'static Library {
    static LOADED: OnceLock<Library> = OnceLock::new();
    // Never unloaded: the loader resolves its soname, libcuda.so.1, to it.
    LOADED.get_or_init(|| {
        // SAFETY: the library is our own, without initializers.
        #[allow(unsafe_code)]
        unsafe { Library::new(library()) }.expect("the emulator loads")
    })
}

/// Loads the emulator as the CUDA driver of this process, before anything has loaded another.
pub fn load() {
    loaded();
}

/// How often a kernel has been launched on the emulator in this process.
pub fn launches(kernel: &CStr) -> u64 {
    // SAFETY: the function of this name in kernels/interpreter/src/driver/api.rs.
    #[allow(unsafe_code)]
    unsafe {
        let launches: Symbol<unsafe extern "C" fn(*const c_char) -> u64> =
            loaded().get(b"emulator_launches\0").expect("the emulator counts launches");
        launches(kernel.as_ptr())
    }
}
