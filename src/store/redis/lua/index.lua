-- Prepended to each script that writes an index.

-- The name of a record ends with its handle.
local function handle(key)
  return string.sub(key, -32)
end

-- Adds a session to its user's index, for as long as a touch may keep it alive, and removes the entries whose time is
-- over. Only the server's own clock counts here.
local function index_add(index, member, ttl)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  -- First, for after any other write a server that is full would let it pass.
  redis.call('ZADD', index, 'GT', now + ttl, member)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
  if redis.call('PTTL', index) < tonumber(ttl) then
    redis.call('PEXPIRE', index, ttl)
  end
end
