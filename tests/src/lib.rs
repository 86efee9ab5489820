//! Tests of whole pipes.
