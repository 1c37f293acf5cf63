"""redis-py through the pool, as it comes: RESP2 and RESP3."""

import sys
import threading

import redis

HOST, PORT = sys.argv[1], int(sys.argv[2])

for protocol in (2, 3):
    client = redis.Redis(host=HOST, port=PORT, protocol=protocol, decode_responses=True)
    assert client.ping()
    assert client.set("a", "1") and client.get("a") == "1" and client.get("none") is None
    client.hset("h", mapping={"x": "1", "y": "2"})
    assert client.hgetall("h") == {"x": "1", "y": "2"}
    big = "x" * 5_000_000
    client.set("big", big)
    assert client.get("big") == big
    # Pipelines, with and without a transaction.
    pipeline = client.pipeline(transaction=False)
    for number in range(5000):
        pipeline.set(f"k{number}", number)
        pipeline.get(f"k{number}")
    answers = pipeline.execute()
    assert answers[1::2] == [str(number) for number in range(5000)]
    pipeline = client.pipeline(transaction=True)
    pipeline.incr("counter")
    pipeline.incr("counter")
    client.delete("counter")
    assert pipeline.execute() == [1, 2]
    # WATCH: another client changes what is watched.
    with client.pipeline() as pipeline:
        pipeline.watch("counter")
        value = int(pipeline.get("counter"))
        client.incr("counter")
        pipeline.multi()
        pipeline.set("counter", value * 10)
        try:
            pipeline.execute()
            raise AssertionError("the watch was expected to be noticed")
        except redis.WatchError:
            pass
    assert client.get("counter") == "3"
    # A blocking command of one client stops no other.
    got = []
    waiter = threading.Thread(target=lambda: got.append(client.blpop("queue", timeout=30)))
    waiter.start()
    for _ in range(100):
        assert client.get("a") == "1"
    client.rpush("queue", "job")
    waiter.join(30)
    assert [tuple(item) for item in got] == [("queue", "job")], got
    # Subscriptions.
    subscription = client.pubsub()
    subscription.subscribe("news")
    assert subscription.get_message(timeout=10)["type"] == "subscribe"
    assert client.publish("news", "hello") == 1
    message = subscription.get_message(timeout=10)
    assert message["data"] == "hello", message
    subscription.close()
    # Scripts, scans, errors.
    assert client.eval("return redis.call('GET', KEYS[1])", 1, "a") == "1"
    assert len(list(client.scan_iter("k*", count=500))) == 5000
    try:
        client.lpush("a", "x")
        raise AssertionError("an error was expected")
    except redis.ResponseError as error:
        assert "WRONGTYPE" in str(error)
    # Another database is a connection of one's own, and stays so.
    other = redis.Redis(host=HOST, port=PORT, db=3, protocol=protocol, decode_responses=True)
    other.set("a", "in 3")
    assert other.get("a") == "in 3" and client.get("a") == "1"
    other.close()
    client.flushall()
    client.close()
    print(f"RESP{protocol}")
