//! Every setting there is, in alphabetical order.
//!
//! To add one: a [`Key`], an entry at the same place of [`DEFINITIONS`], and a typed getter in `mod.rs` for whoever
//! acts on it. A setting nobody acts on is not added: nothing is accepted and ignored. Where only one value tells
//! the truth today, [`Definition::only`] refuses the others with the reason.

use super::as_of;
use super::checks;
use super::date_style;
use super::definition::{Definition, Kind};
use super::identifiers;
use super::time_zone;
use super::units::Unit;

/// The place of a setting in [`DEFINITIONS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    ApplicationName,
    ArrayNulls,
    AsOf,
    BatchSize,
    PushdownFilters,
    TargetPartitions,
    ByteaOutput,
    ClientEncoding,
    ClientMinMessages,
    DateStyle,
    DefaultTableAccessMethod,
    DefaultTransactionDeferrable,
    DefaultTransactionIsolation,
    DefaultTransactionReadOnly,
    EscapeStringWarning,
    ExtraFloatDigits,
    IdleInTransactionSessionTimeout,
    IdleSessionTimeout,
    InHotStandby,
    IntegerDatetimes,
    IntervalStyle,
    IsSuperuser,
    LockTimeout,
    MaxIdentifierLength,
    Role,
    RowSecurity,
    SearchPath,
    ServerEncoding,
    ServerVersion,
    ServerVersionNum,
    SessionAuthorization,
    StandardConformingStrings,
    StatementTimeout,
    SynchronousCommit,
    TimeZone,
    TransactionDeferrable,
    TransactionIsolation,
    TransactionReadOnly,
    XmlOption,
}

/// Severities below which the client hears nothing, least severe first.
pub(super) const MESSAGE_LEVELS: &[&str] =
    &["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"];

/// Milliseconds, none to the most that PostgreSQL takes (about 24 days).
const TIMEOUT: Kind = Kind::Int { min: 0, max: 2_147_483_647, unit: Unit::Milliseconds };

/// The headings of `pg_settings`, as PostgreSQL words them.
const AUDIENCE: &str = "Customized Options";
const COMPATIBILITY: &str = "Version and Platform Compatibility / Previous PostgreSQL Versions";
const FORMATS: &str = "Client Connection Defaults / Locale and Formatting";
const LOG: &str = "Write-Ahead Log / Settings";
const LOGGING: &str = "Reporting and Logging / What to Log";
const PRESET: &str = "Preset Options";
const STATEMENTS: &str = "Client Connection Defaults / Statement Behavior";
const UNGROUPED: &str = "Ungrouped";

const fn setting(
    key: Key,
    category: &'static str,
    name: &'static str,
    kind: Kind,
    boot: &'static str,
    description: &'static str,
) -> Definition {
    Definition {
        key,
        name,
        category,
        description,
        kind,
        boot,
        reported: false,
        changeable: true,
        starts_from: None,
        only: None,
    }
}

impl Definition {
    /// Clients hear of changes.
    const fn reported(mut self) -> Self {
        self.reported = true;
        self
    }

    /// Only the server sets it.
    const fn internal(mut self) -> Self {
        self.changeable = false;
        self
    }

    /// Lives as long as a transaction and starts from the value of `key`.
    const fn starting_from(mut self, key: Key) -> Self {
        self.starts_from = Some(key);
        self
    }

    /// Values that are shown differently are refused: `why`.
    const fn only(mut self, value: &'static str, why: &'static str) -> Self {
        self.only = Some((value, why));
        self
    }
}

/// All settings.
pub(super) static DEFINITIONS: &[Definition] = &[
    setting(
        Key::ApplicationName,
        LOGGING,
        "application_name",
        Kind::Text(checks::application_name),
        "",
        "name of the client's program, for logs and statistics; at most 63 characters, others than printable ASCII \
         become question marks",
    )
    .reported(),
    setting(
        Key::ArrayNulls,
        COMPATIBILITY,
        "array_nulls",
        Kind::Bool,
        "on",
        "an unquoted NULL in the text of an array is a null element",
    )
    .only("on", "NULL in the text of an array is always a null element"),
    setting(
        Key::AsOf,
        AUDIENCE,
        "audience.as_of",
        Kind::Text(as_of::check),
        "",
        "instant that statements look back to: now() is this instant, tables are read as they were then; empty is now",
    ),
    setting(
        Key::BatchSize,
        AUDIENCE,
        "audience.batch_size",
        Kind::Int { min: 1, max: 1_048_576, unit: Unit::None },
        "8192",
        "rows that operators hand on at a time",
    ),
    setting(
        Key::PushdownFilters,
        AUDIENCE,
        "audience.pushdown_filters",
        Kind::Bool,
        "off",
        "evaluate filters while decoding Parquet, so that only matching rows of the other columns are decoded: \
         faster for selective look-ups, slower for scans",
    ),
    setting(
        Key::TargetPartitions,
        AUDIENCE,
        "audience.target_partitions",
        Kind::Int { min: 0, max: 4096, unit: Unit::None },
        "0",
        "parallel streams a statement is cut into; 0 is one per processor",
    ),
    setting(
        Key::ByteaOutput,
        STATEMENTS,
        "bytea_output",
        Kind::Enum(&["escape", "hex"]),
        "hex",
        "text form in which bytea is sent",
    ),
    setting(
        Key::ClientEncoding,
        FORMATS,
        "client_encoding",
        Kind::Text(checks::client_encoding),
        "UTF8",
        "character set of the client; only UTF8, or SQL_ASCII, which passes the bytes as they are",
    )
    .reported(),
    setting(
        Key::ClientMinMessages,
        STATEMENTS,
        "client_min_messages",
        Kind::Enum(MESSAGE_LEVELS),
        "notice",
        "least severe kind of message that is sent to the client",
    ),
    setting(
        Key::DateStyle,
        FORMATS,
        "DateStyle",
        Kind::Text(date_style::check),
        "ISO, MDY",
        "form in which dates and times are sent (ISO, SQL, Postgres, German) and the order of day and month in it (MDY, \
         DMY, YMD); they are read with the year first only, so that no order is guessed",
    )
    .reported(),
    setting(
        Key::DefaultTableAccessMethod,
        STATEMENTS,
        "default_table_access_method",
        Kind::Text(checks::any),
        "heap",
        "how PostgreSQL would keep a new table; here all are kept in one way",
    )
    .only("heap", "tables are Delta Lake files, which the catalogs list as heap"),
    setting(
        Key::DefaultTransactionDeferrable,
        STATEMENTS,
        "default_transaction_deferrable",
        Kind::Bool,
        "off",
        "deferrable status of new transactions; it means something only to serializable transactions",
    ),
    setting(
        Key::DefaultTransactionIsolation,
        STATEMENTS,
        "default_transaction_isolation",
        Kind::Text(checks::isolation),
        "repeatable read",
        "isolation level of new transactions; every transaction reads one snapshot, so that weaker levels are \
         repeatable read by another name",
    ),
    setting(
        Key::DefaultTransactionReadOnly,
        STATEMENTS,
        "default_transaction_read_only",
        Kind::Bool,
        "off",
        "new transactions only read",
    )
    .reported(),
    setting(
        Key::EscapeStringWarning,
        COMPATIBILITY,
        "escape_string_warning",
        Kind::Bool,
        "on",
        "warn about backslashes in plain string literals when standard_conforming_strings is off, which it never is",
    ),
    setting(
        Key::ExtraFloatDigits,
        FORMATS,
        "extra_float_digits",
        Kind::Int { min: -15, max: 3, unit: Unit::None },
        "1",
        "digits of floating-point values sent as text: above 0 the shortest text that reads back as the same value, \
         otherwise that many digits are added to 6 (real) or 15 (double precision)",
    ),
    setting(
        Key::IdleInTransactionSessionTimeout,
        STATEMENTS,
        "idle_in_transaction_session_timeout",
        TIMEOUT,
        "0",
        "ends connections that wait this long for the next statement of a transaction; 0 never does",
    ),
    setting(
        Key::IdleSessionTimeout,
        STATEMENTS,
        "idle_session_timeout",
        TIMEOUT,
        "0",
        "ends connections that wait this long for a statement outside of a transaction; 0 never does",
    ),
    setting(Key::InHotStandby, PRESET, "in_hot_standby", Kind::Bool, "off", "this server only reads")
        .reported()
        .internal(),
    setting(Key::IntegerDatetimes, PRESET, "integer_datetimes", Kind::Bool, "on", "timestamps are 64-bit integers")
        .reported()
        .internal(),
    setting(
        Key::IntervalStyle,
        FORMATS,
        "IntervalStyle",
        Kind::Enum(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]),
        "postgres",
        "form in which intervals are sent",
    )
    .reported(),
    setting(Key::IsSuperuser, UNGROUPED, "is_superuser", Kind::Bool, "off", "the current user is a superuser")
        .reported()
        .internal(),
    setting(
        Key::LockTimeout,
        STATEMENTS,
        "lock_timeout",
        TIMEOUT,
        "0",
        "longest wait for a lock, which is what statements take that put rows into one keyed table; 0 waits as long as \
         it takes",
    ),
    setting(
        Key::MaxIdentifierLength,
        PRESET,
        "max_identifier_length",
        Kind::Int { min: 63, max: 63, unit: Unit::None },
        "63",
        "most bytes in a name",
    )
    .internal(),
    setting(
        Key::Role,
        UNGROUPED,
        "role",
        Kind::Text(checks::any),
        "none",
        "role whose rights count instead of the session user's: SET ROLE",
    )
    .internal(),
    setting(
        Key::RowSecurity,
        STATEMENTS,
        "row_security",
        Kind::Bool,
        "on",
        "a statement that a row security policy would filter is filtered (on) or fails (off); without policies on a \
         table both are the same",
    ),
    setting(
        Key::SearchPath,
        STATEMENTS,
        "search_path",
        Kind::Text(identifiers::check_list),
        "\"$user\", public",
        "schemas in which names without a schema are looked up, first to last",
    ),
    setting(
        Key::ServerEncoding,
        PRESET,
        "server_encoding",
        Kind::Enum(&["UTF8"]),
        "UTF8",
        "character set of the server",
    )
    .reported()
    .internal(),
    setting(
        Key::ServerVersion,
        PRESET,
        "server_version",
        Kind::Text(checks::any),
        "15.8",
        "version of PostgreSQL whose behaviour this server follows; version() also gives its own",
    )
    .reported()
    .internal(),
    setting(
        Key::ServerVersionNum,
        PRESET,
        "server_version_num",
        Kind::Int { min: 0, max: 999_999, unit: Unit::None },
        "150008",
        "server_version as a number",
    )
    .internal(),
    setting(
        Key::SessionAuthorization,
        UNGROUPED,
        "session_authorization",
        Kind::Text(checks::any),
        "",
        "user of this session",
    )
    .reported()
    .internal(),
    setting(
        Key::StandardConformingStrings,
        COMPATIBILITY,
        "standard_conforming_strings",
        Kind::Bool,
        "on",
        "a backslash in a plain string literal is a backslash",
    )
    .reported()
    .only("on", "use E'...' for literals with backslash escapes"),
    setting(
        Key::StatementTimeout,
        STATEMENTS,
        "statement_timeout",
        TIMEOUT,
        "0",
        "longest time a statement may run, from its arrival to its last row; 0 is no limit",
    ),
    setting(
        Key::SynchronousCommit,
        LOG,
        "synchronous_commit",
        Kind::Enum(&["on", "off", "local", "remote_write", "remote_apply"]),
        "on",
        "a commit is durable before the client hears of it",
    )
    .only("on", "a statement that returned success is always durable"),
    setting(
        Key::TimeZone,
        FORMATS,
        "TimeZone",
        Kind::Text(time_zone::check),
        "UTC",
        "time zone of dates and times: a name of the IANA database, hours east of Greenwich, or a POSIX name and \
         offset, which counts west as positive",
    )
    .reported(),
    setting(
        Key::TransactionDeferrable,
        STATEMENTS,
        "transaction_deferrable",
        Kind::Bool,
        "off",
        "deferrable status of this transaction; it means something only to serializable transactions",
    )
    .starting_from(Key::DefaultTransactionDeferrable),
    setting(
        Key::TransactionIsolation,
        STATEMENTS,
        "transaction_isolation",
        Kind::Text(checks::isolation),
        "repeatable read",
        "isolation level of this transaction",
    )
    .starting_from(Key::DefaultTransactionIsolation),
    setting(
        Key::TransactionReadOnly,
        STATEMENTS,
        "transaction_read_only",
        Kind::Bool,
        "off",
        "this transaction only reads",
    )
    .starting_from(Key::DefaultTransactionReadOnly),
    setting(
        Key::XmlOption,
        STATEMENTS,
        "xmloption",
        Kind::Enum(&["content", "document"]),
        "content",
        "how XML is parsed",
    )
    .only("content", "there is no xml type"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_places_and_names_are_sorted() {
        for (place, definition) in DEFINITIONS.iter().enumerate() {
            assert_eq!(definition.key as usize, place, "{}", definition.name);
        }
        assert!(DEFINITIONS.is_sorted_by_key(|d| d.name.to_lowercase()));
    }
}
