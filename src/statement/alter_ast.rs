//! ALTER TABLE, VIEW and SCHEMA as the rest of the engine sees them.

use datafusion::sql::sqlparser::ast::{DataType, Expr, Ident};

use super::ast::{Column, ObjectKind, QualifiedName};

/// ALTER of a table, view or schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Alter {
    /// The kind that was named; ALTER TABLE takes views too.
    pub kind: ObjectKind,
    /// The object; of a schema, `schema` is `None`.
    pub name: QualifiedName,
    /// Say nothing but a notice if it doesn't exist.
    pub if_exists: bool,
    /// What to do with it.
    pub action: AlterAction,
}

/// What ALTER does.
#[derive(Debug, Clone, PartialEq)]
pub enum AlterAction {
    /// The actions of ALTER TABLE that go together, at least one.
    Columns(Vec<TableAction>),
    /// RENAME COLUMN, names folded.
    RenameColumn {
        /// The old name.
        from: String,
        /// The new one.
        to: String,
    },
    /// RENAME TO, folded.
    RenameTo(String),
    /// SET SCHEMA, folded.
    SetSchema(String),
}

/// One of the actions of ALTER TABLE. Names of columns are folded.
#[derive(Debug, Clone, PartialEq)]
pub enum TableAction {
    /// ADD COLUMN.
    Add {
        /// The column.
        column: Column,
        /// Say nothing but a notice if there is one of that name.
        if_not_exists: bool,
        /// It is to be the primary key.
        key: bool,
    },
    /// DROP COLUMN.
    Drop {
        /// The column.
        name: String,
        /// Say nothing but a notice if there is none.
        if_exists: bool,
        /// Drop the views that read it.
        cascade: bool,
    },
    /// ALTER COLUMN TYPE.
    Type {
        /// The column.
        name: String,
        /// Its new type as typed.
        data_type: DataType,
        /// USING.
        using: Option<Expr>,
    },
    /// ALTER COLUMN SET or DROP DEFAULT.
    Default {
        /// The column.
        name: String,
        /// The default; `None` takes it away.
        default: Option<Expr>,
    },
    /// ALTER COLUMN SET or DROP NOT NULL.
    NotNull {
        /// The column.
        name: String,
        /// SET.
        not_null: bool,
    },
    /// ADD PRIMARY KEY.
    AddKey(Vec<Ident>),
    /// DROP CONSTRAINT.
    DropConstraint {
        /// Its name, folded.
        name: String,
        /// Say nothing but a notice if there is none.
        if_exists: bool,
    },
}

impl TableAction {
    /// Its name in PostgreSQL's messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Add { .. } => "ADD COLUMN",
            Self::Drop { .. } => "DROP COLUMN",
            Self::Type { .. } => "ALTER COLUMN ... SET DATA TYPE",
            Self::Default { .. } => "ALTER COLUMN ... SET DEFAULT",
            Self::NotNull { not_null: true, .. } => "ALTER COLUMN ... SET NOT NULL",
            Self::NotNull { not_null: false, .. } => "ALTER COLUMN ... DROP NOT NULL",
            Self::AddKey(_) => "ADD CONSTRAINT",
            Self::DropConstraint { .. } => "DROP CONSTRAINT",
        }
    }

    /// PostgreSQL's order of the actions of one statement: what goes, what changes, what comes, what is said of it.
    pub(crate) fn pass(&self) -> u8 {
        match self {
            Self::Drop { .. } | Self::DropConstraint { .. } => 0,
            Self::Default { default: None, .. } | Self::NotNull { not_null: false, .. } => 0,
            Self::Type { .. } => 1,
            Self::Add { .. } => 2,
            Self::Default { .. } => 3,
            Self::NotNull { .. } => 4,
            Self::AddKey(_) => 5,
        }
    }
}
