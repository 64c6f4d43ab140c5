-- Comes before each script that writes a record. A record in ARGV is seven words: version, expires_at, the time it has
-- left, kind, user, the time until which no touch can keep it alive any longer, data.
local token, handle = ARGV[1], ARGV[2]

local function field(key, name)
  return redis.call('HGET', key, name)
end

-- Whether this very call wrote the record before, and its answer was lost. The last eight writes are remembered.
local function is_mine(key)
  return string.find(field(key, 'tokens') or '', token, 1, true)
end

local function write(key, first, tokens)
  local version, expires_at, left, kind, user, listed_until, data = unpack(ARGV, first, first + 6)
  redis.call('HSET', key, 'version', version, 'expires_at', expires_at, 'kind', kind, 'user', user,
    'listed_until', listed_until, 'tokens', string.sub(token .. tokens, 1, 64), 'data', data)
  redis.call('PEXPIRE', key, left)
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

local function enlist_record(index, first)
  local expires_at, left, listed_until = ARGV[first + 1], ARGV[first + 2], ARGV[first + 5]
  enlist(index, handle, left + (listed_until - expires_at))
end
