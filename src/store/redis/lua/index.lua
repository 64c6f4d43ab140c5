-- Comes before each script that writes an index.

-- A record's name ends with its handle.
local function handle(key)
  return string.sub(key, -32)
end

-- Puts a session into its user's index, and takes out those whose time is over. Only Redis's own clock counts here.
local function enlist(index, listed, left)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  -- First, for after any other write a server that is full would let it pass.
  redis.call('ZADD', index, 'GT', now + left, listed)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
  if redis.call('PTTL', index) < left then
    redis.call('PEXPIRE', index, left)
  end
end

local function enlist_record(index, key, record, left)
  enlist(index, handle(key), left + (record.listed_until - record.expires_at))
end
