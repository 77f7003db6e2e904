//! Writing receipts: the file, and what tells a model's weights from others.

use std::fs;
use std::path::Path;

use rag_core::{Error, Result};
use rag_engine::{Receipt, UsedModel};
use rag_model::Role;

use crate::config::Config;
use crate::wiring;

/// Writes a receipt; a file of that name appears whole or not at all.
pub(crate) fn write(file: &Path, receipt: &Receipt) -> Result<()> {
    let failed = |cause| Error::io("write", file, cause);
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    fs::write(&part, receipt.to_text()?).map_err(failed)?;
    fs::rename(&part, file).map_err(failed)
}

/// Reads a receipt.
pub(crate) fn read(file: &Path) -> Result<Receipt> {
    let bytes = fs::read(file).map_err(|cause| Error::io("read", file, cause))?;
    Receipt::from_text(
        &file.display().to_string(),
        &String::from_utf8_lossy(&bytes),
    )
}

/// The language model of `flag` or config. The hash of one from the shelf is the one that was recorded
/// when it came; a file from elsewhere is hashed now.
pub(crate) fn model(config: &Config, flag: Option<&str>) -> Result<UsedModel> {
    let name = config.model(flag).to_owned();
    let path = wiring::generator_file(config, flag)?;
    let recorded = wiring::shelf(config).find(&name)?.and_then(|model| {
        let weights = model
            .files
            .into_iter()
            .find(|file| file.role == Role::Weights);
        weights
            .filter(|file| file.path == path)
            .map(|file| file.sha256)
    });
    match recorded {
        Some(sha256) => Ok(UsedModel {
            name,
            identity: format!("sha256:{sha256}"),
        }),
        None => UsedModel::of_file(&name, &path),
    }
}
