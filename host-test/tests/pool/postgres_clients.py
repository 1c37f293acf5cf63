"""asyncpg and psycopg through the pool, as they come."""

import asyncio
import sys

import asyncpg
import psycopg

HOST, PORT = sys.argv[1], int(sys.argv[2])


async def with_asyncpg():
    connection = await asyncpg.connect(host=HOST, port=PORT, user="app", database="app")
    assert await connection.fetchval("SELECT $1::int + 1", 41) == 42
    await connection.execute("CREATE TABLE people (id int PRIMARY KEY, name text, photo bytea)")
    # A named prepared statement, used in many transactions.
    insert = await connection.prepare("INSERT INTO people VALUES ($1, $2, $3)")
    for number in range(20):
        await insert.fetch(number, f"person {number}", b"x" * 1000)
    async with connection.transaction():
        await connection.execute("DELETE FROM people WHERE id >= 10")
        assert await connection.fetchval("SELECT count(*) FROM people") == 10
    try:
        async with connection.transaction():
            await connection.execute("DELETE FROM people")
            raise RuntimeError
    except RuntimeError:
        pass
    assert await connection.fetchval("SELECT count(*) FROM people") == 10
    # A cursor within a transaction.
    async with connection.transaction():
        names = [row["name"] async for row in connection.cursor("SELECT name FROM people ORDER BY id", prefetch=3)]
    assert len(names) == 10 and names[9] == "person 9", names
    # COPY in and out, and a parameter longer than any buffer.
    records = [(number, "copied", None) for number in range(100, 5100)]
    await connection.copy_records_to_table("people", records=records)
    assert await connection.fetchval("SELECT count(*) FROM people") == 5010
    photo = bytes(range(256)) * 20_000
    await connection.execute("UPDATE people SET photo = $1 WHERE id = 1", photo)
    assert await connection.fetchval("SELECT photo FROM people WHERE id = 1") == photo
    await connection.executemany("UPDATE people SET name = $2 WHERE id = $1", [(n, "m") for n in range(10)])
    assert await connection.fetchval("SELECT count(*) FROM people WHERE name = 'm'") == 10
    # A setting that PostgreSQL 15 does not report follows its client, and nobody else.
    await connection.execute("CREATE SCHEMA other")
    await connection.execute("CREATE TABLE other.only_there (id int)")
    settings = {"search_path": "other, public"}
    elsewhere = await asyncpg.connect(host=HOST, port=PORT, user="app", database="app", server_settings=settings)
    for _ in range(3):
        assert await elsewhere.fetchval("SELECT count(*) FROM only_there") == 0
        assert await elsewhere.fetchval("SHOW search_path") == "other, public"
        assert await connection.fetchval("SHOW search_path") == '"$user", public'
        # What asyncpg's own pool says when a connection goes back to it.
        await elsewhere.execute("RESET ALL")
    await elsewhere.close()
    try:
        nowhere = {"TimeZone": "Nowhere/There"}
        wrong = await asyncpg.connect(host=HOST, port=PORT, user="app", database="app", server_settings=nowhere)
        await wrong.execute("CREATE TABLE never (id int)")
        raise AssertionError("the server was expected to refuse the setting")
    except asyncpg.PostgresError as error:
        # Where the end of the connection comes with the server's error, asyncpg tells of the end alone.
        told = isinstance(error, asyncpg.ConnectionDoesNotExistError) or "Nowhere/There" in str(error)
        assert told, error
    assert await connection.fetchval("SELECT to_regclass('never')") is None
    # A table with another column than when a query of it was prepared.
    await connection.execute("CREATE TABLE grows (a int)")
    await connection.fetch("SELECT * FROM grows")
    await connection.execute("ALTER TABLE grows ADD b int")
    await connection.execute("INSERT INTO grows VALUES (1, 2)")
    for _ in range(5):
        rows = await connection.fetch("SELECT * FROM grows")
        assert [tuple(row) for row in rows] == [(1, 2)], rows
    # An error, and life after it.
    try:
        await connection.fetchval("SELECT 1 / 0")
        raise AssertionError("an error was expected")
    except asyncpg.DivisionByZeroError as error:
        assert error.sqlstate == "22012"
    # A query that is cancelled by a cancel request.
    try:
        await connection.fetchval("SELECT pg_sleep(60)", timeout=0.3)
        raise AssertionError("a timeout was expected")
    except (asyncio.TimeoutError, TimeoutError):
        pass
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    print("asyncpg")


def with_psycopg():
    with psycopg.connect(host=HOST, port=PORT, user="app", dbname="app") as connection:
        # The same query often enough that psycopg prepares it.
        for number in range(20):
            row = connection.execute("SELECT %s::int * 2", (number,)).fetchone()
            assert row == (number * 2,)
            connection.commit()
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO people VALUES (%s, %s)", [(n, "p") for n in range(6000, 6100)])
            connection.commit()
            with cursor.copy("COPY people (id, name) FROM STDIN") as copy:
                for number in range(7000, 7100):
                    copy.write_row((number, "c"))
            connection.commit()
            with cursor.copy("COPY (SELECT id FROM people WHERE id >= 7000) TO STDOUT") as copy:
                assert sum(1 for _ in copy.rows()) == 100
        with connection.pipeline():
            cursors = [connection.execute("SELECT %s::int", (n,)) for n in range(50)]
            assert [cursor.fetchone()[0] for cursor in cursors] == list(range(50))
        connection.commit()
        with connection.cursor(name="on_the_server") as cursor:
            cursor.itersize = 7
            cursor.execute("SELECT id FROM people WHERE id >= 6000 ORDER BY id")
            assert sum(1 for _ in cursor) == 200
        connection.commit()
        try:
            connection.execute("LISTEN news")
            raise AssertionError("LISTEN was expected to be refused")
        except psycopg.errors.FeatureNotSupported as error:
            assert "pooling" in str(error), error
        connection.rollback()
        assert connection.execute("SELECT 1").fetchone() == (1,)
    print("psycopg")


asyncio.run(with_asyncpg())
with_psycopg()
