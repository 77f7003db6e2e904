//! The whole flow with the network gone: only `rag models pull` may ever open a socket.

use std::process::{Command, Stdio};

use crate::harness::{self, Home, Run, fixtures, list, string, utf8};

/// Starts a program in a network namespace of its own, which has no interface but a loopback that is
/// down. Works for root, and for others where the kernel allows user namespaces.
const WITHOUT_NETWORK: &[&str] = &["unshare", "-rn"];

#[test]
fn ingest_search_and_ask_need_no_network() {
    let starter = without_network();
    let home = Home::new();
    let rag = |args: &[&str]| -> Run { harness::finish(&mut home.command_through(starter, args)) };
    let folder = fixtures().join("kb/logs");

    let report = rag(&["ingest", utf8(&folder), "--json"]).expect(0).json();
    assert_eq!(harness::total(&report, "read"), 2, "{report}");

    let run = rag(&["search", "bow thruster", "--json"]).expect(0);
    let best = &run.json()["hits"][0];
    assert_eq!(string(&best["source"]), "maintenance-petrel.txt", "{run}");

    let question = "Which serial number does the new gearbox of the Tern have?";
    let run = rag(&["ask", question, "--json", "--max-tokens", "48"]);
    assert!(matches!(run.code, Some(0 | 1)), "{run}");
    assert!(!list(&run.json()["hits"]).is_empty(), "{run}");
}

/// How to start a program without a network; nothing where the machine does not allow it, and then
/// every proxy and hub that the harness names refuses connections instead.
fn without_network() -> &'static [&'static str] {
    let interfaces = Command::new(WITHOUT_NETWORK[0])
        .args(&WITHOUT_NETWORK[1..])
        .args(["cat", "/proc/net/dev"])
        .stdin(Stdio::null())
        .output();
    match interfaces {
        Ok(output) if output.status.success() => {
            // Two lines of headings, then one for each interface.
            let text = String::from_utf8(output.stdout).unwrap();
            let names: Vec<&str> = text
                .lines()
                .skip(2)
                .filter_map(|line| line.split(':').next())
                .map(str::trim)
                .collect();
            assert_eq!(names, ["lo"], "the namespace has a way out");
            WITHOUT_NETWORK
        }
        _ => {
            harness::note(
                "`unshare -rn` is not allowed on this machine, so the network was not taken away: \
                 the offline test ran with proxies and a hub that refuse every connection",
            );
            &[]
        }
    }
}
