//! The process as the operating system sees it, under the names that every exporter uses.
//!
//! Linux tells it in `/proc`; elsewhere these metrics are absent.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// Linux counts processor time in hundredths of a second, whatever its kernel's own clock.
const TICKS_PER_SECOND: f64 = 100.0;
/// The size of a page where nothing else is configured.
const PAGE: u64 = 4096;

#[derive(Debug)]
struct Process;

/// Adds them; what they are called does not begin with the name of the program.
pub(super) fn register(registry: &mut Registry) {
    registry.register_collector(Box::new(Process));
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut gauge = |name: &str, help: &str, value: Option<f64>| {
            let Some(value) = value else { return Ok(()) };
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        gauge("process_resident_memory_bytes", "Memory in use", resident().map(|bytes| bytes as f64))?;
        gauge("process_open_fds", "Open files and sockets", open_files().map(|n| n as f64))?;
        gauge("process_max_fds", "Files and sockets that may be open", most_files())?;
        gauge("process_start_time_seconds", "When the process started, in seconds since 1970", started())?;
        if let Some(seconds) = processor_time() {
            let counter = ConstCounter::new(seconds);
            let help = "Processor time used";
            counter.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}

fn resident() -> Option<u64> {
    let pages: u64 = fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}

/// Fields of /proc/self/stat from the third on: the second, the name, may hold anything.
fn stat(at: usize) -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    text.rsplit(')').next()?.split_whitespace().nth(at - 3)?.parse().ok()
}

fn processor_time() -> Option<f64> {
    Some((stat(14)? + stat(15)?) / TICKS_PER_SECOND)
}

fn started() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + stat(22)? / TICKS_PER_SECOND)
}

fn open_files() -> Option<usize> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count())
}

fn most_files() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}
