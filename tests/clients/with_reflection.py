#!/usr/bin/env python3
"""SQLAlchemy's inspector: what tools built on it (Superset, pandas, Alembic) ask about tables before anything else.

usage: with_reflection.py PORT
"""

import sys

from sqlalchemy import MetaData, create_engine, inspect

SETUP = [
    "CREATE TABLE reflected (id bigint, name varchar(20) DEFAULT 'x', score numeric(10,2) NOT NULL, tags text[], at timestamptz, PRIMARY KEY (id))",
    "COMMENT ON TABLE reflected IS 'a table'",
    "COMMENT ON COLUMN reflected.name IS 'a column'",
    "CREATE VIEW reflected_view AS SELECT id FROM reflected",
]

engine = create_engine(f"postgresql+psycopg://postgres@127.0.0.1:{sys.argv[1]}/audience")
with engine.connect() as connection:
    for statement in SETUP:
        connection.exec_driver_sql(statement)
    connection.commit()

inspector = inspect(engine)
assert {"public", "segments"} <= set(inspector.get_schema_names())
assert "reflected" in inspector.get_table_names() and "reflected_view" in inspector.get_view_names()
columns = {column["name"]: column for column in inspector.get_columns("reflected")}
types = {name: str(column["type"]) for name, column in columns.items()}
assert types == {"id": "BIGINT", "name": "VARCHAR(20)", "score": "NUMERIC(10, 2)", "tags": "ARRAY", "at": "TIMESTAMP"}, types
assert columns["score"]["nullable"] is False and columns["name"]["nullable"] is True
assert columns["name"]["default"] == "'x'" and columns["name"]["comment"] == "a column"
key = inspector.get_pk_constraint("reflected")
assert (key["name"], key["constrained_columns"]) == ("reflected_pkey", ["id"]), key
assert inspector.get_table_comment("reflected") == {"text": "a table"}
assert "SELECT id FROM reflected" in inspector.get_view_definition("reflected_view")
for nothing in (inspector.get_foreign_keys, inspector.get_unique_constraints, inspector.get_check_constraints, inspector.get_indexes):
    assert nothing("reflected") == [], nothing
assert inspector.get_enums() == [] and inspector.get_sequence_names() == []
metadata = MetaData()
metadata.reflect(engine)
assert [column.name for column in metadata.tables["reflected"].primary_key] == ["id"]

with engine.connect() as connection:
    connection.exec_driver_sql("DROP VIEW reflected_view")
    connection.exec_driver_sql("DROP TABLE reflected")
    connection.commit()
print("SQLAlchemy reflects tables, columns, keys, comments and views")
