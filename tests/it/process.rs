//! The real binary as a child process, watched from outside: its memory, its processor time, its end.

use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::trial::{Fault, Outcome};
use crate::warehouse;

/// How long a start may take, recovery after a kill included.
const START: Duration = Duration::from_secs(60);
/// Linux counts processor time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// A running `audiencedb serve`; killed when dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub port: u16,
    /// All that it has logged.
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Serves the warehouse in `data` on a free port and waits until it is ready.
    pub fn start(data: &Path) -> Outcome<Self> {
        Self::start_with(data, &[])
    }

    /// The same with further arguments.
    pub fn start_with(data: &Path, arguments: &[&str]) -> Outcome<Self> {
        Self::start_command(&[&["serve"], arguments].concat(), data)
    }

    /// The same with a command that ends up serving, and its arguments.
    pub fn start_command(command_line: &[&str], data: &Path) -> Outcome<Self> {
        let mut command = Command::new(binary());
        command.args(command_line).arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let log = child.stderr.take().ok_or("no log")?;
        let (sender, ready) = mpsc::channel();
        let seen = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&seen);
        std::thread::spawn(move || {
            // Read to the end: a full pipe would stop the server.
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                if let Ok(mut seen) = written.lock() {
                    seen.push_str(&line);
                    seen.push('\n');
                }
                if let Some(port) = port_of(&line, "listening on ") {
                    let _ = sender.send(Ok(port));
                }
            }
            let all = written.lock().map(|seen| seen.clone()).unwrap_or_default();
            let _ = sender.send(Err(all));
        });
        match ready.recv_timeout(START) {
            Ok(Ok(port)) => Ok(Self { child, port, log: seen }),
            Ok(Err(log)) => {
                let status = child.wait()?;
                Err(Fault::from(format!("the server ended with {status}:\n{log}")))
            }
            Err(_) => {
                let _ = child.kill();
                Err(Fault::from("the server was not ready in time"))
            }
        }
    }

    /// A new connection.
    pub async fn connect(&self) -> Outcome<Client> {
        warehouse::connect(self.port).await
    }

    /// Where it answers over HTTP.
    pub fn http_port(&self) -> Option<u16> {
        self.log.lock().ok()?.lines().find_map(|line| port_of(line, "on http://"))
    }

    /// Waits for the end, and returns all that was logged.
    pub fn log(mut self, longest: Duration) -> Outcome<String> {
        self.wait(longest)?;
        // The thread that reads may be a line behind the process.
        std::thread::sleep(Duration::from_millis(200));
        Ok(self.log.lock().map_err(|e| e.to_string())?.clone())
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// kill -9, and waits for the end.
    pub fn kill(mut self) -> Outcome {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, the polite one.
    pub fn terminate(&self) -> Outcome {
        let status = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        if status.success() { Ok(()) } else { Err(Fault::from("kill -TERM failed")) }
    }

    /// Waits for the end.
    pub fn wait(&mut self, longest: Duration) -> Outcome<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if start.elapsed() > longest {
                return Err(Fault::from(format!("still running after {longest:?}")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Processor time used so far.
    pub fn cpu(&self) -> Outcome<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        // The name in parentheses may hold anything, so fields are counted from behind it.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<u32>().ok()).ok_or("no processor time");
        Ok(TICK * (ticks(11)? + ticks(12)?))
    }

    /// Processor time used during the next second, as a share of one core.
    pub async fn load(&self) -> Outcome<f64> {
        let (before, start) = (self.cpu()?, Instant::now());
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok((self.cpu()? - before).as_secs_f64() / start.elapsed().as_secs_f64())
    }

    /// Bytes of memory in use.
    pub fn memory(&self) -> Outcome<u64> {
        self.status("VmRSS:")
    }

    /// The most bytes in use since [`Server::forget_peak`].
    pub fn peak(&self) -> Outcome<u64> {
        self.status("VmHWM:")
    }

    /// Starts the peak anew.
    pub fn forget_peak(&self) -> Outcome {
        Ok(std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5")?)
    }

    fn status(&self, field: &str) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such field")?;
        let kibibytes = line.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).ok_or("no number")?;
        Ok(kibibytes * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What Cargo built beside this test, or what `AUDIENCEDB_BIN` names. `cargo build` has to come first: Cargo does
/// not build another package's binary for a test.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("AUDIENCEDB_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().unwrap_or_else(|e| panic!("where is this test: {e}"));
    // target/release/deps/it-0123456789abcdef
    let folder = test.parent().and_then(Path::parent).unwrap_or_else(|| panic!("{} has no folder", test.display()));
    folder.join("audiencedb")
}

fn port_of(line: &str, before: &str) -> Option<u16> {
    let address = line.split(before).nth(1)?.split([' ', '"']).next()?;
    let digits: String = address.rsplit(':').next()?.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Runs the binary to its end.
pub fn run(arguments: &[&str]) -> Outcome<Output> {
    Ok(Command::new(binary()).args(arguments).stdin(Stdio::null()).output()?)
}

/// The same with these environment variables.
pub fn run_with(arguments: &[&str], variables: &[(&str, &str)]) -> Outcome<Output> {
    let mut command = Command::new(binary());
    Ok(command.args(arguments).envs(variables.iter().copied()).stdin(Stdio::null()).output()?)
}

/// `audiencedb query` as CSV: the rows without the header.
pub fn query(data: &Path, sql: &str) -> Outcome<Vec<String>> {
    let output = run(&["query", sql, "--data", &data.to_string_lossy(), "--format", "csv"])?;
    if !output.status.success() {
        return Err(Fault::from(format!("{sql}: {}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().skip(1).map(str::to_owned).collect())
}

/// Starts the binary, lets it run for this long, and kills it unless it ended before. True: it was killed.
pub fn run_and_kill(arguments: &[&str], after: Duration) -> Outcome<bool> {
    let mut log = tempfile::tempfile()?;
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.try_clone()?);
    let mut child = command.spawn()?;
    let start = Instant::now();
    while start.elapsed() < after {
        if let Some(status) = child.try_wait()? {
            let mut text = String::new();
            log.rewind()?;
            log.read_to_string(&mut text)?;
            return if status.success() { Ok(false) } else { Err(Fault::from(format!("ended with {status}: {text}"))) };
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill()?;
    child.wait()?;
    Ok(true)
}
