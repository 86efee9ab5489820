//! A lazy-loading shim of libcuda for `cust`.
//!
//! `cust_raw` declares `cuInit`, `cuMemAlloc_v2` and the others as `extern "C"`, to be linked to libcuda. This crate
//! defines them: each looks up its namesake in the installed driver on the first call (dlsym) and forwards. So programs
//! build without a CUDA toolkit, start without a driver, and use a GPU if there is one.
//!
//! A crate that uses `cust` names this one (`use cuda_driver as _`), or linking fails.
#![allow(unsafe_code)] // foreign functions, resolved at run time
#![allow(non_snake_case, clippy::missing_safety_doc, clippy::too_many_arguments)]

use cust_raw::*;
use libloading::Library;
use std::error::Error;
use std::ffi::{c_char, c_int, c_uchar, c_uint, c_ulonglong, c_ushort, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

const DRIVER: &str = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" };

fn driver() -> Result<&'static Library, &'static str> {
    static DRIVER_LIBRARY: OnceLock<Result<Library, String>> = OnceLock::new();
    // SAFETY: libcuda has no preconditions for being loaded.
    let open = || unsafe { Library::new(DRIVER) }.map_err(|e| e.source().map_or(e.to_string(), |why| why.to_string()));
    DRIVER_LIBRARY.get_or_init(open).as_ref().map_err(String::as_str)
}

/// Why the driver could not be loaded; None if it was.
pub fn load_error() -> Option<&'static str> {
    driver().err()
}

/// The driver's function of this NUL-terminated name, cached in `slot`.
fn lookup(slot: &AtomicPtr<c_void>, name: &str) -> Result<*mut c_void, CUresult> {
    let cached = slot.load(Ordering::Acquire);
    if !cached.is_null() {
        return Ok(cached);
    }
    let library = driver().map_err(|_| CUresult::CUDA_ERROR_NOT_INITIALIZED)?;
    // SAFETY: the symbol is used as an address only.
    let found: *mut c_void = unsafe { library.get::<*mut c_void>(name.as_bytes()) }
        .map(|symbol| *symbol)
        .map_err(|_| CUresult::CUDA_ERROR_NOT_SUPPORTED)?;
    slot.store(found, Ordering::Release);
    Ok(found)
}

/// A result code as `CUresult`, the enum of CUDA 11.4; codes of newer drivers become `CUDA_ERROR_UNKNOWN`.
fn known_code(code: u32) -> CUresult {
    match raw::CODES.contains(&code) {
        // SAFETY: `CODES` lists the values of all variants.
        true => unsafe { std::mem::transmute::<u32, CUresult>(code) },
        false => CUresult::CUDA_ERROR_UNKNOWN,
    }
}

macro_rules! forward {
    ($( fn $name:ident($($arg:ident: $ty:ty),* $(,)?); )*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $ty),*) -> CUresult {
            static SLOT: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
            match lookup(&SLOT, concat!(stringify!($name), "\0")) {
                // SAFETY: the driver's function of this name has this signature.
                Ok(f) => unsafe {
                    let f: unsafe extern "C" fn($($ty),*) -> u32 = std::mem::transmute(f);
                    known_code(f($($arg),*))
                },
                Err(code) => code,
            }
        }
    )*};
}

mod raw {
    use super::*;
    include!("symbols.rs");
}

/// Without a driver: no device.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuInit(flags: c_uint) -> CUresult {
    static SLOT: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
    match lookup(&SLOT, "cuInit\0") {
        // SAFETY: the driver's cuInit has this signature.
        Ok(f) => unsafe {
            let f: unsafe extern "C" fn(c_uint) -> u32 = std::mem::transmute(f);
            known_code(f(flags))
        },
        Err(_) => CUresult::CUDA_ERROR_NO_DEVICE,
    }
}

macro_rules! describe {
    ($($name:ident)*) => {$(
        /// `cust` formats errors without a driver too.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(error: CUresult, text: *mut *const c_char) -> CUresult {
            static SLOT: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
            // SAFETY: the driver's function has this signature; `text` is the caller's.
            unsafe {
                if let Ok(f) = lookup(&SLOT, concat!(stringify!($name), "\0")) {
                    let f: unsafe extern "C" fn(CUresult, *mut *const c_char) -> u32 = std::mem::transmute(f);
                    return known_code(f(error, text));
                }
                *text = c"no CUDA driver".as_ptr();
            }
            CUresult::CUDA_SUCCESS
        }
    )*};
}
describe!(cuGetErrorString cuGetErrorName);
