"""Many clients on few connections: a mix-up of any two would be seen.

Each client keeps a row of its own, a setting of its own for each transaction, and moves money between accounts. What it
reads within a transaction must be what it wrote, the backend must stay the same, and no money may come or go.
"""

import asyncio
import random
import sys

import asyncpg

HOST, PORT, CLIENTS, ROUNDS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
ACCOUNTS = 50


async def client(number, backends):
    connection = await asyncpg.connect(host=HOST, port=PORT, user="app", database="app", timeout=60)
    await connection.execute("INSERT INTO mine VALUES ($1, 0)", number)
    for round in range(ROUNDS):
        commits = random.random() < 0.7
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.client', $1, true)", str(number))
                backend = await connection.fetchval("SELECT pg_backend_pid()")
                backends.add(backend)
                await connection.execute("UPDATE mine SET value = $2 WHERE client = $1", number, round)
                one, other = sorted(random.sample(range(ACCOUNTS), 2))
                await connection.execute("UPDATE accounts SET balance = balance - 1 WHERE id = $1", one)
                await connection.execute("UPDATE accounts SET balance = balance + 1 WHERE id = $1", other)
                # A literal in a simple query, and the same by a parameter.
                seen = await connection.fetchrow(
                    "SELECT value, current_setting('app.client') AS client, pg_backend_pid() AS backend, $2::int AS echo"
                    " FROM mine WHERE client = $1", number, number * 1000 + round)
                assert seen["value"] == round, (number, round, seen)
                assert seen["client"] == str(number), (number, seen)
                assert seen["backend"] == backend, (number, seen)
                assert seen["echo"] == number * 1000 + round, (number, seen)
                if not commits:
                    raise KeyError
        except KeyError:
            pass
        assert await connection.fetchval(f"SELECT {number * 1000 + round}") == number * 1000 + round
        assert not await connection.fetchval("SELECT coalesce(current_setting('app.client', true), '')")
    await connection.close()


async def main():
    admin = await asyncpg.connect(host=HOST, port=PORT, user="app", database="app", timeout=60)
    await admin.execute("CREATE TABLE mine (client int PRIMARY KEY, value int)")
    await admin.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance int)")
    await admin.execute(f"INSERT INTO accounts SELECT n, 100 FROM generate_series(0, {ACCOUNTS - 1}) n")
    backends = set()
    await asyncio.gather(*(client(number, backends) for number in range(CLIENTS)))
    assert await admin.fetchval("SELECT sum(balance) FROM accounts") == 100 * ACCOUNTS
    assert await admin.fetchval("SELECT count(*) FROM mine") == CLIENTS
    await admin.close()
    print(f"{CLIENTS * ROUNDS} transactions of {CLIENTS} clients on {len(backends)} backends")


asyncio.run(main())
