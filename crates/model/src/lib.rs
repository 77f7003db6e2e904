//! Weights in; vectors, scores and words out.

mod catalogue;
mod fetch;
mod shelf;

pub use catalogue::{
    Catalogue, Entry, FileSpec, Kind, Origin, PooledBy, Role, Support, TemplateSource,
};
pub use fetch::hub::Hub;
pub use fetch::wheel::Pip;
pub use fetch::{Progress, PullFrom};
pub use shelf::{FileState, Installed, InstalledFile, Shelf, Verified};
