"""Runs once before the application starts: brings the data to the form it expects."""
from redis import Redis

redis = Redis()
version = int(redis("GET", "schema") or 0)
if version < 1:
    redis("RPUSH", "entries", "Welcome: the first entry was written by the migration.")
    redis("SET", "schema", 1)
print(f"schema: {version} -> {redis('GET', 'schema')}")
