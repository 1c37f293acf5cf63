"""nats-py, which knows nothing of this project, against the loopback endpoint: client.py URL."""

import asyncio
import sys

import nats
from nats.errors import NoRespondersError
from nats.js.api import StreamConfig


async def publish_and_subscribe(nc):
    inbox = asyncio.Queue()

    async def receive(message):
        await inbox.put(message)

    everything = await nc.subscribe("app.>", cb=receive)
    one = await nc.subscribe("app.one")
    await one.unsubscribe(limit=1)
    await nc.flush()
    for body in [b"1", b"2"]:
        await nc.publish("app.one", body, headers={"Tag": "x"})
    await nc.flush()
    bodies = [(await asyncio.wait_for(inbox.get(), 10)).data for _ in range(2)]
    assert bodies == [b"1", b"2"], bodies
    only = await one.next_msg(timeout=10)
    assert only.data == b"1" and only.headers["Tag"] == "x", only
    await everything.unsubscribe()


async def queue_groups(nc):
    counts = [0, 0]

    def member(index):
        async def receive(message):
            counts[index] += 1

        return receive

    for index in range(2):
        await nc.subscribe("app.work", queue="workers", cb=member(index))
    await nc.flush()
    for _ in range(100):
        await nc.publish("app.work", b"")
    await nc.flush()
    for _ in range(1000):
        if sum(counts) == 100:
            break
        await asyncio.sleep(0.01)
    assert sum(counts) == 100 and min(counts) > 0, counts


async def requests(nc):
    async def answer(message):
        await message.respond(b"re: " + message.data)

    await nc.subscribe("app.ask", cb=answer)
    await nc.flush()
    replies = await asyncio.gather(*(nc.request("app.ask", b"%d" % n, timeout=10) for n in range(100)))
    assert [reply.data for reply in replies] == [b"re: %d" % n for n in range(100)]
    try:
        await nc.request("app.nobody", b"", timeout=10)
        raise AssertionError("somebody answered")
    except NoRespondersError:
        pass


async def jetstream(nc):
    js = nc.jetstream()
    await js.add_stream(StreamConfig(name="APP", subjects=["stored.>"]))
    for n in range(200):
        ack = await js.publish("stored.a", b"%d" % n, headers={"Nats-Msg-Id": str(n)})
        assert ack.seq == n + 1
    assert (await js.publish("stored.a", b"0", headers={"Nats-Msg-Id": "0"})).duplicate
    pull = await js.pull_subscribe("stored.>", durable="puller", stream="APP")
    bodies = []
    while len(bodies) < 200:
        for message in await pull.fetch(50, timeout=10):
            bodies.append(message.data)
            await message.ack()
    assert bodies == [b"%d" % n for n in range(200)]
    ordered = await js.subscribe("stored.>", ordered_consumer=True)
    first = await ordered.next_msg(timeout=10)
    assert first.data == b"0", first
    await ordered.unsubscribe()
    pushed = await js.subscribe("stored.>", durable="pushed", manual_ack=True)
    for n in range(200):
        message = await pushed.next_msg(timeout=10)
        assert message.data == b"%d" % n
        await message.ack()
    await pushed.unsubscribe()


async def key_value(nc):
    js = nc.jetstream()
    kv = await js.create_key_value(bucket="settings", history=5)
    revision = await kv.put("colour", b"red")
    assert (await kv.get("colour")).value == b"red"
    await kv.update("colour", b"blue", last=revision)
    await kv.create("shape", b"round")
    watcher = await kv.watchall()
    seen = {}
    async for entry in watcher:
        if entry is None:
            break
        seen[entry.key] = entry.value
    assert seen == {"colour": b"blue", "shape": b"round"}, seen
    await kv.put("colour", b"green")
    entry = await watcher.updates(timeout=10)
    assert (entry.key, entry.value) == ("colour", b"green"), entry
    await watcher.stop()
    await kv.delete("shape")
    assert await kv.keys() == ["colour"]


async def object_store(nc):
    js = nc.jetstream()
    store = await js.create_object_store("files")
    body = bytes(range(256)) * 2048
    await store.put("large", body)
    result = await store.get("large")
    assert result.data == body
    assert [entry.name for entry in await store.list()] == ["large"]


async def main():
    errors = []

    async def error(problem):
        errors.append(problem)

    nc = await nats.connect(sys.argv[1], error_cb=error, name="nats-py", allow_reconnect=False)
    for part in [publish_and_subscribe, queue_groups, requests, jetstream, key_value, object_store]:
        await part(nc)
        print("ok", part.__name__, flush=True)
    await nc.drain()
    assert not errors, errors


asyncio.run(asyncio.wait_for(main(), 120))
