//! Operation: settings from files and the environment, the log, metrics and health over HTTP, limits of connections.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::Trial;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::{Server, run, run_with};
use crate::raw::{Raw, query};
use crate::trial::{Fault, Outcome, ensure, refused, same, trial};
use crate::warehouse::{address, try_connect, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("operation::reference_is_the_defaults", reference_is_the_defaults),
        trial("operation::every_key_is_documented", every_key_is_documented),
        trial("operation::mistakes_are_named", mistakes_are_named),
        trial("operation::file_environment_flags", file_environment_flags),
        trial("operation::log", log),
        trial("operation::http", http),
        trial("operation::connections_are_limited", connections_are_limited),
        trial("operation::heavy_statements_wait", heavy_statements_wait),
        trial("operation::spill_is_limited_and_cleaned", spill_is_limited_and_cleaned),
    ]
}

fn said(arguments: &[&str]) -> Outcome<String> {
    let output = run(arguments)?;
    ensure(output.status.success(), String::from_utf8_lossy(&output.stderr))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `key = value` lines with their section, as `section.key`; those in comments as well if asked for.
fn keys(text: &str, comments: bool) -> BTreeMap<String, String> {
    let mut section = String::new();
    let mut keys = BTreeMap::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = format!("{name}.");
        }
        let line = if comments { line.strip_prefix("# ").unwrap_or(line) } else { line };
        if let Some((key, value)) = line.split_once(" = ") {
            if key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                keys.insert(format!("{section}{key}"), value.to_owned());
            }
        }
    }
    keys
}

async fn reference_is_the_defaults() -> Outcome {
    let folder = TempDir::new()?;
    let reference = folder.path().join("reference.toml");
    std::fs::write(&reference, said(&["config"])?)?;
    let defaults = said(&["config", "--effective"])?;
    same("what the file says", said(&["config", "--effective", "--config", &text(&reference)])?, defaults.as_str())?;
    same("serve --print-config", said(&["serve", "--print-config"])?, said(&["config"])?)
}

/// Every key that has a default stands in the reference, and every key of the reference, in a comment or not, is one
/// that is taken, with words above it.
async fn every_key_is_documented() -> Outcome {
    let folder = TempDir::new()?;
    let reference = said(&["config"])?;
    let documented = keys(&reference, true);
    for key in keys(&said(&["config", "--effective"])?, false).keys().filter(|key| !key.starts_with("store.")) {
        ensure(documented.contains_key(key), format_args!("{key} is not in the reference"))?;
    }
    let all: Vec<String> = reference
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => rest.to_owned(),
            _ => line.to_owned(),
        })
        .map(|line| if line.starts_with("plaintext = ") { "plaintext = \"never\"".to_owned() } else { line })
        .collect();
    let path = folder.path().join("all.toml");
    std::fs::write(&path, all.join("\n"))?;
    let effective = keys(&said(&["config", "--effective", "--config", &text(&path)])?, false);
    for key in documented.keys() {
        ensure(effective.contains_key(key), format_args!("{key} is in the reference and is no setting"))?;
    }
    ensure(!effective.values().any(|value| value.contains("...")), "secrets are shown")?;
    let mut above = "";
    for line in reference.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let is_key =
            documented.keys().any(|key| bare.starts_with(&format!("{} = ", key.rsplit('.').next().unwrap_or(key))));
        ensure(!is_key || above.starts_with('#') || above.contains(" = "), format_args!("nothing is said of {line}"))?;
        above = line;
    }
    Ok(())
}

async fn mistakes_are_named() -> Outcome {
    let folder = TempDir::new()?;
    let path = folder.path().join("c.toml");
    for (file, wanted) in [
        ("data = \"x\"\nlistn = \"y\"\n", "c.toml:2: unknown key \"listn\" (F0000)\nhint: perhaps \"listen\" is meant"),
        ("[tls]\nplaintxt = \"never\"\n", "c.toml:2: unknown key \"plaintxt\""),
        ("[tsl]\n", "c.toml:1: unknown key \"tsl\" (F0000)\nhint: perhaps \"tls\" is meant"),
        ("\n\ndata = 5\n", "c.toml:3: invalid type: integer `5`, expected a string"),
        ("[memory]\nlimit = \"4XB\"\n", "c.toml:2: invalid value: string \"4XB\", expected a size such as"),
        ("listen = \"nowhere\"\n", "c.toml:1:"),
        ("data = \n", "c.toml:1:"),
        ("[tls]\ncert = \"x\"\n", "tls.cert and tls.key are only of use together"),
        ("[tls]\nplaintext = \"never\"\n", "there is no certificate"),
        ("max_connections = 3\n", "superuser_reserved_connections has to be less"),
        ("[log]\nlevel = \"loud,,=\"\n", "log.level"),
        ("[store]\nPASSWORD = \"x\"\n", "store.PASSWORD does not begin with AWS_"),
    ] {
        std::fs::write(&path, file)?;
        let output = run(&["serve", "--config", &text(&path), "--data", "memory://", "--listen", "127.0.0.1:0"])?;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        same("exit code", output.status.code(), Some(1))?;
        ensure(words.contains(wanted), format_args!("{file:?}: {words}"))?;
    }
    let output = run_with(&["config", "--effective"], &[("AUDIENCEDB_MAX_CONNECTIONS", "many")])?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure(words.contains("AUDIENCEDB_MAX_CONNECTIONS is not a number"), words)
}

async fn file_environment_flags() -> Outcome {
    let folder = TempDir::new()?;
    let path = folder.path().join("c.toml");
    std::fs::write(&path, "max_connections = 11\nsuperuser_reserved_connections = 2\ndata = \"from-file\"\n")?;
    let file = text(&path);
    let variables = [
        ("AUDIENCEDB_CONFIG", file.as_str()),
        ("AUDIENCEDB_DATA", "from-environment"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
    ];
    let output = run_with(&["config", "--effective"], &variables)?;
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let keys = keys(&shown, false);
    same("file over default", keys.get("max_connections").map(String::as_str), Some("11"))?;
    same("environment over file", keys.get("data").map(String::as_str), Some("\"from-environment\""))?;
    ensure(!shown.contains("hush"), "a secret is shown")?;
    let data = folder.path().join("from-flag");
    let flags = ["query", "SELECT 1", "--data", &text(&data)];
    ensure(run_with(&flags, &variables)?.status.success(), "the query failed")?;
    ensure(data.exists() && !Path::new("from-environment").exists(), "the flag did not win")
}

async fn log() -> Outcome {
    let folder = TempDir::new()?;
    let config = folder.path().join("c.toml");
    std::fs::write(&config, "[log]\nformat = \"json\"\nlog_statement = \"ddl\"\nlog_min_duration_statement = \"0\"\n")?;
    let server = Server::start_with(&folder.path().join("data"), &["--config", &text(&config)])?;
    let client = server.connect().await?;
    client.batch_execute("CREATE TABLE t (secret_name text)").await?;
    client.batch_execute("SELECT 'data of a customer' AS x").await?;
    refused(client.batch_execute("SELECT 'not to be written' FROM missing").await, "42P01")?;
    let _ = client.batch_execute("CREATE ROLE ana PASSWORD 'hush'").await;
    drop(client);
    server.terminate()?;
    let lines = server.log(Duration::from_secs(20))?;
    for line in lines.lines() {
        let json: serde_json::Value = serde_json::from_str(line).map_err(|e| format!("{line}: {e}"))?;
        ensure(json["time"].is_string() && json["level"].is_string(), line)?;
    }
    let found = |words: &[&str]| lines.lines().any(|line| words.iter().all(|word| line.contains(word)));
    ensure(found(&["connection authorized", "\"user\":\"postgres\"", "\"tls\":false"]), &lines)?;
    ensure(found(&["\"message\":\"duration\"", "data of a customer", " ms\""]), &lines)?;
    ensure(found(&["\"message\":\"statement failed\"", "\"sqlstate\":\"42P01\""]), &lines)?;
    ensure(found(&["disconnection"]) && found(&["holds the write lease"]) && found(&["stopped"]), &lines)?;
    ensure(!lines.contains("hush") && !lines.contains("not to be written"), &lines)
}

/// Status line and body of the answer to these bytes.
async fn ask(port: u16, request: &[u8]) -> Outcome<(String, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(request).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| Fault::from(format!("no answer: {answer}")))?;
    Ok((head.lines().next().unwrap_or("").to_owned(), body.to_owned()))
}

async fn get(port: u16, path: &str) -> Outcome<(String, String)> {
    ask(port, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await
}

async fn http() -> Outcome {
    let folder = TempDir::new()?;
    let server = Server::start_with(folder.path(), &["--http", "127.0.0.1:0"])?;
    let port = server.http_port().ok_or("no HTTP listener")?;
    let client = server.connect().await?;
    client.batch_execute("CREATE TABLE t (n integer)").await?;
    client.batch_execute("INSERT INTO t VALUES (1), (2)").await?;
    value(&client, "SELECT count(*) FROM t").await?;
    refused(client.batch_execute("SELECT * FROM missing").await, "42P01")?;

    let (status, metrics) = get(port, "/metrics").await?;
    same("status", status.as_str(), "HTTP/1.1 200 OK")?;
    for line in [
        "audiencedb_connections_open 1",
        "audiencedb_statements_total{command=\"INSERT\"} 1",
        "audiencedb_statements_total{command=\"SELECT\"} 1",
        "audiencedb_statement_errors_total{sqlstate_class=\"42\"} 1",
        "audiencedb_rows_sent_total 1",
        "audiencedb_commits_total 2",
        "audiencedb_write_lease_held 1",
        "audiencedb_heavy_statements_waiting 0",
    ] {
        ensure(metrics.lines().any(|l| l == line), format_args!("{line} is not in\n{metrics}"))?;
    }
    ensure(metrics.ends_with("# EOF\n"), "the text has no end")?;
    same("health", get(port, "/healthz").await?, ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()))?;
    let (status, body) = get(port, "/readyz").await?;
    let ready: serde_json::Value = serde_json::from_str(&body).map_err(|e| e.to_string())?;
    same("readiness", (status.as_str(), ready["readable"].as_bool()), ("HTTP/1.1 200 OK", Some(true)))?;
    same("writable", ready["writable"].as_bool(), Some(true))?;

    for (request, code) in [
        (&b"GET /other HTTP/1.1\r\n\r\n"[..], "404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "405"),
        (b"nonsense\r\n\r\n", "400"),
        (b"GET /metrics\r\n\r\n", "400"),
        (&[b'a'; 9000], "431"),
    ] {
        let (status, _) = ask(port, request).await?;
        ensure(status.starts_with(&format!("HTTP/1.1 {code}")), format_args!("{code}: {status}"))?;
    }
    let (status, body) = ask(port, b"HEAD /healthz HTTP/1.1\r\n\r\n").await?;
    same("HEAD", (status.as_str(), body.as_str()), ("HTTP/1.1 200 OK", ""))?;
    // Connections that say nothing do not keep others out for ever, and not the server from stopping.
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(("127.0.0.1", port)).await?);
    }
    let (status, _) = tokio::time::timeout(Duration::from_secs(60), get(port, "/healthz")).await??;
    same("status behind silent ones", status.as_str(), "HTTP/1.1 200 OK")?;
    drop(client);
    server.terminate()?;
    let mut server = server;
    same("exit code", server.wait(Duration::from_secs(20))?.code(), Some(0))
}

async fn connections_are_limited() -> Outcome {
    let folder = TempDir::new()?;
    let config = folder.path().join("c.toml");
    std::fs::write(&config, "superuser_reserved_connections = 0\nmax_connections = 2\n")?;
    let server = Server::start_with(&folder.path().join("data"), &["--config", &text(&config)])?;
    let first = server.connect().await?;
    let second = server.connect().await?;
    let message = refused(try_connect(&address(server.port)).await, "53300")?;
    same("message", message.as_str(), "sorry, too many clients already")?;
    drop(first);
    for _ in 0..100 {
        if let Ok(client) = try_connect(&address(server.port)).await {
            same("one more", value(&client, "SELECT 1").await?.as_str(), "1")?;
            return same("and the other", value(&second, "SELECT 1").await?.as_str(), "1");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(Fault::from("a place was not given back"))
}

/// With one place, a second heavy statement waits, can be cancelled and times out; light ones go by; a portal that is
/// left unread gives its place up.
async fn heavy_statements_wait() -> Outcome {
    const HEAVY: &str = "SELECT count(*) FROM generate_series(1, 100000) AS a (x) CROSS JOIN generate_series(1, 100000) \
                         AS b (y) WHERE (x * 7 + y * 13) % 1000003 = 5";
    let folder = TempDir::new()?;
    let config = folder.path().join("c.toml");
    std::fs::write(&config, "[admission]\nheavy_statements = 1\nqueue = 1\n")?;
    let server =
        Server::start_with(&folder.path().join("data"), &["--config", &text(&config), "--http", "127.0.0.1:0"])?;
    let port = server.http_port().ok_or("no HTTP listener")?;
    let mut busy = Raw::connect(server.port, &[]).await?;
    busy.send(&query(HEAVY)).await?;
    until(port, "audiencedb_heavy_statements_running 1").await?;

    let client = server.connect().await?;
    client.batch_execute("CREATE TABLE t (n integer); INSERT INTO t VALUES (1)").await?;
    same("a light one", value(&client, "SELECT count(*) FROM t").await?.as_str(), "1")?;
    client.batch_execute("SET statement_timeout = '300ms'").await?;
    refused(client.batch_execute("SELECT count(*) FROM generate_series(1, 10)").await, "57014")?;
    client.batch_execute("RESET statement_timeout").await?;

    let waiting = server.connect().await?;
    let token = waiting.cancel_token();
    let waiter =
        tokio::spawn(async move { waiting.batch_execute("SELECT count(*) FROM generate_series(1, 10)").await });
    until(port, "audiencedb_heavy_statements_waiting 1").await?;
    refused(client.batch_execute("SELECT count(*) FROM generate_series(1, 10)").await, "53300")?;
    token.cancel_query(tokio_postgres::NoTls).await?;
    refused(waiter.await?, "57014")?;
    until(port, "audiencedb_heavy_statements_waiting 0").await?;

    drop(busy);
    same("then it runs", value(&client, "SELECT count(*) FROM generate_series(1, 10)").await?.as_str(), "10")?;

    // A result that its client does not read.
    let mut unread = Raw::connect(server.port, &[]).await?;
    unread.send(&query("SELECT repeat('x', 1000) FROM generate_series(1, 10000000)")).await?;
    until(port, "audiencedb_heavy_statements_running 1").await?;
    let count = value(&client, "SELECT count(*) FROM generate_series(1, 10)");
    same("beside it", tokio::time::timeout(Duration::from_secs(60), count).await??.as_str(), "10")
}

/// Waits until the metrics have this line.
async fn until(port: u16, line: &str) -> Outcome {
    for _ in 0..600 {
        if get(port, "/metrics").await?.1.lines().any(|l| l == line) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(Fault::from(format!("never: {line}")))
}

async fn spill_is_limited_and_cleaned() -> Outcome {
    const SORT: &str = "SELECT y FROM (SELECT x * 7919 % 4000037 AS y, x FROM generate_series(1, 4000000) AS a (x)) AS s \
                        ORDER BY y, x OFFSET 3999999";
    let folder = TempDir::new()?;
    let (config, spill) = (folder.path().join("c.toml"), folder.path().join("spill"));
    let folders = || -> Outcome<Vec<String>> {
        let entries = std::fs::read_dir(&spill)?.flatten();
        Ok(entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    };
    std::fs::write(&config, "[memory]\nlimit = \"32MB\"\n[spill]\nlimit = \"4MB\"\n")?;
    let data = folder.path().join("data");
    let flags = ["--config", &text(&config), "--spill", &text(&spill)];
    let server = Server::start_with(&data, &flags)?;
    let client = server.connect().await?;
    let message = refused(client.batch_execute(SORT).await, "53400")?;
    ensure(message.contains("temporary files"), message)?;
    same("the session goes on", value(&client, "SELECT 1").await?.as_str(), "1")?;
    let left = folders()?;
    same("folders of one server", left.len(), 1)?;
    server.kill()?;
    ensure(folders()? == left, "the folder went with a killed process")?;

    std::fs::write(&config, "[memory]\nlimit = \"32MB\"\n")?;
    let server = Server::start_with(&data, &flags)?;
    let now = folders()?;
    ensure(now.len() == 1 && now != left, format_args!("before {left:?}, now {now:?}"))?;
    let client = server.connect().await?;
    same("with room it works", value(&client, SORT).await?.as_str(), "4000036")?;
    drop(client);
    server.terminate()?;
    let mut server = server;
    server.wait(Duration::from_secs(20))?;
    ensure(folders()?.is_empty(), "the folder stayed")
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
