//! CUDA graphs: steps captured once and replayed, without host work between kernels.
#![allow(unsafe_code)] // cust has no stream capture

use super::stream::{Stream, check};
use crate::Result;
use cust::sys::{self, CUgraph, CUgraphExec, CUstreamCaptureMode};
use std::ptr::null_mut;

/// An instantiated graph.
pub(super) struct Graph(CUgraphExec);

// SAFETY: a graph may be used from any thread, one at a time: launches take &mut self.
unsafe impl Send for Graph {}

impl Graph {
    /// Captures the launches on the stream.
    pub(super) fn capture(stream: &Stream, launch: impl FnOnce() -> Result<()>) -> Result<Graph> {
        let doing = "capture a step";
        // Thread-local: other threads may allocate and copy during the capture, on their own streams.
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream is valid.
        check(doing, unsafe { sys::cuStreamBeginCapture_v2(stream.raw(), mode) })?;
        let launched = launch();
        let (mut graph, mut exec): (CUgraph, CUgraphExec) = (null_mut(), null_mut());
        // The capture ends after a failed launch too, or the stream would remain capturing.
        // SAFETY: the stream is capturing; the graph is destroyed once, after its instantiation.
        unsafe {
            let ended = sys::cuStreamEndCapture(stream.raw(), &mut graph);
            let captured = launched.and_then(|()| check(doing, ended));
            let instantiated =
                captured.and_then(|()| check(doing, sys::cuGraphInstantiateWithFlags(&mut exec, graph, 0)));
            if !graph.is_null() {
                sys::cuGraphDestroy(graph);
            }
            instantiated?;
        }
        Ok(Graph(exec))
    }
    /// Launches the graph on the stream.
    pub(super) fn launch(&mut self, stream: &Stream) -> Result<()> {
        // SAFETY: graph and stream are valid, and the buffers of its kernels outlive it: see the order of fields of
        // `Cuda`.
        check("run a step", unsafe { sys::cuGraphLaunch(self.0, stream.raw()) })
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: destroyed once; the driver completes a pending launch.
        unsafe { sys::cuGraphExecDestroy(self.0) };
    }
}
