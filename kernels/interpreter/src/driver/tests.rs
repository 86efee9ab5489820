//! What a driver promises, and what it leaves open.

use super::{Code, Device, Failing, HAS_CONTEXT, Host, Launch, Work, this_thread};
use crate::counters::Counters;
use std::process::Command;
use std::thread;

const PTX: &str = ".target sm_75\n.visible .entry add_one(\n.param .u64 p\n)\n{\n.reg .b32 %r<3>;\n.reg .b64 %rd<2>;\n\
                   ld.param.u64 %rd1, [p];\nld.global.u32 %r1, [%rd1];\nadd.s32 %r2, %r1, 1;\nst.global.u32 [%rd1], %r2;\nret;\n}\n";

/// A device with a stream, a kernel, and a word of memory.
fn device() -> (Device, usize, usize, u64) {
    HAS_CONTEXT.set(true);
    let mut device = Device::new();
    let stream = device.handle();
    device.queues.create(stream);
    let module = device.load(PTX).expect("PTX");
    let function = device.function(module, "add_one").expect("the kernel");
    let memory = device.allocate(4).expect("memory");
    (device, stream, function, memory)
}

fn launch(device: &mut Device, stream: usize, function: usize, memory: u64) -> Result<(), Code> {
    device.launch(function, [1, 1], 1, memory.to_le_bytes().to_vec(), stream)
}

fn upload(device: &mut Device, stream: usize, to: u64, from: &u32) -> Result<(), Code> {
    let from = device.host(std::ptr::from_ref(from) as usize, 4)?;
    device.enqueue(stream, Some((to, 4)), Work::Upload { to, from, bytes: 4 })
}

fn word(device: &mut Device, at: u64) -> u32 {
    u32::from_le_bytes(device.machine.read(at, 4).expect("memory").try_into().expect("four bytes"))
}

#[test]
fn nothing_happens_before_the_host_waits() {
    let (mut device, stream, function, memory) = device();
    let value = std::cell::UnsafeCell::new(7u32);
    // SAFETY: nobody has the cell borrowed; as a driver may, the device reads it later.
    #[allow(unsafe_code)]
    upload(&mut device, stream, memory, unsafe { &*value.get() }).expect("queued");
    launch(&mut device, stream, function, memory).expect("queued");
    assert_eq!(word(&mut device, memory), u32::MAX);
    // A value that changes before the wait arrives changed.
    // SAFETY: likewise.
    #[allow(unsafe_code)]
    unsafe {
        *value.get() = 41;
    }
    device.synchronize(stream).expect("no failure");
    assert_eq!(word(&mut device, memory), 42);
    // Work of another stream waits on.
    let other = device.handle();
    device.queues.create(other);
    launch(&mut device, other, function, memory).expect("queued");
    device.synchronize(stream).expect("no failure");
    assert_eq!(word(&mut device, memory), 42);
    // A stream that is destroyed runs on.
    device.queues.destroy(other).expect("a stream");
    assert_eq!(launch(&mut device, other, function, memory), Err(Code::InvalidHandle));
    device.synchronize(stream).expect("no failure");
    assert_eq!(word(&mut device, memory), 43);
}

#[test]
fn memory_is_freed_after_the_work_before_it() {
    let (mut device, stream, function, memory) = device();
    upload(&mut device, stream, memory, &1).expect("queued");
    launch(&mut device, stream, function, memory).expect("queued");
    let total = device.free_memory().1;
    device.free(memory).expect("allocated");
    assert_eq!(device.free_memory().0, total);
    assert_eq!(device.free(memory), Err(Code::InvalidValue));
    assert!(device.machine.read(memory, 4).is_some());
    device.synchronize(stream).expect("no failure");
    assert!(device.machine.read(memory, 4).is_none());
    assert_eq!(upload(&mut device, stream, memory, &1), Err(Code::InvalidValue));
}

#[test]
fn a_capture_records_launches_and_forbids_what_may_synchronize() {
    const THREAD_LOCAL: i32 = 1;
    let (mut device, stream, function, memory) = device();
    upload(&mut device, stream, memory, &1).expect("queued");
    device.queues.begin_capture(stream, THREAD_LOCAL, this_thread()).expect("begun");
    assert_eq!(device.queues.begin_capture(stream, THREAD_LOCAL, this_thread()), Err(Code::InvalidHandle));
    launch(&mut device, stream, function, memory).expect("captured");
    assert_eq!(device.allocate(4), Err(Code::CaptureUnsupported));
    assert_eq!(device.free(memory), Err(Code::CaptureUnsupported));
    assert_eq!(device.page_lock(4), Err(Code::CaptureUnsupported));
    let other = thread::spawn(this_thread).join().expect("an id");
    assert!(device.queues.safe_call(other).is_ok());
    assert_eq!(device.queues.end_capture(stream, other).err(), Some(Code::CaptureWrongThread));
    let graph: Vec<Launch> = device.queues.end_capture(stream, this_thread()).expect("captured");
    assert!(graph.len() == 1 && device.queues.end_capture(stream, this_thread()).is_err());
    for _ in 0..3 {
        device.enqueue(stream, None, Work::Graph(graph.clone().into())).expect("queued");
    }
    device.synchronize(stream).expect("no failure");
    assert_eq!(word(&mut device, memory), 4);
}

#[test]
fn calls_fail_on_demand_and_a_failed_launch_loses_the_device() {
    let (mut device, stream, function, memory) = device();
    let at = |call| Failing { at: Some(call), calls: 0 };
    device.failing_allocation = at(1);
    device.failing_page_lock = at(2);
    device.failing_pageable = at(2);
    assert!(device.allocate(4) == Err(Code::OutOfMemory) && device.allocate(4).is_ok());
    assert!(device.page_lock(4).is_ok() && device.page_lock(4) == Err(Code::OutOfMemory));
    assert_eq!(device.page_lock(4), Err(Code::OutOfMemory));
    upload(&mut device, stream, memory, &1).expect("queued");
    assert_eq!(upload(&mut device, stream, memory, &1), Err(Code::InvalidValue));
    device.failing_launch = at(2);
    for _ in 0..3 {
        launch(&mut device, stream, function, memory).expect("queued");
    }
    assert_eq!(device.synchronize(stream), Err(Code::LaunchFailed));
    assert_eq!(word(&mut device, memory), 2);
    assert_eq!((device.allocate(4), device.synchronize(stream)), (Err(Code::LaunchFailed), Err(Code::LaunchFailed)));
}

#[test]
fn a_thread_without_a_context_has_nothing() {
    let (mut device, stream, function, memory) = device();
    HAS_CONTEXT.set(false);
    assert_eq!(device.allocate(4), Err(Code::InvalidContext));
    assert_eq!(launch(&mut device, stream, function, memory), Err(Code::InvalidHandle));
}

#[test]
fn ptx_that_the_device_does_not_take_is_refused_with_a_log() {
    let (mut device, ..) = device();
    let (code, log) = device.load(&PTX.replace("add.s32", "add.s16")).expect_err("refused");
    assert!(code == Code::InvalidPtx && log.contains("line 10") && log.contains("add.s16"), "{log}");
    let (code, log) = device.load(&PTX.replace("sm_75", "sm_100")).expect_err("refused");
    assert!(code == Code::NoBinary && log.contains("sm_90"), "{log}");
}

/// In a process of its own, which it ends: that its page-locked memory is gone when a copy runs.
#[test]
fn a_copy_of_page_locked_memory_that_is_freed_too_early_ends_the_program() {
    if std::env::var_os("EMULATOR_TEST_FREED").is_some() {
        let (mut device, stream, _, to) = device();
        let address = device.page_lock(4).expect("memory");
        let from: Host = device.host(address, 4).expect("memory");
        assert!(from.allocation.is_some());
        device.enqueue(stream, Some((to, 4)), Work::Upload { to, from, bytes: 4 }).expect("queued");
        device.free_page_locked(address).expect("allocated");
        let _ = device.synchronize(stream);
        return;
    }
    let tests = std::env::current_exe().expect("this program");
    let args = ["a_copy_of_page_locked_memory", "--nocapture"];
    let output = Command::new(tests).args(args).env("EMULATOR_TEST_FREED", "1").output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("page-locked memory freed"), "{told}");
}

#[test]
fn what_kernels_execute_and_move_is_counted() {
    let (mut device, stream, function, memory) = device();
    let file = std::env::temp_dir().join(format!("emulator-counts-{}", std::process::id()));
    device.counts_to = Some(file.clone().into_os_string());
    device.machine.counters = Some(Counters::without_banks());
    upload(&mut device, stream, memory, &1).expect("queued");
    for _ in 0..3 {
        launch(&mut device, stream, function, memory).expect("queued");
    }
    device.synchronize(stream).expect("no failure");
    // Of each launch a block, five instructions, and two sectors.
    assert_eq!(std::fs::read_to_string(&file).expect("counts"), "add_one 3 3 15 0 0 6\n");
    std::fs::remove_file(file).expect("written above");
}
