//! A GPU: detection, its context and its loaded modules.

use crate::plan::Precision;
use crate::{Error, GpuError, Result};
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

/// A GPU with the context of this process and the modules of the kernels.
pub(super) struct Gpu {
    ordinal: u32,
    context: Context,
    device: Device,
    ops: Module,
    gemm: Module,
    /// Loaded on first use.
    gemm_tensor_cores: OnceLock<Module>,
    exclusive: Mutex<()>,
}

/// The oldest driver, by its CUDA version: the kernels are PTX 8.0.
const DRIVER: (i32, i32) = (12, 0);
/// The lowest compute capability, and the lowest with tensor cores for tf32 and bf16.
const CAPABILITY: (i32, i32) = (7, 5);
const TENSOR_CAPABILITY: (i32, i32) = (8, 0);

impl Gpu {
    /// Opens the GPU of this ordinal, once per process.
    ///
    /// # Errors
    /// [`GpuError`], for what is missing.
    pub(super) fn open(ordinal: u32) -> Result<&'static Gpu> {
        static OPEN: Mutex<Vec<&Gpu>> = Mutex::new(vec![]);
        let mut open = OPEN.lock().expect("no panic while it is locked");
        if let Some(gpu) = open.iter().find(|gpu| gpu.ordinal == ordinal) {
            gpu.make_current()?;
            return Ok(gpu);
        }
        let device = find(ordinal)?;
        let context = Context::new(device).map_err(|e| failed("open the GPU", e))?;
        let (ops, gemm) = (load(kernels::OPS)?, load(kernels::GEMM)?);
        let gpu = Box::leak(Box::new(Gpu {
            ordinal,
            context,
            device,
            ops,
            gemm,
            gemm_tensor_cores: OnceLock::new(),
            exclusive: Mutex::new(()),
        }));
        open.push(gpu);
        Ok(gpu)
    }
    /// Makes its context current on this thread.
    pub(super) fn make_current(&self) -> Result<()> {
        Ok(CurrentContext::set_current(&self.context).map_err(|e| failed("use the GPU", e))?)
    }
    /// Serializes loads of kernels and stream captures: a load may synchronize the device, which invalidates a capture.
    pub(super) fn exclusive(&self) -> MutexGuard<'_, ()> {
        self.exclusive.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Loads the GEMM kernels of this precision.
    ///
    /// # Errors
    /// [`GpuError::NoTensorCores`] if the GPU has none for it, [`Error::NoTiles`] if none has.
    pub(super) fn prepare(&self, precision: Precision) -> Result<()> {
        if precision == Precision::Bf16x3 {
            return Err(Error::NoTiles { precision: precision.name(), got: "a GPU" });
        }
        if precision == Precision::Fp32 || self.gemm_tensor_cores.get().is_some() {
            return Ok(());
        }
        let got = capability(self.device)?;
        if got < TENSOR_CAPABILITY {
            let (precision, expected) = (precision.name(), TENSOR_CAPABILITY);
            return Err(GpuError::NoTensorCores { precision, expected, got }.into());
        }
        let _exclusive = self.exclusive();
        let module = load(kernels::GEMM_TENSOR_CORES)?;
        let _ = self.gemm_tensor_cores.set(module); // another thread may have set it
        Ok(())
    }
    /// The kernel of this name.
    pub(super) fn kernel(&self, name: &str) -> Result<Function<'_>> {
        let modules = [Some(&self.ops), Some(&self.gemm), self.gemm_tensor_cores.get()];
        let found = modules.into_iter().flatten().find_map(|module| module.get_function(name).ok());
        Ok(found.ok_or_else(|| GpuError::NoKernel(name.into()))?)
    }
}

/// The device of this ordinal, if the kernels run on it.
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
    let attribute = |which| device.get_attribute(which).map_err(|e| failed("report its compute capability", e));
    Ok((attribute(DeviceAttribute::ComputeCapabilityMajor)?, attribute(DeviceAttribute::ComputeCapabilityMinor)?))
}

fn load(ptx: &str) -> Result<Module, GpuError> {
    let text = CString::new(ptx).expect("PTX holds no zero byte");
    Module::from_ptx_cstr(&text, &[]).map_err(|e| match compiler_log(&text) {
        Some(log) => GpuError::RefusedKernels(log),
        None => failed("load the kernels", e),
    })
}

/// The error log of the driver's PTX compiler, to which `cust` has no access.
fn compiler_log(ptx: &CString) -> Option<String> {
    let mut log = vec![0u8; 1 << 13];
    let mut options = [CUjit_option::CU_JIT_ERROR_LOG_BUFFER, CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
    let mut values = [log.as_mut_ptr().cast::<c_void>(), log.len() as *mut c_void];
    let mut module = std::ptr::null_mut();
    // SAFETY: two options with two values: the log buffer and its size.
    #[allow(unsafe_code)]
    unsafe {
        sys::cuModuleLoadDataEx(&mut module, ptx.as_ptr().cast(), 2, options.as_mut_ptr(), values.as_mut_ptr());
    }
    let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
    let log = String::from_utf8_lossy(&log[..end]).trim().to_owned();
    (!log.is_empty()).then_some(log)
}

/// The error of a failed GPU call.
pub(super) fn failed(doing: &str, error: impl Display + Debug) -> GpuError {
    GpuError::Failed { doing: doing.into(), why: text(error) }
}

/// The driver's message for an error, without the quotation marks of `cust`. (For a code unknown to the driver, `cust`
/// fails to format it.)
pub(super) fn text(error: impl Display + Debug) -> String {
    let mut message = String::new();
    match write!(message, "{error}") {
        Ok(()) => message.trim_matches('"').to_owned(),
        Err(_) => format!("{error:?}"),
    }
}

/// Bytes of free memory on the current GPU.
pub(super) fn free_memory() -> Result<u64, GpuError> {
    cust::memory::mem_get_info().map(|(free, _)| free as u64).map_err(|e| failed("report its free memory", e))
}
