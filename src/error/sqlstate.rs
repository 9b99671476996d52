//! The SQLSTATE codes this engine answers with, grouped by class as in PostgreSQL's appendix A.

use std::fmt;

/// A five-character SQLSTATE. Clients decide by it whether to retry, to ask again or to give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState(pub &'static str);

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Class 00 and 01: success and warnings.
impl SqlState {
    /// Everything went well; the code of plain notices.
    pub const SUCCESSFUL_COMPLETION: Self = Self("00000");
    /// A warning without a more telling code.
    pub const WARNING: Self = Self("01000");
    /// A REVOKE that took nothing, or less than it named.
    pub const PRIVILEGE_NOT_REVOKED: Self = Self("01006");
    /// A GRANT that gave nothing, or less than it named.
    pub const PRIVILEGE_NOT_GRANTED: Self = Self("01007");
}

/// Class 08: connection.
impl SqlState {
    /// The client sent something that the protocol does not allow here.
    pub const PROTOCOL_VIOLATION: Self = Self("08P01");
}

/// Class 0A: not here.
impl SqlState {
    /// Valid SQL that this version does not do.
    pub const FEATURE_NOT_SUPPORTED: Self = Self("0A000");
}

/// Class 0L: grants.
impl SqlState {
    /// A grant that can't be: of a privilege that the object doesn't have, or back to who it came from.
    pub const INVALID_GRANT_OPERATION: Self = Self("0LP01");
}

/// Class 21: the wrong number of rows.
impl SqlState {
    /// A sub-query used as a value gave more than one row, or a row would be changed twice.
    pub const CARDINALITY_VIOLATION: Self = Self("21000");
}

/// Class 22: data.
impl SqlState {
    /// Bad data without a more telling code.
    pub const DATA_EXCEPTION: Self = Self("22000");
    /// A text is longer than its column.
    pub const STRING_DATA_RIGHT_TRUNCATION: Self = Self("22001");
    /// A number does not fit its type.
    pub const NUMERIC_VALUE_OUT_OF_RANGE: Self = Self("22003");
    /// NULL where a value has to be.
    pub const NULL_VALUE_NOT_ALLOWED: Self = Self("22004");
    /// Not a date, time, timestamp or interval.
    pub const INVALID_DATETIME_FORMAT: Self = Self("22007");
    /// A date or time outside its range.
    pub const DATETIME_FIELD_OVERFLOW: Self = Self("22008");
    /// Division by zero.
    pub const DIVISION_BY_ZERO: Self = Self("22012");
    /// Bytes that are not text in the client's encoding.
    pub const CHARACTER_NOT_IN_REPERTOIRE: Self = Self("22021");
    /// A value that a parameter or an option does not take.
    pub const INVALID_PARAMETER_VALUE: Self = Self("22023");
    /// A pattern that is not a regular expression.
    pub const INVALID_REGULAR_EXPRESSION: Self = Self("2201B");
    /// Logarithm of zero or of a negative number.
    pub const INVALID_ARGUMENT_FOR_LOG: Self = Self("2201E");
    /// Root of a negative number.
    pub const INVALID_ARGUMENT_FOR_POWER: Self = Self("2201F");
    /// A negative LIMIT.
    pub const INVALID_ROW_COUNT_IN_LIMIT: Self = Self("2201W");
    /// A negative OFFSET.
    pub const INVALID_ROW_COUNT_IN_OFFSET: Self = Self("2201X");
    /// Text that cannot be read as the type asked for.
    pub const INVALID_TEXT_REPRESENTATION: Self = Self("22P02");
    /// Bytes that cannot be read as the type asked for.
    pub const INVALID_BINARY_REPRESENTATION: Self = Self("22P03");
    /// A file or a COPY stream that is not in the format it should have.
    pub const BAD_COPY_FILE_FORMAT: Self = Self("22P04");
}

/// Class 23: constraints.
impl SqlState {
    /// NULL in a NOT NULL column.
    pub const NOT_NULL_VIOLATION: Self = Self("23502");
    /// A key that exists already.
    pub const UNIQUE_VIOLATION: Self = Self("23505");
    /// A row that a CHECK forbids.
    pub const CHECK_VIOLATION: Self = Self("23514");
}

/// Class 25: transactions.
impl SqlState {
    /// BEGIN inside a transaction.
    pub const ACTIVE_SQL_TRANSACTION: Self = Self("25001");
    /// A write in a read-only transaction, on a read-only server or store.
    pub const READ_ONLY_SQL_TRANSACTION: Self = Self("25006");
    /// COMMIT, SET LOCAL or a savepoint outside a transaction.
    pub const NO_ACTIVE_SQL_TRANSACTION: Self = Self("25P01");
    /// A client that left its transaction waiting for too long.
    pub const IDLE_IN_TRANSACTION_SESSION_TIMEOUT: Self = Self("25P03");
    /// Any statement but ROLLBACK in a transaction that has failed.
    pub const IN_FAILED_SQL_TRANSACTION: Self = Self("25P02");
}

/// Class 26, 28, 2B, 34, 3D and 3F: names of other things than tables, and who may come in.
impl SqlState {
    /// No such prepared statement.
    pub const INVALID_SQL_STATEMENT_NAME: Self = Self("26000");
    /// This user may not connect.
    pub const INVALID_AUTHORIZATION_SPECIFICATION: Self = Self("28000");
    /// Wrong password.
    pub const INVALID_PASSWORD: Self = Self("28P01");
    /// Other objects depend on the one to drop.
    pub const DEPENDENT_OBJECTS_STILL_EXIST: Self = Self("2BP01");
    /// A savepoint of that name is not set.
    pub const INVALID_SAVEPOINT_SPECIFICATION: Self = Self("3B001");
    /// No such cursor or portal.
    pub const INVALID_CURSOR_NAME: Self = Self("34000");
    /// No such database.
    pub const INVALID_CATALOG_NAME: Self = Self("3D000");
    /// No such schema.
    pub const INVALID_SCHEMA_NAME: Self = Self("3F000");
}

/// Class 40: transactions that lost; running them again may succeed.
impl SqlState {
    /// Somebody else committed first.
    pub const SERIALIZATION_FAILURE: Self = Self("40001");
    /// The commit may or may not have happened.
    pub const STATEMENT_COMPLETION_UNKNOWN: Self = Self("40003");
}

/// Class 42: the statement is wrong.
impl SqlState {
    /// Wrong without a more telling code.
    pub const SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION: Self = Self("42000");
    /// Not SQL.
    pub const SYNTAX_ERROR: Self = Self("42601");
    /// This role may not do that.
    pub const INSUFFICIENT_PRIVILEGE: Self = Self("42501");
    /// A text that cannot be a name here.
    pub const INVALID_NAME: Self = Self("42602");
    /// No cast leads from one type to the other.
    pub const CANNOT_COERCE: Self = Self("42846");
    /// A column outside GROUP BY, or an aggregate where none may be.
    pub const GROUPING_ERROR: Self = Self("42803");
    /// A window function or a window frame where or how it may not be.
    pub const WINDOWING_ERROR: Self = Self("42P20");
    /// WITH RECURSIVE of a form that cannot be run.
    pub const INVALID_RECURSION: Self = Self("42P19");
    /// Two types that do not go together.
    pub const DATATYPE_MISMATCH: Self = Self("42804");
    /// The type of a parameter cannot be told.
    pub const INDETERMINATE_DATATYPE: Self = Self("42P18");
    /// An object of another kind than the statement needs.
    pub const WRONG_OBJECT_TYPE: Self = Self("42809");
    /// No such column.
    pub const UNDEFINED_COLUMN: Self = Self("42703");
    /// No such function or operator for these types.
    pub const UNDEFINED_FUNCTION: Self = Self("42883");
    /// No such table or view.
    pub const UNDEFINED_TABLE: Self = Self("42P01");
    /// No such parameter (`$n`).
    pub const UNDEFINED_PARAMETER: Self = Self("42P02");
    /// No such type, setting, role or other object.
    pub const UNDEFINED_OBJECT: Self = Self("42704");
    /// A column named twice.
    pub const DUPLICATE_COLUMN: Self = Self("42701");
    /// A cursor can't be what was said of it.
    pub const INVALID_CURSOR_DEFINITION: Self = Self("42P11");
    /// A cursor of this name is open.
    pub const DUPLICATE_CURSOR: Self = Self("42P03");
    /// A database of this name exists.
    pub const DUPLICATE_DATABASE: Self = Self("42P04");
    /// A function of this name and these arguments exists.
    pub const DUPLICATE_FUNCTION: Self = Self("42723");
    /// A prepared statement of this name exists.
    pub const DUPLICATE_PREPARED_STATEMENT: Self = Self("42P05");
    /// A schema of this name exists.
    pub const DUPLICATE_SCHEMA: Self = Self("42P06");
    /// A table or view of this name exists.
    pub const DUPLICATE_TABLE: Self = Self("42P07");
    /// A name given twice in FROM or WITH.
    pub const DUPLICATE_ALIAS: Self = Self("42712");
    /// An object of this name exists.
    pub const DUPLICATE_OBJECT: Self = Self("42710");
    /// A column name that could mean several columns.
    pub const AMBIGUOUS_COLUMN: Self = Self("42702");
    /// What follows ESCAPE is more than one character.
    pub const INVALID_ESCAPE_SEQUENCE: Self = Self("22025");
    /// A function call that could mean several functions.
    pub const AMBIGUOUS_FUNCTION: Self = Self("42725");
    /// ORDER BY or GROUP BY names something that is not there.
    pub const INVALID_COLUMN_REFERENCE: Self = Self("42P10");
    /// A column definition that makes no sense.
    pub const INVALID_COLUMN_DEFINITION: Self = Self("42611");
    /// A table definition that makes no sense.
    pub const INVALID_TABLE_DEFINITION: Self = Self("42P16");
    /// An object definition that makes no sense.
    pub const INVALID_OBJECT_DEFINITION: Self = Self("42P17");
    /// A name that is reserved for the system.
    pub const RESERVED_NAME: Self = Self("42939");
}

/// Class 53 and 54: resources and limits.
impl SqlState {
    /// The disk or the bucket's quota is full.
    pub const DISK_FULL: Self = Self("53100");
    /// The statement needs more memory than it may have.
    pub const OUT_OF_MEMORY: Self = Self("53200");
    /// Too many connections.
    pub const TOO_MANY_CONNECTIONS: Self = Self("53300");
    /// A limit set by the operator is reached.
    pub const CONFIGURATION_LIMIT_EXCEEDED: Self = Self("53400");
    /// A limit of the program is reached.
    pub const PROGRAM_LIMIT_EXCEEDED: Self = Self("54000");
    /// The statement is nested too deeply.
    pub const STATEMENT_TOO_COMPLEX: Self = Self("54001");
}

/// Class 55 and 57: not now.
impl SqlState {
    /// The object is not in a state that allows this.
    pub const OBJECT_NOT_IN_PREREQUISITE_STATE: Self = Self("55000");
    /// Somebody else uses the object.
    pub const OBJECT_IN_USE: Self = Self("55006");
    /// This setting cannot be changed now or by SQL.
    pub const CANT_CHANGE_RUNTIME_PARAM: Self = Self("55P02");
    /// A lock was not to be had in time.
    pub const LOCK_NOT_AVAILABLE: Self = Self("55P03");
    /// Cancelled by the user, by statement_timeout or by a vanished client.
    pub const QUERY_CANCELED: Self = Self("57014");
    /// The server is going down.
    pub const ADMIN_SHUTDOWN: Self = Self("57P01");
    /// A client that sent nothing for too long outside of a transaction.
    pub const IDLE_SESSION_TIMEOUT: Self = Self("57P05");
    /// The server is starting or stopping: come back later.
    pub const CANNOT_CONNECT_NOW: Self = Self("57P03");
}

/// Class 72: what was there is no longer.
impl SqlState {
    /// An earlier version was asked for, and what it needs has been removed.
    pub const SNAPSHOT_TOO_OLD: Self = Self("72000");
}

/// Class F0: how the server was started.
impl SqlState {
    /// The server's options contradict each other or what is safe.
    pub const CONFIG_FILE_ERROR: Self = Self("F0000");
}

/// Class 58 and XX: below the engine, and the engine itself.
impl SqlState {
    /// The store or the disk failed.
    pub const IO_ERROR: Self = Self("58030");
    /// A file that should be there is not.
    pub const UNDEFINED_FILE: Self = Self("58P01");
    /// A bug of ours.
    pub const INTERNAL_ERROR: Self = Self("XX000");
    /// A stored object is not what was written.
    pub const DATA_CORRUPTED: Self = Self("XX001");
}
