//! Chunks and vectors at rest.
