-- KEYS: index. It begins with a write, which changes nothing: a server that is not the primary any more refuses it, or
-- holds it back until it knows.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '-inf')
return redis.call('ZRANGE', KEYS[1], '0', '-1')
