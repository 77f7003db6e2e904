//! Weights in; vectors, scores and words out.
