//! Policy: plan, ingest, retrieve, fuse, prompt, ask, cite.
