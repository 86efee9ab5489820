//! The functions of libcuda that `cust` and the backend call. Handles are numbers; a null pointer for a result is an error.
#![allow(unsafe_code)] // exported names, and pointers of the caller
#![allow(non_snake_case, clippy::missing_safety_doc)]

use super::{Code, HAS_CONTEXT, Work, device, this_thread};
use crate::ptx::THREAD_LIMIT;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::Arc;

/// Where a result goes. (A nullable pointer.)
type Out<'a, T> = Option<&'a mut T>;

/// The code of a result, after its value has been written.
fn done<T>(to: Out<T>, result: Result<T, Code>) -> c_int {
    match (result, to) {
        (Ok(value), Some(to)) => {
            *to = value;
            0
        }
        (Ok(_), None) => Code::InvalidValue as c_int,
        (Err(code), _) => code as c_int,
    }
}

fn status(result: Result<(), Code>) -> c_int {
    result.map_or_else(|code| code as c_int, |()| 0)
}

// ---- the device

#[unsafe(no_mangle)]
extern "C" fn cuInit(_flags: c_uint) -> c_int {
    0
}
#[unsafe(no_mangle)]
extern "C" fn cuDriverGetVersion(version: Out<c_int>) -> c_int {
    done(version, Ok(super::setting("DRIVER", 13000) as c_int))
}
#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetCount(count: Out<c_int>) -> c_int {
    done(count, Ok(1))
}
#[unsafe(no_mangle)]
extern "C" fn cuDeviceGet(to: Out<c_int>, ordinal: c_int) -> c_int {
    done(to, if ordinal == 0 { Ok(0) } else { Err(Code::InvalidDevice) })
}
#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetName(name: *mut c_char, size: c_int, _device: c_int) -> c_int {
    let text = c"PTX interpreter".to_bytes_with_nul();
    if name.is_null() || (size as usize) < text.len() {
        return Code::InvalidValue as c_int;
    }
    // SAFETY: the caller has `size` bytes there.
    unsafe { name.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len()) };
    0
}
#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetAttribute(value: Out<c_int>, attribute: c_int, _device: c_int) -> c_int {
    const CAPABILITY_MAJOR: c_int = 75;
    const CAPABILITY_MINOR: c_int = 76;
    let capability = super::setting("CAPABILITY", 90) as c_int;
    let got = match attribute {
        CAPABILITY_MAJOR => capability / 10,
        CAPABILITY_MINOR => capability % 10,
        _ => 0,
    };
    done(value, Ok(got))
}
#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxRetain(context: Out<usize>, _device: c_int) -> c_int {
    done(context, Ok(1))
}
#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxRelease_v2(_device: c_int) -> c_int {
    0
}
#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxSetFlags_v2(_device: c_int, _flags: c_uint) -> c_int {
    0
}
#[unsafe(no_mangle)]
extern "C" fn cuCtxSetCurrent(context: usize) -> c_int {
    HAS_CONTEXT.set(context != 0);
    0
}
#[unsafe(no_mangle)]
extern "C" fn cuGetErrorString(error: c_int, text: Out<*const c_char>) -> c_int {
    let message = match error {
        _ if error == Code::OutOfMemory as c_int => c"out of memory",
        _ if error == Code::LaunchFailed as c_int => c"unspecified launch failure",
        _ if error == Code::InvalidPtx as c_int => c"a PTX JIT compilation failed",
        _ => c"an error",
    };
    done(text, Ok(message.as_ptr()))
}

// ---- memory

#[unsafe(no_mangle)]
extern "C" fn cuMemGetInfo_v2(free: Out<usize>, total: Out<usize>) -> c_int {
    let (is_free, all) = device().free_memory();
    done(free, Ok(is_free)).max(done(total, Ok(all)))
}
#[unsafe(no_mangle)]
extern "C" fn cuMemAlloc_v2(address: Out<u64>, bytes: usize) -> c_int {
    done(address, device().allocate(bytes))
}
#[unsafe(no_mangle)]
extern "C" fn cuMemFree_v2(address: u64) -> c_int {
    status(device().free(address))
}
#[unsafe(no_mangle)]
extern "C" fn cuMemAllocHost_v2(address: Out<usize>, bytes: usize) -> c_int {
    done(address, device().page_lock(bytes))
}
#[unsafe(no_mangle)]
extern "C" fn cuMemFreeHost(address: usize) -> c_int {
    status(device().free_page_locked(address))
}
#[unsafe(no_mangle)]
extern "C" fn cuMemcpyHtoDAsync_v2(to: u64, from: usize, bytes: usize, stream: usize) -> c_int {
    let mut device = device();
    let from = device.host(from, bytes);
    status(from.and_then(|from| device.enqueue(stream, Some((to, bytes)), Work::Upload { to, from, bytes })))
}
#[unsafe(no_mangle)]
extern "C" fn cuMemcpyDtoHAsync_v2(to: usize, from: u64, bytes: usize, stream: usize) -> c_int {
    let mut device = device();
    let to = device.host(to, bytes);
    status(to.and_then(|to| device.enqueue(stream, Some((from, bytes)), Work::Download { to, from, bytes })))
}
#[unsafe(no_mangle)]
extern "C" fn cuMemsetD8Async(to: u64, value: u8, bytes: usize, stream: usize) -> c_int {
    status(device().enqueue(stream, Some((to, bytes)), Work::Fill { to, value, bytes }))
}

// ---- modules

#[unsafe(no_mangle)]
unsafe extern "C" fn cuModuleLoadDataEx(
    module: Out<usize>,
    image: *const c_char,
    count: c_uint,
    options: *const c_int,
    values: *const *mut c_void,
) -> c_int {
    // SAFETY: an image of PTX is text that ends with a zero byte.
    let ptx = unsafe { CStr::from_ptr(image) }.to_string_lossy();
    let loaded = device().load(&ptx).map_err(|(code, log)| {
        // SAFETY: there are `count` options, each with its value.
        unsafe { write_log(&log, count as usize, options, values) };
        code
    });
    done(module, loaded)
}

/// Writes the log of a compiler to the buffer that the options name, if they do.
unsafe fn write_log(log: &str, count: usize, options: *const c_int, values: *const *mut c_void) {
    const ERROR_LOG_BUFFER: c_int = 5;
    const ERROR_LOG_BUFFER_SIZE_BYTES: c_int = 6;
    let (mut buffer, mut size) = (std::ptr::null_mut::<u8>(), 0);
    for i in 0..count {
        // SAFETY: the caller's.
        match unsafe { (*options.add(i), *values.add(i)) } {
            (ERROR_LOG_BUFFER, value) => buffer = value.cast(),
            (ERROR_LOG_BUFFER_SIZE_BYTES, value) => size = value as usize & 0xffff_ffff,
            _ => {}
        }
    }
    if !buffer.is_null() && size > 0 {
        let text = &log.as_bytes()[..log.len().min(size - 1)];
        // SAFETY: the buffer has `size` bytes.
        unsafe {
            buffer.copy_from_nonoverlapping(text.as_ptr(), text.len());
            buffer.add(text.len()).write(0);
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleUnload(module: usize) -> c_int {
    status(device().modules.remove(&module).map(drop).ok_or(Code::InvalidHandle))
}
#[unsafe(no_mangle)]
unsafe extern "C" fn cuModuleGetFunction(function: Out<usize>, module: usize, name: *const c_char) -> c_int {
    // SAFETY: a name ends with a zero byte.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    done(function, device().function(module, &name))
}
#[unsafe(no_mangle)]
extern "C" fn cuFuncGetAttribute(value: Out<c_int>, _attribute: c_int, function: usize) -> c_int {
    done(value, device().kernel(function).map(|_| 0))
}

// ---- launches, streams and graphs: a capture copies kernel arguments, and a graph launches in order

#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments)] // the driver's
unsafe extern "C" fn cuLaunchKernel(
    function: usize,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    dynamic: c_uint,
    stream: usize,
    arguments: *const *const u8,
    _extra: usize,
) -> c_int {
    let mut device = device();
    let kernel = match device.kernel(function) {
        Ok(kernel) => kernel,
        Err(code) => return code as c_int,
    };
    let limit = kernel.max_threads.min(THREAD_LIMIT);
    let sizes_hold = (1..=limit).contains(&block_x)
        && (block_y, block_z, grid_z, dynamic) == (1, 1, 1, 0)
        && (1..=i32::MAX as u32).contains(&grid_x)
        && (1..=65535).contains(&grid_y);
    if !sizes_hold {
        return Code::InvalidValue as c_int;
    }
    let mut params = vec![0; kernel.param_bytes()];
    for (i, (offset, bytes)) in kernel.params.iter().enumerate() {
        // SAFETY: the caller has a pointer to each parameter of the kernel.
        let argument = unsafe { std::slice::from_raw_parts(*arguments.add(i), *bytes) };
        params[*offset..offset + bytes].copy_from_slice(argument);
    }
    status(device.launch(function, [grid_x, grid_y], block_x, params, stream))
}
/// Non-blocking streams only: synchronizing with the legacy default stream would hide missing synchronization.
#[unsafe(no_mangle)]
extern "C" fn cuStreamCreate(stream: Out<usize>, flags: c_uint) -> c_int {
    const NON_BLOCKING: c_uint = 1;
    let mut device = device();
    let created = device.healthy().and(if flags == NON_BLOCKING { Ok(()) } else { Err(Code::InvalidValue) });
    done(
        stream,
        created.map(|()| {
            let handle = device.handle();
            device.queues.create(handle);
            handle
        }),
    )
}
#[unsafe(no_mangle)]
extern "C" fn cuStreamDestroy_v2(stream: usize) -> c_int {
    status(device().queues.destroy(stream))
}
#[unsafe(no_mangle)]
extern "C" fn cuStreamSynchronize(stream: usize) -> c_int {
    let mut device = device();
    status(match device.queues.find(stream) {
        Ok(()) if device.queues.is_capturing(stream) => Err(Code::CaptureUnsupported),
        Ok(()) => device.synchronize(stream),
        Err(code) => Err(code),
    })
}
#[unsafe(no_mangle)]
extern "C" fn cuStreamBeginCapture_v2(stream: usize, mode: c_int) -> c_int {
    let mut device = device();
    status(device.healthy().and_then(|()| device.queues.begin_capture(stream, mode, this_thread())))
}
#[unsafe(no_mangle)]
extern "C" fn cuStreamEndCapture(stream: usize, graph: Out<usize>) -> c_int {
    let mut device = device();
    let captured = device.queues.end_capture(stream, this_thread());
    done(
        graph,
        captured.map(|launches| {
            let handle = device.handle();
            device.graphs.insert(handle, Arc::new(launches));
            handle
        }),
    )
}
#[unsafe(no_mangle)]
extern "C" fn cuGraphInstantiateWithFlags(executable: Out<usize>, graph: usize, _flags: u64) -> c_int {
    let mut device = device();
    let found = device.graphs.get(&graph).cloned().ok_or(Code::InvalidHandle);
    done(
        executable,
        found.map(|launches| {
            let handle = device.handle();
            device.graphs.insert(handle, launches);
            handle
        }),
    )
}
#[unsafe(no_mangle)]
extern "C" fn cuGraphLaunch(executable: usize, stream: usize) -> c_int {
    let mut device = device();
    let found = device.graphs.get(&executable).cloned().ok_or(Code::InvalidHandle);
    status(found.and_then(|launches| device.enqueue(stream, None, Work::Graph(launches))))
}
#[unsafe(no_mangle)]
extern "C" fn cuGraphDestroy(graph: usize) -> c_int {
    status(device().graphs.remove(&graph).map(drop).ok_or(Code::InvalidHandle))
}
#[unsafe(no_mangle)]
extern "C" fn cuGraphExecDestroy(executable: usize) -> c_int {
    status(device().graphs.remove(&executable).map(drop).ok_or(Code::InvalidHandle))
}

// ---- beside libcuda

/// How often a kernel has been launched in this process.
#[unsafe(no_mangle)]
unsafe extern "C" fn emulator_launches(kernel: *const c_char) -> u64 {
    // SAFETY: a name ends with a zero byte.
    let kernel = unsafe { CStr::from_ptr(kernel) }.to_string_lossy();
    device().launches.get(&*kernel).map_or(0, |[launches, _]| *launches)
}
