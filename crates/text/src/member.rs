//! Names of the members of an archive, as one of them refers to another.

/// The member that `path` names from the folder `from`, or from the root where it begins there. Nothing
/// leads out of the archive.
pub(crate) fn joined(from: &str, path: &str) -> String {
    let from = if path.starts_with('/') { "" } else { from };
    let mut steps: Vec<&str> = Vec::new();
    for step in from.split('/').chain(path.split('/')) {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    steps.join("/")
}
