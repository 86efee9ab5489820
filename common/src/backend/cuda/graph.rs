//! Steps recorded once and replayed: a CUDA graph, which starts its kernels without a word to the host between them.
#![allow(unsafe_code)] // cust has no capture

use super::stream::{Stream, check};
use crate::Result;
use cust::sys::{self, CUgraph, CUgraphExec, CUstreamCaptureMode};
use std::ptr::null_mut;

/// What was recorded, ready to run.
pub(super) struct Graph(CUgraphExec);

// SAFETY: a graph may be launched and destroyed from any thread, one at a time, which &mut and ownership see to.
unsafe impl Send for Graph {}

impl Graph {
    /// Records what is launched on the stream.
    pub(super) fn record(stream: &Stream, launch: impl FnOnce() -> Result<()>) -> Result<Graph> {
        let doing = "record a step";
        // Other threads go on meanwhile: what they allocate and copy is no part of it, since the stream waits for no other.
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream lives.
        check(doing, unsafe { sys::cuStreamBeginCapture_v2(stream.raw(), mode) })?;
        let launched = launch();
        let (mut graph, mut ready): (CUgraph, CUgraphExec) = (null_mut(), null_mut());
        // A failed launch ends the capture too, or the stream would stay in it.
        // SAFETY: the stream is capturing; the graph is destroyed once and not used afterwards.
        unsafe {
            let ended = sys::cuStreamEndCapture(stream.raw(), &mut graph);
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
        check("run a step", unsafe { sys::cuGraphLaunch(self.0, stream.raw()) })
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: nothing uses it any more; the driver waits for a launch that still runs.
        unsafe { sys::cuGraphExecDestroy(self.0) };
    }
}
