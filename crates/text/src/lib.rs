//! Hostile bytes in; a document with pages, structure and places, and its chunks, out.
