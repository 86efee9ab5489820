//! A GPU: whether there is one, and the kernels loaded onto it.

use crate::plan::Precision;
use crate::{GpuError, Result};
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
    /// What is missing.
    pub(super) fn open(ordinal: u32) -> Result<&'static Gpu> {
        static OPEN: Mutex<Vec<&Gpu>> = Mutex::new(vec![]);
        let mut open = OPEN.lock().expect("nothing panics with it");
        if let Some(gpu) = open.iter().find(|gpu| gpu.ordinal == ordinal) {
            gpu.enter()?;
            return Ok(gpu);
        }
        let device = find(ordinal)?;
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
        Ok(CurrentContext::set_current(&self.context).map_err(|e| failed("use the GPU", e))?)
    }
    /// Held by a thread that loads kernels or records: a driver that loads a kernel then may wait for all that the GPU does,
    /// which the recording of another thread might not survive.
    pub(super) fn alone(&self) -> MutexGuard<'_, ()> {
        self.alone.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Loads what products of this precision need.
    ///
    /// # Errors
    /// [`GpuError::NoTensorCores`] where the GPU has none for it.
    pub(super) fn prepare(&self, precision: Precision) -> Result<()> {
        if precision == Precision::Fp32 || self.tensor.get().is_some() {
            return Ok(());
        }
        let got = capability(self.device)?;
        if got < TENSOR_CAPABILITY {
            let (precision, expected) = (precision.name(), TENSOR_CAPABILITY);
            return Err(GpuError::NoTensorCores { precision, expected, got }.into());
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
        Ok(found.ok_or_else(|| GpuError::NoKernel(name.into()))?)
    }
}

/// The device of this number, if the kernels run on it.
pub(super) fn find(ordinal: u32) -> Result<Device, GpuError> {
    if let Some(why) = cuda_driver::load_error() {
        return Err(GpuError::NoDriver(why.to_string()));
    }
    let none = |e: CudaError| GpuError::NoDevice(text(e));
    cust::init(CudaFlags::empty()).map_err(none)?;
    let version = CudaApiVersion::get().map_err(none)?;
    let got = (version.major(), version.minor());
    if got < DRIVER {
        return Err(GpuError::OldDriver { expected: DRIVER, got });
    }
    let count = Device::num_devices().map_err(none)?;
    if ordinal >= count {
        return Err(GpuError::NoSuchDevice { ordinal, count });
    }
    let device = Device::get_device(ordinal).map_err(none)?;
    let got = capability(device)?;
    if got < CAPABILITY {
        return Err(GpuError::OldDevice { expected: CAPABILITY, got });
    }
    Ok(device)
}

fn capability(device: Device) -> Result<(i32, i32), GpuError> {
    let attribute = |which| device.get_attribute(which).map_err(|e| failed("ask what the GPU can do", e));
    Ok((attribute(DeviceAttribute::ComputeCapabilityMajor)?, attribute(DeviceAttribute::ComputeCapabilityMinor)?))
}

fn load(ptx: &str) -> Result<Module, GpuError> {
    let text = CString::new(ptx).expect("PTX holds no zero byte");
    Module::from_ptx_cstr(&text, &[]).map_err(|e| match compiler_log(&text) {
        Some(log) => GpuError::RefusedKernels(log),
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
pub(super) fn failed(doing: &str, error: impl Display + Debug) -> GpuError {
    GpuError::Failed { doing: doing.into(), why: text(error) }
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
pub(super) fn free_memory() -> Result<u64, GpuError> {
    cust::memory::mem_get_info().map(|(free, _)| free as u64).map_err(|e| failed("tell its memory", e))
}
