"""SQLAlchemy and pandas: an engine, parameters, data frames in chunks, reflection of a result's types."""

import datetime
import sys

import pandas
import sqlalchemy
from sqlalchemy import text


def main(port):
    engine = sqlalchemy.create_engine(f"postgresql+psycopg://postgres@127.0.0.1:{port}/audience")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
        version = connection.dialect.server_version_info
        assert version[0] == 15, version
        rows = connection.execute(text("SELECT name FROM households WHERE household_id = :id"), {"id": 2}).fetchall()
        assert rows == [("Bell",)], rows

        frame = pandas.read_sql(text("SELECT * FROM purchases ORDER BY purchase_id"), connection)
        assert list(frame.columns) == ["purchase_id", "household_id", "department", "amount", "bought_at"], frame.columns
        assert len(frame) == 4 and frame["purchase_id"].dtype == "int64", frame.dtypes
        assert str(frame["bought_at"].dtype).startswith("datetime64"), frame.dtypes
        assert float(frame["amount"].sum()) == 112.74, frame["amount"].sum()
        assert frame["bought_at"][0].to_pydatetime() == datetime.datetime(2024, 4, 1, 9, 30), frame["bought_at"][0]

        chunks = pandas.read_sql(
            text("SELECT n, n % 7 AS day FROM generate_series(1, 10000) AS g (n)"), connection, chunksize=3000
        )
        assert [len(chunk) for chunk in chunks] == [3000, 3000, 3000, 1000]

        # A cursor of the server, read in parts.
        streamed = connection.execution_options(stream_results=True, max_row_buffer=500)
        rows = streamed.execute(text("SELECT n FROM generate_series(1, 5000) AS g (n) WHERE n > :n"), {"n": 10})
        assert rows.fetchmany(2) == [(11,), (12,)]
        assert sum(row.n for row in rows) == sum(range(13, 5001))
        chunks = pandas.read_sql(text("SELECT n FROM generate_series(1, 10000) AS g (n)"), streamed, chunksize=3000)
        assert [len(chunk) for chunk in chunks] == [3000, 3000, 3000, 1000]

        joined = pandas.read_sql(
            text(
                "SELECT h.name, coalesce(sum(p.amount), 0.00) AS spent FROM households AS h"
                " LEFT JOIN purchases AS p ON p.household_id = h.household_id GROUP BY h.name ORDER BY h.name"
            ),
            connection,
            index_col="name",
        )
        assert {name: float(spent) for name, spent in joined["spent"].items()} == {
            "Ames": 97.24, "Bell": 15.5, "Cruz": 0.0, "Diaz": 0.0,
        }, joined
    # The pool hands the same connection out again, rolled back.
    with engine.begin() as connection:
        connection.execute(text("CREATE VIEW spenders AS SELECT household_id FROM purchases WHERE amount > 50"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM spenders")).scalar() == 1
    with engine.begin() as connection:
        connection.execute(text("DROP VIEW spenders"))
    print("sqlalchemy", sqlalchemy.__version__, "pandas", pandas.__version__, "ok")


if __name__ == "__main__":
    main(sys.argv[1])
