"""psycopg 3: parameters on the server, both formats, types, cursors, transactions, pipeline, cancel, pools."""

import datetime
import decimal
import sys
import threading
import time
import uuid

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Json


def main(port):
    address = f"host=127.0.0.1 port={port} user=postgres dbname=audience"
    with psycopg.connect(address, autocommit=True) as connection:
        parameters(connection)
        types(connection)
        errors(connection)
        cancel(connection)
        discard(connection)
        held(connection)
        timeouts(address)
    with psycopg.connect(address) as connection:
        transactions(connection)
        server_side(connection)
        temporary(connection)
        pipeline(connection)
    print("psycopg", psycopg.__version__, "ok")


def parameters(connection):
    for binary in (False, True):
        cursor = connection.cursor(binary=binary, row_factory=dict_row)
        sql = "SELECT household_id, name, joined FROM households WHERE household_id >= %s AND name <> %s ORDER BY household_id"
        # Six times, so that the driver turns to a prepared statement on the way.
        for _ in range(6):
            rows = cursor.execute(sql, (2, "Cruz")).fetchall()
            assert rows == [
                {"household_id": 2, "name": "Bell", "joined": datetime.date(2024, 2, 29)},
                {"household_id": 4, "name": "Diaz", "joined": None},
            ], rows
        names = [column.name for column in cursor.description]
        assert names == ["household_id", "name", "joined"], names
        cursor.execute("SELECT sum(amount) AS total FROM purchases WHERE amount > %s", (decimal.Decimal("7.25"),))
        assert cursor.fetchone() == {"total": decimal.Decimal("105.49")}, "sum"
        cursor.execute("SELECT name FROM households WHERE household_id = ANY(%s) ORDER BY name", ([1, 3],))
        assert [row["name"] for row in cursor] == ["Ames", "Cruz"]
    cursor = connection.cursor()
    cursor.execute("SELECT n FROM generate_series(1, 1000) AS g (n) ORDER BY n")
    assert cursor.fetchmany(3) == [(1,), (2,), (3,)]
    assert len(cursor.fetchall()) == 997
    assert sum(row[0] for row in cursor.stream("SELECT n FROM generate_series(1, 50000) AS g (n)")) == 1250025000


def types(connection):
    values = (
        True, 32767, 2147483648, 1.5, decimal.Decimal("-12345.6789"), "größe", b"\x00\xff",
        datetime.date(2024, 2, 29), datetime.time(23, 59, 59, 999999),
        datetime.datetime(2024, 2, 29, 12, 34, 56, 789000),
        datetime.datetime(2024, 2, 29, 12, 34, 56, tzinfo=datetime.timezone.utc),
        datetime.timedelta(days=3, hours=4), uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), [1, None, 3], ["a", None, ""],
    )
    # A list of strings alone does not say whether it is one of texts.
    sql = "SELECT " + ", ".join(["%s"] * (len(values) - 1)) + ", %s::text[]"
    for binary in (False, True):
        row = connection.cursor(binary=binary).execute(sql, values).fetchone()
        for got, want in zip(row, values):
            assert got == want, (binary, got, want)
    row = connection.execute("SELECT %s::jsonb, %s::text, %s::integer", (Json({"a": [1, None]}), None, None)).fetchone()
    assert row == ({"a": [1, None]}, None, None), row


def errors(connection):
    try:
        connection.execute("SELECT nmae FROM households")
        raise AssertionError("succeeded")
    except psycopg.errors.UndefinedColumn as error:
        assert error.diag.statement_position == "8", error.diag.statement_position
    for sql, kind in [
        ("SELECT * FROM missing", psycopg.errors.UndefinedTable),
        ("SELECT 1 / 0", psycopg.errors.DivisionByZero),
        ("SELEC 1", psycopg.errors.SyntaxError),
        ("SELECT no_such_function(1)", psycopg.errors.UndefinedFunction),
    ]:
        try:
            connection.execute(sql)
            raise AssertionError(f"{sql} succeeded")
        except kind:
            pass
    assert connection.execute("SELECT 1").fetchone() == (1,)


def cancel(connection):
    timer = threading.Timer(0.7, connection.cancel_safe)
    timer.start()
    start = time.perf_counter()
    try:
        connection.execute(
            "SELECT count(*) FROM generate_series(1, 100000) AS a (x) CROSS JOIN generate_series(1, 100000) AS b (y)"
            " WHERE (x * 7 + y * 13) % 1000003 = 5"
        )
        raise AssertionError("was not cancelled")
    except psycopg.errors.QueryCanceled:
        took = time.perf_counter() - start
        assert 0.5 < took < 1.9, took
    timer.join()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def discard(connection):
    """As Npgsql gives a connection back to its pool."""
    connection.execute("SET DateStyle = 'SQL, DMY'; SET search_path = segments")
    connection.execute("PREPARE p AS SELECT 1")
    connection.execute("DISCARD ALL")
    assert connection.execute("SHOW DateStyle").fetchone() == ("ISO, MDY",)
    assert connection.info.parameter_status("DateStyle") == "ISO, MDY"
    assert connection.execute("SELECT current_schema()").fetchone() == ("public",)
    assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)


def timeouts(address):
    with psycopg.connect(address, options="-c idle_in_transaction_session_timeout=300ms") as connection:
        connection.execute("SELECT 1")
        time.sleep(1)
        try:
            connection.execute("SELECT 1")
            raise AssertionError("goes on")
        except psycopg.errors.IdleInTransactionSessionTimeout:
            pass


def transactions(connection):
    try:
        with connection.transaction():
            connection.execute("INSERT INTO households VALUES (%s, %s, %s)", (7, "Gone", None))
            assert connection.execute("SELECT count(*) FROM households").fetchone() == (5,)
            raise psycopg.Rollback
    except psycopg.Rollback:
        pass
    with connection.transaction():
        connection.execute("CREATE TABLE kept (n integer, word text)")
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO kept VALUES (%s, %s)", [(n, f"word {n}") for n in range(10)])
            assert cursor.rowcount == 10, cursor.rowcount
    assert connection.execute("SELECT count(*), min(word) FROM kept").fetchone() == (10, "word 0")
    assert connection.execute("SELECT count(*) FROM households").fetchone() == (4,)
    connection.execute("DROP TABLE kept")
    connection.commit()


def server_side(connection):
    """Named cursors, which are DECLARE, FETCH, MOVE and CLOSE, and a Describe of the portal."""
    sql = "SELECT n, 'row ' || n AS label FROM generate_series(1, 5000) AS g (n) WHERE n > %s ORDER BY n"
    for binary in (False, True):
        with connection.cursor("rows", binary=binary) as cursor:
            cursor.itersize = 700
            cursor.execute(sql, (0,))
            assert [column.name for column in cursor.description] == ["n", "label"], cursor.description
            assert cursor.fetchone() == (1, "row 1")
            assert cursor.fetchmany(2) == [(2, "row 2"), (3, "row 3")]
            cursor.scroll(10)
            assert sum(n for n, _ in cursor) == sum(range(14, 5001))
            assert cursor.fetchall() == []
            # The same name, once more.
            cursor.execute(sql, (4998,))
            assert cursor.fetchall() == [(4999, "row 4999"), (5000, "row 5000")]
    with connection.cursor("back", scrollable=True) as cursor:
        cursor.execute(sql, (10,))
        cursor.scroll(4989, mode="absolute")
        assert cursor.fetchall() == [(5000, "row 5000")]
        cursor.scroll(0, mode="absolute")
        assert cursor.fetchone() == (11, "row 11")
    with connection.cursor("forward", scrollable=False) as cursor:
        cursor.execute(sql, (10,))
        cursor.fetchone()
        try:
            cursor.scroll(-1)
            raise AssertionError("goes back")
        except psycopg.errors.ObjectNotInPrerequisiteState:
            connection.rollback()
    # One that somebody else has opened.
    connection.execute("DECLARE made CURSOR FOR SELECT 7 AS seven")
    with psycopg.ServerCursor(connection, "made") as cursor:
        assert cursor.fetchall() == [(7,)]
        connection.rollback()
    try:
        connection.cursor("late", withhold=False).execute("SELECT 1 / 0 FROM households").fetchone()
        raise AssertionError("succeeded")
    except psycopg.errors.DivisionByZero:
        connection.rollback()


def held(connection):
    """WITH HOLD, in autocommit."""
    cursor = connection.cursor("held", withhold=True, scrollable=True)
    cursor.execute("SELECT n FROM generate_series(1, 20000) AS g (n) ORDER BY n")
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert cursor.fetchmany(3) == [(1,), (2,), (3,)]
    connection.execute("SELECT 1")
    cursor.scroll(19999, mode="absolute")
    assert cursor.fetchall() == [(20000,)]
    cursor.scroll(-2)
    assert cursor.fetchone() == (20000,)
    names = "SELECT name, is_holdable, is_scrollable FROM pg_cursors"
    assert connection.execute(names).fetchall() == [("held", True, True)]
    cursor.close()
    assert connection.execute(names).fetchall() == []


def temporary(connection):
    with connection.transaction():
        connection.execute("CREATE TEMP TABLE staged (n integer, word text) ON COMMIT DROP")
        with connection.cursor() as cursor, cursor.copy("COPY staged FROM STDIN") as copy:
            for n in range(1000):
                copy.write_row((n, f"word {n}"))
        assert connection.execute("SELECT count(*), max(word) FROM staged").fetchone() == (1000, "word 999")
    assert connection.execute("SELECT to_regclass('staged')").fetchone() == (None,)
    connection.commit()


def pipeline(connection):
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::bigint * 2", (n,)) for n in range(20)]
    assert [cursor.fetchone()[0] for cursor in cursors] == [2 * n for n in range(20)]


if __name__ == "__main__":
    main(sys.argv[1])
