//! A GPU: whether there is one, and the kernels loaded onto it.

use crate::plan::Precision;
use cust::context::{Context, CurrentContext};
use cust::device::{Device, DeviceAttribute};
use cust::error::CudaError;
use cust::function::Function;
use cust::module::Module;
use cust::sys::{self, CUjit_option};
use cust::{CudaApiVersion, CudaFlags};
use std::ffi::{CString, c_void};
use std::fmt::{Debug, Display, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use vae_cli::{Error, Result};

/// A GPU with this process's context on it.
pub(super) struct Gpu {
    ordinal: u32,
    context: Context,
    device: Device,
    each: Module,
    products: Module,
    /// For tensor cores; loaded when they are asked for.
    tensor: OnceLock<Module>,
    alone: Mutex<()>,
}

/// The oldest driver that takes the kernels: they are PTX 8.0, of CUDA 12.0.
const DRIVER: (i32, i32) = (12, 0);
/// The oldest GPU that they run on, and the oldest with tensor cores for tf32 and bf16.
const CAPABILITY: (i32, i32) = (7, 5);
const TENSOR_CAPABILITY: (i32, i32) = (8, 0);

impl Gpu {
    /// The GPU of this number. A process opens each once, and keeps it to its end.
    ///
    /// # Errors
    /// [`Error::Unavailable`], with what is missing.
    pub(super) fn open(ordinal: u32) -> Result<&'static Gpu> {
        static OPEN: Mutex<Vec<&Gpu>> = Mutex::new(vec![]);
        let mut open = OPEN.lock().expect("nothing panics with it");
        if let Some(gpu) = open.iter().find(|gpu| gpu.ordinal == ordinal) {
            gpu.enter()?;
            return Ok(gpu);
        }
        let device = find(ordinal).map_err(|missing| missing.error)?;
        let context = Context::new(device).map_err(|e| failed("open the GPU", e))?;
        let (each, products) = (load(kernels::EACH)?, load(kernels::PRODUCTS)?);
        let gpu = Box::leak(Box::new(Gpu {
            ordinal,
            context,
            device,
            each,
            products,
            tensor: OnceLock::new(),
            alone: Mutex::new(()),
        }));
        open.push(gpu);
        Ok(gpu)
    }
    /// Makes its context that of this thread.
    pub(super) fn enter(&self) -> Result<()> {
        CurrentContext::set_current(&self.context).map_err(|e| failed("use the GPU", e))
    }
    /// Held by a thread that loads kernels or records: a driver that loads a kernel then may wait for all that the GPU does,
    /// which the recording of another thread might not survive.
    pub(super) fn alone(&self) -> MutexGuard<'_, ()> {
        self.alone.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Loads what products of this precision need.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the GPU has no such tensor cores.
    pub(super) fn prepare(&self, precision: Precision) -> Result<()> {
        if precision == Precision::Fp32 || self.tensor.get().is_some() {
            return Ok(());
        }
        let got = capability(self.device)?;
        if got < TENSOR_CAPABILITY {
            return Err(Error::Unavailable(format!(
                "this GPU has no tensor cores for {}: expected compute capability {}, got {}; leave out --precision",
                precision.name(),
                dotted(TENSOR_CAPABILITY),
                dotted(got)
            )));
        }
        let _alone = self.alone();
        let module = load(kernels::TENSOR)?;
        let _ = self.tensor.set(module); // another thread may have been faster
        Ok(())
    }
    /// A kernel of this name.
    pub(super) fn kernel(&self, name: &str) -> Result<Function<'_>> {
        let modules = [Some(&self.each), Some(&self.products), self.tensor.get()];
        let found = modules.into_iter().flatten().find_map(|module| module.get_function(name).ok());
        found.ok_or_else(|| Error::Unavailable(format!("the GPU has no kernel {name}: expected one; try --device cpu")))
    }
}

/// Why there is no GPU to use.
pub struct Missing {
    /// What is missing, and what was found instead.
    pub error: Error,
    /// Whether there is one, which is too old, or whose driver is.
    pub too_old: bool,
}

/// The device of this number, if the kernels run on it.
pub(super) fn find(ordinal: u32) -> Result<Device, Missing> {
    let missing =
        |why: String, too_old| Missing { error: Error::Unavailable(format!("{why}; try --device cpu")), too_old };
    let unavailable = |why| missing(why, false);
    if let Some(why) = cuda_driver::load_error() {
        return Err(unavailable(format!("no CUDA driver was found: expected NVIDIA's libcuda.so.1, got: {why}")));
    }
    let none =
        |e: CudaError| unavailable(format!("no CUDA device was found: expected an NVIDIA GPU, got: {}", text(e)));
    cust::init(CudaFlags::empty()).map_err(none)?;
    let version = CudaApiVersion::get().map_err(none)?;
    let got = (version.major(), version.minor());
    if got < DRIVER {
        let expected = dotted(DRIVER);
        let why =
            format!("the CUDA driver is too old: expected one of CUDA {expected} (NVIDIA 525), got {}", dotted(got));
        return Err(missing(why, true));
    }
    let count = Device::num_devices().map_err(none)?;
    if ordinal >= count {
        return Err(unavailable(format!("there is no CUDA device {ordinal}: expected one of the {count} from 0 on")));
    }
    let device = Device::get_device(ordinal).map_err(none)?;
    let got = capability(device).map_err(|error| Missing { error, too_old: false })?;
    if got < CAPABILITY {
        let expected = dotted(CAPABILITY);
        let why = format!("the GPU is too old: expected compute capability {expected}, got {}", dotted(got));
        return Err(missing(why, true));
    }
    Ok(device)
}

fn capability(device: Device) -> Result<(i32, i32)> {
    let attribute = |which| device.get_attribute(which).map_err(|e| failed("ask what the GPU can do", e));
    Ok((attribute(DeviceAttribute::ComputeCapabilityMajor)?, attribute(DeviceAttribute::ComputeCapabilityMinor)?))
}

fn dotted((major, minor): (i32, i32)) -> String {
    format!("{major}.{minor}")
}

fn load(ptx: &str) -> Result<Module> {
    let text = CString::new(ptx).expect("PTX holds no zero byte");
    Module::from_ptx_cstr(&text, &[]).map_err(|e| match compiler_log(&text) {
        Some(log) => Error::Unavailable(format!("the CUDA driver refuses the kernels: {log}; try --device cpu")),
        None => failed("load the kernels", e),
    })
}

/// What the driver's compiler says, which `cust` does not ask for.
fn compiler_log(ptx: &CString) -> Option<String> {
    let mut log = vec![0u8; 1 << 13];
    let mut options = [CUjit_option::CU_JIT_ERROR_LOG_BUFFER, CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
    let mut values = [log.as_mut_ptr().cast::<c_void>(), log.len() as *mut c_void];
    let mut module = std::ptr::null_mut();
    // SAFETY: two options with two values, of which the first points to as many bytes as the second says.
    #[allow(unsafe_code)]
    unsafe {
        sys::cuModuleLoadDataEx(&mut module, ptx.as_ptr().cast(), 2, options.as_mut_ptr(), values.as_mut_ptr());
    }
    let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
    let log = String::from_utf8_lossy(&log[..end]).trim().to_owned();
    (!log.is_empty()).then_some(log)
}

/// What went wrong on the GPU while something was done.
pub(super) fn failed(doing: &str, error: impl Display + Debug) -> Error {
    Error::Unavailable(format!("the GPU failed to {doing}: {}; try again, or --device cpu", text(error)))
}

/// What the driver says of an error, without the quotation marks that `cust` puts around it. (Of a code that the driver does
/// not know `cust` cannot tell even that.)
pub(super) fn text(error: impl Display + Debug) -> String {
    let mut said = String::new();
    match write!(said, "{error}") {
        Ok(()) => said.trim_matches('"').to_owned(),
        Err(_) => format!("{error:?}"),
    }
}

/// How much memory is free on the GPU of this thread.
pub(super) fn free_memory() -> Result<u64> {
    cust::memory::mem_get_info().map(|(free, _)| free as u64).map_err(|e| failed("tell its memory", e))
}
