"""asyncpg: binary values, a pool that resets its connections, prepared statements, cancel and end of a backend."""

import asyncio
import datetime
import decimal
import sys

import asyncpg


async def main(port):
    address = {"host": "127.0.0.1", "port": port, "user": "postgres", "database": "audience"}
    settings = {"application_name": "a pool", "statement_timeout": "60s"}
    async with asyncpg.create_pool(**address, min_size=1, max_size=1, server_settings=settings) as pool:
        await values(pool)
        await resets(pool)
        await statements(pool)
        await ends(pool, address)
    print("asyncpg", asyncpg.__version__, "ok")


async def values(pool):
    row = await pool.fetchrow(
        "SELECT household_id, name, joined FROM households WHERE household_id = $1 AND name <> $2", 2, "Cruz"
    )
    assert tuple(row) == (2, "Bell", datetime.date(2024, 2, 29)), row
    total = await pool.fetchval("SELECT sum(amount) FROM purchases WHERE amount > $1", decimal.Decimal("7.25"))
    assert total == decimal.Decimal("105.49"), total


async def resets(pool):
    """What one user of a connection has set, the next does not find: the pool asks for that between them."""
    async with pool.acquire() as connection:
        await connection.execute("SET TIME ZONE 'Asia/Tokyo'")
        await connection.execute("SET statement_timeout = 7")
        await connection.execute("SELECT set_config('shop.tenant', 'north', false)")
        assert connection.get_settings().TimeZone == "Asia/Tokyo"
        pid = await connection.fetchval("SELECT pg_backend_pid()")
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT pg_backend_pid()") == pid, "another connection"
        # What it started with is its default.
        assert await connection.fetchval("SHOW statement_timeout") == "1min"
        assert await connection.fetchval("SHOW application_name") == "a pool"
        assert await connection.fetchval("SELECT current_setting('shop.tenant')") == ""
        assert connection.get_settings().TimeZone == "UTC", connection.get_settings().TimeZone


async def statements(pool):
    async with pool.acquire() as connection:
        statement = await connection.prepare("SELECT name FROM households WHERE household_id = $1")
        assert [await statement.fetchval(n) for n in (1, 2)] == ["Ames", "Bell"]
        listed = await connection.fetch("SELECT statement, from_sql FROM pg_prepared_statements")
        assert (statement.get_query(), False) in [tuple(row) for row in listed], listed
        async with connection.transaction():
            names = [row["name"] async for row in connection.cursor("SELECT name FROM households ORDER BY 1", prefetch=2)]
        assert names == ["Ames", "Bell", "Cruz", "Diaz"], names


async def ends(pool, address):
    victim = await asyncpg.connect(**address)
    pid = await victim.fetchval("SELECT pg_backend_pid()")
    sleeping = asyncio.create_task(victim.execute("SELECT pg_sleep(600)"))
    while await pool.fetchval("SELECT state FROM pg_stat_activity WHERE pid = $1", pid) != "active":
        await asyncio.sleep(0.01)
    assert await pool.fetchval("SELECT pg_cancel_backend($1)", pid)
    try:
        await sleeping
        raise AssertionError("was not cancelled")
    except asyncpg.QueryCanceledError:
        pass
    assert await victim.fetchval("SELECT 1") == 1
    assert await pool.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
    assert await pool.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid) == 0
    try:
        await victim.fetchval("SELECT 1")
        raise AssertionError("goes on")
    except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError):
        pass


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
