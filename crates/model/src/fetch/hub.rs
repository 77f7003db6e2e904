//! The Hugging Face hub over HTTP: resumed after a cut, hash checked. The only code that opens a socket.
//!
//! Addresses and headers are the hub's own: `{endpoint}/{repo}/resolve/{revision}/{file}` redirects to
//! a store and names the file's SHA-256 in `X-Linked-Etag` where the file is kept in Git LFS
//! (huggingface.co/docs/hub, and the `huggingface_hub` client for the layout of its cache).

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::{HeaderMap, Response, Uri};
use ureq::{Agent, Body};

use super::failure::Failure;
use super::part::{Leftover, Part, sha256_in};
use super::{Progress, cache, is_worth_telling};
use crate::catalogue::FileSpec;

/// Attempts without a single new byte before a download is given up.
const ATTEMPTS: u32 = 5;
/// Redirects followed for one file.
const HOPS: usize = 10;

/// Which hub, as whom, and where an earlier client may have left files.
#[derive(Clone)]
pub struct Hub {
    /// `https://huggingface.co` or a mirror, without a slash at the end.
    pub endpoint: String,
    /// Sent to the endpoint only, over HTTPS or to this machine itself, and never shown.
    pub token: Option<String>,
    /// The cache of other clients (`models--ORG--NAME/snapshots/…`).
    pub cache: Option<PathBuf>,
    /// Wait before the second attempt; the third waits twice as long, and so on.
    pub pause: Duration,
}

/// A file of a repository.
pub(crate) struct Wanted<'a> {
    pub(crate) repo: &'a str,
    pub(crate) revision: &'a str,
    pub(crate) file: &'a FileSpec,
}

/// What the hub says of a file.
#[derive(Debug, Default)]
struct Described {
    sha256: Option<String>,
    size: Option<u64>,
}

/// Why an attempt ended early.
enum Broken {
    /// The connection failed; another attempt may succeed.
    Cut(io::Error),
    /// No connection came about.
    Unreachable {
        host: String,
        cause: io::Error,
    },
    Final(Failure),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Final(failure)
    }
}

impl Hub {
    /// As the environment says: `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_CACHE`, `HF_HOME`.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    fn from_vars(var: impl Fn(&str) -> Option<String>) -> Self {
        let var = |name| var(name).filter(|value| !value.trim().is_empty());
        let home = || {
            var("HF_HOME").map(PathBuf::from).or_else(|| {
                let caches = var("XDG_CACHE_HOME").map(PathBuf::from);
                caches
                    .or_else(|| var("HOME").map(|home| Path::new(&home).join(".cache")))
                    .map(|caches| caches.join("huggingface"))
            })
        };
        let endpoint = var("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        Self {
            endpoint: endpoint.trim().trim_end_matches('/').to_owned(),
            token: var("HF_TOKEN").map(|token| token.trim().to_owned()),
            cache: var("HF_HUB_CACHE")
                .map(PathBuf::from)
                .or_else(|| home().map(|home| home.join("hub"))),
            pause: Duration::from_secs(2),
        }
    }

    /// Brings one file to `target` and gives its SHA-256: from the cache of another client if it is
    /// there, over the network otherwise.
    pub(crate) fn fetch(
        &self,
        wanted: &Wanted<'_>,
        target: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<String, Failure> {
        if let Some(cache) = &self.cache
            && let Some(sha256) = cache::take(cache, wanted, target, progress)?
        {
            return Ok(sha256);
        }
        self.download(wanted, target, progress)
    }

    fn download(
        &self,
        wanted: &Wanted<'_>,
        target: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<String, Failure> {
        let file = &wanted.file.path;
        let origin = format!("`{}`", self.endpoint);
        // What an earlier pull left can only be trusted where the end result is known.
        let leftover = if wanted.file.sha256.is_some() {
            Leftover::Continue
        } else {
            Leftover::Discard
        };
        let mut part = Part::open(target, leftover)?;
        let kept = part.len();
        progress(Progress::Started {
            file: file.clone(),
            size: wanted.file.size,
        });
        let hub_says = self.receive(wanted, &mut part, progress)?;
        let expected = wanted.file.sha256.clone().or(hub_says);
        let finished = match part.finish(expected.as_deref(), &origin) {
            Err(Failure::WrongHash { .. }) if kept > 0 => {
                progress(Progress::Note(format!(
                    "what an earlier download of `{file}` left does not fit; starting again"
                )));
                let mut part = Part::open(target, Leftover::Discard)?;
                self.receive(wanted, &mut part, progress)?;
                part.finish(expected.as_deref(), &origin)
            }
            finished => finished,
        }?;
        progress(Progress::Finished { file: file.clone() });
        Ok(finished)
    }

    /// Fills `part`, attempt after attempt, and gives the SHA-256 that the hub promises.
    fn receive(
        &self,
        wanted: &Wanted<'_>,
        part: &mut Part,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<String>, Failure> {
        let at_first = part.len();
        let mut idle = 0;
        loop {
            let before = part.len();
            let cause = match self.attempt(wanted, part, progress) {
                Ok(described) => return Ok(described.sha256),
                Err(Broken::Final(failure)) => return Err(failure),
                // Before anything arrived, waiting seldom helps; later, it does.
                Err(Broken::Unreachable { host, cause }) if part.len() == at_first => {
                    return Err(Failure::Offline { host, cause });
                }
                Err(Broken::Cut(cause) | Broken::Unreachable { cause, .. }) => cause,
            };
            idle = if part.len() > before { 1 } else { idle + 1 };
            let file = wanted.file.path.clone();
            if idle >= ATTEMPTS {
                return Err(Failure::Cut {
                    file,
                    attempts: idle,
                    done: part.len(),
                    cause,
                });
            }
            progress(Progress::Note(format!(
                "`{file}` broke off after {} bytes ({cause}); trying again",
                part.len()
            )));
            std::thread::sleep(self.pause * idle);
        }
    }

    /// One request for what is missing.
    fn attempt(
        &self,
        wanted: &Wanted<'_>,
        part: &mut Part,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Described, Broken> {
        let url = format!(
            "{}/{}/resolve/{}/{}",
            self.endpoint, wanted.repo, wanted.revision, wanted.file.path
        );
        let (mut response, mut described) = self.get(&url, part.len())?;
        let headers = response.headers();
        match response.status().as_u16() {
            200 => {
                described.size = described.size.or_else(|| number(headers, "content-length"));
                // The server sends everything, whatever was asked for.
                if part.len() > 0 {
                    part.restart()?;
                }
            }
            206 => {
                let range = ContentRange::of(headers);
                described.size = described.size.or(range.total);
                if range.start != Some(part.len()) {
                    part.restart()?;
                    return Err(cut("the server sent another range than the one asked for"));
                }
            }
            416 if ContentRange::of(headers).total == Some(part.len()) => return Ok(described),
            416 => {
                part.restart()?;
                return Err(cut("more bytes were here than the file has"));
            }
            404 => return Err(Failure::NotFound { url }.into()),
            status @ (401 | 403) => {
                let repo = wanted.repo.to_owned();
                return Err(Failure::Gated { repo, status }.into());
            }
            status @ (408 | 429 | 500..=599) => {
                return Err(cut(&format!("the server answered with status {status}")));
            }
            status => return Err(Failure::Refused { url, status }.into()),
        }
        copy(response.body_mut(), part, &wanted.file.path, progress)?;
        if described.size.is_some_and(|size| part.len() < size) {
            return Err(cut("the answer ended early"));
        }
        Ok(described)
    }

    /// Follows redirects by hand: the hub's first answer names the hash, and the token must not
    /// reach the store that it leads to.
    fn get(&self, url: &str, from: u64) -> Result<(Response<Body>, Described), Broken> {
        let mut described = Described::default();
        let mut here = url.to_owned();
        for _ in 0..HOPS {
            let at_hub = authority(&here) == authority(&self.endpoint);
            let response = self.ask(&here, from, at_hub)?;
            if at_hub {
                described.learn(response.headers());
            }
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok((response, described));
            }
            let location = response.headers().get("location");
            let location = location.and_then(|value| value.to_str().ok()).unwrap_or("");
            here = onwards(&here, location).map_err(|why| Failure::Redirect {
                url: url.to_owned(),
                why,
            })?;
        }
        let why = format!("more than {HOPS} redirects");
        Err(Failure::Redirect {
            url: url.to_owned(),
            why,
        }
        .into())
    }

    fn ask(&self, url: &str, from: u64, at_hub: bool) -> Result<Response<Body>, Broken> {
        let mut request = agent(url).get(url);
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        if let Some(token) = self.token.as_ref().filter(|_| at_hub && is_private(url)) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.call().map_err(|error| {
            let host = authority(url).unwrap_or_else(|| url.to_owned());
            match error {
                ureq::Error::Timeout(_) => Broken::Cut(error.into_io()),
                ureq::Error::BadUri(_) | ureq::Error::Http(_) => Failure::Redirect {
                    url: url.to_owned(),
                    why: error.to_string(),
                }
                .into(),
                error => Broken::Unreachable {
                    host,
                    cause: error.into_io(),
                },
            }
        })
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "(hidden)"))
            .field("cache", &self.cache)
            .field("pause", &self.pause)
            .finish()
    }
}

impl Described {
    fn learn(&mut self, headers: &HeaderMap) {
        for name in ["x-linked-etag", "etag"] {
            let tag = headers.get(name).and_then(|value| value.to_str().ok());
            let tag = tag.map(|tag| tag.trim_start_matches("W/").trim_matches('"'));
            self.sha256 = self.sha256.take().or_else(|| tag.and_then(sha256_in));
        }
        self.size = self.size.or_else(|| number(headers, "x-linked-size"));
    }
}

/// `Content-Range: bytes START-END/TOTAL`, or `bytes */TOTAL` (RFC 9110, section 14.4).
#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    start: Option<u64>,
    total: Option<u64>,
}

impl ContentRange {
    fn of(headers: &HeaderMap) -> Self {
        let value = headers.get("content-range").and_then(|v| v.to_str().ok());
        let (range, total) = value
            .and_then(|value| value.strip_prefix("bytes "))
            .and_then(|value| value.split_once('/'))
            .unwrap_or(("", ""));
        Self {
            start: range
                .split_once('-')
                .and_then(|(start, _)| start.parse().ok()),
            total: total.parse().ok(),
        }
    }
}

/// Reads a body into `part`; a failed read is a cut, a failed write is final.
fn copy(
    body: &mut Body,
    part: &mut Part,
    file: &str,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Broken> {
    let mut reader = body.as_reader();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = reader.read(&mut buffer).map_err(Broken::Cut)?;
        if read == 0 {
            return Ok(());
        }
        let before = part.len();
        part.write(&buffer[..read])?;
        if is_worth_telling(before, part.len()) {
            progress(Progress::Advanced {
                file: file.to_owned(),
                done: part.len(),
            });
        }
    }
}

/// Statuses and redirects are answers here, and nothing waits for ever. Proxies are those of the
/// environment, but never for this machine itself.
fn agent(url: &str) -> Agent {
    let slow = Some(Duration::from_mins(1));
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("rag/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(Duration::from_secs(20)))
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(slow)
        .timeout_per_read(slow);
    if is_this_machine(url) {
        config = config.proxy(None);
    }
    config.build().new_agent()
}

/// Nobody on the way can read what is sent there.
fn is_private(url: &str) -> bool {
    url.starts_with("https://") || is_this_machine(url)
}

fn is_this_machine(url: &str) -> bool {
    let uri = url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host);
    matches!(host, Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// Where a redirect leads. From HTTPS it never leads to plain HTTP.
fn onwards(here: &str, location: &str) -> Result<String, String> {
    if location.starts_with("https://") {
        return Ok(location.to_owned());
    }
    if location.starts_with("http://") {
        return if here.starts_with("https://") {
            Err(format!("a redirect from HTTPS to `{location}`"))
        } else {
            Ok(location.to_owned())
        };
    }
    match here.parse::<Uri>() {
        Ok(uri) if location.starts_with('/') && !location.starts_with("//") => Ok(format!(
            "{}://{}{location}",
            uri.scheme_str().unwrap_or("https"),
            uri.authority().map_or("", |authority| authority.as_str())
        )),
        _ => Err(format!("a redirect to `{location}`")),
    }
}

fn authority(url: &str) -> Option<String> {
    let uri = url.parse::<Uri>().ok()?;
    Some(uri.authority()?.as_str().to_ascii_lowercase())
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

fn cut(why: &str) -> Broken {
    Broken::Cut(io::Error::new(io::ErrorKind::UnexpectedEof, why.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};
    use std::thread::JoinHandle;

    use rag_core::{Code, Error};

    use super::*;
    use crate::catalogue::Role;
    use crate::fetch::part::hex;

    /// What a client asked for.
    #[derive(Debug, Clone)]
    struct Request {
        path: String,
        from: Option<usize>,
        token: Option<String>,
    }

    /// What it gets: `declared` bytes are promised, those of `body` are sent.
    struct Reply {
        status: u16,
        headers: String,
        declared: usize,
        body: Vec<u8>,
    }

    impl Reply {
        fn status(status: u16, headers: &str) -> Self {
            Self {
                status,
                headers: headers.to_owned(),
                declared: 0,
                body: Vec::new(),
            }
        }

        /// A whole file, or the range of it that was asked for.
        fn file(content: &[u8], request: &Request) -> Self {
            let from = request.from.unwrap_or(0);
            let body = content[from..].to_vec();
            let last = content.len() - 1;
            let (status, headers) = match request.from {
                None => (200, String::new()),
                Some(_) => (
                    206,
                    format!("Content-Range: bytes {from}-{last}/{}\r\n", content.len()),
                ),
            };
            Self {
                status,
                headers,
                declared: body.len(),
                body,
            }
        }

        /// Sends only the first bytes of what it promises.
        fn cut_after(mut self, bytes: usize) -> Self {
            self.body.truncate(bytes);
            self
        }
    }

    /// A web server on the loopback interface that answers from a script and remembers.
    struct Server {
        endpoint: String,
        seen: Arc<Mutex<Vec<(Request, usize)>>>,
        stop: Arc<AtomicBool>,
        thread: Option<JoinHandle<()>>,
    }

    impl Server {
        fn start(mut answer: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let endpoint = format!("http://{}", listener.local_addr().unwrap());
            let seen: Arc<Mutex<Vec<(Request, usize)>>> = Arc::default();
            let stop = Arc::new(AtomicBool::new(false));
            let thread = std::thread::spawn({
                let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
                move || {
                    for stream in listener.incoming() {
                        if stop.load(Ordering::SeqCst) {
                            return;
                        }
                        let mut stream = stream.unwrap();
                        let request = read_request(&stream);
                        let reply = answer(&request);
                        seen.lock().unwrap().push((request, reply.body.len()));
                        let head = format!(
                            "HTTP/1.1 {} X\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n",
                            reply.status, reply.headers, reply.declared
                        );
                        stream.write_all(head.as_bytes()).unwrap();
                        stream.write_all(&reply.body).unwrap();
                    }
                }
            });
            Self {
                endpoint,
                seen,
                stop,
                thread: Some(thread),
            }
        }

        fn hub(&self) -> Hub {
            Hub {
                endpoint: self.endpoint.clone(),
                token: None,
                cache: None,
                pause: Duration::ZERO,
            }
        }

        fn requests(&self) -> Vec<Request> {
            let seen = self.seen.lock().unwrap();
            seen.iter().map(|(request, _)| request.clone()).collect()
        }

        fn bytes_sent(&self) -> Vec<usize> {
            self.seen
                .lock()
                .unwrap()
                .iter()
                .map(|(_, sent)| *sent)
                .collect()
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            self.stop.store(true, Ordering::SeqCst);
            let address = self.endpoint.trim_start_matches("http://");
            drop(TcpStream::connect(address));
            self.thread.take().unwrap().join().unwrap();
        }
    }

    fn read_request(stream: &TcpStream) -> Request {
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
        let mut request = Request {
            path,
            from: None,
            token: None,
        };
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').unwrap();
            match name.to_ascii_lowercase().as_str() {
                "range" => {
                    let from = value
                        .trim()
                        .trim_start_matches("bytes=")
                        .trim_end_matches('-');
                    request.from = Some(from.parse().unwrap());
                }
                "authorization" => request.token = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        request
    }

    /// 100 kB in which no two places look alike.
    fn content() -> Vec<u8> {
        (0..50_000_u32)
            .flat_map(|n| ((n % 65_521) as u16).to_le_bytes())
            .collect()
    }

    fn hash(bytes: &[u8]) -> String {
        use sha2::{Digest, Sha256};
        hex(&Sha256::digest(bytes))
    }

    fn spec(pin: Option<String>) -> FileSpec {
        FileSpec {
            path: "model.gguf".to_owned(),
            role: Role::Weights,
            size: 100_000,
            size_is_estimate: false,
            sha256: pin,
        }
    }

    fn fetch(hub: &Hub, file: &FileSpec, target: &Path) -> (Result<String, Error>, Vec<Progress>) {
        let wanted = Wanted {
            repo: "org/name",
            revision: "main",
            file,
        };
        let mut seen = Vec::new();
        let result = hub.fetch(&wanted, target, &mut |progress| seen.push(progress));
        (result.map_err(Error::from), seen)
    }

    #[test]
    fn a_download_that_is_cut_goes_on_with_the_missing_bytes_only() {
        let server = Server::start(|request| {
            let reply = Reply::file(&content(), request);
            if request.from.is_none() {
                reply.cut_after(60_000)
            } else {
                reply
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("model.gguf");
        let pin = hash(&content());
        let (found, progress) = fetch(&server.hub(), &spec(Some(pin.clone())), &target);
        assert_eq!(found.unwrap(), pin);
        assert_eq!(fs::read(&target).unwrap(), content());
        assert_eq!(server.bytes_sent(), [60_000, 40_000]);
        assert_eq!(server.requests()[1].from, Some(60_000));
        assert_eq!(
            server.requests()[0].path,
            "/org/name/resolve/main/model.gguf"
        );
        assert_eq!(
            progress.last(),
            Some(&Progress::Finished {
                file: "model.gguf".to_owned()
            })
        );
    }

    #[test]
    fn what_an_earlier_pull_left_is_not_sent_again() {
        let server = Server::start(|request| Reply::file(&content(), request));
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("model.gguf");
        fs::write(dir.path().join("model.gguf.part"), &content()[..99_000]).unwrap();
        fetch(&server.hub(), &spec(Some(hash(&content()))), &target)
            .0
            .unwrap();
        assert_eq!(server.bytes_sent(), [1_000]);
        assert_eq!(fs::read(&target).unwrap(), content());
    }

    #[test]
    fn a_leftover_of_another_file_is_thrown_away_once_and_the_file_fetched_whole() {
        let server = Server::start(|request| Reply::file(&content(), request));
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("model.gguf");
        fs::write(dir.path().join("model.gguf.part"), b"something else").unwrap();
        fetch(&server.hub(), &spec(Some(hash(&content()))), &target)
            .0
            .unwrap();
        assert_eq!(server.bytes_sent(), [99_986, 100_000]);
        assert_eq!(fs::read(&target).unwrap(), content());
    }

    #[test]
    fn a_server_that_ignores_ranges_is_read_from_the_start() {
        let mut first = true;
        let server = Server::start(move |request| {
            let whole = Request {
                from: None,
                ..request.clone()
            };
            let reply = Reply::file(&content(), &whole);
            if std::mem::take(&mut first) {
                reply.cut_after(10)
            } else {
                reply
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("model.gguf");
        fetch(&server.hub(), &spec(Some(hash(&content()))), &target)
            .0
            .unwrap();
        assert_eq!(fs::read(&target).unwrap(), content());
    }

    #[test]
    fn a_download_that_never_gets_further_is_given_up_and_says_what_is_kept() {
        let server = Server::start(|request| {
            let reply = Reply::file(&content(), request);
            if request.from.is_none() {
                reply.cut_after(500)
            } else {
                reply.cut_after(0)
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("model.gguf");
        let (failed, _) = fetch(&server.hub(), &spec(Some(hash(&content()))), &target);
        let error = failed.unwrap_err();
        assert_eq!(error.code, Code::Network);
        assert_eq!(
            error.fact,
            "the download of `model.gguf` broke off 5 times; 500 bytes are kept"
        );
        assert!(!target.exists());
        assert_eq!(
            fs::read(dir.path().join("model.gguf.part")).unwrap().len(),
            500
        );
    }

    #[test]
    fn a_file_with_the_wrong_hash_is_refused_by_name_and_removed() {
        let server = Server::start(|request| Reply::file(b"tampered with", request));
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("model.gguf");
        let (failed, _) = fetch(&server.hub(), &spec(Some(hash(&content()))), &target);
        let error = failed.unwrap_err();
        assert_eq!(error.code, Code::ModelInvalid);
        for part in [
            "`model.gguf`",
            "was removed",
            &hash(&content()),
            &hash(b"tampered with"),
        ] {
            assert!(error.fact.contains(part), "{}", error.fact);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn without_a_pin_the_hash_that_the_hub_names_is_checked() {
        let promised = hash(&content());
        let server = Server::start(move |request| {
            let mut reply = Reply::file(b"another file", request);
            reply.headers = format!("X-Linked-Etag: \"{promised}\"\r\n");
            reply
        });
        let dir = tempfile::tempdir().unwrap();
        let (failed, _) = fetch(&server.hub(), &spec(None), &dir.path().join("model.gguf"));
        assert!(failed.unwrap_err().fact.contains(&hash(&content())));
    }

    #[test]
    fn the_token_goes_to_the_hub_and_not_to_the_store_behind_it() {
        let store = Server::start(|request| Reply::file(&content(), request));
        let location = format!("Location: {}/blob\r\n", store.endpoint);
        let server = Server::start(move |request| match request.path.as_str() {
            "/moved" => Reply::status(302, &location),
            _ => Reply::status(307, "Location: /moved\r\n"),
        });
        let hub = Hub {
            token: Some("secret".to_owned()),
            ..server.hub()
        };
        let dir = tempfile::tempdir().unwrap();
        fetch(
            &hub,
            &spec(Some(hash(&content()))),
            &dir.path().join("model.gguf"),
        )
        .0
        .unwrap();
        let tokens: Vec<_> = server.requests().into_iter().map(|r| r.token).collect();
        assert_eq!(
            tokens,
            [
                Some("Bearer secret".to_owned()),
                Some("Bearer secret".to_owned())
            ]
        );
        assert_eq!(store.requests()[0].token, None);
        assert!(!format!("{hub:?}").contains("secret"));
    }

    #[test]
    fn what_the_server_says_becomes_a_fact_and_a_hint() {
        let cases = [
            (404, "does not exist (status 404)", "rag models add"),
            (
                401,
                "`org/name` is not open to this request (status 401)",
                "HF_TOKEN",
            ),
            (
                403,
                "`org/name` is not open to this request (status 403)",
                "HF_TOKEN",
            ),
            (418, "was refused (status 418)", "try again later"),
            (503, "broke off 5 times; 0 bytes are kept", "pull again"),
        ];
        for (status, fact, hint) in cases {
            let server = Server::start(move |_| Reply::status(status, ""));
            let dir = tempfile::tempdir().unwrap();
            let (failed, _) = fetch(&server.hub(), &spec(None), &dir.path().join("model.gguf"));
            let error = failed.unwrap_err();
            assert_eq!(error.code, Code::Network);
            assert!(error.fact.contains(fact), "{}", error.fact);
            assert!(error.hint.unwrap().contains(hint));
        }
    }

    #[test]
    fn without_a_network_the_host_is_named_and_a_mirror_suggested() {
        // A port that was free a moment ago: nobody listens there.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let hub = Hub {
            endpoint: format!("http://{address}"),
            token: None,
            cache: None,
            pause: Duration::ZERO,
        };
        let dir = tempfile::tempdir().unwrap();
        let (failed, _) = fetch(&hub, &spec(None), &dir.path().join("model.gguf"));
        let error = failed.unwrap_err();
        assert_eq!(error.fact, format!("no connection to `{address}`"));
        assert!(error.hint.unwrap().contains("HF_ENDPOINT"));
    }

    /// A cache as the Python client lays it out: the file by its hash, and a link in the snapshot.
    fn cache_with(bytes: &[u8], dir: &Path) -> Hub {
        let repo = dir.join("hub/models--org--name");
        let snapshot = repo.join("snapshots/0123abcd");
        fs::create_dir_all(&snapshot).unwrap();
        fs::create_dir_all(repo.join("blobs")).unwrap();
        fs::create_dir_all(repo.join("refs")).unwrap();
        fs::write(repo.join("refs/main"), "0123abcd").unwrap();
        let blob = repo.join("blobs").join(hash(&content()));
        fs::write(&blob, bytes).unwrap();
        std::os::unix::fs::symlink(&blob, snapshot.join("model.gguf")).unwrap();
        Hub {
            endpoint: "http://127.0.0.1:1".to_owned(),
            token: None,
            cache: Some(dir.join("hub")),
            pause: Duration::ZERO,
        }
    }

    #[test]
    fn a_file_in_the_cache_of_another_client_opens_no_connection() {
        for pin in [None, Some(hash(&content()))] {
            let dir = tempfile::tempdir().unwrap();
            let hub = cache_with(&content(), dir.path());
            let target = dir.path().join("model.gguf");
            let (found, progress) = fetch(&hub, &spec(pin), &target);
            assert_eq!(found.unwrap(), hash(&content()));
            assert_eq!(fs::read(&target).unwrap(), content());
            assert!(!target.is_symlink());
            assert!(matches!(&progress[..], [Progress::Note(note)] if note.contains("taken from")));
        }
    }

    #[test]
    fn a_cached_file_that_was_tampered_with_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(|request| Reply::file(&content(), request));
        let hub = Hub {
            endpoint: server.endpoint.clone(),
            ..cache_with(b"tampered with", dir.path())
        };
        let target = dir.path().join("model.gguf");
        fetch(&hub, &spec(Some(hash(&content()))), &target)
            .0
            .unwrap();
        assert_eq!(fs::read(&target).unwrap(), content());
        assert_eq!(server.requests().len(), 1);
    }

    #[test]
    fn the_environment_names_the_mirror_the_token_and_the_cache() {
        let hub = Hub::from_vars(|name| {
            let value = match name {
                "HF_ENDPOINT" => "https://hf-mirror.com/",
                "HF_TOKEN" => "secret\n",
                "HF_HOME" => "/data/hf",
                _ => return None,
            };
            Some(value.to_owned())
        });
        assert_eq!(hub.endpoint, "https://hf-mirror.com");
        assert_eq!(hub.token.as_deref(), Some("secret"));
        assert_eq!(hub.cache.as_deref(), Some(Path::new("/data/hf/hub")));
        let hub = Hub::from_vars(|name| (name == "HOME").then(|| "/home/me".to_owned()));
        assert_eq!(hub.endpoint, "https://huggingface.co");
        assert_eq!(
            hub.cache.as_deref(),
            Some(Path::new("/home/me/.cache/huggingface/hub"))
        );
    }

    #[test]
    fn a_redirect_never_leaves_https_and_the_token_never_goes_in_the_clear() {
        assert!(onwards("https://hub/a", "http://store/b").is_err());
        assert!(onwards("https://hub/a", "//store/b").is_err());
        assert_eq!(onwards("https://hub/a", "/b").unwrap(), "https://hub/b");
        assert_eq!(
            onwards("http://hub/a", "https://s/b").unwrap(),
            "https://s/b"
        );
        assert!(is_private("https://mirror/x") && is_private("http://127.0.0.1:80/x"));
        assert!(!is_private("http://mirror/x"));
    }
}
