-- KEYS: index. It begins with a write that changes nothing: a replica refuses it, and a primary holds it back while
-- another server takes its place.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '-inf')
return redis.call('ZRANGE', KEYS[1], '0', '-1')
