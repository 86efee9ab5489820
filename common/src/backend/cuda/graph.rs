//! Steps recorded once and replayed: a CUDA graph, which starts its kernels without a word to the host between them.
#![allow(unsafe_code)] // cust has no capture

use super::gpu::failed;
use crate::Result;
use cust::stream::Stream;
use cust::sys::{self, CUgraph, CUgraphExec, CUresult, CUstreamCaptureMode};
use std::ffi::{CStr, c_char};
use std::ptr::null_mut;

/// What was recorded, ready to run.
pub(super) struct Graph(CUgraphExec);

// SAFETY: a graph may be launched and destroyed from any thread, one at a time, which &mut and ownership see to.
unsafe impl Send for Graph {}

impl Graph {
    /// Records what is launched on the stream.
    pub(super) fn record(stream: &Stream, launch: impl FnOnce() -> Result<()>) -> Result<Graph> {
        let doing = "record a step";
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream lives.
        check(doing, unsafe { sys::cuStreamBeginCapture_v2(stream.as_inner(), mode) })?;
        let launched = launch();
        let (mut graph, mut ready): (CUgraph, CUgraphExec) = (null_mut(), null_mut());
        // A failed launch ends the capture too, or the stream would stay in it.
        // SAFETY: the stream is capturing; the graph is destroyed once and not used afterwards.
        unsafe {
            let ended = sys::cuStreamEndCapture(stream.as_inner(), &mut graph);
            let recorded = launched.and_then(|()| check(doing, ended));
            let made = recorded.and_then(|()| check(doing, sys::cuGraphInstantiateWithFlags(&mut ready, graph, 0)));
            if !graph.is_null() {
                sys::cuGraphDestroy(graph);
            }
            made?;
        }
        Ok(Graph(ready))
    }
    /// Runs it on the stream.
    pub(super) fn launch(&mut self, stream: &Stream) -> Result<()> {
        // SAFETY: both live; what its kernels use outlives them, see `Recorded`.
        check("run a step", unsafe { sys::cuGraphLaunch(self.0, stream.as_inner()) })
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: nothing uses it any more; the driver waits for a launch that still runs.
        unsafe { sys::cuGraphExecDestroy(self.0) };
    }
}

fn check(doing: &str, result: CUresult) -> Result<()> {
    match result {
        CUresult::CUDA_SUCCESS => Ok(()),
        error => Err(failed(doing, said(error))),
    }
}

/// What the driver says of an error.
fn said(error: CUresult) -> String {
    let mut text = null_mut::<c_char>().cast_const();
    // SAFETY: the driver gives null, or a text that lives as long as it does.
    unsafe {
        sys::cuGetErrorString(error, &mut text);
        if text.is_null() { format!("{error:?}") } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
    }
}
