//! The functions of the CUDA driver that `cust` declares.
//!
//! `cust_raw` declares `cuInit`, `cuMemAlloc_v2` and the others as `extern "C"` and expects the linker to find them in
//! libcuda. Here they are defined instead: each finds its namesake in the installed driver when it is first called, and
//! calls it. So a program builds with no CUDA toolkit, starts with no driver, and uses the GPU where there is one.
//!
//! A crate that uses `cust` names this one (`use cuda_driver as _`), or linking fails.
#![allow(unsafe_code)] // what is called lies in a library that is found at run time
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
    // SAFETY: the driver's library asks nothing of who loads it.
    let open = || unsafe { Library::new(DRIVER) }.map_err(|e| e.source().map_or(e.to_string(), |why| why.to_string()));
    DRIVER_LIBRARY.get_or_init(open).as_ref().map_err(String::as_str)
}

/// Why the driver could not be loaded; none if it was.
pub fn load_error() -> Option<&'static str> {
    driver().err()
}

/// The driver's function of this name, which ends with a zero; it is looked up once for each slot.
fn lookup(slot: &AtomicPtr<c_void>, name: &str) -> Result<*mut c_void, CUresult> {
    let known = slot.load(Ordering::Acquire);
    if !known.is_null() {
        return Ok(known);
    }
    let library = driver().map_err(|_| CUresult::CUDA_ERROR_NOT_INITIALIZED)?;
    // SAFETY: the symbol is only taken for an address here.
    let found: *mut c_void = unsafe { library.get::<*mut c_void>(name.as_bytes()) }
        .map(|symbol| *symbol)
        .map_err(|_| CUresult::CUDA_ERROR_NOT_SUPPORTED)?;
    slot.store(found, Ordering::Release);
    Ok(found)
}

/// `CUresult` is the enum of CUDA 11.4: a code that a newer driver has added is no value of it, and becomes
/// `CUDA_ERROR_UNKNOWN`.
fn known_code(code: u32) -> CUresult {
    match raw::CODES.contains(&code) {
        // SAFETY: it is the value of one of the variants, of which `CODES` is the list.
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

/// Without a driver there is no device.
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
        /// `cust` asks for the text of an error even where there is no driver.
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
