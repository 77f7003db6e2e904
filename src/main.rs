//! The binary `rag`.

fn main() {}
